"""Processes of one training: they start and end together, and go on bit by bit where they were, whoever was killed."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
import torch

from pipeline import artefacts
from pipeline.errors import KeepfitError, SettingsError
from pipeline.features.windows import Windows
from pipeline.models import crew
from pipeline.models.choices.transfer import Start
from pipeline.models.crew import Work, number
from pipeline.models.placement import on_disk
from pipeline.models.transfer import Starting, Taken
from tests.models import test_checkpoint
from tests.models.test_checkpoint import fitted, same_weights, steps
from tests.models.test_devices import work

SOON = 600.0  # seconds: on a machine that does much else an interpreter takes minutes to end
several = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two processors")


def started(folder: Path, pause: float = 0.05) -> "subprocess.Popen[bytes]":
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return test_checkpoint.started(folder, seconds=0.0, pause=pause, devices=2, TMPDIR=str(scratch))


def at_step(process: "subprocess.Popen[bytes]", folder: Path, step: int) -> "list[psutil.Process]":
    """The other processes, when the first one has done so many steps."""
    while steps(folder) < step and process.poll() is None:
        time.sleep(0.002)
    assert process.poll() is None, (folder / "said").read_text()
    return [other for other in psutil.Process(process.pid).children() if "beside" in " ".join(other.cmdline())]


@several
def test_whoever_is_killed_all_end_and_the_next_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    (whole := tmp_path / "whole").mkdir()
    (folder := tmp_path / "killed").mkdir()
    kept = fitted(whole, seconds=1e9, devices=2)
    artefacts.write_tensors(whole / "kept", {name: value.numpy() for name, value in kept.weights.items()})
    artefacts.write_json(whole / "history", {"epochs": [epoch.model_dump() for epoch in kept.history]})

    first = started(folder)
    others = at_step(first, folder, 5)
    first.kill()
    first.wait()
    _, alive = psutil.wait_procs(others, timeout=SOON)
    assert len(others) == 1
    assert not alive
    assert not list((folder / "scratch").glob("keepfit-devices-*"))

    second = started(folder)
    (other,) = at_step(second, folder, 15)
    other.kill()
    assert second.wait(timeout=SOON) == 1
    said = (folder / "said").read_text().splitlines()
    assert said == [
        "params.yaml: train.devices: the process of device 1 ended by SIGKILL; run it again: it goes on from its last "
        "checkpoint"
    ]

    third = started(folder)
    others = at_step(third, folder, 30)
    third.send_signal(signal.SIGINT)
    assert third.wait(timeout=SOON) != 0
    assert not psutil.wait_procs(others, timeout=SOON)[1]

    assert started(folder, pause=0.0).wait() == 0, (folder / "said").read_text()
    assert same_weights(folder, whole)
    assert (folder / "history").read_bytes() == (whole / "history").read_bytes()
    assert not list((folder / "scratch").glob("keepfit-devices-*"))


@several
def test_a_process_that_cannot_start_is_told_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "PROGRAM", "pipeline.no_such_program")

    with pytest.raises(
        KeepfitError, match=r"process of device 1 ended with code 1: .*No module named pipeline\.no_such"
    ):
        fitted(tmp_path, devices=2)

    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("devices", "gpus", "rows", "size", "expected"),
    [
        (1, 0, 10, 10, 1),
        (2, 0, 10, 10, 2),
        (4, 4, 10, 10, 4),
        ("auto", 0, 10**7, 4096, 1),
        ("auto", 1, 10**7, 4096, 1),
        ("auto", 4, 10**7, 1024, 4),
        ("auto", 4, 10**7, 1023, 1),
        ("auto", 4, 10**6 - 1, 1024, 1),
    ],
)
def test_how_many_devices(
    devices: Any, gpus: int, rows: int, size: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    assert number(devices, "auto", rows, size) == expected
    assert number(1, "cpu", rows, size) == 1


@pytest.mark.parametrize(
    ("devices", "gpus", "size", "said"),
    [
        (8, 2, 512, r"8 devices are set, and 2 GPUs are here; set fewer"),
        (8, 0, 512, r"8 devices are set, and 4 processors are here; set fewer"),
        (4, 0, 3, r"a step of 3 rows has none for some of 4 devices; set train\.batch_size"),
    ],
)
def test_devices_that_are_not_there_are_refused_in_a_line(
    devices: int, gpus: int, size: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)

    with pytest.raises(SettingsError, match=rf"^params\.yaml: train\.devices: {said}$"):
        number(devices, "auto", 1000, size)


def test_work_is_read_as_it_was_written(tmp_path: Path) -> None:
    windows = Windows(values=np.arange(5.0), place_N=np.array([2, 4]), step_W=np.array([-1, 0]))
    record = Start(model="v1", sha256="0", taken=1, weights=2, frozen=1, fresh={}, left={}, new=[])
    part = Taken(value=torch.tensor([1.0, 2.0]), taken=torch.tensor([True, False]), stays=True)
    starting = Starting(record=record, parts={"a.weight": part}, buffers={"b.mean": torch.ones(1)}, rate=0.5)
    written = work(imbalance={"kind": "focal"}, devices=2)
    tensors = {name: {**part, "past": windows} for name, part in written.tensors.items()}
    written = Work(**{**vars(written), "tensors": tensors, "starting": starting, "checkpoint": Path("there")})

    written.write(tmp_path)
    found = Work.read(tmp_path)

    assert found.settings == written.settings
    assert (found.shape, found.target, found.seed) == (written.shape, written.target, written.seed)
    assert found.checkpoint == Path("there").absolute()
    for name, parts in written.tensors.items():
        assert not on_disk(found.tensors[name])
        for key, array in parts.items():
            assert np.array_equal(np.asarray(found.tensors[name][key]), np.asarray(array))
    assert found.starting is not None
    assert (found.starting.record, found.starting.rate) == (record, 0.5)
    assert torch.equal(found.starting.buffers["b.mean"], torch.ones(1))
    again = found.starting.parts["a.weight"]
    assert torch.equal(again.value, part.value)
    assert torch.equal(again.taken, part.taken)
    assert again.stays


def test_what_lies_on_disk_is_read_from_where_it_lies(tmp_path: Path) -> None:
    plain = work()
    for name, part in plain.tensors.items():
        artefacts.write_tensors(tmp_path / f"{name}.safetensors", part)
    mapped = {name: artefacts.map_tensors(tmp_path / f"{name}.safetensors") for name in plain.tensors}
    (folder := tmp_path / "folder").mkdir()

    Work(**{**vars(plain), "tensors": mapped}).write(folder)
    found = Work.read(folder)

    assert [path.name for path in folder.iterdir()] == ["work.json"]
    assert on_disk(found.tensors["train"])
    assert np.array_equal(found.tensors["train"]["dense"], plain.tensors["train"]["dense"])

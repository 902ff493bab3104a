"""Resuming: a training that is killed, however often and wherever, ends with the weights of one that is not."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline import artefacts
from pipeline.features.target import Classes
from pipeline.models.backbones import TableShape
from pipeline.models.checkpoint import Checkpoints, Resumption, State, key_of, random_now, set_random
from pipeline.models.module import KeepBest, Learner
from pipeline.models.network import NetworkShape
from pipeline.stages import train
from pipeline.stages.train import TrainSettings

ROOT = Path(__file__).parents[2]
STATE = State(steps=3, history=[], best_epoch=None, python_random=[1], numpy_place=0)
EPOCHS, BATCH, ROWS = 3, 32, 640
# the process trains and writes, step by step, where it stands; what is random is in its dropout, norms and mixup; its
# error is the line that a user would read
PROGRAM = """
import sys, time
from pathlib import Path
from pipeline import artefacts
from pipeline.errors import KeepfitError
from pipeline.models.module import Learner
from tests.models.test_checkpoint import fitted
folder = Path(sys.argv[1])
learn = Learner._learn
def slowly(self, *batch):
    learn(self, *batch)
    (folder / "steps").write_text(str(self.steps_done))
    time.sleep({pause})
Learner._learn = slowly
try:
    kept = fitted(folder, seconds=float(sys.argv[2]), devices=int(sys.argv[3]))
except KeepfitError as error:
    sys.exit(str(error))
artefacts.write_tensors(folder / "kept", {{name: value.numpy() for name, value in kept.weights.items()}})
artefacts.write_json(folder / "history", {{"epochs": [epoch.model_dump() for epoch in kept.history]}})
"""


def made() -> dict[str, dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    dense_ND = random.normal(size=(2 * ROWS, 3)).astype(np.float32)
    label_N = (dense_ND[:, 0] + random.normal(size=2 * ROWS) > 0).astype(np.int64)
    codes_NC = np.zeros((2 * ROWS, 0), np.int64)
    parts = {"train": slice(None, ROWS), "val": slice(ROWS, None)}
    return {n: {"dense": dense_ND[s], "codes": codes_NC[s], "label": label_N[s]} for n, s in parts.items()}


def fitted(folder: Path, seconds: float = 0.0, **others: Any) -> KeepBest:
    shape = NetworkShape(
        table=TableShape(dense=3, cardinalities=[], outputs=2),
        backbone="mlp",
        settings={"hidden": [64, 64], "dropout": 0.3, "normalisation": "batch"},
    )
    chosen = {"epochs": EPOCHS, "batch_size": BATCH, "mixup": 0.2, "accelerator": "cpu", "checkpoint_seconds": seconds}
    settings = TrainSettings.model_validate({**chosen, "optimizer": {"learning_rate": 0.02}, **others})
    target = Classes(column="y", classes=["no", "yes"])
    checkpoint = folder / "checkpoint.safetensors"
    return train.fit(made(), shape, target, settings, seed=3, curves=folder / "curves", checkpoint=checkpoint)


def started(
    folder: Path, seconds: float, pause: float = 0.01, devices: int = 1, **environ: str
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", PROGRAM.format(pause=pause), str(folder), str(seconds), str(devices)]
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(command, cwd=ROOT, stderr=said, env=os.environ | environ)


def steps(folder: Path) -> int:
    """The step that the process wrote last; it may be about to write one."""
    text = (folder / "steps").read_text() if (folder / "steps").is_file() else ""
    return int(text or 0)


def end_at(process: "subprocess.Popen[bytes]", folder: Path, step: int, how: signal.Signals) -> None:
    while steps(folder) < step and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(how)
    process.wait()


def curves(folder: Path) -> str:
    return (folder / "curves" / "plots" / "metrics" / "val" / "auc.tsv").read_text()


def same_weights(one: Path, other: Path) -> bool:
    a, b = artefacts.read_tensors(one / "kept"), artefacts.read_tensors(other / "kept")
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing interrupted, and that wrote no checkpoint on the way."""
    folder = tmp_path_factory.mktemp("whole")
    kept = fitted(folder, seconds=1e9)
    artefacts.write_tensors(folder / "kept", {name: value.numpy() for name, value in kept.weights.items()})
    artefacts.write_json(folder / "history", {"epochs": [epoch.model_dump() for epoch in kept.history]})
    return folder


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_at_any_step_it_ends_with_the_same_bits(how: signal.Signals, whole: Path, tmp_path: Path) -> None:
    times = 3 if how == signal.SIGKILL else 1
    places = sorted(random.Random(how).sample(range(2, EPOCHS * ROWS // BATCH - 8), times))
    for place in places:
        end_at(started(tmp_path, seconds=0.0), tmp_path, place, how)
        assert (tmp_path / "checkpoint.safetensors").is_file()
        assert not (tmp_path / "kept").exists()

    last = started(tmp_path, seconds=0.0, pause=0.0)
    assert last.wait() == 0, (tmp_path / "said").read_text()

    assert same_weights(tmp_path, whole)
    assert (tmp_path / "history").read_bytes() == (whole / "history").read_bytes()
    assert curves(tmp_path) == curves(whole)


def test_ctrl_c_writes_where_it_stands_though_no_checkpoint_is_due(tmp_path: Path) -> None:
    end_at(started(tmp_path, seconds=1e9), tmp_path, 7, signal.SIGINT)

    _, words = artefacts.read_state(tmp_path / "checkpoint.safetensors")

    assert State.model_validate_json(words["state"]).steps == steps(tmp_path) >= 7
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_training_of_other_settings_does_not_go_on_from_there(tmp_path: Path) -> None:
    fitted(tmp_path, optimizer={"learning_rate": 0.5})
    (other := tmp_path / "other").mkdir()

    after, alone = fitted(tmp_path), fitted(other)

    assert all(torch.equal(value, alone.weights[name]) for name, value in after.weights.items())


def test_a_training_that_ended_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fitted(tmp_path)
    monkeypatch.setattr(Learner, "_learn", None)

    again = fitted(tmp_path)

    assert again.history == first.history
    assert all(torch.equal(value, first.weights[name]) for name, value in again.weights.items())


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(file=tmp_path / "checkpoint", key="one", seconds=9)


def test_what_was_written_is_read(checkpoints: Checkpoints) -> None:
    checkpoints.write(STATE, {"flat:x": torch.arange(3.0)})

    found = checkpoints.read()

    assert found is not None
    assert found.state == STATE
    assert found.tensors["flat:x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("place", [0, 9, 60, -1])
def test_a_damaged_checkpoint_is_not_used_but_removed(place: int, checkpoints: Checkpoints) -> None:
    checkpoints.write(STATE, {"flat:x": torch.arange(3.0)})
    content = bytearray(checkpoints.file.read_bytes())
    content[place] ^= 1
    checkpoints.file.write_bytes(content)

    assert checkpoints.read() is None
    assert not checkpoints.file.exists()


def test_half_a_checkpoint_and_that_of_another_training_are_removed(checkpoints: Checkpoints) -> None:
    checkpoints.write(STATE, {"flat:x": torch.arange(3.0)})
    other = Checkpoints(file=checkpoints.file, key="other", seconds=9)
    assert other.read() is None
    checkpoints.write(STATE, {"flat:x": torch.arange(3.0)})
    os.truncate(checkpoints.file, checkpoints.file.stat().st_size // 2)

    assert checkpoints.read() is None
    assert not checkpoints.file.exists()


def test_the_key_is_of_tensors_words_and_code(tmp_path: Path) -> None:
    (code := tmp_path / "code.py").write_text("x = 1")
    part = {"dense": np.arange(4.0)}
    keys = {key_of([part], {"seed": 1}, [code]), key_of([part], {"seed": 2}, [code])}
    keys.add(key_of([{"dense": np.arange(4.0)[::-1]}], {"seed": 1}, [code]))
    code.write_text("x = 2")
    keys.add(key_of([part], {"seed": 1}, [code]))

    assert len(keys) == 4


def test_what_is_random_goes_on() -> None:
    def drawn() -> tuple[Any, ...]:
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()

    drawn()
    tensors, place, python = random_now()
    first = drawn()

    set_random(tensors, STATE.model_copy(update={"python_random": python, "numpy_place": place}))

    assert drawn() == first


@pytest.mark.parametrize(("step", "age", "writes"), [(3, 5.0, True), (3, 0.5, False), (4, 5.0, False)])
def test_a_checkpoint_is_written_when_due_but_not_between_train_and_val(
    step: int, age: float, writes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner: Any = SimpleNamespace(steps_done=step, course=SimpleNamespace(batches=4), team=None)
    checkpoints: Any = SimpleNamespace(age=age, seconds=1.0)
    resumption = Resumption(checkpoints=checkpoints, learner=learner, keep=learner)
    saved: list[bool] = []
    monkeypatch.setattr(Resumption, "save", lambda _: saved.append(True))

    resumption._after_step()

    assert saved == [True] * writes

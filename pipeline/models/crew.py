"""The other processes of a training on several devices: started by the one that was asked to train, and ended with it.

Each is a command of its own, so that it is all the same who asked: a command line, a stage of DVC, a flow. What they
are given is written to a folder: JSON and safetensors, nothing is pickled. Their input is a pipe that nobody writes to:
it ends with whoever holds the other end, however that ends, and so do they. A terminal's Ctrl-C does not reach them.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import distributed

from pipeline import artefacts, progress
from pipeline.errors import KeepfitError, SettingsError
from pipeline.features.target import TARGET, Target
from pipeline.features.windows import apart, together
from pipeline.models import placement
from pipeline.models.checkpoint import within
from pipeline.models.choices.training import TrainSettings
from pipeline.models.choices.transfer import Start
from pipeline.models.devices import Share
from pipeline.models.network import NetworkShape
from pipeline.models.transfer import Starting, Taken

Tensors = Mapping[str, Any]  # arrays, and windows of some
Process: TypeAlias = "subprocess.Popen[bytes]"
ROOT = Path(__file__).parents[2]
PROGRAM = "pipeline.stages.beside"
MEETING, READY = "meeting", b"ready\n"
ENDING_SECONDS = 20.0  # that a process may take from its last word to its end
WHERE = "params.yaml: train.devices"
ROWS_EACH = 256  # of a step, and
ROWS_ALL = 1_000_000  # of train: of fewer `auto` expects no gain. Neither was measured


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a training is given; `checkpoint`: the file from which it goes on, `starting`: another model's weights."""

    tensors: Mapping[str, Tensors]
    shape: NetworkShape
    target: Target
    settings: TrainSettings
    seed: int
    checkpoint: Path | None = None
    starting: Starting | None = None

    def write(self, folder: Path) -> None:
        """Write it down for other processes of this machine; what lies on disk already stays where it is."""
        words = {
            "tensors": {name: str(_written(part, folder / name)) for name, part in self.tensors.items()},
            "mapped": {name: placement.on_disk(part) for name, part in self.tensors.items()},
            "shape": self.shape.model_dump(mode="json"),
            "target": self.target.model_dump(mode="json"),
            "settings": self.settings.model_dump(mode="json"),
            "seed": self.seed,
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint.absolute()),
            "starting": None if self.starting is None else _start_written(self.starting, folder / "start"),
        }
        artefacts.write_json(folder / "work.json", words)

    @classmethod
    def read(cls, folder: Path) -> "Work":
        """What was written there; what was in memory is mapped, so that all processes share it."""
        words = artefacts.read_json(folder / "work.json")
        parts = {name: artefacts.map_tensors(Path(file)) for name, file in words["tensors"].items()}
        start = words["starting"]
        return cls(
            tensors={name: together(part if words["mapped"][name] else _plain(part)) for name, part in parts.items()},
            shape=NetworkShape.model_validate(words["shape"]),
            target=TARGET.validate_python(words["target"]),
            settings=TrainSettings.model_validate(words["settings"]),
            seed=words["seed"],
            checkpoint=words["checkpoint"] and Path(words["checkpoint"]),
            starting=start and _start_read(start, folder / "start"),
        )


def number(devices: int | Literal["auto"], accelerator: str, rows: int, size: int) -> int:
    """How many devices are trained on: `rows` of train, `size` of a step. On the CPU a device is a core's process.

    Raises SettingsError where there are not so many, or a step has not a row for each.
    """
    gpus = torch.cuda.device_count() if accelerator != "cpu" else 0
    there, what = (gpus, "GPUs") if gpus else (os.cpu_count() or 1, "processors")
    if devices == "auto":
        return gpus if gpus > 1 and size >= ROWS_EACH * gpus and rows >= ROWS_ALL else 1
    if devices > there:
        raise SettingsError(f"{devices} devices are set, and {there} {what} are here", where=WHERE, fix="set fewer")
    if devices > size:
        raise SettingsError(
            f"a step of {size} rows has none for some of {devices} devices", where=WHERE, fix="set train.batch_size"
        )
    return devices


@contextmanager
def crew(work: Work, world: int) -> Iterator[Share | None]:
    """In this block there are `world` - 1 other processes at the same training; None where it has one device.

    Raises KeepfitError when one of them ends before this one has.
    """
    if world == 1:
        yield None
        return
    progress.report(0.0, f"on {world} devices")
    with TemporaryDirectory(prefix="keepfit-devices-", ignore_cleanup_errors=True) as scratch, ExitStack() as stack:
        folder = Path(scratch)
        work.write(folder)
        others = [stack.enter_context(_other(folder, rank, world)) for rank in range(1, world)]
        try:
            yield Share(rank=0, world=world, meeting=folder / MEETING, ready=lambda: _require_ready(others, folder))
        except RuntimeError as error:  # what PyTorch says of a process that does not answer
            for rank, other in enumerate(others, start=1):
                with suppress(subprocess.TimeoutExpired):
                    other.wait(timeout=ENDING_SECONDS / len(others))
                    raise _lost(rank, other, folder) from error
            raise


@contextmanager
def _other(folder: Path, rank: int, world: int) -> Iterator[Process]:
    """Another process, which is ended with the block."""
    command = [sys.executable, "-m", PROGRAM, str(folder), str(rank), str(world)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with (folder / f"said-{rank}").open("wb") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _require_ready(others: Sequence[Process], folder: Path) -> None:
    """Wait for all others, and watch them from then on; raises KeepfitError where one ends before it is ready."""
    for rank, other in enumerate(others, start=1):
        assert other.stdout is not None
        if other.stdout.readline() != READY:
            other.wait()
            raise _lost(rank, other, folder)
        Thread(target=_abort_without, args=(other,), daemon=True).start()


def _abort_without(other: Process) -> None:
    """Let nobody wait for a process that has ended: NCCL would, gloo does not."""
    assert other.stdout is not None
    other.stdout.read()
    with suppress(RuntimeError, ValueError):  # no training any more
        group = distributed.group.WORLD
        if group is not None and distributed.get_backend() != "gloo":
            group.abort()


def _lost(rank: int, other: Process, folder: Path) -> KeepfitError:
    said = (folder / f"said-{rank}").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    code = other.returncode
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
    return KeepfitError(
        f"the process of device {rank} ended {how}{': ' if said else ''}{said[-1] if said else ''}",
        where=WHERE,
        fix="run it again: it goes on from its last checkpoint",
    )


def joined(folder: Path, rank: int, world: int) -> Share:
    """The share of a process that was started here: it ends with whoever started it, and clears up after that."""

    def wait() -> None:
        sys.stdin.buffer.read()
        rmtree(folder, ignore_errors=True)
        os._exit(1)

    def ready() -> None:
        os.write(sys.stdout.fileno(), READY)

    Thread(target=wait, daemon=True).start()
    return Share(rank=rank, world=world, meeting=folder / MEETING, ready=ready)


def _written(part: Tensors, file: Path) -> Path:
    """The file that has the tensors of a part: the one that they lie in, or this one."""
    arrays = apart(part)
    files = {array.filename for array in arrays.values() if isinstance(array, np.memmap)}
    if len(files) == 1 and (there := Path(str(files.pop()))).is_file():
        whole = artefacts.map_tensors(there)
        if {n: a.shape for n, a in whole.items()} == {n: a.shape for n, a in arrays.items()}:
            return there.absolute()
    artefacts.write_tensors(file, {name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return file


def _plain(part: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same memory, as arrays that nobody takes for ones on disk."""
    return {name: array.view(np.ndarray) for name, array in part.items()}


def _start_written(starting: Starting, file: Path) -> dict[str, Any]:
    tensors = {f"value:{name}": part.value for name, part in starting.parts.items()}
    tensors |= {f"taken:{name}": part.taken for name, part in starting.parts.items()}
    tensors |= {f"buffer:{name}": value for name, value in starting.buffers.items()}
    artefacts.write_tensors(file, {name: value.contiguous().numpy() for name, value in tensors.items()})
    stays: Sequence[str] = [name for name, part in starting.parts.items() if part.stays]
    return {"record": starting.record.model_dump(mode="json"), "rate": starting.rate, "stays": stays}


def _start_read(words: Mapping[str, Any], file: Path) -> Starting:
    tensors = {name: torch.from_numpy(array) for name, array in artefacts.read_tensors(file).items()}
    taken = within(tensors, "taken")
    return Starting(
        record=Start.model_validate(words["record"]),
        parts={
            name: Taken(value=value, taken=taken[name], stays=name in words["stays"])
            for name, value in within(tensors, "value").items()
        },
        buffers=within(tensors, "buffer"),
        rate=words["rate"],
    )

"""A training's state on disk, so that one that was killed goes on and ends with the same weights, bit by bit.

One safetensors file, replaced in one move: tensors, the record of what is no tensor, and a SHA-256 over both. It is of
one training alone, that of its key: another one removes it.
"""

import hashlib
import json
import random
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from pipeline import artefacts, progress
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.features.windows import apart
from pipeline.models.epoch import Epoch
from pipeline.models.module import KeepBest, Learner

Tensors: TypeAlias = Mapping[str, np.ndarray]
AGED = 0.1  # share of the seconds between checkpoints; an epoch that ends sooner after one writes none


class State(Record):
    """Where a training stands, as far as that is no tensor."""

    steps: int
    history: list[Epoch]
    best_epoch: int | None
    python_random: list[int]
    numpy_place: int


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state and the tensors that were read."""

    state: State
    tensors: dict[str, Tensor]


@dataclass(kw_only=True)
class Checkpoints:
    """Reads and writes the file of the training that `key` names; `seconds` from one to the next."""

    file: Path
    key: str
    seconds: float
    written: float = field(default_factory=time.monotonic)

    def read(self) -> Checkpoint | None:
        """What was written last; None, and the file removed, when it is another training's or damaged."""
        if not self.file.is_file():
            return None
        try:
            tensors, words = artefacts.read_state(self.file)
        except WorkspaceError:
            tensors, words = {}, {}
        if words.get("key") != self.key or words.get("sha256") != digest(tensors, words["state"]):
            self.remove()
            return None
        found = {name: torch.from_numpy(array) for name, array in tensors.items()}
        return Checkpoint(state=State.model_validate_json(words["state"]), tensors=found)

    def write(self, state: State, tensors: Mapping[str, Tensor]) -> None:
        """Replace the file; it is on the disk when this returns."""
        arrays = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
        said = state.model_dump_json()
        artefacts.write_state(self.file, arrays, {"key": self.key, "state": said, "sha256": digest(arrays, said)})
        self.written = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last one was written, or the training began."""
        return time.monotonic() - self.written

    def remove(self) -> None:
        """Remove the file: the training ended."""
        artefacts.remove(self.file)


@dataclass(kw_only=True)
class Resumption:
    """Takes a training's state to its checkpoints and back, and stops it between two steps when Ctrl-C is pressed."""

    checkpoints: Checkpoints
    learner: Learner
    keep: KeepBest
    interrupted: bool = False

    def attach(self) -> None:
        """Go on from the checkpoint, where there is one, and write others from now on. Before Lightning begins."""
        found = self.checkpoints.read()
        if found is not None:
            self._place(found)
            self.learner.after_start = lambda: self._fill(found)
        self.learner.after_step, self.keep.after_epoch = self._after_step, self._after_epoch

    def _place(self, found: Checkpoint) -> None:
        """Where the training stands, which decides what Lightning is given."""
        state = found.state
        self.learner.steps_done = state.steps
        self.learner.val_losses = [epoch.val_loss for epoch in state.history]
        self.keep.remember(state.history)
        self.keep.best = None if state.best_epoch is None else state.history[state.best_epoch - 1]
        self.keep.weights = within(found.tensors, "best")
        done, whole = state.steps, self.learner.course.steps
        progress.report(done / whole, f"goes on from step {done:,} of at most {whole:,}")

    def _fill(self, found: Checkpoint) -> None:
        """Weights, optimiser, what was seen of the epoch, and last, when all else is set up, what is random."""
        self.learner.network.load_state_dict(within(found.tensors, "buffers"), strict=False)
        self.learner.flat.load(within(found.tensors, "flat"))
        self.learner.norm_means.load(within(found.tensors, "norms"))
        self.learner.vitals.load(within(found.tensors, "vitals"))
        device = self.learner.device
        team = self.learner.team
        seen = within(found.tensors, _seen_by(0 if team is None else team.share.rank))
        self.learner.seen["train"].load({n: t.to(device) for n, t in seen.items()})
        set_random(within(found.tensors, "random"), found.state)

    def save(self) -> None:
        """Write where the training stands now; only between two steps. Of a team the first writes, for all."""
        learner, best = self.learner, self.keep.best
        seen = learner.seen["train"].tensors()
        others = [] if learner.team is None else learner.team.collected(seen)
        if learner.team is not None and not learner.team.leads:
            return
        generators, place, python = random_now()
        state = State(
            steps=learner.steps_done,
            history=self.keep.history,
            best_epoch=None if best is None else best.epoch,
            python_random=python,
            numpy_place=place,
        )
        parts = {
            "flat": learner.flat.tensors(),
            "buffers": dict(learner.network.named_buffers()),
            "norms": learner.norm_means.means,
            "best": self.keep.weights,
            **{_seen_by(rank): tensors for rank, tensors in enumerate([seen, *others])},
            "vitals": learner.vitals.tensors(),
            "random": generators,
        }
        self.checkpoints.write(state, {f"{part}:{n}": t for part, tensors in parts.items() for n, t in tensors.items()})

    def _after_step(self) -> None:
        # the last step of an epoch is followed by val, and only then is there a state to go on from
        if self.learner.steps_done % self.learner.course.batches == 0:
            return
        due, team = self.interrupted or self.checkpoints.age > self.checkpoints.seconds, self.learner.team
        self._save_if(due if team is None else team.granted(self.learner.steps_done, asked=due))

    def _after_epoch(self) -> None:
        due, team = self.interrupted or self.checkpoints.age > AGED * self.checkpoints.seconds, self.learner.team
        self._save_if(due if team is None else bool(team.told("save" if due else "")))

    def _save_if(self, due: bool) -> None:
        if not due:
            return
        self.save()
        if self.interrupted:
            raise KeyboardInterrupt

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """In this block the first Ctrl-C waits for the end of a step, the second does not."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def asked(_: int, __: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, asked)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def going_on(checkpoints: Checkpoints, learner: Learner, keep: KeepBest) -> Iterator[None]:
    """Go on from what was written there, and write in this block."""
    resumption = Resumption(checkpoints=checkpoints, learner=learner, keep=keep)
    resumption.attach()
    with resumption.heeding():
        yield


def _seen_by(rank: int) -> str:
    return f"seen{rank or ''}"


def key_of(parts: Sequence[Tensors], words: Mapping[str, object], code: Sequence[Path]) -> str:
    """What decides a training, as one hash: its tensors, its settings, its code."""
    whole = hashlib.sha256(json.dumps(words, sort_keys=True, default=str).encode())
    for part in parts:
        whole.update(digest(apart(part), "").encode())
    for path in code:
        whole.update(artefacts.sha256(path).encode())
    return whole.hexdigest()


def digest(tensors: Tensors, words: str) -> str:
    """SHA-256 of the bytes of arrays in the order of their names, and of the words."""
    whole = hashlib.sha256(words.encode())
    for name, array in sorted(tensors.items()):
        whole.update(f"{name} {array.dtype} {array.shape}".encode())
        whole.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return whole.hexdigest()


def within(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The tensors of a part, by their own names.

    >>> within({"a:x": torch.ones(1), "b:x": torch.ones(2)}, "b")
    {'x': tensor([1., 1.])}
    """
    return {name.removeprefix(f"{part}:"): t for name, t in tensors.items() if name.startswith(f"{part}:")}


def random_now() -> tuple[dict[str, Tensor], int, list[int]]:
    """The state of every generator: tensors, the place in NumPy's, and Python's words."""
    _, keys, place, *_ = np.random.get_state(legacy=True)
    python = random.getstate()[1]
    tensors = {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(np.asarray(keys))}
    if torch.cuda.is_available():
        tensors |= {f"cuda{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    return tensors, int(place), list(python)


def set_random(tensors: Mapping[str, Tensor], state: State) -> None:
    """Set every generator to what `random_now` gave."""
    torch.set_rng_state(tensors["torch"])
    np.random.set_state(("MT19937", tensors["numpy"].numpy(), state.numpy_place, 0, 0.0))
    random.setstate((3, tuple(state.python_random), None))
    for name, generator in tensors.items():
        if name.startswith("cuda"):
            torch.cuda.set_rng_state(generator, int(name.removeprefix("cuda")))

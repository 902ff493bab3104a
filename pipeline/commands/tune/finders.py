"""A learning rate from a range test, and a batch size from the time and memory that steps take.

Each is a training that is cut off; nothing is written but on the screen. S steps.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import progress
from pipeline.commands.tune.material import Material
from pipeline.commands.tune.search import Say
from pipeline.features.preprocessor import LABEL
from pipeline.models.choices.tuning import TuneSettings
from pipeline.models.course import Course
from pipeline.stages import train
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.models.module import KeepBest, Learner

LOWEST, HIGHEST = 1e-7, 10.0  # of the range test, as fastai's lr_find
STEPS = 200
EARLY = 20  # steps that are left out: their mean is of few losses
SMOOTHING = 0.95  # of the losses: an exponential mean, without the bias of its start
DIVERGED = 4.0  # times the lowest loss ends the test
SMALLEST, LARGEST, FEWEST_STEPS = 16, 1 << 18, 4  # rows of a step, and steps of an epoch
TIMED_SECONDS, TIMED_STEPS, WARM_STEPS = 2.0, 200, 3
NEAR = 0.9  # of the highest rate of rows: a larger batch gains little


class EnoughError(Exception):
    """The test has seen what it needs."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is suggested: lines to read, and values by their keys in params.yaml."""

    words: list[str]
    changes: Mapping[str, Any]


def learning_rate(workspace: Workspace, say: Say) -> Found:
    """Smith 2015 (https://arxiv.org/abs/1506.01186): the rate rises at every step until the loss does.

    Suggested is the middle of the valley (fastai's `valley`); shown beside it is where the loss falls most steeply.
    """
    material = Material.of(workspace, workspace.section(TuneSettings))
    say(f"a learning rate from {LOWEST:g} to {HIGHEST:g} in at most {STEPS} steps")
    test = RangeTest()
    _cut_off(material, {"epochs": max(1, STEPS)}, test.attach)
    rates, losses = test.rates[: len(test.losses)][EARLY:], smoothed(test.losses)[EARLY:]
    steepest, middle = steepest_of(rates, losses), valley_of(rates, losses)
    now = material.settings.optimizer.pace(material.shape.backbone)
    words = [
        f"the loss falls most steeply at {steepest:.2g}, and was lowest at {rates[int(np.argmin(losses))]:.2g}",
        f"suggested: {middle:.2g}, the middle of the valley; it is {now.learning_rate:g} now",
    ]
    return Found(words=words, changes={"train.optimizer.learning_rate": float(f"{middle:.2g}")})


@dataclass(kw_only=True)
class RangeTest:
    """Raises the rate of a training's steps and hears their losses."""

    rates: np.ndarray = field(default_factory=lambda: np.geomspace(LOWEST, HIGHEST, STEPS))
    losses: list[float] = field(default_factory=list)

    def attach(self, learner: "Learner", _: "KeepBest") -> None:
        """Before the first step."""
        learner.course = Rising(**vars(replace(learner.course)), rates=self.rates)
        learner.after_step = lambda: self._hear(float(learner.seen["train"].losses[-1]))

    def _hear(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise EnoughError
        self.losses.append(loss)
        means = smoothed(self.losses)
        if len(self.losses) == STEPS or means[-1] > DIVERGED * means.min():
            raise EnoughError


@dataclass(frozen=True, kw_only=True)
class Rising(Course):
    """A course whose learning rate is another at each step."""

    rates: np.ndarray

    def rate(self, step: int) -> float:
        return float(self.rates[min(step, len(self.rates) - 1)])


def smoothed(losses: Sequence[float]) -> np.ndarray:
    """(S,) the mean of the losses so far, in which the last ones count more.

    >>> smoothed([1.0, 1.0]).round(6).tolist()
    [1.0, 1.0]
    """
    mean, found = 0.0, []
    for step, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        found.append(mean / (1 - SMOOTHING**step))
    return np.array(found)


def steepest_of(rates: np.ndarray, losses: np.ndarray) -> float:
    """The rate at which the loss falls most for a rate that is so many times larger."""
    end = max(2, int(np.argmin(losses)) + 1)
    slopes = np.gradient(losses[:end], np.log(rates[:end])) if end > 1 else np.zeros(1)
    return float(rates[int(np.argmin(slopes))])


def valley_of(rates: np.ndarray, losses: np.ndarray) -> float:
    """The rate two thirds of the way along the longest stretch of falling losses (as fastai's `valley`).

    >>> valley_of(np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0]), np.array([3.0, 2.0, 1.5, 1.0, 9.0]))
    0.01
    """
    longest, best = [1] * len(losses), 0
    for place in range(1, len(losses)):
        falling = losses[:place] > losses[place]
        longest[place] = 1 + max((longest[i] for i in np.flatnonzero(falling)), default=0)
    best = int(np.argmax(longest))
    start = best - longest[best] + 1
    return float(rates[max(0, start) + round(2 * (best - max(0, start)) / 3)])


def batch_size(workspace: Workspace, say: Say) -> Found:
    """How many rows a second are learnt from by batches of each size, twice as large each time until memory ends."""
    material = Material.of(workspace, workspace.section(TuneSettings))
    rows = len(material.tensors["train"][LABEL])
    rates: dict[int, float] = {}
    for size in _sizes(rows):
        rate = _rows_a_second(material, size)
        if rate is None:
            say(f"{size:,} rows a step: out of memory")
            break
        rates[size] = rate
        say(f"{size:,} rows a step: {rate:,.0f} rows a second")
    best = knee(rates)
    now = train.rows_of_a_step(material.advised, material.tensors["train"])
    words = [
        f"suggested: {best}, the smallest at {NEAR:.0%} of the highest rate; it is {now} now",
        f"the largest that was tried and fits is {max(rates):,}. This is about time alone: larger batches are fewer "
        "steps, which may need a higher learning rate (`keepfit find lr`)",
    ]
    return Found(words=words, changes={"train.batch_size": best})


def knee(rates: Mapping[int, float]) -> int:
    """The smallest size that is nearly as quick as any.

    >>> knee({32: 100.0, 64: 180.0, 128: 195.0, 256: 190.0})
    64
    """
    return min(size for size, rate in rates.items() if rate >= NEAR * max(rates.values()))


def _sizes(rows: int) -> Iterator[int]:
    size = SMALLEST
    while size == SMALLEST or size * FEWEST_STEPS <= min(rows, LARGEST):
        yield size
        size *= 2


def _rows_a_second(material: Material, size: int) -> float | None:
    """By steps as the training takes them; None where memory does not suffice."""
    import torch

    clock = Clock()
    try:
        _cut_off(material, {"batch_size": size, "epochs": 1 + TIMED_STEPS}, clock.attach)
    except torch.OutOfMemoryError:
        return None
    return clock.rows / clock.seconds


@dataclass(kw_only=True)
class Clock:
    """Measures the steps of a training, but the first ones and the first of each epoch, before which val is judged."""

    rows: int = 0
    seconds: float = 0.0
    before: float | None = None

    def attach(self, learner: "Learner", _: "KeepBest") -> None:
        """Before the first step."""
        learner.after_step = lambda: self._hear(learner)

    def _hear(self, learner: "Learner") -> None:
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now, done = time.perf_counter(), learner.steps_done
        if self.before is not None and done > WARM_STEPS and done % learner.course.batches != 1:
            self.rows += learner.seen["train"].sizes[-1]
            self.seconds += now - self.before
        self.before = now
        if self.seconds >= TIMED_SECONDS or done >= TIMED_STEPS:
            raise EnoughError


def _cut_off(material: Material, update: Mapping[str, Any], watch: "Callable[[Learner, KeepBest], None]") -> None:
    """Train as it is set but for `update` until the watch has had enough."""
    alone = {"patience": STEPS + TIMED_STEPS, "devices": 1}  # the watch is of this process
    settings = material.settings.model_copy(update={**alone, **material.always, **update})
    shape = train.shape(material.fitted, settings, material.tensors["train"])
    starting = train.starting_of(material.workspace, material.fitted, shape, settings)
    with TemporaryDirectory() as scratch, progress.muted():
        try:
            train.fit(
                material.tensors,
                shape,
                material.fitted.target,
                settings,
                seed=material.workspace.seed,
                curves=Path(scratch) / "curves",
                starting=starting,
                watch=watch,
            )
        except EnoughError:
            return


FINDERS: Mapping[str, Callable[[Workspace, Say], Found]] = {"lr": learning_rate, "batch-size": batch_size}

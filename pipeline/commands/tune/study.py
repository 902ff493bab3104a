"""What was tried: kept in one JSON file, replaced after every epoch, so that a killed search goes on where it was."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.metrics import Metric
from pipeline.workspace import Workspace

State: TypeAlias = Literal["running", "complete", "pruned", "failed"]


class Tried(Record):
    """A trial: the values of the knobs, what was changed of `train`, and the best score on val after each epoch.

    `starts`: how often it was begun, as it may have been killed; `why`: of one that failed.
    """

    number: int
    state: State
    values: dict[str, Any]
    changed: dict[str, Any]
    scores: list[float] = Field(default_factory=list)
    seconds: float = 0.0
    starts: int = 1
    why: str = ""

    @property
    def score(self) -> float | None:
        """The best on val so far."""
        return self.scores[-1] if self.scores else None


class Study(Record):
    """The trials over one state of data and settings, which `key` stands for; `train`: that section as it is now."""

    key: str
    metric: Metric
    seed: int
    train: dict[str, Any]
    wanted: int
    trials: list[Tried] = Field(default_factory=list)

    @property
    def sign(self) -> float:
        """1 where more is better."""
        return -1.0 if self.metric in metrics.LOWER_IS_BETTER else 1.0

    @property
    def ended(self) -> list[Tried]:
        """The trials that run no more."""
        return [trial for trial in self.trials if trial.state != "running"]

    @property
    def best(self) -> Tried | None:
        """The best of the trials that were not cut off; of equal ones the first, which may be today's settings."""
        whole = [trial for trial in self.trials if trial.state == "complete" and trial.score is not None]
        return max(whole, key=lambda trial: self.sign * (trial.score or 0.0), default=None)

    def of_state(self, *states: State) -> list[Tried]:
        """The trials in these states."""
        return [trial for trial in self.trials if trial.state in states]

    def having(self, trial: Tried) -> "Study":
        """The same, with this trial, new or as it is now."""
        others = [each for each in self.trials if each.number != trial.number]
        return self.model_copy(update={"trials": sorted([*others, trial], key=lambda each: each.number)})


class Process(Record):
    """Who tunes now, or did so last."""

    pid: int


def folder(workspace: Workspace) -> Path:
    """Where all of it lies."""
    return workspace.state / "tune"


def file(workspace: Workspace) -> Path:
    """The study."""
    return folder(workspace) / "study.json"


def earlier(workspace: Workspace, key: str) -> Path:
    """The study of other data or settings."""
    return folder(workspace) / f"study-{key[:12]}.json"


def read(workspace: Workspace) -> Study | None:
    """The study of this workspace, None before the first."""
    return Study.read(file(workspace)) if file(workspace).is_file() else None


def so_far(sign: float, scores: Iterable[float]) -> list[float]:
    """The best up to each place.

    >>> so_far(-1.0, [3.0, 2.0, 4.0])
    [3.0, 2.0, 2.0]
    """
    found: list[float] = []
    for score in scores:
        found.append(score if not found else sign * max(sign * found[-1], sign * score))
    return found

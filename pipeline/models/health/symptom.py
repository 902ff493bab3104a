"""What is told of a training, and what it is told from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from pydantic import Field

from pipeline.artefacts import Record
from pipeline.models.choices.health import HealthSettings, SymptomName
from pipeline.models.epoch import Epoch
from pipeline.wording import number

LARGE = 1e6
Severity: TypeAlias = Literal["error", "warning", "info"]


class Symptom(Record):
    """One thing that is wrong with a training.

    error: what comes of it is of no use; warning: it could be better; info: worth knowing, the weights that are kept do
    not suffer. `since` is the epoch from which on it was seen without a break, `seen` what was measured.
    """

    name: SymptomName
    severity: Severity
    since: int = Field(ge=1)
    seen: dict[str, float]
    message: str
    suggestion: str

    def lines(self) -> list[str]:
        """As it is told."""
        since = f" since epoch {self.since}" if self.since > 1 else ""
        return [f"{self.severity} {self.name}{since}: {self.message}", f"        do:   {self.suggestion}"]


class Facts(Record):
    """What is known of a training before it begins.

    `constant_loss`: the least loss of an answer that does not look at the row; `linear_loss`: that of a linear model of
    the dense values; both on train. `learning_rate` is the highest; `mixed`: rows are mixed with others, and their loss
    cannot be compared with that of rows as they are. `far_out`: which columns have values far out, as the end of a
    sentence.
    """

    rows: int
    val_rows: int
    weights: int
    outputs: int
    batches: int
    epochs: int
    patience: int
    learning_rate: float
    gradient_norm: float | None
    constant_loss: float | None
    linear_loss: float | None
    mixed: bool
    lower_is_better: bool
    far_out: str = ""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A training as far as it went; `over`: no epoch follows."""

    facts: Facts
    settings: HealthSettings
    epochs: Sequence[Epoch]
    over: bool

    @property
    def last(self) -> Epoch:
        return self.epochs[-1]

    @cached_property
    def looks(self) -> list[Epoch]:
        """The epochs in which layers and units were looked at."""
        return [epoch for epoch in self.epochs if epoch.pulse.layers or epoch.pulse.activations]

    @property
    def settled(self) -> bool:
        """Whether the network had time enough to learn something: as many epochs as it would be waited for, or all."""
        return self.over or len(self.epochs) >= max(3, self.facts.patience)

    @cached_property
    def gains(self) -> tuple[list[float], list[float]]:
        """By how much the loss of train and of val is below that of a constant answer, epoch by epoch."""
        constant = self.facts.constant_loss or 0.0
        return [constant - epoch.train_loss for epoch in self.epochs], [constant - e.val_loss for e in self.epochs]


def told(value: float | None) -> str:
    """A number as it is read, however large.

    >>> told(0.6931), told(12.0), told(7.9e27)
    ('0.693', '12.0', '7.9e+27')
    """
    return f"{value:.3g}" if value is not None and abs(value) >= LARGE else number(value)


def since(sick: Sequence[bool]) -> int | None:
    """The epoch (from 1) from which on it was seen in all; None where it was not seen in the last one.

    >>> since([True, False, True, True]), since([True, False])
    (3, None)
    """
    well = [epoch for epoch, seen in enumerate(sick, start=1) if not seen]
    first = 1 + (well[-1] if well else 0)
    return first if first <= len(sick) else None

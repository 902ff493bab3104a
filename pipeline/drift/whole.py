"""What a test of all columns together says (used by classifier and mmd)."""

from dataclasses import dataclass, field

from pipeline.artefacts import Record
from pipeline.drift.calibration import Null


class WholeVerdict(Record):
    """As of a column: see ColumnVerdict. `columns`: how much of it each column makes, the most first."""

    method: str
    statistic: float
    effect: float
    p_value: float
    threshold: float
    drift: bool
    columns: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A test, not yet judged; `measure` is the squared distance whose law is `null`."""

    method: str
    measure: float
    null: Null
    columns: dict[str, float] = field(default_factory=dict)

    @property
    def p(self) -> float:
        """How likely so large a measure is where nothing changed."""
        return self.null.p(self.measure)

    @property
    def effect(self) -> float:
        """The distance, less what is usual."""
        return float(max(self.measure - self.null.mean, 0.0) ** 0.5)

    def judged(self, level: float, least_effect: float) -> WholeVerdict:
        """Drift where p is at most `level`, and the effect is large enough."""
        return WholeVerdict(
            method=self.method,
            statistic=float(self.measure**0.5),
            effect=self.effect,
            p_value=self.p,
            threshold=float(self.null.beyond(level) ** 0.5),
            drift=self.p <= level and self.effect >= least_effect,
            columns=self.columns,
        )

"""What a batch showed, and the settings by which that is judged: `monitor` in params.yaml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.drift.columns import Correction, DriftReport
from pipeline.drift.estimate import Estimate
from pipeline.drift.whole import WholeVerdict
from pipeline.metrics import OF, Kind, Metric, Score, chosen
from pipeline.policy.choices import RetrainSettings
from pipeline.quality.findings import Finding
from pipeline.workspace import Section

RANGES: dict[str, tuple[str, float, float, bool, bool]] = {  # the rule, its ends, and whether each belongs
    "alpha": ("in (0, 1)", 0, 1, False, False),
    "minimum_effect": ("in [0, 1]", 0, 1, True, True),
    "minimum_outcome_effect": ("in [0, 1]", 0, 1, True, True),
    "drifted_share": ("in (0, 1]", 0, 1, False, True),
    "tolerated_drop": ("at least 0", 0, float("inf"), True, False),
    "min_labelled_rows": ("at least 1", 1, float("inf"), True, False),
    "cooldown_batches": ("at least 0", 0, float("inf"), True, False),
}


class MonitorSettings(Section):
    """When a batch drifted, and when that, or a worse live metric, is worth a training.

    A feature drifted from `minimum_effect` on: 0.2 is what moving a normal by half a standard deviation
    makes, near a population stability index of 0.25, by custom a significant shift (Siddiqi 2006).
    Predictions and label, the outcome, need half of it: two classes move little (a positive share of 0.24
    that falls to 0.13 makes 0.11). The metric `auto` is the AUC of classes, the RMSE of a quantity; of one in the
    label's unit (rmse, mae, median_absolute_error) `tolerated_drop` is a share of what it was at promotion.
    """

    key: ClassVar[str] = "monitor"

    metric: Literal["auto", Metric] = "auto"
    alpha: float = 0.01
    correction: Correction = "benjamini_hochberg"
    minimum_effect: float = 0.2
    minimum_outcome_effect: float = 0.1
    drifted_share: float = 0.3
    tolerated_drop: float = 0.02
    min_labelled_rows: int = 1000
    cooldown_batches: int = 1
    retrain: RetrainSettings = Field(default_factory=RetrainSettings)

    def chosen(self, kind: Kind) -> Metric:
        """The metric for this kind of label; raises SettingsError for one that is not of it."""
        measures = OF[kind]
        return chosen(self.metric, tuple(measures.each), measures.main, "monitor.metric")

    @field_validator(*RANGES)
    @classmethod
    def _in_range(cls, value: float, info: ValidationInfo) -> float:
        rule, low, high, with_low, with_high = RANGES[str(info.field_name)]
        if low < value < high or (with_low and value == low) or (with_high and value == high):
            return value
        raise ValueError(f"{info.field_name} must be {rule}")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a batch showed.

    `reference` is the champion's test score of `metric`, `live` its score on the batch's labelled rows, null while
    there are none; `estimate` is told without labels. `batches_since_training` counts the batches since the last
    training, with this one; `earlier_labelled_rows` are those of them before this one that may be trained on,
    `age_days` is how much newer the newest row is than that training's, null where no time is known. `waited_days`:
    since the batch was first seen. `together`: the tests of all columns together; `changed`: from which moment on each
    detector tells that the errors are others.
    """

    drift: DriftReport
    metric: Metric
    reference: Score
    live: Score | None
    rows: int
    labelled_rows: int
    batches_since_training: int
    findings: Sequence[Finding] = field(default=())
    estimate: Estimate | None = None
    earlier_labelled_rows: int = 0
    age_days: float | None = None
    trainings_this_week: int = 0
    waited_days: float = 0.0
    scheduled: bool = False
    together: Sequence[WholeVerdict] = ()
    changed: Mapping[str, str] = field(default_factory=dict)

    @property
    def new_labelled_rows(self) -> int:
        """Labelled rows that no training has seen."""
        return self.labelled_rows + self.earlier_labelled_rows

"""Retrain or not, and why: a pure function of what a batch showed and of the settings under `monitor`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import ValidationInfo, field_validator

from pipeline.artefacts import Record
from pipeline.drift.columns import Correction, DriftReport
from pipeline.findings import Finding
from pipeline.metrics import IN_UNIT, LOWER_IS_BETTER, OF, Kind, Metric, Score, chosen
from pipeline.wording import number
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
    there are none. `batches_since_training` counts the batches since the last training, with this one.
    """

    drift: DriftReport
    metric: Metric
    reference: Score
    live: Score | None
    rows: int
    labelled_rows: int
    batches_since_training: int
    findings: Sequence[Finding] = field(default=())


class Decision(Record):
    """Retrain or not; `reasons` in plain words with their numbers, `evidence` the numbers alone."""

    retrain: bool
    reasons: list[str]
    evidence: dict[str, bool | int | float | str]


def decide(evidence: Evidence, settings: MonitorSettings) -> Decision:
    """Decide in this order: broken data, no labels, a worse live metric, drift with what a training needs.

    Data under a finding whose policy is `stop` are not trained on, nor are rows without labels. A live metric
    that is surely worse retrains at once; drift waits for enough labelled rows and for the cool-down.
    """
    retrain, reasons = _judged(evidence, settings)
    return Decision(retrain=retrain, reasons=reasons, evidence=_numbers(evidence))


def _judged(evidence: Evidence, settings: MonitorSettings) -> tuple[bool, list[str]]:
    stopped = [f"{f.check}: {f.message}" for f in evidence.findings if f.policy == "stop"]
    if stopped:
        return False, ["the batch failed a gate, so it is not trained on", *stopped]
    worse, metric_reason = _metric(evidence, settings)
    drifts = _drifts(evidence.drift, settings)
    if not evidence.labelled_rows:
        waiting = f"wait for labels: none of {evidence.rows} rows has one, and nothing is trained without"
        return False, [waiting, *drifts]
    if worse:
        return True, [metric_reason, *drifts]
    if not drifts:
        return False, [metric_reason, _quiet(evidence.drift, settings)]
    obstacles = _obstacles(evidence, settings)
    return not obstacles, [*drifts, *(obstacles or [_ready(evidence)]), metric_reason]


def _metric(evidence: Evidence, settings: MonitorSettings) -> tuple[bool, str]:
    """Whether the live metric is worse by more than is tolerated, its interval excluding the reference."""
    name, reference, live = evidence.metric, evidence.reference, evidence.live
    if live is None:
        return False, f"no live {name} yet"
    sign = -1 if name in LOWER_IS_BETTER else 1
    drop = sign * (reference.value - live.value)
    best = live.low if sign < 0 else live.high
    unit, tolerated = (reference.value, " of it") if name in IN_UNIT else (1.0, "")
    tolerated = f"{settings.tolerated_drop:g}{tolerated}"
    seen = f"live {name} {_shown(name, live.value)} against {_shown(name, reference.value)} at promotion"
    if drop <= settings.tolerated_drop * unit:
        return False, f"{seen}: within the tolerated drop of {tolerated}"
    if best is None or sign * (reference.value - best) <= 0:
        return False, f"{seen}: worse by {_shown(name, drop)}, but that may be chance ({_interval(name, live)})"
    return True, f"{seen}: worse by {_shown(name, drop)}, more than {tolerated} ({_interval(name, live)})"


def _shown(name: Metric, value: float) -> str:
    return number(value) if name in IN_UNIT else f"{value:.3f}"


def _interval(name: Metric, score: Score) -> str:
    if score.low is None or score.high is None:
        return "no interval"
    return f"95% interval {_shown(name, score.low)} to {_shown(name, score.high)}"


def _drifts(report: DriftReport, settings: MonitorSettings) -> list[str]:
    """The drift that alone would be worth a training, in words."""
    reasons = [
        f"{name} drifted: effect {drift.effect:.2f} (at least {settings.minimum_outcome_effect:g} counts)"
        for name, drift in (("the prediction", report.prediction), ("the label", report.label))
        if drift is not None and drift.drifted
    ]
    if report.drifted_share >= settings.drifted_share:
        reasons.append(f"{_share(report)} drifted (at least {settings.drifted_share:g} counts): {_names(report)}")
    return reasons


def _quiet(report: DriftReport, settings: MonitorSettings) -> str:
    return f"too little drift: {_share(report)}, less than {settings.drifted_share:g}; outcome unmoved"


def _share(report: DriftReport) -> str:
    return f"a share {report.drifted_share:.2f} of the features"


def _names(report: DriftReport) -> str:
    """The drifted features by falling effect."""
    drifted = sorted((c for c in report.columns if c.drifted), key=lambda c: (-c.effect, c.column))
    return ", ".join(f"{c.column} {c.effect:.2f}" for c in drifted)


def _obstacles(evidence: Evidence, settings: MonitorSettings) -> list[str]:
    """Why drift is not answered yet; none: retrain."""
    obstacles = []
    if evidence.labelled_rows < settings.min_labelled_rows:
        obstacles.append(
            f"wait for labels: {evidence.labelled_rows} rows have one, {settings.min_labelled_rows} are needed"
        )
    if evidence.batches_since_training < settings.cooldown_batches:
        obstacles.append(
            f"cool-down: batch {evidence.batches_since_training} since the last training, "
            f"{settings.cooldown_batches} are needed"
        )
    return obstacles


def _ready(evidence: Evidence) -> str:
    return f"{evidence.labelled_rows} labelled rows to learn from"


def _numbers(evidence: Evidence) -> dict[str, bool | int | float | str]:
    numbers: dict[str, bool | int | float | str | None] = {
        "metric": evidence.metric,
        "reference_value": evidence.reference.value,
        "live_value": evidence.live.value if evidence.live else None,
        "live_low": evidence.live.low if evidence.live else None,
        "live_high": evidence.live.high if evidence.live else None,
        "drifted_share": evidence.drift.drifted_share,
        "prediction_effect": evidence.drift.prediction.effect if evidence.drift.prediction else None,
        "label_effect": evidence.drift.label.effect if evidence.drift.label else None,
        "rows": evidence.rows,
        "labelled_rows": evidence.labelled_rows,
        "batches_since_training": evidence.batches_since_training,
        "stopping_findings": sum(finding.policy == "stop" for finding in evidence.findings),
    }
    return {name: value for name, value in numbers.items() if value is not None}

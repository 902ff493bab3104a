"""Retrain or not, and why: a pure function of what a batch showed and of the settings under `monitor`.

What asks for a training and what it needs are conditions; each is kept as what was seen, what was asked, and the
verdict. A training takes place where something asks, and all that it needs is there.
"""

from collections.abc import Sequence

from pydantic import Field

from pipeline.artefacts import Record
from pipeline.drift.decision import Evidence, MonitorSettings
from pipeline.policy import conditions
from pipeline.policy.conditions import Condition, Name


class Decision(Record):
    """Retrain or not; `reasons` in plain words with their numbers, `evidence` the numbers alone.

    `conditions`: all that was looked at, decisive or not; none in a record of before they were kept.
    """

    retrain: bool
    reasons: list[str]
    evidence: dict[str, bool | int | float | str]
    conditions: list[Condition] = Field(default=[])

    def condition(self, name: Name) -> Condition | None:
        """What was said of it."""
        return next((condition for condition in self.conditions if condition.name == name), None)

    @property
    def waits(self) -> bool:
        """Whether it waits for labels that may still come."""
        labels = self.condition("labels")
        return labels is not None and labels.verdict == "unmet" and not self.retrain


def decide(evidence: Evidence, settings: MonitorSettings) -> Decision:
    """Decide in this order: broken data, no labels, a worse live metric, all else that asks with what a training needs.

    Data under a finding whose policy is `stop` are not trained on, nor are rows without labels. A live metric
    that is surely worse waits for no cool-down; drift, age and the like wait for enough labelled rows and for that.
    """
    metric = conditions.metric(evidence, settings)
    at_once = metric.verdict == "asks"
    asking = [
        metric,
        conditions.drift(evidence, settings),
        conditions.together(evidence, settings),
        conditions.errors(evidence, settings),
        conditions.estimate(evidence, settings),
        conditions.new_rows(evidence, settings),
        conditions.age(evidence, settings),
        conditions.schedule(evidence, settings),
    ]
    needs = [
        conditions.gate(evidence),
        conditions.labels(evidence, settings, at_once=at_once),
        conditions.cool_down(evidence, settings, at_once=at_once),
        conditions.budget(evidence, settings),
    ]
    asked = any(condition.verdict == "asks" for condition in asking)
    missing = [condition for condition in needs if condition.verdict == "unmet"]
    return Decision(
        retrain=asked and not missing,
        reasons=_reasons(evidence, settings, asking, missing),
        evidence=_numbers(evidence),
        conditions=[*asking, *needs],
    )


def _reasons(
    evidence: Evidence, settings: MonitorSettings, asking: Sequence[Condition], missing: Sequence[Condition]
) -> list[str]:
    """What decided, first; then what else is worth knowing."""
    metric = asking[0]
    stopped = [f"{f.check}: {f.message}" for f in evidence.findings if f.policy == "stop"]
    if stopped:
        return ["the batch failed a gate, so it is not trained on", *stopped]
    moved = conditions.drifts(evidence.drift, settings)
    others = [condition.words for condition in asking[2:] if condition.verdict == "asks"]
    unmet = [condition.words for condition in missing]
    if not evidence.labelled_rows:
        return [*unmet[:1], *moved, *others]
    if metric.verdict == "asks":
        return [*unmet, metric.words, *moved, *others]
    if asking[1].verdict == "asks" or others:
        return [*moved, *others, *(unmet or [conditions.ready(evidence)]), metric.words]
    return [
        metric.words,
        *(moved or [conditions.quiet(evidence.drift, settings)]),
        *([asking[1].words] if moved else []),
    ]


def _numbers(evidence: Evidence) -> dict[str, bool | int | float | str]:
    estimated = conditions.estimated(evidence)
    numbers: dict[str, bool | int | float | str | None] = {
        "metric": evidence.metric,
        "reference_value": evidence.reference.value,
        "live_value": evidence.live.value if evidence.live else None,
        "live_low": evidence.live.low if evidence.live else None,
        "live_high": evidence.live.high if evidence.live else None,
        "estimated_value": estimated[0].value if estimated else None,
        "drifted_share": evidence.drift.drifted_share,
        "used_share": evidence.drift.used_share,
        "prediction_effect": evidence.drift.prediction.effect if evidence.drift.prediction else None,
        "label_effect": evidence.drift.label.effect if evidence.drift.label else None,
        "rows": evidence.rows,
        "labelled_rows": evidence.labelled_rows,
        "new_labelled_rows": evidence.new_labelled_rows,
        "age_days": evidence.age_days,
        "batches_since_training": evidence.batches_since_training,
        "stopping_findings": sum(finding.policy == "stop" for finding in evidence.findings),
    }
    return {name: value for name, value in numbers.items() if value is not None}

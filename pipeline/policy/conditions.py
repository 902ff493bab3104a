"""What a decision on a batch looks at, one condition each: what was seen, what was asked, and the verdict."""

from typing import Literal, TypeAlias

from pipeline.artefacts import Record
from pipeline.drift.columns import DriftReport
from pipeline.drift.decision import Evidence, MonitorSettings
from pipeline.drift.whole import WholeVerdict
from pipeline.metrics import IN_UNIT, LOWER_IS_BETTER, Metric, Score
from pipeline.wording import number

Name: TypeAlias = Literal[
    "gate",
    "labels",
    "metric",
    "drift",
    "together",
    "errors",
    "estimate",
    "new_rows",
    "age",
    "schedule",
    "cool_down",
    "budget",
]
Verdict: TypeAlias = Literal["asks", "silent", "met", "unmet", "waived", "off"]
WEEK_DAYS = 7
AGREEING = 2  # detectors of changed errors: each alone is known for false alarms


class Condition(Record):
    """One thing that a decision looked at. What may ask for a training `asks` or is `silent`; what a training needs is
    `met` or `unmet`, or `waived` where it does not count this time; `off`: the settings do not ask it.

    `words` say it in a sentence, with its numbers.
    """

    name: Name
    seen: str
    asked: str
    verdict: Verdict
    words: str


def gate(evidence: Evidence) -> Condition:
    """Whether no finding stops the batch."""
    stopping = [finding.check for finding in evidence.findings if finding.policy == "stop"]
    seen = ", ".join(stopping) or "no finding that stops it"
    return Condition(
        name="gate",
        seen=seen,
        asked="no finding whose policy is stop",
        verdict="unmet" if stopping else "met",
        words=f"the batch failed a gate: {seen}" if stopping else "the batch passed its gates",
    )


def labels(evidence: Evidence, settings: MonitorSettings, *, at_once: bool) -> Condition:
    """Whether there are labels to learn from, and no more to wait for."""
    rows, labelled, new = evidence.rows, evidence.labelled_rows, evidence.new_labelled_rows
    retrain, least = settings.retrain, settings.min_labelled_rows
    share = labelled / rows if rows else 0.0
    seen = f"{labelled} of {rows} rows have a label, {new} that no training has seen"
    asked = f"{least} that no training has seen"
    waiting = share < retrain.label_share and evidence.waited_days < retrain.label_wait_days
    if retrain.label_wait_days:
        asked += f", and a share {retrain.label_share:g} of the batch within {retrain.label_wait_days:g} days"
    if not labelled:
        words = f"wait for labels: none of {rows} rows has one, and nothing is trained without"
        return Condition(name="labels", seen=seen, asked=asked, verdict="unmet", words=words)
    if waiting:
        words = (
            f"wait for labels: a share {share:.2f} of the rows has one, {retrain.label_share:g} is waited for "
            f"{retrain.label_wait_days:g} days, and {evidence.waited_days:.1f} have passed"
        )
        return Condition(name="labels", seen=seen, asked=asked, verdict="unmet", words=words)
    if new >= least:
        return Condition(name="labels", seen=seen, asked=asked, verdict="met", words=ready(evidence))
    words = f"wait for labels: {new} rows have one, {least} are needed"
    return Condition(name="labels", seen=seen, asked=asked, verdict="waived" if at_once else "unmet", words=words)


def metric(evidence: Evidence, settings: MonitorSettings) -> Condition:
    """Whether the live metric is worse by more than is tolerated, its interval excluding the reference."""
    name, reference, live = evidence.metric, evidence.reference, evidence.live
    tolerated = _tolerated(name, settings)
    asked = f"surely worse than at promotion, by more than {tolerated}"
    if live is None:
        seen = f"no live {name} yet"
        verdict: Verdict = "silent" if settings.retrain.metric else "off"
        return Condition(name="metric", seen=seen, asked=asked, verdict=verdict, words=seen)
    drop = worse_by(name, live.value, reference.value)
    seen = f"live {name} {_shown(name, live.value)} against {_shown(name, reference.value)} at promotion"
    asks, words = False, f"{seen}: within the tolerated drop of {tolerated}"
    if drop > tolerated_loss(name, reference.value, settings):
        asks = surely_worse(name, live, reference)
        rest = f", more than {tolerated} ({{}})" if asks else ", but that may be chance ({})"
        words = f"{seen}: worse by {_shown(name, drop)}{rest.format(_interval(name, live))}"
    verdict = "off" if not settings.retrain.metric else "asks" if asks else "silent"
    return Condition(name="metric", seen=f"{seen} ({_interval(name, live)})", asked=asked, verdict=verdict, words=words)


def worse_by(name: Metric, value: float, reference: float) -> float:
    """How much worse a metric's value is than the reference; negative: better."""
    return value - reference if name in LOWER_IS_BETTER else reference - value


def surely_worse(name: Metric, score: Score, reference: Score) -> bool:
    """Whether even the better end of the interval is worse than the reference's value; never without an interval."""
    best = score.low if name in LOWER_IS_BETTER else score.high
    return best is not None and worse_by(name, best, reference.value) > 0


def tolerated_loss(name: Metric, reference: float, settings: MonitorSettings) -> float:
    """The drop from which on a metric is worse; of one in the label's unit the setting is a share of the reference."""
    return settings.tolerated_drop * (reference if name in IN_UNIT else 1.0)


def _tolerated(name: Metric, settings: MonitorSettings) -> str:
    return f"{settings.tolerated_drop:g}{' of it' if name in IN_UNIT else ''}"


def _shown(name: Metric, value: float) -> str:
    return number(value) if name in IN_UNIT else f"{value:.3f}"


def _interval(name: Metric, score: Score) -> str:
    if score.low is None or score.high is None:
        return "no interval"
    return f"95% interval {_shown(name, score.low)} to {_shown(name, score.high)}"


def drift(evidence: Evidence, settings: MonitorSettings) -> Condition:
    """Whether what drifted is enough, and does harm where that is asked."""
    report, how = evidence.drift, settings.retrain.drift
    moved = drifts(report, settings)
    asked = (
        f"the outcome with an effect of {settings.minimum_outcome_effect:g}, or a share {settings.drifted_share:g} of "
        f"the features with one of {settings.minimum_effect:g}, at a false-discovery rate of {settings.alpha:g}"
    )
    harm = how != "harmful" or _harms(evidence, settings)
    words = "; ".join(moved) or quiet(report, settings)
    if how == "harmful":
        asked += ", beside a loss, measured or estimated"
        words += ": it does harm" if moved and harm else ": no loss beside it" if moved else ""
    verdict: Verdict = "off" if how == "off" else "asks" if moved and harm else "silent"
    return Condition(
        name="drift",
        seen="; ".join(moved) or f"{_share(report)}; outcome unmoved",
        asked=asked,
        verdict=verdict,
        words=words,
    )


def _harms(evidence: Evidence, settings: MonitorSettings) -> bool:
    """Whether the live metric is worse, by more than is tolerated or surely; without one, whether the estimate is."""
    name, reference, live = evidence.metric, evidence.reference, evidence.live
    if live is None:
        told = estimated(evidence)
        return told is not None and surely_worse(name, *told)
    drop = worse_by(name, live.value, reference.value)
    return drop > tolerated_loss(name, reference.value, settings) or surely_worse(name, live, reference)


def drifts(report: DriftReport, settings: MonitorSettings) -> list[str]:
    """The drift that alone would be worth a training, in words."""
    reasons = [
        f"{name} drifted: effect {drift.effect:.2f} (at least {settings.minimum_outcome_effect:g} counts)"
        for name, drift in (("the prediction", report.prediction), ("the label", report.label))
        if drift is not None and drift.drifted
    ]
    if report.weight >= settings.drifted_share:
        reasons.append(f"{_share(report)} drifted (at least {settings.drifted_share:g} counts): {_names(report)}")
    return reasons


def quiet(report: DriftReport, settings: MonitorSettings) -> str:
    """In words: that too little drifted."""
    return f"too little drift: {_share(report)}, less than {settings.drifted_share:g}; outcome unmoved"


def _share(report: DriftReport) -> str:
    told = f"a share {report.drifted_share:.2f} of the features"
    return told if report.used_share is None else f"{told}, {report.used_share:.2f} of what the model uses"


def _names(report: DriftReport) -> str:
    """The drifted features by falling effect."""
    drifted = sorted((c for c in report.columns if c.drifted), key=lambda c: (-c.effect, c.column))
    return ", ".join(f"{c.column} {c.effect:.2f}" for c in drifted)


def together(evidence: Evidence, settings: MonitorSettings) -> Condition:
    """Whether all columns together tell the batch from the past, beyond chance and far enough."""
    seen = "; ".join(_whole(each) for each in evidence.together) or "not tested"
    moved = any(each.drift for each in evidence.together)
    verdict: Verdict = "off" if not settings.retrain.together else "asks" if moved else "silent"
    return Condition(
        name="together",
        seen=seen,
        asked=f"beyond chance, with an effect of {settings.minimum_effect:g}",
        verdict=verdict,
        words=f"all columns together {'drifted' if moved else 'did not drift'}: {seen}",
    )


def _whole(each: WholeVerdict) -> str:
    by = f", mostly by {', '.join(list(each.columns)[:3])}" if each.drift and each.columns else ""
    return f"{each.method} {each.statistic:.2f}, chance reaches {each.threshold:.2f}{by}"


def errors(evidence: Evidence, settings: MonitorSettings) -> Condition:
    """Whether detectors agree that the errors are others, once labels are there."""
    seen = ", ".join(f"{name} since {since}" for name, since in evidence.changed.items()) or "no change of errors told"
    asks = len(evidence.changed) >= AGREEING
    verdict: Verdict = "off" if not settings.retrain.errors else "asks" if asks else "silent"
    words = f"errors changed: {seen}" if asks else seen
    return Condition(name="errors", seen=seen, asked=f"{AGREEING} detectors agree", verdict=verdict, words=words)


def estimate(evidence: Evidence, settings: MonitorSettings) -> Condition:
    """Where there is no live metric: whether the estimated one is worse by more than is tolerated, surely."""
    name, found = evidence.metric, estimated(evidence)
    asked = f"without a live {name}: surely worse than at promotion, by more than {_tolerated(name, settings)}"
    if found is None or evidence.live is not None:
        seen = f"no estimate of {name}" if found is None else f"{name} is measured, which counts more than an estimate"
        verdict: Verdict = "silent" if settings.retrain.estimate else "off"
        return Condition(name="estimate", seen=seen, asked=asked, verdict=verdict, words=seen)
    told, reference = found
    drop = worse_by(name, told.value, reference.value)
    seen = (
        f"estimated {name} {_shown(name, told.value)} against {_shown(name, reference.value)} at promotion "
        f"({_interval(name, told)})"
    )
    asks = drop > tolerated_loss(name, reference.value, settings) and surely_worse(name, told, reference)
    words = f"{seen}: {'worse, surely' if asks else 'not surely worse by more than is tolerated'}"
    verdict = "off" if not settings.retrain.estimate else "asks" if asks else "silent"
    return Condition(name="estimate", seen=seen, asked=asked, verdict=verdict, words=words)


def estimated(evidence: Evidence) -> tuple[Score, Score] | None:
    """The estimate of the metric that is watched, and the same estimate at promotion: the two err alike."""
    told = evidence.estimate
    if told is None or told.metric != evidence.metric:
        return None
    return Score(value=told.value, low=told.low, high=told.high), Score(value=told.reference)


def new_rows(evidence: Evidence, settings: MonitorSettings) -> Condition:
    """Whether so many labelled rows are new that they ask by themselves."""
    least, new = settings.retrain.new_rows, evidence.new_labelled_rows
    seen = f"{new} labelled rows that no training has seen"
    if least is None:
        return Condition(name="new_rows", seen=seen, asked="nothing", verdict="off", words=seen)
    asks = new >= least
    words = f"{seen}: {'at least' if asks else 'fewer than'} {least}"
    return Condition(
        name="new_rows", seen=seen, asked=f"at least {least}", verdict="asks" if asks else "silent", words=words
    )


def age(evidence: Evidence, settings: MonitorSettings) -> Condition:
    """Whether what the last training read is old beside the batch."""
    most, age = settings.retrain.age_days, evidence.age_days
    seen = "the age of what was learnt is not known" if age is None else f"{age:.1f} days newer than the last training"
    if most is None or age is None:
        asked = "nothing" if most is None else f"at least {most:g} days"
        return Condition(name="age", seen=seen, asked=asked, verdict="off" if most is None else "silent", words=seen)
    asks = age >= most
    words = f"the batch is {seen}: {'at least' if asks else 'less than'} {most:g}"
    return Condition(
        name="age", seen=seen, asked=f"at least {most:g}", verdict="asks" if asks else "silent", words=words
    )


def schedule(evidence: Evidence, settings: MonitorSettings) -> Condition:
    """Whether it is time for a training by schedule."""
    seen = "a training by schedule" if evidence.scheduled else "no training by schedule now"
    verdict: Verdict = "off" if not settings.retrain.schedule else "asks" if evidence.scheduled else "silent"
    return Condition(
        name="schedule", seen=seen, asked="the schedule serve.retraining", verdict=verdict, words=f"it is time: {seen}"
    )


def cool_down(evidence: Evidence, settings: MonitorSettings, *, at_once: bool) -> Condition:
    """Whether enough batches came since the last training."""
    since, least = evidence.batches_since_training, settings.cooldown_batches
    seen = f"batch {since} since the last training"
    over = since >= least
    return Condition(
        name="cool_down",
        seen=seen,
        asked=f"batch {least} at the earliest",
        verdict="met" if over else "waived" if at_once else "unmet",
        words=f"cool-down: {seen}, {least} are needed",
    )


def budget(evidence: Evidence, settings: MonitorSettings) -> Condition:
    """Whether a training is left of this week's."""
    most, spent = settings.retrain.budget_per_week, evidence.trainings_this_week
    seen = f"{spent} trainings in the last {WEEK_DAYS} days"
    if most is None:
        return Condition(name="budget", seen=seen, asked="nothing", verdict="off", words=seen)
    left = spent < most
    return Condition(
        name="budget",
        seen=seen,
        asked=f"fewer than {most}",
        verdict="met" if left else "unmet",
        words=f"budget: {seen}, {most} a week are allowed",
    )


def ready(evidence: Evidence) -> str:
    """In words: what there is to learn from."""
    return f"{evidence.labelled_rows} labelled rows to learn from"

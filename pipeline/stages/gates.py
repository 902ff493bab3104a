"""The gates that a candidate passes before it becomes champion: each is one line of what was asked and found.

All must be passed, so none is corrected for the others: that makes it no easier to become champion by chance.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.errors import SettingsError
from pipeline.judgement.fairness import Measure
from pipeline.judgement.record import Diagnosis
from pipeline.metrics import Metric, Paired
from pipeline.metrics.verdict import signed
from pipeline.stages.evaluate import Evaluation
from pipeline.wording import count, listed, number, share

AgainstChampion: TypeAlias = Literal["auto", "better", "not_worse"]
FRESH_SHARE = 0.01  # of the rows of train: fewer new ones are no reason for another champion
MEGABYTE = 1e6


class GateSettings(BaseModel):
    """More gates: what is not set is not asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    floors: dict[Metric, float] = Field(
        default_factory=dict,
        description="by metric, what the candidate must surely reach on test: the worse end of the interval",
    )
    margins: dict[str, float] = Field(
        default_factory=dict,
        description="by model (a baseline, or champion), by how much the candidate may be worse than it, as "
        "`tolerated_loss`",
    )
    class_loss: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="by how much the share of a class's rows that are found may fall below the champion's, for each "
        "class; without a champion below the baseline's",
    )
    slice_loss: float | None = Field(
        default=None, ge=0, description="the same of the metric in each of `evaluate.slices`, as `tolerated_loss`"
    )
    group_gaps: dict[Measure, float] = Field(
        default_factory=dict,
        description="by measure of `evaluate.fairness`, how far apart groups of a column may be on test, at most",
    )
    calibration_error: float | None = Field(default=None, gt=0, le=1, description="of probabilities on test, at most")
    milliseconds: float | None = Field(default=None, gt=0, description="of a call with one row, 19 of 20 times at most")
    megabytes: float | None = Field(default=None, gt=0, description="of the model's folder, at most")
    export: bool = Field(
        default=False,
        description="whether it must say the same as ONNX and as safetensors, on rows of val; needs keepfit[export]",
    )
    export_tolerance: float = Field(
        default=1e-4, gt=0, description="how far these may be off: in probability, or deviations of the label"
    )


class Gate(Record):
    """One gate: what was asked of whom, what was found, and the verdict; waived where it has no sense."""

    name: str
    asked: str
    found: str
    verdict: Literal["passed", "failed", "waived"]
    words: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the candidate stands to the champion, but for the scores.

    `fresh`: the share of its training rows that the champion was not trained on. `lost`: columns that the champion
    reads and that are no features by now: it knows what nobody may know, and is no measure.
    """

    fresh: float = 1.0
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the two gates that are always there ask."""

    metric: Metric
    baseline: str
    gain: float
    loss: float
    champion: AgainstChampion


def gates(
    evaluation: Evaluation, asked: Asked, more: GateSettings, standing: Standing, diagnosis: Diagnosis | None
) -> list[Gate]:
    """Every gate with its verdict; pure."""
    against = {pair.model: pair for pair in evaluation.paired if pair.metric == asked.metric}
    found = _always(evaluation, against, asked, standing)
    found += _floors(evaluation, more.floors)
    found += _margins(evaluation, against, more.margins, standing)
    known = diagnosis or Diagnosis(candidate=evaluation.candidate)
    rival = "champion" if "champion" in against and not standing.lost else asked.baseline
    found += _classes(known, more.class_loss, rival)
    found += _slices(known, more.slice_loss, rival, asked.metric)
    found += _groups(known, more.group_gaps)
    found += _limits(known, more)
    return found


def passed(found: Iterable[Gate]) -> bool:
    """Whether none of them says no."""
    return all(gate.verdict != "failed" for gate in found)


def table(found: list[Gate]) -> list[str]:
    """A line each: verdict, gate, what was found, what was asked."""
    rows = [("verdict", "gate", "found", "asked"), *((g.verdict, g.name, g.found, g.asked) for g in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    padded = [[cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)] for row in rows]
    return ["  ".join([*cells, row[3]]) for cells, row in zip(padded, rows, strict=True)]


def _always(evaluation: Evaluation, against: Mapping[str, Paired], asked: Asked, standing: Standing) -> list[Gate]:
    """The gate of the baseline and, if there is a champion that is a measure, the one of the champion.

    A candidate that is surely better than the champion need not surely beat the baseline, if it is not surely worse
    than that: the champion would stay, of which still less is known. Its own gate is asked first, so that what is asked
    of another seed is asked here too.
    """
    pair, champion = against[asked.baseline], against.get("champion")
    first = _beats(pair, asked.gain, _unit(evaluation, asked.baseline, asked.metric))
    if champion is None:
        return [first]
    second = _champion(evaluation, champion, asked, standing)
    surely_better = second.verdict == "passed" and champion.low > 0
    if first.verdict == "failed" and pair.high >= 0 and surely_better:
        first = _left_worse(first, champion)
    return [first, second]


def _left_worse(gate: Gate, champion: Paired) -> Gate:
    """The failed gate of the baseline, waived."""
    why = f"surely better than champion, {difference(champion)}: to refuse it leaves the worse model in place"
    words, asked = f"{gate.words}; waived, for it is {why}", f"{gate.asked}: surely better than champion"
    return gate.model_copy(update={"verdict": "waived", "words": words, "asked": asked})


def _unit(evaluation: Evaluation, model: str, metric: Metric) -> float:
    """What a gain of 1 is of: the other model's own score where that is in the label's unit, else 1."""
    return evaluation.scores[model]["test"][metric].value if metric in metrics.IN_UNIT else 1.0


def _beats(pair: Paired, gain: float, unit: float) -> Gate:
    right = pair.low > gain * unit
    words = "beats" if right else "does not surely beat"
    asked = f"gain asked {_amount(pair, gain, unit)}"
    return _paired(f"beats {pair.model}", right, pair, f"{words} {pair.model}", asked)


def _not_worse(pair: Paired, loss: float, unit: float) -> Gate:
    right = pair.low >= -loss * unit
    words = "is not worse than" if right else "may be worse than"
    asked = f"loss tolerated {_amount(pair, loss, unit)}"
    return _paired(f"not worse than {pair.model}", right, pair, f"{words} {pair.model}", asked)


def _paired(name: str, right: bool, pair: Paired, words: str, asked: str) -> Gate:
    return _gate(name, right, asked=asked, found=difference(pair), words=f"{words}: {difference(pair)}, {asked}")


def _gate(name: str, right: bool, *, asked: str, found: str, words: str = "") -> Gate:
    told = words or f"{name}: {found}, asked {asked}"
    return Gate(name=name, asked=asked, found=found, verdict="passed" if right else "failed", words=told)


def _waived(pair: Paired, lost: list[str]) -> Gate:
    why = f"the champion reads {listed(lost)}, which {'is no feature' if len(lost) == 1 else 'are no features'} by now"
    name = f"not worse than {pair.model}"
    words = f"is not held against {pair.model}: {why}; {difference(pair)}"
    return Gate(name=name, asked="nothing", found=f"{difference(pair)}: {why}", verdict="waived", words=words)


def _champion(evaluation: Evaluation, pair: Paired, asked: Asked, standing: Standing) -> Gate:
    """New rows are a reason for another model that is as good; without them it must be worth the change.

    Another seed makes a model that differs a little, for better or worse: what is tolerated as a loss is no gain.
    """
    if standing.lost:
        return _waived(pair, standing.lost)
    unit = _unit(evaluation, "champion", asked.metric)
    fresh = standing.fresh >= FRESH_SHARE
    if asked.champion == "not_worse" or (asked.champion == "auto" and fresh):
        return _not_worse(pair, asked.loss, unit)
    if asked.champion == "better":
        return _beats(pair, 0.0, unit)
    gate = _beats(pair, asked.loss, unit)
    why = f"{share(standing.fresh)} of its training rows are new: without new rows it must surely be better"
    return gate.model_copy(update={"asked": f"{gate.asked}: no new rows", "words": f"{gate.words}; {why}"})


def _floors(evaluation: Evaluation, floors: Mapping[Metric, float]) -> Iterator[Gate]:
    scores = evaluation.scores["candidate"]["test"] if floors else {}
    for metric, floor in floors.items():
        if metric not in scores:
            raise SettingsError(
                f"{metric} is no metric of this label",
                where="params.yaml: promote.gates.floors",
                fix=f"use one of: {', '.join(scores)}",
            )
        score, lower = scores[metric], metric in metrics.LOWER_IS_BETTER
        end = score.high if lower else score.low
        surely = score.value if end is None else end
        right = surely <= floor if lower else surely >= floor
        asked = f"at {'most' if lower else 'least'} {floor:g}"
        found = f"{number(score.value)}, surely {number(surely)}"
        yield _gate(f"{metric} on test", right, asked=asked, found=found)


def _margins(
    evaluation: Evaluation, against: Mapping[str, Paired], margins: Mapping[str, float], standing: Standing
) -> Iterator[Gate]:
    for model, margin in margins.items():
        if model in against:
            pair = against[model]
            waived = model == "champion" and standing.lost
            unit = _unit(evaluation, model, pair.metric)
            yield _waived(pair, standing.lost) if waived else _not_worse(pair, margin, unit)
        elif model != "champion":  # the first candidate has none
            raise SettingsError(
                f"{model} is no model that the candidate is compared with",
                where="params.yaml: promote.gates.margins",
                fix=f"use one of: {', '.join([*against, 'champion'])}",
            )


def _classes(diagnosis: Diagnosis, loss: float | None, rival: str) -> Iterator[Gate]:
    if loss is None:
        return
    if diagnosis.by_class is None:
        yield _unmeasured("each class", f"loss tolerated {loss:g}")
        return
    for one in diagnosis.by_class:
        pair = next(pair for pair in one.paired if pair.model == rival)
        asked = f"loss tolerated {loss:g}"
        found = f"recall {pair.difference:+.4f} (95% interval {pair.low:+.4f} to {pair.high:+.4f}, {one.rows:,} rows)"
        yield _gate(f"finds {one.name} as {rival} does", pair.low >= -loss, asked=asked, found=found)


def _slices(diagnosis: Diagnosis, loss: float | None, rival: str, metric: Metric) -> Iterator[Gate]:
    """Each slice that the settings name; one with too few rows says nothing, and so it does not pass."""
    named = diagnosis.slices.named if diagnosis.slices else []
    if loss is None:
        return
    if not named:
        yield _unmeasured("each slice", f"loss tolerated {loss:g}")
    for one in named:
        name, asked = f"not worse than {rival} in {one.name}", f"loss tolerated {loss:g}"
        pair = next((pair for pair in one.paired if (pair.model, pair.metric) == (rival, metric)), None)
        if pair is None:
            yield _gate(name, False, asked=asked, found=f"{count(one.rows, 'row')} of test: too few")
            continue
        unit = one.scores[rival][metric].value if metric in metrics.IN_UNIT else 1.0
        found = f"{difference(pair)}, {count(one.rows, 'row')}"
        yield _gate(name, pair.low >= -loss * unit, asked=f"loss tolerated {_amount(pair, loss, unit)}", found=found)


def _groups(diagnosis: Diagnosis, gaps: Mapping[Measure, float]) -> Iterator[Gate]:
    """Each column of `evaluate.fairness` by each measure that is asked."""
    compared = diagnosis.fairness.columns if diagnosis.fairness else []
    for measure, most in gaps.items():
        asked = f"at most {most:g} apart"
        known = [(one.column, each) for one in compared for each in one.between if each.measure == measure]
        if not known:
            yield _unmeasured(f"{measure} of groups", asked)
        for column, each in known:
            found = f"{number(each.gap.value)} between {each.largest} and {each.smallest}"
            yield _gate(f"{measure} by {column}", each.gap.value <= most, asked=asked, found=found)


def _limits(diagnosis: Diagnosis, more: GateSettings) -> Iterator[Gate]:
    """Calibration, latency and size: one number each that must not be above what is asked."""
    told, speed = diagnosis.calibration, diagnosis.speed
    measured = (
        ("calibration error", more.calibration_error, told.candidate.ece if told else None, ""),
        ("milliseconds of one row", more.milliseconds, speed.one.slow_ms_per_row if speed else None, " ms"),
        ("size of the model", more.megabytes, speed.size / MEGABYTE if speed else None, " MB"),
    )
    for name, most, found, unit in measured:
        if most is None:
            continue
        asked = f"at most {most:g}{unit}"
        if found is None:
            yield _unmeasured(name, asked)
        else:
            yield _gate(name, found <= most, asked=asked, found=f"{number(found)}{unit}")


def _unmeasured(name: str, asked: str) -> Gate:
    return _gate(name, False, asked=asked, found="not measured: see `evaluate` in params.yaml")


def _amount(pair: Paired, amount: float, unit: float) -> str:
    return f"{amount:g} of its {number(unit)}" if pair.metric in metrics.IN_UNIT else f"{amount:g}"


def difference(pair: Paired) -> str:
    """How much better, and in words where the metric's own way might mislead: a `+` is in the candidate's favour."""
    difference, low, high = (signed(pair.metric, value) for value in (pair.difference, pair.low, pair.high))
    better = " better" if pair.metric in metrics.IN_UNIT else ""
    return f"{pair.metric} {difference}{better} (95% interval {low} to {high}, same test rows)"

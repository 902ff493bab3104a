"""Slices of test: those that the settings name, and those in which the candidate is found to fail."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.contract import Contract
from pipeline.judgement.case import CANDIDATE, Case
from pipeline.judgement.loss import Loss, name_of
from pipeline.judgement.remark import Remark
from pipeline.judgement.slices import named, weak
from pipeline.judgement.slices.named import Named
from pipeline.judgement.slices.weak import Searched, Weak, WeakSlicesSettings
from pipeline.metrics import Metric
from pipeline.wording import count, number, share

__all__ = ["Named", "Searched", "Slices", "Weak", "WeakSlicesSettings", "require", "slices"]


class Slices(Record):
    """What is said of slices of test; `searched` is None where the search is off. `metric` is that of `score`."""

    loss: Loss
    metric: Metric
    named: list[Named]
    weak: list[Weak]
    searched: Searched | None
    words: str
    remarks: list[Remark] = Field(default_factory=list)


def require(wanted: Mapping[str, str], settings: WeakSlicesSettings | None, agreed: Contract) -> None:
    """Raise SettingsError for a slice or a column that cannot be looked at, before a training and not after."""
    named.require(wanted, agreed)
    if settings:
        weak.require(settings, agreed)


def slices(case: Case, wanted: Mapping[str, str], settings: WeakSlicesSettings | None) -> Slices:
    """The slices that are `wanted` by name, and those that a search finds."""
    metric = metrics.OF[case.target.kind].main
    found, searched = weak.weakest(case, settings) if settings else ([], None)
    scored = named.scored(case, wanted)
    return Slices(
        loss=name_of(case.target),
        metric=metric,
        named=scored,
        weak=found,
        searched=searched,
        words=_words(found, searched),
        remarks=[*_of_weak(found, metric), *_of_named(scored, metric)],
    )


def _words(found: Sequence[Weak], searched: Searched | None) -> str:
    if searched is None:
        return "No part of test was sought in which it fails (weak_slices: false)."
    looked_at = f"{count(len(searched.columns), 'column')} and pairs of them were searched on val"
    if not found:
        return f"No part of test was found in which it surely fails: {looked_at}."
    rest = f", and {count(len(found) - 1, 'other part')}" if len(found) > 1 else ""
    return f"It fails in {found[0].words}{rest}: {looked_at}, {searched.proposed} tried on test, {len(found)} held."


def _of_weak(found: Sequence[Weak], metric: Metric) -> Iterator[Remark]:
    for one in found:
        yield Remark(
            name="weak_slice",
            severity="warning",
            message=f"{one.words} ({count(one.rows, 'row')} of test, {share(one.share)}): {metric} "
            f"{number(one.score)}, elsewhere {number(one.score_elsewhere)}; {_told(one)}",
            suggestion="look at its worst rows: are labels or cells wrong, are few such rows in train, does a column "
            f"lack that would tell? Watch it by name: `evaluate.slices: {{NAME: {one.sql}}}`",
        )


def _told(one: Weak) -> str:
    """How much less it tells there, beside one who knows only what the slice is like."""
    if one.told <= 0:
        return f"no better than one answer to all of its rows, elsewhere {share(one.told_elsewhere)} better"
    return f"{share(one.told)} better than one answer to all of its rows, elsewhere {share(one.told_elsewhere)}"


def _of_named(scored: Sequence[Named], metric: Metric) -> Iterator[Remark]:
    """The named slices without rows, and those in which another model is surely better."""
    for one in scored:
        if not one.scores:
            yield Remark(
                name="empty_slice",
                severity="warning",
                message=f"{one.name} has {count(one.rows, 'row')} of test, which is nothing to score",
                suggestion=f"is `{one.sql}` what you mean?",
            )
        for pair in one.paired:
            if pair.metric == metric and pair.high < 0:
                yield Remark(
                    name="worse_in_slice",
                    severity="warning",
                    message=f"in {one.name} ({count(one.rows, 'row')} of test) {pair.model} is surely better: {metric} "
                    f"{number(one.scores[CANDIDATE][metric].value)} against "
                    f"{number(one.scores[pair.model][metric].value)}",
                    suggestion="bring more such rows, or ask for it: a gate on this slice in `promote`",
                )

"""The slices in which the candidate fails most: proposed on val, then tested on test, whose rows had no say in them.

Shapes: N rows, C cuts, R resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.contract import ROW_ID, Contract
from pipeline.errors import SettingsError, instead
from pipeline.judgement.blind import Blind
from pipeline.judgement.case import CANDIDATE, Case, Split
from pipeline.judgement.loss import losses, mean_loss
from pipeline.judgement.slices.cuts import Cut, cuts
from pipeline.judgement.slices.search import MOST_SHARE, Rows, Slice, search
from pipeline.judgement.tally import chance, standard_errors

LEVEL = 0.05
EXAMPLES = 10


class WeakSlicesSettings(BaseModel):
    """How slices are sought in which the candidate fails; `weak_slices: false` seeks none.

    Ranges and values of the columns that it reads and of groups, and of pairs of them, are proposed on val and tested
    on test (Holm's correction for as many as were proposed).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    most: int = Field(default=8, ge=1, le=100, description="slices that are proposed")
    minimum_rows: int = Field(default=32, ge=8, description="of a slice (SliceLine, Sagadeeva & Boehm 2021)")
    minimum_share: float = Field(default=0.01, ge=0, lt=0.5, description="of the rows (the same)")
    columns: tuple[str, ...] = Field(default=(), description="other columns of the contract to look at besides")
    paired: int = Field(default=24, ge=0, description="columns that pairs are made of: those most suspect alone")
    rows: int = Field(default=20_000, ge=100, description="of val that are searched, drawn with the seed")


def require(settings: WeakSlicesSettings, agreed: Contract) -> None:
    """Raise SettingsError for a column that the contract has not."""
    for name in settings.columns:
        if name not in agreed.names:
            raise SettingsError(
                f"no such column: {name}",
                where="params.yaml: evaluate.weak_slices.columns",
                fix=instead(name, agreed.names),
            )


class Weak(Record):
    """A slice in which the candidate surely does worse than elsewhere on test.

    `told` and `told_elsewhere`: the share of the loss of the slice's own class shares or mean that the candidate takes
    away (below 0 it is worse than these), `excess` what it loses beyond what it would if that were as elsewhere, and
    `p` how often chance gives as much, corrected for the slices proposed. `loss` is by model, `score` the
    candidate's main metric. `worst`: rows by falling loss. `sql` can be named under `evaluate.slices`.
    """

    words: str
    sql: str
    rows: int
    share: float
    loss: dict[str, float]
    loss_elsewhere: float
    score: float
    score_elsewhere: float
    told: float
    told_elsewhere: float
    excess: float
    p: float
    worst: list[str]


class Searched(Record):
    """What was looked at: rows of val, what they were cut by, and how many slices were then tested on test."""

    rows: int
    columns: list[str]
    proposed: int


def weakest(case: Case, settings: WeakSlicesSettings) -> tuple[list[Weak], Searched]:
    """The slices that hold on test, the surest first, and what was searched."""
    val = _judged(case, "val")
    drawn = np.random.default_rng(case.seed).permutation(len(val.place_N))[: settings.rows]
    val = val.take(np.sort(drawn))
    least = max(settings.minimum_rows, int(settings.minimum_share * len(drawn)))
    looked_at = cuts(case, case.rows["val"][val.place_N], settings.columns, least)
    searched = Searched(rows=len(drawn), columns=[cut.name for cut in looked_at], proposed=0)
    if not looked_at:
        return [], searched
    rows = val.parted(looked_at, case.rows["val"])
    proposed = search(looked_at, rows, most=settings.most, least=least, paired=settings.paired)
    held = _tested(case, looked_at, proposed, settings.minimum_rows)
    return held, searched.model_copy(update={"proposed": len(proposed)})


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """Rows of a split that have an answer: their places, their loss, and what it is held against."""

    place_N: np.ndarray
    loss_N: np.ndarray
    blind: Blind

    def take(self, rows: np.ndarray) -> "_Judged":
        return _Judged(place_N=self.place_N[rows], loss_N=self.loss_N[rows], blind=self.blind.take(rows))

    def parted(self, looked_at: Sequence[Cut], rows: pl.DataFrame) -> Rows:
        """To be searched; `rows` are all of the split."""
        parts = np.stack([cut.parts(rows[self.place_N]) for cut in looked_at])
        return Rows(loss_N=self.loss_N, blind=self.blind, part_CN=parts)


def _judged(case: Case, split: Split) -> _Judged:
    loss_N = losses(case.target, case.truth[split], case.own(split))
    all_of_it = _Judged(place_N=np.arange(len(loss_N)), loss_N=loss_N, blind=Blind.of(case, split))
    return all_of_it.take(np.isfinite(loss_N))


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Test, on which proposed slices are tried: `rows` that have an answer, at the places `place_N` of test."""

    case: Case
    looked_at: Sequence[Cut]
    rows: Rows
    place_N: np.ndarray

    def inside(self, one: Slice) -> np.ndarray:
        """(N,) bool: the rows that are in a slice."""
        return one.within(self.looked_at, self.rows.part_CN)

    def z(self, one: Slice, left_N: np.ndarray) -> float:
        """The excess among the rows that are left, in standard errors."""
        rows, w_RN = self.rows.take(left_N), self.case.w_RN[:, self.place_N[left_N]]
        alone_N = rows.alone(*one.parts(self.looked_at, rows))
        return standard_errors(rows.loss_N, alone_N, one.within(self.looked_at, rows.part_CN), w_RN)

    def told(self, one: Slice, p: float) -> Weak:
        """What is said of a slice, over all of its rows."""
        tally, inside_N = one.tally(self.looked_at, self.rows), self.inside(one)
        pieces = [self.looked_at[cut].piece(run) for cut, run in zip(one.cuts, one.runs, strict=True)]
        worst = np.flatnonzero(inside_N)[np.argsort(-self.rows.loss_N[inside_N], kind="stable")][:EXAMPLES]
        return Weak(
            words=" and ".join(piece.words for piece in pieces),
            sql=" AND ".join(piece.sql for piece in pieces),
            rows=int(inside_N.sum()),
            share=float(inside_N.mean()),
            loss=by_model(self.case, self.place_N[inside_N]),
            loss_elsewhere=float(self.rows.loss_N[~inside_N].mean()),
            score=main_score(self.case, self.place_N[inside_N]),
            score_elsewhere=main_score(self.case, self.place_N[~inside_N]),
            told=1 - float(tally.inside[1] / tally.inside[2]),
            told_elsewhere=1 - float(tally.ratio),
            excess=float(tally.excess),
            p=p,
            worst=self.case.rows["test"][ROW_ID].gather(self.place_N[worst]).to_list(),
        )


def _tested(case: Case, looked_at: Sequence[Cut], proposed: Sequence[Slice], least: int) -> list[Weak]:
    """Those of the proposed slices that hold on test: by themselves, and without the rows of those before them."""
    test = _judged(case, "test")
    trial = _Trial(case=case, looked_at=looked_at, rows=test.parted(looked_at, case.rows["test"]), place_N=test.place_N)
    every_N = np.ones(len(test.place_N), dtype=np.bool_)
    left_N, z = every_N, []
    for one in proposed:
        inside_N = trial.inside(one)
        enough = (inside_N & left_N).sum() >= least and inside_N.mean() <= MOST_SHARE
        z.append(min(trial.z(one, left_N), trial.z(one, every_N)) if enough else 0.0)
        left_N = left_N & ~inside_N
    corrected = holm([chance(each) for each in z])
    order = sorted(range(len(proposed)), key=lambda place: -z[place])
    found = [trial.told(proposed[place], corrected[place]) for place in order if corrected[place] <= LEVEL]
    return [one for one in found if is_weak(one)]


def is_weak(one: Weak) -> bool:
    """Whether it is worth a word: half of what is told elsewhere or less, or a quarter more loss than that gives."""
    expected = one.loss["candidate"] - one.excess
    return one.told <= one.told_elsewhere / 2 or one.excess >= expected / 4


def by_model(case: Case, rows: np.ndarray) -> dict[str, float]:
    """Each model's mean loss on these rows of test, of those that answer any."""
    means = {
        model: mean_loss(losses(case.target, case.truth["test"][rows], a_NK[rows]))
        for model, a_NK in case.answers["test"].items()
    }
    return {model: mean for model, mean in means.items() if mean is not None}


def main_score(case: Case, rows: np.ndarray) -> float:
    """The candidate's main metric on these rows of test."""
    at = case.thresholds.get(CANDIDATE, case.target.at)
    return metrics.OF[case.target.kind].main_score(case.truth["test"][rows], case.own("test")[rows], at)


def holm(p: Sequence[float]) -> list[float]:
    """The p-values corrected for their number (Holm 1979), at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p)), key=lambda place: p[place])
    raised = np.maximum.accumulate([(len(p) - rank) * p[place] for rank, place in enumerate(order)])
    found = dict(zip(order, np.minimum(raised, 1.0).tolist(), strict=True))
    return [found[place] for place in range(len(p))]

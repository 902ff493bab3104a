"""Whether the candidate grows worse with time: its loss on test, by the time axis."""

import numpy as np
import polars as pl

from pipeline.artefacts import Record
from pipeline.judgement.blind import Blind
from pipeline.judgement.case import Case
from pipeline.judgement.loss import Loss, losses, mean_loss, name_of
from pipeline.judgement.remark import Remark
from pipeline.judgement.tally import chance, floored, standard_errors
from pipeline.wording import number

PARTS = 10
LEVEL = 0.05
ROWS_A_PART = 20  # with fewer a mean says little


class Stretch(Record):
    """Rows of test that follow each other: their span, and the mean loss of each model.

    `told`: the share of the loss of the stretch's own class shares or mean that the candidate takes away.
    """

    first: str
    last: str
    rows: int
    loss: dict[str, float]
    told: float


class OverTime(Record):
    """The mean loss by time, in stretches of equal rows, and how sure it is that the later half is worse or better.

    `later` is by how many standard errors the later half loses more than it would if the candidate did as well there
    as in the earlier one; `p` how often chance gives as much, either way.
    """

    column: str
    loss: Loss
    stretches: list[Stretch]
    later: float
    p: float

    @property
    def changed(self) -> bool:
        """Whether the later half surely differs."""
        return self.p < LEVEL

    @property
    def words(self) -> str:
        """The same in a sentence."""
        halves = f"in the later half of test (by {self.column}) than in the earlier one"
        if not self.changed:
            return f"It does not do surely worse or better {halves}."
        return f"It does surely {'worse' if self.later > 0 else 'better'} {halves}."

    @property
    def remarks(self) -> list[Remark]:
        """What to look at, where it grows worse."""
        if not self.changed or self.later < 0:
            return []
        told = [number(self.stretches[end].told) for end in (0, -1)]
        return [
            Remark(
                name="worse_with_time",
                severity="warning",
                column=self.column,
                message=f"{self.words} Of what one answer to all rows of a stretch would lose, it takes away {told[0]} "
                f"in the first of {len(self.stretches)} stretches and {told[1]} in the last",
                suggestion="retrain often, and watch it: `keepfit monitor`; does a column mean something else by now?",
            )
        ]


def over_time(case: Case) -> OverTime | None:
    """The loss by time; None without a time axis, or with too few rows that have a time."""
    column = case.contract.time
    if column is None:
        return None
    time = case.rows["test"][column]
    loss = {model: losses(case.target, case.truth["test"], a_NK) for model, a_NK in case.answers["test"].items()}
    order = _in_time(time, loss["candidate"])
    parts = min(PARTS, len(order) // ROWS_A_PART)
    if parts < 2:
        return None
    part_N = np.arange(len(order)) * parts // len(order)
    alone_N = floored(Blind.of(case, "test").take(order).losses(part_N, parts), part_N, parts)
    own_N, late_N = loss["candidate"][order], part_N >= parts / 2
    later = standard_errors(own_N, alone_N, late_N, case.w_RN[:, order])
    stretches = [
        _stretch(time, order[of_N], loss, 1 - float(own_N[of_N].sum() / alone_N[of_N].sum()))
        for of_N in (part_N == part for part in range(parts))
    ]
    p = min(2 * chance(abs(later)), 1.0)
    return OverTime(column=column, loss=name_of(case.target), stretches=stretches, later=later, p=p)


def _in_time(time: pl.Series, loss_N: np.ndarray) -> np.ndarray:
    """The places of the rows that have a time and an answer, by time."""
    known = np.flatnonzero(time.is_not_null().to_numpy() & np.isfinite(loss_N))
    return known[time.gather(known).arg_sort().to_numpy()]


def _stretch(time: pl.Series, rows: np.ndarray, loss: dict[str, np.ndarray], told: float) -> Stretch:
    means = {model: mean_loss(loss_N[rows]) for model, loss_N in loss.items()}
    return Stretch(
        first=str(time[int(rows[0])]),
        last=str(time[int(rows[-1])]),
        rows=len(rows),
        loss={model: mean for model, mean in means.items() if mean is not None},
        told=told,
    )

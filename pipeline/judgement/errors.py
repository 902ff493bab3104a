"""The rows of test that the candidate is most wrong about, what it takes for what, and how often it is sure and wrong.

Shapes: N rows, K classes, tags or quantiles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.contract import ROW_ID
from pipeline.features.target import Classes, Ordinal, Quantiles, Tags, Target
from pipeline.judgement.case import CANDIDATE, Case
from pipeline.judgement.cost import answered
from pipeline.judgement.loss import Loss, losses, name_of
from pipeline.wording import count, number, share

WORST, PAIRS, EXAMPLES = 20, 10, 5
SURE = 0.9
TINY = float(np.finfo(np.float64).tiny)


class Wrong(Record):
    """One row that was answered wrongly: its truth and the answer, and of a class how sure that was said."""

    row: str
    truth: str
    said: str
    confidence: float | None = None
    loss: float


class Confused(Record):
    """How many rows of one class or tag are taken for another, and what share of its rows that is.

    Of tags None is none: one that is missed where no wrong one is told, or told where none is missed. `worst`: rows by
    falling loss.
    """

    truth: str | None
    said: str | None
    rows: int
    share: float | None
    worst: list[str]


class Sure(Record):
    """The rows whose answer has a probability of `at` or more: how many are wrong, and how many one would expect."""

    at: float
    rows: int
    wrong: int
    expected: float


class Errors(Record):
    """Where single answers go wrong; `wrong` of the `rows` of test are, None of a number, which hardly is exact."""

    loss: Loss
    rows: int
    wrong: int | None
    worst: list[Wrong]
    confused: list[Confused] = Field(default_factory=list)
    sure: Sure | None = None

    @property
    def words(self) -> str:
        """The same in a sentence; empty where there is nothing to count."""
        if self.wrong is None:
            return ""
        told, sure = f"Of {count(self.rows, 'row')} of test {self.wrong:,} are answered wrongly", self.sure
        if sure is None or not sure.rows:
            return f"{told}."
        given = f"of {count(sure.rows, 'answer')} given with {share(sure.at)} or more {sure.wrong:,} are wrong"
        return f"{told}; {given}, and {number(sure.expected)} would be if these were what they say."


@dataclass(frozen=True, kw_only=True)
class _Told:
    """How the rows were answered: in words by their place, which are wrong, and (N,) what they are ranked by."""

    truth: Callable[[int], str]
    said: Callable[[int], str]
    wrong_N: np.ndarray
    rank_N: np.ndarray
    p_N: np.ndarray | None = None


def errors(case: Case) -> Errors:
    """The worst rows of test by falling loss: of quantiles beside the width of the interval that was told."""
    target, y_N, a_NK = case.target, case.truth["test"], case.own("test")
    loss_N = np.nan_to_num(losses(target, y_N, a_NK), nan=-1.0)  # a row without an answer is in none of these lists
    known = {"loss": name_of(target), "rows": len(loss_N)}
    if isinstance(target, Tags):
        said_NK = (a_NK >= case.thresholds[CANDIDATE]) & (loss_N >= 0)[:, None]
        told = _of_tags(y_N.astype(np.bool_), said_NK, loss_N, target.classes)
        pairs = _mixed_tags(case, y_N.astype(np.bool_), said_NK, loss_N, target.classes)
        return Errors(**known, wrong=int(told.wrong_N.sum()), worst=_worst(case, told, loss_N), confused=pairs)
    if isinstance(target, Classes | Ordinal):
        said_N = answered(target, a_NK, case.thresholds.get(CANDIDATE, 0.5))
        told = _of_classes(y_N, said_N, a_NK, loss_N, target.classes)
        pairs = _mixed(case, y_N, said_N, loss_N, target.classes)
        wrong = int(told.wrong_N.sum())
        return Errors(**known, wrong=wrong, worst=_worst(case, told, loss_N), confused=pairs, sure=_sure(told))
    return Errors(**known, wrong=None, worst=_worst(case, _of_number(target, y_N, a_NK, loss_N), loss_N))


def _of_classes(
    y_N: np.ndarray, said_N: np.ndarray, p_NK: np.ndarray, loss_N: np.ndarray, classes: Sequence[str]
) -> _Told:
    return _Told(
        truth=lambda row: classes[y_N[row]],
        said=lambda row: classes[said_N[row]],
        wrong_N=(said_N != y_N) & (loss_N >= 0),
        rank_N=loss_N,
        p_N=p_NK[np.arange(len(said_N)), said_N],
    )


def _of_tags(y_NK: np.ndarray, said_NK: np.ndarray, loss_N: np.ndarray, classes: Sequence[str]) -> _Told:
    return _Told(
        truth=lambda row: ", ".join(compress(classes, y_NK[row])),
        said=lambda row: ", ".join(compress(classes, said_NK[row])),
        wrong_N=(said_NK != y_NK).any(axis=1) & (loss_N >= 0),
        rank_N=loss_N,
    )


def _of_number(target: Target, y_N: np.ndarray, a_NK: np.ndarray, loss_N: np.ndarray) -> _Told:
    """Of a forecast the truth and the answer are means over the horizon."""
    told_N, truth_N = target.watched(a_NK), y_N.reshape(len(y_N), -1).mean(axis=1)
    wide = isinstance(target, Quantiles) and a_NK.shape[1] > 1
    width_N = (a_NK[:, -1] - a_NK[:, 0]).clip(TINY) if wide else 1.0
    return _Told(
        truth=lambda row: f"{truth_N[row]:.6g}",
        said=lambda row: f"{told_N[row]:.6g}",
        wrong_N=loss_N > 0,
        rank_N=loss_N / width_N,
    )


def _worst(case: Case, told: _Told, loss_N: np.ndarray) -> list[Wrong]:
    wrong = np.flatnonzero(told.wrong_N)
    chosen = wrong[np.argsort(-told.rank_N[wrong], kind="stable")][:WORST]
    return [
        Wrong(
            row=_rows(case, chosen[at : at + 1])[0],
            truth=told.truth(row),
            said=told.said(row),
            confidence=None if told.p_N is None else float(told.p_N[row]),
            loss=float(loss_N[row]),
        )
        for at, row in enumerate(chosen.tolist())
    ]


def _mixed(
    case: Case, y_N: np.ndarray, said_N: np.ndarray, loss_N: np.ndarray, classes: Sequence[str]
) -> list[Confused]:
    """The pairs of classes that most rows are confused in."""
    counted_KK = np.bincount(y_N * len(classes) + said_N, minlength=len(classes) ** 2).reshape(len(classes), -1)
    rows_K = counted_KK.sum(axis=1)
    np.fill_diagonal(counted_KK, 0)
    return [
        Confused(
            truth=classes[truth],
            said=classes[said],
            rows=int(counted_KK[truth, said]),
            share=float(counted_KK[truth, said] / rows_K[truth]),
            worst=_worst_of(case, (y_N == truth) & (said_N == said), loss_N),
        )
        for truth, said in _largest(counted_KK)
    ]


def _mixed_tags(
    case: Case, y_NK: np.ndarray, said_NK: np.ndarray, loss_N: np.ndarray, classes: Sequence[str]
) -> list[Confused]:
    """The pairs of a tag that is missed and one that is told instead; the last of either is none."""
    missed_NK, extra_NK = y_NK & ~said_NK, said_NK & ~y_NK
    missed_NK = np.column_stack([missed_NK, ~missed_NK.any(axis=1)])
    extra_NK = np.column_stack([extra_NK, ~extra_NK.any(axis=1)])
    counted_KK = missed_NK.astype(np.float64).T @ extra_NK.astype(np.float64)
    counted_KK[-1, -1] = 0
    names, rows_K = [*classes, None], y_NK.sum(axis=0)
    return [
        Confused(
            truth=names[truth],
            said=names[said],
            rows=int(counted_KK[truth, said]),
            share=float(counted_KK[truth, said] / rows_K[truth]) if truth < len(classes) else None,
            worst=_worst_of(case, missed_NK[:, truth] & extra_NK[:, said], loss_N),
        )
        for truth, said in _largest(counted_KK)
    ]


def _largest(counted_KK: np.ndarray) -> list[tuple[int, int]]:
    """Where the largest counts are, none of them 0."""
    order = np.argsort(-counted_KK, axis=None, kind="stable")[:PAIRS]
    places = [divmod(int(place), counted_KK.shape[1]) for place in order]
    return [place for place in places if counted_KK[place] > 0]


def _sure(told: _Told) -> Sure:
    p_N = np.zeros(0) if told.p_N is None else told.p_N
    sure_N = p_N >= SURE
    return Sure(
        at=SURE,
        rows=int(sure_N.sum()),
        wrong=int((sure_N & told.wrong_N).sum()),
        expected=float((1 - p_N[sure_N]).sum()),
    )


def _worst_of(case: Case, chosen_N: np.ndarray, loss_N: np.ndarray) -> list[str]:
    rows = np.flatnonzero(chosen_N)
    return _rows(case, rows[np.argsort(-loss_N[rows], kind="stable")][:EXAMPLES])


def _rows(case: Case, rows: np.ndarray) -> list[str]:
    """The names of these rows of test."""
    names: list[str] = case.rows["test"][ROW_ID].gather(rows).to_list()
    return names

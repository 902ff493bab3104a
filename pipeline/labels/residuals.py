"""Which numbers in a label do the other rows contradict? The counterpart of labels/confident.py for regression.

Fast models answer for rows that they have not seen; how far they usually are off is learnt from the misses of the other
rows, so that a miss counts by what rows alike miss. How many labels are wrong is told as there: among the rows that the
model is surest of, gross misses vanish on clean data, and stay level with wrong labels.

Shapes: N rows, F features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from pipeline.contract import Column
from pipeline.labels import confident
from pipeline.labels.confident import Array, Effort, Fitted, Noise

GROSS = 1.0  # median absolute deviations of the label: further off than half of the labels are from their median
CLIPPED = 0.9  # larger misses count as this quantile: wrong labels must not teach what is usual
ALIKE = 200
LEAST_SPREAD = 0.1  # of the median miss
NO_SKILL = 0.3  # of the gross misses of an answer drawn from all labels: a weaker model has no say
BLOCK = 20  # rows
MAJORITY = 0.5  # of the rows of a block are wrong


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What models that did not see a row say of its label: answer_N, and the usual miss of rows like it, usual_N."""

    y_N: Array
    answer_N: Array
    usual_N: Array

    @cached_property
    def doubts(self) -> Array:
        """Each row's miss, in usual misses."""
        found: Array = np.abs(self.y_N - self.answer_N) / self.usual_N
        return found


def expected(rows: pl.DataFrame, features: Sequence[Column], y_N: Array, fold_N: Array) -> Expected:
    """Out of fold: the mean of extremely randomised trees (Geurts et al. 2006) and of boosted ones for the median."""
    x_NF = confident.inputs(rows, features)
    answer_N = np.mean([_out_of_fold(fit, x_NF, y_N, fold_N) for fit in (_extra_trees, _boosted_trees)], axis=0)
    miss_N = np.abs(y_N - answer_N)
    clipped_N = np.minimum(miss_N, np.quantile(miss_N, CLIPPED))
    usual_N = _out_of_fold(_usual, np.column_stack([x_NF, answer_N]), clipped_N, fold_N)
    least = max(LEAST_SPREAD * float(np.median(miss_N)), np.finfo(np.float64).tiny)
    return Expected(y_N=y_N, answer_N=answer_N, usual_N=np.maximum(usual_N, least))


def noise(found: Expected, judged_N: Array) -> Noise | None:
    """How many labels are wrong, by the rows in `judged_N`; None where gross misses fall as the model gets surer.

    A wrong label is taken for another row's: where that would often be no gross miss, fewer misses stand for it. Rows
    are ranked by the usual miss of rows like them, and of rows of about the same answer: either may tell the sure ones.
    """
    tolerance = GROSS * float(np.median(np.abs(found.y_N - np.median(found.y_N))))
    missed_M = (np.abs(found.y_N - found.answer_N) > tolerance)[judged_N]
    ordered, answer_M = np.sort(found.y_N), found.answer_N[judged_N]
    low_M, high_M = (np.searchsorted(ordered, answer_M + sign * tolerance) for sign in (-1, 1))
    chance_M = 1 - (high_M - low_M) / len(ordered)
    if not tolerance or not missed_M.size or missed_M.mean() > NO_SKILL * chance_M.mean():
        return None
    unsure = (found.usual_N[judged_N], _usual_by_answer(np.abs(found.y_N[judged_N] - answer_M), answer_M))
    levels = [confident.level(missed_M, confident.ranks(unsure_M), chance_M) for unsure_M in unsure]
    share = max((level for level in levels if level is not None), default=None)
    return None if share is None else Noise(share=share, explained=share * float(chance_M.mean() / missed_M.mean()))


def doubtful(found: Expected, share: float) -> Array:
    """The rows (places, the worst first) of which most are wrong, where this share of all labels is.

    What wrong labels look like is seen from those of other rows (shuffled). Block by block, from the worst on, so many
    of them are expected between its doubts; told is all down to the last block of which they are half.
    """
    shuffled_N = np.random.default_rng(0).permutation(found.y_N)
    wrong_N = np.sort(np.abs(shuffled_N - found.answer_N) / found.usual_N)
    worst = np.argsort(-found.doubts, kind="stable")
    ends = np.arange(BLOCK, len(worst) + 1, BLOCK)
    below = np.searchsorted(wrong_N, np.append(np.inf, found.doubts[worst[ends - 1]]))
    likely = np.flatnonzero(share * -np.diff(below) >= MAJORITY * BLOCK)
    told: Array = worst[: int(ends[likely[-1]]) if likely.size else 0]
    return told


def _usual_by_answer(miss_M: Array, answer_M: Array) -> Array:
    """The median miss of some `ALIKE` rows of about the same answer; no single wrong label moves it."""
    usual_M = np.zeros(len(miss_M))
    for block in np.array_split(np.argsort(answer_M, kind="stable"), max(len(miss_M) // ALIKE, 1)):
        usual_M[block] = np.median(miss_M[block])
    return usual_M


def _out_of_fold(fit: Callable[[Array, Array, Effort], Fitted], x_NF: Array, y_N: Array, fold_N: Array) -> Array:
    answer_N = np.full(len(y_N), float(np.median(y_N)))
    for fold in np.unique(fold_N):
        seen, asked = np.flatnonzero(fold_N != fold), np.flatnonzero(fold_N == fold)
        if len(seen):
            with confident.one_thread():
                answer_N[asked] = fit(x_NF[seen], y_N[seen], confident.effort(len(y_N))).predict(x_NF[asked])
    return answer_N.round(9)


def _extra_trees(x_NF: Array, y_N: Array, spent: Effort) -> Fitted:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(spent.trees, min_samples_leaf=3, n_jobs=1, random_state=0).fit(x_NF, y_N)


def _boosted_trees(x_NF: Array, y_N: Array, spent: Effort) -> Fitted:
    return _boosted(x_NF, y_N, loss="absolute_error", learning_rate=2 * spent.step, max_iter=2 * spent.rounds)


def _usual(x_NF: Array, y_N: Array, spent: Effort) -> Fitted:
    return _boosted(x_NF, y_N, learning_rate=spent.step, max_iter=spent.rounds, min_samples_leaf=50)


def _boosted(x_NF: Array, y_N: Array, **settings: Any) -> Fitted:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(max_leaf_nodes=15, early_stopping=False, random_state=0, **settings)
    return model.fit(np.where(np.isnan(x_NF).all(axis=0), 0.0, x_NF), y_N)  # it cannot bin a column of no value

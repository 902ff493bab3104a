"""Can a classifier tell new rows from old ones? The two-sample test of Lopez-Paz and Oquab (2017).

Its statistic is 2 AUC - 1, the AUC by boosted trees on rows that they have not seen: 0 where nothing is to be told. It
sees what no column shows alone. Where nothing changed the AUC is normal with a variance of (1/n + 1/m) / 12 (Mann and
Whitney 1947); how far blocks of an ordered past can be told from the rest of it is what the world makes beside that.
"""

from typing import Any

import numpy as np

from pipeline.drift.calibration import Calibration
from pipeline.drift.sample import Sample, weights
from pipeline.drift.whole import Whole

DRAWING = (1 / 3, 2 / 9)  # mean and variance of (2 AUC - 1)^2 for 1/n + 1/m = 1: a chi-square of one degree
PAST_BLOCKS = 6
ROUNDS = 30
NAMED = 5


def test(past: Sample, now: Sample, calibration: Calibration | None = None) -> Whole:
    """Tell rows of `now` from those of `past`, with the columns by which it is told.

    `calibration`: that of the past, where it is known already.
    """
    place_NF = np.concatenate([past.places, now.places])
    new_N = np.arange(len(place_NF)) >= len(past.block)
    gini, columns = _told(place_NF, new_N, list(past.cuts))
    null = (calibration or calibrated(past)).null(len(now.block), len(past.block))
    return Whole(method="c2st", measure=gini**2, null=null, columns=columns)


def calibrated(past: Sample) -> Calibration:
    """How far stretches of the past are told from the rest of it; of one in no order what drawing makes."""
    if not past.ordered:
        return Calibration(drawing=DRAWING, between=(0.0, 0.0), blocks=0)
    of_N = weights(np.array(past.block), PAST_BLOCKS)
    measures, units = [], []
    for block in np.unique(of_N):
        new_N = of_N == block
        measures.append(_told(past.places, new_N, [])[0] ** 2)
        units.append(1 / new_N.sum() + 1 / (~new_N).sum())
    return Calibration.fitted(np.array(measures), np.array(units), DRAWING)


def _told(place_NF: np.ndarray, new_N: np.ndarray, names: list[str]) -> tuple[float, dict[str, float]]:
    """2 AUC - 1 by two models, each on the half that the other has learnt from; what it loses without each column."""
    halves = np.arange(len(new_N)) % 2
    score_N, models = np.zeros(len(new_N)), []
    for half in (0, 1):
        seen = halves != half
        models.append(_fitted(place_NF[seen], new_N[seen]))
        score_N[~seen] = models[-1].decision_function(place_NF[~seen])
    gini = float(np.mean([_gini(score_N[halves == half], new_N[halves == half]) for half in (0, 1)]))
    lost = {name: gini - _without(models, place_NF, new_N, place) for place, name in enumerate(names)}
    most = sorted((each for each in lost.items() if each[1] > 0.005), key=lambda each: -each[1])
    return gini, dict(most[:NAMED])


def _without(models: list[Any], place_NF: np.ndarray, new_N: np.ndarray, column: int) -> float:
    """2 AUC - 1 once the cells of a column are dealt out anew."""
    mixed_NF = place_NF.copy()
    mixed_NF[:, column] = np.random.default_rng(0).permutation(mixed_NF[:, column])
    halves = np.arange(len(new_N)) % 2
    parts = [
        _gini(model.decision_function(mixed_NF[halves == half]), new_N[halves == half])
        for half, model in enumerate(models)
    ]
    return float(np.mean(parts))


def _fitted(place_NF: np.ndarray, new_N: np.ndarray) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS, max_leaf_nodes=8, early_stopping=False, random_state=0, class_weight="balanced"
    )
    return model.fit(place_NF, new_N)


def _gini(score_N: np.ndarray, new_N: np.ndarray) -> float:
    """2 AUC - 1 by ranks, ties shared."""
    from scipy.stats import rankdata

    news, olds = int(new_N.sum()), int((~new_N).sum())
    if not (news and olds):
        return 0.0
    auc = (rankdata(score_N)[new_N].sum() - news * (news + 1) / 2) / (news * olds)
    return float(2 * auc - 1)

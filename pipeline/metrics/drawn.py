"""What charts are drawn of: curves, calibration and confusion of classes, residuals of a quantity, and what tables say
of quantiles and of tags.

Shapes: N rows, K classes; `y_N` the truth, `p_NK` probabilities, `a_N` answers in the label's unit.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.artefacts import Record
from pipeline.metrics.classification import average_precision

CURVE_POINTS = 200
CALIBRATION_BINS = 10
DOTS = 400


class Residuals(Record):
    """Rows whose answers lie near each other: their mean answer and truth, and how far off the answers are.

    `low` and `high` are the 10% and 90% quantiles of the residuals, answer less truth; all in the label's unit.
    """

    rows: int
    answer: float
    truth: float
    low: float
    high: float
    absolute: float


class Below(Record):
    """One quantile that was told: the share of rows whose truth is at most that, which should be `quantile`."""

    quantile: float
    below: float


class OneTag(Record):
    """How well one tag is told; `rows` have it. A share of nothing is 0."""

    tag: str
    rows: int
    average_precision: float
    precision: float
    recall: float
    f1: float


def below(y_N: np.ndarray, a_NK: np.ndarray, quantiles: Sequence[float]) -> list[Below]:
    """Each quantile beside the share of rows that are below it."""
    shares = (y_N[:, None] <= a_NK).mean(axis=0)
    return [Below(quantile=q, below=float(share)) for q, share in zip(quantiles, shares, strict=True)]


def tags(y_NK: np.ndarray, p_NK: np.ndarray, threshold: float, names: Sequence[str]) -> list[OneTag]:
    """Each tag by itself, the most frequent of these rows first."""
    w_1N, found = np.ones((1, len(y_NK))), []
    for name, y_N, p_N in zip(names, y_NK.T, p_NK.T, strict=True):
        said_N = p_N >= threshold
        both, true, said = (int(part.sum()) for part in (y_N & said_N, y_N, said_N))
        found.append(
            OneTag(
                tag=name,
                rows=true,
                average_precision=float(average_precision(y_N, p_N, w_1N)[0]),
                precision=both / max(said, 1),
                recall=both / max(true, 1),
                f1=2 * both / max(true + said, 1),
            )
        )
    return sorted(found, key=lambda tag: (-tag.rows, tag.tag))


def roc(y_N: np.ndarray, p_NK: np.ndarray) -> list[tuple[float, float]]:
    """(false positive rate, true positive rate) of the last class, at most CURVE_POINTS points."""
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(y_N == p_NK.shape[1] - 1, p_NK[:, -1])
    return _thinned(fpr, tpr)


def precision_recall(y_N: np.ndarray, p_NK: np.ndarray) -> list[tuple[float, float]]:
    """(recall, precision) of the last class, at most CURVE_POINTS points."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(y_N == p_NK.shape[1] - 1, p_NK[:, -1])
    return _thinned(recall[::-1], precision[::-1])


def _thinned(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """The curve read off at even steps along its way, so that steep parts keep their points; ends included."""
    way = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    places = np.searchsorted(way, np.linspace(0.0, way[-1], CURVE_POINTS)).clip(0, len(x) - 1)
    chosen = sorted({0, *places.tolist(), len(x) - 1})
    return [(round(float(x[i]), 5), round(float(y[i]), 5)) for i in chosen]


def calibration(y_N: np.ndarray, p_NK: np.ndarray) -> list[tuple[float, float, int]]:
    """(mean predicted, observed share, rows) of the last class in ten bins of equal rows."""
    hit = y_N == p_NK.shape[1] - 1
    return [(float(p_NK[part, -1].mean()), float(hit[part].mean()), len(part)) for part in _tenths(p_NK[:, -1])]


def confusion(y_N: np.ndarray, said_N: np.ndarray, classes: int) -> list[list[int]]:
    """Rows by truth (down) and answer (across)."""
    counted: list[list[int]] = np.bincount(y_N * classes + said_N, minlength=classes**2).reshape(classes, -1).tolist()
    return counted


def predicted(y_N: np.ndarray, a_N: np.ndarray) -> list[tuple[float, float]]:
    """(truth, answer) of at most DOTS rows, at even steps through the rows by their truth, both ends included."""
    order = np.argsort(y_N, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, DOTS).round().astype(np.int64))]
    return [(float(y_N[i]), float(a_N[i])) for i in chosen]


def residuals(y_N: np.ndarray, a_N: np.ndarray) -> list[Residuals]:
    """The rows by their answer, in ten bins of equal rows, from the least."""
    found = []
    for part in _tenths(a_N):
        off = a_N[part] - y_N[part]
        low, high = np.quantile(off, [0.1, 0.9])
        found.append(
            Residuals(
                rows=len(part),
                answer=float(a_N[part].mean()),
                truth=float(y_N[part].mean()),
                low=float(low),
                high=float(high),
                absolute=float(np.abs(off).mean()),
            )
        )
    return found


def _tenths(value_N: np.ndarray) -> list[np.ndarray]:
    """Places of the rows by rising value in ten parts of equal size; fewer of fewer rows."""
    return [part for part in np.array_split(np.argsort(value_N, kind="stable"), CALIBRATION_BINS) if len(part)]

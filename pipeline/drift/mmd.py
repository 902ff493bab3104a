"""The maximum mean discrepancy of all columns together (Gretton et al. 2012).

With a Gaussian kernel as wide as the median distance, over ranks of numbers and indicators of categories. Where nothing
changed it is what dealing the rows out anew makes, and how far blocks of an ordered past are from the rest of it.

Shapes: N rows, D numbers, R deals.
"""

import numpy as np

from pipeline.drift.calibration import Calibration
from pipeline.drift.sample import Sample, scaled, weights
from pipeline.drift.whole import Whole

ROWS = 1000  # of each side
DEALS = 200
PAST_BLOCKS = 8


def test(past: Sample, now: Sample, *, seed: int = 0) -> Whole:
    """How far the rows of `now` are from those of `past`."""
    old, new = (slice(None, None, max(1, len(each.block) // ROWS)) for each in (past, now))
    x_ND = scaled(past.cuts, np.concatenate([past.places[old], now.places[new]]))
    olds = len(past.block[old])
    kernel_NN = _kernel(x_ND)
    new_N = np.arange(len(x_ND)) >= olds
    random = np.random.default_rng(seed)
    deals_RN = np.stack([random.permutation(new_N) for _ in range(DEALS)])
    unit = 1 / olds + 1 / (len(x_ND) - olds)
    dealt_R = _distances(kernel_NN, deals_RN) / unit
    drawing = (float(dealt_R.mean()), float(dealt_R.var()))
    calibration = Calibration(drawing=drawing, between=(0.0, 0.0), blocks=0)
    if past.ordered:
        of_N = weights(np.array(past.block[old]), PAST_BLOCKS)
        blocks_BN = of_N == np.unique(of_N)[:, None]
        units_B = 1 / blocks_BN.sum(axis=1) + 1 / (~blocks_BN).sum(axis=1)
        calibration = Calibration.fitted(_distances(kernel_NN[:olds, :olds], blocks_BN), units_B, drawing)
    measure = float(_distances(kernel_NN, new_N[None])[0])
    return Whole(method="mmd", measure=measure, null=calibration.null(len(x_ND) - olds, olds))


def _kernel(x_ND: np.ndarray) -> np.ndarray:
    squares_N = (x_ND**2).sum(axis=1)
    apart_NN = np.maximum(squares_N[:, None] + squares_N - 2 * x_ND @ x_ND.T, 0.0)
    return np.exp(-apart_NN / (float(np.median(apart_NN)) or 1.0))


def _distances(kernel_NN: np.ndarray, new_RN: np.ndarray) -> np.ndarray:
    """(R,) the squared discrepancy (the biased one, which is never below 0) of each split of the rows."""
    weight_RN = new_RN / new_RN.sum(axis=1, keepdims=True) - ~new_RN / (~new_RN).sum(axis=1, keepdims=True)
    return np.maximum(np.einsum("rn,rn->r", weight_RN @ kernel_NN, weight_RN), 0.0)  # of equal rows rounding goes below

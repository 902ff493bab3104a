"""How a slice of rows compares with all others: a test of whether what the model loses there is more.

A slice's loss is held against what its parts would lose alone (`judgement.blind`), by the ratio of the two among all
other rows: `excess = loss - ratio of the others * blind loss`, whose sum over the slice is 0 where the model does as
well there as elsewhere. Its variance is that of a ratio estimator (Cochran 1977, section 6.5), once for the slice and
once for the others' ratio.

Shapes: N rows, R resamples; sums stand first: rows, loss, blind loss, and their squares and product.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.metrics.score import weight

SUMS = 6
FLOOR = 0.1  # of the blind loss of all rows: what a part loses at least, as one of a single class seems to lose nothing


def floored(blind_N: np.ndarray, part_N: np.ndarray, parts: int) -> np.ndarray:
    """(N,) the blind losses, raised in parts whose mean is below a tenth of that of all."""
    rows_P = np.bincount(part_N, minlength=parts).clip(1)
    mean_P = np.bincount(part_N, weights=blind_N, minlength=parts) / rows_P
    raised_N: np.ndarray = blind_N + (FLOOR * blind_N.mean() - mean_P).clip(0)[part_N]
    return raised_N


def sums(loss_N: np.ndarray, blind_N: np.ndarray, part_N: np.ndarray, parts: int) -> np.ndarray:
    """(6, P) the sums over each part."""
    added = (None, loss_N, blind_N, loss_N**2, blind_N**2, loss_N * blind_N)
    return np.stack([np.bincount(part_N, weights=each, minlength=parts).astype(np.float64) for each in added])


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Slices against all other rows: `inside` (6, ...) and `whole` (6,) sums."""

    inside: np.ndarray
    whole: np.ndarray

    @cached_property
    def others(self) -> np.ndarray:
        """(6, ...) sums over the rows outside."""
        outside: np.ndarray = self.whole.reshape(SUMS, *[1] * (self.inside.ndim - 1)) - self.inside
        return outside

    @cached_property
    def ratio(self) -> np.ndarray:
        """(...) loss over blind loss of all other rows; 1 where these have none."""
        return _over(self.others[1], self.others[2], np.ones_like)

    @cached_property
    def excess(self) -> np.ndarray:
        """(...) the mean loss beyond what it would be if the model did as well there as elsewhere."""
        return (self.inside[1] - self.ratio * self.inside[2]) / self.inside[0].clip(1)

    @cached_property
    def error(self) -> np.ndarray:
        """(...) the standard error of the excess."""
        own, other = (_squares(each, self.ratio) for each in (self.inside, self.others))
        usual = self.inside[0] * (own + other) / self.whole[0]
        own = np.maximum(own, usual)  # rows that were picked for their loss may happen to vary little
        of_ratio = _over(self.inside[2], self.others[2], np.zeros_like) ** 2 * other
        error: np.ndarray = np.sqrt(own + of_ratio) / self.inside[0].clip(1)
        return error

    @cached_property
    def z(self) -> np.ndarray:
        """(...) the excess in standard errors; 0 where nothing varies."""
        found: np.ndarray = np.divide(self.excess, self.error, out=np.zeros_like(self.error), where=self.error > 0)
        return found


def standard_errors(loss_N: np.ndarray, alone_N: np.ndarray, inside_N: np.ndarray, w_RN: np.ndarray) -> float:
    """The excess of the rows inside in standard errors, or in deviations of its resamples where these are wider.

    `alone_N` what each row's part would lose alone; `w_RN` (1 + R, N) how often each row is drawn: rows may be alike.
    """
    place_N = inside_N.astype(np.int64)
    both = sums(loss_N, alone_N, place_N, 2)
    tally = Tally(inside=both[:, 1], whole=both.sum(axis=1))
    loss_R, alone_R, rows_R = (weight(v * inside_N, w_RN) for v in (loss_N, alone_N, np.ones(len(loss_N))))
    other_R, other_alone_R = (weight(v * ~inside_N, w_RN) for v in (loss_N, alone_N))
    drawn = (rows_R > 0) & (other_alone_R > 0)
    drawn[0] = False
    excess_R = (loss_R[drawn] - other_R[drawn] / other_alone_R[drawn] * alone_R[drawn]) / rows_R[drawn]
    error = max(float(tally.error), float(excess_R.std()) if len(excess_R) else 0.0)
    return float(tally.excess) / error if error else 0.0


def chance(z: float) -> float:
    """How often chance alone gives as many standard errors, or more."""
    return math.erfc(z / math.sqrt(2)) / 2


def apart(inner: np.ndarray, outer: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """(...) how many standard errors the mean excess of the inner rows is above that of the outer ones."""
    both = [(each[1] - ratio * each[2]) / each[0].clip(1) for each in (inner, outer)]
    errors = [_squares(each, ratio) / each[0].clip(1) ** 2 for each in (inner, outer)]
    spread = np.sqrt(errors[0] + errors[1])
    found: np.ndarray = np.divide(both[0] - both[1], spread, out=np.zeros_like(spread), where=spread > 0)
    return found


def _squares(sums_6: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """(...) the squared distances of the excess from its mean, added up."""
    rows, loss, blind, loss_2, blind_2, both = sums_6
    squares: np.ndarray = loss_2 - 2 * ratio * both + ratio**2 * blind_2 - (loss - ratio * blind) ** 2 / rows.clip(1)
    return squares.clip(0)


def _over(above: np.ndarray, below: np.ndarray, otherwise: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    found: np.ndarray = np.divide(above, below, out=otherwise(below), where=below > 0)
    return found

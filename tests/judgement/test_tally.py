"""The test of a slice against all other rows."""

import numpy as np
import pytest
from scipy import stats

from pipeline.judgement.tally import Tally, chance, floored, standard_errors, sums
from pipeline.metrics import resamples


def test_the_excess_is_what_is_lost_beyond_the_ratio_elsewhere() -> None:
    loss_N, alone_N = np.array([1.0, 3.0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0, 4.0])
    both = sums(loss_N, alone_N, np.array([0, 0, 1, 1]), 2)

    tally = Tally(inside=both[:, 0], whole=both.sum(axis=1))

    assert tally.ratio == pytest.approx(2 / 6)
    assert tally.excess == pytest.approx((4 - 4 * 2 / 6) / 2)


def test_slices_drawn_by_chance_are_as_sure_as_chance() -> None:
    random = np.random.default_rng(0)
    loss_N, found = random.gamma(1.0, size=4000), []
    for _ in range(300):
        both = sums(loss_N, np.ones(4000), (random.uniform(size=4000) < 0.1).astype(np.int64), 2)
        found.append(float(Tally(inside=both[:, 1], whole=both.sum(axis=1)).z))

    assert abs(np.mean(found)) < 0.2
    assert np.std(found) == pytest.approx(1.0, abs=0.15)


def test_rows_that_are_alike_make_it_less_sure() -> None:
    unit_N = np.repeat(np.arange(20), 50)
    loss_N = np.random.default_rng(0).gamma(2.0, size=20)[unit_N]
    by_row, by_unit = (resamples(1000, seed=0, unit_N=each) for each in (None, unit_N))
    inside_N = np.isin(unit_N, np.argsort(np.bincount(unit_N, weights=loss_N))[-4:])

    alone, together = (standard_errors(loss_N, np.ones(1000), inside_N, w_RN) for w_RN in (by_row, by_unit))

    assert 0 < together < alone / 2


def test_a_part_that_seems_to_tell_itself_is_raised_to_a_tenth_of_all() -> None:
    blind_N = np.array([0.0, 0.0, 2.0, 2.0])

    assert floored(blind_N, np.array([0, 0, 1, 1]), 2).tolist() == pytest.approx([0.1, 0.1, 2.0, 2.0])


def test_nothing_that_varies_is_nothing_sure() -> None:
    ones = np.ones(40)

    assert standard_errors(ones, ones, np.arange(40) < 10, resamples(40, seed=0)) == 0.0


def test_chance_is_the_tail_of_the_normal_distribution() -> None:
    assert chance(1.7) == pytest.approx(stats.norm.sf(1.7))

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.profile.sketch import BUCKETS, Sketch, bucket_of, coarser

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def sketch(values: Any) -> Sketch:
    distinct, counts = np.unique(np.asarray(values, np.float64) + 0.0, return_counts=True)
    return Sketch.of(distinct, counts)


@given(st.lists(FINITE, min_size=2, max_size=20), st.integers(0, 63))
def test_buckets_are_in_the_order_of_values_at_every_level(values: Any, level: Any) -> None:
    index = coarser(bucket_of(np.sort(np.array(values))), level)

    assert (index[:-1] <= index[1:]).all()


def test_zero_has_its_own_bucket_at_every_level() -> None:
    index = bucket_of(np.array([-5e-324, 0.0, -0.0, 5e-324]))

    assert [coarser(index, level).tolist() for level in (0, 63)] == [[-2, 0, 0, 2], [-1, 0, 0, 1]]


def test_few_values_are_kept_exactly() -> None:
    made = sketch([-1.5, 0.1, 0.1, 7.0, 1e300])

    assert made.level == 0
    assert made.relative_error == 0
    assert [made.quantile(q) for q in (0, 0.25, 0.5, 0.75, 1)] == [-1.5, 0.1, 0.1, 7.0, 1e300]


@pytest.mark.parametrize("draw", ["normal", "lognormal", "standard_cauchy"])
def test_quantiles_lie_within_the_stated_error_of_numpys(draw: Any) -> None:
    values = getattr(np.random.default_rng(0), draw)(size=50_000)
    made = sketch(values)

    assert len(made.buckets) <= BUCKETS
    assert made.relative_error <= (0.016 if draw == "standard_cauchy" else 0.008)
    for share in (0.001, 0.1, 0.5, 0.9, 0.999):
        true = np.quantile(values, share, method="lower")
        assert made.quantile(share) == pytest.approx(true, rel=made.relative_error)


def test_large_offsets_do_not_blur_it() -> None:
    seconds = 1_357_000_000 + np.random.default_rng(0).integers(0, 13_000_000, 50_000)

    made = sketch(seconds)

    assert made.quantile(0.5) == pytest.approx(np.quantile(seconds, 0.5), abs=3 * 3600)


def test_level_rises_no_further_than_it_must() -> None:
    assert sketch(np.arange(1, BUCKETS + 1)).level == 0
    assert sketch(np.arange(1, BUCKETS + 2)).level > 0


def test_everything_there_is_fits() -> None:
    random = np.random.default_rng(0)
    values = np.ldexp(random.uniform(-1, 1, 100_000), random.integers(-1000, 1000, 100_000))

    assert len(sketch(values).buckets) <= BUCKETS


def test_many_values_are_counted_within_a_few_percent() -> None:
    made = sketch(np.arange(100_000))

    assert made.distinct == pytest.approx(100_000, rel=0.15)
    assert sketch(np.arange(2000)).distinct == 2000


def test_merging_is_exact_across_levels() -> None:
    random = np.random.default_rng(0)
    values = [random.normal(size=n) for n in (10, 1500, 4000, 30_000)]
    whole = sketch(np.concatenate(values))

    a, b, c, d = map(sketch, values)

    assert a.merged(b).merged(c).merged(d) == whole
    assert d.merged(b).merged(c.merged(a)) == whole


def test_at_most_counts_values() -> None:
    made = sketch([-2.0, 0.0, 0.0, 3.0])

    assert [made.at_most(x) for x in (-np.inf, -3.0, -2.0, 1.0, 3.0, np.inf)] == [0, 0, 1, 3, 4, 4]
    assert sketch([]).at_most(0.0) == 0
    assert sketch([]).quantile(0.5) is None

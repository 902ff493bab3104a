"""Tests of all columns together: silent on draws, and they see what no column shows alone."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from pipeline.drift import classifier, mmd, past
from pipeline.drift.sample import Sample, draw
from pipeline.drift.whole import Whole

TESTS = [classifier.test, mmd.test]
RANDOM = np.random.default_rng(0)


def rows(count: int, sign: float) -> pl.LazyFrame:
    """Two columns whose distributions are the same whatever the sign of what they have in common."""
    a_N = RANDOM.normal(size=count)
    b_N = sign * a_N + 0.5 * RANDOM.normal(size=count)
    return pl.LazyFrame({"a": a_N, "b": b_N, "c": RANDOM.choice(["x", "y"], count)})


def sides(now: pl.LazyFrame) -> tuple[Sample, Sample]:
    then = rows(3000, 1.0)
    known = past.learn(then, {"a": "numeric", "b": "numeric", "c": "categorical"}, in_order=True)
    return draw(known, then), draw(known, now)


@pytest.mark.parametrize("test", TESTS)
def test_a_turned_dependence_is_found_and_a_draw_is_not(test: Callable[[Sample, Sample], Whole]) -> None:
    turned, drawn = test(*sides(rows(1500, -1.0))), test(*sides(rows(1500, 1.0)))

    assert turned.p < 1e-4
    assert turned.judged(0.01, 0.1).drift
    assert drawn.p > 0.01
    assert drawn.effect < 0.1


def test_the_columns_by_which_it_is_told_are_named() -> None:
    now = rows(1500, 1.0).with_columns(pl.col("c").replace("x", "y"))

    columns = classifier.test(*sides(now)).columns

    assert next(iter(columns)) == "c"
    assert columns["c"] > 10 * max([0.0, *(share for name, share in columns.items() if name != "c")])

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon

from pipeline.drift.categorical import Categories
from pipeline.drift.homogeneity import noise
from pipeline.profile import Categorical, profile


def column(values: Any) -> Categorical:
    made = profile(pl.LazyFrame({"x": pl.Series(values, dtype=pl.String)}), {"x": "categorical"}).columns["x"]
    assert isinstance(made, Categorical)
    return made


def counted(nulls: int = 0, other: int = 0, **counts: int) -> Categorical:
    return Categorical(nulls=nulls, counts=counts, other=other)


def test_effect_is_scipys() -> None:
    table = np.array([[700.0, 200.0, 100.0], [100.0, 50.0, 80.0]])

    made = Categories().compare(counted(a=700, b=200, c=100), counted(c=80, b=50, a=100))

    assert made.effect == pytest.approx(math.sqrt(jensenshannon(*table, base=2) ** 2 - noise(table)))


def test_unseen_category_is_drift() -> None:
    made = Categories().compare(counted(a=900, b=100), counted(a=450, b=50, new=500))

    assert made.p < 1e-9
    assert made.effect > 0.4


def test_missing_is_a_category() -> None:
    assert Categories().compare(counted(a=900), counted(a=450, nulls=450)).effect > 0.4
    assert Categories().compare(counted(a=900, nulls=90), counted(a=100, nulls=10)).effect == 0


def test_missing_is_not_the_text_null() -> None:
    assert Categories().compare(counted(null=1000), counted(nulls=1000)).effect > 0.99


def test_nothing_in_common() -> None:
    assert Categories().compare(counted(a=1000), counted(b=1000)).effect > 0.99


@pytest.mark.parametrize("distinct", [3, 300, 6000])
@pytest.mark.parametrize("rows", [500, 5000])
def test_clean_batches_raise_alarms_as_often_as_p_says(distinct: Any, rows: Any) -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(distinct))

    def draw(count: int) -> Categorical:
        return column(random.choice(distinct, size=count, p=shares).astype(str))

    reference = draw(50_000)

    ps = [Categories().compare(reference, draw(rows)).p for _ in range(100)]

    assert np.mean(np.array(ps) < 0.05) <= 0.1


def test_shift_in_one_of_very_many_categories_is_found_through_the_draw() -> None:
    random = np.random.default_rng(0)
    reference = column(random.integers(0, 6000, 50_000).astype(str))
    batch = column(random.integers(3000, 6000, 20_000).astype(str))

    made = Categories().compare(reference, batch)

    assert made.p < 1e-9
    assert made.effect > 0.15


def test_empty_sides_say_nothing() -> None:
    assert Categories().compare(counted(), counted(a=100)).effect == 0
    assert Categories().compare(counted(a=100), counted()).p == 1

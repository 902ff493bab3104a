"""What is drawn together: groups, stretches of time, rows; and that it makes intervals as wide as they ought to be."""

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import polars as pl
import pytest

from pipeline import metrics
from pipeline.contract import Contract
from pipeline.errors import SettingsError
from pipeline.judgement.units import FEWEST, STRETCHES, Resampling, blocks, require, units_of
from pipeline.metrics.score import interval, mean

ROWS = 200
HOW: tuple[Resampling, ...] = ("rows", "groups")


def agreed(*groups: str, time: str | None = None) -> Contract:
    return cast(Contract, SimpleNamespace(groups=list(groups), time=time, file=Path("shops.py")))


@pytest.mark.parametrize(("how", "role"), [("groups", "group"), ("time", "time")])
def test_what_no_column_says_cannot_be_drawn(how: Resampling, role: str) -> None:
    with pytest.raises(SettingsError, match=rf"evaluate\.resample: no column has the role `{role}`.*shops\.py"):
        require(how, agreed())

    require(how, agreed("shop", time="at"))
    require("auto", agreed())


def rows() -> pl.DataFrame:
    first = datetime(2024, 1, 1)
    stamps = [first + timedelta(hours=hour) for hour in range(ROWS)]
    return pl.DataFrame({"shop": [f"s{i % 8}" for i in range(ROWS)], "at": stamps}).sample(ROWS, shuffle=True, seed=0)


@pytest.mark.parametrize(
    ("contract", "how", "in_time", "by", "units"),
    [
        (agreed("shop", time="at"), "auto", True, "groups", 8),
        (agreed(time="at"), "auto", True, "time", STRETCHES),
        (agreed(time="at"), "auto", False, "rows", ROWS),
        (agreed(), "auto", False, "rows", ROWS),
        (agreed("shop"), "rows", False, "rows", ROWS),
        (agreed("shop", time="at"), "time", False, "time", STRETCHES),
        (agreed(time="at"), "groups", True, "rows", ROWS),
    ],
)
def test_what_is_drawn(contract: Contract, how: Resampling, in_time: bool, by: str, units: int) -> None:
    found = units_of(rows(), contract, how, in_time=in_time)

    assert (found.record.by, found.record.units) == (by, units)
    assert np.unique(found.unit_N).tolist() == list(range(units))


def test_rows_of_a_group_are_one_unit_and_those_of_none_are_alone() -> None:
    part = pl.DataFrame({"shop": ["a", None, "b", "a", None, "c", "d"]})

    unit_N = units_of(part, agreed("shop"), "auto", in_time=False).unit_N

    assert unit_N[0] == unit_N[3]
    assert len(set(unit_N)) == 6


def test_stretches_follow_each_other_and_rows_of_one_moment_stay_together() -> None:
    part = rows()
    part = pl.concat([part, part.head(30)])

    found = units_of(part, agreed(time="at"), "auto", in_time=True)

    spans = part.with_columns(unit=pl.Series(found.unit_N)).group_by("unit").agg(
        first=pl.col("at").min(), last=pl.col("at").max()
    ).sort("unit")  # fmt: skip
    assert (spans["first"][1:] > spans["last"][:-1]).all()


def test_rows_without_a_time_are_drawn_too() -> None:
    part = rows().with_columns(at=pl.when(pl.int_range(pl.len()) >= 20).then("at"))

    assert len(units_of(part, agreed(time="at"), "auto", in_time=True).unit_N) == ROWS


def test_too_few_units_say_nothing_and_rows_are_drawn() -> None:
    part = pl.DataFrame({"shop": [f"s{i % (FEWEST - 1)}" for i in range(40)]})

    assert units_of(part, agreed("shop"), "auto", in_time=False).record.by == "rows"


def test_blocks_are_those_of_before() -> None:
    assert (
        metrics.resamples(10, seed=3, count=5, unit_N=blocks(10, 4).unit_N) == metrics.resamples(10, 3, 5, block=4)
    ).all()


def test_of_rows_that_are_alike_the_interval_is_as_wide_as_it_ought_to_be() -> None:
    """20 rows of each of 30 groups, all as their group is: the mean has the error of 30 rows, not of 600."""
    held = {"rows": 0, "groups": 0}
    for seed in range(60):
        random = np.random.default_rng(seed)
        shop_N = np.repeat(np.arange(30), 20)
        value_N = random.normal(size=30)[shop_N] + 0.1 * random.normal(size=600)
        part = pl.DataFrame({"shop": shop_N.astype(str)})
        for how in HOW:
            unit_N = units_of(part, agreed("shop"), how, in_time=False).unit_N
            low, high = interval(mean(value_N, metrics.resamples(600, seed, unit_N=unit_N))[1:])
            held[how] += low <= 0 <= high

    assert held["groups"] >= 0.85 * 60
    assert held["rows"] <= 0.6 * 60

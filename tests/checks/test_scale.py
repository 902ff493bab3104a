"""Scale: other units within a column, within a file and since the reference; rounded numbers."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.checks.scale import DigitHeaping, UnitScaleJump
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
SHARED = Path(__file__).parents[3] / "shared" / "data"
RANDOM = np.random.default_rng(11)
INCHES = RANDOM.normal(68, 3, 1000)
MIXED = [*INCHES, *(INCHES[:40] * 2.54)]
AGES = RANDOM.integers(18, 90, 2000)
PLANTED: dict[str, Callable[[int], Table]] = {
    "unit_scale_jump": lambda parts: made({"height": MIXED}, parts=parts),
    "digit_heaping": lambda parts: made({"age": [*AGES, *(AGES // 10 * 10)]}, parts=parts),
}


def test_values_in_another_unit_are_told_and_converted(make: Make) -> None:
    (hit,) = hits(UnitScaleJump(), make({"height": MIXED}, parts=3))

    assert hit.flags is not None
    told = [int(row.removeprefix("rows#")) for row in hit.flags["row_id"]]
    assert set(told) <= set(range(1000, 1040)) and len(told) >= 39
    assert hit.flags["suggested"].cast(pl.Float64).to_numpy() == pytest.approx(INCHES[[row - 1000 for row in told]])
    assert "inches and centimetres" in hit.message


@pytest.mark.parametrize("factor", [0.001, 0.01, 0.1, 1 / 12, 10, 12, 100, 1000])
def test_both_directions_are_told_by_the_right_factor(make: Make, factor: float) -> None:
    (hit,) = hits(UnitScaleJump(), make({"height": [*INCHES, *(INCHES[:40] * factor)]}))

    assert hit.observed == pytest.approx(factor)


def test_tails_levels_and_other_groups_are_no_units(make: Make) -> None:
    columns: dict[str, Any] = {
        "pareto": RANDOM.pareto(1, 2000) + 1,
        "lognormal": RANDOM.lognormal(0, 1, 2000),
        "level": [1] * 1900 + [100] * 100,
        "decades": 10.0 ** RANDOM.integers(0, 4, 2000),
        "other": [*RANDOM.normal(68, 3, 1900), *RANDOM.normal(120, 5, 100)],
    }

    assert hits(UnitScaleJump(), make({name: RANDOM.permutation(values) for name, values in columns.items()})) == []


def test_a_part_of_the_file_in_another_unit_is_told(make: Make) -> None:
    fahrenheit = RANDOM.normal(60, 18, 3000)
    celsius = [*fahrenheit[:1200], *((fahrenheit[1200:1800] - 32) / 1.8), *fahrenheit[1800:]]

    (hit,) = hits(UnitScaleJump(), make({"temp": celsius}, parts=2))

    assert (hit.rows, hit.severity) == (600, "warning")
    assert "Fahrenheit and Celsius" in hit.message
    assert hits(UnitScaleJump(), make({"temp": fahrenheit})) == []


def test_a_wide_column_that_changes_within_a_block_is_told(make: Make) -> None:
    wide = RANDOM.lognormal(3, 1, 3000)
    wide[2222:] *= 1000

    (hit,) = hits(UnitScaleJump(), make({"x": wide}))

    assert hit.observed == 1000


def test_a_series_that_grows_is_in_one_unit(make: Make) -> None:
    growing = RANDOM.normal(100, 10, 3000) * np.linspace(1, 10, 3000)

    assert hits(UnitScaleJump(), make({"x": growing})) == []


@pytest.mark.parametrize(("factor", "told"), [(1.0, 0), (1.3, 0), (1.609344, 1), (1000.0, 1)])
def test_another_unit_than_the_references_is_told(make: Make, factor: float, told: int) -> None:
    before, now = RANDOM.lognormal(3, 0.3, 2000), RANDOM.lognormal(3, 0.3, 2000) * factor
    table = dataclasses.replace(make({"x": now}), reference=make({"x": before}))

    assert len(hits(UnitScaleJump(), table)) == told


def test_rounded_numbers_are_told(make: Make) -> None:
    (hit,) = hits(DigitHeaping(), make({"age": [*AGES, *(AGES // 10 * 10)]}))

    assert hit.severity == "info"
    assert "multiple of 10" in hit.message


def test_even_digits_a_coarse_unit_and_one_common_value_are_no_rounding(make: Make) -> None:
    columns = {
        "age": AGES,
        "angle": AGES * 10,
        "price": AGES / 7,
        "standard": np.where(np.arange(2000) % 2, 40, AGES),
    }

    assert hits(DigitHeaping(), make(columns)) == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data is absent")
def test_reported_heights_are_told_in_feet_and_in_centimetres(make: Make) -> None:
    frame = pl.read_csv(SHARED / "demos" / "reported_heights.csv").with_columns(
        pl.col("height").cast(float, strict=False)
    )

    found = {round(float(hit.observed or 0), 3): hit.rows for hit in hits(UnitScaleJump(), make(frame))}

    assert found == {2.54: 92, 0.083: 86}


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data is absent")
@pytest.mark.parametrize("file", ["series/ETTh1.csv", "tables/california/housing.csv", "flights/2013-07.csv.gz"])
def test_real_columns_of_one_unit_are_silent(make: Make, file: str) -> None:
    frame = pl.read_csv(SHARED / file, null_values="NA", infer_schema_length=None)

    assert hits(UnitScaleJump(), make(frame)) == []

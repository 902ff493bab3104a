"""Levels: numbers that move along the time axis once, and for good."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.signal import lfilter

from pipeline.checks.levels import LevelShift, level_shift
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

ROWS = 1200
START = datetime(2024, 1, 1)
DATA = Path(__file__).parents[3] / "shared" / "data"
Floats = np.ndarray[Any, np.dtype[np.float64]]


def hours(count: int) -> list[datetime]:
    return [START + timedelta(hours=i) for i in range(count)]


def wave(count: int = ROWS, seed: int = 0) -> Floats:
    """A day's wave and a year's, with noise."""
    place = np.arange(count)
    noise = np.random.default_rng(seed).normal(size=count)
    return 2 * np.sin(place * math.tau / 24) + 2 * np.sin(place * math.tau / count) + noise


def moved(at: int = 500, by: float = 30.0, count: int = ROWS) -> Floats:
    return wave(count) + by * (np.arange(count) >= at)


def shifted(parts: int = 1) -> Table:
    return made({"t": hours(ROWS), "x": moved().tolist(), "calm": wave(seed=1).tolist()}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {"ts_level_shift": shifted}


def test_a_level_that_moves_for_good_is_told_with_its_moment() -> None:
    (hit,) = hits(LevelShift(), shifted())

    assert (hit.column, hit.severity) == ("x", "warning")
    assert "2024-01-21 20:00:00" in hit.message, "the hour with the number 500"


def test_rows_are_taken_in_the_order_of_time() -> None:
    rows = shifted().rows.collect().drop("row_id")
    shuffled = made(rows.sample(fraction=1.0, shuffle=True, seed=3))

    assert [hit.message for hit in hits(LevelShift(), shuffled)] == [h.message for h in hits(LevelShift(), shifted())]


@pytest.mark.parametrize("at", [100, 300, 777, 1100])
@pytest.mark.parametrize("by", [-30.0, 30.0])
def test_the_place_is_that_of_the_first_row_after(at: int, by: float) -> None:
    shift = level_shift(moved(at, by))

    assert shift is not None
    assert shift.place == at
    assert shift.after - shift.before == pytest.approx(by, abs=3)


@pytest.mark.parametrize("kind", ["wave", "trend", "hump", "burst", "alternating", "small"])
def test_what_comes_slowly_goes_back_or_is_small_is_silent(kind: str) -> None:
    place = np.arange(ROWS)
    added = {
        "wave": 30 * np.sin(place * math.tau / ROWS),
        "trend": place / 10,
        "hump": 30 * ((place > 400) & (place < 800)),
        "burst": 30.0 * ((place > 400) & (place < 440)),
        "alternating": 30 * (place // 100 % 2),
        "small": 0.5 * (place >= 500),
    }[kind]

    assert hits(LevelShift(), made({"t": hours(ROWS), "x": (wave() + added).tolist()})) == []


@pytest.mark.parametrize("kind", ["walk", "shares", "autoregressive", "heavy", "zeros", "counts"])
def test_series_that_only_wander_give_no_warning(kind: str) -> None:
    told = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=ROWS)
        values = {
            "walk": np.cumsum(noise),
            "shares": np.exp(np.cumsum(noise) / 20),
            "autoregressive": lfilter([1], [1, -0.97], noise),
            "heavy": rng.standard_cauchy(ROWS),
            "zeros": np.where(rng.random(ROWS) < 0.9, 0, noise),
            "counts": rng.poisson(3, ROWS).astype(np.float64),
        }[kind]
        told += hits(LevelShift(), made({"t": hours(ROWS), "x": values.tolist()}))

    assert [hit for hit in told if hit.severity == "warning"] == []
    assert len(told) <= 1


def test_a_single_series_of_several_is_named() -> None:
    values = [*wave(seed=2), *moved(), *wave(seed=3)]
    rows: dict[str, list[Any]] = {"t": hours(ROWS) * 3, "g": ["a"] * ROWS + ["b"] * ROWS + ["c"] * ROWS, "x": values}

    (hit,) = hits(LevelShift(), made(rows))

    assert hit.message.startswith("x of b moves")


def test_missing_and_infinite_numbers_are_passed_over() -> None:
    values: list[float | None] = [*moved()]
    values[::7] = [None] * len(values[::7])
    values[1], values[2] = math.inf, math.nan

    (hit,) = hits(LevelShift(), made({"t": hours(ROWS), "x": values}))

    assert "2024-01-21" in hit.message


def test_a_jump_between_two_constants_has_a_ratio() -> None:
    values = np.where(np.arange(ROWS) < 600, 1.0, 2.0)

    shift = level_shift(values)

    assert shift is not None
    assert shift.place == 600
    assert math.isfinite(shift.ratio)


@pytest.mark.parametrize("values", [[], [1.0] * ROWS, wave(100).tolist(), [1e308, -1e308] * 600])
def test_few_rows_and_no_level_give_no_shift(values: list[float]) -> None:
    assert level_shift(np.array(values)) is None


def test_without_time_or_numbers_it_is_skipped() -> None:
    timeless: dict[str, list[Any]] = {"x": moved().tolist()}
    states: dict[str, list[Any]] = {"t": hours(ROWS), "x": [i % 5 for i in range(ROWS)]}

    for rows in (timeless, states):
        assert isinstance(next(iter(LevelShift().hits(made(rows)))), Skipped)


@pytest.mark.parametrize("name", ["series/ETTh1.csv", "drift/elec2.csv", "drift/noaa_weather.csv"])
def test_real_series_give_no_warning(name: str) -> None:
    if not (DATA / name).is_file():
        pytest.skip("shared/data is absent")
    frame = pl.read_csv(DATA / name)
    rows = frame.select(pl.col(pl.Float64)).with_columns(t=pl.Series(hours(frame.height)))

    assert [hit.message for hit in hits(LevelShift(), made(rows)) if hit.severity == "warning"] == []

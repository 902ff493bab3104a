"""Series: values that stick, jump or fall back along the time axis."""

import math
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.checks.series import Flatline, Monotonic, Spike, outstanding
from pipeline.quality.findings import Hit, Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
START = datetime(2024, 1, 1)
DATA = Path(__file__).parents[3] / "shared" / "data"
CHECKS = (Flatline(), Spike(), Monotonic())


def hours(count: int) -> list[datetime]:
    return [START + timedelta(hours=i) for i in range(count)]


def walk(count: int, seed: int = 1) -> list[float]:
    """A noisy wave: never twice the same value in a row."""
    drawn = random.Random(seed)
    return [10 * math.sin(i / 12) + drawn.gauss(0, 1) for i in range(count)]


def series(values: list[Any], parts: int = 1) -> Table:
    rows: dict[str, list[Any]] = {"t": hours(len(values)), "x": values}
    return made(rows, parts=parts)


def stuck(parts: int = 1) -> Table:
    values: list[Any] = [*walk(400)]
    values[100:150] = [values[100]] * 50
    return series(values, parts)


def spiked(parts: int = 1) -> Table:
    values: list[Any] = [*walk(400)]
    values[77] = 999.0
    return series(values, parts)


def counter(parts: int = 1) -> Table:
    values: list[Any] = [2.0 * i for i in range(400)]
    values[200] = 12.0
    return series(values, parts)


PLANTED: dict[str, Callable[[int], Table]] = {
    "ts_flatline": stuck,
    "ts_spike": spiked,
    "monotonic": counter,
}


def flagged(hit: Hit) -> list[str]:
    assert hit.flags is not None
    return hit.flags["row_id"].to_list()


def told(table: Table) -> list[str]:
    return [f"{hit.check} {hit.column}" for check in CHECKS for hit in hits(check, table)]


def test_a_run_far_longer_than_all_others_is_flagged() -> None:
    (hit,) = hits(Flatline(), stuck())

    assert flagged(hit) == [f"rows#{i}" for i in range(100, 150)]
    assert (hit.column, hit.observed, hit.severity) == ("x", 50.0, "warning")


def test_rows_are_taken_in_the_order_of_time() -> None:
    rows = stuck().rows.collect().sample(fraction=1.0, shuffle=True, seed=4).drop("row_id")

    (hit,) = hits(Flatline(), made(rows))

    assert hit.rows == 50


def test_runs_that_are_all_long_are_a_habit(make: Make) -> None:
    prices = [float(i // 30 * 7 % 100) for i in range(3000)]
    dry = [0.0 if i % 97 < 80 else float(i % 97) for i in range(3000)]

    assert hits(Flatline(), make({"t": hours(3000), "price": prices, "rain": dry})) == []


def test_missing_values_are_no_flat_line() -> None:
    values: list[Any] = [*walk(400)]
    values[100:150] = [None] * 50

    assert told(series(values)) == []


def test_a_number_far_off_its_neighbours_is_flagged() -> None:
    (hit,) = hits(Spike(), spiked())

    assert hit.flags is not None
    assert hit.flags.select("row_id", "value").rows() == [("rows#77", "999.0")]


@pytest.mark.parametrize("kind", ["step", "ends", "burst"])
def test_what_stays_what_ends_and_what_comes_often_is_no_spike(kind: str) -> None:
    values: list[Any] = [*walk(400)]
    if kind == "step":
        values[200:] = [900.0 + (value or 0) for value in values[200:]]
    if kind == "ends":
        values[0] = values[-1] = 900.0
    if kind == "burst":
        values[::9] = [900.0 + i for i in range(45)]

    assert hits(Spike(), series(values)) == []


def test_infinite_and_missing_numbers_are_passed_over() -> None:
    values: list[Any] = [*walk(400)]
    values[10], values[20], values[30] = math.inf, math.nan, None

    assert told(series(values)) == []


def test_a_counter_that_turns_back_is_flagged() -> None:
    (hit,) = hits(Monotonic(), counter())

    assert (flagged(hit), hit.severity) == (["rows#200"], "info")


def test_cycles_and_waves_may_turn(make: Make) -> None:
    rows: dict[str, list[Any]] = {"t": hours(3000), "minute": [i % 1000 for i in range(3000)], "wave": walk(3000)}

    assert hits(Monotonic(), make(rows)) == []


@pytest.mark.parametrize("group", [False, True])
def test_of_very_many_rows_the_newest_or_some_entities_are_read(
    make: Make, monkeypatch: pytest.MonkeyPatch, group: bool
) -> None:
    monkeypatch.setattr("pipeline.checks.series.MOST_ROWS", 200)
    rows: dict[str, list[Any]] = {"t": hours(100) * 8 if group else hours(800), "x": walk(800)}
    rows |= {"g": [f"sensor {i // 100}" for i in range(800)]} if group else {}

    (said,) = Flatline().hits(make(rows))

    assert isinstance(said, Skipped)
    assert said.rows is not None and 400 <= said.rows < 800


def test_events_are_not_asked(make: Make) -> None:
    drawn = random.Random(7)
    stamps = [START + timedelta(seconds=drawn.expovariate(0.01) * i) for i in range(500)]

    assert told(make({"t": stamps, "x": [0.0] * 400 + walk(100)})) == []


def test_a_gap_in_the_tail_is_told_by_its_size() -> None:
    assert outstanding(np.array([50.0, *[10.0] * 200]), 4) == 1
    assert outstanding(np.array([50.0, *[0.0] * 200]), 4) == 0
    assert outstanding(np.array([]), 4) == 0


def read(name: str) -> pl.DataFrame:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return pl.read_csv(path)


def test_three_columns_of_the_electricity_market_are_frozen_at_first(make: Make) -> None:
    rows = read("drift/elec2.csv")
    stamps = [datetime(1996, 5, 7) + timedelta(minutes=30 * i) for i in range(rows.height)]

    found = {hit.column: hit for hit in hits(Flatline(), make(rows.with_columns(t=pl.Series(stamps))))}

    assert {name: hit.observed for name, hit in found.items()} == dict.fromkeys(("feat_4", "feat_5", "feat_6"), 17_424)


def test_the_weathers_impossible_wind_is_a_spike_and_nothing_stands_still(make: Make) -> None:
    rows = read("demos/weather_hourly.csv.gz").rename({"origin": "g"})
    table = make(rows.with_columns(t=pl.datetime("year", "month", "day", "hour")).drop("time_hour"))

    found = {hit.column: hit for hit in hits(Spike(), table)}

    assert {name: hit.rows for name, hit in found.items()} == {"temp": 1, "wind_speed": 1}
    assert "to 1048.36" in found["wind_speed"].message
    assert told(table) == ["ts_spike temp", "ts_spike wind_speed"]


def test_the_traffics_frost_of_0_kelvin_is_found(make: Make) -> None:
    rows = read("series/metro_traffic.csv.gz").with_columns(t=pl.col("date_time").str.to_datetime()).drop("date_time")

    found = {hit.column: hit.rows for hit in hits(Spike(), make(rows))}

    assert found == {"temp": 4, "rain_1h": 1}


def test_transformer_temperatures_have_no_spike(make: Make) -> None:
    rows = read("series/ETTh1.csv").with_columns(t=pl.col("date").str.to_datetime()).drop("date")

    assert {name.split()[0] for name in told(make(rows))} == {"ts_flatline"}  # each 31st stands still for 24 hours

"""The time axis: stretches without a row, stamps that repeat, stand out of order or cannot be right."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipeline.checks.timeaxis import (
    DuplicateTimestamp,
    FutureOrEpochTimestamp,
    IrregularFrequency,
    OutOfOrder,
    Step,
    TimeGap,
    inferred_step,
)
from pipeline.checks.timeline import STAMP
from pipeline.quality.findings import Hit, Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
MONDAY = datetime(2024, 1, 1)
DATA = Path(__file__).parents[3] / "shared" / "data"
CHECKS = (TimeGap(), DuplicateTimestamp(), OutOfOrder(), IrregularFrequency(), FutureOrEpochTimestamp())


def every(hours: float, count: int, *, without: Callable[[datetime], bool] = lambda stamp: False) -> list[datetime]:
    stamps = [MONDAY + timedelta(hours=hours * i) for i in range(count)]
    return [stamp for stamp in stamps if not without(stamp)]


def at(stamps: Sequence[datetime | None], groups: Sequence[str] | None = None, parts: int = 1) -> Table:
    rows = pl.DataFrame({"t": pl.Series(stamps, dtype=pl.Datetime("us")), "y": [True] * len(stamps)})
    return made(rows if groups is None else rows.with_columns(g=pl.Series(groups)), parts=parts)


def step(stamps: list[datetime]) -> int | None:
    micro = pl.Series(STAMP, stamps, dtype=pl.Datetime("us")).cast(pl.Int64)
    return inferred_step(micro.to_frame().lazy(), 0.9)


def flagged(hit: Hit) -> list[str]:
    assert hit.flags is not None
    return hit.flags["row_id"].to_list()


def told(table: Table) -> list[str]:
    return [hit.check for check in CHECKS for hit in hits(check, table)]


def sensors(parts: int = 1) -> Table:
    """Two sensors by the hour, one after the other: b lacks 5 and 6 o'clock and has 9 o'clock twice."""
    hours = every(1, 48)
    b = [*hours[:5], *hours[7:10], hours[9], *hours[10:]]
    return at([*hours, *b], ["a"] * 48 + ["b"] * len(b), parts)


def swapped(parts: int = 1) -> Table:
    """Rows 10 and 11 changed places."""
    hours = every(1, 40)
    return at([*hours[:10], hours[11], hours[10], *hours[12:]], parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {
    "ts_gap": sensors,
    "ts_duplicate_timestamp": sensors,
    "ts_out_of_order": swapped,
    "ts_irregular_frequency": lambda parts: at([*every(1, 40), MONDAY + timedelta(hours=40.4)], parts=parts),
    "ts_future_or_epoch_timestamp": lambda parts: at([datetime(1970, 1, 1), *every(24, 40)], parts=parts),
}


def test_a_missing_day_of_daily_rows_is_a_gap() -> None:
    (hit,) = hits(TimeGap(), at(every(24, 28, without=lambda stamp: stamp.day == 10)))

    assert (hit.observed, hit.column) == (1, "t")
    assert hit.message == "1 step of 1d has no row, in 1 stretch"
    assert hit.examples == ["after 2024-01-09 00:00:00 until 2024-01-11 00:00:00"]


def test_a_month_that_was_lost_is_a_gap_however_large_its_share() -> None:
    (hit,) = hits(TimeGap(), at(every(24, 91, without=lambda stamp: stamp.month == 2)))

    assert hit.observed == 29


def test_a_lost_week_of_hourly_rows_is_a_gap() -> None:
    (hit,) = hits(TimeGap(), at(every(1, 24 * 28, without=lambda stamp: 8 <= stamp.day < 15)))

    assert hit.observed == 7 * 24


@pytest.mark.parametrize("hours", [1 / 6, 0.5, 1, 3, 12, 24, 24 * 7])
def test_a_missing_step_is_found_whatever_the_step(hours: float) -> None:
    stamps = every(hours, 60)

    (hit,) = hits(TimeGap(), at([*stamps[:30], *stamps[31:]]))

    assert hit.observed == 1


def test_months_are_steps_though_they_differ() -> None:
    months = [datetime(2019 + i // 12, i % 12 + 1, 1) for i in range(60)]

    assert told(at(months)) == []
    assert told(at([*months[:20], *months[21:]])) == ["ts_gap"]


def test_rows_in_every_step_have_no_gap() -> None:
    assert hits(TimeGap(), at(every(1, 24 * 7))) == []


def test_nights_and_weekends_are_no_gaps() -> None:
    shut = every(1, 24 * 35, without=lambda stamp: not 8 <= stamp.hour < 18 or stamp.weekday() > 4)
    working_days = every(24, 365, without=lambda stamp: stamp.weekday() > 4)

    assert told(at(shut)) == []
    assert told(at(working_days)) == []


def test_holes_are_told_by_entity() -> None:
    (hit,) = hits(TimeGap(), sensors())

    assert hit.message == "2 steps of 1h have no row, in 1 stretch (b 2)"
    assert hit.examples == ["b after 2024-01-01 04:00:00 until 2024-01-01 07:00:00"]


def test_an_entity_that_ends_earlier_has_no_hole_after_its_end() -> None:
    assert told(at([*every(1, 48), *every(1, 20)], ["a"] * 48 + ["b"] * 20)) == []


@pytest.mark.parametrize(
    ("hours", "count", "found"),
    [(1 / 60, 300, 60), (0.25, 300, 900), (1, 300, 3600), (24, 60, 86_400), (7 * 24, 30, 604_800), (720, 12, None)],
)
def test_the_step_of_events_is_that_of_the_rows(hours: float, count: int, found: int | None) -> None:
    assert step(every(hours, count)) == found


def test_one_stamp_and_no_stamp_have_no_step() -> None:
    assert step([MONDAY, MONDAY]) is None
    assert step([]) is None


def test_a_stated_step_is_taken() -> None:
    stated: Step = "1h"

    (hit,) = hits(TimeGap(step=stated), at([MONDAY, MONDAY + timedelta(hours=3)]))

    assert hit.observed == 2


def test_rows_without_a_time_or_an_entity_are_passed_over() -> None:
    assert told(at([None, *every(24, 10), None])) == []
    assert told(at([MONDAY, *every(24, 20)], [None, *["a"] * 20])) == []  # type: ignore[list-item]


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("ms"), pl.Datetime("us", "Europe/Paris")])
def test_every_kind_of_time_axis_is_read(make: Make, dtype: pl.DataType) -> None:
    days = pl.Series("t", every(24, 28, without=lambda stamp: stamp.day == 10))
    times = (
        days.dt.replace_time_zone("Europe/Paris") if dtype == pl.Datetime("us", "Europe/Paris") else days.cast(dtype)
    )

    (hit,) = hits(TimeGap(), make({"t": times, "y": [True] * 27}))

    assert hit.observed == 1


@pytest.mark.parametrize("check", CHECKS)
def test_a_contract_without_a_time_axis_is_not_asked(make: Make, check: TimeGap) -> None:
    (said,) = check.hits(make({"x": [1, 2], "y": [True, False]}))

    assert said == Skipped(why="no column has the role time")


def test_the_later_row_of_a_stamp_is_flagged_per_entity() -> None:
    (hit,) = hits(DuplicateTimestamp(), sensors())

    assert flagged(hit) == ["rows#56"]


def test_events_may_share_a_stamp() -> None:
    stamps = [MONDAY + timedelta(minutes=i * i % 997) for i in range(800)]

    assert told(at(sorted(stamps))) == []
    assert told(at(stamps)) == []


def test_a_day_without_any_of_many_events_is_a_gap_and_a_day_without_one_of_few_is_none() -> None:
    drawn = random.Random(11)
    days = [day for day in range(200) if day != 77]
    many = [MONDAY + timedelta(days=day, seconds=drawn.randrange(86_400)) for day in days for _ in range(40)]
    few = [MONDAY + timedelta(minutes=drawn.randrange(200 * 1440)) for _ in range(600)]

    (hit,) = hits(TimeGap(), at(many))

    assert hit.message.startswith("1 step of 1d")
    assert hits(TimeGap(), at(sorted(few))) == []


def test_a_row_before_its_forerunner_is_flagged() -> None:
    (hit,) = hits(OutOfOrder(), swapped())

    assert flagged(hit) == ["rows#11"]


def test_entities_that_alternate_or_follow_each_other_are_in_order() -> None:
    hours = every(1, 40)
    turns = [hour for hour in hours for _ in "ab"]

    assert told(at(turns, ["a", "b"] * 40)) == []
    assert hits(OutOfOrder(), at([*hours, *hours])) == []  # the second series begins again


def test_stamps_off_the_step_are_flagged() -> None:
    hours = every(1, 40)

    (hit,) = hits(IrregularFrequency(), at([*hours[:20], hours[20] - timedelta(minutes=20), *hours[20:]]))

    assert flagged(hit) == ["rows#20", "rows#21"]
    assert "steps of 1h" in hit.message


def test_jitter_of_a_tenth_is_regular() -> None:
    jittered = [stamp + timedelta(seconds=i * 7919 % 160) for i, stamp in enumerate(every(1, 100))]

    assert told(at(jittered)) == []


@pytest.mark.parametrize("stamp", [datetime(1970, 1, 1), datetime(1900, 1, 1), datetime(2099, 5, 1)])
def test_a_stamp_that_cannot_be_is_flagged(stamp: datetime) -> None:
    (hit,) = hits(FutureOrEpochTimestamp(), at([*every(24, 40), stamp, None]))

    assert flagged(hit) == ["rows#40"]


def test_what_is_latest_can_be_stated() -> None:
    table = at(every(24, 40))

    (hit,) = hits(FutureOrEpochTimestamp(latest=datetime(2024, 2, 7, 12)), table)

    assert flagged(hit) == ["rows#38", "rows#39"]


def test_history_that_begins_in_1970_is_no_fault() -> None:
    assert hits(FutureOrEpochTimestamp(), at([datetime(1970 + i, 1, 1) for i in range(50)])) == []


@pytest.mark.parametrize("table", [at([]), at([MONDAY]), at([MONDAY] * 30), at([None] * 3), at([], [])])
def test_tables_without_an_axis_to_speak_of_are_silent(table: Table) -> None:
    assert told(table) == []


def source(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path


@pytest.fixture
def weather(make: Make) -> Table:
    """Hourly weather of three airports; local hours."""
    rows = pl.read_csv(source("demos/weather_hourly.csv.gz"))
    return make(rows.select(g="origin", t=pl.datetime("year", "month", "day", "hour")))


def test_the_weather_lacks_hours_and_repeats_one_at_each_airport(weather: Table) -> None:
    (gap,) = hits(TimeGap(), weather)
    (twice,) = hits(DuplicateTimestamp(), weather)

    assert "(EWR 28, JFK 25, LGA 25)" in gap.message
    assert twice.flags is not None
    assert twice.flags["value"].to_list() == ["2013-11-03 01:00:00"] * 3
    assert sorted(told(weather)) == ["ts_duplicate_timestamp", "ts_gap"]


def test_the_traffic_repeats_and_lacks_hours(make: Make) -> None:
    rows = pl.read_csv(source("series/metro_traffic.csv.gz"))
    table = make(rows.select(t=pl.col("date_time").str.to_datetime()))

    (gap,) = hits(TimeGap(), table)
    (twice,) = hits(DuplicateTimestamp(), table)

    assert (gap.observed, twice.rows) == (11_976, 7_629)
    assert sorted(told(table)) == ["ts_duplicate_timestamp", "ts_gap"]


def test_transformer_temperatures_have_a_clean_axis(make: Make) -> None:
    rows = pl.read_csv(source("series/ETTh1.csv"))

    assert told(make(rows.select(t=pl.col("date").str.to_datetime()))) == []

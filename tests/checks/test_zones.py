"""Clocks that change, and offsets among stamps without."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from pipeline.checks.zones import ZONES, TimezoneOrDst
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
DATA = Path(__file__).parents[3] / "shared" / "data"
HOURS = pl.datetime_range(datetime(2021, 1, 1), datetime(2022, 12, 31), "1h", time_zone="UTC", eager=True)


def local(zone: str, parts: int = 1) -> Table:
    """Each hour of two years, as a clock on the wall showed it."""
    shown = HOURS.dt.convert_time_zone(zone).dt.replace_time_zone(None, ambiguous="earliest")
    return made(pl.DataFrame({"t": shown}), parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {"ts_timezone_or_dst": lambda parts: local("Europe/Berlin", parts)}


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Europe/London", "Australia/Sydney"])
def test_local_time_is_told_with_its_zone(zone: str) -> None:
    (hit,) = hits(TimezoneOrDst(), local(zone))

    assert hit.observed == 1.0
    assert f"such as {zone}: at 4 of 4 changes" in hit.message


def test_another_zone_with_the_same_rule_is_told() -> None:
    (hit,) = hits(TimezoneOrDst(), local("America/Chicago"))

    assert "such as America/New_York" in hit.message


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_time_without_changes_is_not_told(zone: str) -> None:
    assert hits(TimezoneOrDst(), local(zone)) == []


def test_holes_elsewhere_are_no_change_of_clocks(make: Make) -> None:
    assert hits(TimezoneOrDst(), make(pl.DataFrame({"t": HOURS.filter(HOURS.dt.ordinal_day() % 9 != 4)}))) == []


def test_days_do_not_show_the_hours_of_a_clock(make: Make) -> None:
    assert hits(TimezoneOrDst(), make(pl.DataFrame({"t": HOURS.dt.date().unique().sort()}))) == []


def test_stamps_with_an_offset_among_those_without_are_flagged(make: Make) -> None:
    stamps = [("rows#1", "t", "2024-01-01T10:00:00+02:00"), ("rows#2", "t", "2024-01-01T10:00:00Z")]
    table = make({"t": [datetime(2024, 1, 1), None, None]}, unparsed=[*stamps, ("rows#2", "x", "1:00Z")])

    (hit,) = hits(TimezoneOrDst(), table)

    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == ["rows#1", "rows#2"]
    assert "(+02:00, Z)" in hit.message


def test_every_zone_is_known() -> None:
    assert all(HOURS.dt.convert_time_zone(zone).len() for zone in ZONES)


def test_the_weathers_local_hours_are_new_yorks_and_its_utc_is_none(make: Make) -> None:
    path = DATA / "demos" / "weather_hourly.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    rows = pl.read_csv(path)
    utc = pl.col("time_hour").str.to_datetime("%Y-%m-%d %H:%M:%S%z")

    (hit,) = hits(TimezoneOrDst(), make(rows.select(g="origin", t=pl.datetime("year", "month", "day", "hour"))))

    assert "America/New_York: at 6 of 6 changes" in hit.message
    assert hits(TimezoneOrDst(), make(rows.select(g="origin", t=utc))) == []

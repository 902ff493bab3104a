"""Time stamps: cycles that train spans, circles that close, and what is missing."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.timestamp import SECONDS, Cycle, TimestampEncoder, TimestampSettings

START = datetime(2024, 1, 1)


def fitted(days: float, settings: TimestampSettings | None = None) -> TimestampEncoder:
    rows = pl.LazyFrame({"x": [START, START + timedelta(days=days)]})
    return TimestampEncoder.fit("x", rows, settings or TimestampSettings())


def angle(waves: np.ndarray, cycle: Cycle, cycles: tuple[Cycle, ...]) -> np.ndarray:
    """Where in its cycle each row is, in 0..1."""
    place = 2 * cycles.index(cycle)
    turn: np.ndarray = np.arctan2(waves[:, place], waves[:, place + 1]) / (2 * np.pi)
    return turn % 1


@pytest.mark.parametrize(
    ("days", "cycles"),
    [(1.9, ()), (2, ("day",)), (13, ("day",)), (14, ("day", "week")), (731, ("day", "week", "year"))],
)
def test_a_cycle_is_used_when_train_spans_it_twice(days: float, cycles: tuple[Cycle, ...]) -> None:
    assert fitted(days).cycles == cycles


def test_only_the_cycles_of_the_settings_are_used() -> None:
    encoder = fitted(800, TimestampSettings(cycles=("week",)))

    assert encoder.outputs == ["x sine of week", "x cosine of week"]


def test_the_angles_are_those_of_the_calendar() -> None:
    encoder = fitted(800)
    stamps = pl.Series([datetime(2024, 1, 1, 6), datetime(2024, 1, 4, 18, 30)])  # a Monday and a Thursday

    found = encoder.encode(stamps)

    assert angle(found, "day", encoder.cycles) == pytest.approx([6 / 24, 18.5 / 24], abs=1e-6)
    assert angle(found, "week", encoder.cycles) == pytest.approx([0, 3 / 7], abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)))
def test_every_stamp_is_on_the_circle_and_at_its_minute_and_weekday(stamp: datetime) -> None:
    encoder = fitted(800)

    found = encoder.encode(pl.Series([stamp]))

    assert found[0, ::2] ** 2 + found[0, 1::2] ** 2 == pytest.approx(np.ones(3), abs=1e-5)
    minute = (stamp.hour * 60 + stamp.minute) / 1440
    gap = (angle(found, "day", encoder.cycles)[0] - minute + 0.5) % 1 - 0.5
    assert gap == pytest.approx(0, abs=1e-5)
    assert round(float(angle(found, "week", encoder.cycles)[0]) * 7) % 7 == stamp.weekday()


def test_a_missing_stamp_is_the_middle_of_the_circle() -> None:
    found = fitted(30).encode(pl.Series([None, START], dtype=pl.Datetime("us")))

    assert found[0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("values", [[], [None, None], [START]])
def test_without_a_span_there_are_no_outputs(values: list[datetime | None]) -> None:
    rows = pl.LazyFrame({"x": pl.Series(values, dtype=pl.Datetime("us"))})

    encoder = TimestampEncoder.fit("x", rows, TimestampSettings())

    assert encoder.outputs == []
    assert encoder.encode(rows.collect()["x"]).shape == (len(values), 0)


def test_dates_and_other_units_give_the_same_as_datetimes() -> None:
    encoder = fitted(800)
    expected = encoder.encode(pl.Series([datetime(2024, 5, 17)])).tolist()

    assert encoder.encode(pl.Series([date(2024, 5, 17)])).tolist() == expected
    assert encoder.encode(pl.Series([datetime(2024, 5, 17, tzinfo=UTC)])).tolist() == expected
    for unit in ("ms", "ns"):
        assert encoder.encode(pl.Series([datetime(2024, 5, 17)]).cast(pl.Datetime(unit))).tolist() == expected


def test_it_survives_json() -> None:
    encoder = fitted(800)

    assert TimestampEncoder.model_validate_json(encoder.model_dump_json()) == encoder
    assert set(encoder.cycles) == set(SECONDS)

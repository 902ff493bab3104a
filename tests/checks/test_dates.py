"""Dates as text: cells that are none, and those written in another way."""

from collections.abc import Callable

import pytest

from pipeline.checks.dates import DateParseable, MixedDateFormats
from pipeline.quality.findings import Table

from .cells import told
from .conftest import made

Make = Callable[..., Table]


def days(parts: int = 1) -> Table:
    written = [f"2024-{month:02}-{day:02}" for month in range(1, 5) for day in range(1, 29)]
    return made({"day": [*written, "2024-13-45", "31/12/2024", "5 Mar 2024", "n/a", None]}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {"date_parseable": days, "mixed_date_formats": days}


def test_a_day_that_is_none_is_told() -> None:
    assert told(DateParseable(), days()) == {"day": [(112, "2024-13-45", None)]}


def test_days_written_otherwise_are_told_and_rewritten() -> None:
    assert told(MixedDateFormats(), days()) == {
        "day": [(113, "31/12/2024", "2024-12-31"), (114, "5 Mar 2024", "2024-03-05")]
    }


def test_days_in_three_formats_are_told_with_years_of_two_digits_too(make: Make) -> None:
    table = make({"d": [f"2024-03-{day:02}" for day in range(1, 29)] + ["03/29/24", "30.03.2024"]})

    assert told(MixedDateFormats(), table) == {"d": [(28, "03/29/24", "2024-03-29"), (29, "30.03.2024", "2024-03-30")]}


def test_a_time_of_day_is_no_other_format(make: Make) -> None:
    table = make({"t": [f"2024-01-{day:02}T10:00:00Z" for day in range(1, 31)] + ["2024-02-01 11:30"]})

    assert told(MixedDateFormats(), table) == {} == told(DateParseable(), table)


@pytest.mark.parametrize("form", ["{:02}/{:02}/2024", "{}.{}.2024", "{:02}-{:02}-2024"])
def test_day_first_is_read_by_the_whole_column(make: Make, form: str) -> None:
    table = make({"d": [form.format(day, month) for month in range(1, 5) for day in range(1, 29)]})

    assert told(MixedDateFormats(), table) == {} == told(DateParseable(), table)


@pytest.mark.parametrize("values", [["1.2.3", "10.20.30"] * 20, ["2024"] * 40, ["a-b"] * 40, ["12-34"] * 40])
def test_versions_years_and_codes_are_no_dates(make: Make, values: list[str]) -> None:
    table = make({"s": values})

    assert told(MixedDateFormats(), table) == {} == told(DateParseable(), table)


def test_a_time_of_day_is_not_lost_to_a_repair() -> None:
    cells = [f"2024-01-{1 + i % 28:02} 09:{i % 60:02}" for i in range(98)] + ["31/12/2024 11:30", "31/12/2024"]

    assert told(MixedDateFormats(), made({"d": cells}))["d"] == [
        (98, "31/12/2024 11:30", "2024-12-31 11:30"),
        (99, "31/12/2024", "2024-12-31"),
    ]

"""What stands on both sides of a split: groups, ids, stretches of time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from pipeline.checks.straddles import LeakDateOverlap, LeakGroup, LeakIndexOverlap
from pipeline.quality.findings import Check, Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
START = datetime(2024, 1, 1)


def rows(first: int, last: int) -> dict[str, list[object]]:
    """A row a day, with its own id, ten to a group."""
    days = range(first, last)
    return {
        "id": [f"n{i}" for i in days],
        "g": [i // 10 for i in days],
        "t": [START + timedelta(days=i) for i in days],
        "y": [("yes", "no")[i % 2] for i in days],
    }


def both(parts: int) -> Table:
    """Days 35 to 59 against 0 to 39."""
    return replace(made(rows(35, 60), parts=parts), reference=made(rows(0, 40)))


PLANTED: dict[str, Callable[[int], Table]] = {
    "leak_group": both,
    "leak_index_overlap": both,
    "leak_date_overlap": both,
}


def test_rows_of_a_group_on_both_sides_are_told() -> None:
    (hit,) = hits(LeakGroup(), both(3))

    assert (hit.column, hit.rows, hit.observed) == ("g", 5, 1)
    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == [f"rows#{i}" for i in range(5)]


def test_rows_whose_id_is_on_both_sides_are_told() -> None:
    (hit,) = hits(LeakIndexOverlap(), both(3))

    assert (hit.column, hit.rows) == ("id", 5)


def test_the_key_goes_before_ids(make: Make) -> None:
    here, there = make(rows(35, 60), key=["id", "t"]), make(rows(0, 40), key=["id", "t"])

    (hit,) = hits(LeakIndexOverlap(), replace(here, reference=there))

    assert (hit.column, hit.rows) == (None, 5)


def test_ids_that_repeat_name_no_row(make: Make) -> None:
    repeated = {"id": [i % 4 for i in range(20)], "y": ["a", "b"] * 10}

    (said,) = LeakIndexOverlap().hits(replace(make(repeated), reference=make(repeated)))

    assert isinstance(said, Skipped)


def test_rows_within_the_references_time_are_told() -> None:
    (hit,) = hits(LeakDateOverlap(), both(3))

    assert (hit.column, hit.rows, hit.observed, hit.severity) == ("t", 4, 0.16, "warning")


@pytest.mark.parametrize("check", [LeakGroup(), LeakIndexOverlap(), LeakDateOverlap()])
def test_a_later_batch_of_other_groups_is_fair(make: Make, check: Check) -> None:
    assert hits(check, replace(make(rows(40, 60)), reference=make(rows(0, 40)))) == []


def test_the_last_moment_may_be_shared(make: Make) -> None:
    assert hits(LeakDateOverlap(), replace(make(rows(39, 60)), reference=make(rows(0, 40)))) == []


@pytest.mark.parametrize("check", [LeakGroup(), LeakIndexOverlap(), LeakDateOverlap()])
def test_without_a_reference_it_is_skipped(make: Make, check: Check) -> None:
    (said,) = check.hits(make(rows(0, 40)))

    assert isinstance(said, Skipped)
    assert said.rows is None


@pytest.mark.parametrize("check", [LeakGroup(), LeakIndexOverlap(), LeakDateOverlap()])
def test_nothing_is_shared_with_nothing(make: Make, check: Check) -> None:
    none = make(made(rows(0, 2)).partitions["part-0"].clear().collect().drop("row_id"))

    assert hits(check, replace(none, reference=make(rows(0, 40)))) == []
    assert hits(check, replace(make(rows(0, 40)), reference=none)) == []

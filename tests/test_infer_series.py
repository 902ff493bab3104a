"""Series side by side are told by the column that has one row a stamp; events and doubtful columns are left alone."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.commands.check import examine
from pipeline.commands.reading import Question, Settings, read
from pipeline.contract import Role
from pipeline.infer import infer
from pipeline.infer.series import WHY, series_of

SHARED = Path(__file__).parents[2] / "shared" / "data"
HOURS = [datetime(2024, 1, 1) + timedelta(hours=hour) for hour in range(60)]
STATIONS = ["north", "south", "east"]
NO_ROLES: dict[str, Role] = {}


def told(columns: Mapping[str, Sequence[Any]], roles: Mapping[str, Role] = NO_ROLES) -> str | None:
    rows = pl.DataFrame(columns)
    found = infer(rows.lazy(), name="made", text=False, roles=roles)
    return series_of(rows.lazy(), found.columns, roles, rows.height)


def panel(**more: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Each of three stations has one row an hour."""
    pairs = [(hour, station) for hour in HOURS for station in STATIONS]
    return {"at": [hour for hour, _ in pairs], "station": [station for _, station in pairs], **more}


def without(columns: Mapping[str, Sequence[Any]], rows: set[int]) -> dict[str, Sequence[Any]]:
    return {name: [cell for i, cell in enumerate(cells) if i not in rows] for name, cells in columns.items()}


def test_the_column_with_one_row_a_stamp_is_told() -> None:
    assert told(panel()) == "station"


def test_gaps_and_an_hour_that_comes_twice_leave_it_told() -> None:
    columns = without(panel(), {5, 6, 7, 40, 90})
    twice = {name: [*cells, cells[30]] for name, cells in columns.items()}

    assert told(twice) == "station"


def test_a_series_that_begins_late_leaves_it_told() -> None:
    assert told(without(panel(), set(range(0, 60, 3)))) == "station"


def test_of_a_code_and_a_name_the_first_is_taken() -> None:
    names = {"north": "N", "south": "S", "east": "E"}

    assert told(panel(code=[names[station] for station in panel()["station"]])) == "station"


def test_two_columns_that_do_not_say_the_same_are_in_doubt() -> None:
    chance = random.Random(1)
    ranks = [rank for _ in HOURS for rank in chance.sample(["first", "second", "third"], 3)]

    assert told(panel(rank=ranks)) is None


def test_events_are_left_alone() -> None:
    chance = random.Random(2)
    stations = [chance.choice(STATIONS) for _ in range(180)]

    assert told({"at": panel()["at"], "station": stations}) is None


def test_one_series_alone_is_left_alone() -> None:
    assert told({"at": HOURS, "sky": ["blue", "grey"] * 30}) is None


@pytest.mark.parametrize("roles", [{"station": "label"}, {"station": "ignore"}, {"kind": "group"}])
def test_a_role_that_was_given_is_kept(roles: dict[str, Role]) -> None:
    assert told(panel(kind=["a", "b", "b"] * 60), roles) is None


def test_the_checks_of_the_time_axis_ask_each_series_and_say_why(tmp_path: Path) -> None:
    pl.DataFrame(without(panel(x=range(180)), {61, 64, 67})).write_csv(tmp_path / "a.csv")

    answer = examine.examine(Question(paths=[str(tmp_path / "a.csv")]), tmp_path / "scratch").answer

    (gap,) = [finding for finding in answer.findings if finding.check == "ts_gap"]
    assert gap.message == "3 steps of 1h have no row, in 1 stretch (south 3)"
    assert answer.profile["station"]["why"].endswith(WHY)
    assert answer.profile["station"]["role"] == "feature"


def test_a_reference_is_read_by_the_same_series(tmp_path: Path) -> None:
    columns = panel(x=range(180))
    pl.DataFrame(columns).write_csv(tmp_path / "now.csv")
    pl.DataFrame(without(columns, {61})).head(119).write_csv(tmp_path / "before.csv")

    question = Question(paths=[str(tmp_path / "now.csv")], reference=str(tmp_path / "before.csv"))
    answer = examine.examine(question, tmp_path / "scratch").answer

    (late,) = [finding for finding in answer.findings if finding.check == "ts_late_arrival"]
    assert late.rows == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("demos/weather_hourly.csv.gz", "origin"),
        ("demos/diamonds.csv.gz", None),
        ("series/metro_traffic.csv.gz", None),
        ("series/ETTh1.csv", None),
        ("flights/2013-01.csv.gz", None),
    ],
)
def test_real_tables(tmp_path: Path, name: str, expected: str | None) -> None:
    if not (SHARED / name).is_file():
        pytest.skip(f"{SHARED / name} is not here")
    reading = read([str(SHARED / name)], Question(paths=[]), None, Settings(), tmp_path / "scratch")

    assert reading.table.series_of == expected

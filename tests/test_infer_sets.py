"""Sets of tags are told by parts that come again in any place; names, places, sentences and vectors are none."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from pipeline import readers
from pipeline.contract import Role
from pipeline.infer import infer, sets
from pipeline.infer.found import Found

SHARED = Path(__file__).parents[2] / "shared" / "data"
GENRES = ["Drama", "Comedy", "Action", "Thriller", "Children", "Sci-Fi"]
ROWS = 300


def films(rows: int = ROWS) -> list[list[str]]:
    """One to three genres each."""
    drawn = random.Random(0)
    return [drawn.sample(GENRES, drawn.choice([1, 1, 2, 3])) for _ in range(rows)]


def told(cells: Sequence[str | None], role: Role | None = None) -> Found:
    rows = pl.DataFrame({"x": cells}, schema={"x": pl.String})
    roles: dict[str, Role] = {} if role is None else {"x": role}
    return infer(rows.lazy(), name="made", text=True, roles=roles).column("x")


@pytest.mark.parametrize("between", ["|", ";", ",", ", "])
def test_what_stands_between_the_tags_is_told(between: str) -> None:
    found = told([between.join(film) for film in films()])

    assert (found.role, found.modality, found.format) == ("feature", "set", between.strip())
    assert found.distinct == len(GENRES)


def test_tags_in_the_order_of_text_are_sets_too() -> None:
    assert told([";".join(sorted(film)) for film in films()]).modality == "set"


def test_json_lists_are_sets() -> None:
    found = told([json.dumps(film) for film in films()])

    assert (found.modality, found.format) == ("set", "json")


def test_missing_cells_and_a_few_new_tags_leave_it_a_set() -> None:
    cells: list[str | None] = ["|".join(film) for film in films()]
    cells[::10] = [None] * len(cells[::10])
    cells[5] = "Western"

    assert told(cells).modality == "set"


def test_a_label_can_be_a_set() -> None:
    found = told([";".join(film) for film in films()], "label")

    assert (found.role, found.modality, found.format) == ("label", "set", ";")


def test_what_an_empty_cell_of_a_label_says_is_told_where_there_is_one() -> None:
    cells: list[str | None] = [";".join(film) for film in films()]

    assert sets.EMPTY not in told(cells, "label").why
    assert sets.EMPTY in told([*cells, None], "label").why
    assert sets.EMPTY not in told([*cells, None]).why


def test_a_cell_of_no_tags_is_no_tag() -> None:
    found = told([*(";".join(film) for film in films()), *["[]"] * 50], "label")

    assert (found.modality, "[]" in found.why) == ("set", False)


PLACES = [("Boston", "MA"), ("Salem", "MA"), ("Salem", "OR"), ("Dallas", "TX")]


@pytest.mark.parametrize(
    "cells",
    [
        [", ".join(PLACES[i % 4]) for i in range(ROWS)],
        ["Korea, Republic of" if i % 3 else "Chad" for i in range(ROWS)],
        [f"Yes, I said so {i}, and so did they" for i in range(ROWS)],
        [f"{i};{i + 1}" for i in range(ROWS)],
        [";".join(str(part) for part in range(i % 4 + 1)) for i in range(ROWS)],
        [json.dumps([i % 7, 1.5]) for i in range(ROWS)],
        ["a;a;a" if i % 2 else "a;a" for i in range(ROWS)],
        ["|".join(film) for film in films(60)],
        ["red" if i % 2 else "blue" for i in range(ROWS)],
    ],
    ids=["places", "countries", "sentences", "pairs", "numbers", "vectors", "repeats", "few rows", "categories"],
)
def test_what_is_no_set_is_left_alone(cells: list[str]) -> None:
    assert told(cells).modality != "set"


def test_tags_that_only_the_first_rows_share_are_no_set() -> None:
    cells = ["|".join(film) for film in films(5_000)]
    cells += [f"tag{i}|other{i}|{i % 3}x" for i in range(40_000)]

    assert told(cells).modality != "set"


@pytest.mark.parametrize(
    "path",
    ["demos/diamonds.csv.gz", "demos/weather_hourly.csv.gz", "cells/hospital/dirty.csv", "cells/beers/dirty.csv"],
)
def test_real_tables_without_sets_have_none(path: str, tmp_path: Path) -> None:
    if not (SHARED / path).is_file():
        pytest.skip("../shared/data is absent")
    for source in readers.open_all(SHARED / path, scratch=tmp_path):
        found = infer(source.frame, name="x", text=source.text, roles={})

        assert "set" not in {column.modality for column in found.columns}

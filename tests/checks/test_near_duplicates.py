"""Near duplicates: texts and records that tell of one thing in two ways; what merely looks alike is not told."""

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.checks import near_duplicates
from pipeline.checks.near_duplicates import NearDuplicateRows, OverlapNear, TextDuplicates
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]

DATA = Path(__file__).parents[2].parent / "shared" / "data"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word(drawn: random.Random) -> str:
    return "".join(drawn.choice(LETTERS) for _ in range(drawn.randint(4, 9)))


def sentences(rows: int = 80, *, seed: int = 1) -> list[str]:
    drawn = random.Random(seed)
    return [" ".join(word(drawn) for _ in range(9)) for _ in range(rows)]


def people(rows: int = 120, *, seed: int = 1) -> dict[str, list[Any]]:
    drawn = random.Random(seed)
    given, family = [word(drawn) for _ in range(40)], [word(drawn) for _ in range(60)]
    return {
        "given": [drawn.choice(given) for _ in range(rows)],
        "family": [drawn.choice(family) for _ in range(rows)],
        "street": [f"{drawn.randint(1, 99)} {word(drawn)} street" for _ in range(rows)],
        "born": [drawn.randint(19300101, 20101231) for _ in range(rows)],
        "y": [drawn.choice(("yes", "no")) for _ in range(rows)],
    }


def again(rows: dict[str, list[Any]], row: int, **changed: Any) -> dict[str, list[Any]]:
    """The rows, with a row once more at the end, changed in some columns."""
    return {name: [*values, changed.get(name, values[row])] for name, values in rows.items()}


def twins(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The rows, and six of them with slips: a typo, swapped names, a missing value."""
    for row in range(6):
        street, given, family = (rows[name][row] for name in ("street", "given", "family"))
        slip = ({"street": street.replace("street", "stret")}, {"given": family, "family": given}, {"born": None})[
            row % 3
        ]
        rows = again(rows, row, **slip)
    return rows


def against(rows: dict[str, list[Any]], reference: dict[str, list[Any]], parts: int = 1) -> Table:
    return dataclasses.replace(made(rows, parts=parts), reference=made(reference))


PLANTED: dict[str, Callable[[int], Table]] = {
    "text_duplicates": lambda parts: made({"text": [*sentences(), sentences()[3].title() + "!"]}, parts=parts),
    "near_duplicate_rows": lambda parts: made(twins(people()), parts=parts),
    "overlap_near": lambda parts: against({"text": sentences()}, {"text": [sentences()[5][1:]]}, parts),
}


def told(check: TextDuplicates | NearDuplicateRows | OverlapNear, table: Table) -> list[tuple[Any, Any]]:
    return [
        row for hit in hits(check, table) if hit.flags is not None for row in hit.flags.select("row_id", "value").rows()
    ]


def test_texts_that_differ_are_not_told(make: Make) -> None:
    assert told(TextDuplicates(), make({"text": sentences()})) == []


@pytest.mark.parametrize("parts", [1, 4])
def test_equal_in_plain_form_and_nearly_equal_texts_are_told_with_the_earlier_one(make: Make, parts: int) -> None:
    texts = sentences()
    shouted, mistyped = texts[3].upper().replace(" ", " - "), texts[9].replace(texts[9][5], "é", 1)

    (hit,) = hits(TextDuplicates(), make({"text": [*texts, shouted, mistyped]}, parts=parts))

    assert hit.flags is not None
    assert hit.flags.select("row_id", "value").rows() == [("rows#80", "rows#3"), ("rows#81", "rows#9")]
    assert hit.flags["score"][0] == 1.0
    assert 0.8 <= hit.flags["score"][1] < 1
    assert hit.message == "2 rows repeat an earlier text: 1 in all but case, accents and punctuation and 1 nearly"


def test_empty_and_missing_texts_equal_nothing(make: Make) -> None:
    table = make({"text": [*sentences(), None, None, "", "", "...", "!!!"]})

    assert told(TextDuplicates(), table) == []


def test_a_column_of_few_values_holds_no_texts(make: Make) -> None:
    (said,) = TextDuplicates().hits(make({"shop": sentences(4) * 20}))

    assert isinstance(said, Skipped)


def test_of_too_many_texts_a_part_is_compared_and_the_others_are_told_of(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "ROWS", 100)
    texts = sentences(600)
    slips = [f"{text} {text[:3]}" for text in texts]

    said = list(TextDuplicates().hits(make({"text": texts + slips})))

    (left_out,) = [each for each in said if isinstance(each, Skipped)]
    (hit,) = [each for each in said if not isinstance(each, Skipped)]
    assert left_out.rows is not None
    assert 1000 < left_out.rows < 1200
    assert hit.rows == (1200 - left_out.rows) // 2  # a text and its twin open alike


@pytest.mark.parametrize("parts", [1, 5])
def test_rows_with_slips_are_told_with_the_earlier_row(make: Make, parts: int) -> None:
    found = told(NearDuplicateRows(), make(twins(people()), parts=parts))

    assert found == [(f"rows#{120 + i}", f"rows#{i}") for i in range(6)]


def test_rows_that_differ_are_not_told(make: Make) -> None:
    assert told(NearDuplicateRows(), make(people())) == []


def test_people_of_one_household_are_not_one_person(make: Make) -> None:
    rows = people()
    for row in range(30):
        rows = again(rows, row, given=people(seed=8)["given"][row], born=people(seed=8)["born"][row])

    assert told(NearDuplicateRows(), make(rows)) == []


def test_columns_that_tell_the_same_count_once(make: Make) -> None:
    rows = people(300)
    drawn = random.Random(6)
    towns = [(word(drawn), word(drawn), word(drawn), str(drawn.randint(10000, 99999))) for _ in range(60)]
    lived = [drawn.choice(towns) for _ in range(300)]
    rows |= {name: [town[i] for town in lived] for i, name in enumerate(("town", "county", "river", "postcode"))}

    assert told(NearDuplicateRows(), make(rows)) == []


def test_equal_rows_are_not_told_again(make: Make) -> None:
    assert told(NearDuplicateRows(), make(again(again(people(), 4), 5, y="yes"))) == []


def test_a_table_of_numbers_and_categories_is_not_asked(make: Make) -> None:
    (said,) = NearDuplicateRows().hits(make({"x": [0.1 * i for i in range(50)], "shop": ["north", "south"] * 25}))

    assert isinstance(said, Skipped)


def test_texts_and_records_of_the_reference_are_told_and_our_own_twins_are_not(make: Make) -> None:
    texts = sentences()
    rows, reference = {"text": [*texts, texts[7][1:]]}, {"text": [texts[5][:-1], *sentences(20, seed=4)]}
    folk = twins(people())
    ours, theirs = ({name: values[half] for name, values in folk.items()} for half in (slice(60, 126), slice(0, 60)))

    assert told(OverlapNear(), against(rows, reference)) == [("rows#5", "rows#0")]
    assert told(OverlapNear(), against(ours, theirs)) == [(f"rows#{60 + i}", f"rows#{i}") for i in range(6)]


@pytest.mark.parametrize("name", ["^given$", "a b", "[1]", "first", "value"])
def test_columns_may_have_any_name(name: str) -> None:
    rows = pl.DataFrame(twins(people())).rename({"given": name})
    numbered = {"all": rows.with_row_index("row_id").lazy()}
    table = dataclasses.replace(made(rows), partitions=numbered)

    assert [row for row, _ in told(NearDuplicateRows(), table)] == list(range(120, 126))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_persons_of_febrl_are_found(number: int) -> None:
    file = DATA / "duplicates" / f"dataset{number}.csv"
    if not file.is_file():
        pytest.skip(f"{file} is absent")
    rows = pl.read_csv(file, infer_schema=False).rename(str.strip).with_columns(pl.all().str.strip_chars())
    person = rows["rec_id"].str.extract(r"rec-(\d+)").to_list()
    table = made(rows.rename({"rec_id": "id"}))

    found = [(int(row[5:]), int(first[5:])) for row, first in told(NearDuplicateRows(), table)]

    right = sum(person[row] == person[first] for row, first in found)
    assert right == len(found)
    assert right >= 0.99 * (len(person) - len(set(person)))


@pytest.mark.parametrize("name", ["hospital", "tax"])
def test_rows_of_one_place_are_not_one_thing(name: str) -> None:
    file = DATA / "cells" / name / "clean.csv"
    if not file.is_file():
        pytest.skip(f"{file} is absent")

    assert told(NearDuplicateRows(), made(pl.read_csv(file, infer_schema=False))) == []

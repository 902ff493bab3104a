"""What was given and is not in the table is told."""

import dataclasses
from collections.abc import Callable

from pipeline.checks.unread import PartsNotRead, UnevenLines
from pipeline.quality.findings import EXAMPLES, Table
from pipeline.quality.inspection import hits

from .conftest import made

LINES = tuple(f"a.csv: line {n}, byte {9 * n}: holds 1 field, the header has 2" for n in range(2, 9))


def lacking(parts: int) -> Table:
    return dataclasses.replace(made({"x": [1, 2, 3]}, parts=parts), uneven=LINES, beside=("of a.xlsx the sheet two",))


PLANTED: dict[str, Callable[[int], Table]] = {"uneven_lines": lacking, "parts_not_read": lacking}


def test_lines_that_are_no_rows_are_an_error_with_their_places() -> None:
    (hit,) = hits(UnevenLines(), lacking(1))

    assert (hit.severity, hit.rows, hit.observed, list(hit.examples)) == ("error", 0, 7, list(LINES[:EXAMPLES]))
    assert hit.message == "7 lines have other cells than the header, and are left out"


def test_what_lies_beside_is_worth_knowing() -> None:
    (hit,) = hits(PartsNotRead(), lacking(1))

    assert (hit.severity, hit.message) == ("info", "not read: of a.xlsx the sheet two")


def test_a_table_that_was_read_whole_is_silent() -> None:
    whole = made({"x": [1]})

    assert [*hits(UnevenLines(), whole), *hits(PartsNotRead(), whole)] == []

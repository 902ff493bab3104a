"""Categories, text, formats and dependencies on real data: silent on clean tables, near the truth on dirty ones.

Dirty tables stand outside the project (`../shared/data`); tests of them skip where they are absent.
"""

from pathlib import Path

import polars as pl
import pytest

from pipeline.checks import (
    categories,
    configured,
    dates,
    dependencies,
    formats,
    kinds,
    language,
    prose,
    relations,
    spelling,
    text,
)
from pipeline.contract import ROW_ID
from pipeline.infer import infer
from pipeline.quality.findings import Table
from pipeline.quality.inspection import Inspection, inspect

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
FAMILIES = (categories, dates, dependencies, formats, kinds, language, prose, relations, spelling, text)
NAMES = {check.name for family in FAMILIES for check in family.CHECKS}


def inspected(cells: pl.DataFrame) -> Inspection:
    """What these families say of a table that came as text."""
    rows = cells.with_row_index(ROW_ID).cast({ROW_ID: pl.String}).lazy()
    inferred = infer(rows, name="real", text=True, roles={})
    typed, unparsed = inferred.typed(rows)
    table = Table(contract=inferred.contract, partitions={"real": typed}, unparsed=unparsed, height=cells.height)
    return inspect(table, [check for check in configured({}) if check.name in NAMES])


def read(path: Path, *, separator: str = ",", header: bool = True) -> pl.DataFrame:
    if not path.is_file():
        pytest.skip(f"{path.name} is not here: ../shared/data holds the real tables")
    return pl.read_csv(
        path, infer_schema=False, separator=separator, has_header=header, quote_char='"' if header else None
    )


def test_a_month_of_flights_has_nothing_wrong_in_its_texts() -> None:
    rows = pl.read_csv(ROOT / "data" / "raw" / "flights" / "2013-01.csv.gz", infer_schema=False, null_values=["NA"])

    assert [f for f in inspected(rows).findings if f.severity != "info"] == []


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("demos/diamonds.csv.gz", set()),
        ("demos/austen.csv.gz", set()),
        ("demos/weather_hourly.csv.gz", set()),
        ("tables/california/housing.csv", set()),
        ("drift/noaa_weather.csv", set()),
        ("cells/hospital/clean.csv", set()),
        ("cells/tax/clean.csv", {"high_cardinality", "leading_zeros_lost"}),  # that file did lose its zeros
    ],
)
def test_clean_tables_are_clean(path: str, known: set[str]) -> None:
    found = inspected(read(SHARED / path)).findings

    assert {f.check for f in found if f.severity == "warning"} == known
    assert not [f for f in found if f.severity == "error"]


def test_blanks_after_each_comma_are_told_once() -> None:
    (found,) = inspected(read(SHARED / "tables" / "adult" / "train.csv", header=False)).findings

    assert (found.check, found.severity, found.column) == ("surrounding_whitespace", "info", None)


def test_messages_hold_html_and_codes_of_windows() -> None:
    found = inspected(read(SHARED / "text" / "sms.tsv", separator="\t", header=False)).findings

    assert {f.check for f in found if f.severity == "warning"} == {"markup", "control_characters", "escape_residue"}


@pytest.mark.parametrize(
    ("name", "columns", "recall"), [("hospital", None, 0.9), ("tax", ["f_name", "l_name", "city", "state"], 0.9)]
)
def test_wrong_cells_are_found_without_labels(name: str, columns: list[str] | None, recall: float) -> None:
    dirty, clean = (read(SHARED / "cells" / name / f"{side}.csv") for side in ("dirty", "clean"))
    clean.columns = dirty.columns
    asked = columns or dirty.columns
    wrong = {(str(i), c) for c in asked for i in (dirty[c] != clean[c]).arg_true().to_list()}

    said = inspected(dirty)
    warned = {(f.check, f.column) for f in said.findings if f.severity == "warning"}
    flags = said.flags.filter(
        pl.struct("check", "column").map_elements(lambda f: (f["check"], f["column"]) in warned, pl.Boolean)
    )
    told = {(row, c) for row, c in flags.select("row_id", "column").iter_rows() if c in asked}

    assert len(told & wrong) >= 0.9 * len(told)
    assert len(told & wrong) >= recall * len(wrong)

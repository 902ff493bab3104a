"""The sieve: it sets aside what `clean` would, mends what the champion's repairs mend, and counts every row once."""

from collections.abc import Mapping

import polars as pl
import pytest

from pipeline import contract, monitor
from pipeline.commands.predict.asked import Part
from pipeline.commands.predict.sieve import Sieve, Sifted
from pipeline.contract import ROW_ID
from pipeline.quality.repairs import Folded, Plan, Replaced
from pipeline.readers import BadBytes, Source
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.validate import ChecksSettings
from pipeline.workspace import Workspace

BROKEN: Mapping[int, Mapping[str, str | None]] = {
    2: {"shop": "moon"},
    3: {"distance": "-1", "weight": "-1"},
    5: {"distance": "far", "minutes": "soon"},
    8: {"placed": "2024-13-40"},
    9: {"placed": None},
    11: {"weight": "NA", "minutes": None},  # these may be missing
    12: {"order": "0"},
}


def sifted(
    workspace: Workspace, rows: pl.DataFrame, *, repairs: Plan | None = None, bad: bool = False, first: int = 0
) -> Sifted:
    """The rows through the sieve of a workspace."""
    asked = workspace.section(ChecksSettings).configured()
    agreed = contract.load(workspace.contract_file)
    sieve = Sieve.of(workspace.section(IngestSettings), asked, agreed, repairs or Plan())
    damage = [BadBytes(line=2, byte=7, what="0xff")] if bad else []
    return sieve.sift(Part(source=Source(name="x.csv", frame=rows.lazy(), bad=damage), first=first, rows=rows))


def broken(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the cells of `BROKEN`."""
    for row, cells in BROKEN.items():
        here = pl.int_range(pl.len()) == row
        rows = rows.with_columns(
            pl.when(here).then(pl.lit(value, dtype=pl.String)).otherwise(name).alias(name)
            for name, value in cells.items()
        )
    return rows


def test_what_is_set_aside_is_what_a_batch_leaves_out(promoted: Workspace, april: pl.DataFrame) -> None:
    path = promoted.incoming / "broken.csv"
    broken(april).write_csv(path)
    agreed = contract.load(promoted.contract_file)
    batch = monitor.read(promoted, path, agreed, Plan())

    found = sifted(promoted, broken(april))

    places = [int(name.rpartition("#")[2]) for name in batch.usable[ROW_ID]]
    assert found.why.is_null().arg_true().to_list() == places
    assert found.sound.drop(ROW_ID).equals(batch.usable.drop(ROW_ID))
    assert found.aside.height + found.sound.height == april.height
    assert found.aside["reason"].to_list() == [
        "allowed_set: shop",
        "value_range: distance + value_range: weight",
        "dtype_mismatch: distance + dtype_mismatch: minutes",
        "null_forbidden: weekday + dtype_mismatch: placed",
        "null_forbidden: placed + null_forbidden: weekday",
        "value_range: order",
    ]


def test_the_champions_repairs_are_replayed_before_a_row_is_judged(promoted: Workspace, april: pl.DataFrame) -> None:
    rows = april.head(4).with_columns(
        shop=pl.Series([" NORTH", "south", "south", "moon"]), distance=pl.Series(["1", "2", "3 km", "4"])
    )
    rules = [Folded(column="shop", values=["north", "south"]), Replaced(column="distance", values={"3 km": "3"})]

    found = sifted(promoted, rows, repairs=Plan(rules=rules))

    assert found.sound["shop"].to_list() == ["north", "south", "south"]
    assert found.sound["distance"].to_list() == [1.0, 2.0, 3.0]
    assert found.aside["reason"].to_list() == ["allowed_set: shop"]


def test_what_is_derived_from_a_repaired_cell_is_derived_again(promoted: Workspace, april: pl.DataFrame) -> None:
    rows = april.head(2).with_columns(placed=pl.Series(["2024-04-01T00:00:00", "first of April"]))
    rule = Replaced(column="placed", values={"first of April": "2024-04-02T00:00:00"})

    found = sifted(promoted, rows, repairs=Plan(rules=[rule]))

    assert found.sound["weekday"].to_list() == ["1", "2"]


def test_cells_with_bytes_that_no_encoding_reads_set_their_rows_aside(promoted: Workspace, april: pl.DataFrame) -> None:
    rows = april.head(3).with_columns(shop=pl.Series(["north", "so\ufffdth", "south"]))

    assert sifted(promoted, rows, bad=True).aside["reason"].str.contains("undecodable: shop").to_list() == [True]


def test_rows_are_named_by_their_place_in_the_source_or_as_they_say(promoted: Workspace, april: pl.DataFrame) -> None:
    rows = april.head(2)

    assert sifted(promoted, rows, first=70).names.to_list() == ["x.csv#70", "x.csv#71"]
    assert sifted(promoted, rows.with_columns(row_id=pl.Series([5, 5]))).names.to_list() == ["5", "5"]


def test_rows_without_an_answer_leave_the_sound_ones(promoted: Workspace, april: pl.DataFrame) -> None:
    found = sifted(promoted, broken(april).head(6)).without({1: "gone", 2: "cut short"})

    assert found.why.to_list()[1] == "gone"
    assert found.aside["reason"].str.contains("gone|cut short").sum() == 2
    assert found.sound.height == found.why.null_count() == 1
    assert found.sound[ROW_ID].to_list() == found.names.filter(found.why.is_null()).to_list()


@pytest.mark.parametrize("value", [[1.5, 2.5], ["a", "b"]])
def test_nested_and_binary_cells_are_set_aside_as_text(
    promoted: Workspace, april: pl.DataFrame, value: list[object]
) -> None:
    rows = april.head(1).with_columns(
        shop=pl.lit("moon"),
        more=pl.Series([value]),
        raw=pl.Series([b"\x01"]),
        both=pl.struct("shop", "weight"),
        took=pl.duration(hours=1),
    )

    aside = sifted(promoted, rows).aside

    assert set(aside.dtypes) == {pl.String}
    assert str(value[0]) in aside["more"][0]

"""The quarantine, exported, mended by hand and taken in again; rows traced; repairs shown before they are made."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from pipeline.cleaning import amendments
from pipeline.cleaning.ledger import Ledger
from pipeline.commands import quarantine
from pipeline.errors import DataError
from pipeline.stages import clean, ingest, validate
from pipeline.workspace import Workspace

FEBRUARY = "2024-02.csv"


@pytest.fixture(scope="module")
def damaged_once(tiny_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    shutil.copytree(tiny_once.root, root := tmp_path_factory.mktemp("damaged") / "tiny")
    workspace = Workspace.open(root)
    put(workspace, 0, 2, "east")
    put(workspace, 1, 3, '"far, far"')
    return cleaned(workspace)


@pytest.fixture
def damaged(damaged_once: Workspace, tmp_path: Path) -> Workspace:
    """`tiny` after cleaning, with a shop that is none in row 0 of February and a distance that is none in row 1."""
    shutil.copytree(damaged_once.root, tmp_path / "damaged")
    return Workspace.open(tmp_path / "damaged")


def put(workspace: Workspace, row: int, column: int, text: str) -> None:
    file = workspace.raw / FEBRUARY
    lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
    lines[row + 1][column] = text
    file.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")


def cleaned(workspace: Workspace, **policies: Any) -> Workspace:
    params = yaml.safe_load(workspace.params_file.read_text(encoding="utf-8"))
    workspace.params_file.write_text(yaml.safe_dump(params | {"checks": policies}), encoding="utf-8")
    workspace = Workspace.open(workspace.root)
    for stage in (ingest, validate, clean):
        stage.run(workspace)
    return workspace


def exported(workspace: Workspace) -> Path:
    file = workspace.root / "quarantine.csv"
    quarantine.export(workspace, file)
    return file


def mend(file: Path, *changes: tuple[str, str, str]) -> None:
    """Put text into (row_id, column) of an exported file."""
    rows = pl.read_csv(file, infer_schema=False)
    for row, column, text in changes:
        new = pl.when(pl.col("row_id") == row).then(pl.lit(text)).otherwise(pl.col(column))
        rows = rows.with_columns(new.alias(column))
    rows.write_csv(file)


def test_the_export_has_every_row_with_its_reason_as_it_stands_in_the_source(damaged: Workspace) -> None:
    rows = pl.read_csv(exported(damaged), infer_schema=False)

    assert rows.columns == ["row_id", "reason", "order", "placed", "shop", "distance", "weight", "minutes"]
    assert rows.height == Ledger.read(damaged.ledger).quarantined == 20
    assert rows.row(by_predicate=pl.col("row_id") == f"{FEBRUARY}#1", named=True)["distance"] == "far, far"
    assert rows.row(by_predicate=pl.col("row_id") == f"{FEBRUARY}#0", named=True)["reason"] == "allowed_set: shop"
    assert "NA" in set(rows["minutes"])


def test_mended_rows_stand_in_the_place_of_the_old_ones(damaged: Workspace) -> None:
    file = exported(damaged)
    before = (damaged.raw / FEBRUARY).read_bytes()
    mend(file, (f"{FEBRUARY}#0", "shop", "north"), (f"{FEBRUARY}#1", "distance", "7.5"))

    count, kept = quarantine.take_in(damaged, file)
    again = cleaned(damaged)

    assert (count, kept) == (2, damaged.raw / amendments.FOLDER / "0001.json")
    assert (damaged.raw / FEBRUARY).read_bytes() == before
    rows = pl.read_parquet(again.clean / ingest.partition(FEBRUARY))
    assert rows.filter(pl.col("row_id") == f"{FEBRUARY}#1")["distance"].to_list() == [7.5]
    assert rows["row_id"].head(2).to_list() == [f"{FEBRUARY}#0", f"{FEBRUARY}#1"]
    ledger = Ledger.read(again.ledger)
    assert (ledger.rows_in, ledger.quarantined, ledger.stages[0].amended) == (600, 18, 2)


def test_a_mended_row_that_is_still_wrong_is_quarantined_again(damaged: Workspace) -> None:
    file = exported(damaged)
    mend(file, (f"{FEBRUARY}#0", "shop", "west"))
    quarantine.take_in(damaged, file)
    again = cleaned(damaged)

    mend(exported(again), (f"{FEBRUARY}#0", "shop", "south"))
    count, _ = quarantine.take_in(again, again.root / "quarantine.csv")

    assert count == 1
    assert Ledger.read(cleaned(again).ledger).quarantined == 19


def test_an_amendment_is_undone_by_deleting_it(damaged: Workspace) -> None:
    file = exported(damaged)
    mend(file, (f"{FEBRUARY}#0", "shop", "north"))
    _, kept = quarantine.take_in(damaged, file)
    assert kept is not None
    kept.unlink()

    assert Ledger.read(cleaned(damaged).ledger).quarantined == 20


def test_a_file_in_which_nothing_was_mended_changes_nothing(damaged: Workspace) -> None:
    assert quarantine.take_in(damaged, exported(damaged)) == (0, None)
    assert not (damaged.raw / amendments.FOLDER).exists()


@pytest.mark.parametrize(
    ("separator", "encoding"), [(";", "utf-8-sig"), (";", "cp1252"), ("\t", "utf-16"), (",", "cp1252")]
)
def test_a_file_as_a_spreadsheet_program_writes_it_is_taken_in(
    damaged: Workspace, separator: str, encoding: str
) -> None:
    file = exported(damaged)
    mend(file, (f"{FEBRUARY}#0", "shop", "north"), (f"{FEBRUARY}#1", "distance", "7.5"))
    rows = pl.read_csv(file, infer_schema=False).with_columns(pl.lit('Größe; Maß, "so"').alias("reason"))
    file.write_bytes(rows.write_csv(separator=separator).replace("\n", "\r\n").encode(encoding))

    count, kept = quarantine.take_in(damaged, file)

    assert count == 2
    assert kept is not None
    told = amendments.read(damaged.raw)
    assert "7.5" in str(told) and "north" in str(told)


def test_a_single_mended_row_is_taken_in(damaged: Workspace) -> None:
    file = exported(damaged)
    mend(file, (f"{FEBRUARY}#0", "shop", "north"))
    rows = pl.read_csv(file, infer_schema=False).filter(pl.col("row_id") == f"{FEBRUARY}#0")
    rows.write_csv(file, separator=";")

    assert quarantine.take_in(damaged, file)[0] == 1


def test_a_file_that_is_no_text_or_not_whole_is_refused(damaged: Workspace) -> None:
    file = exported(damaged)
    rows = pl.read_csv(file, infer_schema=False)
    rows.write_parquet(damaged.root / "quarantine.parquet")
    with pytest.raises(DataError, match="is no text table; save it as CSV"):
        quarantine.take_in(damaged, damaged.root / "quarantine.parquet")

    for text in (rows.write_csv() + "one,two\n", rows.write_csv(separator=";") + "one;two\n"):
        file.write_text(text)
        with pytest.raises(DataError, match="line 22"):
            quarantine.take_in(damaged, file)
    file.write_bytes((rows.write_csv(separator=";") * 9).encode() + b"\xc3\x28;" * 4 + b"\n")
    with pytest.raises(DataError):
        quarantine.take_in(damaged, file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.with_columns(pl.lit("x.csv#1").alias("row_id")), "stands twice, or is no row of the quar"),
        (lambda rows: pl.concat([rows, rows.head(1)]), "stands twice"),
        (lambda rows: rows.with_columns(pl.lit("1").alias("colour")), "has a column colour, which is none"),
        (lambda rows: rows.drop("shop"), "lacks the column shop"),
        (lambda rows: rows.with_columns(pl.lit(f"{FEBRUARY}#7").alias("row_id")).head(1), "is no row of the quarant"),
    ],
)
def test_other_rows_and_columns_are_refused(damaged: Workspace, change: Any, message: str) -> None:
    file = exported(damaged)
    change(pl.read_csv(file, infer_schema=False)).write_csv(file)

    with pytest.raises(DataError, match=message):
        quarantine.take_in(damaged, file)

    assert not (damaged.raw / amendments.FOLDER).exists()


def test_a_source_that_has_changed_since_is_refused(damaged: Workspace) -> None:
    file = exported(damaged)
    mend(file, (f"{FEBRUARY}#0", "shop", "north"))
    quarantine.take_in(damaged, file)
    put(damaged, 5, 2, "south")

    with pytest.raises(DataError, match=r"2024-02\.csv: has changed since rows of it were mended"):
        ingest.run(damaged)


def test_a_data_column_called_reason_is_kept_apart(tiny: Workspace) -> None:
    for file in tiny.raw.glob("*.gz"):
        file.unlink()
    csv = tiny.raw / FEBRUARY
    csv.write_text(csv.read_text().replace("weight", "reason", 1))
    put(tiny, 0, 2, "east")
    tiny.contract_file.write_text(tiny.contract_file.read_text().replace("weight:", "reason:"))

    rows = pl.read_csv(exported(cleaned(tiny)), infer_schema=False).filter(pl.col("row_id") == f"{FEBRUARY}#0")

    assert rows["reason_"].to_list() == ["allowed_set: shop"]
    assert float(rows["reason"][0]) > 0


def test_a_source_that_has_changed_since_it_was_ingested_is_not_told_as_it_was(damaged: Workspace) -> None:
    source = damaged.raw / FEBRUARY
    header, first, *others = source.read_text(encoding="utf-8").splitlines(keepends=True)
    source.write_text("".join([header, first, first, *others]), encoding="utf-8")

    with pytest.raises(DataError, match=r"2024-02\.csv: has changed since it was ingested; run `keepfit run` first"):
        exported(damaged)

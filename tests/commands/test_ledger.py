"""Where a row went, and what a plan of repairs would change."""

from typing import Any

import polars as pl
import pytest
import yaml

from pipeline.commands import ledger, repairs
from pipeline.errors import DataError
from pipeline.stages import clean, ingest, validate
from pipeline.versions import registry
from pipeline.workspace import Workspace

FEBRUARY = "2024-02.csv"


def variants(tiny: Workspace, **policies: Any) -> Workspace:
    """Cleaned, with two variants of a shop and one that is none in the first rows of February."""
    file = tiny.raw / FEBRUARY
    lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
    for row, shop in enumerate((" NORTH", "North", "east")):
        lines[row + 1][2] = shop
    file.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")
    params = yaml.safe_load(tiny.params_file.read_text(encoding="utf-8"))
    tiny.params_file.write_text(yaml.safe_dump(params | {"checks": policies}), encoding="utf-8")
    workspace = Workspace.open(tiny.root)
    for stage in (ingest, validate, clean):
        stage.run(workspace)
    return workspace


def said(workspace: Workspace, *words: str) -> str:
    row = ledger.row_of(workspace, words)
    return "\n".join(ledger.told(ledger.trace(workspace, row)))


def test_a_repaired_row_is_told_with_its_raw_cells_and_its_rule(tiny: Workspace) -> None:
    workspace = variants(tiny, contract="repair")

    lines = said(workspace, FEBRUARY, "0")

    assert "shop=' NORTH'" in lines
    assert "flagged by allowed_set shop: ' NORTH', suggested 'north' (repair)" in lines
    assert "repaired: shop: ' NORTH' → 'north' (allowed_set)" in lines
    assert lines.endswith("kept, and in no split yet")


def test_a_quarantined_and_a_merged_row_are_told_with_why(tiny: Workspace) -> None:
    workspace = variants(tiny)

    assert said(workspace, f"{FEBRUARY}#2").endswith("quarantined: allowed_set: shop")
    assert said(workspace, "2024-03.csv.gz", "199").endswith("merged into 2024-01.csv.gz#1, which it equals")
    assert "  stands for 2024-03.csv.gz#199 too, merged into it\n" in said(workspace, "2024-01.csv.gz", "1")


def test_the_models_that_were_trained_on_a_row_are_told(trained: Workspace) -> None:
    row = str(pl.read_parquet(trained.split / "train.parquet")["row_id"][0])
    other = str(pl.read_parquet(trained.split / "test.parquet")["row_id"][0])

    assert said(trained, row).endswith("kept, in train, on which the candidate was trained")
    version = registry.register(trained)
    registry.point(trained, version)
    assert said(trained, row).endswith(f"on which the candidate and {version}, the champion was trained")
    assert said(trained, other).endswith("kept, in test")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((FEBRUARY, "200"), r"2024-02\.csv#200: is no row of that file; its rows are 0 to 199"),
        (("2024-09.csv", "1"), r"2024-09\.csv: is no ingested file; name one of: 2024-01"),
        (("4711",), "4711: is no row_id"),
        ((FEBRUARY, "-1"), "is no row_id"),
    ],
)
def test_a_row_that_is_not_there_is_told(tiny: Workspace, words: tuple[str, ...], message: str) -> None:
    ingest.run(tiny)

    with pytest.raises(DataError, match=message):
        ledger.row_of(tiny, words)


def test_the_ledger_is_printed(tiny: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    ledger.show(variants(tiny, contract="repair"), [])

    assert capsys.readouterr().out.splitlines() == [
        "ingest: 600 in, 600 kept, 0 repaired, 0 merged, 0 quarantined",
        "clean: 600 in, 579 kept, 2 repaired, 2 merged, 19 quarantined",
        "           18 rows  missing_label: slow",
        "            2 rows  merged: equals an earlier row",
        "            1 rows  allowed_set: shop",
        "            2 cells repaired  allowed_set: shop",
        "600 in = 579 kept + 2 merged + 19 quarantined",
    ]


def test_a_dry_run_shows_each_cell_and_changes_nothing(tiny: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = variants(tiny)
    before = {path: path.read_bytes() for path in tiny.root.rglob("*") if path.is_file()}

    repairs.show(workspace)

    assert {path: path.read_bytes() for path in tiny.root.rglob("*") if path.is_file()} == before
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("allowed_set shop: 2 cells not repaired: `contract: repair` under checks would")
    assert lines[at + 1 : at + 3] == ["          1  ' NORTH' → 'north'", "          1  'North' → 'north'"]


def test_what_a_dry_run_approves_is_what_cleaning_does(tiny: Workspace) -> None:
    workspace = variants(tiny, contract="repair", string_variants="off", surrounding_whitespace="off")

    repairs.show(workspace, write=True)

    planned = pl.read_parquet(workspace.repaired)
    assert planned["approved"].all()
    done = pl.read_parquet(workspace.quarantine / clean.REPAIRED)
    assert planned.select(done.columns).equals(done)
    assert done.select("row_id", "before", "after").rows() == [
        (f"{FEBRUARY}#0", " NORTH", "north"),
        (f"{FEBRUARY}#1", "North", "north"),
    ]


def test_a_repair_is_undone_by_switching_it_off(tiny: Workspace) -> None:
    repaired = variants(tiny, contract="repair")
    assert pl.read_parquet(repaired.quarantine / clean.REPAIRED).height == 2

    undone = variants(tiny, contract="warn")

    rows = pl.read_parquet(undone.clean / ingest.partition(FEBRUARY))
    assert rows["shop"].head(3).to_list() == [" NORTH", "North", "east"]
    assert '"rules": []' in undone.repairs.read_text()


@pytest.mark.parametrize("value", [None, "***"])
def test_values_of_private_columns_are_masked(value: str | None) -> None:
    cells = pl.DataFrame(
        [("r#1", "mail", "string_typos", "a@b.org", None, "by rule", True)],
        schema=["row_id", "column", "check", "before", "after", "how", "approved"],
        orient="row",
    )
    flags = pl.DataFrame({"column": ["mail", "shop"], "value": [value, "x"]})

    lines = list(repairs.told(cells, repairs.private_columns(flags, cells)))

    assert lines[0] == "string_typos mail: 1 cell repaired"
    assert "the column is private" in lines[1]
    assert not any("a@b.org" in line for line in lines)


def test_stars_that_stand_in_the_data_are_no_private_values() -> None:
    cells = pl.DataFrame(
        [("r#1", "rebate", "mixed_null_tokens", "***", None, "by rule", True)],
        schema=["row_id", "column", "check", "before", "after", "how", "approved"],
        orient="row",
    )
    flags = pl.DataFrame({"column": ["rebate"], "value": ["***"]})

    lines = list(repairs.told(cells, repairs.private_columns(flags, cells)))

    assert lines[1] == "          1  '***' → nothing"

"""The contract of the flights holds on all twelve months as published, and fires on planted damage."""

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipeline import contract
from pipeline.checks.duplicates import DuplicateKey, DuplicateRowsExact
from pipeline.checks.schema import ContractBroken, DtypeMismatch
from pipeline.checks.timeaxis import TimeGap
from pipeline.contract import Contract
from pipeline.errors import DataError
from pipeline.quality.findings import Hit, Table
from pipeline.quality.inspection import hits
from pipeline.stages import ingest
from pipeline.stages.ingest import IngestSettings
from pipeline.workspace import Workspace

ROOT = Path(__file__).parents[2]
WORKSPACE = Workspace.open(ROOT)
MONTHS = sorted([*WORKSPACE.raw.glob("*.gz"), *WORKSPACE.incoming.glob("*.gz")], key=lambda path: path.name)
ROWS = 300
CHECKS = (ContractBroken(), DtypeMismatch(), DuplicateRowsExact(), DuplicateKey())


@pytest.fixture(scope="module")
def agreed() -> Contract:
    return contract.load(WORKSPACE.contract_file)


@pytest.fixture(scope="module")
def settings() -> IngestSettings:
    return WORKSPACE.section(IngestSettings)


Cells = list[list[str]]
Plant = Callable[..., list[Hit]]


@pytest.fixture
def plant(tmp_path: Path, agreed: Contract, settings: IngestSettings) -> Plant:
    """The hits on the first rows of January after `damage` was done to their cells (a header and ROWS lines)."""

    def planted(damage: Callable[[Cells], object]) -> list[Hit]:
        with gzip.open(MONTHS[0], "rt", encoding="utf-8") as lines:
            cells = [next(lines).rstrip("\n").split(",") for _ in range(ROWS + 1)]
        damage(cells)
        path = tmp_path / "2013-01.csv"
        path.write_text("".join(",".join(row) + "\n" for row in cells), encoding="utf-8")
        parsed = ingest.read(path, path.name, settings, agreed)
        return all_hits(table(agreed, {path.name: parsed.typed}, parsed.unparsed))

    return planted


def table(agreed: Contract, parts: dict[str, pl.DataFrame], unparsed: pl.DataFrame) -> Table:
    return Table(
        contract=agreed,
        partitions={name: rows.lazy() for name, rows in parts.items()},
        unparsed=unparsed.lazy(),
        height=sum(rows.height for rows in parts.values()),
    )


def all_hits(of: Table) -> list[Hit]:
    return [hit for check in CHECKS for hit in hits(check, of)]


def put(column: str, text: str, row: int = 5) -> Callable[[Cells], None]:
    def damage(cells: Cells) -> None:
        cells[row][cells[0].index(column)] = text

    return damage


def test_there_are_twelve_months() -> None:
    assert [path.name for path in MONTHS] == [f"2013-{month:02}.csv.gz" for month in range(1, 13)]


def test_the_contract_holds_on_every_month(agreed: Contract, settings: IngestSettings) -> None:
    parsed = {path.name: ingest.read(path, path.name, settings, agreed) for path in MONTHS}
    year = table(
        agreed, {name: p.typed for name, p in parsed.items()}, pl.concat([p.unparsed for p in parsed.values()])
    )

    assert year.height == 336_776
    assert all_hits(year) == []
    assert list(hits(TimeGap(), year)) == []


def test_a_lost_month_is_a_gap(agreed: Contract, settings: IngestSettings) -> None:
    some = [MONTHS[0], MONTHS[1], MONTHS[3]]
    parts = {path.name: ingest.read(path, path.name, settings, agreed).typed for path in some}

    (hit,) = hits(TimeGap(), table(agreed, parts, pl.DataFrame(schema=ingest.UNPARSED_SCHEMA)))

    assert (hit.column, hit.observed) == ("departs", 31)


def test_rows_as_published_are_not_told(plant: Plant) -> None:
    assert plant(lambda cells: None) == []


@pytest.mark.parametrize(
    ("column", "text", "check"),
    [
        ("distance", "-1400", "value_range"),
        ("origin", "BOS", "allowed_set"),
        ("wind_dir", "400", "value_range"),
        ("carrier", "united", "pattern"),
        ("dest", "Iah", "pattern"),
        ("month", "13", "value_range"),
        ("humid", "101", "value_range"),
        ("air_time", "0", "value_range"),
        ("plane_type", "Zeppelin", "allowed_set"),
        ("origin", "NA", "null_forbidden"),
        ("distance", "NA", "null_forbidden"),
        ("sched_dep_time", "NA", "null_forbidden"),
        ("carrier", "", "null_forbidden"),
        ("day", "NA", "null_forbidden"),
        ("distance", "far", "dtype_mismatch"),
        ("time_hour", "soon", "dtype_mismatch"),
        ("hour", "7.5", "dtype_mismatch"),
    ],
)
def test_planted_damage_is_found_in_its_cell(plant: Plant, column: str, text: str, check: str) -> None:
    found = plant(put(column, text))

    assert (check, column) in {(hit.check, hit.column) for hit in found}
    flagged = {row for hit in found if hit.flags is not None for row in hit.flags["row_id"]}
    assert flagged == {"2013-01.csv#4"}


def test_an_origin_in_other_case_comes_with_its_repair(plant: Plant) -> None:
    (hit,) = plant(put("origin", " ewr"))

    assert hit.flags is not None
    assert hit.flags.rows() == [("2013-01.csv#4", " ewr", "EWR")]


@pytest.mark.parametrize("column", ["dep_time", "arr_delay", "tailnum", "wind_gust", "plane_year", "engine"])
def test_what_may_be_unknown_may_be_na(plant: Plant, column: str) -> None:
    assert plant(put(column, "NA")) == []


def test_exact_copies_are_found(plant: Plant) -> None:
    (hit,) = plant(lambda cells: cells.extend([cells[7], cells[9]]))

    assert hit.check == "duplicate_rows_exact"
    assert hit.flags is not None
    assert hit.flags.rows() == [("2013-01.csv#300", "2013-01.csv#6"), ("2013-01.csv#301", "2013-01.csv#8")]


def test_a_repeated_flight_is_found(plant: Plant) -> None:
    def repeat(cells: Cells) -> None:
        cells.append(list(cells[7]))
        put("arr_delay", "99", row=-1)(cells)

    (hit,) = plant(repeat)

    assert (hit.check, hit.rows) == ("duplicate_key", 2)


def test_a_marker_in_the_whole_of_a_column_is_told_as_a_changed_type(plant: Plant) -> None:
    def mark(cells: Cells) -> None:
        for row in range(1, ROWS + 1):
            put("temp", "n/a", row)(cells)

    with pytest.raises(
        DataError, match=r"2013-01.csv: temp: 300 of 300 values are no Float64, such as 'n/a'.*null_val"
    ):
        plant(mark)


def test_every_column_has_a_use_and_the_future_is_ignored(agreed: Contract) -> None:
    ignored = {column.name for column in agreed.of_role("ignore")}

    assert {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"} <= ignored
    assert not ignored & {column.name for column in agreed.features}
    assert agreed.label.name == "late"
    assert agreed.time == "departs"

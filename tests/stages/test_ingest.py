"""Ingest: every row with a stable id and the contract's types, every bad cell kept aside, every bad file told."""

import gzip
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline import artefacts, contract
from pipeline.errors import DataError, KeepfitError, SettingsError
from pipeline.infer import infer
from pipeline.stages import ingest
from pipeline.stages.ingest import IngestSettings, Parsed
from pipeline.tables.cells import typed_as
from pipeline.workspace import Workspace

HEADER = "order,placed,shop,distance,weight,minutes\n"
LINE = "1,2024-01-01T00:00:00,north,1.5,2.0,20\n"
CELLS: dict[str, list[Any]] = {
    "order": [1, 2],
    "placed": [datetime(2024, 1, 1), datetime(2024, 1, 2)],
    "shop": ["north", "south"],
    "distance": [1.5, 2.5],
    "weight": [2.0, None],
    "minutes": [20, 40],
}


def read(tiny: Workspace, path: Path, **settings: Any) -> Parsed:
    chosen = tiny.section(IngestSettings).model_copy(update=settings)
    return ingest.read(path, path.name, chosen, contract.load(tiny.contract_file))


def csv(tiny: Workspace, text: str) -> Path:
    path = tiny.root / "odd.csv"
    path.write_text(text, encoding="utf-8")
    return path


def parquet(tiny: Workspace, **columns: Any) -> Path:
    path = tiny.root / "odd.parquet"
    pl.DataFrame(CELLS | columns, strict=False).write_parquet(path)
    return path


def fault(tiny: Workspace, path: Path, **settings: Any) -> str:
    with pytest.raises(KeepfitError) as raised:
        read(tiny, path, **settings)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def snapshot(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_each_file_becomes_one_typed_partition(tiny: Workspace) -> None:
    record = ingest.run(tiny)

    agreed = contract.load(tiny.contract_file)
    table = ingest.table(tiny, agreed)
    assert [(file.name, file.rows) for file in record.files] == [
        ("2024-01.csv.gz", 200),
        ("2024-02.csv", 200),
        ("2024-03.csv.gz", 200),
    ]
    assert table.height == record.rows == 600
    assert list(table.partitions) == [file.name for file in record.files]
    for rows in table.partitions.values():
        schema = rows.collect_schema()
        assert dict(schema) == {"row_id": pl.String, **{c.name: c.dtype for c in agreed.columns}}


def test_rows_are_named_after_their_file_and_place(tiny: Workspace) -> None:
    ingest.run(tiny)

    ids = ingest.table(tiny, contract.load(tiny.contract_file)).rows.select("row_id").collect().to_series()
    assert ids.n_unique() == 600
    assert (ids[0], ids[399]) == ("2024-01.csv.gz#0", "2024-02.csv#199")


@pytest.mark.parametrize("name", ["*", "^x$", "^.*$"])
def test_a_name_that_could_be_a_pattern_is_a_name(name: str) -> None:
    rows = pl.DataFrame({name: [*map(str, range(300)), "much"], "x": ["a"] * 301})
    agreed = infer(rows.lazy(), name="made", text=True, roles={}).contract

    parsed = ingest.parse(rows, "a.csv", {}, agreed)

    assert parsed.typed.columns == ["row_id", name, "x"]
    assert parsed.typed[name].to_list() == [*range(300), None]
    assert parsed.unparsed.rows() == [("a.csv#300", name, "much")]


def test_the_same_files_give_the_same_bytes(tiny: Workspace) -> None:
    ingest.run(tiny)
    first = snapshot(tiny.ingested)

    ingest.run(tiny)

    assert snapshot(tiny.ingested) == first


def test_a_file_that_is_gone_is_gone_from_the_output(tiny: Workspace) -> None:
    ingest.run(tiny)
    (tiny.raw / "2024-02.csv").unlink()

    assert ingest.run(tiny).rows == 400
    assert not (tiny.ingested / ingest.partition("2024-02.csv")).exists()


def test_names_in_folders_do_not_meet(tiny: Workspace) -> None:
    for name in ("a/b.csv", "a__b.csv", "a%2Fb.csv", "ä b[1].csv"):
        (tiny.raw / name).parent.mkdir(exist_ok=True)
        (tiny.raw / name).write_text(HEADER + LINE)

    record = ingest.run(tiny)

    table = ingest.table(tiny, contract.load(tiny.contract_file))
    assert record.rows == 604 == table.rows.select(pl.len()).collect().item()


def test_a_source_may_be_one_file_elsewhere(tiny: Workspace) -> None:
    (tiny.root / "elsewhere.csv").write_text(HEADER + LINE)
    tiny.params_file.write_text(tiny.params_file.read_text().replace("ingest:\n", "ingest:\n  source: elsewhere.csv\n"))

    assert [file.name for file in ingest.run(Workspace.open(tiny.root)).files] == ["elsewhere.csv"]


def test_derived_columns_come_from_sql_over_earlier_ones(tiny: Workspace) -> None:
    rows = read(tiny, csv(tiny, HEADER + LINE + LINE.replace("20\n", "NA\n") + LINE.replace("20\n", "31\n"))).typed

    assert rows["slow"].to_list() == [False, None, True]
    assert rows["weekday"].to_list() == ["1"] * 3


def test_columns_may_come_in_any_order(tiny: Workspace) -> None:
    path = csv(tiny, "minutes,weight,distance,shop,placed,order\n20,2.0,1.5,north,2024-01-01T00:00:00,1\n")

    assert read(tiny, path).typed["order"].to_list() == [1]


def test_a_cell_that_does_not_parse_is_null_and_kept_aside(tiny: Workspace) -> None:
    path = csv(tiny, HEADER + LINE * 3 + "x1,2024-13-01T00:00:00,north,1.5, 2,2.5\n")

    parsed = read(tiny, path)

    assert parsed.unparsed.rows() == [
        ("odd.csv#3", "order", "x1"),
        ("odd.csv#3", "placed", "2024-13-01T00:00:00"),
        ("odd.csv#3", "minutes", "2.5"),
    ]
    assert parsed.typed.row(3)[1:7] == (None, None, "north", 1.5, 2.0, None)


def test_markers_are_missing_and_not_unparsed(tiny: Workspace) -> None:
    parsed = read(tiny, csv(tiny, HEADER + LINE + "2,2024-01-01T00:00:00,north,1.5,NA,\n"))

    assert parsed.unparsed.is_empty()
    assert parsed.typed["weight"].to_list() == [2.0, None]


def test_nan_is_missing_in_text_in_parquet_and_in_what_is_derived(tiny: Workspace) -> None:
    derive = {"slow": "minutes > 30", "weekday": "EXTRACT(ISODOW FROM placed)", "weight": "distance / distance"}
    text = read(tiny, csv(tiny, HEADER + LINE + LINE.replace("2.0", "nan")))
    typed = read(tiny, parquet(tiny, weight=[math.nan, 1.0], minutes=[math.nan, 3.0]))
    zero = csv(tiny, (HEADER + LINE + LINE.replace("1.5", "0")).replace(",weight", "").replace(",2.0", ""))

    assert text.typed["weight"].to_list() == [2.0, None]
    assert typed.typed["weight"].to_list() == [None, 1.0]
    assert typed.typed["minutes"].to_list() == [None, 3]
    assert text.unparsed.is_empty() and typed.unparsed.is_empty()
    assert read(tiny, zero, derive=derive).typed["weight"].to_list() == [1.0, None]


def test_a_row_that_an_expression_cannot_be_computed_for_is_told_like_a_bad_cell(tiny: Workspace) -> None:
    derive = {"slow": "minutes > 30", "weekday": "EXTRACT(ISODOW FROM STRPTIME(shop, '%Y-%m-%d'))"}
    shops = ["2024-01-01", "2024-01-02", "soon", "NA", "2024-01-07"]
    path = csv(tiny, HEADER + "".join(LINE.replace("north", shop) for shop in shops))

    parsed = read(tiny, path, derive=derive)

    assert parsed.typed["weekday"].to_list() == ["1", "2", None, None, "7"]
    assert parsed.unparsed.rows() == [("odd.csv#2", "weekday", "shop=soon")]


def test_of_a_part_of_a_source_no_row_need_parse_and_its_rows_are_counted_on(tiny: Workspace) -> None:
    derive = {"slow": "minutes > 30", "weekday": "EXTRACT(ISODOW FROM STRPTIME(shop, '%Y-%m-%d'))"}
    text = HEADER + LINE.replace("north", "soon").replace(LINE.split(",")[3], "far", 1)
    rows = pl.read_csv(text.encode(), infer_schema=False)
    agreed = contract.load(tiny.contract_file)

    parsed = ingest.parse(rows, "x.csv", derive, agreed, first=70)

    assert parsed.typed["row_id"].to_list() == ["x.csv#70"]
    assert parsed.unparsed["column"].to_list() == ["distance", "weekday"]
    with pytest.raises(DataError, match="1 of 1 values are no Float64"):
        ingest.parse(rows, "x.csv", derive, agreed)


@given(st.lists(st.booleans(), min_size=3, max_size=40).filter(lambda bad: sum(bad) * 2 <= len(bad)))
def test_bad_rows_are_found_wherever_they_stand(bad: list[bool]) -> None:
    rows = pl.DataFrame({"row_id": [f"r{i}" for i in range(len(bad))], "x": ["z" if b else "7" for b in bad]})

    values, failed = ingest._tolerantly(rows, pl.col("x").cast(pl.Int64))

    assert values.to_list() == [None if b else 7 for b in bad]
    assert failed == [f"r{i}" for i, b in enumerate(bad) if b]


@pytest.mark.parametrize(
    "sql",
    [
        "minutes >",
        "",
        "*",
        "minuts > 30",
        "SELECT 1",
        "(SELECT 1)",
        "minutes > 30; DROP TABLE x",
        "minutes IN (1, 2",
        "nonsense(minutes)",
        "minutes > shop",
        "placed",
        "CAST(shop AS INT) > 3",
        "shop ~ '('",
        "a.b > 3",
        "SUM(minutes) > 30",
        "COUNT(*) > 1",
        "true",
        "y" * 3000,
    ],
)
def test_sql_that_does_not_work_is_told_by_its_key(tiny: Workspace, sql: str) -> None:
    derive = {"slow": sql, "weekday": "EXTRACT(ISODOW FROM placed)"}

    told = fault(tiny, csv(tiny, HEADER + LINE * 4), derive=derive)

    assert told.startswith("params.yaml: ingest.derive.slow: ")
    assert len(told) < 600


@pytest.mark.parametrize(
    "sql", ["minutes > AVG(minutes)", "minutes = MAX(minutes)", "LAG(minutes) OVER (ORDER BY placed) > 10"]
)
def test_sql_over_more_than_one_row_is_told(tiny: Workspace, sql: str) -> None:
    derive = {"slow": sql, "weekday": "EXTRACT(ISODOW FROM placed)"}

    told = fault(tiny, csv(tiny, HEADER + LINE + LINE.replace("20\n", "40\n") * 2), derive=derive)

    assert "does not give each row a value of its own" in told


def test_a_derived_column_that_the_contract_lacks_is_told(tiny: Workspace) -> None:
    told = fault(tiny, csv(tiny, HEADER + LINE), derive={"nonsense": "minutes"})

    assert told.startswith("params.yaml: ingest.derive.nonsense: the contract has no column `nonsense`; add it to sch")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER, "odd.csv: has a header and no rows"),
        (HEADER.strip(), "odd.csv: has a header and no rows"),
        ("a,b\n1,2\n", "odd.csv: lacks the columns order, placed, shop, distance, weight, minutes of the contract"),
        (
            (HEADER + LINE).replace(",minutes", "").replace(",20\n", "\n"),
            "odd.csv: lacks the column minutes of the contract",
        ),
        ((HEADER + LINE).replace("\n", ",1\n").replace("minutes,1", "minutes,x"), "odd.csv: has the column x, unknown"),
        (
            (HEADER + LINE).replace("\n", ",1\n").replace("minutes,1", "minutes,slow"),
            "odd.csv: has a column slow, and par",
        ),
        ((HEADER + LINE).replace("weight", "distance"), "odd.csv: lacks the column weight"),
        (HEADER + LINE.replace("1.5", "far"), "odd.csv: distance: 1 of 1 values are no Float64, such as 'far'"),
        (HEADER + LINE.replace("2024-01-01T00:00:00", "soon"), "odd.csv: placed: 1 of 1 values are no Datetime"),
        (HEADER + LINE.replace(":00,", ":00Z,"), "odd.csv: placed: 1 of 1 values are no Datetime"),
        (HEADER + "1,2\n", "odd.csv: line 2, byte 43: holds 2 fields, the header has 6"),
    ],
)
def test_a_file_that_cannot_be_worked_with_is_told(tiny: Workspace, text: str, told: str) -> None:
    assert fault(tiny, csv(tiny, text)).startswith(told)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("weight", [[1.0], [2.0]]),
        ("shop", [{"a": 1}, {"a": 2}]),
        ("shop", [b"\xff", b"a"]),
        ("placed", [1, 2]),
        ("placed", [1.5, 2.5]),
        ("placed", [True, False]),
        ("minutes", [date(2024, 1, 1), date(2024, 1, 2)]),
        ("minutes", [timedelta(minutes=3), timedelta(minutes=4)]),
        ("distance", [datetime(2024, 1, 1), datetime(2024, 1, 1)]),
    ],
)
def test_a_column_of_another_type_is_refused_and_not_guessed_at(
    tiny: Workspace, column: str, values: list[Any]
) -> None:
    told = fault(tiny, parquet(tiny, **{column: values}))

    assert told.startswith(f"odd.parquet: {column}: holds ")
    assert "the column's type has changed" in told


@pytest.mark.parametrize(
    ("column", "values", "read_as"),
    [
        ("minutes", [20.0, None], [20, None]),
        ("minutes", [True, False], [1, 0]),
        ("minutes", ["20", "NA "], [20, None]),
        ("distance", [1, 2], [1.0, 2.0]),
        ("shop", [7, None], ["7", None]),
        ("shop", pl.Series(["north", "south"], dtype=pl.Categorical), ["north", "south"]),
        ("minutes", pl.Series(["5", "7"], dtype=pl.Enum(["7", "5"])), [5, 7]),
        ("weight", [None, None], [None, None]),
        ("placed", [date(2024, 1, 1), None], [datetime(2024, 1, 1), None]),
        ("placed", [datetime(2024, 1, 1, tzinfo=UTC), None], [datetime(2024, 1, 1), None]),
    ],
)
def test_a_column_of_a_kindred_type_is_taken(
    tiny: Workspace, column: str, values: list[Any], read_as: list[Any]
) -> None:
    assert read(tiny, parquet(tiny, **{column: values})).typed[column].to_list() == read_as


def test_digits_are_not_dropped(tiny: Workspace) -> None:
    parsed = read(tiny, parquet(tiny, minutes=[20.0, 3.7]))

    assert parsed.typed["minutes"].to_list() == [20, None]
    assert parsed.unparsed.rows() == [("odd.parquet#1", "minutes", "3.7")]


@pytest.mark.parametrize(
    ("found", "values", "read_as"),
    [
        (pl.String, ["True", "0", "yes", "N"], [True, False, True, False]),
        (pl.Int64, [1, 0, 5, None], [True, False, None, None]),
        (pl.Boolean, [True, False, None, None], [True, False, None, None]),
    ],
)
def test_booleans_are_true_false_yes_no_1_or_0(found: pl.DataType, values: list[Any], read_as: list[Any]) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=found)})

    typed = frame.select(typed_as(pl.col("x"), frame.schema["x"], pl.Boolean()))

    assert typed["x"].to_list() == read_as


Damage = Callable[[Workspace], object]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda w: (w.raw / "2024-02.csv").write_bytes(b""), DataError),
        (lambda w: (w.raw / "2024-02.csv").write_text(HEADER), DataError),
        (lambda w: (w.raw / "2024-03.csv.gz").write_bytes((w.raw / "2024-03.csv.gz").read_bytes()[:-99]), DataError),
        (lambda w: (w.raw / "2024-03.csv.gz").write_bytes(b"hello"), DataError),
        (lambda w: (w.raw / "2024-03.csv.gz").write_bytes(gzip.compress(b"\xff\xfe")), DataError),
        (
            lambda w: w.params_file.write_text(w.params_file.read_text().replace("minutes > 30", "minuts >")),
            SettingsError,
        ),
        (lambda w: w.contract_file.unlink(), KeepfitError),
        (lambda w: w.contract_file.write_text("def ("), KeepfitError),
    ],
)
def test_a_run_that_fails_leaves_the_last_output_and_nothing_half_written(
    tiny: Workspace, damage: Damage, error: type[KeepfitError]
) -> None:
    ingest.run(tiny)
    before = snapshot(tiny.ingested)
    damage(tiny)

    with pytest.raises(error) as raised:
        ingest.run(Workspace.open(tiny.root))

    assert raised.value.exit_code == 2
    assert snapshot(tiny.ingested) == before
    assert not list(tiny.root.rglob("*.tmp"))


def test_what_was_not_ingested_yet_is_told(tiny: Workspace) -> None:
    with pytest.raises(KeepfitError, match="is absent; run `keepfit run` first"):
        ingest.table(tiny, contract.load(tiny.contract_file))


def test_a_partition_that_was_damaged_is_told(tiny: Workspace) -> None:
    ingest.run(tiny)
    (tiny.ingested / ingest.UNPARSED).write_bytes(b"PAR1")

    with pytest.raises(KeepfitError, match="is no whole Parquet file"):
        ingest.table(tiny, contract.load(tiny.contract_file))


def test_the_record_survives_json(tiny: Workspace) -> None:
    record = ingest.run(tiny)

    assert ingest.Ingested.read(tiny.ingested / ingest.MANIFEST) == record
    assert artefacts.sha256(tiny.raw / "2024-02.csv") == record.files[1].sha256
    assert yaml.safe_load(tiny.params_file.read_text())["dataset"] == "tiny"


@pytest.mark.parametrize(
    ("empty", "cells", "kept"),
    [
        ("no tags", ["a;b", None, "[]"], ["a;b", "[]", "[]"]),
        ("no tags", [None, None], [None, None]),
        ("missing", ["a;b", None, "[]"], ["a;b", None, "[]"]),
    ],
)
def test_empty_cells_of_tags_say_what_the_contract_says_and_nothing_in_a_file_without_any(
    empty: contract.Empty, cells: list[str | None], kept: list[str | None]
) -> None:
    label = contract.Column(
        name="y", dtype=pl.String(), nullable=True, role="label", modality="set", format=";", empty=empty
    )
    agreed = contract.Contract(file=Path("made.py"), schema=pa.DataFrameSchema(), columns=(label,), expectations=())

    parsed = ingest.parse(pl.DataFrame({"y": cells}, schema={"y": pl.String}), "made.csv", {}, agreed)

    assert parsed.typed["y"].to_list() == kept
    assert parsed.unparsed.is_empty()

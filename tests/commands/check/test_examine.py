"""`keepfit check` as a function: files in, findings, flags and a profile out."""

import json
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipeline import contract
from pipeline.commands import reading
from pipeline.commands.check import examine
from pipeline.commands.check.examine import Examined
from pipeline.commands.reading import Question
from pipeline.errors import ContractError, DataError, SettingsError
from pipeline.stages import ingest
from pipeline.stages.ingest import IngestSettings
from pipeline.workspace import Workspace

HEADER = "name,age,city,late"
ROWS = [f"person {i},{20 + i % 50},{('Bern', 'Genf', 'Basel')[i % 3]},{'yes' if i % 4 else 'no'}" for i in range(200)]
FINDING = {
    "check",
    "severity",
    "column",
    "rows",
    "fraction",
    "observed",
    "threshold",
    "message",
    "suggestion",
    "examples",
}


def ask(tmp_path: Path, *paths: Path, **more: object) -> Examined:
    scratch = tmp_path / "scratch"
    return examine.examine(Question(paths=[str(path) for path in paths], **more), scratch)  # type: ignore[arg-type]


def written(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def derives(workspace: Workspace, **expressions: str) -> None:
    params = yaml.safe_load(workspace.params_file.read_text())
    params["ingest"]["derive"] |= expressions
    workspace.params_file.write_text(yaml.safe_dump(params))


def test_the_published_shape_is_stable(tmp_path: Path) -> None:
    examined = ask(tmp_path, written(tmp_path / "a.csv", *ROWS, ROWS[3]), flagged=True)

    published = json.loads(json.dumps(examined.answer.model_dump(mode="json"), allow_nan=False))
    assert published.keys() >= {"rows", "columns", "findings", "profile"}
    assert (published["rows"], published["columns"]) == (201, 4)
    assert all(set(finding) == FINDING for finding in published["findings"])
    assert set(published["profile"]) == set(HEADER.split(","))
    assert examined.flags.schema == examine.FLAGS_SCHEMA


def test_a_copy_is_flagged_by_its_position_in_the_input_through_all_files(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.csv", *ROWS[:100]), written(tmp_path / "b.csv", *ROWS[100:], ROWS[3])

    examined = ask(tmp_path, first, second, flagged=True)

    copies = examined.flags.filter(pl.col("check") == "duplicate_rows_exact")
    assert copies.select("row", "column", "value").rows() == [(200, None, "3")]
    assert [origin.rows for origin in examined.answer.sources] == [100, 101]


def test_text_and_parquet_give_the_same_findings(tmp_path: Path) -> None:
    text = written(tmp_path / "a.csv", *ROWS, ROWS[3])
    pl.read_csv(text).write_parquet(tmp_path / "a.parquet")

    first = ask(tmp_path / "one", text).answer
    second = ask(tmp_path / "two", tmp_path / "a.parquet").answer

    assert first.findings == second.findings


def test_the_same_data_give_the_same_bytes_but_for_the_seconds(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", *ROWS, ROWS[3])

    one, two = (ask(tmp_path / name, path, flagged=True) for name in ("one", "two"))

    assert one.answer.findings == two.answer.findings
    assert one.answer.profile == two.answer.profile
    assert one.flags.equals(two.flags)


def test_a_given_role_is_taken(tmp_path: Path) -> None:
    answer = ask(tmp_path, written(tmp_path / "a.csv", *ROWS), roles={"late": "label"}).answer

    assert answer.profile["late"]["role"] == "label"


def test_every_check_says_what_it_looked_at(tmp_path: Path) -> None:
    answer = ask(tmp_path, written(tmp_path / "a.csv", *ROWS)).answer

    assert answer.checks
    assert all(account.examined + account.skipped == answer.rows for account in answer.checks)
    assert all(account.why for account in answer.checks if account.skipped)


def test_files_with_other_columns_are_refused_by_name(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.csv", "1,2", header="x,y"), written(tmp_path / "b.csv", "1,2", header="x,z")

    with pytest.raises(DataError, match=r"b\.csv: has other columns than a\.csv: y, z"):
        ask(tmp_path, first, second)


def test_a_contract_brings_its_rules_and_what_its_workspace_sets(tiny: Workspace, tmp_path: Path) -> None:
    answer = ask(tmp_path, tiny.raw / "2024-01.csv.gz", contract=tiny.contract_file).answer

    assert not [finding for finding in answer.findings if finding.severity == "error"]
    assert answer.profile["slow"]["type"] == "Boolean"


def test_a_contract_tells_columns_that_are_gone_new_or_broken(tiny: Workspace, tmp_path: Path) -> None:
    rows = pl.read_csv(tiny.raw / "2024-02.csv", infer_schema=False)
    rows = rows.with_columns(pl.lit("x").alias("new"), pl.lit("nowhere").alias("shop")).drop("weight")
    rows.write_csv(tmp_path / "b.csv")

    answer = ask(tmp_path, tmp_path / "b.csv", contract=tiny.contract_file).answer

    found = {(finding.check, finding.column): finding.rows for finding in answer.findings}
    assert found["column_absent", "weight"] == rows.height
    assert ("column_unexpected", "new") in found
    assert found["allowed_set", "shop"] == rows.height


def test_a_contract_of_other_data_is_refused(tiny: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the contract's columns"):
        ask(tmp_path, written(tmp_path / "a.csv", "1,2", header="a,b"), contract=tiny.contract_file)


def test_what_the_workspace_derives_fails_in_one_line(tmp_path: Path) -> None:
    schema = Path(__file__).parents[3] / "schemas" / "flights.py"
    other = written(tmp_path / "other.csv", "1,2", "3,4", header="day,x")

    with pytest.raises(SettingsError, match=r"params.yaml: ingest.derive.\w+: `.*` does not work on these data"):
        ask(tmp_path, other, contract=schema)


def test_what_ingest_would_not_derive_the_check_does_not_either(tiny: Workspace, tmp_path: Path) -> None:
    derives(tiny, slow="minutes > AVG(minutes)")

    with pytest.raises(SettingsError, match=r"ingest.derive.slow: `minutes > AVG\(minutes\)` does not give each row"):
        ask(tmp_path, tiny.raw / "2024-01.csv.gz", contract=tiny.contract_file)


def test_a_row_that_nothing_can_be_derived_for_is_told_as_ingest_tells_it(tiny: Workspace, tmp_path: Path) -> None:
    derives(tiny, weekday="EXTRACT(ISODOW FROM STRPTIME(CONCAT('2024-01-0', CAST(distance AS INT)), '%Y-%m-%d'))")
    rows = pl.read_csv(tiny.raw / "2024-02.csv", infer_schema=False)
    days = pl.Series("distance", [str(1 + i % 7) for i in range(rows.height - 1)] + ["99"])
    rows.with_columns(days).write_csv(tmp_path / "b.csv")

    examined = ask(tmp_path, tmp_path / "b.csv", contract=tiny.contract_file, flagged=True)
    settings, agreed = tiny.section(IngestSettings), contract.load(tiny.contract_file)
    ingested = ingest.read(tmp_path / "b.csv", "b.csv", settings, agreed)

    told = examined.flags.filter(pl.col("column") == "weekday", pl.col("check") == "dtype_mismatch")
    assert told.select("row", "value").rows() == [(rows.height - 1, "distance=99.0")]
    assert ingested.unparsed["raw"].to_list() == ["distance=99.0"]


def test_a_reference_without_these_columns_is_refused(tmp_path: Path) -> None:
    data, other = written(tmp_path / "a.csv", "1,2", header="x,y"), written(tmp_path / "b.csv", "1,2", header="p,q")

    with pytest.raises(DataError, match=r"b.csv: has none of the columns of the data"):
        ask(tmp_path, data, reference=str(other))


def test_a_role_of_a_column_that_the_contract_lacks_is_refused(tiny: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="has no column `nothing`"):
        ask(tmp_path, tiny.raw, contract=tiny.contract_file, roles={"nothing": "label"})


@pytest.mark.parametrize(("fail_on", "expected"), [("error", False), ("warning", True), ("never", False)])
def test_the_exit_code_follows_the_worst_finding(tmp_path: Path, fail_on: str, expected: bool) -> None:
    answer = ask(tmp_path, written(tmp_path / "a.csv", *ROWS, ROWS[3])).answer

    assert {finding.severity for finding in answer.findings} <= {"warning", "info"}
    assert examine.failing(answer, fail_on) is expected


def test_files_of_one_name_are_each_read_whole(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [written(tmp_path / name, *ROWS[:40]) for name in ("a.csv", "a.csv (3)", "other/a.csv")]

    assert reading._name("a", {"a": 1, "a (3)": 2}) == "a (2)"
    assert reading._name("a", {"a": 1, "a (2)": 2}) == "a (3)"
    question = Question(paths=[str(path) for path in paths])
    table = reading.read(question.paths, question, None, reading.Settings(), tmp_path / "scratch").table
    assert (table.height, table.profile.rows, len(table.partitions)) == (120, 120, 3)


def test_files_may_have_their_columns_in_another_order_and_another_format(tmp_path: Path) -> None:
    text = written(tmp_path / "a.csv", *ROWS[:100])
    rows = pl.read_csv(text)
    rows.select("late", "city", "age", "name").write_parquet(tmp_path / "b.parquet")

    answer = ask(tmp_path, text, tmp_path / "b.parquet").answer

    assert answer.rows == 200
    assert [answer.profile[name]["type"] for name in ("age", "late")] == ["Int64", "Boolean"]
    assert not [finding for finding in answer.findings if finding.severity == "error"]


def test_a_query_is_asked_of_a_reference_only_where_it_is_a_database(tmp_path: Path) -> None:
    rows = pl.read_csv(written(tmp_path / "a.csv", *ROWS))
    with closing(sqlite3.connect(tmp_path / "a.db")) as database, database:
        database.execute("CREATE TABLE t (name, age, city, late)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows.rows())

    for number, reference in enumerate(("a.csv", "a.db")):
        question = {"query": "SELECT * FROM t", "reference": str(tmp_path / reference)}
        answer = ask(tmp_path / str(number), tmp_path / "a.db", **question).answer
        assert answer.rows == 200
        assert any(account.check == "distribution_shift" and account.examined for account in answer.checks)


def test_a_column_called_as_ours_is_renamed_and_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", *(f"{i},{i % 7}" for i in range(60)), header="row_id,x")

    (source,) = ask(tmp_path, path).answer.sources

    assert source.dialect["names"] == "column 1 is called row_id_2 (row_id is the position in the input)"


def test_a_column_called_as_ours_is_refused_with_a_contract(tiny: Workspace, tmp_path: Path) -> None:
    pl.read_csv(tiny.raw / "2024-02.csv").with_row_index("row_id").write_csv(tmp_path / "a.csv")

    with pytest.raises(DataError, match="has a column called row_id"):
        ask(tmp_path, tmp_path / "a.csv", contract=tiny.contract_file)


def test_a_database_without_a_query_is_told(tmp_path: Path) -> None:
    question = Question(paths=["sqlite:///a.db"])

    with pytest.raises(DataError, match=r"sqlite:///a\.db: is a database, and --sql is missing"):
        examine.examine(question, tmp_path / "scratch")


def test_of_a_private_column_the_reason_for_its_type_is_left_out(tmp_path: Path) -> None:
    cards = ["4111111111111111", "5555555555554444", "6011111111111117", "378282246310005"]
    answer = ask(tmp_path, written(tmp_path / "a.csv", *cards, header="paid")).answer

    assert any(finding.check == "pii_present" for finding in answer.findings)
    assert answer.profile["paid"]["why"] == ""
    assert not [card for card in cards if card in answer.model_dump_json()]


def test_files_of_which_one_column_cannot_be_made_are_refused_with_both_types(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"x": [date(2024, 1, 1)]}).write_parquet(tmp_path / "b.parquet")

    with pytest.raises(DataError, match=r"b\.parquet: x: is Date here and Int64 in a\.parquet"):
        ask(tmp_path, tmp_path / "a.parquet", tmp_path / "b.parquet")


@pytest.mark.parametrize("column", ["minutes", "placed"])
def test_days_for_numbers_and_numbers_for_days_break_the_contract(tiny: Workspace, tmp_path: Path, column: str) -> None:
    ingested = ingest.read(
        tiny.raw / "2024-02.csv", "b", tiny.section(IngestSettings), contract.load(tiny.contract_file)
    )
    wrong = pl.lit(date(2024, 1, 1)) if column == "minutes" else pl.lit(19_000)
    rows = ingested.typed.drop("row_id", "slow", "weekday").with_columns(wrong.alias(column))
    rows.write_parquet(tmp_path / "b.parquet")

    answer = ask(tmp_path, tmp_path / "b.parquet", contract=tiny.contract_file).answer

    (told,) = [finding for finding in answer.findings if finding.check == "dtype_mismatch"]
    assert (told.column, told.rows) == (column, rows.height)

"""JSON in its shapes: read as a table, or refused in one line where Python's json refuses it."""

import json
import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipeline import readers
from pipeline.errors import DataError
from pipeline.readers.packing import BLOCK
from pipeline.readers.records import Text
from pipeline.readers.spool import spool

from .conftest import Open, rows, shared, written

RECORDS = [{"a": 1, "b": "x"}, {"a": None, "b": "ü"}, {"b": "z", "c": 1.5}]
ROWS = [["a", "b", "c"], [1, "x", None], [None, "ü", None], [None, "z", 1.5]]
LINES = "\n".join(map(json.dumps, RECORDS)) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", LINES),
        ("t[1].ndjson", LINES),
        ("t.jsonl", LINES.replace("\n", "\r\n\r\n")),
        ("t.jsonl", LINES.encode("utf-8-sig")),
        ("t.jsonl", LINES.encode("utf-16")),
        ("t.json", LINES),
        ("t.json", json.dumps(RECORDS)),
        ("t.json", json.dumps(RECORDS, indent=2).encode("utf-8-sig")),
        ("t.json", json.dumps(RECORDS).encode("utf-16-le")),
        ("t.json", json.dumps({"data": RECORDS})),
        ("t.json", json.dumps({"a": [1, None, None], "b": ["x", "ü", "z"], "c": [None, None, 1.5]})),
        ("t.json", '{"a":{"0":1,"1":null,"2":null},"b":{"0":"x","1":"ü","2":"z"},"c":{"0":null,"1":null,"2":1.5}}'),
    ],
)
def test_one_table_in_every_shape(opened: Open, name: str, content: bytes | str) -> None:
    source = opened(name, content)

    assert rows(source) == ROWS
    assert not source.text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "x", None], ["1", "x", None]),
        ([True, 2], ["true", "2"]),
        ([2**60, 1.5], [str(2**60), "1.5"]),
        ([2**70, 1], [str(2**70), "1"]),
        ([[1, 2], None], ["[1, 2]", None]),
        ([{"k": "é"}, "x"], ['{"k": "é"}', "x"]),
        (["\ud800x", "y"], ["\ufffdx", "y"]),
    ],
)
def test_no_value_is_lost_where_a_column_is_mixed(opened: Open, values: list[object], expected: list[object]) -> None:
    assert rows(opened("t.json", json.dumps([{"v": value} for value in values])))[1:] == [[v] for v in expected]
    lines = "\n".join(json.dumps({"v": value}) for value in values)
    assert rows(opened("lines.jsonl", lines))[1:] == [[v] for v in expected]


def test_types_that_differ_between_batches_are_joined(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.readers.records.BATCH_ROWS", 2)
    records = [{"a": None, "b": 1}, {"a": None, "b": 2}, {"a": 1, "b": 2.5}, {"a": 2, "b": None}, {"a": 3, "c": "x"}]

    frame = opened("t.json", json.dumps(records)).frame.collect()

    assert frame.schema == {"a": pl.Int64, "b": pl.Float64, "c": pl.String}
    assert frame["b"].to_list() == [1.0, 2.0, 2.5, None, None]


@pytest.mark.parametrize(
    ("document", "names", "beside"),
    [
        ({"data": RECORDS, "n": 1, "next": None}, ["a", "b", "c"], "of t.json what stands under other keys: n, next"),
        ({"data": RECORDS}, ["a", "b", "c"], ""),
        ({"data": RECORDS, "more": RECORDS[:2]}, ["data", "more"], ""),
        ({"n": 1, "tags": ["x"]}, ["n", "tags"], ""),
    ],
)
def test_the_one_array_of_records_in_an_object_is_the_table(
    opened: Open, document: object, names: list[str], beside: str
) -> None:
    source = opened("t.json", json.dumps(document))

    assert source.frame.collect_schema().names() == names
    assert source.beside == beside


def test_an_array_is_read_value_by_value(opened: Open) -> None:
    records = [{"text": "x" * 3000, "n": i} for i in range(2000)]  # some blocks

    frame = opened("t.json", json.dumps(records)).frame.collect()

    assert frame["n"].to_list() == list(range(2000))


def test_of_an_array_on_one_line_only_a_few_blocks_are_held(tmp_path: Path) -> None:
    records = [{"text": "ü" * 3000, "n": i} for i in range(4000)]
    path = written(tmp_path / "t.json", json.dumps(records, ensure_ascii=False))
    text = Text("t.json", path)

    longest = max(len(text.held) for _ in text.records())

    assert "\n" not in path.read_text()
    assert longest < 4 * BLOCK < path.stat().st_size


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.json", "[1, 2]", "t.json: line 1, byte 3: holds a value that is no record"),
        ("t.json", '[{"a": 1},\n {"a": 1,}]', "t.json: line 2, byte 21: is no JSON (Expecting property name"),
        ("t.json", '[{"a": "ü"} {"a": 1}]', "t.json: line 1, byte 14: is no JSON (expecting ','"),
        ("t.json", '[{"a": 1},]', "t.json: line 1, byte 11: is no JSON (a value is missing"),
        ("t.json", '[{"a": 1}] x', "t.json: line 1, byte 12: goes on behind its end"),
        ("t.json", '"text"', "t.json: line 1, byte 7: holds no table"),
        ("t.json", "[]", "t.json: holds no record with a name in it"),
        ("t.json", b'[{"a": "\xff"}]', "t.json: line 1, byte 9: is not UTF-8"),
        ("t.json", "[" * 100_000, "t.json: line 1, byte 2: is nested too deeply"),
        ("t.jsonl", '{"a": 1}\n{"a": 1}}\n', "t.jsonl: line 2, byte 18: is no JSON (Extra data)"),
        ("t.jsonl", '{"a": 1}\n\n[1]\n', "t.jsonl: line 3, byte 11: holds no record"),
        ("t.jsonl", b'{"a": 1}\n{"a": "\xc3"}\n', "t.jsonl: line 2, byte 17: is not UTF-8"),
    ],
)
def test_what_is_no_table_is_told_with_line_and_byte(
    refused: Callable[..., str], name: str, content: bytes | str, told: str
) -> None:
    assert refused(name, content).startswith(told)


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_what_python_refuses_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    files = sorted(shared("hostile/json").rglob("*.json"))
    wrong = [file.name for file in files if accepted(file) < opens(written(tmp_path / name, file.read_bytes()))]

    assert files
    assert not wrong


def accepted(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True


def opens(path: Path) -> bool:
    try:
        readers.open_source(path, scratch=path.parent / "scratch").frame.collect()
    except DataError as error:
        assert "\n" not in str(error)
        return False
    return True


def test_naughty_strings_come_back_from_every_format(tmp_path: Path) -> None:
    strings = json.loads(shared("hostile/blns.json").read_text(encoding="utf-8"))
    frame = pl.DataFrame({"s": strings, "n": range(len(strings))})
    frame.write_csv(tmp_path / "t.csv", quote_style="always")
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ndjson(tmp_path / "t.jsonl")
    (tmp_path / "t.json").write_text(json.dumps(frame.to_dicts()), encoding="utf-8")

    for name in ("t.csv", "t.parquet", "t.jsonl", "t.json"):
        source = readers.open_source(tmp_path / name, scratch=tmp_path / "scratch")
        assert source.frame.collect()["s"].to_list() == strings, name


@pytest.mark.parametrize(("name", "content"), [("t.json", '[{{"a": {}}}]'), ("t.jsonl", '{{"a": {}}}\n')])
def test_a_number_of_thousands_of_digits_is_refused_in_one_line(
    refused: Callable[..., str], name: str, content: str
) -> None:
    assert "cannot be read (Exceeds the limit (4300 digits)" in refused(name, content.format("1" * 5_000))


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([[2**53 + 1], [0.5]], ["9007199254740993", "0.5"]),
        ([[2], [0.5]], [2.0, 0.5]),
        ([[b"\xff"], ["x"]], ["ff", "x"]),
        ([[Decimal("1.5"), Decimal("Infinity")]], [1.5, math.inf]),
        ([[Decimal("1E+40"), Decimal("1.5")]], ["1E+40", "1.5"]),
        ([[Decimal("2.25"), None]], [Decimal("2.25"), None]),
        ([[timedelta(days=200_000_000)]], ["200000000 days, 0:00:00"]),
    ],
)
def test_what_no_type_holds_together_is_text(
    tmp_path: Path, batches: list[list[object]], expected: list[object]
) -> None:
    assert spool([{"^a$": batch} for batch in batches], tmp_path / "parts").collect()["^a$"].to_list() == expected


@pytest.mark.parametrize(("name", "form"), [("t.jsonl", "lines"), ("t.json", "array")])
def test_objects_within_records_are_columns(opened: Open, name: str, form: str) -> None:
    records = [
        {"id": 1, "user": {"name": "Ann", "address": {"city": "Ulm"}}, "tags": ["x"]},
        {"id": 2, "user": None, "tags": []},
        {"id": 3, "user": {"name": "Bo"}, "tags": None},
    ]
    text = "\n".join(map(json.dumps, records)) if form == "lines" else json.dumps(records)

    assert rows(opened(name, text)) == [
        ["id", "user.name", "user.address.city", "tags"],
        [1, "Ann", "Ulm", '["x"]'],
        [2, None, None, "[]"],
        [3, "Bo", None, None],
    ]


def test_objects_of_many_keys_or_of_taken_names_stay_json_text(opened: Open) -> None:
    many = {f"user {place}": place for place in range(60)}
    source = opened("t.jsonl", json.dumps({"scores": many, "a": {"b": 1}, "a.b": 2}) + "\n")

    assert rows(source) == [["scores", "a", "a.b"], [json.dumps(many), '{"b": 1}', 2]]

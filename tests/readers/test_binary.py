"""Binary tables come with their types; those that crash readers are told in one line."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipeline import readers
from pipeline.errors import DataError

from .conftest import Open, rows, shared, written

FRAME = pl.DataFrame({"i": [1, None], "f": [1.5, 2.5], "s": ["a", "b"], "d": [date(2024, 1, 1), None]})
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
CELL = '<c t="inlineStr"><is><t>{}</t></is></c>'


def bytes_of(write: Callable[[io.BytesIO], object]) -> bytes:
    target = io.BytesIO()
    write(target)
    return target.getvalue()


def workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    """A minimal .xlsx."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        names = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(sheets, 1))
        links = "".join(
            f'<Relationship Id="r{i}" Type="{OFFICE}/officeDocument/2006/relationships/worksheet" Target="s{i}.xml"/>'
            for i in range(1, len(sheets) + 1)
        )
        namespace = f'xmlns="{OFFICE}/spreadsheetml/2006/main" xmlns:r="{OFFICE}/officeDocument/2006/relationships"'
        archive.writestr("xl/workbook.xml", f"<workbook {namespace}><sheets>{names}</sheets></workbook>")
        relations = f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'
        archive.writestr("xl/_rels/workbook.xml.rels", relations)
        for i, sheet in enumerate(sheets.values(), 1):
            lines = "".join(f"<row>{''.join(map(cell, line))}</row>" for line in sheet)
            archive.writestr(f"xl/s{i}.xml", f"<worksheet {namespace}><sheetData>{lines}</sheetData></worksheet>")
        whole = f'<Relationship Id="r" Type="{OFFICE}/officeDocument/2006/relationships/officeDocument"'
        root = f'<Relationships xmlns="{PACKAGE}/relationships">{whole} Target="xl/workbook.xml"/></Relationships>'
        archive.writestr("_rels/.rels", root)
    return target.getvalue()


OFFICE = "http://schemas.openxmlformats.org"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def cell(value: object) -> str:
    return CELL.format(value) if isinstance(value, str) else "<c/>" if value is None else f"<c><v>{value}</v></c>"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", bytes_of(FRAME.write_parquet)),
        ("t[1].parquet", bytes_of(FRAME.write_parquet)),
        ("named_badly.csv", bytes_of(FRAME.write_parquet)),
        ("t.arrow", bytes_of(FRAME.write_ipc)),
        ("t.feather", bytes_of(FRAME.write_ipc)),
        ("t[1].arrow", bytes_of(FRAME.write_ipc_stream)),
        ("t.avro", bytes_of(FRAME.write_avro)),
    ],
)
def test_a_table_comes_with_its_types(opened: Open, name: str, content: bytes) -> None:
    source = opened(name, content)

    assert source.frame.collect().equals(FRAME)
    assert not source.text


def test_lists_are_json_text_and_records_are_columns(opened: Open) -> None:
    deep = [{"a": 1, "b": {"c": "x", "d": [1]}}, None, {"a": None, "b": None}]
    frame = pl.DataFrame({"l": [[1, 2], None, []], "s": deep, "n": [1, 2, 3]})

    source = opened("t.parquet", bytes_of(frame.write_parquet))

    assert rows(source) == [
        ["l", "s.a", "s.b.c", "s.b.d", "n"],
        ["[1,2]", 1, "x", "[1]", 1],
        [None, None, None, None, 2],
        ["[]", None, None, None, 3],
    ]
    assert source.dialect["records"] == "s: a column for each field"
    assert source.dialect["nested"] == "l, s.b.d: as JSON text"


def test_records_whose_fields_would_have_the_names_of_others_stay_one_cell(opened: Open) -> None:
    frame = pl.DataFrame({"s": [{"a": 1}], "s.a": [2], "many": [{f"k{place}": place for place in range(60)}]})

    source = opened("t.parquet", bytes_of(frame.write_parquet))

    assert rows(source)[0] == ["s", "s.a", "many"]
    assert rows(source)[1][:2] == ['{"a":1}', 2]


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_durations_are_seconds(tmp_path: Path, ending: str) -> None:
    frame = pl.DataFrame({"n": [1, 2], "*": pl.Series([1500, None], dtype=pl.Duration("ms"))})
    frame.write_parquet(tmp_path / "a.parquet") if ending == "parquet" else frame.write_ipc(tmp_path / "a.arrow")

    source = readers.open_source(tmp_path / f"a.{ending}", scratch=tmp_path / "scratch")

    assert rows(source) == [["n", "*"], [1, 1.5], [2, None]]
    assert source.dialect["durations"] == "*: as seconds"


def test_of_a_workbook_the_first_sheet_is_read_or_the_one_that_is_named(tmp_path: Path) -> None:
    sheets: dict[str, list[list[object]]] = {
        "one": [["a", "b"], [1, "x"], [None, None], [2.5, "y"]],
        "two": [["c"], [1]],
        "none": [],
    }
    path = written(tmp_path / "t.xlsx", workbook(sheets))

    first = readers.open_source(path, scratch=tmp_path)
    second = readers.open_source(tmp_path / "t.xlsx#two", scratch=tmp_path)

    assert rows(first) == [["a", "b"], [1.0, "x"], [None, None], [2.5, "y"]]
    assert (rows(second), second.name) == ([["c"], [1]], "t.xlsx#two")
    assert (first.beside, second.beside) == ("of t.xlsx the sheets two, none", "")
    with pytest.raises(DataError, match=r"t.xlsx: has no sheet 'three'; name one of: one, two, none"):
        readers.open_source(tmp_path / "t.xlsx#three", scratch=tmp_path)
    with pytest.raises(DataError, match=r"t.xlsx#none: holds nothing"):
        readers.open_source(tmp_path / "t.xlsx#none", scratch=tmp_path)


def test_above_the_table_of_a_sheet_titles_are_left_out_and_names_in_two_lines_are_joined(tmp_path: Path) -> None:
    lines: list[list[object]] = [
        ["Sales 2024", None, None, None],
        [None, None, None, None],
        ["Order", None, "Result", "note"],
        ["id", "amount", None, None],
        [1, 2.5, "yes", None],
        [2, 3, "no", "late"],
    ]
    path = written(tmp_path / "t.xlsx", workbook({"one": lines}))

    source = readers.open_source(path, scratch=tmp_path)

    assert rows(source) == [["Order.id", "Order.amount", "Result", "note"], [1, 2.5, "yes", None], [2, 3, "no", "late"]]
    assert source.dialect["skipped"] == "2 lines before the table"
    assert source.dialect["header"].startswith("two lines")


def test_a_sheet_whose_first_rows_are_words_keeps_them_as_rows(tmp_path: Path) -> None:
    lines: list[list[object]] = [["a", None, "c"], ["x", "y", "z"], ["u", "v", "w"]]
    path = written(tmp_path / "t.xlsx", workbook({"one": lines}))

    assert rows(readers.open_source(path, scratch=tmp_path)) == [["a", "column_2", "c"], *lines[1:]]


def test_a_word_far_down_a_column_of_numbers_of_a_sheet_is_not_lost(tmp_path: Path) -> None:
    numbers: list[list[object]] = [[i, i] for i in range(1200)]
    lines: list[list[object]] = [["n", "m"], *numbers, ["none", 1.5]]
    path = written(tmp_path / "t.xlsx", workbook({"one": lines}))

    frame = readers.open_source(path, scratch=tmp_path).frame.collect()

    assert frame.row(-1) == ("none", 1.5)
    assert frame.row(7) == ("7", 7.0)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.parquet", b"hello", "t.parquet: cannot be read ("),
        ("t.parquet", b"PAR1" + bytes(50) + b"PAR1", "t.parquet: cannot be read ("),
        ("t.parquet", bytes_of(FRAME.write_parquet)[:-20], "t.parquet: cannot be read ("),
        ("t.arrow", bytes_of(FRAME.write_ipc)[:-40], "t.arrow: cannot be read ("),
        ("t.arrow", b"\xff" * 40, "t.arrow: cannot be read ("),
        ("t.avro", b"Obj\x01 and no more", "t.avro: cannot be read ("),
        ("t.xlsx", b"PK\x03\x04 and no more", "t.xlsx: cannot be read ("),
        ("t.xls", OLE + bytes(600), "t.xls: cannot be read ("),
    ],
)
def test_a_damaged_table_is_told_on_one_line(refused: Callable[..., str], name: str, content: bytes, told: str) -> None:
    assert refused(name, content).startswith(told)


def test_a_workbook_with_a_damaged_sheet_or_none_is_told_on_one_line(refused: Callable[..., str]) -> None:
    whole = workbook({"one": [["a", "b"], [1, "x"], [2, "y"]]})
    told = refused("t.xlsx", changed(whole, "xl/s1.xml", lambda sheet: sheet[: len(sheet) // 2]))

    assert re.fullmatch(r"t.xlsx#one: cannot be read \(.*\); save it again, as .xlsx or .csv", told)
    assert refused("t.xlsx", workbook({})) == "t.xlsx: holds no sheet; save it again, as .xlsx or .csv"


def changed(packed: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    """The zip with another content of one member."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive, zipfile.ZipFile(target, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            other.writestr(name, change(content) if name == member else content)
    return target.getvalue()


def test_tables_that_crash_readers_are_read_or_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = sorted(shared("hostile/parquet").glob("*.parquet"))
    told = set()
    for file in files:
        try:
            readers.open_source(file, scratch=tmp_path).frame.collect()
        except DataError as error:
            assert "\n" not in str(error)
            told.add(file.stem)

    assert files
    assert {"PARQUET-1481", "ARROW-RS-GH-6229-DICTHEADER", "ARROW-GH-47662"} <= told
    assert not capfd.readouterr().err

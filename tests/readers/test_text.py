"""Text tables as people write them: read as they are meant, or refused with line and byte."""
# ruff: noqa: RUF001

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline import readers
from pipeline.errors import DataError
from pipeline.readers.encoding import encoding

from .conftest import Open, rows, shared, written

TABLE = "name,n\nZoë,1\n,2\n"
ROWS = [["name", "n"], ["Zoë", "1"], [None, "2"]]


def zipped(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, TABLE)
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", TABLE),
        ("t*.csv", TABLE),
        ("t [1].csv", TABLE),
        ("t", TABLE),
        ("t.txt", TABLE.replace(",", ";")),
        ("t.csv", TABLE.replace(",", ";")),
        ("t.csv", TABLE.replace(",", "|")),
        ("t.csv", TABLE.replace(",", "\t")),
        ("t.tsv", TABLE.replace(",", "\t")),
        ("t.dat", TABLE.replace(",", " ")),
        ("t.csv", TABLE.replace("\n", "\r\n")),
        ("t.csv", TABLE.replace("\n", "\r")),
        ("t.csv", TABLE.replace("\n", "\n\n")),
        ("t.csv", "\n\n" + TABLE),
        ("t.csv", TABLE.rstrip("\n")),
        ("t.csv", "sep=;\r\n" + TABLE.replace(",", ";")),
        ("t.csv", "\ufeffsep=;\r\n" + TABLE.replace(",", ";")),
        ("t.csv", '# made "today"\n# by hand\n' + TABLE),
        ("t.csv", TABLE.encode("utf-8-sig")),
        ("t.csv", TABLE.encode("utf-16")),
        ("t.csv", TABLE.replace("\n", "\r\n").encode("utf-16-be")),
        ("t.csv", TABLE.encode("utf-16-le")),
        ("t.csv", TABLE.encode("utf-32")),
        ("t.csv", TABLE.encode("cp1252")),
        ("t.csv.gz", gzip.compress(TABLE.encode(), mtime=0)),
        ("t.csv", gzip.compress(TABLE.encode("cp1252"), mtime=0)),
        ("t.csv.zst", zstandard.compress(TABLE.encode()) * 1),
        ("t.csv.bz2", bz2.compress(TABLE.encode())),
        ("t.csv.xz", lzma.compress(TABLE.encode())),
        ("t.zip", zipped("any.csv")),
        ("t.csv", '"name","n"\n"Zoë","1"\n,"2"\n'),
        ("t.csv", "'name','n'\n'Zoë','1'\n,'2'\n"),
        ("t.csv", 'name, "n"\nZoë, "1"\n,2\n'),
    ],
)
def test_one_table_however_it_is_written(opened: Open, name: str, content: bytes | str) -> None:
    source = opened(name, content)

    assert rows(source) == ROWS
    assert source.text
    assert source.name == name
    assert not source.bad


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (TABLE.replace(",", ";"), {"delimiter": "; (1 in each of the first 3 rows)", "header": "yes ("}),
        (TABLE.replace(",", ";").encode("cp1252"), {"encoding": "cp1252 (1 byte is no UTF-8", "quote": '"'}),
        (TABLE.encode("utf-16"), {"encoding": "utf-16-le (its byte order mark says so)"}),
        (gzip.compress(TABLE.encode(), mtime=0), {"compression": "gzip (its first bytes say so)"}),
        ("a;b\n1,5;2\n-0,25;3\n", {"decimal": ", (2 of 2 numbers"}),
        ("a;b\n1.5;2\n1,234;3\n", {"decimal": ". (1 of 1 numbers"}),
        (
            "a,a,,a_2\n1,2,3,4\n",
            {"names": "column 2 is called a_3 (a stands twice); column 3 is called column_3 (it has"},
        ),
        ("# x\na,b\n1,2\n", {"skipped": "1 line before the table"}),
        ("a,b\n\n1,2\n", {"blank lines": "1, which are no rows"}),
        ('a,b\n5" pipe,2\n', {"quote": '" (some cells held quotes that were not written as two: mended)'}),
        ("a,b\r1,2\r", {"line ends": "carriage returns"}),
    ],
)
def test_what_was_found_out_is_told_with_why(opened: Open, content: bytes | str, told: dict[str, str]) -> None:
    dialect = opened("t.csv", content).dialect

    assert {key: dialect[key][: len(text)] for key, text in told.items()} == told


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('a,b\n5" pipe,"12"\n', [["a", "b"], ['5" pipe', "12"]]),
        ('a,b\n"say \\"hi, you\\"",2\n', [["a", "b"], ['say "hi, you"', "2"]]),
        ('a,b\n"",\n', [["a", "b"], ["", None]]),
        ("a\n1\n\n2\n", [["a"], ["1"], [None], ["2"]]),
        ("\n\n", [["column_1"], [None], [None]]),
        ("a,b\n", [["a", "b"]]),
        ("1,2\n", [["column_1", "column_2"], ["1", "2"]]),
        ("first name\nJohn Smith\nAda King\n", [["first name"], ["John Smith"], ["Ada King"]]),
        ("a,b,\n1,2,\n", [["a", "b", "column_3"], ["1", "2", None]]),
        ("a,b\n1,2\x00\n", [["a", "b"], ["1", "2\x00"]]),
        ("*,^x$,[1]\n1,2,3\n", [["*", "^x$", "[1]"], ["1", "2", "3"]]),
        ("#id,n\n1,2\n", [["#id", "n"], ["1", "2"]]),
        ("# made by x\n\n# in May\n\na,b\n1,2\n\n3,4\n", [["a", "b"], ["1", "2"], ["3", "4"]]),
        ("sep=;\n\na;b\n1;2\n", [["a", "b"], ["1", "2"]]),
        ('a|b|c\n\t|"\n"|"""1"', [["a", "b", "c"], ["\t", "\n", '"1']]),
        ("sep=·\n1·2\n", [["sep=·"], ["1·2"]]),
        ('"a\nb",c\n1,2\n', [["a\nb", "c"], ["1", "2"]]),
        (
            "country,1990,1991,1992\nFrance,1,2.5,3\n",
            [["country", "1990", "1991", "1992"], ["France", "1", "2.5", "3"]],
        ),
        ("a,b\n1,2\na,b\n3,4\n", [["a", "b"], ["1", "2"], ["a", "b"], ["3", "4"]]),
        ('id\ttext\n1\tsay "hi\n2\t"so" he said\n', [["id", "text"], ["1", 'say "hi'], ["2", '"so" he said']]),
    ],
)
def test_odd_tables_are_read_as_people_mean_them(opened: Open, content: str, expected: list[list[object]]) -> None:
    assert rows(opened("t.csv", content)) == expected


def test_the_header_may_be_stated(opened: Open) -> None:
    assert rows(opened("t.csv", "a,b\n1,2\n", header=False)) == [["column_1", "column_2"], ["a", "b"], ["1", "2"]]
    assert rows(opened("t.csv", "3,4\n1,2\n", header=True)) == [["3", "4"], ["1", "2"]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "t.csv: is empty"),
        (gzip.compress(b"", mtime=0), "t.csv: is empty once unpacked"),
        (gzip.compress(TABLE.encode() * 99, mtime=0)[:-9], "t.csv: is a damaged gzip file"),
        (zstandard.compress(TABLE.encode() * 99)[:-9], "t.csv: is a damaged zstd file"),
        ("a,b\n1,2\n3\n", "t.csv: line 3, byte 9: holds 1 field, the header has 2"),
        ('sep="\na"b\n1"2\n', "t.csv: line 1, byte 5: a quote stands inside a cell"),
        ("a,b\r\n1,2\r\n3,4,5\r\n", "t.csv: line 3, byte 11: holds 3 fields, the header has 2"),
        ('a,b\n"x\ny",2\n3\n', "t.csv: line 4, byte 13: holds 1 field"),
        ('a,b\n1,"2\n3,4\n', "t.csv: line 2, byte 7: a quote that opens here is not closed"),
        ('a,b\n1,the "best" one\n', "t.csv: line 2, byte 11: a quote stands inside a cell that is not quoted"),
        ("a,b\n1,2\n" + "\x00" * 20, "t.csv: line 3, byte 9: holds 1 field"),
        (zipped("a.csv", "b.csv"), "t.csv: is a zip of 2 files; unpack it"),
        (b"PK\x03\x04 and no more", "t.csv: is a damaged or locked zip file"),
        (b"SQLite format 3\x00" + bytes(99), "t.csv: is an SQLite database; ask it"),
        (b"ORC" + bytes(99), "t.csv: is an ORC file"),
        (b"%PDF-1.7\n", "t.csv: is a PDF document"),
        ("\n<!DOCTYPE html>\n<html><body>not found, sorry\n", "t.csv: is a web page, not a table; fetch the file anew"),
        ("<html lang='en'>\n<body>\n", "t.csv: is a web page"),
    ],
)
def test_what_cannot_be_read_is_told_on_one_line(refused: Callable[..., str], content: bytes | str, told: str) -> None:
    assert refused("t.csv", content).startswith(told)


UNEVEN = [*["1,2"] * 150, "", *["3,4"] * 50, '"x\ny",5', "6", *["7,8"] * 50, "Total"]


def test_a_few_uneven_lines_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "\n".join(["a,b", *UNEVEN]))

    source = readers.open_source(path, scratch=tmp_path / "scratch", lenient=True)

    assert [tuple(row) for row in rows(source)[201:204]] == [("x\ny", "5"), ("7", "8"), ("7", "8")]
    assert source.frame.collect().height == 251
    assert [(bad.line, bad.byte) for bad in source.left_out] == [(205, 814), (256, 1016)]
    assert source.left_out[0].what == "holds 1 field, the header has 2"
    assert [bad.cells for bad in source.left_out] == [("6", None), ("Total", None)]
    assert path.read_bytes()[813:815] == b"6\n"


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('x,"y, z",1,2', ("x", "y, z", "1,2")),
        ("x,y", ("x", "y", None)),
        ('"a ""b""\nc",', ('a "b"\nc', None, None)),
        (",,,", (None, None, ",")),
        ("x", ("x", None, None)),
    ],
)
@pytest.mark.parametrize("strange", ["", 'inches,5",1\n'], ids=["plain", "mended"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_cells_of_an_uneven_line_are_kept(
    tmp_path: Path, line: str, cells: tuple[str | None, ...], strange: str, end: str
) -> None:
    text = "a,b,c\n" + "1,2,3\n" * 200 + strange + line + "\n" + "4,5,6\n" * 9
    path = written(tmp_path / "t.csv", text.replace("\n", end))

    source = readers.open_source(path, scratch=tmp_path / "scratch", lenient=True)

    assert [bad.cells for bad in source.left_out] == [tuple(cell and cell.replace("\n", end) for cell in cells)]


@pytest.mark.parametrize("lenient", [False, True])
def test_many_uneven_lines_are_refused_with_their_lines(tmp_path: Path, lenient: bool) -> None:
    path = written(tmp_path / "t.csv", "a,b\n" + "1,2\n3\n" * 7)

    with pytest.raises(DataError, match=r"line 3, byte 9: holds 1 .*; uneven too: lines 5, 7, 9, 11 and 2 more;"):
        readers.open_source(path, scratch=tmp_path / "scratch", lenient=lenient)


def test_more_than_a_thousand_uneven_lines_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "a,b\n" + "1,2\n" * 200_000 + "3\n" * 1_001)

    with pytest.raises(DataError, match=r"line 200002, .*; uneven too: lines 200003, .* and 996 more;"):
        readers.open_source(path, scratch=tmp_path / "scratch", lenient=True)


def test_a_line_with_bad_bytes_is_kept_and_told(opened: Open) -> None:
    source = opened("t.csv", "name,n\nZoë,1\n".encode() + b"\xff\xfe,2\nA\xc3,3\n" + "é,4\n".encode())

    assert rows(source) == [["name", "n"], ["Zoë", "1"], ["\ufffd\ufffd", "2"], ["A\ufffd", "3"], ["é", "4"]]
    assert [(bad.line, bad.byte) for bad in source.bad] == [(3, 15), (4, 21)]
    assert source.bad[0].what == "ff (hexadecimal) is no utf-8"


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"\x81", b"caf\xc3(", b" \xe9 ", b"\xed\xa0\x80"])
def test_a_few_bytes_that_are_no_words_are_damage(opened: Open, bad: bytes) -> None:
    source = opened("t.csv", b"name,n\nAnn,1\n" + bad + b",2\nBob,3\n")

    assert source.frame.collect().height == 3
    assert "\ufffd" in str(rows(source)[2][0])
    assert [damage.line for damage in source.bad] == [3]


def test_beyond_a_thousand_lines_with_bad_bytes_their_number_is_told(opened: Open) -> None:
    source = opened("t.csv", b"name,n\n" + ("éé".encode() + b"\xff,1\n") * 1_200)

    assert source.frame.collect().height == 1_200
    assert len(source.bad) == 1_001
    assert (source.bad[-1].line, source.bad[-1].what) == (1_201, "the last of 200 more such lines")


def test_utf_16_that_is_cut_is_told(opened: Open) -> None:
    source = opened("t.csv", TABLE.encode("utf-16")[:-1])

    assert rows(source)[1] == ["Zoë", "1"]
    assert [bad.line for bad in source.bad] == [3]


def test_bad_bytes_far_down_do_not_change_the_encoding(opened: Open) -> None:
    whole = "name,n\n" + "Zoë,1\n" * 300_000

    source = opened("t.csv", whole.encode() + b"\xe9,2\n")

    assert source.dialect["encoding"].startswith("utf-8")
    assert source.bad[0].line == 300_002
    assert source.frame.select(pl.len()).collect().item() == 300_001


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "имя;город\nИван Петров;Москва\nАнна Сидорова;Санкт-Петербург\n"),
        ("koi8_r", "имя;город\nИван Петров;Москва\nАнна Сидорова;Санкт-Петербург\n"),
        ("cp932", "名前,都市\n山田太郎,東京\n鈴木花子,大阪\n"),
        ("gb18030", "姓名,城市\n张三,北京\n李四,上海\n"),
        ("cp1252", "Name;Ort\nMüller;Straße 5\nZoë Ångström;Malmö\n"),
        ("cp1250", "jméno;město\nŽofie Dvořáková;Plzeň\nŁukasz;Kraków\n" * 40),
    ],
)
def test_texts_of_many_languages_are_decoded(opened: Open, encoding: str, text: str) -> None:
    source = opened("t.csv", text.encode(encoding))

    assert rows(source)[1] == [*text.splitlines()[1].replace(",", ";").split(";")]


@pytest.mark.parametrize("seed", range(6))
def test_western_names_of_many_languages_are_not_read_as_cyrillic(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    names, colours = ("Jürgen", "Åsa", "Ödön", "Zoë", "Max", "Anna"), ("red", "green", "blue")
    table = "".join(f"{i};{draw.choice(names)};{draw.choice(colours)};yes\n" for i in range(400))

    path = written(tmp_path / "t.csv", f"id;customer;colour;returned\n{table}".encode("cp1252"))

    assert encoding(path).name == "cp1252"


def test_latin_words_among_cyrillic_ones_are_no_doubt(tmp_path: Path) -> None:
    table = "id;имя\n" + "".join(f"{i};Иван Петров, г. Москва, iPhone чехол\n" for i in range(50))

    assert encoding(written(tmp_path / "t.csv", table.encode("cp1251"))).name == "cp1251"


def test_tables_of_every_shape(opened: Open) -> None:
    wide = opened("t.csv", ",".join(f"c{i}" for i in range(10_000)) + "\n" + ",".join(["1"] * 10_000) + "\n")
    long = opened("long.csv", 'a,b\n"' + "x\n" * 2_000_000 + '",2\n')
    one = opened("one.csv", "n\n" + "1\n" * 5)

    assert (len(wide.frame.collect_schema()), wide.frame.collect().height) == (10_000, 1)
    assert long.frame.select(pl.col("a").str.len_bytes()).collect().item() == 4_000_000
    assert rows(one) == [["n"], *[["1"]] * 5]


def test_many_equal_names_are_each_their_own(opened: Open) -> None:
    names = opened("t.csv", ",".join(["a"] * 300) + "\n" + ",".join(["1"] * 300) + "\n", header=True)

    assert len(set(names.frame.collect_schema().names())) == 300


def test_quotes_across_blocks_are_even(opened: Open) -> None:
    generator = np.random.default_rng(3)
    cells = ["x" * int(n) + ',\n"' for n in generator.integers(0, 3000, 2000)]
    target = io.StringIO()
    csv.writer(target).writerows([["a", "b"], *([cell, "1"] for cell in cells)])

    frame = opened("t.csv", target.getvalue()).frame.collect()

    assert frame["a"].to_list() == cells


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r")), min_size=2, max_size=2)))
def test_what_python_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["first", "second"], *table])

    source = readers.open_source(path, scratch=path.parent / "scratch", header=True)

    assert rows(source)[1:] == table


@given(st.binary(max_size=200))
def test_any_bytes_are_opened_or_told(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()

    for name in ("any.csv", "any", "any.csv.gz", "any.tsv", "any.json", "any.jsonl", "any.parquet"):
        path = written(folder / name, content)
        try:
            readers.open_source(path, scratch=folder / "scratch").frame.collect()
        except DataError as error:
            assert "\n" not in str(error)


def test_the_published_tables_are_read(tmp_path: Path) -> None:
    adult = readers.open_source(shared("tables/adult/train.csv"), scratch=tmp_path)
    texts = readers.open_source(shared("text/sms.tsv"), scratch=tmp_path)

    assert adult.frame.collect_schema().names() == [f"column_{i}" for i in range(1, 16)]
    assert adult.frame.collect().shape == (32_561, 15)
    assert texts.frame.collect().shape == (5_574, 2)
    assert texts.dialect["quote"] == "none"


def right(folder: Path, name: str) -> list[list[str]] | None:
    """The right answer, as rows; none for a file that is invalid."""
    file = folder / "json" / f"{name}.json"
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    found = [found] if isinstance(found, dict) else found
    return [list(row.values()) if isinstance(row, dict) else row for row in found]


@pytest.mark.parametrize("folder", ["hostile/csv_spectrum", "hostile/csv_edge"])
def test_files_that_parsers_get_wrong_are_right_or_refused(tmp_path: Path, folder: str) -> None:
    files = sorted(shared(folder).rglob("*.csv"))
    differing = {}
    for file in files:
        if (expected := right(shared(folder), file.stem)) is None:
            continue
        found = [["" if c is None else c for c in row] for row in rows(readers.open_source(file, scratch=tmp_path))]
        if found[-len(expected) :] != expected and not (expected == [] and len(found) == 1):
            differing[file.stem] = (found, expected)

    assert files
    # the answer to the first has another phone number than the file; the second file's line ends are no CRLF here
    assert differing.keys() <= {"location_coordinates", "newlines_crlf"}


@pytest.mark.parametrize(
    "name",
    [
        "header-less-fields",
        "header-more-fields",
        "header-no-header",
        "missing-quote",
        "quotes-with-unescaped-quote",
        "unescaped-quote",
    ],
)
def test_invalid_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"line 2, byte \d+|is empty"):
        readers.open_source(shared("hostile/csv_edge") / "csv" / f"bad-{name}.csv", scratch=tmp_path)

"""The strict way: every format is read, and every damaged file is told in one line with its name."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from polars.selectors import by_name

from pipeline import readers
from pipeline.errors import DataError

TABLE = "a,b\n1,x\nNA,\n"
ROWS = [("1", "x"), (None, None)]


def scan(path: Path, content: bytes | str) -> pl.DataFrame:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return readers.scan(path, ["NA", ""]).collect()


def fault(path: Path, content: bytes | str) -> str:
    with pytest.raises(DataError) as raised:
        scan(path, content)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(path.name)
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", TABLE),
        ("T.CSV", TABLE),
        ("t.csv.gz", gzip.compress(TABLE.encode(), mtime=0)),
        ("t.csv", gzip.compress(TABLE.encode(), mtime=0)),
        ("t.csv.gz", gzip.compress(b"a,b\n1,x\n", mtime=0) + gzip.compress(b"NA,\n", mtime=0)),
        ("t.csv.zst", zstandard.compress(TABLE.encode())),
        ("t.tsv", TABLE.replace(",", "\t")),
        ("t.csv", "\ufeff" + TABLE),
        ("t.csv", "\ufeff" + TABLE.replace("a,b", '"a",b')),
        ("t.csv", TABLE.replace("\n", "\r\n")),
        ("t.csv", TABLE.rstrip("\n")),
        ("t.csv", "\n" + TABLE.replace("\n", "\n\n")),
        ("t [1].csv", TABLE),
        ("t*.csv", TABLE),
        ("t?{a}.csv", TABLE),
    ],
)
def test_text_comes_as_text_with_the_markers_as_null(tmp_path: Path, name: str, content: bytes | str) -> None:
    (tmp_path / "tx.csv").write_text("a,b\n9,9\n")  # which a pattern would match

    frame = scan(tmp_path / name, content)

    assert (frame.columns, frame.rows()) == (["a", "b"], ROWS)


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t[1].jsonl", "t.jsonl.gz"])
def test_json_lines_come_with_their_types(tmp_path: Path, name: str) -> None:
    lines = b'{"a": 1, "b": "x"}\n{"a": null, "b": "y"}\n'

    assert scan(tmp_path / name, gzip.compress(lines) if name.endswith("gz") else lines).rows() == [
        (1, "x"),
        (None, "y"),
    ]


def test_binary_tables_come_with_their_types(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1.5]}).write_parquet(tmp_path / "t[1].parquet")
    pl.DataFrame({"a": [1.5]}).write_ipc(tmp_path / "t[1].arrow")

    assert readers.scan(tmp_path / "t[1].parquet", []).collect().rows() == [(1.5,)]
    assert readers.scan(tmp_path / "t[1].arrow", []).collect().rows() == [(1.5,)]


def test_quoted_separators_and_line_ends_are_part_of_the_cell(tmp_path: Path) -> None:
    frame = scan(tmp_path / "t.csv", 'a,b\n"one, ""two""\nthree",2\n')

    assert frame.rows() == [('one, "two"\nthree', "2")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"\n", "cannot be read (empty CSV)"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), "cannot be read (empty CSV)"),
        ("t.csv.gz", b"", "is empty"),
        ("t.csv.gz", b"a,b\n1,2\n", "is a damaged gzip file"),
        ("t.csv.gz", gzip.compress(TABLE.encode() * 99, mtime=0)[:-9], "is a damaged gzip file"),
        ("t.csv", gzip.compress(TABLE.encode() * 99, mtime=0)[:-9], "is a damaged gzip file"),
        ("t.csv.gz", gzip.compress(TABLE.encode(), mtime=0) + b"junk", "is a damaged gzip file"),
        ("t.csv.zst", zstandard.compress(TABLE.encode() * 99)[:-9], "is a damaged zstd file"),
        ("t.parquet.gz", gzip.compress(b"PAR1", mtime=0)[:-3], "is a damaged gzip file"),
        ("t.csv", b"a,b\n1,2\n3\n4\n5,6\n7,8,9\n", "line 3, byte 9: holds 1 field, the header has 2; uneven too:"),
        ("t.csv", "a,b\nn\xf6rd,2\n".encode("latin1"), "line 2, byte 6: is not UTF-8"),
        ("t.csv", TABLE.encode("utf-16-le"), "line 4, byte 24: holds 1 field"),
        ("t.csv", TABLE.encode("utf-16"), "line 1, byte 1: is not UTF-8"),
        ("t.csv", b"a,b\n1,2\n3\n", "line 3, byte 9: holds 1 field, the header has 2"),
        ("t.csv", b"a,b\n1,2,3\n", "line 2, byte 5: holds 3 fields, the header has 2"),
        ("t.csv", b'a,b\n1,"2\n3,4\n', "line 2, byte 7: a quote that opens here is not closed"),
        ("t.csv", b'a,b\n1,"2" and 3\n', "line 2, byte 7: a quote that opens here is not closed, or"),
        ("t.csv", b'a,b\n1,5" pipe\n', "line 2, byte 8: a quote stands inside a cell that is not quoted"),
        ("t.csv", b'a,b\n1,"5\\" pipe"\n', "line 2, byte 7: a quote inside a cell is written as backslash"),
        ("t.csv", b'a,b\n1, "x,y"\n', "line 2, byte 7: a space stands before the quote"),
        ("t.csv", b"a,b\n1,2\n\x00\x00\x00", "line 3, byte 9: holds 1 field"),
        ("t.parquet", b"PAR1" + bytes(50) + b"PAR1", "cannot be read"),
        ("t.parquet", b"hello", "cannot be read"),
        ("t.jsonl", b'{"a": \n', "cannot be read"),
        ("t.jsonl", b"[1, 2]\n", "cannot be read"),
        ("t.jsonl", b'{"a": "\xff"}\n', "cannot be read"),
        ("t.xlsx", b"PK", "is of no known format"),
        ("t.csv.xz", b"\xfd7zXZ\x00", "is packed as xz"),
    ],
)
def test_a_damaged_file_is_told_on_one_line(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    assert fault(tmp_path / name, content).startswith(f"{name}: {told}")


def test_a_cut_parquet_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    pl.DataFrame({"a": list(range(1000))}).write_parquet(file)

    assert "cannot be read" in fault(file, file.read_bytes()[:-30])


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is absent; name a file that is there"):
        readers.scan(tmp_path / "t.csv", [])


def test_a_panic_of_polars_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def panic(*_: object, **__: object) -> pl.LazyFrame:
        os.write(2, b"thread panicked at reader.rs")
        raise pl.exceptions.PanicException("called `Option::unwrap()` on a `None` value\nat reader.rs")

    monkeypatch.setattr(pl, "scan_csv", panic)

    assert "cannot be read (called `Option::unwrap()`" in fault(tmp_path / "t.csv", TABLE)
    assert not capfd.readouterr().err


def test_files_come_in_the_order_of_their_names_and_only_data_files(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv.gz", "deep/c.parquet", "notes.txt", ".gitignore", "._a.csv", ".old/d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert [p.relative_to(tmp_path).as_posix() for p in readers.files(tmp_path)] == [
        "a.csv.gz",
        "b.csv",
        "deep/c.parquet",
    ]
    assert readers.files(tmp_path / "b.csv") == [tmp_path / "b.csv"]


@pytest.mark.parametrize(("make", "told"), [(True, "holds no data file"), (False, "is absent")])
def test_a_source_without_data_is_told(tmp_path: Path, make: bool, told: str) -> None:
    if make:
        (tmp_path / "raw").mkdir()

    with pytest.raises(DataError, match=f"raw: {told}; put a file there that ends in one of: .csv"):
        readers.files(tmp_path / "raw")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_told(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()

    for name in ("any.csv", "any.csv.gz", "any.parquet", "any.jsonl"):
        (folder / name).write_bytes(content)
        assert _one_line(lambda path=folder / name: readers.scan(path, ["NA"]))  # type: ignore[misc]


def _one_line(read: Callable[[], pl.LazyFrame]) -> bool:
    try:
        read()
    except DataError as error:
        return "\n" not in str(error)
    return True


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "arrow"])
def test_a_text_that_stands_for_a_missing_value_is_null_in_any_format(tmp_path: Path, ending: str) -> None:
    frame = pl.DataFrame({"s": ["a", "?", None], "^t$": ["NA", "b", "c"], "n": [1, 2, 3]})
    path = tmp_path / f"x.{ending}"
    write: dict[str, Callable[[Path], object]] = {"csv": frame.write_csv, "parquet": frame.write_parquet}
    write |= {"jsonl": frame.write_ndjson, "arrow": frame.write_ipc}
    write[ending](path)

    rows = readers.scan(path, ["?", "NA", ""]).select("s", by_name("^t$")).collect()

    assert rows.rows() == [("a", None), (None, "b"), (None, "c")]

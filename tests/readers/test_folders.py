"""A folder, a file that is none, and what a name may stand for."""

import os
from pathlib import Path

import polars as pl
import pytest

from pipeline import readers
from pipeline.errors import DataError
from pipeline.readers import folders

from .conftest import rows, written


def test_a_folder_of_pictures_is_one_row_a_file_with_its_folder_as_label(tmp_path: Path) -> None:
    for name in ("cat/b.PNG", "dog/a.jpg", "dog/.hidden.jpg", ".cache/x.png", "dog/note.txt"):
        written(tmp_path / "pets" / name, "12345")

    source = readers.open_source(tmp_path / "pets", scratch=tmp_path / "scratch")

    assert rows(source) == [["path", "bytes", "label"], ["cat/b.PNG", 5, "cat"], ["dog/a.jpg", 5, "dog"]]
    assert (source.base, source.media, source.name) == (tmp_path / "pets", {"path": "image"}, "pets")
    assert source.dialect["left out"] == "files of another kind: 1 text-file"
    assert source.beside == "of the folder pets files of another kind: 1 text-file"


@pytest.mark.parametrize(("name", "kind"), [("a.wav", "audio"), ("a.txt", "text-file"), ("a.webp", "image")])
def test_one_folder_has_no_label(tmp_path: Path, name: str, kind: str) -> None:
    written(tmp_path / "all" / name, "")

    source = readers.open_source(tmp_path / "all", scratch=tmp_path / "scratch")

    assert rows(source) == [["path", "bytes"], [name, 0]]
    assert source.media == {"path": kind}


def test_a_column_names_files_where_each_is_there_and_all_are_of_one_kind(tmp_path: Path) -> None:
    for name in ("a.png", "deep/b.JPG", "c.wav", "-"):
        written(tmp_path / name, "1")
    table = pl.LazyFrame(
        {
            "pictures": ["a.png", None, "deep/b.JPG"],
            "mixed": ["a.png", "c.wav", None],
            "some_absent": ["a.png", "gone.png", None],
            "empty": pl.Series([None] * 3, dtype=pl.String),
            "sounds": ["c.wav"] * 3,
            "words": ["-", "b", "c"],
            "numbers": [1, 2, 3],
        }
    )

    assert folders.named(table, tmp_path) == {"pictures": "image", "sounds": "audio"}
    assert folders.named(table.head(0), tmp_path) == {}
    assert folders.named(table, tmp_path / "deep") == {}


def test_a_column_whose_name_looks_like_a_pattern_is_looked_at(tmp_path: Path) -> None:
    written(tmp_path / "a.png", "12345")
    table = pl.LazyFrame({"^x$": ["a.png", None]})

    assert folders.named(table, tmp_path) == {"^x$": "image"}


def test_a_text_that_can_be_no_name_names_no_file(tmp_path: Path) -> None:
    texts = ["all of it is told " * 20 + "in readme.txt", "a\0b.txt"]

    assert folders.named(pl.LazyFrame({"texts": texts}), tmp_path) == {}


def test_a_file_that_vanishes_has_no_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [written(tmp_path / "pets/a.png", "12345"), tmp_path / "pets/gone.png"]
    monkeypatch.setattr(folders, "media", lambda folder: found)

    source = readers.open_source(tmp_path / "pets", scratch=tmp_path / "scratch")

    assert rows(source) == [["path", "bytes"], ["a.png", 5], ["gone.png", None]]


def test_a_folder_of_tables_is_one_source_a_table(tmp_path: Path) -> None:
    written(tmp_path / "given/b.csv", "a\n1\n")
    written(tmp_path / "given/a.jsonl", '{"a": 1}\n')
    written(tmp_path / "given/photo.png", "")

    found = readers.open_all(tmp_path / "given", scratch=tmp_path / "scratch")
    single = readers.open_all(tmp_path / "given/b.csv", scratch=tmp_path / "scratch")

    assert [source.name for source in found] == ["a.jsonl", "b.csv"]
    assert [source.name for source in single] == ["b.csv"]


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "empty").mkdir()

    for path, told in [
        (tmp_path / "pipe.csv", "pipe.csv: is no regular file"),
        (Path("/dev/null"), "null: is no regular file"),
        (tmp_path / "absent.csv", "is absent; name a file that is there"),
        (tmp_path / "absent.xlsx#Sheet", "is absent; name a file that is there"),
        (tmp_path / "empty", "empty: holds no data; put tables there, or files that end in"),
    ]:
        with pytest.raises(DataError) as raised:
            readers.open_source(path, scratch=tmp_path / "scratch")
        assert told in str(raised.value)

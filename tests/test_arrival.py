"""What a table names goes where the table goes, and nothing else does."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.arrival import bring
from pipeline.errors import DataError


def files(folder: Path, **contents: str) -> None:
    for name, content in contents.items():
        place = folder / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


def there(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_named_files_are_brought_in_their_folders_and_others_stay(tmp_path: Path) -> None:
    files(tmp_path / "from", a="1", deep__b="2", other="3")
    rows = pl.LazyFrame({"one": ["a", None, "a"], "two": ["deep/b", "a", "absent"], "words": ["other"] * 3})

    bring(rows, ["one", "two"], tmp_path / "from", tmp_path / "to")

    assert there(tmp_path / "to") == {"a": "1", "deep/b": "2"}


def test_a_path_that_leads_out_of_the_folder_brings_nothing(tmp_path: Path) -> None:
    files(tmp_path, secret="1")
    files(tmp_path / "from", a="1")
    (tmp_path / "deep").mkdir()
    rows = pl.LazyFrame({"p": ["../secret", str(tmp_path / "secret"), "x/../../secret"]})

    bring(rows, ["p"], tmp_path / "from", tmp_path / "deep" / "to")

    assert there(tmp_path / "deep") == {}
    assert there(tmp_path) == {"secret": "1", "from/a": "1"}


def test_the_same_file_may_be_there_and_another_may_not(tmp_path: Path) -> None:
    files(tmp_path / "from", a="1", b="2")
    files(tmp_path / "to", a="1", b="3")

    bring(pl.LazyFrame({"p": ["a"]}), ["p"], tmp_path / "from", tmp_path / "to")
    with pytest.raises(DataError, match="b: is there already, with another content"):
        bring(pl.LazyFrame({"p": ["a", "b"]}), ["p"], tmp_path / "from", tmp_path / "to")

    assert there(tmp_path / "to") == {"a": "1", "b": "3"}

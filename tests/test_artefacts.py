"""Files appear whole or not at all, and damaged ones are told in one line."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import Field

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError


class Score(Record):
    """A record for these tests."""

    name: str
    value: float | None = Field(default=None)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")

    with artefacts.replacing(file) as temporary:
        temporary.write_text("new")
        assert file.read_text() == "old"

    assert file.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")

    with pytest.raises(KeyboardInterrupt), artefacts.replacing(file) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt

    assert file.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "stale.txt").touch()

    with artefacts.replacing(folder) as temporary:
        artefacts.write_text(temporary / "deep" / "new.txt", "1")

    assert names(folder) == ["deep"]
    assert names(tmp_path) == ["out"]


def test_an_exception_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    artefacts.write_text(folder / "old.txt", "1")

    with pytest.raises(ValueError, match="stop"), artefacts.replacing(folder) as temporary:
        artefacts.write_text(temporary / "new.txt", "2")
        raise ValueError("stop")

    assert names(folder) == ["old.txt"]
    assert names(tmp_path) == ["out"]


def ended() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_what_a_killed_writer_left_is_swept_up(tmp_path: Path) -> None:
    for name in ("a[1].txt", "a[1].txt.more", "b.txt"):
        (tmp_path / f".{name}.{(killed := ended())}.tmp").touch()

    artefacts.write_text(tmp_path / "a[1].txt", "new")

    left = [name for name in names(tmp_path) if not name.startswith(".a[1].txt.more")]
    assert left == [f".b.txt.{killed}.tmp", "a[1].txt"]
    assert len(names(tmp_path)) == 3, "the temporary name of another file is left alone"


def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    writing = tmp_path / f".a.txt.{os.getppid()}.tmp"
    writing.touch()

    artefacts.write_text(tmp_path / "a.txt", "new")
    assert names(tmp_path) == [writing.name, "a.txt"]

    os.utime(writing, (0, 0))  # older than the process: it only has the number of the one that wrote it
    artefacts.write_text(tmp_path / "a.txt", "new")
    assert names(tmp_path) == ["a.txt"]


def test_what_an_earlier_process_of_the_own_number_left_is_swept_up(tmp_path: Path) -> None:
    artefacts.write_text(tmp_path / f".out.{os.getpid()}.tmp" / "old.txt", "1")

    with artefacts.replacing(tmp_path / "out") as temporary:
        artefacts.write_text(temporary / "new.txt", "2")

    assert names(tmp_path / "out") == ["new.txt"]


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    artefacts.write_text(tmp_path / "real" / "a.txt", "1")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)

    artefacts.remove(tmp_path / "link")
    artefacts.remove(tmp_path / "absent")

    assert names(tmp_path) == ["real"]
    assert names(tmp_path / "real") == ["a.txt"]


def test_a_record_survives_the_way_to_disk(tmp_path: Path) -> None:
    score = Score(name="Ærø", value=0.1)

    score.write(tmp_path / "score.json")

    assert Score.read(tmp_path / "score.json") == score
    assert "Ærø" in (tmp_path / "score.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_has_not_is_written_as_null(tmp_path: Path, value: float) -> None:
    Score(name="a", value=value).write(tmp_path / "score.json")

    assert Score.read(tmp_path / "score.json").value is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b'"\xff"', "is not JSON"),
        (b"[1]", "is not a Score"),
        (b'{"name": "a", "value": 1, "more": 2}', "is not a Score"),
        (b'{"value": 1}', "is not a Score"),
    ],
)
def test_a_damaged_record_is_told_with_its_file(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "score.json"
    file.write_bytes(content)

    with pytest.raises(WorkspaceError, match=told) as raised:
        Score.read(file)

    assert str(raised.value).startswith(f"{file}: ")
    assert "\n" not in str(raised.value)


def test_an_absent_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="is absent; run `keepfit run` first"):
        Score.read(tmp_path / "score.json")


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        artefacts.write_json(tmp_path / name, {"z": 1, "a": [0.1, None, "é"]})

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert list(artefacts.read_json(tmp_path / "a.json")) == ["z", "a"]


def test_a_frame_survives_the_way_to_disk(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "é"]})

    artefacts.write_parquet(tmp_path / "new" / "a.parquet", frame.lazy())

    assert artefacts.scan_parquet(tmp_path / "new" / "a.parquet").collect().equals(frame)


def test_a_folder_is_scanned_in_the_order_of_names_which_are_no_patterns(tmp_path: Path) -> None:
    folder = tmp_path / "data [old] *"
    for name, value in (("b*.parquet", 2), ("a.parquet", 1), ("c[1].parquet", 3)):
        artefacts.write_parquet(folder / name, pl.LazyFrame({"x": [value]}))

    assert artefacts.scan_parquet(folder).collect()["x"].to_list() == [1, 2, 3]
    assert artefacts.scan_parquet(folder / "b*.parquet").collect()["x"].to_list() == [2]


@pytest.mark.parametrize("name", ["absent.parquet", "empty"])
def test_absent_parquet_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(WorkspaceError, match="is absent; run `keepfit run` first"):
        artefacts.scan_parquet(tmp_path / name)


def test_damaged_parquet_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    artefacts.write_parquet(file, pl.LazyFrame({"x": [1]}))
    file.write_bytes(file.read_bytes()[:-9])

    with pytest.raises(WorkspaceError, match=r"a\.parquet: is no whole Parquet file") as raised:
        artefacts.scan_parquet(file)

    assert "\n" not in str(raised.value)


def test_a_frame_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    artefacts.write_parquet(file, pl.LazyFrame({"x": [1]}))

    with pytest.raises(pl.exceptions.PolarsError):
        artefacts.write_parquet(file, pl.LazyFrame({"x": ["one"]}).select(pl.col("x").cast(pl.Int64)))

    assert artefacts.scan_parquet(file).collect()["x"].to_list() == [1]
    assert names(tmp_path) == ["a.parquet"]


def test_tensors_survive_the_way_to_disk(tmp_path: Path) -> None:
    artefacts.write_tensors(tmp_path / "a.safetensors", {"x": np.arange(6, dtype=np.float32).reshape(2, 3)})

    assert artefacts.read_tensors(tmp_path / "a.safetensors")["x"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_who_may_read_a_file_may_read_tensors(tmp_path: Path) -> None:
    artefacts.write_json(tmp_path / "a.json", {})
    artefacts.write_tensors(tmp_path / "a.safetensors", {"x": np.zeros(1)})

    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "a.json").stat().st_mode


def test_absent_and_damaged_tensors_are_told(tmp_path: Path) -> None:
    (tmp_path / "b.safetensors").write_bytes(b"hello")

    with pytest.raises(WorkspaceError, match="is absent"):
        artefacts.read_tensors(tmp_path / "a.safetensors")
    with pytest.raises(WorkspaceError, match="is no whole safetensors file"):
        artefacts.read_tensors(tmp_path / "b.safetensors")


def test_a_file_is_copied(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x00\x01")

    artefacts.copy(tmp_path / "a", tmp_path / "new" / "b")

    assert (tmp_path / "new" / "b").read_bytes() == b"\x00\x01"


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")

    # FIPS 180-2, appendix B.1
    assert artefacts.sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_hash_of_a_folder_sees_names_and_contents(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, str]) -> str:
        for path, text in files.items():
            artefacts.write_text(tmp_path / name / path, text)
        return artefacts.sha256(tmp_path / name)

    first = folder("1", {"a": "x", "deep/b": "y"})

    assert folder("2", {"deep/b": "y", "a": "x"}) == first
    assert folder("3", {"a": "y", "deep/b": "x"}) != first
    assert folder("4", {"a": "x", "deep/c": "y"}) != first


def test_tables_take_their_names_together(tmp_path: Path) -> None:
    rows = pl.LazyFrame({"x": [1, 2]})
    fails = rows.map_batches(lambda _: pl.DataFrame({"x": ["not a number"]}).cast(pl.Int64))
    artefacts.write_tables({tmp_path / "a.csv": rows, tmp_path / "b.parquet": rows})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(pl.exceptions.PolarsError):
        artefacts.write_tables({tmp_path / "a.csv": rows.head(1), tmp_path / "b.parquet": fails})

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert before["a.csv"] == b"x\n1\n2\n"
    assert pl.read_parquet(tmp_path / "b.parquet").equals(rows.collect())

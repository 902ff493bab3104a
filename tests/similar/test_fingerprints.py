"""Fingerprints: what repeats is found whatever the partitions, and nothing stays on disk."""

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.similar import fingerprints
from pipeline.similar.fingerprints import Fingerprints, columns_at

VALUES = [5, 1, 5, 2, None, 1, 5, None, 3]  # 5 three times, 1 and null twice


def prints(*, parts: int = 1) -> Fingerprints:
    rows = pl.DataFrame({"x": VALUES, "side": [i % 2 for i in range(9)]})
    size = -(-rows.height // parts)
    pieces = [rows[i * size : (i + 1) * size].lazy() for i in range(parts)]
    return Fingerprints.of(pieces, {"x": ["x"], "side": ["side"]})


@pytest.mark.parametrize("parts", [1, 2, 9])
def test_positions_of_what_repeats_come_in_order(parts: int) -> None:
    (positions,) = prints(parts=parts).repeated("x")

    assert positions.tolist() == [0, 1, 2, 4, 5, 6, 7]


def test_small_partitions_and_stretches_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "PARTITION_ROWS", 2)
    monkeypatch.setattr(fingerprints, "READ_ROWS", 2)

    several = [each.tolist() for each in prints().repeated("x", at_most=1)]

    assert sorted(i for each in several for i in each) == [0, 1, 2, 4, 5, 6, 7]
    assert all(VALUES[i] in [VALUES[j] for j in each if j != i] for each in several for i in each)


def test_hashes_whose_rows_differ_elsewhere_are_told_alone() -> None:
    (positions,) = prints().repeated("x", differing="side")

    assert positions.tolist() == [4, 7]


def test_pairs_are_counted_in_all_and_across_a_position() -> None:
    assert prints().pairs("x") == 3 + 1 + 1
    assert prints().pairs("x", across=5) == 2 + 1 + 1


def test_parts_know_their_rows() -> None:
    assert prints(parts=3).part(np.array([0, 2, 3, 8])).tolist() == [0, 0, 1, 2]


def test_no_rows_repeat_nothing() -> None:
    empty = Fingerprints.of([pl.LazyFrame(schema={"x": pl.Int64})], {"x": ["x"]})

    assert list(empty.repeated("x")) == []
    assert empty.pairs("x") == 0


def test_many_rows_are_in_files_that_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fingerprints, "PARTITION_ROWS", 4)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    found = prints(parts=3)

    assert all(isinstance(hashes, np.memmap) for hashes in found.hashes.values())
    assert found.at("x", np.array([8, 0])).tolist() == prints().hashes["x"][[8, 0]].tolist()
    assert not list(tmp_path.iterdir())


def test_rows_are_read_at_their_positions() -> None:
    rows = pl.LazyFrame({"x": range(1000), "^x$": range(1000)})

    assert columns_at(rows, np.array([3, 999]), ["^x$"]).rows() == [(3,), (999,)]
    assert columns_at(rows, np.array([], np.int64), ["x"]).is_empty()

"""Ordering: files that are sorted by their label, or made of blocks."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest

from pipeline.checks.ordering import BLOCKS, NonIidOrdering, by_block
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(0, 1, 1000).tolist()
PLANTED: dict[str, Callable[[int], Table]] = {
    "non_iid_ordering": lambda parts: made({"x": X, "y": ["a"] * 500 + ["b"] * 500}, parts=parts)
}


@pytest.mark.parametrize("label", [["a"] * 500 + ["b"] * 500, np.sort(X), [True] * 400 + [False] * 600])
def test_a_file_sorted_by_its_label_is_told(make: Make, label: list[object]) -> None:
    (hit,) = hits(NonIidOrdering(), make({"x": X, "y": label}, parts=3))

    assert (hit.column, hit.severity) == ("y", "warning")


def test_blocks_of_features_are_told_once_and_softly(make: Make) -> None:
    (hit,) = hits(NonIidOrdering(), make({"shop": [f"s{i // 100}" for i in range(1000)], "z": np.sort(X), "x": X}))

    assert (hit.column, hit.severity) == (None, "info")
    assert "2 features: shop, z" in hit.message


def test_shuffled_rows_are_not_told(make: Make) -> None:
    shuffled = {
        "x": X,
        "shop": [None if i == 2 else f"s{i}" for i in RANDOM.integers(0, 3, 1000)],
        "y": RANDOM.integers(0, 3, 1000),
    }

    assert hits(NonIidOrdering(), make(shuffled)) == []


def test_rows_that_follow_a_time_and_few_rows_are_skipped(make: Make) -> None:
    stamps = [datetime(2024, 1, 1) + timedelta(hours=i) for i in range(1000)]

    for table in (make({"t": stamps, "y": np.sort(X)}), make({"when": stamps, "y": np.sort(X)}), make({"y": X[:40]})):
        assert [type(said) for said in NonIidOrdering().hits(table)] == [Skipped]


def test_every_row_is_counted_in_its_block(make: Make) -> None:
    values = make({"x": [None, *range(999)]}).sample["x"]

    counts = by_block(values)

    assert counts.shape == (BLOCKS, 11)
    assert counts.sum(axis=1).tolist() == [100] * BLOCKS
    assert counts[0, 0] == 1  # the null

"""Batches: every row once, in order or shuffled by the seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.batches import Batches


def batches(rows: int, size: int, seed: int | None = None) -> Batches:
    shuffle = None if seed is None else torch.Generator().manual_seed(seed)
    dense = torch.arange(rows, dtype=torch.float32)[:, None]
    return Batches({"dense": dense, "codes": torch.arange(rows)[:, None]}, torch.arange(rows), size, shuffle)


@given(rows=st.integers(0, 50), size=st.integers(1, 60), seed=st.none() | st.integers(0, 9))
def test_every_row_comes_once_with_its_own_parts(rows: int, size: int, seed: int | None) -> None:
    made = batches(rows, size, seed)

    seen = list(made)

    assert len(seen) == len(made)
    assert sorted(label for _, labels in seen for label in labels.tolist()) == list(range(rows))
    for inputs, label_B in seen:
        assert inputs["dense"][:, 0].tolist() == inputs["codes"][:, 0].tolist() == label_B.tolist()
        assert 0 < len(label_B) <= size


def test_without_a_seed_rows_keep_their_order() -> None:
    assert [label.tolist() for _, label in batches(5, 2)] == [[0, 1], [2, 3], [4]]


def test_each_pass_is_shuffled_anew_and_a_seed_gives_the_same_passes() -> None:
    def passes(seed: int) -> list[list[int]]:
        made = batches(20, 20, seed)
        return [[int(i) for _, label in made for i in label] for _ in range(2)]

    assert passes(1) == passes(1)
    assert passes(1)[0] != passes(1)[1]
    assert passes(1) != passes(2)


@pytest.mark.parametrize(("rows", "size", "expected"), [(4, 2, 2), (5, 2, 3), (0, 2, 0)])
def test_its_length_is_the_number_of_batches(rows: int, size: int, expected: int) -> None:
    assert len(batches(rows, size)) == expected

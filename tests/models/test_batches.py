"""Batches: every row once an epoch, from any step on, in memory or on disk."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline import artefacts
from pipeline.features.windows import Windows, apart
from pipeline.models import batches as module
from pipeline.models.batches import BLOCK_ROWS, Batches, Epochs, InOrder, ahead, in_blocks, split
from pipeline.models.placement import batches as placed
from pipeline.models.placement import in_order, on_disk, read
from pipeline.models.sampling import Rows

CPU = torch.device("cpu")


def made(rows: int, size: int, seed: int = 0, mapped: bool = False) -> Batches:
    dense = torch.arange(rows, dtype=torch.float32)[:, None]
    inputs = {"dense": dense, "codes": torch.arange(rows)[:, None]}
    return Batches(inputs=inputs, target=torch.arange(rows), size=size, seed=seed, mapped=mapped)


def targets(batches: Batches, epoch: int, start: int = 0) -> list[list[int]]:
    chunks = batches.chunks(epoch, start)
    return [target.tolist() for chunk in chunks for _, target in split(chunk, batches.size)]


@given(rows=st.integers(0, 50), size=st.integers(1, 60), seed=st.integers(0, 9), mapped=st.booleans())
def test_every_row_comes_once_with_its_own_parts(rows: int, size: int, seed: int, mapped: bool) -> None:
    batches = made(rows, size, seed, mapped)

    seen = [batch for chunk in batches.chunks(0) for batch in split(chunk, size)]

    assert len(seen) == len(batches)
    assert sorted(label for _, labels in seen for label in labels.tolist()) == list(range(rows))
    for inputs, label_B in seen:
        assert inputs["dense"][:, 0].tolist() == inputs["codes"][:, 0].tolist() == label_B.tolist()
        assert 0 < len(label_B) <= size


@given(start=st.integers(0, 7), mapped=st.booleans(), sampled=st.booleans())
def test_from_any_step_on_an_epoch_goes_on_as_it_was(start: int, mapped: bool, sampled: bool) -> None:
    batches = made(20, 3, mapped=mapped)
    if sampled:
        rows = Rows(class_N=torch.arange(20) % 2, take_K=[15, 5], seed=0)
        batches = Batches(inputs=batches.inputs, target=batches.target, size=3, seed=0, rows=rows)

    assert targets(batches, epoch=2, start=start) == targets(batches, epoch=2)[start:]


def test_each_epoch_is_shuffled_anew_and_a_seed_gives_the_same_epochs() -> None:
    assert targets(made(20, 20, 1), 0) == targets(made(20, 20, 1), 0)
    assert targets(made(20, 20, 1), 0) != targets(made(20, 20, 1), 1)
    assert targets(made(20, 20, 1), 0) != targets(made(20, 20, 2), 0)


def test_many_batches_are_gathered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 120)  # a batch of two rows, each of a float32 and an int64, has 24

    chunks = list(made(13, 2).chunks(0))

    assert [len(target) for _, target in chunks] == [10, 3]


def test_lightning_is_given_the_rest_of_the_epoch_that_the_steps_are_in() -> None:
    batches = made(10, 2)

    (chunk,) = Epochs(batches=batches, steps_done=lambda: 5 + 2)

    assert chunk[1].tolist() == [place for batch in targets(batches, epoch=1)[2:] for place in batch]


def test_val_keeps_its_order_and_is_not_copied() -> None:
    whole = made(5, 2)

    parts = list(InOrder(inputs=whole.inputs, target=whole.target, size=2))

    assert [target.tolist() for _, target in parts] == [[0, 1], [2, 3], [4]]
    assert parts[1][0]["dense"].data_ptr() == whole.inputs["dense"][2:].data_ptr()


@pytest.mark.parametrize("rows", [0, 5, BLOCK_ROWS, 3 * BLOCK_ROWS + 7])
def test_blocks_have_each_row_once(rows: int) -> None:
    assert in_blocks(rows, torch.Generator().manual_seed(0)).sort().values.tolist() == list(range(rows))


def test_a_window_reads_few_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW_BLOCKS", 4)
    rows = 64 * BLOCK_ROWS

    order = in_blocks(rows, torch.Generator().manual_seed(0))

    for window in torch.split(order, 4 * BLOCK_ROWS):
        assert len(set((window // BLOCK_ROWS).tolist())) == 4
        assert (window.diff() != 1).any()


def test_larger_tensors_stay_on_disk_and_give_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "train.safetensors"
    random = np.random.default_rng(0)
    parts: dict[str, np.ndarray] = {
        "dense": random.random((1000, 3), np.float32),
        "codes": np.zeros((1000, 0), np.int64),
    }
    artefacts.write_tensors(path, {**parts, "label": np.arange(1000)})

    mapped, loaded = read(path, 0.0), read(path, 1.0)

    assert isinstance(mapped["dense"], np.memmap)
    assert not isinstance(loaded["dense"], np.memmap)
    assert {name: array.dtype for name, array in mapped.items()} == {n: a.dtype for n, a in loaded.items()}
    on_disk = placed(mapped, 64, 0, CPU)
    assert on_disk.mapped
    for chunk in on_disk.chunks(epoch=0):
        for inputs, target in split(chunk, 64):
            assert (inputs["dense"].numpy() == parts["dense"][target]).all()
    assert not placed(loaded, 64, 0, CPU).mapped


def test_what_fails_in_the_thread_ahead_is_raised_where_its_items_are_asked_for() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    got = ahead(items(), 2)

    assert next(got) == 1
    with pytest.raises(OSError, match="disk"):
        next(got)


def test_the_thread_ahead_ends_with_who_asks() -> None:
    ended: list[bool] = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            ended.append(True)

    endless = items()
    got = ahead(endless, 2)
    next(got)
    got.close()  # type: ignore[attr-defined] # a generator

    endless.close()  # type: ignore[attr-defined]
    assert ended == [True]


@pytest.mark.parametrize("gigabytes", [None, 0.0])
def test_windows_of_series_are_gathered_batch_by_batch(tmp_path: Path, gigabytes: float | None) -> None:
    random = np.random.default_rng(5)
    places, steps = random.integers(4, 40, 30), np.arange(-3, 1)
    series = Windows(values=random.normal(size=(50, 2)).astype(np.float32), place_N=places, step_W=steps)
    to_come = Windows(values=random.normal(size=50).astype(np.float32), place_N=places, step_W=np.arange(1, 6))
    dense = np.arange(30, dtype=np.float32)[:, None]
    artefacts.write_tensors(tmp_path / "a.safetensors", apart({"dense": dense, "series:y": series, "label": to_come}))

    part = read(tmp_path / "a.safetensors", gigabytes)
    gathered = placed(part, 4, 0, CPU)

    assert on_disk(part) == (gigabytes == 0)
    seen = 0
    for inputs, target in gathered.chunks(epoch=0):
        rows = inputs["dense"][:, 0].long().numpy()
        assert np.array_equal(inputs["series:y"].numpy(), np.asarray(series)[rows])
        assert np.array_equal(target.numpy(), np.asarray(to_come)[rows])
        seen += len(rows)
    assert seen == 30
    assert [len(target) for _, target in in_order(part, 20)] == [20, 10]

"""Several processes learn together what one learns alone: the same rows, the same weights but for rounding."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.features.target import Classes
from pipeline.models.backbones import TableShape
from pipeline.models.batches import Batches, InOrder, split
from pipeline.models.crew import Work
from pipeline.models.devices import Share
from pipeline.models.module import KeepBest
from pipeline.models.network import NetworkShape
from pipeline.models.sampling import Rows
from pipeline.stages import train
from pipeline.stages.train import TrainSettings

ROWS, BATCH = 129, 32  # so that the last batch has a single row, and one process of two none
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "class_weights": {"imbalance": {"kind": "class_weights"}},
    "weighted_sampling": {"imbalance": {"kind": "weighted_sampling"}},
    "over_sampling": {"imbalance": {"kind": "over_sampling"}},
    "under_sampling": {"imbalance": {"kind": "under_sampling"}},
    "focal": {"imbalance": {"kind": "focal"}},
    "logit_adjustment": {"imbalance": {"kind": "logit_adjustment"}},
    "label_smoothing": {"loss": {"label_smoothing": 0.1}},
    "clipped, with L1": {"optimizer": {"kind": "momentum", "learning_rate": 0.05, "gradient_norm": 0.1, "l1": 0.001}},
    "plateau": {"schedule": {"kind": "plateau", "plateau_patience": 1}},
}


def share(rank: int, world: int = 2, meeting: Path = Path("meeting")) -> Share:
    return Share(rank=rank, world=world, meeting=meeting)


def made() -> dict[str, dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    dense_ND = random.normal(size=(2 * ROWS, 3)).astype(np.float32)
    label_N = (dense_ND[:, 0] + random.normal(size=2 * ROWS) > 1).astype(np.int64)
    codes_NC = random.integers(0, 4, size=(2 * ROWS, 1))
    parts = {"train": slice(None, ROWS), "val": slice(ROWS, None)}
    return {n: {"dense": dense_ND[s], "codes": codes_NC[s], "label": label_N[s]} for n, s in parts.items()}


def work(normalisation: str = "none", **others: Any) -> Work:
    shape = NetworkShape(
        table=TableShape(dense=3, cardinalities=[4], outputs=2),
        backbone="mlp",
        settings={"hidden": [8, 8], "dropout": 0.0, "normalisation": normalisation},
    )
    optimizer = {"kind": "sgd", "learning_rate": 0.1}
    chosen = {"epochs": 3, "batch_size": BATCH, "accelerator": "cpu", "optimizer": optimizer}
    return Work(
        tensors=made(),
        shape=shape,
        target=Classes(column="y", classes=["no", "yes"]),
        settings=TrainSettings.model_validate(chosen | others),
        seed=3,
    )


def kept(case: str, normalisation: str, of: Share | None) -> KeepBest:
    with TemporaryDirectory() as folder:
        return train.trained(work(normalisation, **CASES[case]), of, curves=Path(folder) / "curves")


def other(asked: Any) -> None:
    """The second process: trains at each case that it is told, until there is none."""
    while (case := asked.recv()) is not None:
        name, normalisation, meeting = case
        kept(name, normalisation, share(1, meeting=meeting))


@pytest.fixture(scope="module")
def second() -> Iterator[Any]:
    """The end of a pipe that the second process listens at."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=other, args=(there,), daemon=True)
    process.start()
    yield here
    here.send(None)
    process.join()
    assert process.exitcode == 0


@contextmanager
def of_two(second: Any, case: str, normalisation: str) -> Iterator[KeepBest]:
    with TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        second.send((case, normalisation, meeting))
        yield kept(case, normalisation, share(0, meeting=meeting))


@pytest.mark.parametrize(
    ("case", "normalisation"), [*((case, "layer") for case in CASES), ("plain", "batch"), ("class_weights", "batch")]
)
def test_two_processes_end_with_the_weights_of_one(second: Any, case: str, normalisation: str) -> None:
    alone = kept(case, normalisation, None)

    with of_two(second, case, normalisation) as together:
        assert [e.epoch for e in together.history] == [e.epoch for e in alone.history]
        for own, one in zip(together.history, alone.history, strict=True):
            assert own.train_loss == pytest.approx(one.train_loss, rel=1e-5)
            assert own.train_score == pytest.approx(one.train_score, abs=1e-9)
            assert own.val_loss == pytest.approx(one.val_loss, rel=1e-5)
        for name, value in alone.weights.items():
            assert torch.allclose(together.weights[name].double(), value.double(), rtol=1e-4, atol=1e-6), name


@given(rows=st.integers(1, 40), size=st.integers(3, 9), world=st.integers(1, 3), sampled=st.booleans())
def test_each_row_of_each_batch_is_one_process_s(rows: int, size: int, world: int, sampled: bool) -> None:
    drawn = Rows(class_N=torch.arange(rows) % 2, take_K=[rows, rows // 2], seed=4) if sampled else None
    inputs = {"dense": torch.arange(rows, dtype=torch.float32)[:, None]}
    whole = Batches(inputs=inputs, target=torch.arange(rows), size=size, seed=0, rows=drawn, share=share(0, 1))

    parts = [targets(Batches(**{**vars(whole), "share": share(rank, world)})) for rank in range(world)]

    for place, batch in enumerate(targets(whole)):
        each = [share(rank, world).rows(len(batch)) for rank in range(world)]
        together = [row for part, own in zip(parts, each, strict=True) for row in part[place][:own]]
        assert sorted(together) == sorted(batch)
        assert all(part[place] for part in parts)
    assert {len(part) for part in parts} == {len(whole)}


def targets(batches: Batches) -> list[list[int]]:
    assert batches.share is not None
    own = batches.share.rows(batches.size)
    return [target.tolist() for chunk in batches.chunks(0) for _, target in split(chunk, own)]


@pytest.mark.parametrize("rows", [1, 6, 8])
def test_each_batch_of_val_is_one_process_s(rows: int) -> None:
    inputs = {"dense": torch.zeros(rows, 1)}
    parts = [list(InOrder(inputs=inputs, target=torch.arange(rows), size=3, share=share(r))) for r in range(2)]

    found = [target.tolist() for each in zip(*parts, strict=False) for _, target in each if len(target)]
    found += [target.tolist() for part in parts for _, target in part[min(map(len, parts)) :]]

    assert found == [target.tolist() for _, target in InOrder(inputs=inputs, target=torch.arange(rows), size=3)]
    assert all(parts)

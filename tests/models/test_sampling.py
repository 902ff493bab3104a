"""Rows of an epoch: how many of each class, the same for the same seed."""

import numpy as np
import pytest
import torch

from pipeline.models.sampling import Rows

CLASS_N = torch.tensor([0] * 90 + [1] * 10)[torch.randperm(100, generator=torch.Generator().manual_seed(0))]


def rows(take_K: list[int], *, replaced: bool = False, seed: int = 5) -> Rows:
    return Rows(class_N=CLASS_N, take_K=take_K, seed=seed, replaced=replaced)


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("take_K", [[90, 90], [10, 10], [37, 0], [45, 203]])
def test_each_class_has_as_many_rows_as_were_asked(take_K: list[int], replaced: bool) -> None:
    drawn = rows(take_K, replaced=replaced)

    classes = CLASS_N[drawn.places(epoch=0)]

    assert torch.bincount(classes, minlength=2).tolist() == take_K
    assert len(drawn) == len(classes)


def test_fewer_rows_than_there_are_come_once_and_more_come_evenly() -> None:
    few = torch.bincount(rows([40, 10]).places(0), minlength=100)
    many = torch.bincount(rows([90, 95]).places(0), minlength=100)

    assert few.max() == 1
    assert few[CLASS_N == 1].tolist() == [1] * 10
    assert set(many[CLASS_N == 1].tolist()) == {9, 10}
    assert (many[CLASS_N == 0] == 1).all()


def test_with_replacement_some_come_often_and_some_never() -> None:
    often = torch.bincount(rows([90, 90], replaced=True).places(0), minlength=100)

    assert often[CLASS_N == 0].min() == 0
    assert often[CLASS_N == 0].max() > 1


def test_every_row_of_a_class_is_as_likely() -> None:
    drawn = torch.cat([rows([90, 3]).places(epoch) for epoch in range(2000)])

    often = torch.bincount(drawn, minlength=100)[CLASS_N == 1].double()

    assert often.mean() == 600
    assert often.std() < 4 * np.sqrt(2000 * 0.3 * 0.7)


def test_an_epoch_is_drawn_from_seed_and_epoch_alone() -> None:
    first, again = rows([50, 50]), rows([50, 50])

    later = first.places(3)

    assert torch.equal(later, again.places(3))
    assert not torch.equal(later, first.places(4))
    assert not torch.equal(later, rows([50, 50], seed=6).places(3))


def test_rows_come_in_no_order_of_class() -> None:
    classes = CLASS_N[rows([50, 50]).places(0)]

    assert 20 < (classes.diff() != 0).sum() < 80

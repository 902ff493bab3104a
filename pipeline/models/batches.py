"""Tensors of a split → shuffled batches, drawn by whole index lists instead of row by row."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batches:
    """An iterable of (dense_BD, codes_BC, label_B); each pass over it is shuffled anew from the seed.

    With `shuffle` off it yields the rows in order, for validation.
    """

    dense_ND: Tensor
    codes_NC: Tensor
    label_N: Tensor
    size: int
    shuffle: torch.Generator | None = None

    def __len__(self) -> int:
        return math.ceil(len(self.label_N) / self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        rows = len(self.label_N)
        order = torch.arange(rows) if self.shuffle is None else torch.randperm(rows, generator=self.shuffle)
        for start in range(0, rows, self.size):
            chosen = order[start : start + self.size]
            yield self.dense_ND[chosen], self.codes_NC[chosen], self.label_N[chosen]

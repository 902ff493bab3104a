"""Tensors of a split → shuffled batches, drawn by whole index lists instead of row by row."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.models.network import rows_of


@dataclass(frozen=True)
class Batches:
    """An iterable of (inputs by name, target), B rows of each; each pass over it is shuffled anew from the seed.

    With `shuffle` off it yields the rows in order, for validation.
    """

    inputs: Mapping[str, Tensor]
    target: Tensor
    size: int
    shuffle: torch.Generator | None = None

    def __len__(self) -> int:
        return math.ceil(len(self.target) / self.size)

    def __iter__(self) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        rows = len(self.target)
        order = torch.arange(rows) if self.shuffle is None else torch.randperm(rows, generator=self.shuffle)
        for start in range(0, rows, self.size):
            chosen = order[start : start + self.size]
            yield rows_of(self.inputs, chosen), self.target[chosen]

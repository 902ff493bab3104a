"""Which rows of train an epoch has, where it does not have each once. N rows, K classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Rows:
    """`take_K` rows of each class in each epoch, drawn anew from (seed, epoch) alone.

    With `replaced` each is drawn from all of its class; else a class goes in whole as often as it can, and the rest is
    drawn without replacement.

    >>> Rows(class_N=torch.tensor([0, 1, 0]), take_K=[2, 2], seed=0).places(epoch=0).sort().values.tolist()
    [0, 1, 1, 2]
    """

    class_N: Tensor
    take_K: Sequence[int]
    seed: int
    replaced: bool = False

    def __len__(self) -> int:
        return sum(self.take_K)

    def places(self, epoch: int, device: torch.device | str = "cpu") -> Tensor:
        """(len,) int64 the rows of an epoch in the order of training; processes that share it draw the same."""
        state = np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)
        random = torch.Generator(device).manual_seed(int(state[0]))
        starts = [sum(self._rows[:k]) for k in range(len(self._rows))]
        parts = [
            start + self._within(rows, take, random)
            for start, rows, take in zip(starts, self._rows, self.take_K, strict=True)
        ]
        drawn = self._by_class.to(device)[torch.cat(parts)]
        return drawn[torch.randperm(len(drawn), generator=random, device=device)]

    def _within(self, rows: int, take: int, random: torch.Generator) -> Tensor:
        """(take,) places among the `rows` rows of a class."""
        device = random.device
        if self.replaced:
            return (torch.rand(take, generator=random, device=device, dtype=torch.float64) * rows).long()
        whole, rest = divmod(take, max(1, rows))
        every = torch.arange(rows, device=device).repeat(whole)
        return torch.cat([every, torch.randperm(rows, generator=random, device=device)[:rest]])

    @cached_property
    def _rows(self) -> list[int]:
        return torch.bincount(self.class_N, minlength=len(self.take_K)).tolist()

    @cached_property
    def _by_class(self) -> Tensor:
        return self.class_N.argsort(stable=True)

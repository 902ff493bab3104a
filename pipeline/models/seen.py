"""What was seen of an epoch so far: each batch's loss, and what was answered. B rows, M members, K outputs, S steps."""

from collections import deque
from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from pipeline.models.batches import Batch
from pipeline.models.devices import Team

Item = TypeVar("Item")


class Seen:
    """The loss of every batch of an epoch so far, and what was answered for its last `rows` rows (None: for all).

    Of a batch that several processes share only the own answers are kept, but the loss and the size are of all of it.
    """

    def __init__(self, rows: int | None = None) -> None:
        self.rows = rows
        self.kept_rows = 0
        self.losses: list[Tensor] = []
        self.sizes: list[int] = []
        self.kept: deque[tuple[Tensor, Tensor]] = deque()

    def add(self, loss: Tensor, outputs_BMK: Tensor, target_B: Tensor, team: Team | None = None) -> None:
        """Remember a batch, or the own part of it; none of it may remember how it was made.

        Nothing is computed here: right after a step each small operation takes several times what it takes by itself.
        """
        size = len(target_B)
        if team is not None:
            size, outputs_BMK, target_B = team.batch, outputs_BMK[: team.own], target_B[: team.own]
        self.losses.append(loss)
        self.sizes.append(size)
        self.kept.append((outputs_BMK, target_B))
        self.kept_rows += size
        while self.rows is not None and self.kept_rows - self.sizes[-len(self.kept)] >= self.rows:
            self.kept_rows -= self.sizes[-len(self.kept)]
            self.kept.popleft()

    def loss(self) -> float:
        """The mean loss of a row."""
        sizes = torch.tensor(self.sizes, dtype=torch.float64)
        return float((torch.stack(self.losses).cpu().double() * sizes).sum() / sizes.sum())

    def steps(self, size: int) -> np.ndarray:
        """(S,) the losses of whole batches, of `size` rows: those of a smaller last one are less certain."""
        whole = sum(rows == size for rows in self.sizes)  # they come first
        found: np.ndarray = torch.stack(self.losses[:whole]).cpu().double().numpy() if whole else np.empty(0)
        return found

    def answers(self) -> Batch:
        """The outputs (N, M, K) that are kept, as `outputs`, and their targets (N,)."""
        outputs, targets = zip(*self.kept, strict=True)
        return {"outputs": torch.cat(outputs)}, torch.cat(targets)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint needs."""
        if not self.losses:
            return {}
        outputs, target_N = self.answers()
        kept = torch.tensor([len(target) for _, target in self.kept])
        sizes = torch.tensor(self.sizes)
        return {"losses": torch.stack(self.losses), "sizes": sizes, "kept": kept, "target": target_N, **outputs}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        if tensors:
            self.losses, self.sizes = list(tensors["losses"]), tensors["sizes"].tolist()
            parts = tensors["kept"].tolist()
            self.kept = deque(
                zip(torch.split(tensors["outputs"], parts), torch.split(tensors["target"], parts), strict=True)
            )
            self.kept_rows = sum(self.sizes[-len(parts) :])


def interleaved(parts: Sequence[Sequence[Item]]) -> list[Item]:
    """The first of each part, then the second of each, and so on.

    >>> interleaved([[1, 3, 5], [2, 4]])
    [1, 2, 3, 4, 5]
    """
    return [item for row in zip_longest(*parts) for item in row if item is not None]

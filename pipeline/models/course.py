"""What decides each step of a training from its number alone, so that it can go on from any step."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models import optimizers
from pipeline.models.choices.optimization import AveragingSettings, OptimizerSettings, Pace, ScheduleSettings
from pipeline.models.transfer import Starting

MEAN_STEPS = 8  # the mean of weights takes at most so many steps at once,
MEANS_AN_EPOCH = 64  # and moves at least so often: it is over an epoch, and each move reads and writes all weights


@dataclass(frozen=True, kw_only=True)
class Course:
    """The settings of a training of `epochs` epochs of `batches` steps each; `mixup` is its alpha, 0 for none.

    `starting`: which weights were taken of another model, where that is so.
    """

    optimizer: OptimizerSettings
    schedule: ScheduleSettings
    averaging: AveragingSettings
    backbone: str
    mixup: float
    batches: int
    epochs: int
    seed: int
    starting: Starting | None = None

    @property
    def start(self) -> dict[str, Any] | None:
        """What it starts from, as JSON."""
        return None if self.starting is None else self.starting.record.model_dump(mode="json")

    @property
    def steps(self) -> int:
        return self.batches * self.epochs

    @cached_property
    def pace(self) -> Pace:
        return self.optimizer.pace(self.backbone)

    def optimizer_of(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of the network, whose weights lie on their device already."""
        return optimizers.optimizer_of(network, self.optimizer, self.backbone, self.starting)

    def rate(self, step: int) -> float:
        """The learning rate at a step (from 0), but for what a plateau cuts it by."""
        return self.pace.learning_rate * optimizers.factor(step, self.steps, self.schedule)

    def paces(self, epoch: int) -> list[tuple[float, float]]:
        """`rate` and `share` of each step of an epoch (from 0)."""
        steps = range(epoch * self.batches, (epoch + 1) * self.batches)
        return [(self.rate(step), self.share(step)) for step in steps]

    def cut(self, val_losses: Sequence[float]) -> float:
        """What the rate is multiplied with after epochs of these losses on val."""
        return optimizers.plateau(val_losses, self.schedule)

    def share(self, step: int) -> float:
        """How far the mean of weights goes to the weights after a step (from 0): 0 where it stays.

        In long epochs it takes several steps at once, the last step of an epoch always among them.
        """
        place = step % self.batches
        since = place % self._mean_steps + 1
        if since < self._mean_steps and place + 1 < self.batches:
            return 0.0
        share = optimizers.average_weight(step, self.steps, self.batches, self.averaging)
        return 1 - (1 - share) ** since

    @cached_property
    def _mean_steps(self) -> int:
        return min(MEAN_STEPS, max(1, self.batches // MEANS_AN_EPOCH))

    def mixing(self, epoch: int) -> Tensor | None:
        """(batches,) which share of a row is its own at each step of an epoch (from 0); None without mixup."""
        return optimizers.mixing(epoch, self.batches, self.mixup, self.seed) if self.mixup else None

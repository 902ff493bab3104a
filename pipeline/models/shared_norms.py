"""Batch normalisation over the whole batch, where its rows are spread over several processes.

PyTorch's SyncBatchNorm is of GPUs alone, and has no row that counts for nothing. C channels.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from pipeline.models.devices import Team

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class SharedNorm(nn.modules.batchnorm._BatchNorm):
    """(B, C, ...) → the same shape, normalised by mean and deviation of all processes' rows.

    A single row of single values is normalised as in use, as `norms.BatchNorm` has it.
    """

    team: Team

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, values: Tensor) -> Tensor:
        count = values.numel() // values.shape[1] // max(1, self.team.own) * self.team.batch
        if not self.training or count == 1:
            known = (self.running_mean, self.running_var, self.weight, self.bias)
            return functional.batch_norm(values, *known, training=False, eps=self.eps)
        axes, shape = [0, *range(2, values.ndim)], [1, -1, *[1] * (values.ndim - 2)]
        exact = values.float()
        mean_C = self._summed(exact.sum(axes)) / count
        centred = exact - mean_C.view(shape)
        variance_C = self._summed(centred.square().sum(axes)) / count
        self._remember(mean_C.detach(), variance_C.detach() * (count / (count - 1)))
        normal = centred * (variance_C + self.eps).rsqrt().view(shape)
        scaled = normal if self.weight is None else normal * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(values.dtype)

    def _summed(self, sum_C: Tensor) -> Tensor:
        """Over all processes, but for one whose row counts for nothing."""
        summed_C: Tensor = _Summed.apply(sum_C if self.team.own else sum_C * 0)  # type: ignore[no-untyped-call]
        return summed_C

    def _remember(self, mean_C: Tensor, variance_C: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(variance_C, self.momentum)


class _Summed(torch.autograd.Function):
    """The sum over all processes; what the sum does to the losses of all goes back to each part of it."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        summed = part.contiguous().clone()
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].contiguous().clone()
        distributed.all_reduce(summed)
        return summed


def share(network: nn.Module, team: Team) -> None:
    """Let the network's batch normalisation be over all processes' rows; weights and buffers stay as they are."""
    for module in network.modules():
        if isinstance(module, NORMS):
            shared: Any = module
            shared.__class__, shared.team = SharedNorm, team

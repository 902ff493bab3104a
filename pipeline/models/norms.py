"""Batch normalisation that also takes a batch of one row, such as the last one of an epoch can be."""

from torch import Tensor, nn
from torch.nn import functional


class BatchNorm(nn.BatchNorm1d):
    """(B, width) → (B, width). A single row in training is normalised as in use: it has no deviation of its own.

    >>> import torch
    >>> BatchNorm(2)(torch.ones(1, 2)).round(decimals=3).tolist()
    [[1.0, 1.0]]
    """

    def forward(self, values_BW: Tensor) -> Tensor:
        if self.training and len(values_BW) == 1:
            known = (self.running_mean, self.running_var, self.weight, self.bias)
            return functional.batch_norm(values_BW, *known, training=False, eps=self.eps)
        return super().forward(values_BW)

"""The mean of what batch norms have seen, beside the mean of the weights: one without the other fits neither.

A norm's running mean and variance are those of the last weights. Val is judged on the mean of weights, whose layers
answer otherwise as long as steps are large. The mean of both goes alike (as of `use_buffers` of torch's AveragedModel).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

SEEN = ("running_mean", "running_var")


class NormMeans:
    """The running means and variances of a network's batch norms, by name, each with its mean over steps."""

    def __init__(self, network: nn.Module) -> None:
        self.seen = {name: value for name, value in network.named_buffers() if name.rpartition(".")[2] in SEEN}
        self.means = {name: value.clone() for name, value in self.seen.items()}

    def follow(self, share: float) -> None:
        """Go `share` of the way to what has been seen by now."""
        if share and self.seen:
            torch._foreach_lerp_([*self.means.values()], [*self.seen.values()], share)

    def load(self, means: Mapping[str, Tensor]) -> None:
        """Take back the means of a checkpoint."""
        for name, value in self.means.items():
            value.copy_(means[name])

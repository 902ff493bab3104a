"""Linear layers with ReLU and dropout between them as one step forward and one back.

Autograd asks for each small operation by itself; where batches are small, that is a tenth of the time. B rows, I inputs
and O outputs of a layer.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models import linear


class Stack(nn.Sequential):
    """An `nn.Sequential` that `is_plain`, whose training step is written out: it answers and learns the same."""

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and torch.is_grad_enabled()):
            output: Tensor = super().forward(input)  # type: ignore[no-untyped-call]
            return output
        shares = [layer.p for layer in self if isinstance(layer, nn.Dropout)]
        weights = [part for layer in self if isinstance(layer, nn.Linear) for part in (layer.weight, layer.bias)]
        stacked: Tensor = _Stacked.apply(input, shares, *weights)  # type: ignore[no-untyped-call]
        return stacked


def quicken(network: nn.Module) -> None:
    """Let layers on the CPU work the quicker way; weights stay as they are."""
    linear.quicken(network)
    for module in network.modules():
        if type(module) is nn.Sequential and is_plain(module):
            module.__class__ = Stack


def is_plain(layers: nn.Sequential) -> bool:
    """Whether these are linear layers with biases on the CPU, and a ReLU and a dropout between each two of them."""
    steps = [layer for layer in layers if not isinstance(layer, nn.Identity)]
    kinds = [nn.Linear, nn.ReLU, nn.Dropout] * (len(steps) // 3) + [nn.Linear]
    return (
        len(steps) == len(kinds)
        and all(map(isinstance, steps, kinds))
        and all(layer.bias is not None and layer.weight.is_cpu for layer in steps if isinstance(layer, nn.Linear))
    )


class _Stacked(torch.autograd.Function):
    """Weights and biases come by turns; of each hidden layer what comes out of its dropout is kept."""

    @staticmethod
    def forward(ctx: Any, input_BI: Tensor, shares: list[float], *weights: Tensor) -> Tensor:
        seen = [input_BI]
        for weight_OI, bias_O, share in zip(weights[:-2:2], weights[1:-2:2], shares, strict=True):
            hidden_BO = linear.product(seen[-1], weight_OI, bias_O, "relu")
            seen.append(torch.dropout_(hidden_BO, share, True) if share else hidden_BO)
        ctx.shares = shares
        ctx.save_for_backward(*seen, *weights[::2])
        return linear.product(seen[-1], weights[-2], weights[-1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        (slope_BO,) = gradients
        saved = ctx.saved_tensors
        seen, weights = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        slopes = [linear.slope_of_weight(slope_BO, seen[-1]), slope_BO.sum(0)]
        for place in reversed(range(len(ctx.shares))):
            slope_BO = _before(linear.slope_of_values(slope_BO, weights[place + 1]), seen[place + 1], ctx.shares[place])
            slopes = [linear.slope_of_weight(slope_BO, seen[place]), slope_BO.sum(0), *slopes]
        first = linear.slope_of_values(slope_BO, weights[0]) if ctx.needs_input_grad[0] else None
        return first, None, *slopes


def _before(slope_BO: Tensor, hidden_BO: Tensor, share: float) -> Tensor:
    """The slope before ReLU and dropout of that share: what they made 0 has none, the rest dropout has made larger."""
    torch.ops.aten.threshold_backward.grad_input(slope_BO, hidden_BO, 0, grad_input=slope_BO)
    return slope_BO.mul_(1 / (1 - share)) if share else slope_BO

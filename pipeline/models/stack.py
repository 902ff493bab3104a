"""Linear layers with ReLU and dropout between them as one step forward and one back.

Autograd asks for each small operation by itself; where batches are small, that is a tenth of the time. B rows, I inputs
and O outputs of a layer.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models import dropping, linear


class Stack(nn.Sequential):
    """An `nn.Sequential` that `is_plain`, whose training step is written out: it answers and learns the same."""

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and torch.is_grad_enabled()):
            output: Tensor = super().forward(input)  # type: ignore[no-untyped-call]
            return output
        stacked: Tensor = _Stacked.apply(input, self.shares(), *self.weights())  # type: ignore[no-untyped-call]
        return stacked

    def shares(self) -> list[float]:
        """Of each hidden layer the share of its values that dropout takes away."""
        return [layer.p for layer in self if isinstance(layer, nn.Dropout)]

    def weights(self) -> list[nn.Parameter]:
        """Each layer's weight and bias, by turns."""
        return [part for layer in self if isinstance(layer, nn.Linear) for part in layer.parameters()]


def quicken(network: nn.Module) -> None:
    """Let layers on the CPU work the quicker way; weights stay as they are."""
    linear.quicken(network)
    dropping.quicken(network)
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
    @staticmethod
    def forward(ctx: Any, input_BI: Tensor, shares: list[float], *weights: Tensor) -> Tensor:
        output_BO, seen = ahead(input_BI, shares, weights)
        ctx.shares = shares
        ctx.save_for_backward(*seen, *weights)
        return output_BO

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        seen, weights = ctx.saved_tensors[: len(ctx.shares) + 1], ctx.saved_tensors[len(ctx.shares) + 1 :]
        slopes = [torch.empty_like(weight) for weight in weights]
        slope_BO = back(gradients[0], seen, ctx.shares, weights, slopes)
        first = linear.slope_of_values(slope_BO, weights[0]) if ctx.needs_input_grad[0] else None
        return first, None, *slopes


def ahead(input_BI: Tensor, shares: Sequence[float], weights: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """(B, O) what the last layer gives, and what each layer was given. Weights and biases come by turns."""
    seen = [input_BI]
    for weight_OI, bias_O, share in zip(weights[:-2:2], weights[1:-2:2], shares, strict=True):
        hidden_BO = linear.product(seen[-1], weight_OI, bias_O, "relu")
        seen.append(_dropped(hidden_BO, share) if share else hidden_BO)
    return linear.product(seen[-1], weights[-2], weights[-1]), seen


def back(
    slope_BO: Tensor, seen: Sequence[Tensor], shares: Sequence[float], weights: Sequence[Tensor], into: Sequence[Tensor]
) -> Tensor:
    """Write the slopes of weights and biases `into` tensors of their shapes, of the slope of what `ahead` gave.

    Returns the slope (B, O) of the first layer's sums.
    """
    for place in reversed(range(len(seen))):
        linear.slope_of_weight(slope_BO, seen[place], into[2 * place])
        torch.sum(slope_BO, 0, out=into[2 * place + 1])
        if place:
            slope_BO = _before(linear.slope_of_values(slope_BO, weights[2 * place]), seen[place], shares[place - 1])
    return slope_BO


def _dropped(hidden_BO: Tensor, share: float) -> Tensor:
    """The same tensor, without a `share` of its values."""
    return hidden_BO.mul_(dropping.kept(hidden_BO.shape, share)).mul_(dropping.scale(share))


def _before(slope_BO: Tensor, hidden_BO: Tensor, share: float) -> Tensor:
    """The slope before ReLU and dropout of that share: what they made 0 has none, the rest dropout has made larger."""
    torch.ops.aten.threshold_backward.grad_input(slope_BO, hidden_BO, 0, grad_input=slope_BO)
    return slope_BO.mul_(dropping.scale(share)) if share else slope_BO

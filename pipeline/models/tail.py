"""A plain stack and the loss behind it without autograd: slopes are written where the optimiser's step looks for them.

What comes before the stack, embeddings and encoders, learns by autograd. Where batches are small, each operation costs
more than its arithmetic, as the products have taken the processor's caches: so there are few here.
B rows, I inputs of the stack, M members (1), K outputs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models import linear, stack
from pipeline.models.layered import Layered
from pipeline.models.losses import CrossEntropy, QuantityLoss
from pipeline.models.network import Inputs, Network
from pipeline.models.stack import Stack

NO_CLASS = -100  # what PyTorch's loss takes for a row without a class; none has it
MEAN = 1  # its number of a mean over the rows
ATEN = torch.ops.aten
NLL, NLL_BACK, LOG_SOFTMAX_BACK, SQUARED_BACK = (  # looked up once: it takes as long as a small operation
    ATEN.nll_loss_forward.default,
    ATEN.nll_loss_backward.default,
    ATEN._log_softmax_backward_data.default,
    ATEN.mse_loss_backward.default,
)


@dataclass(frozen=True, kw_only=True)
class Tail:
    """The stack that the outputs of a network come from as they are, and the loss.

    The gradients of its weights must lie in their `grad` (see `pipeline.models.flat`).
    """

    network: Network
    backbone: Layered
    loss: nn.Module
    weights: list[nn.Parameter]
    shares: list[float]
    bare: bool  # whether the stack's input are the dense values and nothing else
    overwrites: bool  # whether it writes all gradients of the network, whatever they were before

    @classmethod
    def of(cls, network: Network, loss: nn.Module) -> "Tail | None":
        """The tail of a network, where it has one and all of it learns."""
        backbone = network.backbone
        if not isinstance(backbone, Layered) or type(backbone.layers) is not Stack:
            return None
        weights, features = backbone.layers.weights(), backbone.features
        if network.head is not None or any(network.direct) or not all(weight.requires_grad for weight in weights):
            return None
        bare = features.numbers.embedding is None and features.width == len(features.numbers.widths)
        return cls(
            network=network,
            backbone=backbone,
            loss=loss,
            weights=weights,
            shares=backbone.layers.shares(),
            bare=bare,
            overwrites=bare and len([*network.parameters()]) == len(weights),
        )

    def learn(self, inputs: Inputs, target_B: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (B, M, K) and their loss (); what its slopes are is in the gradients, in place of what was there."""
        values_BI = inputs["dense"] if self.bare else self._features(inputs)
        with torch.no_grad():
            outputs_BK, seen = stack.ahead(values_BI, self.shares, self.weights)
            loss, slope_BK = slope_of_loss(self.loss, outputs_BK, target_B)
            gradients = [weight.grad for weight in self.weights]
            slope_BO = stack.back(slope_BK, seen, self.shares, self.weights, gradients)  # type: ignore[arg-type]
        if values_BI.requires_grad:
            values_BI.backward(linear.slope_of_values(slope_BO, self.weights[0].detach()))
        return outputs_BK.unsqueeze(1), loss

    def _features(self, inputs: Inputs) -> Tensor:
        own, _ = self.network.read(inputs)
        values_BI: Tensor = self.backbone.features(inputs["dense"], inputs["codes"], own)
        return values_BI


def slope_of_loss(loss: nn.Module, outputs_BK: Tensor, target_B: Tensor) -> tuple[Tensor, Tensor]:
    """The loss () of the outputs of one member, and its slope (B, K)."""
    if isinstance(loss, CrossEntropy) and not loss.label_smoothing:
        return _of_classes(loss, outputs_BK, target_B)
    if isinstance(loss, QuantityLoss) and loss.measure is functional.mse_loss:
        return _of_quantities(outputs_BK, target_B)
    with torch.enable_grad():
        leaf_BK = outputs_BK.detach().requires_grad_()
        (slope_BK,) = torch.autograd.grad(value := loss(leaf_BK.unsqueeze(1), target_B), leaf_BK)
    return value.detach(), slope_BK


def _of_classes(loss: CrossEntropy, outputs_BK: Tensor, class_B: Tensor) -> tuple[Tensor, Tensor]:
    """What autograd does of the cross-entropy."""
    weight_K = loss.weights
    log_p_BK = torch.log_softmax(outputs_BK if loss.offset_K is None else outputs_BK + loss.offset_K, 1)
    value, total = NLL(log_p_BK, class_B, weight_K, MEAN, NO_CLASS)
    one = torch.ones_like(value)
    of_log_BK = NLL_BACK(one, log_p_BK, class_B, weight_K, MEAN, NO_CLASS, total)
    return value, LOG_SOFTMAX_BACK(of_log_BK, log_p_BK, 1, log_p_BK.dtype)


def _of_quantities(told_BK: Tensor, value_B: Tensor) -> tuple[Tensor, Tensor]:
    """What autograd does of the mean squared error."""
    true_BK = value_B.to(told_BK.dtype).view_as(told_BK)
    value = functional.mse_loss(told_BK, true_BK)
    return value, SQUARED_BACK(torch.ones_like(value), told_BK, true_BK, MEAN)

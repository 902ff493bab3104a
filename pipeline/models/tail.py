"""A plain stack and the loss behind it without autograd: slopes are written where the optimiser's step looks for them.

What comes before the stack, embeddings and encoders, learns by autograd. Where batches are small, its graph over the
rest of a multilayer perceptron takes as long as a fifth of the products.
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


@dataclass(frozen=True, kw_only=True)
class Tail:
    """The stack that the outputs of a network come from as they are, and the loss.

    The gradients of its weights must lie in their `grad` (see `pipeline.models.flat`).
    """

    network: Network
    backbone: Layered
    layers: Stack
    loss: nn.Module

    @classmethod
    def of(cls, network: Network, loss: nn.Module) -> "Tail | None":
        """The tail of a network, where it has one and all of it learns."""
        backbone = network.backbone
        if not isinstance(backbone, Layered) or type(backbone.layers) is not Stack:
            return None
        learns = all(weight.requires_grad for weight in backbone.layers.parameters())
        if network.head is not None or any(network.direct) or not learns:
            return None
        return cls(network=network, backbone=backbone, layers=backbone.layers, loss=loss)

    def learn(self, inputs: Inputs, target_B: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (B, M, K) and their loss (); what its slopes are is in the gradients, in place of what was there."""
        own, _ = self.network.read(inputs)
        values_BI = self.backbone.features(inputs["dense"], inputs["codes"], own)
        weights, shares = self.layers.weights(), self.layers.shares()
        with torch.no_grad():
            outputs_BK, seen = stack.ahead(values_BI, shares, weights)
            outputs_BMK = outputs_BK.unsqueeze(1)
            loss, slope_BK = slope_of_loss(self.loss, outputs_BMK, target_B)
            slope_BO = stack.back(slope_BK, seen, shares, weights, [weight.grad for weight in weights])
        if values_BI.requires_grad:
            values_BI.backward(linear.slope_of_values(slope_BO, weights[0].detach()))
        return outputs_BMK, loss


def slope_of_loss(loss: nn.Module, outputs_BMK: Tensor, target_B: Tensor) -> tuple[Tensor, Tensor]:
    """The loss () of the outputs of one member, and its slope (B, K)."""
    if isinstance(loss, CrossEntropy) and not loss.label_smoothing:
        return _of_classes(loss, outputs_BMK, target_B)
    if isinstance(loss, QuantityLoss) and loss.measure is functional.mse_loss:
        return _of_quantities(outputs_BMK, target_B)
    with torch.enable_grad():
        leaf_BMK = outputs_BMK.detach().requires_grad_()
        (slope_BMK,) = torch.autograd.grad(value := loss(leaf_BMK, target_B), leaf_BMK)
    return value.detach(), slope_BMK.flatten(1)


def _of_classes(loss: CrossEntropy, outputs_BMK: Tensor, class_B: Tensor) -> tuple[Tensor, Tensor]:
    """What autograd does of the cross-entropy."""
    shifted_BK, class_B = loss.by_member(outputs_BMK, class_B)
    log_p_BK, weight_K = shifted_BK.log_softmax(1), loss.weights
    value, weight = torch.ops.aten.nll_loss_forward(log_p_BK, class_B, weight_K, MEAN, NO_CLASS)
    of_log_BK = torch.ops.aten.nll_loss_backward(
        torch.ones_like(value), log_p_BK, class_B, weight_K, MEAN, NO_CLASS, weight
    )
    return value, torch.ops.aten._log_softmax_backward_data(of_log_BK, log_p_BK, 1, log_p_BK.dtype)


def _of_quantities(outputs_BMK: Tensor, value_B: Tensor) -> tuple[Tensor, Tensor]:
    """What autograd does of the mean squared error."""
    told_BK = outputs_BMK.flatten(1)
    true_BK = value_B.to(told_BK.dtype).view_as(told_BK)
    value = functional.mse_loss(told_BK, true_BK)
    return value, torch.ops.aten.mse_loss_backward(torch.ones_like(value), told_BK, true_BK, MEAN)

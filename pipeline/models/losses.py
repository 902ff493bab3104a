"""What training makes small, and how its outputs become probabilities again.

Shapes: B rows, M members of an ensemble, K outputs. A loss is the mean over the members of each one's loss: each is
to be right by itself (Gorishniy et al. 2025, TabM, section 3.3), so that members stay unlike.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import SettingsError
from pipeline.features.target import Quantiles, Target
from pipeline.models.choices.optimization import LossName, LossSettings

Measure: TypeAlias = Callable[[Tensor, Tensor], Tensor]
LOSSES: Mapping[str, tuple[LossName, ...]] = {  # those of each kind of target; `auto` is the first
    "classes": ("cross_entropy", "bce", "focal"),
    "quantity": ("mse", "mae", "huber", "pinball"),
    "ordinal": ("cross_entropy", "coral", "focal"),
    "quantiles": ("pinball",),
    "tags": ("bce",),
    "forecast": ("mse", "mae", "huber", "pinball"),
}


KINDS: Mapping[str, str] = {
    "classes": "of {} classes",
    "quantity": "a quantity",
    "ordinal": "of {} classes in an order",
    "quantiles": "told by {} quantiles",
    "tags": "of {} tags",
    "forecast": "forecast over {} steps",
}


def weight_of(loss: nn.Module, target_B: Tensor) -> Tensor:
    """() what these rows weigh together in the mean that the loss is."""
    if isinstance(loss, ClassLoss):
        return loss.weights[target_B].sum()
    return torch.tensor(float(len(target_B)), device=target_B.device)


def loss_of(
    target: Target,
    settings: LossSettings,
    weight_K: Tensor,
    offset_K: Tensor | None = None,
    drawn_K: Tensor | None = None,
) -> nn.Module:
    """A module (outputs (B, M, K), target (B,)) → scalar; what it holds moves with the module that holds it.

    Of classes alone: `weight_K` weighs the rows of each class, `offset_K` is added to the outputs before, and `drawn_K`
    is how much more often training sees a row of each class: rows are weighed by it in evaluation, so that losses of
    train and val can be compared. Raises SettingsError where the loss is not one of that target.
    """
    kind = named(target, settings)
    if isinstance(target, Quantiles):
        return QuantityLoss(Pinball(target.quantiles))
    if target.kind == "tags":
        return EachTag(weight_K, settings.label_smoothing)
    if kind == "coral":
        return Coral(weight_K, offset_K, drawn_K)
    if target.kind in ("quantity", "forecast"):
        return QuantityLoss(_measure(kind, settings))
    if kind == "focal":
        return Focal(weight_K, settings.focal_gamma, offset_K, drawn_K)
    return CrossEntropy(weight_K, settings.label_smoothing, offset_K, drawn_K)


def named(target: Target, settings: LossSettings) -> LossName:
    """The loss that is meant, with `auto` resolved; raises SettingsError where it is not one of that target.

    Binary cross-entropy of the difference of two outputs is the cross-entropy of both.
    """
    several = target.kind == "classes" and target.outputs != 2
    known = tuple(loss for loss in LOSSES[target.kind] if not (several and loss == "bce"))
    if settings.kind == "auto":
        return known[0]
    if settings.kind not in known:
        kind = KINDS[target.kind].format(target.outputs)
        raise SettingsError(
            f"{settings.kind} is no loss of {target.column}, which is {kind}",
            where="params.yaml: train.loss.kind",
            fix=f"use one of: {', '.join(known)}",
        )
    return "cross_entropy" if target.kind == "classes" and settings.kind == "bce" else settings.kind


class ClassLoss(nn.Module):
    """What the losses of classes share: weights of the classes, others in evaluation, and an offset of the outputs."""

    taught_K: Tensor
    judged_K: Tensor
    offset_K: Tensor | None

    def __init__(self, weight_K: Tensor, offset_K: Tensor | None = None, drawn_K: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("taught_K", weight_K)
        self.register_buffer("judged_K", weight_K if drawn_K is None else weight_K * drawn_K)
        self.register_buffer("offset_K", offset_K)

    @property
    def weights(self) -> Tensor:
        """(K,) what a row of each class weighs."""
        return self.taught_K if self.training else self.judged_K

    def by_member(self, outputs_BMK: Tensor, class_B: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (B M, K) and classes (B M,): every member has every row."""
        shifted_BMK = outputs_BMK if self.offset_K is None else outputs_BMK + self.offset_K
        members = outputs_BMK.shape[1]
        return shifted_BMK.flatten(0, 1), class_B.repeat_interleave(members) if members > 1 else class_B


class CrossEntropy(ClassLoss):
    """-log p of the true class, a weighted mean; with smoothing, some of the truth is spread over all classes.

    >>> loss = CrossEntropy(torch.ones(2))
    >>> round(float(loss(torch.zeros(3, 1, 2), torch.tensor([0, 1, 1]))), 4)  # log 2
    0.6931
    """

    def __init__(
        self,
        weight_K: Tensor,
        label_smoothing: float = 0.0,
        offset_K: Tensor | None = None,
        drawn_K: Tensor | None = None,
    ) -> None:
        super().__init__(weight_K, offset_K, drawn_K)
        self.label_smoothing = label_smoothing

    def forward(self, outputs_BMK: Tensor, class_B: Tensor) -> Tensor:
        outputs_RK, class_R = self.by_member(outputs_BMK, class_B)
        return functional.cross_entropy(outputs_RK, class_R, self.weights, label_smoothing=self.label_smoothing)


class Focal(ClassLoss):
    """-(1 - p)^gamma log p of the true class, a weighted mean (Lin et al. 2017, equations 4 and 5).

    >>> round(float(Focal(torch.ones(2), gamma=2)(torch.zeros(3, 1, 2), torch.tensor([0, 1, 1]))), 4)  # log 2 / 4
    0.1733
    """

    def __init__(
        self, weight_K: Tensor, gamma: float, offset_K: Tensor | None = None, drawn_K: Tensor | None = None
    ) -> None:
        super().__init__(weight_K, offset_K, drawn_K)
        self.gamma = gamma

    def forward(self, outputs_BMK: Tensor, class_B: Tensor) -> Tensor:
        outputs_RK, class_R = self.by_member(outputs_BMK, class_B)
        log_p_R = outputs_RK.log_softmax(dim=1).gather(1, class_R[:, None])[:, 0]
        missed_R = (-log_p_R.expm1()).clamp_min(torch.finfo(log_p_R.dtype).eps)  # 0 has no power's slope
        weight_R = self.weights[class_R]
        return -(weight_R * missed_R**self.gamma * log_p_R).sum() / weight_R.sum()


class Coral(ClassLoss):
    """The binary cross-entropies of `is it above this class?`, one a class but the last (Cao et al. 2020, equation 4).

    Their sum over the classes, a weighted mean over the rows. Outputs are those of classes: what is above a class is
    the sum of the probabilities after it.

    >>> round(float(Coral(torch.ones(3))(torch.zeros(1, 1, 3), torch.tensor([0]))), 4)  # -log 1/3 - log 2/3
    1.5041
    """

    def forward(self, outputs_BMK: Tensor, class_B: Tensor) -> Tensor:
        outputs_RK, class_R = self.by_member(outputs_BMK, class_B)
        log_p_RK = outputs_RK.log_softmax(dim=1)
        log_at_most_RT = log_p_RK.logcumsumexp(dim=1)[:, :-1]
        log_above_RT = log_p_RK.flip(1).logcumsumexp(dim=1).flip(1)[:, 1:]
        above_RT = class_R[:, None] > torch.arange(log_above_RT.shape[1], device=class_R.device)
        loss_R = -torch.where(above_RT, log_above_RT, log_at_most_RT).sum(dim=1)
        weight_R = self.weights[class_R]
        return (weight_R * loss_R).sum() / weight_R.sum()


class EachTag(nn.Module):
    """The binary cross-entropy of each tag, the mean over tags; rows that have a tag weigh `weight_K`.

    With smoothing, some of each truth is spread over yes and no.

    >>> round(float(EachTag(torch.ones(2))(torch.zeros(1, 1, 2), torch.tensor([[1.0, 0.0]]))), 4)  # log 2
    0.6931
    """

    weight_K: Tensor

    def __init__(self, weight_K: Tensor, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("weight_K", weight_K)
        self.label_smoothing = label_smoothing

    def forward(self, outputs_BMK: Tensor, held_BK: Tensor) -> Tensor:
        smooth_BK = held_BK * (1 - self.label_smoothing) + self.label_smoothing / 2
        truth_BMK = smooth_BK[:, None].expand_as(outputs_BMK)
        return functional.binary_cross_entropy_with_logits(outputs_BMK, truth_BMK, pos_weight=self.weight_K)


class Pinball(nn.Module):
    """`pinball` of several quantiles, output k of quantile k, the mean over them.

    >>> round(float(Pinball([0.1, 0.9])(torch.zeros(1, 1, 2), torch.ones(1, 1, 2))), 2)  # (0.1 + 0.9) / 2
    0.5
    """

    quantile_K: Tensor

    def __init__(self, quantiles: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("quantile_K", torch.tensor(quantiles))

    def forward(self, told: Tensor, true: Tensor) -> Tensor:
        return pinball(told, true, self.quantile_K)


class QuantityLoss(nn.Module):
    """A measure between what is told and what is true, both scaled, over all outputs (of a quantity one).

    >>> float(QuantityLoss(functional.mse_loss)(torch.zeros(2, 1, 1), torch.tensor([1.0, 3.0])))
    5.0
    """

    def __init__(self, measure: Measure) -> None:
        super().__init__()
        self.measure = measure

    def forward(self, outputs_BMK: Tensor, value_B: Tensor) -> Tensor:
        truth_BMK = value_B.to(outputs_BMK.dtype).view(len(value_B), 1, -1).expand_as(outputs_BMK)
        return self.measure(outputs_BMK, truth_BMK)


def pinball(told: Tensor, true: Tensor, quantile: float | Tensor) -> Tensor:
    """The mean of quantile * error where too little is told, (1 - quantile) * error else (Koenker & Bassett 1978).

    >>> round(float(pinball(torch.zeros(2), torch.tensor([1.0, -1.0]), 0.9)), 2)  # (0.9 + 0.1) / 2
    0.5
    """
    error = true - told
    return torch.maximum(quantile * error, (quantile - 1) * error).mean()


def unfocused(outputs: Tensor, gamma: float | Tensor) -> Tensor:
    """Outputs (..., K) that focal loss taught → outputs whose softmax are the probabilities; with gamma 0 the same.

    Focal loss is least where the true p_k is in proportion to h(q_k), q the softmax of the outputs, and
    h(q) = q / ((1 - q)^gamma - gamma (1 - q)^(gamma - 1) q log q) (Charoenphakdee et al. 2021, theorem 11): what comes
    out are the logarithms of h.
    """
    log_q = outputs.double().log_softmax(dim=-1)
    missed = (-log_q.expm1()).clamp_min(torch.finfo(torch.float64).eps)
    return log_q - (gamma - 1) * missed.log() - (missed - gamma * log_q.exp() * log_q).log()


def _measure(kind: LossName, settings: LossSettings) -> Measure:
    measures: Mapping[str, Measure] = {
        "mse": functional.mse_loss,
        "mae": functional.l1_loss,
        "huber": partial(functional.huber_loss, delta=settings.huber_delta),
        "pinball": partial(pinball, quantile=settings.quantile),
    }
    return measures[kind]

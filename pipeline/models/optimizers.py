"""How weights are stepped: the optimiser and its groups, the learning rate's way, the mean of weights, mixup.

Everything here that depends on where the training stands is a pure function of that place, so that a training that
goes on from a checkpoint goes the same way: `factor` and `average_weight` of the step, `plateau` of the losses so far,
`mixing` of the epoch. B rows.
"""

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.choices.optimization import AveragingSettings, OptimizerSettings, Pace, ScheduleSettings
from pipeline.models.transfer import Starting

ONE_CYCLE_START = 1 / 25  # of the highest rate (Smith & Topin 2018, and fastai's fit_one_cycle)
ONE_CYCLE_END = 1e-4 / 25
PLATEAU_GAIN = 1e-4  # by which share a loss must fall to count as better: that of torch's ReduceLROnPlateau
EMA_STEPS_SEEN = 4  # an exponential mean reaches back over at most a quarter of the steps so far
UNDECAYED = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.RMSNorm)


def optimizer_of(
    network: nn.Module, settings: OptimizerSettings, backbone: str = "", starting: Starting | None = None
) -> torch.optim.Optimizer:
    """The optimiser of the network's weights, which must lie on their device already.

    What is not set is what is advised for that backbone. `starting`: what some of the weights were taken from, which
    may learn more slowly (the key `factor` of their group), or stay as they are.

    PyTorch's fused kernels take a third of the time of its loops (measured on a CPU, an MLP of 256 and 256: 70 µs a
    step of AdamW against 190); RMSprop has none.
    """
    pace = settings.pace(backbone)
    groups = parameter_groups(network, pace)
    if starting is not None:
        groups = slowed(groups, starting.slowed(network), starting.rate)
    rate, decay, beta = pace.learning_rate, pace.weight_decay, settings.momentum
    optimizer: torch.optim.Optimizer
    match settings.kind:
        case "adamw" | "adam" as kind:
            adam = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
            optimizer = adam(groups, rate, settings.betas, settings.epsilon, decay, fused=True)
        case "rmsprop":
            optimizer = torch.optim.RMSprop(
                groups, rate, eps=settings.epsilon, weight_decay=decay, momentum=beta, foreach=True
            )
        case "sgd":
            optimizer = torch.optim.SGD(groups, rate, weight_decay=decay, fused=True)
        case "momentum" | "nesterov" as kind:
            optimizer = torch.optim.SGD(
                groups, rate, momentum=beta, weight_decay=decay, nesterov=kind == "nesterov", fused=True
            )
    if settings.l1:
        optimizer.register_step_pre_hook(lambda stepped, *_: _add_l1(stepped.param_groups, settings.l1))
    if starting is not None:
        starting.hold(network, optimizer)
    return optimizer


def parameter_groups(network: nn.Module, pace: Pace) -> list[dict[str, Any]]:
    """The weights that decay, then those that do not: biases, norms and embeddings, where only weights are to."""
    bare = {id(parameter) for parameter in _undecayed(network)} if pace.decayed == "weights" else set()
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [{"params": [p for p in learnt if id(p) not in bare]}]
    rest = [p for p in learnt if id(p) in bare]
    return [*groups, {"params": rest, "weight_decay": 0.0, "bare": True}] if rest else groups


def slowed(groups: Sequence[dict[str, Any]], slow: Set[int], rate: float) -> list[dict[str, Any]]:
    """Each group as two: the parameters of these identities, with `factor` for their learning rate, and all others."""
    parts = [
        {**group, "params": [p for p in group["params"] if (id(p) in slow) is chosen], "factor": factor}
        for group in groups
        for chosen, factor in ((False, 1.0), (True, rate))
    ]
    return [part for part in parts if part["params"]]


def factor(step: int, steps: int, settings: ScheduleSettings) -> float:
    """What the learning rate is multiplied with at `step` (from 0) of `steps`.

    >>> [round(factor(step, 4, ScheduleSettings(warmup_share=0.5)), 2) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warmup = max(1, round(settings.warmup_share * steps))
    if settings.kind == "one_cycle":
        return _one_cycle(step / warmup, (step - warmup) / max(1, steps - warmup))
    if step < warmup:
        return (step + 1) / warmup
    gone = min(1.0, (step - warmup) / max(1, steps - warmup))
    return {"cosine": _cosine(1.0, 0.0, gone), "linear": 1 - gone}.get(settings.kind, 1.0)


def plateau(val_losses: Sequence[float], settings: ScheduleSettings) -> float:
    """What the rate is multiplied with besides after epochs of these losses on val; 1 unless the schedule is plateau.

    >>> plateau([0.5, 0.6, 0.6], ScheduleSettings(kind="plateau", plateau_patience=1))
    0.1
    """
    if settings.kind != "plateau":
        return 1.0
    best, waited, found = math.inf, 0, 1.0
    for loss in val_losses:
        better = loss < best * (1 - PLATEAU_GAIN)
        best, waited = (loss, 0) if better else (best, waited + 1)
        if waited > settings.plateau_patience:
            found, waited = found * settings.plateau_factor, 0
    return found


def average_weight(step: int, steps: int, steps_an_epoch: int, settings: AveragingSettings) -> float:
    """The share that the weights after `step` (from 0) have in the mean: mean += (weights - mean) * share.

    >>> average_weight(0, 100, 10, AveragingSettings()), average_weight(99, 100, 10, AveragingSettings())
    (1.0, 0.1)
    """
    if settings.kind == "ema":
        return 1 / min(max(1.0, settings.epochs * steps_an_epoch), step / EMA_STEPS_SEEN + 1)
    start = int(settings.start_share * steps) if settings.kind == "swa" else step
    return 1 / max(1, step - start + 1)


def mixing(epoch: int, steps: int, alpha: float, seed: int) -> Tensor:
    """(steps,) float32 in [0.5, 1]: which share of a mixed row is its own, the larger part of Beta(alpha, alpha).

    Mixup is Zhang et al. 2018 (alpha 0.1 to 0.4 on pictures there).
    """
    share_S = np.random.default_rng([seed, epoch]).beta(alpha, alpha, steps)
    return torch.from_numpy(np.maximum(share_S, 1 - share_S)).float()


def mixed(inputs: Mapping[str, Tensor], share: float | Tensor) -> dict[str, Tensor]:
    """Inputs of B rows: of decimals, `share` of each row and the rest of its `partner`; codes stay the row's own.

    The loss is to be `share` of that to the target, and the rest of that to `partner(target)`.
    """
    return {
        name: share * tensor + (1 - share) * partner(tensor) if tensor.is_floating_point() else tensor
        for name, tensor in inputs.items()
    }


def partner(tensor: Tensor) -> Tensor:
    """(B, ...) what the row before has, the last for the first: batches are shuffled, so any row is as good.

    >>> partner(torch.tensor([1, 2, 3])).tolist()
    [3, 1, 2]
    """
    return tensor.roll(1, 0)


def _one_cycle(risen: float, fallen: float) -> float:
    if risen < 1:
        return _cosine(ONE_CYCLE_START, 1.0, risen)
    return _cosine(1.0, ONE_CYCLE_END, min(1.0, fallen))


def _cosine(start: float, end: float, gone: float) -> float:
    """Half a cosine from `start` to `end`, of which the share `gone` is behind."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * gone))


def _undecayed(network: nn.Module) -> Iterator[nn.Parameter]:
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, UNDECAYED) or name.endswith("bias") or parameter.ndim < 2:
                yield parameter


def _add_l1(groups: Sequence[dict[str, Any]], l1: float) -> None:
    """The slope of l1 * |weight|, 0 at 0, added to each gradient that there is of weights that decay."""
    for parameter in (p for group in groups if not group.get("bare") for p in group["params"]):
        if parameter.grad is not None:
            parameter.grad.add_(parameter.detach().sign(), alpha=l1)

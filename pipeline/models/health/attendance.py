"""Before a training begins: what its health is told from, who measures its time, and what to say if it diverges."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch

from pipeline import metrics
from pipeline.models import energy
from pipeline.models.batches import Batches
from pipeline.models.choices.health import HealthSettings
from pipeline.models.health import trivial
from pipeline.models.health.checkup import Checkup
from pipeline.models.health.symptom import Facts, told
from pipeline.models.module import KeepBest, Learner
from pipeline.models.stopwatch import Stopwatch
from pipeline.wording import listed

Tensors: TypeAlias = Mapping[str, np.ndarray]
EXTREME = 1e3  # deviations, or what scaled values are in: none should be near it
WIDEST = 3


def attend(
    learner: Learner,
    keep: KeepBest,
    batches: Batches,
    *,
    val_rows: int,
    settings: HealthSettings,
    names: Sequence[str],
) -> None:
    """Let the training be watched; `names` are those of its dense values, empty where they are not known."""
    device = batches.target.device
    gpus = [device.index or 0] if batches.share is None else [*range(batches.share.world)]
    learner.watch = Stopwatch(meter=energy.meter(gpus if device.type == "cuda" else []))
    learner.suspect = lambda: extreme(batches.inputs["dense"], names)
    keep.checkup = Checkup(facts=facts(learner, keep, batches, val_rows, names), settings=settings)


def facts(learner: Learner, keep: KeepBest, batches: Batches, val_rows: int, names: Sequence[str]) -> Facts:
    """What is known beforehand; rows are those of an epoch, as they are drawn."""
    course, outputs = learner.course, len(learner.network.prior_K)
    order = batches.order(0)
    places = order[trivial.places(len(order)).to(order.device)]
    target_S, value_SD = batches.target[places].cpu(), batches.inputs["dense"][places].cpu()
    return Facts(
        rows=len(batches.target),
        val_rows=val_rows,
        weights=sum(weight.numel() for weight in learner.network.parameters() if weight.requires_grad),
        outputs=outputs,
        batches=course.batches,
        epochs=course.epochs,
        patience=keep.patience,
        learning_rate=course.pace.learning_rate,
        gradient_norm=course.optimizer.gradient_norm,
        constant_loss=trivial.constant_loss(learner.loss, target_S, outputs),
        linear_loss=trivial.linear_loss(learner.loss, value_SD, target_S, outputs),
        mixed=course.mixup > 0,
        far_out=extreme(value_SD, names),
        lower_is_better=metrics.OF[learner.target.kind].main in metrics.LOWER_IS_BETTER,
    )


def extreme(value_ND: torch.Tensor, names: Sequence[str]) -> str:
    """Which columns have values that are far out, as the end of a sentence; nothing where none has.

    >>> extreme(torch.tensor([[0.5, 1e9], [1.0, -2.0]]), ["age", "price"])
    ', and look at price, whose scaled values reach 1e+09'
    """
    if not value_ND.numel():
        return ""
    most_D = torch.maximum(value_ND.amax(dim=0).abs(), value_ND.amin(dim=0).abs())
    order = torch.argsort(most_D.nan_to_num(nan=float("inf")), descending=True)[:WIDEST].tolist()
    far = [place for place in order if not float(most_D[place]) < EXTREME]
    if not far:
        return ""
    columns = [names[place] if names else f"dense value {place}" for place in far]
    return f", and look at {listed(columns)}, whose scaled values reach {told(float(most_D[far[0]]))}"

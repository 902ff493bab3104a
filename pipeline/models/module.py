"""The LightningModule: one Lightning step takes many optimiser steps; val is judged, and kept, on averaged weights.

Lightning does work of its own around each step, so what it hands over is a chunk of batches.
Shapes: B rows, M members, K outputs.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Literal, TypeAlias

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from pipeline import metrics, progress
from pipeline.artefacts import Record
from pipeline.errors import SettingsError
from pipeline.features.target import Target
from pipeline.models import optimizers
from pipeline.models.batches import Batch, split
from pipeline.models.course import Course
from pipeline.models.curves import Curves
from pipeline.models.flat import FlatWeights
from pipeline.models.network import Network, answered, corrected

Part: TypeAlias = Literal["train", "val"]
SAMPLED_ROWS = 1 << 16  # train is scored on the last so many rows of an epoch: a random sample, as they are shuffled


class Epoch(Record):
    """What one pass over train, and the look at val after it, gave; `metric` is the name of the scores."""

    epoch: int
    metric: str
    train_loss: float
    train_score: float
    val_loss: float
    val_score: float

    def curves(self) -> dict[str, float]:
        """The four figures by their names, `train_loss` or `val_auc`."""
        score = {f"{part}_{self.metric}": getattr(self, f"{part}_score") for part in ("train", "val")}
        losses = {"train_loss": self.train_loss, "val_loss": self.val_loss}
        return {name: (losses | score)[name] for name in _curve_names(self.metric)}

    @property
    def named(self) -> dict[str, float]:
        """The epoch's number and its curves, as the history has them."""
        return {"epoch": self.epoch, **self.curves()}


class Seen:
    """The loss of every batch of an epoch so far, and what was answered for its last `rows` rows (None: for all)."""

    def __init__(self, rows: int | None = None) -> None:
        self.rows = rows
        self.kept_rows = 0
        self.losses: list[Tensor] = []
        self.sizes: list[int] = []
        self.kept: deque[tuple[Tensor, Tensor]] = deque()

    def add(self, loss: Tensor, outputs_BMK: Tensor, target_B: Tensor) -> None:
        """Remember a batch."""
        self.losses.append(loss.detach())
        self.sizes.append(len(target_B))
        self.kept.append((outputs_BMK.detach(), target_B))
        self.kept_rows += len(target_B)
        while self.rows is not None and self.kept_rows - len(self.kept[0][1]) >= self.rows:
            self.kept_rows -= len(self.kept.popleft()[1])

    def loss(self) -> float:
        """The mean loss of a row."""
        sizes = torch.tensor(self.sizes, dtype=torch.float64)
        return float((torch.stack(self.losses).cpu().double() * sizes).sum() / sizes.sum())

    def answers(self) -> Batch:
        """The outputs (N, M, K) that are kept, as `outputs`, and their targets (N,)."""
        outputs, targets = zip(*self.kept, strict=True)
        return {"outputs": torch.cat(outputs)}, torch.cat(targets)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint needs."""
        if not self.losses:
            return {}
        outputs, target_N = self.answers()
        kept = torch.tensor([len(target) for _, target in self.kept])
        sizes = torch.tensor(self.sizes)
        return {"losses": torch.stack(self.losses), "sizes": sizes, "kept": kept, "target": target_N, **outputs}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        if tensors:
            self.losses, self.sizes = list(tensors["losses"]), tensors["sizes"].tolist()
            parts = tensors["kept"].tolist()
            self.kept = deque(
                zip(torch.split(tensors["outputs"], parts), torch.split(tensors["target"], parts), strict=True)
            )
            self.kept_rows = len(tensors["target"])


class Learner(lightning.LightningModule):
    """Trains the network along the course; the mean of its weights is what val sees.

    `after_step` is called after every optimiser step, when the state is whole.
    """

    def __init__(self, network: Network, course: Course, loss: nn.Module, target: Target, batch_size: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network, self.judged, self.loss = network, deepcopy(network), loss
        self.course, self.target, self.batch_size = course, target, batch_size
        self.steps_done = 0
        self.val_losses: list[float] = []
        self.seen: dict[Part, Seen] = {"train": Seen(SAMPLED_ROWS), "val": Seen()}
        self.after_step: Callable[[], None] = lambda: None
        self.after_start: Callable[[], None] = lambda: None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self.course.optimizer_of(self.network)
        self.flat = FlatWeights(optimizer)
        return optimizer

    def on_train_start(self) -> None:
        self.after_start()

    def on_train_epoch_start(self) -> None:
        self.flat.attach()  # Lightning has set gradients to None, at its start and after each look at val
        self.cut = self.course.cut(self.val_losses)
        self.mixing = self.course.mixing(self.steps_done // self.course.batches)

    def training_step(self, chunk: Batch, _: int) -> None:
        for inputs, target_B in split(chunk, self.batch_size):
            self._learn(inputs, target_B)
            self.after_step()

    def _learn(self, inputs: dict[str, Tensor], target_B: Tensor) -> None:
        outputs_BMK, loss = self._mixed(inputs, target_B) if self.mixing is not None else self._plain(inputs, target_B)
        loss.backward()  # type: ignore[no-untyped-call]
        step = self.steps_done
        self.flat.step(
            rate=self.course.rate(step) * self.cut,
            norm=self.course.optimizer.gradient_norm,
            share=self.course.share(step),
        )
        self.seen["train"].add(loss, outputs_BMK, target_B)
        self.steps_done = step + 1

    def _plain(self, inputs: dict[str, Tensor], target_B: Tensor) -> tuple[Tensor, Tensor]:
        outputs_BMK = self.network(inputs)
        return outputs_BMK, self.loss(outputs_BMK, target_B)

    def _mixed(self, inputs: dict[str, Tensor], target_B: Tensor) -> tuple[Tensor, Tensor]:
        assert self.mixing is not None
        own = self.mixing[self.steps_done % self.course.batches].item()
        outputs_BMK = self.network(optimizers.mixed(inputs, own))
        other = self.loss(outputs_BMK, optimizers.partner(target_B))
        return outputs_BMK, own * self.loss(outputs_BMK, target_B) + (1 - own) * other

    def on_validation_epoch_start(self) -> None:
        self.judged.load_state_dict(self.flat.means(self.network))

    def validation_step(self, batch: Batch, _: int) -> None:
        inputs, target_B = batch
        outputs_BMK = self.judged(inputs)
        self.seen["val"].add(self.loss(outputs_BMK, target_B), outputs_BMK, target_B)

    def summary(self, part: Part) -> tuple[float, float]:
        """(loss, main score) of the epoch; it is forgotten."""
        seen, self.seen[part] = self.seen[part], Seen(self.seen[part].rows)
        outputs, target_N = seen.answers()
        with torch.no_grad():
            answers_NK = answered(corrected(self.network, outputs["outputs"]), self.target)
        truth_N = self.target.truth(target_N.cpu().numpy())
        return seen.loss(), metrics.OF[self.target.kind].main_score(truth_N, answers_NK)


class KeepBest(lightning.Callback):
    """After each epoch: log the curves, keep the weights of the best score on val, stop after `patience` worse ones.

    Raises SettingsError when the loss is no number any more.
    """

    def __init__(self, network: Network, live: Curves, patience: int, epochs: int) -> None:
        self.trained, self.live, self.patience, self.epochs = network, live, patience, epochs
        self.history: list[Epoch] = []
        self.best: Epoch | None = None
        self.weights: dict[str, Tensor] = {}
        self.after_epoch: Callable[[], None] = lambda: None

    @property
    def over(self) -> bool:
        """Whether the training has come to its end."""
        waited = self.best is not None and len(self.history) - self.best.epoch >= self.patience
        return waited or len(self.history) >= self.epochs

    def on_validation_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        # Lightning validates before it closes the training epoch, so both parts are complete here
        assert isinstance(module, Learner)
        epoch = self._summed_up(module)
        self.remember([epoch])
        if self._better(epoch):
            self.best = epoch
            self.weights = {k: v.detach().cpu().clone() for k, v in module.judged.state_dict().items()}
        module.val_losses.append(epoch.val_loss)
        trainer.should_stop = self.over
        self._tell(epoch)
        self.after_epoch()

    def _summed_up(self, module: Learner) -> Epoch:
        (train_loss, train_score), (val_loss, val_score) = module.summary("train"), module.summary("val")
        number = len(self.history) + 1
        if not math.isfinite(train_loss + val_loss):
            raise SettingsError(
                f"the loss is {train_loss} after epoch {number}: the training diverged",
                where="params.yaml: train.optimizer.learning_rate",
                fix=f"lower it: it is {module.course.pace.learning_rate:g}",
            )
        return Epoch(
            epoch=number,
            metric=metrics.OF[module.target.kind].main,
            train_loss=train_loss,
            train_score=train_score,
            val_loss=val_loss,
            val_score=val_score,
        )

    def remember(self, epochs: Sequence[Epoch]) -> None:
        """Add these epochs to the history and to the curves."""
        for epoch in epochs:
            self.history.append(epoch)
            for name, value in epoch.curves().items():
                self.live.log_metric(name.replace("_", "/", 1), value)
            self.live.next_step()

    def _better(self, epoch: Epoch) -> bool:
        """By the score; where it is the same, as of a ranking that was learnt at once, by the loss."""
        sign = -1.0 if epoch.metric in metrics.LOWER_IS_BETTER else 1.0
        ranks = [(sign * each.val_score, -each.val_loss) for each in (self.best, epoch) if each is not None]
        return ranks[-1] > ranks[0] or self.best is None

    def network(self) -> Network:
        """The network with the weights that were kept, on the CPU."""
        self.trained.cpu().load_state_dict(self.weights)
        return self.trained

    def _tell(self, epoch: Epoch) -> None:
        name = epoch.metric.upper() if len(epoch.metric) < 5 else epoch.metric.replace("_", " ")
        words = (
            f"epoch {epoch.epoch} of at most {self.epochs}: "
            f"loss {epoch.train_loss:.4f} train, {epoch.val_loss:.4f} val; "
            f"{name} {epoch.train_score:.4f} train, {epoch.val_score:.4f} val"
        )
        progress.report(epoch.epoch / self.epochs, words)


def _curve_names(metric: str) -> tuple[str, ...]:
    return ("train_loss", f"train_{metric}", "val_loss", f"val_{metric}")

"""The LightningModule: one step for training and validation, AdamW, warm-up and cosine, best weights kept."""

import math
from typing import Any, Literal

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from pipeline import metrics, progress
from pipeline.artefacts import Record
from pipeline.errors import SettingsError
from pipeline.models.curves import Curves
from pipeline.models.network import Network

Part = Literal["train", "val"]
Batch = tuple[dict[str, Tensor], Tensor]


class Schedule(Record):
    """The optimiser's settings: peak learning rate, decoupled weight decay, share of steps of warm-up,
    and over how many steps weights are averaged."""

    learning_rate: float
    weight_decay: float
    warmup_share: float
    averaging_steps: float
    steps: int

    def factor(self, step: int) -> float:
        """Linear warm-up, then half a cosine to 0 (Loshchilov & Hutter 2017), at `step` of `steps`.

        >>> round(Schedule(learning_rate=1, weight_decay=0, warmup_share=0.5, averaging_steps=1, steps=4).factor(1), 3)
        1.0
        """
        warmup = max(1, round(self.warmup_share * self.steps))
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, self.steps - warmup))))


class Epoch(Record):
    """What one pass over train, and the look at val after it, gave."""

    epoch: int
    train_loss: float
    train_auc: float
    val_loss: float
    val_auc: float


class Classifier(lightning.LightningModule):
    """Cross-entropy over the classes, weighed by `weight_K`; val is judged, and kept, on averaged weights.

    The average is exponential over the training steps (Polyak & Juditsky 1992; Izmailov et al. 2018 on why it
    generalises), with a horizon of `schedule.averaging_steps`, shorter at the start.
    """

    def __init__(self, network: Network, schedule: Schedule, weight_K: Tensor) -> None:
        super().__init__()
        self.network = network
        self.averaged = AveragedModel(network, avg_fn=self._average)
        self.schedule = schedule
        self.loss = nn.CrossEntropyLoss(weight=weight_K)
        self.seen: dict[Part, list[tuple[Tensor, Tensor, Tensor]]] = {"train": [], "val": []}

    def training_step(self, batch: Batch, _: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, _: int) -> Tensor:
        return self._step(batch, "val")

    def _step(self, batch: Batch, part: Part) -> Tensor:
        inputs, label_B = batch
        logits_BMK = (self.network if part == "train" else self.averaged)(inputs)
        members = logits_BMK.shape[1]  # each is to be right by itself
        loss: Tensor = self.loss(logits_BMK.flatten(0, 1), label_B.repeat_interleave(members))
        self.seen[part].append((loss.detach(), logits_BMK.detach(), label_B))
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        self.averaged.update_parameters(self.network)

    def _average(self, mean: Tensor, value: Tensor, updates: Tensor | int) -> Tensor:
        horizon = min(self.schedule.averaging_steps, float(updates) / 4 + 1)
        return mean + (value - mean) / horizon

    def summary(self, part: Part) -> tuple[float, float]:
        """(loss, AUC) over all batches seen since the last call."""
        losses, logits, labels = zip(*self.seen[part], strict=True)
        self.seen[part].clear()
        label_N = torch.cat(labels)
        sizes = torch.tensor([len(label) for label in labels], dtype=torch.float64)
        loss = (torch.stack(losses).cpu().double() * sizes).sum() / sizes.sum()
        p_NK = torch.cat(logits).cpu().double().softmax(dim=2).mean(dim=1).numpy()
        once = np.ones((1, len(p_NK)), dtype=np.float32)
        return float(loss), float(metrics.ONE["auc"](label_N.cpu().numpy(), p_NK, 0.5, once)[0])

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.schedule.learning_rate, weight_decay=self.schedule.weight_decay
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule.factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class KeepBest(lightning.Callback):
    """After each epoch: log the curves, keep the weights of the best val AUC, and stop after `patience` worse ones.

    Raises SettingsError when the loss is no number any more.
    """

    def __init__(self, network: Network, live: Curves, patience: int, epochs: int) -> None:
        self.trained, self.live, self.patience, self.epochs = network, live, patience, epochs
        self.history: list[Epoch] = []
        self.best: Epoch | None = None
        self.weights: dict[str, Tensor] = {}

    def on_validation_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        # Lightning validates before it closes the training epoch, so both parts are complete here
        assert isinstance(module, Classifier)
        (train_loss, train_auc), (val_loss, val_auc) = module.summary("train"), module.summary("val")
        epoch = Epoch(
            epoch=len(self.history) + 1,
            train_loss=train_loss,
            train_auc=train_auc,
            val_loss=val_loss,
            val_auc=val_auc,
        )
        if not math.isfinite(train_loss + val_loss):
            raise SettingsError(
                f"the loss is {train_loss} after epoch {epoch.epoch}: the training diverged",
                where="params.yaml: train.learning_rate",
                fix=f"lower it: it is {module.schedule.learning_rate:g}",
            )
        self.history.append(epoch)
        for name, value in epoch.model_dump(exclude={"epoch"}).items():
            self.live.log_metric(name.replace("_", "/"), value)
        self.live.next_step()
        if self.best is None or val_auc > self.best.val_auc:
            self.best = epoch
            self.weights = {k: v.detach().cpu().clone() for k, v in module.averaged.module.state_dict().items()}
        trainer.should_stop = epoch.epoch - self.best.epoch >= self.patience
        self._tell(epoch)

    def network(self) -> Network:
        """The network with the weights that were kept, on the CPU."""
        self.trained.cpu().load_state_dict(self.weights)
        return self.trained

    def _tell(self, epoch: Epoch) -> None:
        words = (
            f"epoch {epoch.epoch} of at most {self.epochs}: "
            f"loss {epoch.train_loss:.4f} train, {epoch.val_loss:.4f} val; "
            f"AUC {epoch.train_auc:.4f} train, {epoch.val_auc:.4f} val"
        )
        progress.report(epoch.epoch / self.epochs, words)

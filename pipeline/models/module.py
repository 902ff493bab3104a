"""The LightningModule: one Lightning step takes many optimiser steps; val is judged, and kept, on averaged weights.

Lightning does work of its own around each step, so what it hands over is a chunk of batches.
Shapes: B rows, M members, K outputs.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Literal, TypeAlias

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from pipeline import metrics, progress
from pipeline.errors import SettingsError
from pipeline.features.target import Target
from pipeline.models import losses, optimizers, shared_norms
from pipeline.models.batches import Batch, split
from pipeline.models.course import Course
from pipeline.models.curves import Curves
from pipeline.models.devices import Team
from pipeline.models.epoch import Epoch
from pipeline.models.flat import FlatWeights
from pipeline.models.health.checkup import Checkup
from pipeline.models.health.pulse import Pulse, rounded
from pipeline.models.health.spikes import spikes
from pipeline.models.health.symptom import Symptom
from pipeline.models.health.vitals import Vitals
from pipeline.models.network import Network, answered, corrected
from pipeline.models.norm_means import NormMeans
from pipeline.models.seen import Seen, interleaved
from pipeline.models.stopwatch import Lap, Stopwatch, Times, words
from pipeline.models.tail import Tail

Part: TypeAlias = Literal["train", "val"]
SAMPLED_ROWS = 1 << 16  # train is scored on the last so many rows of an epoch: a random sample, as they are shuffled
WIDE = 64  # of more outputs than that, as of a long horizon, as many times fewer rows are kept
CHECKED_STEPS = 64  # after so many steps it is asked whether the loss is still a number: on a GPU that waits for it
FEW_VAL_ROWS = 2048  # of more, the score is known well enough
RESAMPLES = 40
INTERVAL_EPOCHS = [4**power for power in range(1, 8)]  # so that it is a small part of a training
IN_95 = 1.96  # deviations to either side


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
        sampled = SAMPLED_ROWS // max(1, target.outputs // WIDE)
        self.seen: dict[Part, Seen] = {"train": Seen(sampled), "val": Seen()}
        self.after_step: Callable[[], None] = lambda: None
        self.after_start: Callable[[], None] = lambda: None
        self.watch, self.checked = Stopwatch(), 0
        self.suspect: Callable[[], str] = lambda: ""  # which column may be why the loss is no number
        self.team: Team | None = None
        self.own_size = batch_size

    def join(self, team: Team) -> None:
        """Train as one of the processes of a team."""
        self.team, self.own_size = team, team.share.rows(self.batch_size)
        shared_norms.share(self.network, team)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self.course.optimizer_of(self.network)
        self.flat, self.norm_means = FlatWeights(optimizer), NormMeans(self.network)
        self.vitals = Vitals(self.network, self.flat, self.course.batches)
        self.tail = Tail.of(self.network, self.loss)
        return optimizer

    def on_train_start(self) -> None:
        self.after_start()
        if self.team is not None:
            self.team.require_alike(self.flat, self.steps_done)
        self.watch.start()

    def on_train_epoch_start(self) -> None:
        self.flat.attach()  # Lightning has set gradients to None, at its start and after each look at val
        self.cut = self.course.cut(self.val_losses)
        epoch = self.steps_done // self.course.batches
        self.paces = self.course.paces(epoch)
        self.mixing = self.course.mixing(epoch)
        self.own_tail = self.tail if self.team is None and self.mixing is None else None
        self.flat.clear()

    def training_step(self, chunk: Batch, _: int) -> None:
        with self.watch.span("compute"):
            for inputs, target_B in split(chunk, self.own_size):
                self._learn(inputs, target_B)
                self.after_step()
        if self.steps_done - self.checked >= CHECKED_STEPS:
            self.checked = self.steps_done
            self.require_number(float(self.seen["train"].losses[-1]))

    def _learn(self, inputs: dict[str, Tensor], target_B: Tensor) -> None:
        if self.team is not None:
            self.team.begin(self.steps_done)
        outputs_BMK, loss = self._taught(inputs, target_B)
        step = self.steps_done
        if self.vitals.due(step):
            with self.vitals.around():
                self._step(step)
        else:
            self._step(step)
        self.seen["train"].add(loss, outputs_BMK, target_B, self.team)
        self.steps_done = step + 1

    def _step(self, step: int) -> None:
        """Step along the gradients that lie in `flat`."""
        rate, share = self.paces[step % self.course.batches]
        norm = self.course.optimizer.gradient_norm
        clear = self.own_tail is None or not self.own_tail.overwrites
        self.vitals.norms.append(self.flat.step(rate=rate * self.cut, norm=norm, share=share, clear=clear))
        self.norm_means.follow(share)

    def _taught(self, inputs: dict[str, Tensor], target_B: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (B, M, K) and loss () of a batch, whose gradients lie in `flat`."""
        if self.own_tail is not None:
            return self.own_tail.learn(inputs, target_B)
        outputs_BMK, loss = self._mixed(inputs, target_B) if self.mixing is not None else self._plain(inputs, target_B)
        if self.team is not None:
            return outputs_BMK.detach(), self.team.backward(loss, losses.weight_of(self.loss, target_B), self.flat)
        loss.backward()  # type: ignore[no-untyped-call]
        return outputs_BMK.detach(), loss.detach()

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
        with self.watch.span("compute"):  # what a GPU still has to do of it
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self.judged.load_state_dict(self.flat.means(self.network) | self.norm_means.means)
        if self.vitals.due(self.steps_done - 1):
            self.vitals.listen(self.judged)

    def validation_step(self, batch: Batch, _: int) -> None:
        inputs, target_B = batch
        if not len(target_B):
            return
        with self.watch.span("validation"):
            outputs_BMK = self.judged(inputs)
            self.vitals.hush()
            self.seen["val"].add(self.loss(outputs_BMK, target_B), outputs_BMK, target_B)

    def gather(self, team: Team) -> None:
        """Bring what all processes have seen of the epoch to the first one; the others forget it."""
        for part, seen in self.seen.items():
            parts = [seen]
            for tensors in team.collected(seen.tensors()):
                parts.append(Seen())
                parts[-1].load({name: tensor.to(self.device) for name, tensor in tensors.items()})
            seen.kept = deque(interleaved([list(each.kept) for each in parts]))
            if part == "val":  # where each batch is one's own
                seen.losses = interleaved([each.losses for each in parts])
                seen.sizes = interleaved([each.sizes for each in parts])
        if not team.leads:
            self.seen = {part: Seen(seen.rows) for part, seen in self.seen.items()}
            self.vitals.forget()

    def summary(self, part: Part) -> tuple[float, float]:
        """(loss, main score) of the epoch; it is forgotten."""
        seen, self.seen[part] = self.seen[part], Seen(self.seen[part].rows)
        return seen.loss(), metrics.OF[self.target.kind].main_score(*self._answers(seen), self.target.at)

    def _answers(self, seen: Seen) -> tuple[np.ndarray, np.ndarray]:
        """(N,) the truth, and (N, K) what was answered."""
        outputs, target_N = seen.answers()
        with torch.no_grad():
            answers_NK = answered(corrected(self.network, outputs["outputs"]), self.target)
        return self.target.truth(target_N.cpu().numpy()), answers_NK

    def pulse(self, epoch: int) -> Pulse:
        """What was measured in the epoch (from 1), before its summary is made."""
        gradients = self.vitals.gradients()
        return Pulse(
            gradient=gradients and gradients[0],
            highest_gradient=gradients and gradients[1],
            layers=self.vitals.layers(),
            activations=self.vitals.activations(),
            spikes=spikes(self.seen["train"].steps(self.batch_size)),
            interval=self._interval() if epoch in INTERVAL_EPOCHS else None,
        )

    def _interval(self) -> float | None:
        """Half of the 95% interval of the score on val; None of more rows than it takes to know it well.

        Where all goes well in N rows, up to 3 in N may still go wrong (Hanley & Lippman-Hand 1983).
        """
        rows = sum(self.seen["val"].sizes)
        if not 0 < rows < FEW_VAL_ROWS:
            return None
        truth_N, answers_NK = self._answers(self.seen["val"])
        measures = metrics.OF[self.target.kind]
        drawn_RN = metrics.resamples(rows, self.course.seed, RESAMPLES).astype(np.float64)
        score_R = measures.each[measures.main](truth_N, answers_NK, self.target.at, drawn_RN)
        least = 0.0 if measures.main in metrics.LOWER_IS_BETTER else 1.5 / rows
        return rounded(max(IN_95 * float(score_R.std()), least))

    def require_number(self, loss: float) -> None:
        """Raise SettingsError when the loss is no number any more."""
        if math.isfinite(loss):
            return
        epoch = 1 + max(0, self.steps_done - 1) // self.course.batches
        raise SettingsError(
            f"the loss is {loss} after step {self.steps_done:,}, in epoch {epoch}: the training diverged",
            where="params.yaml: train.optimizer.learning_rate",
            fix=f"lower it: it is {self.course.pace.learning_rate:g}{self.suspect()}",
        )


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
        self.checkup: Checkup | None = None
        self.told: dict[tuple[str, str], int] = {}
        self.laps: list[Lap] = []

    @property
    def over(self) -> bool:
        """Whether the training has come to its end."""
        waited = self.best is not None and len(self.history) - self.best.epoch >= self.patience
        return waited or len(self.history) >= self.epochs

    def on_validation_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        # Lightning validates before it closes the training epoch, so both parts are complete here
        assert isinstance(module, Learner)
        epoch = self._summed_up(module) if module.team is None else self._agreed(module, module.team)
        self.remember([epoch])
        if self._better(epoch):
            self.best = epoch
            self.weights = {k: v.detach().cpu().clone() for k, v in module.judged.state_dict().items()}
        module.val_losses.append(epoch.val_loss)
        trainer.should_stop = self.over
        self.laps.append(module.watch.lap())
        self._tell(epoch)
        self.after_epoch()

    def _agreed(self, module: Learner, team: Team) -> Epoch:
        """What the first process sums up, for all."""
        module.gather(team)
        return Epoch.model_validate_json(team.told(self._summed_up(module).model_dump_json() if team.leads else ""))

    def _summed_up(self, module: Learner) -> Epoch:
        number = len(self.history) + 1
        pulse = module.pulse(number)
        (train_loss, train_score), (val_loss, val_score) = module.summary("train"), module.summary("val")
        module.require_number(train_loss + val_loss)
        return Epoch(
            epoch=number,
            metric=metrics.OF[module.target.kind].main,
            train_loss=train_loss,
            train_score=train_score,
            val_loss=val_loss,
            val_score=val_score,
            pulse=pulse,
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

    def times(self, identity: str) -> Times:
        """What the epochs of this run took, of the model of that identity."""
        return Times(identity=identity, laps=self.laps)

    def network(self) -> Network:
        """The network with the weights that were kept, on the CPU."""
        self.trained.cpu().load_state_dict(self.weights)
        return self.trained

    def _tell(self, epoch: Epoch) -> None:
        name = epoch.metric.upper() if len(epoch.metric) < 5 else epoch.metric.replace("_", " ")
        told = (
            f"epoch {epoch.epoch} of at most {self.epochs}: "
            f"loss {epoch.train_loss:.4f} train, {epoch.val_loss:.4f} val; "
            f"{name} {epoch.train_score:.4f} train, {epoch.val_score:.4f} val"
        )
        lines = [told, *(f"  {line}" for symptom in self._news() for line in symptom.lines())]
        if self.over and (took := words(self.laps)):
            lines.append(f"  {took}")
        progress.report(epoch.epoch / self.epochs, "\n".join(lines))

    def _news(self) -> list[Symptom]:
        """The symptoms not told yet, after an epoch that was looked at; after the last all as they are recorded."""
        asked = self.over or bool(self.history[-1].pulse.layers)
        found = self.checkup.symptoms(self.history, over=self.over) if self.checkup and asked else []
        news = [symptom for symptom in found if self._is_news(symptom)]
        self.told |= {(symptom.name, symptom.severity): symptom.since for symptom in news}
        return news

    def _is_news(self, symptom: Symptom) -> bool:
        known = self.told.get((symptom.name, symptom.severity))
        return known is None or (self.over and known != symptom.since)

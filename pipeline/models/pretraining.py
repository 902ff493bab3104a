"""Self-supervised pre-training: the network learns to tell replaced cells of rows, then keeps all but its last layer.

No label is read. Every step follows from its number: which rows, which cells, what stands there instead. A pre-training
that was killed goes on from its last checkpoint, and ends with bitwise the same weights.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor

from pipeline import metrics, progress
from pipeline.errors import SettingsError
from pipeline.features.preprocessor import LABEL, Preprocessor
from pipeline.metrics.score import paired, resamples
from pipeline.models import linear, placement, transfer
from pipeline.models.batches import Batches, split
from pipeline.models.checkpoint import Checkpoint, Checkpoints, State, digest, random_now, set_random, within
from pipeline.models.choices.pretraining import Comparison, Pretrained, PretrainingSettings
from pipeline.models.course import Course
from pipeline.models.epoch import Epoch
from pipeline.models.flat import FlatWeights
from pipeline.models.masking import Masking, Telling
from pipeline.models.names import Names
from pipeline.models.network import Network, NetworkShape
from pipeline.models.norm_means import NormMeans
from pipeline.models.trainer import lightning_manners
from pipeline.models.transfer import Source, Starting

Tensors: TypeAlias = Mapping[str, Any]
TRAIN, VAL = 0, 1  # what a random place is of
VAL_BATCHES = 8  # a batch of val is so many times as large
COMPARED_ROWS = 20_000
JUDGED_SHARE, JUDGED_ROWS = 0.1, 10_000  # of rows without a label, to judge the pre-training by
WHERE = "params.yaml: train.pretrain"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is pre-trained, and how: the network of `shape` on `parts`, train and val, whose labels are zeros.

    `course` has the optimiser, the schedule and the seed; `size` rows a step; `unlabelled` rows of train have no label.
    """

    parts: Mapping[str, Tensors]
    shape: NetworkShape
    fitted: Preprocessor
    settings: PretrainingSettings
    course: Course
    size: int
    accelerator: str
    unlabelled: int = 0


def require_fresh(starting: Starting | None) -> None:
    """Raise SettingsError where the weights of another model are to be the start already."""
    if starting is not None:
        raise SettingsError(
            f"the start is {starting.record.model} already",
            where=WHERE,
            fix="take train.init_from away, or set none here",
        )


def settled(
    task: Task, checkpoints: Checkpoints | None, answer: Callable[[Starting | None], np.ndarray], truth_N: np.ndarray
) -> tuple[Starting | None, Pretrained]:
    """The start of the training, and how it came about, which is told.

    With `auto` both ways are trained, and the pre-trained weights are taken if they are surely better on val (in 97.5%
    of resamples of its rows). `answer(start)` gives the answers (N, K) of val's rows, `truth_N` is their truth.
    """
    starting, record = started(task, checkpoints)
    if task.settings.kind == "auto":
        compared = comparison(task, answer(None), answer(starting), truth_N)
        record = record.model_copy(update={"compared": compared, "taken": compared.low > 0})
    progress.report(0.0, record.words)
    return (starting if record.taken else None), record


def comparison(task: Task, without_NK: np.ndarray, pretrained_NK: np.ndarray, truth_N: np.ndarray) -> Comparison:
    """The main score of both on rows of val, at most so many as are needed to know it."""
    target, seed = task.fitted.target, task.course.seed
    chosen = np.sort(np.random.default_rng(seed).permutation(len(truth_N))[:COMPARED_ROWS])
    measures, w_RN = metrics.OF[target.kind], resamples(len(chosen), seed)
    without, own = (
        measures.values(truth_N[chosen], a_NK[chosen], target.at, w_RN) for a_NK in (without_NK, pretrained_NK)
    )
    gain = paired("none", measures.main, own, without)
    return Comparison(
        metric=measures.main,
        without=float(without[measures.main][0]),
        pretrained=float(own[measures.main][0]),
        gain=gain.difference,
        low=gain.low,
        high=gain.high,
    )


def started(task: Task, checkpoints: Checkpoints | None = None) -> tuple[Starting, Pretrained]:
    """The weights to start a training of the network from, and how they came about.

    Raises SettingsError where there is nothing to mask, or the loss is no number any more.
    """
    require_cells(task)
    run = Run.of(task)
    with lightning_manners():
        torch.use_deterministic_algorithms(True)
        run.whole(checkpoints)
    assert run.best is not None  # at least one epoch ran
    network = run.judged.cpu()
    network.load_state_dict(run.weights)
    names = Names.of(task.fitted)
    told = replace(names, outputs=[f"told {place}" for place in range(run.telling.outputs)])
    sha256 = digest({name: value.numpy() for name, value in run.weights.items()}, "")
    source = Source(model="pre-training", sha256=sha256, backbone=task.shape.backbone, network=network, names=told)
    starting = transfer.starting(source, task.shape, names, freeze="none", rate=1.0)
    record = Pretrained(
        objective=task.settings.objective,
        rows=len(task.parts["train"]["dense"]) - task.unlabelled,
        unlabelled=task.unlabelled,
        best_epoch=run.best.epoch,
        losses=[epoch.val_loss for epoch in run.history],
        taken=True,
    )
    return starting, record


def require_cells(task: Task) -> None:
    """Raise SettingsError for a network that has no layers to pre-train, or rows without cells to mask."""
    if task.shape.backbone == "linear":
        raise SettingsError("linear has no layer to pre-train", where=WHERE, fix="set train.model, or kind to none")
    if task.fitted.series is not None:
        raise SettingsError("rows of series are not pre-trained on", where=WHERE, fix="set kind to none")
    if len(task.fitted.dense_columns) + len(task.fitted.cardinalities) == 0:
        raise SettingsError(
            "no column is a number, a category or a timestamp, and only cells of these are masked",
            where=WHERE,
            fix="set kind to none",
        )


@dataclass(kw_only=True)
class Run:
    """Where a pre-training stands."""

    task: Task
    network: Network
    judged: Network
    flat: FlatWeights
    norm_means: NormMeans
    masking: Masking
    telling: Telling
    batches: Batches
    course: Course
    device: torch.device
    steps: int = 0
    history: list[Epoch] = field(default_factory=list)
    best: Epoch | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)
    losses: list[Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, task: Task) -> "Run":
        """Before the first step."""
        seed, train, chosen = task.course.seed, task.parts["train"], task.settings
        lightning.seed_everything(seed, workers=True, verbose=False)
        device = placement.device_of(task.accelerator)
        masking = Masking.of(train, task.fitted.dense_columns, chosen.mask_share, seed, device)
        telling = Telling.of(masking, task.shape.table.cardinalities, chosen.objective)
        batches = placement.batches(train, task.size, seed, device)
        table = task.shape.table.model_copy(update={"outputs": telling.outputs})
        network = Network(task.shape.model_copy(update={"table": table, "levels": []})).to(device)
        if device.type == "cpu":
            linear.quicken(network)
        course = replace(task.course, batches=len(batches), epochs=chosen.epochs, mixup=0.0, starting=None)
        return cls(
            task=task,
            network=network,
            judged=deepcopy(network),
            flat=FlatWeights(course.optimizer_of(network)),
            norm_means=NormMeans(network),
            masking=masking,
            telling=telling,
            batches=batches,
            course=course,
            device=device,
        )

    @property
    def over(self) -> bool:
        waited = self.best is not None and len(self.history) - self.best.epoch >= self.task.settings.patience
        return waited or len(self.history) >= self.course.epochs

    def whole(self, checkpoints: Checkpoints | None) -> None:
        """Every epoch that is left; with `checkpoints` from where an earlier run was killed."""
        found = None if checkpoints is None else checkpoints.read()
        if found is not None:
            self._go_on(found)
        while not self.over:
            for _ in self._steps():
                if checkpoints is not None and checkpoints.age > checkpoints.seconds:
                    self._save(checkpoints)
            self._sum_up()
        if checkpoints is not None and (found is None or self.steps > found.state.steps):
            self._save(checkpoints)  # so that it is not done again when the training is killed

    def _steps(self) -> Iterator[None]:
        """The steps that are left of an epoch but for the place after the last, where only half an epoch is known."""
        epoch, start = divmod(self.steps, self.course.batches)
        cut = self.course.cut([epoch.val_loss for epoch in self.history])
        self.network.train()
        for chunk in self.batches.chunks(epoch, start):
            for inputs, _ in split(chunk, self.task.size):
                self._learn({name: tensor.to(self.device) for name, tensor in inputs.items()}, cut)
                if self.steps % self.course.batches:
                    yield

    def _learn(self, inputs: dict[str, Tensor], cut: float) -> None:
        masked = self.masking(inputs, self._random(TRAIN, self.steps))
        loss = self.telling(self.network(masked.inputs), masked)
        loss.backward()  # type: ignore[no-untyped-call]
        share = self.course.share(self.steps)
        rate, norm = self.course.rate(self.steps) * cut, self.course.optimizer.gradient_norm
        self.flat.step(rate=rate, norm=norm, share=share)
        self.norm_means.follow(share)
        self.losses.append(loss.detach())
        self.steps += 1

    def _sum_up(self) -> None:
        """Judge the epoch on val, with the mean of weights."""
        train_loss, val_loss = float(torch.stack(self.losses).mean()), self._judge()
        self.losses = []
        self._require_number(train_loss + val_loss)
        epoch = Epoch(
            epoch=len(self.history) + 1,
            metric="told",
            train_loss=train_loss,
            train_score=1 - train_loss,
            val_loss=val_loss,
            val_score=1 - val_loss,
        )
        self.history.append(epoch)
        if self.best is None or val_loss < self.best.val_loss:
            self.best = epoch
            self.weights = {name: value.detach().cpu().clone() for name, value in self.judged.state_dict().items()}
        progress.report(
            epoch.epoch / self.course.epochs,
            f"pre-training, epoch {epoch.epoch} of at most {self.course.epochs}: of a blind guess's loss "
            f"{train_loss:.3f} is left on train, {val_loss:.3f} on val",
        )

    def _judge(self) -> float:
        """The loss on val, whose cells are replaced alike each time."""
        self.judged.load_state_dict(self.flat.means(self.network) | self.norm_means.means)
        self.judged.eval()
        lost, rows = 0.0, 0
        with torch.no_grad():
            val = placement.in_order(self.task.parts["val"], VAL_BATCHES * self.task.size)
            for place, (inputs, _) in enumerate(val):
                here = {name: tensor.to(self.device) for name, tensor in inputs.items()}
                masked = self.masking(here, self._random(VAL, place))
                lost += float(self.telling(self.judged(masked.inputs), masked)) * len(masked.dense_BD)
                rows += len(masked.dense_BD)
        return lost / max(rows, 1)

    def _random(self, *place: int) -> torch.Generator:
        state = np.random.SeedSequence([self.course.seed, *place]).generate_state(1, np.uint64)
        return torch.Generator(self.device).manual_seed(int(state[0]))

    def _require_number(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise SettingsError(
                f"the loss is {loss} after epoch {len(self.history) + 1} of pre-training: it diverged",
                where="params.yaml: train.optimizer.learning_rate",
                fix=f"lower it: it is {self.course.pace.learning_rate:g}",
            )

    def _go_on(self, found: Checkpoint) -> None:
        state = found.state
        self.steps, self.history = state.steps, list(state.history)
        self.best = None if state.best_epoch is None else state.history[state.best_epoch - 1]
        self.weights = within(found.tensors, "best")
        self.network.load_state_dict(within(found.tensors, "buffers"), strict=False)
        self.flat.load(within(found.tensors, "flat"))
        self.norm_means.load(within(found.tensors, "norms"))
        self.losses = list(within(found.tensors, "losses").get("all", torch.empty(0)).to(self.device))
        set_random(within(found.tensors, "random"), state)
        progress.report(0.0, f"pre-training goes on from step {self.steps:,} of at most {self.course.steps:,}")

    def _save(self, checkpoints: Checkpoints) -> None:
        generators, place, python = random_now()
        state = State(
            steps=self.steps,
            history=self.history,
            best_epoch=None if self.best is None else self.best.epoch,
            python_random=python,
            numpy_place=place,
        )
        parts = {
            "flat": self.flat.tensors(),
            "norms": self.norm_means.means,
            "buffers": dict(self.network.named_buffers()),
            "best": self.weights,
            "losses": {"all": torch.stack(self.losses)} if self.losses else {},
            "random": generators,
        }
        checkpoints.write(state, {f"{part}:{n}": t for part, tensors in parts.items() for n, t in tensors.items()})


def bare(part: Tensors) -> dict[str, Any]:
    """The inputs of a part, and zeros in the place of its labels, so that none can be read."""
    return {**part, LABEL: np.zeros(len(part["dense"]), dtype=np.uint8)}


def parted(aside: Tensors, seed: int) -> tuple[Tensors, Tensors]:
    """Rows without a label to learn from, and some to judge by beside those of val, which may be few."""
    order = np.random.default_rng(seed).permutation(len(aside["dense"]))
    judged = min(JUDGED_ROWS, int(JUDGED_SHARE * len(order)))
    learnt, held = np.sort(order[judged:]), np.sort(order[:judged])
    return {n: array[learnt] for n, array in aside.items()}, {n: array[held] for n, array in aside.items()}


def joined(part: Tensors, aside: Tensors | None) -> Tensors:
    """The rows of a part, and behind them others of the same inputs; what lies on disk stays alone there."""
    if aside is None or not len(aside["dense"]):
        return part
    if placement.on_disk(part):
        progress.report(0.0, f"{len(aside['dense']):,} rows without a label are left out: the others lie on disk")
        return part
    return {name: np.concatenate([array, bare(aside)[name]]) for name, array in part.items()}

"""Stage 6: train the network on the tensors of train, keep the weights that are best on val.

The same workspace trained twice gives the same weights on the same machine: seeds are fixed and PyTorch is
held to deterministic algorithms. What is kept is safetensors and JSON; no checkpoint is pickled.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, Field

from pipeline import artefacts, memory, profile, progress
from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features.audio import AudioNetworkSettings
from pipeline.features.image import ImageNetworkSettings
from pipeline.features.preprocessor import LABEL, Preprocessor
from pipeline.features.target import Target
from pipeline.features.text import TextNetworkSettings
from pipeline.models import saved
from pipeline.models.choices.auto import (
    OF_OTHERS,
    OF_TABLES,
    BackboneName,
    Length,
    Pick,
    Size,
    batch_size,
    pick,
)
from pipeline.models.choices.backbones import (
    FtTransformerSettings,
    LinearSettings,
    MlpSettings,
    Plain,
    ResnetSettings,
    TabmSettings,
)
from pipeline.models.choices.optimization import (
    MIXUP,
    AveragingSettings,
    ImbalanceSettings,
    LossSettings,
    Method,
    OptimizerSettings,
    ScheduleSettings,
)
from pipeline.models.saved import Manifest
from pipeline.models.trials import Trials
from pipeline.predict import PREDICTION, prediction_frame
from pipeline.profile import Profile
from pipeline.repairs import Plan
from pipeline.stages import split
from pipeline.workspace import Section, Workspace

if TYPE_CHECKING:
    from pipeline.models.course import Course
    from pipeline.models.module import KeepBest, Learner
    from pipeline.models.network import NetworkShape

Tensors = Mapping[str, np.ndarray]

VAL_BATCHES = 8  # a batch of val is so many times as large: it keeps nothing for a way back


class TrainSettings(Section):
    """The network and how it is trained."""

    key: ClassVar[str] = "train"
    model: BackboneName | Literal["auto"] = Field(
        default="mlp", description="the backbone; auto picks by rows, columns and outputs, and says why"
    )
    linear: LinearSettings = Field(default_factory=LinearSettings)
    mlp: MlpSettings = Field(default_factory=MlpSettings)
    resnet: ResnetSettings = Field(default_factory=ResnetSettings)
    ft_transformer: FtTransformerSettings = Field(default_factory=FtTransformerSettings)
    tabm: TabmSettings = Field(default_factory=TabmSettings)
    text: TextNetworkSettings = Field(default_factory=TextNetworkSettings)
    image: ImageNetworkSettings = Field(default_factory=ImageNetworkSettings)
    audio: AudioNetworkSettings = Field(default_factory=AudioNetworkSettings)
    epochs: int | None = Field(
        default=None,
        ge=1,
        description="at most so many passes over train; null: 200, or 12 where a column has an encoder of its own",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="after so many epochs that are no better on val it stops; null: 16, as in the papers of tables, or "
        "3 where a column has an encoder of its own",
    )
    batch_size: int | None = Field(
        default=None, ge=1, description="rows of a step; null: by the rows of train, 32 to 1024, as in TabM's paper"
    )
    loss: LossSettings = Field(default_factory=LossSettings)
    optimizer: OptimizerSettings = Field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings | None = Field(
        default=None,
        description="how the learning rate goes; null: constant, as in the papers of tables, or cosine where a column "
        "has an encoder of its own",
    )
    averaging: AveragingSettings = Field(default_factory=AveragingSettings)
    imbalance: ImbalanceSettings = Field(default_factory=ImbalanceSettings)
    mixup: float = Field(default=0.0, ge=0, description=MIXUP)
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    memory_gigabytes: float | None = Field(
        default=None,
        ge=0,
        description="tensors of a split that are larger stay on disk and are read as they are needed, by blocks; null: "
        "half of the memory that is free",
    )
    checkpoint_seconds: float = Field(
        default=30.0, ge=0, description="how often the state is written from which a training that was killed goes on"
    )

    def of_modality(self, modality: Modality) -> BaseModel:
        """The settings of what reads a column of that modality in the network; text files are read as text."""
        settings: BaseModel = getattr(self, modality.removesuffix("-file"))
        return settings


class History(Record):
    """Every epoch, which one was kept, and with `imbalance: auto` what was tried before."""

    best_epoch: int
    epochs: list[dict[str, float]]
    trials: Trials | None = None


def run(workspace: Workspace) -> Manifest:
    """Train and write the candidate: weights, repairs, preprocessor, reference profile, history, manifest."""
    settings = workspace.section(TrainSettings)
    tensors = {n: _read(workspace.normalized / f"{n}.safetensors", settings) for n in ("train", "val")}
    fitted = Preprocessor.read(workspace.preprocessor)
    split_record = split.SplitRecord.read(workspace.split / split.MANIFEST)
    with artefacts.replacing(workspace.curves) as curves, artefacts.replacing(workspace.candidate) as folder:
        folder.mkdir()
        network = shape(fitted, settings, tensors["train"])
        tried = trials_of(tensors, network, fitted.target, settings, seed=workspace.seed)
        settled = settings if tried is None else with_method(settings, tried.chosen)
        if tried is not None:
            progress.report(0.0, f"imbalance: {tried.chosen}: {tried.why}")
        kept = fit(
            tensors,
            network,
            fitted.target,
            settled,
            seed=workspace.seed,
            curves=curves,
            checkpoint=workspace.checkpoint,
        )
        saved.write(folder, network, kept.weights)
        _history(kept, tried).write(folder / saved.HISTORY)
        shutil.copyfile(workspace.preprocessor / saved.PREPROCESSOR, folder / saved.PREPROCESSOR)
        Plan.read(workspace.repairs).write(folder / saved.REPAIRS)
        reference = Profile.read(workspace.preprocessor / saved.REFERENCE)
        reference_with_answers(reference, kept, tensors["train"], fitted.target).write(folder / saved.REFERENCE)
        made_of = split_record.model_dump(mode="json")
        manifest = saved.seal(folder, seed=workspace.seed, settings=settings, split=made_of)
    artefacts.remove(workspace.checkpoint)
    return manifest


def shape(fitted: Preprocessor, settings: TrainSettings, train: Tensors) -> "NetworkShape":
    """The network that fits the preprocessor's outputs; bins of numbers are those of the training rows."""
    from pipeline.models import embeddings
    from pipeline.models.backbones import TableShape
    from pipeline.models.network import NetworkShape, OwnShape

    picked = picked_for(fitted, settings, len(train["dense"]))
    chosen = getattr(settings, picked.backbone)
    embedding = getattr(chosen, "embedding", Plain())  # tokens need none
    return NetworkShape(
        table=TableShape(
            dense=len(fitted.dense_outputs),
            cardinalities=[*fitted.cardinalities.values()],
            outputs=fitted.target.outputs,
            edges=embeddings.edges(train["dense"], fitted.numbers, embedding),
        ),
        own=[
            OwnShape(name=name, kind=encoder.kind, shape=encoder.network(settings.of_modality(encoder.kind)))
            for name, encoder in fitted.own.items()
        ],
        backbone=picked.backbone,
        settings=chosen.model_dump(mode="json"),
        why=picked.why,
    )


def picked_for(fitted: Preprocessor, settings: TrainSettings, rows: int) -> Pick:
    """The backbone that is set, or with `auto` the one that suits, which is told."""
    import torch

    if settings.model != "auto":
        return Pick(backbone=settings.model, why=f"{settings.model}: as set")
    table = len(fitted.encoders) - len(fitted.own)
    size = Size(rows=rows, columns=table, own=len(fitted.own), outputs=fitted.target.outputs)
    picked = pick(size, gpu=settings.accelerator != "cpu" and torch.cuda.is_available())
    progress.report(0.0, picked.why)
    return picked


def fit(
    tensors: Mapping[str, Tensors],
    shape: "NetworkShape",
    target: Target,
    settings: TrainSettings,
    *,
    seed: int,
    curves: Path,
    checkpoint: Path | None = None,
) -> "KeepBest":
    """Train on `tensors["train"]`, judge each epoch on `tensors["val"]`; curves go to the folder `curves`.

    With `checkpoint`, a file, the training goes on from what an earlier one, that was killed, wrote there.
    """
    import pytorch_lightning as lightning

    from pipeline.models import imbalance, linear, placement
    from pipeline.models.batches import Epochs
    from pipeline.models.curves import Curves
    from pipeline.models.module import KeepBest, Learner
    from pipeline.models.network import Network
    from pipeline.models.trainer import lightning_manners, trainer

    lightning.seed_everything(seed, workers=True, verbose=False)
    memory.keep_freed()
    device = placement.device_of(settings.accelerator)
    balanced = imbalance.balance(tensors["train"], target, settings.imbalance, settings.loss, seed=seed)
    size = rows_of_a_step(settings, tensors["train"])
    batches = placement.batches(balanced.train, size, seed, device, balanced.rows)
    network = Network(shape)
    balanced.correct(network, target)
    if device.type == "cpu":
        linear.quicken(network)
    length = length_of(settings, shape)
    course = _course(settings, length, shape.backbone, len(batches), seed)
    learner = Learner(network, course, balanced.loss_of(target), target, size)
    with Curves(curves) as live, lightning_manners():
        keep = KeepBest(network, live, length.patience, length.epochs)
        with _resuming(checkpoint, learner, keep, tensors=tensors, shape=shape, settings=settings):
            if not keep.over:
                val = placement.in_order(tensors["val"], VAL_BATCHES * size)
                steps = Epochs(batches=batches, steps_done=lambda: learner.steps_done)
                trainer(keep, settings.accelerator, curves).fit(learner, steps, val)
    return keep


def length_of(settings: TrainSettings, shape: "NetworkShape") -> Length:
    """How long to train: what is set, and for the rest what is advised for tables, or for other columns."""
    chosen = {name: value for name in Length._fields if (value := getattr(settings, name)) is not None}
    return (OF_OTHERS if shape.own else OF_TABLES)._replace(**chosen)


def rows_of_a_step(settings: TrainSettings, train: Tensors) -> int:
    """The batch size that is set, or the one that suits so many rows."""
    return settings.batch_size or batch_size(len(train[LABEL]))


@contextmanager
def _resuming(
    checkpoint: Path | None,
    learner: "Learner",
    keep: "KeepBest",
    *,
    tensors: Mapping[str, Tensors],
    shape: "NetworkShape",
    settings: TrainSettings,
) -> Iterator[None]:
    """Go on from the checkpoint, and write others in this block."""
    from pipeline.models.checkpoint import Checkpoints, Resumption, key_of

    if checkpoint is None:
        yield
        return
    decides = {
        "network": shape.model_dump(mode="json"),
        "target": learner.target.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json", exclude={"checkpoint_seconds"}),
        "seed": learner.course.seed,
        "versions": {name: version(name) for name in saved.VERSIONS_KEPT},
    }
    code = [Path(__file__), *sorted(Path(saved.__file__).parent.rglob("*.py"))]
    key = key_of([tensors["train"], tensors["val"]], decides, code)
    resumption = Resumption(
        checkpoints=Checkpoints(file=checkpoint, key=key, seconds=settings.checkpoint_seconds),
        learner=learner,
        keep=keep,
    )
    resumption.attach()
    with resumption.heeding():
        yield


def trials_of(
    tensors: Mapping[str, Tensors], shape: "NetworkShape", target: Target, settings: TrainSettings, *, seed: int
) -> Trials | None:
    """What `imbalance: auto` tries of classes; None for all else. Batches are as much smaller as rows are fewer."""
    from pipeline.models import imbalance, network, trials

    if settings.imbalance.kind != "auto" or target.kind != "classes":
        return None

    def answer(method: Method, train: Tensors, val: Tensors) -> np.ndarray:
        share = len(train[LABEL]) / len(tensors["train"][LABEL])
        epochs = min(settings.imbalance.trial_epochs, length_of(settings, shape).epochs)
        size = max(1, round(share * rows_of_a_step(settings, tensors["train"])))
        tried = with_method(settings, method).model_copy(update={"epochs": epochs, "batch_size": size})
        with TemporaryDirectory() as folder:
            parts = {"train": train, "val": val}
            kept = fit(parts, shape, target, tried, seed=seed, curves=Path(folder) / "curves")
        return network.answers(kept.network(), network.tensors(val), target)

    methods = imbalance.candidates(tensors["train"], settings.loss)
    return trials.choose(tensors, methods, settings.imbalance, answer, seed=seed)


def with_method(settings: TrainSettings, method: Method) -> TrainSettings:
    """The settings with that method against imbalance."""
    return settings.model_copy(update={"imbalance": settings.imbalance.model_copy(update={"kind": method})})


def reference_with_answers(reference: Profile, kept: "KeepBest", train: Tensors, target: Target) -> Profile:
    """The reference profile and, beside its columns, what the kept network answers on its training rows."""
    from pipeline.models import network

    a_NK = network.answers(kept.network(), network.tensors(train), target)
    answers = profile.profile(prediction_frame(a_NK), {PREDICTION: "numeric"})
    return Profile(rows=reference.rows, columns=reference.columns | answers.columns)


def _history(kept: "KeepBest", tried: Trials | None) -> History:
    assert kept.best is not None  # at least one epoch ran
    epochs = [epoch.named for epoch in kept.history]
    return History(best_epoch=kept.best.epoch, epochs=epochs, trials=tried)


def _read(path: Path, settings: TrainSettings) -> Tensors:
    from pipeline.models import placement

    return placement.read(path, settings.memory_gigabytes)


def _course(settings: TrainSettings, length: Length, backbone: str, batches: int, seed: int) -> "Course":
    from pipeline.models.course import Course

    return Course(
        optimizer=settings.optimizer,
        schedule=length.schedule,
        averaging=settings.averaging,
        backbone=backbone,
        mixup=settings.mixup,
        batches=batches,
        epochs=length.epochs,
        seed=seed,
    )

"""Stage 6: train the network on the tensors of train, keep the weights that are best on val.

The same workspace trained twice gives the same weights on the same machine: seeds are fixed and PyTorch is
held to deterministic algorithms. What is kept is safetensors and JSON; no checkpoint is pickled.
"""

import shutil
import signal
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipeline import artefacts, profile
from pipeline.artefacts import Record
from pipeline.features.preprocessor import LABEL, Preprocessor
from pipeline.models import saved
from pipeline.models.choices.backbones import MlpSettings
from pipeline.models.saved import Manifest
from pipeline.predict import PREDICTION, prediction_frame
from pipeline.profile import Profile
from pipeline.repairs import Plan
from pipeline.stages import split
from pipeline.workspace import Section, Workspace

if TYPE_CHECKING:
    import pytorch_lightning as lightning
    import torch

    from pipeline.models.batches import Batches
    from pipeline.models.module import KeepBest, Schedule
    from pipeline.models.network import NetworkShape

Tensors = Mapping[str, np.ndarray]

RARE_CLASS_SHARE = 0.1


class TrainSettings(Section):
    """The network and how it is trained.

    `class_weights`: balanced weighs each class by the inverse of its share; auto does so when a class has less
    than a tenth of the rows. Probabilities are corrected for it afterwards.
    """

    key: ClassVar[str] = "train"
    model: Literal["mlp"] = "mlp"
    mlp: MlpSettings = Field(default_factory=MlpSettings)
    epochs: int = Field(default=12, ge=1)
    patience: int = Field(default=3, ge=1)
    batch_size: int = Field(default=1024, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    averaging_epochs: float = Field(default=1.0, ge=0)
    class_weights: Literal["none", "balanced", "auto"] = "auto"
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"


class History(Record):
    """Every epoch, and which one was kept."""

    best_epoch: int
    epochs: list[dict[str, float]]


def run(workspace: Workspace) -> Manifest:
    """Train and write the candidate: weights, repairs, preprocessor, reference profile, history, manifest."""
    settings = workspace.section(TrainSettings)
    tensors = {n: artefacts.read_tensors(workspace.normalized / f"{n}.safetensors") for n in ("train", "val")}
    fitted = Preprocessor.read(workspace.preprocessor)
    split_record = split.SplitRecord.read(workspace.split / split.MANIFEST)
    with artefacts.replacing(workspace.curves) as curves, artefacts.replacing(workspace.candidate) as folder:
        folder.mkdir()
        kept = fit(tensors, shape(fitted, settings), settings, seed=workspace.seed, curves=curves)
        saved.write(folder, shape(fitted, settings), kept.weights)
        _history(kept).write(folder / saved.HISTORY)
        shutil.copyfile(workspace.preprocessor / saved.PREPROCESSOR, folder / saved.PREPROCESSOR)
        Plan.read(workspace.repairs).write(folder / saved.REPAIRS)
        reference = Profile.read(workspace.preprocessor / saved.REFERENCE)
        reference_with_answers(reference, kept, tensors["train"]).write(folder / saved.REFERENCE)
        return saved.seal(folder, seed=workspace.seed, settings=settings, split=split_record.model_dump(mode="json"))


def shape(fitted: Preprocessor, settings: TrainSettings) -> "NetworkShape":
    """The network that fits the preprocessor's outputs."""
    from pipeline.models.backbones import TableShape
    from pipeline.models.network import NetworkShape, OwnShape

    return NetworkShape(
        table=TableShape(
            dense=len(fitted.dense_outputs), cardinalities=fitted.cardinalities, outputs=fitted.target.outputs
        ),
        own=[
            OwnShape(name=name, kind=encoder.kind, shape=encoder.network(getattr(settings, encoder.kind)))
            for name, encoder in fitted.own.items()
        ],
        backbone=settings.model,
        settings=getattr(settings, settings.model).model_dump(mode="json"),
    )


def fit(
    tensors: Mapping[str, Tensors], shape: "NetworkShape", settings: TrainSettings, *, seed: int, curves: Path
) -> "KeepBest":
    """Train on `tensors["train"]`, judge each epoch on `tensors["val"]`; curves go to the folder `curves`."""
    import pytorch_lightning as lightning

    from pipeline.models.curves import Curves
    from pipeline.models.module import Classifier, KeepBest
    from pipeline.models.network import Network

    lightning.seed_everything(seed, workers=True, verbose=False)
    loaders = {name: _batches(part, settings, seed if name == "train" else None) for name, part in tensors.items()}
    weight_K = class_weights(tensors["train"][LABEL], shape.table.outputs, settings)
    network = Network(shape)
    network.prior_K.copy_(weight_K.log())
    classifier = Classifier(network, _schedule(settings, len(loaders["train"])), weight_K)
    with Curves(curves) as live, _lightning_manners():
        keep = KeepBest(network, live, settings.patience, settings.epochs)
        _trainer(settings, keep, curves).fit(classifier, loaders["train"], loaders["val"])
    return keep


def class_weights(label_N: np.ndarray, classes: int, settings: TrainSettings) -> "torch.Tensor":
    """(K,) float32 with a mean of 1 over the rows: the inverse of each class's share, or ones."""
    import torch

    share_K = np.bincount(label_N, minlength=classes) / len(label_N)
    rare = settings.class_weights == "auto" and share_K.min() < RARE_CLASS_SHARE
    if settings.class_weights != "balanced" and not rare:
        return torch.ones(classes)
    return torch.from_numpy(1 / (classes * share_K.clip(1 / len(label_N)))).float()


def reference_with_answers(reference: Profile, kept: "KeepBest", train: Tensors) -> Profile:
    """The reference profile and, beside its columns, what the kept network answers on its training rows."""
    from pipeline.models import network

    p_NK = network.probabilities(kept.network(), network.tensors(train)).numpy()
    answers = profile.profile(prediction_frame(p_NK), {PREDICTION: "numeric"})
    return Profile(rows=reference.rows, columns=reference.columns | answers.columns)


def _history(kept: "KeepBest") -> History:
    assert kept.best is not None  # at least one epoch ran
    return History(best_epoch=kept.best.epoch, epochs=[epoch.model_dump() for epoch in kept.history])


def _batches(part: Tensors, settings: TrainSettings, seed: int | None) -> "Batches":
    import torch

    from pipeline.models.batches import Batches
    from pipeline.models.network import tensors

    shuffle = None if seed is None else torch.Generator().manual_seed(seed)
    size = settings.batch_size if seed is not None else 8 * settings.batch_size
    return Batches(tensors(part), torch.from_numpy(part[LABEL]), size, shuffle)


def _schedule(settings: TrainSettings, steps_an_epoch: int) -> "Schedule":
    from pipeline.models.module import Schedule

    return Schedule(
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_share=settings.warmup_share,
        averaging_steps=max(1.0, settings.averaging_epochs * steps_an_epoch),
        steps=settings.epochs * steps_an_epoch,
    )


@contextmanager
def _lightning_manners() -> Iterator[None]:
    """Keep Lightning from warning of its own use of PyTorch, and from turning Ctrl-C into a plain exit."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*LeafSpec", FutureWarning, r"pytorch_lightning\.utilities\._pytree")
        interrupted = signal.getsignal(signal.SIGINT)
        try:
            yield
        except SystemExit as stopped:  # by then Ctrl-C is ignored
            signal.signal(signal.SIGINT, interrupted)
            raise KeyboardInterrupt from stopped


def _trainer(settings: TrainSettings, keep: "KeepBest", root: Path) -> "lightning.Trainer":
    import logging

    import pytorch_lightning as lightning

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    return lightning.Trainer(
        accelerator=settings.accelerator,
        devices=1,
        max_epochs=settings.epochs,
        callbacks=[keep],
        deterministic=True,
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=root,
    )

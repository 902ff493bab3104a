"""Stage 6: train the network on the tensors of train, keep the weights that are best on val.

The same workspace trained twice gives the same weights on the same machine: seeds are fixed and PyTorch is
held to deterministic algorithms. What is kept is safetensors and JSON; no checkpoint is pickled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import artefacts, profile, progress
from pipeline.features import target as targets
from pipeline.features.preprocessor import LABEL, Preprocessor
from pipeline.features.target import Ordinal, Target
from pipeline.models import history, saved, settling, watching
from pipeline.models.choices import pictures
from pipeline.models.choices.auto import OF_OTHERS, OF_TABLES, Length, Pick, Size, batch_size, pick
from pipeline.models.choices.backbones import Plain
from pipeline.models.choices.optimization import Method
from pipeline.models.choices.pretraining import Pretrained
from pipeline.models.choices.training import TrainSettings as TrainSettings  # noqa: PLC0414 # this stage's settings
from pipeline.models.saved import Manifest
from pipeline.models.trials import Trials
from pipeline.policy.window import Window
from pipeline.predictor import PREDICTION, prediction_frame
from pipeline.profile import Profile
from pipeline.quality.repairs import Plan
from pipeline.runtime import memory
from pipeline.stages import split, unlabelled
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.models.checkpoint import Checkpoints
    from pipeline.models.course import Course
    from pipeline.models.crew import Work
    from pipeline.models.devices import Share
    from pipeline.models.module import KeepBest, Learner
    from pipeline.models.network import NetworkShape
    from pipeline.models.pretraining import Task
    from pipeline.models.transfer import Starting

Tensors = Mapping[str, Any]  # arrays, and windows of some

VAL_BATCHES = 8  # a batch of val is so many times as large: it keeps nothing for a way back


def run(workspace: Workspace) -> Manifest:
    """Train and write the candidate: weights, repairs, preprocessor, reference profile, history, manifest."""
    settings = workspace.section(TrainSettings)
    tensors = {n: _read(workspace.normalized / f"{n}.safetensors", settings) for n in ("train", "val")}
    fitted = read_preprocessor(workspace, settings)
    split_record = split.SplitRecord.read(workspace.split / split.MANIFEST)
    with artefacts.replacing(workspace.curves) as curves, artefacts.replacing(workspace.candidate) as folder:
        folder.mkdir()
        network = shape(fitted, settings, tensors["train"])
        settings = pictures.advised(settings, network.own, len(tensors["train"][LABEL]))
        starting = starting_of(workspace, fitted, network, settings)
        starting, pretrained = pretrained_start(workspace, tensors, network, fitted, settings, starting=starting)
        tried = trials_of(tensors, network, fitted.target, settings, seed=workspace.seed, starting=starting)
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
            starting=starting,
            names=fitted.dense_outputs,
        )
        target, tempered = settling.settled(kept, tensors["val"], fitted.target, tempered=settings.temperature)
        fitted = replace(fitted, target=target)
        saved.write(folder, network, kept.weights)
        history.write(folder, kept, trials=tried, pretraining=pretrained, temperature=tempered)
        fitted.write(folder)
        Plan.read(workspace.repairs).write(folder / saved.REPAIRS)
        reference = Profile.read(workspace.preprocessor / saved.REFERENCE)
        told = answers(kept, tensors, fitted.target)
        reference_with_answers(reference, told["train"], fitted.target).write(folder / saved.REFERENCE)
        watching.write(folder, workspace, fitted, told, np.asarray(tensors["val"][LABEL]))
        made_of = split_record.model_dump(mode="json")
        start = None if starting is None else starting.record
        manifest = saved.seal(folder, seed=workspace.seed, settings=settings, split=made_of, start=start)
    artefacts.remove(workspace.checkpoint)
    artefacts.remove(workspace.pretraining)
    kept.times(manifest.identity).write(workspace.times)
    return manifest


def read_preprocessor(workspace: Workspace, settings: TrainSettings) -> Preprocessor:
    """What normalize fitted, with the quantiles that `train.loss` asks for in its target."""
    fitted = Preprocessor.read(workspace.preprocessor)
    return replace(fitted, target=targets.with_quantiles(fitted.target, settings.loss.quantiles))


def shape(fitted: Preprocessor, settings: TrainSettings, train: Tensors) -> "NetworkShape":
    """The network that fits the preprocessor's outputs; bins of numbers are those of the training rows."""
    from pipeline.models import embeddings
    from pipeline.models.backbones import TableShape
    from pipeline.models.network import NetworkShape, OwnShape

    picked = picked_for(fitted, settings, len(train["dense"]))
    chosen = getattr(settings, picked.backbone)
    levels = fitted.target.levels if isinstance(fitted.target, Ordinal) else []
    embedding = getattr(chosen, "embedding", Plain())  # tokens need none
    return NetworkShape(
        table=TableShape(
            dense=len(fitted.dense_outputs),
            cardinalities=[*fitted.cardinalities.values()],
            outputs=len(levels) or fitted.target.outputs,
            edges=embeddings.edges(train["dense"], fitted.numbers, embedding),
        ),
        own=[
            OwnShape(name=name, kind=encoder.kind, shape=encoder.network(settings.of_modality(encoder.kind)))
            for name, encoder in fitted.own.items()
        ],
        backbone=picked.backbone,
        settings=chosen.model_dump(mode="json"),
        why=picked.why,
        levels=levels,
    )


def starting_of(
    workspace: Workspace, fitted: Preprocessor, shape: "NetworkShape", settings: TrainSettings
) -> "Starting | None":
    """What the training starts from, which is told; raises KeepfitError for a model that is not there or not alike."""
    from pipeline.models import transfer
    from pipeline.models.names import Names

    model = settings.init_from or Window.of(workspace).start
    if model is None:
        return None
    source = transfer.source(workspace, model)
    found = transfer.starting(source, shape, Names.of(fitted), freeze=settings.freeze, rate=settings.taken_rate)
    progress.report(0.0, found.record.words)
    return found


def pretrained_start(
    workspace: Workspace,
    tensors: Mapping[str, Tensors],
    shape: "NetworkShape",
    fitted: Preprocessor,
    settings: TrainSettings,
    *,
    starting: "Starting | None",
) -> "tuple[Starting | None, Pretrained | None]":
    """What the training starts from after `train.pretrain`, which is told, and how that went; else `starting`."""
    from pipeline.models import network, pretraining

    if settings.pretrain.kind == "none":
        return starting, None
    pretraining.require_fresh(starting)
    aside = unlabelled.inputs(workspace, fitted) if settings.pretrain.unlabelled else None
    task = task_of(tensors, shape, fitted, settings, seed=workspace.seed, unlabelled=aside)

    def trained(start: "Starting | None") -> np.ndarray:
        plain = settings if settings.imbalance.kind != "auto" else with_method(settings, "none")
        with TemporaryDirectory() as folder, progress.muted():
            curves = Path(folder) / "curves"
            kept = fit(tensors, shape, fitted.target, plain, seed=workspace.seed, curves=curves, starting=start)
        return network.answers(kept.network(), network.tensors(tensors["val"]), fitted.target)

    checkpoints = checkpoints_of(workspace.pretraining, task, settings)
    return pretraining.settled(task, checkpoints, trained, fitted.target.truth(np.asarray(tensors["val"][LABEL])))


def task_of(
    tensors: Mapping[str, Tensors],
    shape: "NetworkShape",
    fitted: Preprocessor,
    settings: TrainSettings,
    *,
    seed: int,
    unlabelled: Tensors | None = None,
) -> "Task":
    """What is pre-trained: the network on the inputs of train, and those without a label beside them."""
    from pipeline.models import pretraining

    train, val = (pretraining.bare(tensors[name]) for name in ("train", "val"))
    learnt, judged = pretraining.parted(unlabelled, seed) if unlabelled is not None else (None, None)
    both = pretraining.joined(train, learnt)
    return pretraining.Task(
        parts={"train": both, "val": pretraining.joined(val, judged)},
        shape=shape,
        fitted=fitted,
        settings=settings.pretrain,
        course=_course(settings, length_of(settings, shape), shape.backbone, 0, seed),
        size=rows_of_a_step(settings, both),
        accelerator=settings.accelerator,
        unlabelled=len(both[LABEL]) - len(train[LABEL]),
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
    starting: "Starting | None" = None,
    watch: "Callable[[Learner, KeepBest], None] | None" = None,
    names: Sequence[str] = (),
) -> "KeepBest":
    """Train on `tensors["train"]`, judge each epoch on `tensors["val"]`; curves go to the folder `curves`.

    With `checkpoint`, a file, the training goes on from what an earlier one, that was killed, wrote there.
    `starting`: the weights of another model, to start from. `watch` is called before the first step.
    `names`: those of the dense values, to say which are far out where the training diverges.
    """
    from pipeline.models.crew import Work, crew, number

    settings = pictures.advised(settings, shape.own, len(tensors["train"][LABEL]))
    work = Work(
        tensors=tensors,
        shape=shape,
        target=target,
        settings=settings,
        seed=seed,
        checkpoint=checkpoint,
        starting=starting,
    )
    rows, size = len(tensors["train"][LABEL]), rows_of_a_step(settings, tensors["train"])
    with crew(work, number(settings.devices, settings.accelerator, rows, size)) as share:
        return trained(work, share, curves=curves, watch=watch, names=names)


def trained(
    work: "Work",
    share: "Share | None",
    *,
    curves: Path,
    watch: "Callable[[Learner, KeepBest], None] | None" = None,
    names: Sequence[str] = (),
) -> "KeepBest":
    """`fit`, by one of the processes that share the work; None: by this one alone."""
    import pytorch_lightning as lightning

    from pipeline.models import imbalance, placement, precision, stack
    from pipeline.models.batches import Epochs
    from pipeline.models.curves import Curves
    from pipeline.models.devices import Team, connected
    from pipeline.models.health.attendance import attend
    from pipeline.models.module import KeepBest, Learner
    from pipeline.models.network import Network
    from pipeline.models.resuming import resuming
    from pipeline.models.stopwatch import Awaited
    from pipeline.models.trainer import lightning_manners, trainer

    settings, seed, (train, val) = work.settings, work.seed, (work.tensors["train"], work.tensors["val"])
    lightning.seed_everything(seed, workers=True, verbose=False)
    memory.keep_freed()
    device = placement.device_of(settings.accelerator)
    balanced = imbalance.balance(train, work.target, settings.imbalance, settings.loss, seed=seed)
    size = rows_of_a_step(settings, train)
    batches = placement.batches(balanced.train, size, seed, device, balanced.rows, share=share)
    network = Network(work.shape)
    if work.starting is not None:
        work.starting.apply(network)
    balanced.correct(network, work.target)
    if device.type == "cpu":
        stack.quicken(network)
    precision.apply(network, settings.precision, device)
    length = length_of(settings, work.shape)
    course = replace(_course(settings, length, work.shape.backbone, len(batches), seed), starting=work.starting)
    learner = Learner(network, course, balanced.loss_of(work.target), work.target, size)
    if share is not None:
        learner.join(Team(share, size=size, rows=batches.epoch_rows, seed=seed))
    with Curves(curves) as live, lightning_manners():
        keep = KeepBest(network, live, length.patience, length.epochs)
        if share is None or share.leads:
            attend(learner, keep, batches, val_rows=len(val[LABEL]), settings=settings.health, names=names)
        with resuming(work, learner, keep):
            if watch is not None:
                watch(learner, keep)
            if not keep.over:
                steps = Epochs(batches=batches, steps_done=lambda: learner.steps_done)
                judged = placement.in_order(val, min(VAL_BATCHES * size, network.rows_at_once), share)
                with connected(share, device):
                    fitting = trainer(keep, settings.accelerator, curves, share)
                    fitting.fit(learner, Awaited(steps, learner.watch), judged)
    return keep


def length_of(settings: TrainSettings, shape: "NetworkShape") -> Length:
    """How long to train: what is set, and for the rest what is advised for tables, or for other columns."""
    chosen = {name: value for name in Length._fields if (value := getattr(settings, name)) is not None}
    return (OF_OTHERS if shape.own else OF_TABLES)._replace(**chosen)


def rows_of_a_step(settings: TrainSettings, train: Tensors) -> int:
    """The batch size that is set, or the one that suits so many rows."""
    return settings.batch_size or batch_size(len(train[LABEL]))


def trials_of(
    tensors: Mapping[str, Tensors],
    shape: "NetworkShape",
    target: Target,
    settings: TrainSettings,
    *,
    seed: int,
    starting: "Starting | None" = None,
) -> Trials | None:
    """What `imbalance: auto` tries of classes; None for all else. Batches are as much smaller as rows are fewer."""
    from pipeline.models import imbalance, network, trials

    if settings.imbalance.kind != "auto" or target.kind not in ("classes", "ordinal"):
        return None

    def answer(method: Method, train: Tensors, val: Tensors) -> np.ndarray:
        share = len(train[LABEL]) / len(tensors["train"][LABEL])
        epochs = min(settings.imbalance.trial_epochs, length_of(settings, shape).epochs)
        size = max(1, round(share * rows_of_a_step(settings, tensors["train"])))
        few = {"epochs": epochs, "batch_size": size, "devices": 1}
        tried = with_method(settings, method).model_copy(update=few)
        with TemporaryDirectory() as folder:
            parts = {"train": train, "val": val}
            kept = fit(parts, shape, target, tried, seed=seed, curves=Path(folder) / "curves", starting=starting)
        return network.answers(kept.network(), network.tensors(val), target)

    methods = imbalance.candidates(tensors["train"], settings.loss)
    return trials.choose(tensors, methods, settings.imbalance, answer, seed=seed)


def with_method(settings: TrainSettings, method: Method) -> TrainSettings:
    """The settings with that method against imbalance."""
    return settings.model_copy(update={"imbalance": settings.imbalance.model_copy(update={"kind": method})})


def answers(kept: "KeepBest", tensors: Mapping[str, Tensors], target: Target) -> dict[str, np.ndarray]:
    """(N, K) what the kept network answers on each part."""
    from pipeline.models import network

    trained = kept.network()
    return {part: network.answers(trained, network.tensors(each), target) for part, each in tensors.items()}


def reference_with_answers(reference: Profile, a_NK: np.ndarray, target: Target) -> Profile:
    """The reference profile and, beside its columns, what the kept network answers on its training rows."""
    told = profile.profile(prediction_frame(a_NK, target), {PREDICTION: "numeric"})
    return Profile(rows=reference.rows, columns=reference.columns | told.columns)


def checkpoints_of(file: Path, task: "Task", settings: TrainSettings) -> "Checkpoints":
    """Where a pre-training goes on, if it is the same one."""
    from pipeline.models import resuming

    decides = {"columns": task.fitted.dense_columns, "seed": task.course.seed}
    return resuming.checkpoints(file, [*task.parts.values()], task.shape, settings, decides)


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

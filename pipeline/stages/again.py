"""The candidate's training once more, on fewer of its rows (used by evaluate, for the learning curve)."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pipeline import progress
from pipeline.judgement.learning_curve import Retrain
from pipeline.models import saved, settling
from pipeline.models.history import History
from pipeline.stages import train
from pipeline.stages.split import SplitName
from pipeline.stages.train import TrainSettings
from pipeline.workspace import Workspace

Tensors = Mapping[str, Any]  # arrays, and windows of some


def on_fewer(workspace: Workspace, tensors: Mapping[SplitName, Tensors]) -> Retrain | None:
    """How the candidate is trained on some rows of train; None where it did not start from nothing."""
    from pipeline.models import network

    manifest = saved.verify(workspace.candidate)
    settings = TrainSettings.model_validate(manifest.settings)
    if manifest.start is not None or settings.pretrain.kind != "none":
        progress.report(0.0, "no learning curve: the training started from other weights")
        return None
    tried = History.read(workspace.candidate / saved.HISTORY).trials
    settled = settings if tried is None else train.with_method(settings, tried.chosen)
    fitted = train.read_preprocessor(workspace, settings)  # its target as it was before anything of it was settled
    shape = train.shape(fitted, settings, tensors["train"])

    def retrained(chosen: np.ndarray) -> np.ndarray:
        parts = {"train": {name: part[chosen] for name, part in tensors["train"].items()}, "val": tensors["val"]}
        with TemporaryDirectory() as folder, progress.muted():
            curves = Path(folder) / "curves"
            kept = train.fit(parts, shape, fitted.target, settled, seed=manifest.seed, curves=curves)
        target, _ = settling.settled(kept, tensors["val"], fitted.target, tempered=settings.temperature)
        return network.answers(kept.network(), network.tensors(tensors["val"]), target)

    return retrained

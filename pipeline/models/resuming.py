"""Which checkpoint is a training's own: one of the same data, settings, code, and whatever else decides its weights."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.models import saved
from pipeline.models.checkpoint import Checkpoints, going_on, key_of
from pipeline.models.choices.training import TrainSettings
from pipeline.models.crew import Work
from pipeline.models.module import KeepBest, Learner
from pipeline.models.network import NetworkShape

Tensors = Mapping[str, Any]  # arrays, and windows of some
STAGE = Path(saved.__file__).parents[1] / "stages" / "train.py"


@contextmanager
def resuming(work: Work, learner: Learner, keep: KeepBest) -> Iterator[None]:
    """Go on from the work's checkpoint, and write others in this block; where it has no file for that, neither."""
    if work.checkpoint is None:
        yield
        return
    decides = {
        "target": work.target.model_dump(mode="json"),
        "seed": work.seed,
        "start": learner.course.start,
        "devices": 1 if learner.team is None else learner.team.share.world,
    }
    parts = [work.tensors["train"], work.tensors["val"]]
    with going_on(checkpoints(work.checkpoint, parts, work.shape, work.settings, decides), learner, keep):
        yield


def checkpoints(
    file: Path, parts: Sequence[Tensors], shape: NetworkShape, settings: TrainSettings, decides: Mapping[str, Any]
) -> Checkpoints:
    """Those of the training that is told by data, settings, code and what else `decides` its weights."""
    told = {
        "network": shape.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json", exclude={"checkpoint_seconds", "devices", "health"}),
        "versions": {name: version(name) for name in saved.VERSIONS_KEPT},
    }
    code = [STAGE, *sorted(Path(saved.__file__).parent.rglob("*.py"))]
    return Checkpoints(file=file, key=key_of(parts, {**told, **decides}, code), seconds=settings.checkpoint_seconds)

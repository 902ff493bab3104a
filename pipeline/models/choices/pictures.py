"""What suits a network that looks at pictures, where nothing is set: how long and how fast it is trained.

These are usual values of short trainings, no search found them. What came of them: benchmarks/RESULTS.md.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.models.choices.auto import batch_size
from pipeline.models.choices.optimization import Pace, ScheduleSettings
from pipeline.models.choices.training import TrainSettings

if TYPE_CHECKING:
    from pipeline.models.network import OwnShape

PACE = Pace(3e-3, 5e-2, "weights")
SCHEDULE = ScheduleSettings(kind="one_cycle", warmup_share=0.2)
PICTURES_SEEN = 64_000  # of few pictures more epochs, so that there are steps enough
EPOCHS = (24, 60)
LARGEST_BATCH = 128


def advised(settings: TrainSettings, own: "Sequence[OwnShape]", rows: int) -> TrainSettings:
    """The settings with what suits in the place of nulls, if a column is of pictures that convolutions look at.

    It does not end early: the rate falls until the last epoch.
    """
    if not any(is_looked_at(each) for each in own):
        return settings
    epochs = settings.epochs or min(max(math.ceil(PICTURES_SEEN / max(1, rows)), EPOCHS[0]), EPOCHS[1])
    found: dict[str, Any] = {
        "epochs": epochs,
        "patience": settings.patience or epochs,
        "batch_size": settings.batch_size or min(batch_size(rows), LARGEST_BATCH),
        "schedule": settings.schedule or SCHEDULE,
        "optimizer": _paced(settings),
    }
    return settings.model_copy(update=found)


def is_looked_at(own: "OwnShape") -> bool:
    """Whether the column is of pictures, and neither flat pixels nor the vectors of another network."""
    return own.kind == "image" and "vector" not in own.shape and own.shape["settings"].get("kind") != "flat"


def _paced(settings: TrainSettings) -> Any:
    unset = {name: value for name, value in PACE._asdict().items() if getattr(settings.optimizer, name) is None}
    return settings.optimizer.model_copy(update=unset)

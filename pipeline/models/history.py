"""How a training went, beside the model that it gave: its epochs, and its health."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.artefacts import Record
from pipeline.models import saved
from pipeline.models.choices.pretraining import Pretrained
from pipeline.models.temperature import Temperature
from pipeline.models.trials import Trials

if TYPE_CHECKING:
    from pipeline.models.module import KeepBest


class History(Record):
    """Every epoch, which one was kept, with `imbalance: auto` what was tried before, and how a pre-training went.

    `temperature`: that of the answers, which was tried after it.
    """

    best_epoch: int
    epochs: list[dict[str, float]]
    trials: Trials | None = None
    pretraining: Pretrained | None = Field(default=None, exclude_if=lambda found: found is None)
    temperature: Temperature | None = Field(default=None, exclude_if=lambda found: found is None)


def write(
    folder: Path,
    kept: "KeepBest",
    *,
    trials: Trials | None = None,
    pretraining: Pretrained | None = None,
    temperature: Temperature | None = None,
) -> None:
    """Write history.json and health.json into `folder`."""
    assert kept.best is not None  # at least one epoch ran
    found = History(
        best_epoch=kept.best.epoch,
        epochs=[epoch.named for epoch in kept.history],
        trials=trials,
        pretraining=pretraining,
        temperature=temperature,
    )
    found.write(folder / saved.HISTORY)
    if kept.checkup is not None:
        kept.checkup.record(kept.history).write(folder / saved.HEALTH)

"""What suits pictures: only where convolutions look at them, and only in the place of nulls."""

from typing import Any

import pytest

from pipeline.features.image import ImageNetworkSettings
from pipeline.models.choices.pictures import EPOCHS, PACE, PICTURES_SEEN, SCHEDULE, advised
from pipeline.models.choices.training import TrainSettings
from pipeline.models.network import OwnShape

SETTINGS = ImageNetworkSettings().model_dump(mode="json")
LOOKED_AT = OwnShape(name="p", kind="image", shape={"size": 28, "settings": SETTINGS})
OTHERS = {
    "flat": OwnShape(name="p", kind="image", shape={"size": 28, "settings": {**SETTINGS, "kind": "flat"}}),
    "vectors": OwnShape(name="p", kind="image", shape={"vector": 384, "settings": SETTINGS}),
    "text": OwnShape(name="p", kind="text", shape={}),
}


@pytest.mark.parametrize("own", [[], *([each] for each in OTHERS.values())])
def test_all_else_is_left_alone(own: list[OwnShape]) -> None:
    settings = TrainSettings()

    assert advised(settings, own, 1000) is settings


def test_what_is_not_set_is_filled() -> None:
    found = advised(TrainSettings(), [OTHERS["text"], LOOKED_AT], 50_000)

    assert (found.epochs, found.patience, found.batch_size) == (EPOCHS[0], EPOCHS[0], 128)
    assert found.schedule == SCHEDULE
    assert found.optimizer.pace("mlp") == PACE
    assert advised(found, [LOOKED_AT], 100) == found


def test_what_is_set_stays() -> None:
    chosen: dict[str, Any] = {"epochs": 3, "patience": 2, "batch_size": 512, "schedule": {"kind": "linear"}}
    settings = TrainSettings.model_validate({**chosen, "optimizer": {"learning_rate": 0.5}})

    found = advised(settings, [LOOKED_AT], 50_000)

    assert found.model_dump(include=set(chosen)) == settings.model_dump(include=set(chosen))
    assert found.optimizer.pace("mlp") == PACE._replace(learning_rate=0.5)


@pytest.mark.parametrize("rows", [0, 10, 1_000, PICTURES_SEEN // EPOCHS[1], 10_000_000])
def test_few_pictures_are_seen_more_often(rows: int) -> None:
    epochs = advised(TrainSettings(), [LOOKED_AT], rows).epochs

    assert epochs is not None
    assert EPOCHS[0] <= epochs <= EPOCHS[1]
    assert epochs * rows >= PICTURES_SEEN or epochs == EPOCHS[1]

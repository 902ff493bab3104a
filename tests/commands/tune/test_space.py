"""The space: knobs of the typed settings, the user's bounds, and back to settings."""

from typing import Any

import pytest

from pipeline.commands.tune import space
from pipeline.commands.tune.space import Knob
from pipeline.errors import SettingsError
from pipeline.models.choices.tuning import TuneSettings
from pipeline.stages.train import TrainSettings
from pipeline.workspace import parse_section


def knobs(
    train: dict[str, Any], tune: dict[str, Any] | None = None, backbone: str = "mlp", own: tuple[str, ...] = ()
) -> dict[str, Knob]:
    settings = parse_section(TrainSettings, train)
    found = space.knobs(settings, backbone, 64, own, parse_section(TuneSettings, tune or {}))
    return {knob.name: knob for knob in found}


def test_knobs_are_those_of_the_backbone_in_use_and_hold_todays_values() -> None:
    found = knobs({"mlp": {"hidden": [128, 64], "dropout": 0.2}, "optimizer": {"learning_rate": 0.002}})

    assert set(found) == {
        "batch_size",
        "optimizer.learning_rate",
        "optimizer.weight_decay",
        "mlp.hidden.width",
        "mlp.hidden.depth",
        "mlp.dropout",
    }
    rate = found["optimizer.learning_rate"]
    assert (rate.today, rate.low, rate.high, rate.log) == (0.002, 0.0002, 0.02, True)
    for knob in found.values():
        assert knob.today in knob.values or knob.low <= knob.today <= knob.high


@pytest.mark.parametrize("backbone", ["linear", "mlp", "resnet", "ft_transformer", "tabm"])
def test_the_ends_of_every_knob_are_settings(backbone: str) -> None:
    settings = parse_section(TrainSettings, {})
    found = [*knobs({}, backbone=backbone, own=("text", "image", "audio")).values()]

    for knob in found:
        for value in knob.values or (knob.low, knob.high):
            values = {knob.name: round(value) if knob.whole else value}
            space.settled({}, space.changes(settings, found, values))
    assert any(knob.key.startswith("text.") for knob in found)


def test_todays_values_change_nothing() -> None:
    train = {"optimizer": "adam", "mlp": {"hidden": [96, 48, 7]}, "batch_size": 50}
    settings = parse_section(TrainSettings, train)
    found = space.knobs(settings, "mlp", 50, [], TuneSettings())

    assert space.changes(settings, found, {knob.name: knob.today for knob in found}) == {}
    assert space.settled(train, {}) == settings


def test_values_become_settings_and_the_rest_stays() -> None:
    train = {"optimizer": "adam", "mlp": {"hidden": [100, 50], "activation": "gelu"}}
    settings = parse_section(TrainSettings, train)
    found = space.knobs(settings, "mlp", 64, [], TuneSettings())

    changed = space.changes(
        settings, found, {"mlp.hidden.width": 200, "mlp.hidden.depth": 3, "optimizer.learning_rate": 0.004}
    )
    settled = space.settled(train, changed)

    assert changed == {"mlp.hidden": [200, 100, 100], "optimizer.learning_rate": 0.004}
    assert settled.optimizer.kind == "adam"
    assert settled.optimizer.learning_rate == 0.004
    assert settled.mlp.activation == "gelu"
    assert train["optimizer"] == "adam"


def test_the_users_bounds_replace_and_add_and_take_away() -> None:
    found = knobs(
        {"mlp": {"dropout": 0.5}},
        {
            "space": {
                "optimizer.learning_rate": {"low": 0.01, "high": 0.1, "log": True},
                "mlp.dropout": {"low": 0.0, "high": 0.3},
                "mlp.activation": ["relu", "gelu"],
                "mlp.hidden": "off",
                "batch_size": "off",
            }
        },
    )

    assert set(found) == {
        "optimizer.learning_rate",
        "optimizer.weight_decay",
        "mlp.dropout",
        "mlp.activation",
    }
    rate, dropout = found["optimizer.learning_rate"], found["mlp.dropout"]
    assert (rate.low, rate.high) == (0.001, 0.1)  # widened to hold today's
    assert (dropout.low, dropout.high) == (0.0, 0.5)
    assert found["mlp.activation"].values == ("relu", "gelu")


def test_each_backbone_that_is_asked_for_has_its_own_rate() -> None:
    found = knobs({}, {"backbones": ["mlp", "tabm"]})

    assert found["model"].values == ("mlp", "tabm")
    assert found["optimizer.learning_rate of tabm"].today == 0.002
    assert found["optimizer.learning_rate of mlp"].today == 0.001
    assert {"tabm.width", "mlp.hidden.width"} <= set(found)


@pytest.mark.parametrize(
    ("tune", "words"),
    [
        ({"space": {"mlp.droput": [0, 1]}}, "train has no setting mlp.droput"),
        ({"space": {"mlp.dropout": {"low": 0.5, "high": 0.1}}}, "low must be under high, got 0.5 and 0.1"),
        ({"space": {"mlp.dropout": {"low": 0.5}}}, "must have low and high"),
        ({"space": {"mlp.dropout": {"low": 0, "high": 1, "log": True}}}, "log needs a low above 0"),
        ({"space": {"mlp.activation": {"low": 0, "high": 1}}}, "is 'relu' now, which is no number"),
        ({"trials": 0}, "tune.trials"),
        ({"trails": 3}, "no such key"),
    ],
)
def test_bounds_that_break_a_rule_are_named(tune: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        knobs({}, tune)


def test_a_value_that_train_forbids_is_named() -> None:
    with pytest.raises(SettingsError, match=r"less than 1, got 1\.5; mend the value") as error:
        space.settled({}, {"mlp.dropout": 1.5})

    assert str(error.value).startswith("params.yaml: train.mlp.dropout: ")

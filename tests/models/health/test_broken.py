"""Trainings broken on purpose, each in one way: it is told, and of their healthy twins nothing is."""

from functools import cache
from typing import get_args

import pytest
import torch

from benchmarks.health import BROKEN, ENDLESS, FAR, Run, drowned, symptoms, trained
from pipeline import progress
from pipeline.errors import SettingsError
from pipeline.models.choices.health import SymptomName


@cache
def told_of_twin(name: str) -> tuple[str, ...]:
    return tuple(symptom.name for symptom in symptoms(BROKEN[name][2]))


TWINS = {repr(twin): name for name, (_, _, twin) in BROKEN.items()}  # many have the same


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told(name: str) -> None:
    symptom, broken, _ = BROKEN[name]

    found = {each.name: each for each in symptoms(broken)}

    assert symptom in found
    assert found[symptom].seen
    assert found[symptom].message and found[symptom].suggestion


@pytest.mark.parametrize("name", TWINS.values())
def test_of_the_healthy_twin_nothing_is_told(name: str) -> None:
    assert told_of_twin(name) == ()


def test_every_symptom_has_a_broken_run() -> None:
    assert {symptom for symptom, _, _ in BROKEN.values()} == set(get_args(SymptomName))


def test_a_loss_that_is_no_number_ends_in_one_line() -> None:
    with pytest.raises(
        SettingsError, match=r"optimizer\.learning_rate: the loss is (nan|inf) after step \d+, .*: it is 1e\+06$"
    ):
        trained(ENDLESS)


def test_the_line_names_the_column_that_is_far_out() -> None:
    with pytest.raises(SettingsError, match=r"lower it: it is 0\.003, and look at x5, whose scaled values reach \S+$"):
        trained(FAR)


def test_what_is_found_is_said_under_its_epoch() -> None:
    heard: list[str] = []

    with progress.listening(lambda _, words: heard.append(words)):
        trained(Run(change=drowned))

    first, dead = heard[0].split("\n"), heard[1].split("\n")
    assert len(first) == 1
    assert dead[0].startswith("epoch 2 of at most 4: loss ")
    assert dead[1].startswith("  error dead_units: 100% of the ReLU units of backbone.layers.2 ")
    assert dead[2].strip().startswith("do:   lower train.optimizer.learning_rate (0.003)")
    assert "dead_units" not in "".join(heard[2:])


def test_what_is_ignored_is_not_told() -> None:
    told = symptoms(Run(change=drowned, settings={"health": {"ignored": ["dead_units"]}}))

    assert "dead_units" not in {symptom.name for symptom in told}
    assert told


def test_watching_changes_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = trained(Run()).weights
    for name in ("listen", "hush", "activations", "layers"):
        monkeypatch.setattr(f"pipeline.models.health.vitals.Vitals.{name}", lambda *_: [])

    blind = trained(Run()).weights

    assert all(torch.equal(weight, blind[name]) for name, weight in watched.items())

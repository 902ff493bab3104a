"""The difference: only the lines that are meant, and the file says what was meant."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.commands.tune import difference
from pipeline.errors import SettingsError
from tests.conftest import ROOT

PARAMS = """\
# what this is
dataset: tiny # the name

train: # how
  mlp: {hidden: [8, 4], dropout: 0.0} # small
  # of the optimiser
  optimizer: adam
  schedule:
    kind: cosine # down
    warmup_share: 0.1

  epochs: 2

evaluate:
  resamples: 50
"""


@pytest.mark.parametrize(
    ("changes", "old", "new"),
    [
        ({"train.epochs": 3}, "  epochs: 2\n", "  epochs: 3\n"),
        ({"train.mlp.hidden": [16]}, "{hidden: [8, 4], dropout: 0.0}", "{hidden: [16], dropout: 0.0}"),
        ({"train.mlp.activation": "gelu"}, "dropout: 0.0}", "dropout: 0.0, activation: gelu}"),
        ({"train.optimizer.learning_rate": 1e-5}, "adam\n", "{kind: adam, learning_rate: 0.00001}\n"),
        ({"train.schedule.kind": "linear"}, "kind: cosine #", "kind: linear #"),
        ({"train.schedule.plateau_factor": 0.2}, "_share: 0.1\n", "_share: 0.1\n    plateau_factor: 0.2\n"),
        ({"train.tabm.width": 64}, "  epochs: 2\n", "  epochs: 2\n  tabm: {width: 64}\n"),
        ({"evaluate.resamples": 60}, "resamples: 50", "resamples: 60"),
        ({"tune.trials": 5}, "resamples: 50\n", "resamples: 50\ntune: {trials: 5}\n"),
    ],
)
def test_one_place_changes_and_nothing_else(changes: dict[str, Any], old: str, new: str) -> None:
    assert PARAMS.count(old) == 1

    assert difference.changed(PARAMS, changes) == PARAMS.replace(old, new)


def test_an_empty_section_is_filled() -> None:
    assert difference.changed("dataset: x\ntrain:\n", {"train.mlp.dropout": 0.1}) == (
        "dataset: x\ntrain: {mlp: {dropout: 0.1}}\n"
    )
    assert difference.changed("dataset: x", {"train.epochs": 1}) == "dataset: x\ntrain: {epochs: 1}\n"


def test_an_alias_is_not_changed_behind_its_back() -> None:
    text = "a: &rate {kind: adam}\ntrain:\n  optimizer: *rate\n"

    with pytest.raises(SettingsError, match=r"write by hand: train\.optimizer\.learning_rate: 0\.1"):
        difference.changed(text, {"train.optimizer.learning_rate": 0.1})


def test_the_difference_shows_both_sides() -> None:
    after = difference.changed(PARAMS, {"train.epochs": 3})

    lines = difference.unified(PARAMS, after).splitlines()

    assert "-  epochs: 2" in lines
    assert "+  epochs: 3" in lines
    assert [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")] == [
        "-  epochs: 2",
        "+  epochs: 3",
    ]
    assert difference.unified(PARAMS, PARAMS) == ""


KEYS = st.sampled_from(
    ["train.epochs", "train.mlp.dropout", "train.optimizer.learning_rate", "train.tabm.depth", "train.new"]
)
VALUES = st.one_of(
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8),
    st.lists(st.integers(1, 9), max_size=3),
    st.booleans(),
)


@settings(max_examples=30)
@given(st.dictionaries(KEYS, VALUES, min_size=1))
def test_the_text_means_what_was_asked_whatever_it_was(changes: dict[str, Any]) -> None:
    for text in (PARAMS, (ROOT / "params.yaml").read_text()):
        after = difference.changed(text, changes)

        found = yaml.safe_load(after)
        for key, value in changes.items():
            held = found
            for part in key.split("."):
                held = held[part]
            assert held == value
        comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
        assert all(comment in after for comment in comments)

"""`imbalance: auto`: the surely best method is taken, none where none is sure, from rows of train and val alone."""

import numpy as np
import pytest

from pipeline import progress
from pipeline.models.choices.optimization import ImbalanceSettings, Judge, Method
from pipeline.models.trials import Tensors, Trials, choose, some


def part(rows: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    label_N = (random.random(rows) < 0.1).astype(np.int64)
    return {"dense": (label_N + random.normal(size=rows)).astype(np.float32)[:, None], "label": label_N}


def chosen(noise: dict[Method, float], judge: Judge = "average_precision", rows: int = 1000) -> Trials:
    """A choice among methods whose networks know the label up to so much noise."""

    def answer(method: Method, train: Tensors, val: Tensors) -> np.ndarray:
        assert len(train["label"]) == rows
        progress.report(1.0, "said within a trial")
        told_N = val["dense"][:, 0] + noise[method] * np.random.default_rng(1).normal(size=len(val["label"]))
        p_N = 1 / (1 + np.exp(3 - told_N))
        return np.stack([1 - p_N, p_N], axis=1)

    settings = ImbalanceSettings(kind="auto", trial_rows=rows, judged_by=judge)
    return choose({"train": part(5000, 0), "val": part(1500, 1)}, list(noise), settings, answer, seed=3)


@pytest.mark.parametrize("judge", ["average_precision", "log_loss"])
def test_the_surely_better_method_is_taken_and_said(judge: Judge) -> None:
    found = chosen({"none": 3.0, "focal": 0.0, "class_weights": 1.0}, judge)

    assert found.chosen == "focal"
    assert found.why.startswith(f"focal is better than none in {judge} by 0.")
    assert (found.rows, found.val_rows) == (1000, 1000)
    assert [trial.method for trial in found.trials] == ["none", "focal", "class_weights"]
    assert found.trials[0].gain == 0


def test_without_a_sure_gain_nothing_is_done() -> None:
    found = chosen({"none": 0.5, "focal": 0.5, "class_weights": 0.52})

    assert found.chosen == "none"
    assert "the best of the rest, changes average_precision by " in found.why


def test_the_same_rows_and_seed_give_the_same_choice() -> None:
    assert chosen({"none": 2.0, "focal": 1.0}) == chosen({"none": 2.0, "focal": 1.0})


def test_every_trial_is_told_once() -> None:
    heard: list[str] = []

    with progress.listening(lambda _, words: heard.append(words)):
        chosen({"none": 2.0, "focal": 1.0})

    assert [words.split()[1] for words in heard] == ["none", "focal"]
    assert "said within a trial" not in heard


def test_some_rows_stay_in_their_order() -> None:
    whole = {"label": np.arange(100), "dense": np.arange(100)[:, None]}

    few = some(whole, 30, seed=0)

    assert len(few["label"]) == 30
    assert (np.diff(few["label"]) > 0).all()
    assert np.array_equal(few["dense"][:, 0], few["label"])
    assert len(some(whole, 500, seed=0)["label"]) == 100

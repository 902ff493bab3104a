"""Train: the same bytes from the same workspace, the best epoch kept, honest probabilities, nothing half-written."""

import signal
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from pipeline import artefacts, progress
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Classes
from pipeline.models import network as networks
from pipeline.models import saved, temperature
from pipeline.models.backbones import TableShape
from pipeline.models.choices.optimization import Method, OptimizerName
from pipeline.models.health.checkup import Health
from pipeline.models.history import History
from pipeline.models.module import KeepBest, Learner
from pipeline.models.network import NetworkShape
from pipeline.models.network import tensors as network_inputs
from pipeline.models.stopwatch import Times
from pipeline.predictor import PREDICTION, Predictor
from pipeline.profile import Numeric, Profile
from pipeline.stages import evaluate, normalize, train
from pipeline.stages.split import SplitRecord
from pipeline.stages.train import TrainSettings
from pipeline.workspace import Workspace

Tensors = dict[str, dict[str, np.ndarray]]


def with_params(workspace: Workspace, old: str, new: str) -> Workspace:
    text = workspace.params_file.read_text()
    assert old in text
    workspace.params_file.write_text(text.replace(old, new))
    return Workspace.open(workspace.root)


def weights(workspace: Workspace) -> str:
    return artefacts.sha256(workspace.candidate / saved.WEIGHTS)


def test_the_same_workspace_gives_the_same_bytes(trained: Workspace, trained_once: Workspace) -> None:
    train.run(trained)

    assert artefacts.sha256(trained.candidate) == artefacts.sha256(trained_once.candidate)


def test_another_seed_gives_another_model(trained: Workspace, trained_once: Workspace) -> None:
    train.run(with_params(trained, "seed: 7", "seed: 8"))

    assert weights(trained) != weights(trained_once)


def test_what_is_random_outside_does_not_matter(trained: Workspace, trained_once: Workspace) -> None:
    torch.manual_seed(123)
    np.random.default_rng(5).random()

    train.run(trained)

    assert weights(trained) == weights(trained_once)


def test_weights_do_not_come_from_val_or_test(trained: Workspace) -> None:
    workspace = with_params(trained, "epochs: 2", "epochs: 1")  # of more epochs, val chooses one
    train.run(workspace)
    before = weights(workspace)

    for name in ("val", "test"):
        path = workspace.split / f"{name}.parquet"
        wild = pl.read_parquet(path).with_columns(distance=pl.col("distance") * -1e9, shop=pl.lit("moon"))
        wild.write_parquet(path)
    normalize.run(workspace)
    train.run(workspace)

    assert weights(workspace) == before


def test_test_does_not_choose_the_epoch_either(trained: Workspace, trained_once: Workspace) -> None:
    (trained.normalized / "test.safetensors").unlink()

    train.run(trained)

    assert weights(trained) == weights(trained_once)


def test_the_weights_that_are_saved_are_those_of_the_best_epoch(trained: Workspace) -> None:
    workspace = with_params(trained, "epochs: 2", "epochs: 8")
    workspace = with_params(workspace, "learning_rate: 0.02", "learning_rate: 0.2")
    train.run(workspace)

    history = History.read(workspace.candidate / saved.HISTORY)
    val = artefacts.read_tensors(workspace.normalized / "val.safetensors")
    network = saved.load(workspace.candidate)
    target = Preprocessor.read(workspace.candidate).target
    p_NK = networks.answers(network, network_inputs(val), target)

    aucs = [epoch["val_auc"] for epoch in history.epochs]
    assert history.best_epoch == 1 + int(np.argmax(aucs))
    assert aucs[history.best_epoch - 1] == pytest.approx(roc_auc_score(val["label"], p_NK[:, 1]), abs=1e-6)
    assert [epoch["epoch"] for epoch in history.epochs] == list(range(1, len(aucs) + 1))


def test_training_stops_after_patience(trained: Workspace) -> None:
    workspace = with_params(trained, "epochs: 2", "epochs: 40, patience: 2")

    train.run(workspace)

    history = History.read(workspace.candidate / saved.HISTORY)
    assert len(history.epochs) in (40, history.best_epoch + 2)


def test_the_candidate_says_what_it_was_made_from(trained_once: Workspace) -> None:
    manifest = saved.verify(trained_once.candidate)
    split = SplitRecord.read(trained_once.split / "manifest.json")

    assert manifest.sources == split.sources
    assert manifest.rows == split.rows
    assert manifest.settings["mlp"]["hidden"] == [8]
    assert manifest.versions["torch"].startswith("2.")


def test_the_reference_has_the_answers_on_the_training_rows(trained_once: Workspace) -> None:
    reference = Profile.read(trained_once.candidate / saved.REFERENCE)
    rows = pl.read_parquet(trained_once.split / "train.parquet")

    answers = reference.columns[PREDICTION]

    p_NK = Predictor.load(trained_once.candidate).answers(rows)
    assert isinstance(answers, Numeric)
    assert answers.mean == pytest.approx(p_NK[:, 1].mean())
    assert answers.rows == rows.height


def test_the_curves_have_a_point_an_epoch(trained_once: Workspace) -> None:
    for name in ("train/loss", "train/auc", "val/loss", "val/auc"):
        lines = (trained_once.curves / "plots" / "metrics" / f"{name}.tsv").read_text().splitlines()

        assert len(lines) == 1 + 2
        assert lines[0].split() == ["step", name.split("/")[1]]


def test_epochs_are_told_and_nothing_else_is_printed(trained: Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[tuple[float, str]] = []

    with progress.listening(lambda fraction, words: heard.append((fraction, words))):
        train.run(trained)

    assert [fraction for fraction, _ in heard] == [0.5, 1.0, 1.0]
    assert heard[0][1].startswith("epoch 1 of at most 2: loss ")
    assert heard[2][1].startswith("temperature ")
    assert capfd.readouterr() == ("", "")


def test_its_health_is_kept_without_times_and_its_times_where_no_artefact_is(
    trained: Workspace, trained_once: Workspace
) -> None:
    train.run(trained)

    again, once = (Health.read(each.candidate / saved.HEALTH) for each in (trained, trained_once))
    times = Times.read(trained.times)
    assert again == once
    assert len(again.pulses) == len(times.laps) == 2
    assert again.facts.rows == saved.verify(trained.candidate).rows["train"]
    assert times.identity == saved.verify(trained.candidate).identity
    assert all(lap.compute > 0 and lap.validation > 0 and lap.data > 0 and lap.rest > 0 for lap in times.laps)
    assert trained.times.is_relative_to(trained.state)


def test_what_is_told_of_its_health_at_the_end_is_what_is_kept(trained: Workspace) -> None:
    heard: list[str] = []
    long = with_params(trained, "epochs: 2", "epochs: 14, patience: 14, health: {plateau_epochs: 3}")

    with progress.listening(lambda _, words: heard.append(words)):
        train.run(long)

    kept = Health.read(trained.candidate / saved.HEALTH).symptoms
    (plateau,) = [symptom for symptom in kept if symptom.name == "plateau"]
    told = [line.strip() for words in heard for line in words.split("\n") if "plateau" in line and "do:" not in line]
    assert told[-1].startswith(f"info plateau since epoch {plateau.since}: ")


def test_where_the_time_went_is_told_at_the_end(trained: Workspace) -> None:
    heard: list[str] = []

    with progress.listening(lambda _, words: heard.append(words)):
        train.run(trained)

    assert " s an epoch (" not in heard[0]
    assert " s an epoch (" in heard[1].split("\n")[-1]


def test_a_killed_training_leaves_the_old_candidate(
    trained: Workspace, trained_once: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(saved, "seal", killed)

    with pytest.raises(KeyboardInterrupt):
        train.run(with_params(trained, "seed: 7", "seed: 8"))

    assert artefacts.sha256(trained.candidate) == artefacts.sha256(trained_once.candidate)
    assert not list(trained.root.rglob("*.tmp"))


def test_ctrl_c_is_not_turned_into_a_plain_exit(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Learner, "training_step", interrupted)
    before = signal.getsignal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train.run(trained)

    assert signal.getsignal(signal.SIGINT) is before


def made(rows: int, share: float, classes: int = 2) -> Tensors:
    """Splits of one dense value that tells the last class (of `share`) from the others, with noise."""
    random = np.random.default_rng(0)
    others = (1 - share) / (classes - 1)
    label_N = random.choice(classes, rows, p=[*[others] * (classes - 1), share])
    dense_ND = (1.5 * (label_N == classes - 1) + random.normal(size=rows)).astype(np.float32)[:, None]
    codes_NC = np.minimum(label_N, 1)[:, None] * random.integers(0, 2, (rows, 1)) + 3
    half = rows // 2
    parts = {"train": slice(None, half), "val": slice(half, None)}
    return {n: {"dense": dense_ND[s], "codes": codes_NC[s], "label": label_N[s]} for n, s in parts.items()}


def fitted(tensors: Tensors, folder: Path, classes: int = 2, **settings: Any) -> KeepBest:
    table = TableShape(dense=1, cardinalities=[5], outputs=classes)
    shape = NetworkShape(table=table, backbone="mlp", settings={"hidden": [8], "dropout": 0})
    chosen = TrainSettings.model_validate(
        {
            "epochs": 4,
            "schedule": "cosine",
            "batch_size": 128,
            "optimizer": {"learning_rate": 0.02},
            "accelerator": "cpu",
            **settings,
        }
    )
    target = Classes(column="y", classes=[str(place) for place in range(classes)])
    return train.fit(tensors, shape, target, chosen, seed=1, curves=folder / "curves")


def answers(kept: KeepBest, part: dict[str, np.ndarray]) -> np.ndarray:
    return networks.answers(kept.network(), network_inputs(part), Classes(column="y", classes=[]))


@pytest.mark.parametrize("method", ["none", "class_weights", "over_sampling", "smote", "by_share"])
def test_probabilities_are_those_of_the_data_whatever_is_done_for_rare_classes(method: str, tmp_path: Path) -> None:
    tensors = made(8000, share=0.06)

    kept = fitted(tensors, tmp_path, imbalance=method)

    p_N, hit_N = answers(kept, tensors["val"])[:, 1], tensors["val"]["label"] == 1
    assert p_N.mean() == pytest.approx(hit_N.mean(), abs=0.015)
    for part in np.array_split(np.argsort(p_N), 4):
        assert p_N[part].mean() == pytest.approx(hit_N[part].mean(), abs=0.03)


def test_three_classes_train_and_are_calibrated(tmp_path: Path) -> None:
    tensors = made(4000, share=0.08, classes=3)

    kept = fitted(tensors, tmp_path, classes=3, imbalance="class_weights")

    p_NK, label_N = answers(kept, tensors["val"]), tensors["val"]["label"]
    assert p_NK.mean(axis=0) == pytest.approx(np.bincount(label_N) / len(label_N), abs=0.02)
    assert log_loss(label_N, p_NK) < log_loss(label_N, np.tile(np.bincount(label_N) / len(label_N), (len(label_N), 1)))


@pytest.mark.parametrize("method", get_args(Method))
def test_the_same_seed_gives_the_same_weights_with_every_method(method: str, tmp_path: Path) -> None:
    def weights_of(name: str) -> dict[str, torch.Tensor]:
        tensors = made(1000, share=0.1)
        return fitted(tensors, tmp_path / name, epochs=2, imbalance=method).weights

    first, again = weights_of("first"), weights_of("again")

    assert all(torch.equal(first[name], again[name]) for name in first)


def test_auto_tries_the_methods_and_says_which_won(trained: Workspace) -> None:
    heard: list[str] = []

    with progress.listening(lambda _, words: heard.append(words)):
        train.run(with_params(trained, "epochs: 2", "epochs: 2, imbalance: {kind: auto, trial_epochs: 1}"))

    history = History.read(trained.candidate / saved.HISTORY)
    assert history.trials is not None
    assert {trial.method for trial in history.trials.trials} == set(get_args(Method))
    assert history.trials.chosen in get_args(Method)
    assert sum(words.startswith("imbalance: ") for words in heard) == len(get_args(Method)) + 1
    assert f"imbalance: {history.trials.chosen}: {history.trials.why}" in heard


def test_what_is_tried_never_sees_test(trained: Workspace) -> None:
    workspace = with_params(trained, "epochs: 2", "epochs: 1, imbalance: {kind: auto, trial_epochs: 1}")
    train.run(workspace)
    before = weights(workspace)

    (workspace.normalized / "test.safetensors").unlink()
    train.run(workspace)

    assert weights(workspace) == before


@pytest.mark.parametrize(
    "choice",
    [
        *({"optimizer": {"kind": kind, "learning_rate": 0.02, "l1": 1e-4}} for kind in get_args(OptimizerName)),
        *({"schedule": kind} for kind in ("one_cycle", "linear", "constant", "plateau")),
        *({"averaging": kind} for kind in ("swa", "none")),
        *({"loss": loss} for loss in ("focal", {"label_smoothing": 0.1})),
        {"mixup": 0.4},
    ],
    ids=str,
)
def test_every_choice_of_the_optimisation_trains(choice: dict[str, Any], tmp_path: Path) -> None:
    tensors = made(1500, share=0.2)

    kept = fitted(tensors, tmp_path, epochs=3, **choice)
    plain = fitted(tensors, tmp_path, epochs=3)

    assert kept.history[-1].val_loss < kept.history[0].val_loss
    assert roc_auc_score(tensors["val"]["label"], answers(kept, tensors["val"])[:, 1]) > 0.8
    assert any(not torch.equal(kept.weights[name], plain.weights[name]) for name in plain.weights)


def test_a_training_that_ended_leaves_no_checkpoint(trained: Workspace) -> None:
    train.run(with_params(trained, "epochs: 2", "checkpoint_seconds: 0, epochs: 2"))

    assert not trained.checkpoint.exists()


def test_what_a_killed_stage_had_trained_is_not_trained_again(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    workspace = with_params(trained, "epochs: 2", "checkpoint_seconds: 0, epochs: 2")
    with monkeypatch.context() as patched:
        patched.setattr(saved, "seal", killed)
        with pytest.raises(KeyboardInterrupt):
            train.run(workspace)
    assert workspace.checkpoint.is_file()
    monkeypatch.setattr(Learner, "training_step", None)

    train.run(workspace)

    assert len(History.read(workspace.candidate / saved.HISTORY).epochs) == 2


def test_tensors_that_stay_on_disk_train_as_well(trained: Workspace, trained_once: Workspace) -> None:
    train.run(with_params(trained, "epochs: 2", "memory_gigabytes: 0, epochs: 2"))

    before, after = (History.read(each.candidate / saved.HISTORY) for each in (trained_once, trained))
    assert before.epochs[-1]["val_loss"] == pytest.approx(after.epochs[-1]["val_loss"], rel=0.1)


def test_the_temperature_that_was_kept_is_that_of_every_answer(
    trained: Workspace, trained_once: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so few steps the network is less sure than it might be; it is made to be kept."""
    monkeypatch.setattr(temperature, "LEAST_GAIN", -np.inf)
    train.run(trained)
    told, known = History.read(trained.candidate / saved.HISTORY).temperature, Preprocessor.read(trained.candidate)
    rows = pl.read_parquet(trained.split / "test.parquet")
    p_NK, plain_NK = (Predictor.load(one.candidate).answers(rows) for one in (trained, trained_once))

    assert told is not None and isinstance(known.target, Classes)
    assert told.value == told.fitted == known.target.temperature != 1
    assert saved.verify(trained.candidate).identity == saved.verify(trained_once.candidate).identity
    hotter = np.log(plain_NK) / told.value
    np.testing.assert_allclose(p_NK, np.exp(hotter) / np.exp(hotter).sum(axis=1, keepdims=True))
    assert evaluate.run(trained).scores["candidate"]["test"]["log_loss"].value == pytest.approx(
        log_loss(rows["slow"], p_NK)
    )


def test_none_is_tried_where_the_settings_say_so(trained: Workspace) -> None:
    train.run(with_params(trained, "epochs: 2", "temperature: false, epochs: 2"))

    assert History.read(trained.candidate / saved.HISTORY).temperature is None

"""Pre-training: no label is read, the same seed gives the same bits, killed or not, and it helps where it must."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandera.polars as pa
import polars as pl
import pytest
import torch
from sklearn.metrics import roc_auc_score

from pipeline.contract import Column, Contract
from pipeline.errors import SettingsError
from pipeline.features import preprocessor
from pipeline.features.preprocessor import Preprocessor
from pipeline.models import network, pretraining
from pipeline.models.checkpoint import Checkpoints
from pipeline.models.choices.pretraining import Comparison, Pretrained
from pipeline.models.pretraining import Run, Task
from pipeline.models.transfer import Starting
from pipeline.stages import train
from pipeline.stages.normalize import NormalizeSettings
from pipeline.stages.train import TrainSettings

ROOT = Path(__file__).parents[2]
NUMBERS = 16
LABELLED = 40
# the process pre-trains, and kills itself before the step that it is told
PROGRAM = """
import os, signal, sys
from pathlib import Path
from pipeline.models.pretraining import Run
from tests.models.test_pretraining import pretrained
folder, last = Path(sys.argv[1]), int(sys.argv[2])
learn = Run._learn
def one(self, *batch):
    if self.steps == last:
        os.kill(os.getpid(), signal.SIGKILL)
    learn(self, *batch)
Run._learn = one
pretrained(folder)
"""


def made(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """Rows on a curved surface of two dimensions among many numbers and a category; the label is a part of it."""
    random = np.random.default_rng(seed)
    place_N2 = random.normal(size=(rows, 2))
    way = np.random.default_rng(99).normal(size=(2, NUMBERS))
    number_ND = np.tanh(place_N2 @ way) + 0.3 * random.normal(size=(rows, NUMBERS))
    columns = {f"x{place}": number_ND[:, place] for place in range(NUMBERS)}
    side = np.where(place_N2[:, 0] > 0, "east", "west")
    return pl.DataFrame({**columns, "side": side, "y": np.where(place_N2[:, 0] * place_N2[:, 1] > 0, "yes", "no")})


def fitted_on(rows: pl.DataFrame) -> Preprocessor:
    roles = {"y": "label"}
    columns = [
        Column(
            name=name,
            dtype=kind,
            nullable=True,
            role=roles.get(name, "feature"),  # type: ignore[arg-type]
            modality="numeric" if kind.is_numeric() else "categorical",
        )
        for name, kind in rows.schema.items()
    ]
    agreed = Contract(file=Path("y.py"), schema=pa.DataFrameSchema({}), columns=tuple(columns), expectations=())
    return preprocessor.fit(rows.lazy(), agreed, NormalizeSettings().by_modality())


def tensors(fitted: Preprocessor, rows: pl.DataFrame) -> dict[str, Any]:
    return {name: np.array(array) for name, array in fitted.encode(rows).tensors().items()}


def chosen(**others: Any) -> TrainSettings:
    pretrain = {"kind": "masked", "epochs": 3, **others.pop("pretrain", {})}
    basis = {"epochs": 30, "batch_size": 32, "accelerator": "cpu", "pretrain": pretrain, "checkpoint_seconds": 0}
    mlp = {"hidden": [32, 32], "dropout": 0.2, "normalisation": "batch", "embedding": "none"}
    return TrainSettings.model_validate({**basis, "mlp": mlp, "optimizer": {"learning_rate": 0.003}, **others})


def task(
    labels: "np.ndarray | None" = None, seed: int = 1, aside: int = 100, **others: Any
) -> tuple[Task, dict[str, dict[str, Any]], TrainSettings]:
    rows, settings = made(), chosen(**others)
    fitted = fitted_on(rows)
    parts = {"train": tensors(fitted, rows[:400]), "val": tensors(fitted, rows[400:])}
    if labels is not None:
        parts["train"]["label"] = labels
    shape = train.shape(fitted, settings, parts["train"])
    bare = fitted.encode(made(aside, seed=5).drop("y").with_columns(y=pl.lit(None, pl.String))).inputs
    return train.task_of(parts, shape, fitted, settings, seed=seed, unlabelled=bare), parts, settings


def pretrained(folder: Path | None = None, **others: Any) -> tuple[Starting, Pretrained]:
    wanted, _, settings = task(**others)
    keep = None if folder is None else train.checkpoints_of(folder / "checkpoint", wanted, settings)
    return pretraining.started(wanted, keep)


def same(one: Starting, other: Starting) -> bool:
    return all(torch.equal(part.value, other.parts[name].value) for name, part in one.parts.items())


def test_no_label_is_read() -> None:
    flipped = np.random.default_rng(4).integers(0, 2, 400)

    assert same(pretrained()[0], pretrained(labels=flipped)[0])


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    first, record = pretrained()
    again, _ = pretrained()
    other, _ = pretrained(seed=2)

    assert same(first, again)
    assert not same(first, other)
    assert (record.rows, record.unlabelled, len(record.losses)) == (400, 90, 3)
    assert record.losses[-1] < record.losses[0]


def test_rows_without_a_label_are_learnt_from() -> None:
    assert not same(pretrained()[0], pretrained(aside=0)[0])


def test_all_but_the_last_layer_is_taken() -> None:
    starting, _ = pretrained()

    assert starting.record.model == "pre-training"
    assert set(starting.record.fresh) == {"backbone.layers.8.weight", "backbone.layers.8.bias"}
    assert any(name.endswith("running_mean") for name in starting.buffers)


@pytest.mark.parametrize("backbone", ["resnet", "ft_transformer", "tabm"])
def test_every_backbone_with_layers_is_pretrained(backbone: str) -> None:
    small: dict[str, Any] = {
        "resnet": {"width": 8},
        "ft_transformer": {"width": 8, "heads": 2, "blocks": 1},
        "tabm": {"width": 8},
    }

    starting, record = pretrained(model=backbone, **{backbone: small[backbone]}, pretrain={"epochs": 1})

    assert starting.record.taken > 0
    assert record.losses[0] < 1.2


def test_killed_at_a_step_it_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, record = pretrained()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), "22"]  # in the middle of the second epoch
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    learn, steps = Run._learn, []

    def counted(self: Run, *batch: Any) -> None:
        steps.append(self.steps)
        learn(self, *batch)

    monkeypatch.setattr(Run, "_learn", counted)
    after, same_record = pretrained(tmp_path)

    assert steps[0] == 22
    assert same(whole, after)
    assert record == same_record


@pytest.mark.parametrize("step", [1, 16, 31, 47])
def test_stopped_at_any_step_it_ends_with_the_same_bits(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Run._learn

    def stopped(self: Run, *batch: Any) -> None:
        if self.steps == step:
            raise KeyboardInterrupt
        learn(self, *batch)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Run, "_learn", stopped)
        pretrained(tmp_path)

    assert same(pretrained(tmp_path)[0], pretrained()[0])


def test_what_has_ended_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, record = pretrained(tmp_path)
    monkeypatch.setattr(Run, "_learn", None)

    again, same_record = pretrained(tmp_path)

    assert same(first, again)
    assert record == same_record


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(tmp_path: Path) -> None:
    pretrained(tmp_path)

    assert same(pretrained(tmp_path, seed=2)[0], pretrained(seed=2)[0])


def test_with_few_labels_of_rows_on_a_surface_it_helps(tmp_path: Path) -> None:
    rows, test = made(2000, seed=7), made(2000, seed=8)
    parted = {"train": rows[:LABELLED], "val": rows[LABELLED : 2 * LABELLED]}
    fitted, settings = fitted_on(parted["train"]), chosen(pretrain={"epochs": 20}, batch_size=64)
    parts = {name: tensors(fitted, part) for name, part in parted.items()}
    shape = train.shape(fitted, settings, parts["train"])
    bare = fitted.encode(rows[2 * LABELLED :]).inputs

    def told(seed: int, start: Starting | None) -> float:
        curves = tmp_path / f"{seed}{start is None}"
        kept = train.fit(parts, shape, fitted.target, settings, seed=seed, curves=curves, starting=start)
        part = tensors(fitted, test)
        p_NK = network.answers(kept.network(), network.tensors(part), fitted.target)
        return float(roc_auc_score(part["label"], p_NK[:, 1]))

    gains = []
    for seed in range(3):
        start, _ = pretraining.started(train.task_of(parts, shape, fitted, settings, seed=seed, unlabelled=bare))
        gains.append(told(seed, start) - told(seed, None))
    assert np.mean(gains) > 0.03
    assert min(gains) > 0


@pytest.mark.parametrize("gain", [0.4, 0.0])
def test_auto_takes_what_is_surely_better_on_val(gain: float) -> None:
    wanted, parts, _ = task(pretrain={"kind": "auto", "epochs": 1})
    label_N, noise_N = parts["val"]["label"], np.random.default_rng(0).normal(size=200)

    def answer(start: Starting | None) -> np.ndarray:
        p_N = 1 / (1 + np.exp(-noise_N - 5 * gain * (start is not None) * (2 * label_N - 1)))
        return np.stack([1 - p_N, p_N], axis=1)

    start, record = pretraining.settled(wanted, None, answer, fitted_truth(wanted, parts))

    assert isinstance(record.compared, Comparison)
    assert record.taken is (gain > 0)
    assert (start is not None) is (gain > 0)
    assert record.words.endswith(": taken" if gain else ": not taken")
    assert (record.compared.low > 0) is (gain > 0)


def fitted_truth(wanted: Task, parts: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    return np.asarray(wanted.fitted.target.truth(parts["val"]["label"]))


def test_a_network_without_layers_is_refused() -> None:
    with pytest.raises(SettingsError, match="linear has no layer"):
        pretrained(model="linear")


def test_two_starts_are_refused() -> None:
    start, _ = pretrained(pretrain={"epochs": 1})

    with pytest.raises(SettingsError, match="the start is pre-training already"):
        pretraining.require_fresh(start)


def test_a_rate_that_diverges_is_said() -> None:
    with pytest.raises(SettingsError, match="of pre-training: it diverged"):
        pretrained(optimizer={"kind": "sgd", "learning_rate": 1e30})


def test_a_damaged_checkpoint_is_not_gone_on_from(tmp_path: Path) -> None:
    pretrained(tmp_path)
    (tmp_path / "checkpoint").write_bytes(b"damaged")

    assert same(pretrained(tmp_path)[0], pretrained()[0])


def test_checkpoints_are_replaced_whole(tmp_path: Path) -> None:
    pretrained(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    assert isinstance(train.checkpoints_of(tmp_path / "checkpoint", *task()[::2]), Checkpoints)

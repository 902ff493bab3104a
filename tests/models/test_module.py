"""The LightningModule: the schedule, the average, the summary, and what is kept of the best epoch."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from pipeline.errors import SettingsError
from pipeline.models.backbones import TableShape
from pipeline.models.curves import Curves
from pipeline.models.module import Batch, Classifier, KeepBest, Schedule
from pipeline.models.network import Network, NetworkShape

SCHEDULE = Schedule(learning_rate=0.1, weight_decay=0.0, warmup_share=0.1, averaging_steps=4.0, steps=100)


def classifier(weights: list[float] | None = None) -> Classifier:
    torch.manual_seed(0)
    table = TableShape(dense=2, cardinalities=[], outputs=2)
    network = Network(NetworkShape(table=table, backbone="mlp", settings={"hidden": [3], "dropout": 0}))
    return Classifier(network, SCHEDULE, torch.tensor(weights or [1.0, 1.0]))


def batch(rows: int, seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    dense_BD = torch.randn(rows, 2, generator=random)
    return {"dense": dense_BD, "codes": torch.empty(rows, 0, dtype=torch.int64)}, (dense_BD[:, 0] > 0).long()


def test_the_rate_warms_up_then_falls_to_nothing() -> None:
    factors = np.array([SCHEDULE.factor(step) for step in range(101)])

    assert factors[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert factors[10] == 1
    assert (np.diff(factors[10:]) < 0).all()
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0)


@pytest.mark.parametrize("steps", [0, 1, 2])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_short_training_has_a_rate_all_the_same(steps: int, share: float) -> None:
    schedule = SCHEDULE.model_copy(update={"steps": steps, "warmup_share": share})

    assert all(0 <= schedule.factor(step) <= 1 for step in range(steps + 2))
    assert schedule.factor(0) >= 0.5


def test_the_summary_is_of_all_batches_since_the_last_one() -> None:
    module = classifier()
    parts = [batch(7, seed=1), batch(30, seed=2)]
    with torch.no_grad():
        for part in parts:
            module.training_step(part, 0)

    loss, auc = module.summary("train")

    inputs = {name: torch.cat([part[0][name] for part in parts]) for name in ("dense", "codes")}
    labels = torch.cat([part[1] for part in parts]).numpy()
    p_NK = module.network(inputs).detach().softmax(dim=2)[:, 0].numpy()
    assert loss == pytest.approx(log_loss(labels, p_NK[:, 1].astype(float)), rel=1e-5)
    assert auc == pytest.approx(roc_auc_score(labels, p_NK[:, 1]))
    assert not module.seen["train"]


def test_validation_is_on_the_averaged_weights() -> None:
    module = classifier()
    module.averaged.update_parameters(module.network)
    with torch.no_grad():
        for parameter in module.network.parameters():
            parameter.add_(1.0)

    module.validation_step(batch(5), 0)

    expected = module.averaged(batch(5)[0])
    assert torch.equal(module.seen["val"][0][1], expected)
    assert not torch.equal(expected, module.network(batch(5)[0]))


def test_the_average_forgets_with_its_horizon() -> None:
    module = classifier()

    short = module._average(torch.tensor(0.0), torch.tensor(1.0), torch.tensor(1))
    long = module._average(torch.tensor(0.0), torch.tensor(1.0), torch.tensor(10_000))

    assert short == pytest.approx(1 / 1.25)
    assert long == pytest.approx(1 / SCHEDULE.averaging_steps)


def test_the_loss_is_weighed_by_class() -> None:
    module, part = classifier([0.5, 2.0]), batch(20)

    loss = module.training_step(part, 0).detach()

    p_NK = module.network(part[0]).detach().double().softmax(dim=2)[:, 0].numpy()
    weight_N = np.where(part[1] == 1, 2.0, 0.5)
    assert float(loss) == pytest.approx(log_loss(part[1], p_NK[:, 1], sample_weight=weight_N), rel=1e-5)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Curves]:
    with Curves(tmp_path / "curves") as curves:
        yield curves


def epochs(module: Classifier, keep: KeepBest, val_aucs: list[float], loss: float = 0.5) -> list[bool]:
    """Play epochs of these AUCs; the first weight holds the epoch's number. Returns when it was told to stop."""
    stops = []
    for number, auc in enumerate(val_aucs, start=1):
        summaries = {"train": (loss, 0.9), "val": (loss, auc)}
        module.summary = summaries.__getitem__  # type: ignore[method-assign,assignment]
        with torch.no_grad():
            next(module.averaged.module.parameters()).fill_(number)
        trainer: Any = SimpleNamespace(should_stop=False)
        keep.on_validation_epoch_end(trainer, module)
        stops.append(trainer.should_stop)
    return stops


def test_the_weights_of_the_best_epoch_are_kept(live: Curves) -> None:
    module = classifier()
    keep = KeepBest(module.network, live, patience=2, epochs=9)

    stops = epochs(module, keep, [0.6, 0.7, 0.7, 0.65])

    assert keep.best is not None
    assert keep.best.epoch == 2
    assert (next(keep.network().parameters()) == 2).all()
    assert stops == [False, False, False, True]
    assert [epoch.val_auc for epoch in keep.history] == [0.6, 0.7, 0.7, 0.65]


def test_a_diverged_training_is_an_error_that_names_the_rate(live: Curves) -> None:
    module = classifier()
    keep = KeepBest(module.network, live, patience=2, epochs=9)

    with pytest.raises(SettingsError, match=r"train\.learning_rate: .* diverged; lower it: it is 0\.1"):
        epochs(module, keep, [0.6], loss=float("nan"))

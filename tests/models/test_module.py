"""The LightningModule: steps along the course, the mean of weights, the summary, and what is kept of the best epoch."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torch import nn

from pipeline.errors import SettingsError
from pipeline.features.target import Classes, Quantity
from pipeline.models import optimizers, stack
from pipeline.models.backbones import TableShape
from pipeline.models.batches import Batch
from pipeline.models.choices.optimization import AveragingSettings, LossSettings, OptimizerSettings, ScheduleSettings
from pipeline.models.course import Course
from pipeline.models.curves import Curves
from pipeline.models.losses import loss_of
from pipeline.models.module import KeepBest, Learner
from pipeline.models.network import Network, NetworkShape
from pipeline.models.seen import Seen
from pipeline.models.tail import Tail

CLASSES = Classes(column="y", classes=["no", "yes"])
QUANTITY = Quantity(column="y", center=10.0, scale=2.0)


def course(**others: Any) -> Course:
    settings: dict[str, Any] = {
        "optimizer": OptimizerSettings(learning_rate=0.1),
        "schedule": ScheduleSettings(),
        "averaging": AveragingSettings(),
    }
    fixed = {"backbone": "mlp", "mixup": 0.0, "batches": 4, "epochs": 3, "seed": 0}
    return Course(**{**settings, **fixed, **others})


def learner(target: Classes | Quantity = CLASSES, weights: list[float] | None = None, **others: Any) -> Learner:
    torch.manual_seed(0)
    table = TableShape(dense=2, cardinalities=[], outputs=target.outputs)
    network = Network(NetworkShape(table=table, backbone="mlp", settings={"hidden": [3], "dropout": 0}))
    loss = loss_of(target, LossSettings(), torch.tensor(weights or [1.0] * target.outputs))
    module = Learner(network, course(**others), loss, target, batch_size=8)
    module.configure_optimizers()
    module.on_train_epoch_start()
    return module


def batch(rows: int, seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    dense_BD = torch.randn(rows, 2, generator=random)
    return {"dense": dense_BD, "codes": torch.empty(rows, 0, dtype=torch.int64)}, (dense_BD[:, 0] > 0).long()


def probabilities(network: nn.Module, inputs: dict[str, torch.Tensor]) -> Any:
    return network(inputs).detach().double().softmax(dim=2)[:, 0].numpy()


def test_gradients_that_are_written_as_a_whole_need_not_be_0_before() -> None:
    modules = [learner(), learner()]
    for module, overwrites in zip(modules, (True, False), strict=True):
        stack.quicken(module.network)
        tail = Tail.of(module.network, module.loss)
        assert tail is not None
        assert tail.overwrites
        module.tail = replace(tail, overwrites=overwrites)
        module.on_train_epoch_start()

    for module in modules:
        module.training_step(batch(24), 0)

    assert modules[0].flat.groups[0].gradient_P.any()
    assert not modules[1].flat.groups[0].gradient_P.any()
    for one, other in zip(*(module.network.parameters() for module in modules), strict=True):
        assert torch.equal(one, other)


def test_what_is_kept_of_a_step_does_not_hold_how_it_was_made() -> None:
    module = learner()

    module.training_step(batch(8), 0)

    seen = module.seen["train"]
    assert [tensor.requires_grad for tensor in (*seen.losses, *(part for pair in seen.kept for part in pair))] == [
        False
    ] * 3


def test_a_chunk_is_as_many_steps_as_it_has_batches() -> None:
    module = learner()
    told: list[int] = []
    module.after_step = lambda: told.append(module.steps_done)

    module.training_step(batch(20), 0)

    assert told == [1, 2, 3]
    assert module.seen["train"].sizes == [8, 8, 4]


def test_steps_are_those_of_a_plain_loop() -> None:
    module, other = learner(), learner()
    optimizer = optimizers.optimizer_of(other.network, module.course.optimizer, "mlp")
    inputs, label_N = batch(16)

    module.training_step((inputs, label_N), 0)

    plain = Network(NetworkShape(**{**other_shape(), "settings": {"hidden": [3], "dropout": 0}}))
    plain.load_state_dict(other.network.state_dict())
    optimizer = optimizers.optimizer_of(plain, module.course.optimizer, "mlp")
    for step, rows in enumerate((slice(0, 8), slice(8, 16))):
        optimizer.zero_grad()
        loss = module.loss(plain({name: tensor[rows] for name, tensor in inputs.items()}), label_N[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = module.course.rate(step)
        optimizer.step()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(module.network.state_dict()[name], value)


def other_shape() -> dict[str, Any]:
    return {"table": TableShape(dense=2, cardinalities=[], outputs=2), "backbone": "mlp"}


def test_the_rate_falls_where_val_no_longer_does() -> None:
    module = learner(schedule=ScheduleSettings(kind="plateau", plateau_patience=0))

    module.val_losses = [0.5, 0.6]
    module.on_train_epoch_start()

    assert module.cut == pytest.approx(0.1)


def test_with_mixup_the_loss_is_of_both_rows() -> None:
    module = learner(mixup=0.4)
    assert module.mixing is not None
    own = float(module.mixing[0])
    inputs, label_B = batch(8)
    outputs = module.network(optimizers.mixed(inputs, own))
    expected = own * module.loss(outputs, label_B) + (1 - own) * module.loss(outputs, label_B.roll(1))

    module.training_step((inputs, label_B), 0)

    assert 0.5 <= own < 1
    assert float(module.seen["train"].losses[0]) == pytest.approx(expected.item(), rel=1e-5)


def test_the_summary_is_of_all_batches_since_the_last_one() -> None:
    module = learner()
    parts = [batch(7, seed=1), batch(30, seed=2)]
    module.on_validation_epoch_start()
    with torch.no_grad():
        for part in parts:
            module.validation_step(part, 0)

    loss, auc = module.summary("val")

    inputs = {name: torch.cat([part[0][name] for part in parts]) for name in ("dense", "codes")}
    labels = torch.cat([part[1] for part in parts]).numpy()
    p_NK = probabilities(module.network, inputs)
    assert loss == pytest.approx(log_loss(labels, p_NK[:, 1]), rel=1e-5)
    assert auc == pytest.approx(roc_auc_score(labels, p_NK[:, 1]))
    assert not module.seen["val"].losses


def test_a_quantity_is_scored_in_its_unit() -> None:
    module = learner(QUANTITY)
    inputs, _ = batch(9)
    value_N = torch.linspace(-1, 1, 9)
    module.on_validation_epoch_start()
    with torch.no_grad():
        module.validation_step((inputs, value_N), 0)
        error_N = 2.0 * (module.network(inputs)[:, 0, 0] - value_N).double()

    _, rmse = module.summary("val")

    assert rmse == pytest.approx(float(error_N.square().mean().sqrt()), rel=1e-5)


def test_validation_is_on_the_averaged_weights() -> None:
    module = learner()
    module.training_step(batch(24), 0)

    module.on_validation_epoch_start()

    means = module.flat.means(module.network)
    assert all(torch.equal(value, means[name]) for name, value in module.judged.state_dict().items())
    assert not torch.equal(module.judged(batch(5)[0]), module.network(batch(5)[0]))


def test_the_loss_is_weighed_by_class() -> None:
    module, (inputs, label_B) = learner(weights=[0.5, 2.0]), batch(8)
    p_NK = probabilities(module.network, inputs)

    module.training_step((inputs, label_B), 0)

    weight_N = torch.where(label_B == 1, 2.0, 0.5).numpy()
    expected = log_loss(label_B, p_NK[:, 1], sample_weight=weight_N)
    assert float(module.seen["train"].losses[0]) == pytest.approx(expected, rel=1e-5)


def test_of_answers_the_last_rows_are_kept_and_of_losses_all() -> None:
    seen, one = Seen(rows=5), torch.tensor(1.0)
    for number in range(4):
        seen.add(one * number, torch.full((3, 1, 2), float(number)), torch.full((3,), number))

    outputs, target_N = seen.answers()

    assert seen.loss() == 1.5
    assert target_N.tolist() == [2, 2, 2, 3, 3, 3]
    assert outputs["outputs"][:, 0, 0].tolist() == target_N.tolist()


def test_what_was_seen_goes_on_from_its_tensors() -> None:
    seen, other = Seen(rows=5), Seen(rows=5)
    assert not seen.tensors()
    seen.add(torch.tensor(1.0), torch.zeros(3, 1, 2), torch.zeros(3))

    other.load(seen.tensors())
    for each in (seen, other):
        each.add(torch.tensor(2.0), torch.ones(4, 1, 2), torch.ones(4))
        each.add(torch.tensor(3.0), torch.ones(4, 1, 2), torch.ones(4))

    assert seen.tensors().keys() == other.tensors().keys()
    assert all(torch.equal(tensor, other.tensors()[name]) for name, tensor in seen.tensors().items())


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Curves]:
    with Curves(tmp_path / "curves") as curves:
        yield curves


def epochs(module: Learner, keep: KeepBest, scores: list[float], losses: list[float] | None = None) -> list[bool]:
    """Play epochs of these scores on val; the first weight holds the epoch's number. Whether it was told to stop."""
    stops = []
    for number, (score, loss) in enumerate(zip(scores, losses or [0.5] * len(scores), strict=True), start=1):
        summaries = {"train": (loss, 0.9), "val": (loss, score)}
        module.summary = summaries.__getitem__  # type: ignore[method-assign,assignment]
        with torch.no_grad():
            next(module.judged.parameters()).fill_(number)
        trainer: Any = SimpleNamespace(should_stop=False)
        keep.on_validation_epoch_end(trainer, module)
        stops.append(trainer.should_stop)
    return stops


@pytest.mark.parametrize(
    ("target", "scores", "losses", "best"),
    [
        (CLASSES, [0.6, 0.7, 0.7, 0.65], None, 2),
        (CLASSES, [0.6, 0.7, 0.7, 0.65], [0.5, 0.5, 0.4, 0.3], 3),  # of equal scores that of the lower loss
        (QUANTITY, [3.0, 2.0, 2.5, 4.0], None, 2),
    ],
)
def test_the_weights_of_the_best_epoch_are_kept(
    target: Classes | Quantity, scores: list[float], losses: list[float] | None, best: int, live: Curves
) -> None:
    module = learner(target)
    keep = KeepBest(module.network, live, patience=2, epochs=9)

    stops = epochs(module, keep, scores, losses)

    assert keep.best is not None
    assert keep.best.epoch == best
    assert (next(keep.network().parameters()) == best).all()
    assert stops == [number - best >= 2 for number in range(1, 5)]
    assert [epoch.val_score for epoch in keep.history] == scores
    assert module.val_losses == (losses or [0.5] * 4)


def test_the_history_names_its_score(live: Curves) -> None:
    module = learner(QUANTITY)
    keep = KeepBest(module.network, live, patience=2, epochs=9)

    epochs(module, keep, [3.0])

    assert list(keep.history[0].named) == ["epoch", "train_loss", "train_rmse", "val_loss", "val_rmse"]
    assert (Path(live.dir) / "plots" / "metrics" / "val" / "rmse.tsv").read_text().split()[-1] == "3.0"


def test_a_diverged_training_is_an_error_that_names_the_rate(live: Curves) -> None:
    module = learner()
    keep = KeepBest(module.network, live, patience=2, epochs=9)

    with pytest.raises(SettingsError, match=r"optimizer\.learning_rate: .* diverged; lower it: it is 0\.1"):
        epochs(module, keep, [0.6], [float("nan")])

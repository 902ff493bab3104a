"""The end of a network without autograd: the same loss, outputs and slopes as with it."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.features.target import Classes, Quantity, Target
from pipeline.models import losses, stack
from pipeline.models.backbones import TableShape
from pipeline.models.choices.optimization import LossSettings, OptimizerSettings
from pipeline.models.flat import FlatWeights
from pipeline.models.network import Network, NetworkShape
from pipeline.models.optimizers import optimizer_of
from pipeline.models.tail import Tail

ROWS = 12
CLASSES = Classes(column="y", classes=["a", "b", "c"])
QUANTITY = Quantity(column="y", center=0.0, scale=1.0)
MLP = {"hidden": [70, 66], "dropout": 0.2}


def network(target: Target, cardinalities: list[int], settings: Mapping[str, Any], backbone: str = "mlp") -> Network:
    torch.manual_seed(0)
    table = TableShape(dense=3, cardinalities=cardinalities, outputs=target.outputs)
    made = Network(NetworkShape(table=table, backbone=backbone, settings=dict(settings)))
    stack.quicken(made)
    return made.train()


def batch(target: Target, codes: int) -> tuple[dict[str, Tensor], Tensor]:
    random = torch.Generator().manual_seed(1)
    inputs = {
        "dense": torch.randn(ROWS, 3, generator=random),
        "codes": torch.randint(0, 4, (ROWS, codes), generator=random),
    }
    truth = torch.randint(0, 3, (ROWS,), generator=random)
    return inputs, truth if target is CLASSES else truth.float()


def loss_of(target: Target, settings: Mapping[str, Any], offset_K: Tensor | None) -> nn.Module:
    weight_K = torch.tensor([1.0, 2.0, 0.5])[: target.outputs]
    return losses.loss_of(target, LossSettings.model_validate(settings), weight_K, offset_K).train()


@pytest.mark.parametrize("codes", [0, 2])
@pytest.mark.parametrize(
    ("target", "settings"),
    [
        (CLASSES, {}),
        (CLASSES, {"label_smoothing": 0.1}),
        (CLASSES, {"kind": "focal"}),
        (QUANTITY, {}),
        (QUANTITY, {"kind": "huber"}),
    ],
)
def test_what_is_learnt_is_what_autograd_learns(target: Target, settings: dict[str, Any], codes: int) -> None:
    inputs, truth_B = batch(target, codes)
    loss = loss_of(target, settings, torch.tensor([0.1, 0.0, -0.3]) if target is CLASSES else None)
    plain = network(target, [4] * codes, MLP)
    quick = deepcopy(plain)
    flats = [FlatWeights(optimizer_of(each, OptimizerSettings())) for each in (plain, quick)]
    tail = Tail.of(quick, loss)
    assert tail is not None

    torch.manual_seed(2)
    outputs_BMK = plain(inputs)
    value = loss(outputs_BMK, truth_B)
    value.backward()
    torch.manual_seed(2)
    found_BMK, found = tail.learn(inputs, truth_B)

    gradients = [flat.groups[0].gradient_P for flat in flats]
    assert gradients[0].count_nonzero() > gradients[0].numel() / 2
    torch.testing.assert_close(found_BMK, outputs_BMK.detach())
    torch.testing.assert_close(found, value.detach())
    torch.testing.assert_close(gradients[1], gradients[0])


def test_slopes_of_a_step_before_are_gone() -> None:
    inputs, truth_B = batch(CLASSES, 2)
    made = network(CLASSES, [4, 4], {**MLP, "dropout": 0.0})
    flat = FlatWeights(optimizer_of(made, OptimizerSettings(kind="sgd", weight_decay=0)))
    tail = Tail.of(made, loss_of(CLASSES, {}, None))
    assert tail is not None
    found = []

    for _ in range(2):
        tail.learn(inputs, truth_B)
        found.append(flat.groups[0].gradient_P.clone())
        flat.step(rate=0.0, norm=None, share=1.0)

    assert torch.equal(*found)


@pytest.mark.parametrize("settings", [{"activation": "gelu"}, {"normalisation": "layer"}])
def test_other_layers_have_none(settings: dict[str, Any]) -> None:
    assert Tail.of(network(CLASSES, [], {**MLP, **settings}), loss_of(CLASSES, {}, None)) is None


def test_another_backbone_and_a_frozen_layer_have_none() -> None:
    loss = loss_of(CLASSES, {}, None)
    frozen = network(CLASSES, [], MLP)
    assert isinstance(frozen.backbone, nn.Module)
    next(frozen.backbone.parameters()).requires_grad_(False)
    assert Tail.of(frozen, loss) is None
    assert Tail.of(network(CLASSES, [], {"width": 8}, "resnet"), loss) is None

"""Convolutions in bfloat16: where auto takes it, what stays in 32 bits, and that a killed training ends the same."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.features.target import Classes
from pipeline.models import precision
from pipeline.models.backbones import TableShape
from pipeline.models.choices.training import Precision
from pipeline.models.encoders.image import ImageNetwork
from pipeline.models.module import KeepBest, Learner
from pipeline.models.network import Network, NetworkShape, OwnShape
from pipeline.stages import train
from pipeline.stages.train import TrainSettings

CPU = torch.device("cpu")
ROWS, BATCH, EPOCHS = 48, 16, 3
PICTURES = {"size": 10, "channels": 1, "mean": [0.5], "deviation": [0.3], "settings": {"width": 8, "depth": 1}}
SHAPE = NetworkShape(
    table=TableShape(dense=0, cardinalities=[], outputs=2),
    own=[OwnShape(name="picture", kind="image", shape=PICTURES)],
    backbone="mlp",
    settings={"hidden": [8]},
)
CHANGED = {"augmentation": {"erased": 0.5, "rotation_degrees": 20, "flip": "both"}}


@pytest.mark.parametrize(
    ("capable", "chosen", "expected"),
    [
        ({"avx512_bf16": True}, "auto", "bf16"),
        ({"amx_bf16": True}, "auto", "bf16"),
        ({"avx512_f": True}, "auto", 32),
        ({}, "bf16", "bf16"),
        ({"avx512_bf16": True}, 32, 32),
    ],
)
def test_auto_is_bf16_where_the_processor_has_it(
    capable: dict[str, bool], chosen: Precision, expected: precision.Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable)
    network = Network(SHAPE)

    assert precision.apply(network, chosen, CPU) == expected
    assert _trunk(network).rounded == (expected == "bf16")


def test_a_network_without_convolutions_is_left_in_32_bits() -> None:
    flat = ImageNetwork.of({**PICTURES, "settings": {"kind": "flat"}})

    assert precision.apply(flat, "bf16", CPU) == 32


def test_products_are_rounded_in_training_alone() -> None:
    network, x_BIHW = Network(SHAPE), torch.randn(4, 1, 10, 10)
    trunk = _trunk(network)
    exact, answer = trunk.train()(x_BIHW), trunk.eval()(x_BIHW)

    precision.apply(network, "bf16", CPU)
    rounded = trunk.train()(x_BIHW)

    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert torch.allclose(rounded, exact, atol=0.1)
    assert trunk.eval()(x_BIHW).dtype == answer.dtype
    rounded.square().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in trunk.parameters())


@pytest.mark.parametrize("chosen", ["bf16", 32])
def test_pictures_killed_at_a_step_end_with_the_same_bits(chosen: Precision, tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = _fitted(tmp_path / "whole", chosen)
    for step in (2, 7):
        with pytest.raises(EndedError):
            _fitted(tmp_path / "killed", chosen, end=step)

    again = _fitted(tmp_path / "killed", chosen)

    assert again.history == whole.history
    assert all(torch.equal(value, again.weights[name]) for name, value in whole.weights.items())


def test_the_precision_decides_the_weights(tmp_path: Path) -> None:
    one, other = _fitted(tmp_path, "bf16"), _fitted(tmp_path, 32)

    assert any(not torch.equal(value, other.weights[name]) for name, value in one.weights.items())


class EndedError(Exception):
    """A training that is made to end."""


def _fitted(folder: Path, chosen: Precision, end: int | None = None) -> KeepBest:
    def watch(learner: Learner, _: KeepBest) -> None:
        after = learner.after_step

        def ends() -> None:
            after()
            if learner.steps_done == end:
                raise EndedError

        learner.after_step = ends

    length = {"epochs": EPOCHS, "batch_size": BATCH, "checkpoint_seconds": 0, "accelerator": "cpu"}
    settings = TrainSettings.model_validate({**length, "precision": chosen})
    own = SHAPE.own[0].model_copy(update={"shape": {**PICTURES, "settings": {"width": 8, "depth": 1, **CHANGED}}})
    return train.fit(
        _pictures(),
        SHAPE.model_copy(update={"own": [own]}),
        Classes(column="y", classes=["no", "yes"]),
        settings,
        seed=3,
        curves=folder / "curves",
        checkpoint=folder / "checkpoint.safetensors",
        watch=watch,
    )


def _pictures() -> dict[str, Mapping[str, np.ndarray]]:
    random = np.random.default_rng(0)
    parts: dict[str, Mapping[str, np.ndarray]] = {}
    for name in ("train", "val"):
        label_N = np.arange(ROWS) % 2
        light_NCSS = random.integers(0, 128, (ROWS, 1, 10, 10)) + 64 * label_N.reshape(-1, 1, 1, 1)
        empty: dict[str, np.ndarray] = {
            "dense": np.zeros((ROWS, 0), np.float32),
            "codes": np.zeros((ROWS, 0), np.int64),
        }
        parts[name] = {**empty, "picture": light_NCSS.astype(np.uint8), "label": label_N}
    return parts


def _trunk(network: Network) -> torch.nn.Module:
    (encoder,) = network.encoders
    assert isinstance(encoder, ImageNetwork)
    assert encoder.trunk is not None
    return encoder.trunk

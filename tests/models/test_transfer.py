"""A start from another model: what a weight stands for decides where it goes, and what is frozen stays to the bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.errors import SettingsError
from pipeline.features.target import Classes
from pipeline.models import transfer
from pipeline.models.backbones import TableShape, registered
from pipeline.models.choices.transfer import Freeze
from pipeline.models.module import KeepBest
from pipeline.models.names import Names
from pipeline.models.network import Network, NetworkShape
from pipeline.models.transfer import Source, Starting, described
from pipeline.stages import train
from pipeline.stages.train import TrainSettings

SMALL: Mapping[str, dict[str, Any]] = {
    "linear": {"embedding": "piecewise_linear"},
    "mlp": {"hidden": [8]},
    "resnet": {"width": 8},
    "ft_transformer": {"width": 8, "heads": 2, "blocks": 1},
    "tabm": {"width": 8, "members": 3},
}
OLD = Names(
    dense=["size", "age"],
    codes={"shop": ["shop unknown", "shop missing", "shop rare", "shop = a", "shop = b"], "day": ["day unknown", "1"]},
    own={},
    outputs=["no", "yes"],
)
NEW = Names(  # a new category before b, a new column before age, columns of codes the other way round, a new class
    dense=["size", "tip", "age"],
    codes={
        "day": ["day unknown", "1"],
        "shop": ["shop unknown", "shop missing", "shop rare", "shop = a", "shop = ab", "shop = b"],
    },
    own={},
    outputs=["maybe", "no", "yes"],
)


def shape_of(names: Names, backbone: str, settings: dict[str, Any] | None = None) -> NetworkShape:
    dense = len(names.dense)
    edges = [] if backbone == "ft_transformer" else [[0.0, 0.5, 1.0]] * dense
    codes = [len(codes) for codes in names.codes.values()]
    table = TableShape(dense=dense, cardinalities=codes, outputs=len(names.outputs), edges=edges)
    return NetworkShape(table=table, backbone=backbone, settings=SMALL[backbone] if settings is None else settings)


def source_of(backbone: str, settings: dict[str, Any] | None = None) -> Source:
    torch.manual_seed(1)
    network = Network(shape_of(OLD, backbone, settings))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return Source(model="v1", sha256="0" * 64, backbone=backbone, network=network, names=OLD)


def started(
    source: Source, names: Names, backbone: str, *, freeze: Freeze = "none", rate: float = 1.0
) -> tuple[Network, Starting]:
    shape = shape_of(names, backbone)
    starting = transfer.starting(source, shape, names, freeze=freeze, rate=rate)
    torch.manual_seed(2)
    network = Network(shape)
    starting.apply(network)
    return network, starting


def by_name(network: Network, names: Names) -> dict[tuple[str, ...], float]:
    """Each weight that lies along columns, categories or outputs alone, by what it stands for."""
    found: dict[tuple[str, ...], float] = {}
    called = described(network, names)
    for name, parameter in network.named_parameters():
        axes = [
            axis or [str(place) for place in range(size)]
            for axis, size in zip(called[name].axes, parameter.shape, strict=True)
        ]
        for place in np.ndindex(*parameter.shape):
            found[(called[name].name, *(axis[i] for axis, i in zip(axes, place, strict=True)))] = float(
                parameter.detach()[place]
            )
    return found


@pytest.mark.parametrize("backbone", sorted(SMALL))
def test_every_weight_goes_to_what_it_stands_for(backbone: str) -> None:
    source = source_of(backbone)

    network, starting = started(source, NEW, backbone)

    old, new = by_name(source.network, OLD), by_name(network, NEW)
    same = set(old) & set(new)
    assert {key: new[key] for key in same} == {key: old[key] for key in same}
    assert starting.record.taken == len(same)
    assert starting.record.weights == len(new)
    assert sum(starting.record.fresh.values()) == len(set(new) - set(old))
    assert sum(starting.record.left.values()) == len(set(old) - set(new))
    assert starting.record.new == ["shop = ab", "tip"]


def test_a_category_keeps_its_vector_although_its_code_changed() -> None:
    source = source_of("mlp")

    network, _ = started(source, NEW, "mlp")

    before = source.network.get_parameter("backbone.features.categories.embeddings.0.weight")
    after = network.get_parameter("backbone.features.categories.embeddings.1.weight")  # shop is the second column now
    assert torch.equal(after[5, : before.shape[1]], before[4])  # b
    assert torch.equal(after[3, : before.shape[1]], before[3])  # a
    assert not torch.equal(after[4, : before.shape[1]], before[4])


def test_the_same_network_answers_as_before() -> None:
    for backbone in SMALL:
        source = source_of(backbone)
        network, starting = started(source, OLD, backbone)
        dense, codes = torch.rand(5, 2), torch.tensor([[3, 1], [4, 0], [0, 1], [1, 1], [2, 0]])

        answers = [each.eval()({"dense": dense, "codes": codes}) for each in (source.network, network)]

        assert torch.equal(*answers), backbone
        assert starting.record.fresh == {}
        assert starting.record.words == f"starts from v1 (000000000000): {starting.record.weights:,} of " + (
            f"{starting.record.weights:,} weights are taken"
        )


def test_layers_of_another_width_start_fresh_and_are_named() -> None:
    source = source_of("mlp", {"hidden": [16]})

    _, starting = started(source, OLD, "mlp")

    assert starting.record.fresh.keys() == {
        "backbone.layers.0.weight",
        "backbone.layers.0.bias",
        "backbone.layers.4.weight",
    }
    assert "fresh: backbone.layers.0.weight (" in starting.record.words


def test_another_backbone_with_nothing_in_common_is_refused() -> None:
    with pytest.raises(
        SettingsError, match="nothing of v1 fits this network: its backbone is ft_transformer, here mlp"
    ):
        started(source_of("ft_transformer"), OLD, "mlp")


def test_every_backbone_names_its_outputs_so_that_its_last_layer_goes_on_learning() -> None:
    assert set(SMALL) == set(registered()) & set(SMALL)
    for backbone in SMALL:
        network = Network(shape_of(OLD, backbone))
        parts = {transfer.part_of(n, described(network, OLD)[n], OLD) for n, _ in network.named_parameters()}

        assert "head" in parts, backbone


def fitted(
    folder: Path,
    starting: Starting | None,
    shape: NetworkShape,
    names: Names,
    checkpoint: Path | None = None,
    **settings: Any,
) -> KeepBest:
    random = np.random.default_rng(0)
    codes = np.stack([random.integers(0, len(each), 400) for each in names.codes.values()], axis=1)
    dense = random.random((400, len(names.dense)), dtype=np.float32)
    label = (dense[:, 0] + 0.3 * random.normal(size=400) > 0.5).astype(np.int64)
    parts = {"train": slice(None, 300), "val": slice(300, None)}
    tensors = {n: {"dense": dense[s], "codes": codes[s], "label": label[s]} for n, s in parts.items()}
    chosen = TrainSettings.model_validate(
        {
            "epochs": 3,
            "batch_size": 32,
            "optimizer": {"learning_rate": 0.02, "l1": 1e-4},
            "accelerator": "cpu",
            "checkpoint_seconds": 0,
            **settings,
        }
    )
    target = Classes(column="y", classes=[str(place) for place in range(len(names.outputs))])
    return train.fit(
        tensors, shape, target, chosen, seed=1, curves=folder / "curves", starting=starting, checkpoint=checkpoint
    )


@pytest.mark.parametrize("backbone", sorted(SMALL))
@pytest.mark.parametrize("freeze", ["encoders", "backbone"])
def test_frozen_weights_stay_bitwise_and_the_others_learn(backbone: str, freeze: Freeze, tmp_path: Path) -> None:
    source = source_of(backbone)
    _, starting = started(source, NEW, backbone, freeze=freeze)
    begun, _ = started(source, NEW, backbone)

    kept = fitted(tmp_path, starting, shape_of(NEW, backbone), NEW)

    first = dict(begun.named_parameters())
    moved: dict[str, Tensor] = {name: kept.weights[name] != first[name] for name in first}
    for name, part in starting.parts.items():
        if part.stays:
            assert not bool((moved[name] & part.taken).any()), name
    assert starting.record.frozen == sum(int(p.taken.sum()) for p in starting.parts.values() if p.stays)
    assert any(bool(each.any()) for each in moved.values())
    fresh = [name for name, part in starting.parts.items() if part.stays and not bool(part.taken.all())]
    assert backbone == "linear" or any(bool((moved[n] & ~starting.parts[n].taken).any()) for n in fresh)


def test_frozen_means_of_batches_stay_too(tmp_path: Path) -> None:
    source = source_of("resnet")
    buffers = {name: b.clone() for name, b in source.network.named_buffers() if "running" in name}
    _, starting = started(source, OLD, "resnet", freeze="backbone")

    kept = fitted(tmp_path, starting, shape_of(OLD, "resnet"), OLD)

    assert buffers
    assert all(torch.equal(kept.weights[name], buffer) for name, buffer in buffers.items())


def test_what_was_taken_learns_more_slowly(tmp_path: Path) -> None:
    source = source_of("mlp")
    moved = {}
    for rate in (1.0, 0.01):
        begun, starting = started(source, OLD, "mlp", rate=rate)
        kept = fitted(tmp_path / str(rate), starting, shape_of(OLD, "mlp"), OLD)
        first = dict(begun.named_parameters())
        moved[rate] = sum(float((kept.weights[name] - first[name].detach()).abs().sum()) for name in first)

    assert moved[0.01] < 0.1 * moved[1.0]


def test_a_killed_fine_tuning_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = shape_of(NEW, "mlp")
    _, starting = started(source_of("mlp"), NEW, "mlp", freeze="encoders", rate=0.5)
    whole = fitted(tmp_path / "whole", starting, shape, NEW)
    remember = KeepBest.remember

    def killed(self: KeepBest, epochs: Any) -> None:
        remember(self, epochs)
        if len(self.history) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(KeepBest, "remember", killed)
        with pytest.raises(KeyboardInterrupt):
            fitted(tmp_path / "killed", starting, shape, NEW, checkpoint=tmp_path / "checkpoint")
    again = fitted(tmp_path / "again", starting, shape, NEW, checkpoint=tmp_path / "checkpoint")

    assert (tmp_path / "checkpoint").is_file()
    assert all(torch.equal(whole.weights[name], again.weights[name]) for name in whole.weights)

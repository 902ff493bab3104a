"""What every backbone owes: any mix of columns, the same answers when rebuilt, one row at a time, and learning."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.models import backbones
from pipeline.models.backbones import TableShape
from pipeline.models.backbones.ft_transformer import Tokens

SMALL: Mapping[str, Mapping[str, Any]] = {
    "linear": {},
    "mlp": {"hidden": [16]},
    "resnet": {"width": 16, "blocks": 1},
    "ft_transformer": {"width": 16, "heads": 2, "blocks": 2},
    "tabm": {"width": 16, "members": 4},
}
EDGES = [[-1.0, 0.0, 0.5, 1.0], []]
SHAPES = {
    "all": (TableShape(dense=2, cardinalities=[4, 300], outputs=3, edges=EDGES), [5, 1]),
    "no edges": (TableShape(dense=2, cardinalities=[4, 300], outputs=3), [5]),
    "dense alone": (TableShape(dense=2, cardinalities=[], outputs=1, edges=EDGES), []),
    "codes alone": (TableShape(dense=0, cardinalities=[4, 300], outputs=2), []),
    "own alone": (TableShape(dense=0, cardinalities=[], outputs=2), [5]),
}
KINDS = sorted(backbones.registered())


def built(kind: str, table: TableShape, own: list[int], seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return backbones.registered()[kind].of(table, own, SMALL[kind])


def rows(table: TableShape, own: list[int], count: int) -> tuple[Tensor, Tensor, list[Tensor]]:
    draw = torch.Generator().manual_seed(1)
    codes = [torch.randint(0, size, (count,), generator=draw) for size in table.cardinalities]
    codes_BC = torch.stack(codes, dim=1) if codes else torch.zeros(count, 0, dtype=torch.int64)
    others = [torch.randn(count, width, generator=draw) for width in own]
    return torch.randn(count, table.dense, generator=draw), codes_BC, others


def test_every_backbone_is_tried() -> None:
    assert set(KINDS) == set(SMALL)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_any_mix_of_columns_gives_the_outputs_of_every_member(kind: str, shape: str) -> None:
    table, own = SHAPES[shape]

    outputs_BMK = built(kind, table, own)(*rows(table, own, 7))

    assert outputs_BMK.shape == (7, SMALL[kind].get("members", 1), table.outputs)
    assert outputs_BMK.dtype == torch.float32
    assert outputs_BMK.isfinite().all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_rebuilt_from_json_and_weights_it_answers_the_same(kind: str, shape: str, tmp_path: Path) -> None:
    table, own = SHAPES[shape]
    made = built(kind, table, own)
    made(*rows(table, own, 7))  # running statistics are weights too
    save_file(made.state_dict(), tmp_path / "weights.safetensors")

    again = built(kind, TableShape.model_validate(json.loads(table.model_dump_json())), own, seed=1)
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"))

    assert torch.equal(again.eval()(*rows(table, own, 9)), made.eval()(*rows(table, own, 9)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_weights(kind: str) -> None:
    first, second, other = (built(kind, *SHAPES["all"], seed=seed).state_dict() for seed in (0, 0, 1))

    assert all(torch.equal(first[name], second[name]) for name in first)
    assert kind == "linear" or not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_answered_alone_as_among_others(kind: str) -> None:
    table, own = SHAPES["all"]
    made, (dense_BD, codes_BC, others) = built(kind, table, own).eval(), rows(table, own, 6)

    alone = [made(dense_BD[i : i + 1], codes_BC[i : i + 1], [each[i : i + 1] for each in others]) for i in range(6)]

    assert torch.allclose(torch.cat(alone), made(dense_BD, codes_BC, others), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_one_row_can_be_learnt_from(kind: str) -> None:
    table, own = SHAPES["all"]

    built(kind, table, own).train()(*rows(table, own, 1)).sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_a_category_that_train_never_had_says_nothing_and_learns_nothing(kind: str) -> None:
    table, own = SHAPES["codes alone"]
    made, codes_BC = built(kind, table, own), torch.zeros(8, 2, dtype=torch.int64)
    dense_BD = torch.zeros(8, 0)

    (made(dense_BD, codes_BC, []) - 1).square().sum().backward()

    assert not any(weight.grad is None or weight.grad[place].any() for weight, place in _weights_of_the_unknown(made))
    nothing_B = made.eval()(dense_BD, codes_BC, [])
    with torch.no_grad():
        for weight, place in _weights_of_the_unknown(made):
            assert kind == "ft_transformer" or not weight[place].any()
            weight[place + 1 :] += 1.0  # what other categories say
    assert torch.equal(made(dense_BD, codes_BC, []), nothing_B)


def _weights_of_the_unknown(made: Any) -> list[tuple[Tensor, int]]:
    found = [(module.weight, 0) for module in made.modules() if isinstance(module, torch.nn.Embedding)]
    found += [(module.categories, int(module.starts[1])) for module in made.modules() if isinstance(module, Tokens)]
    assert found
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_depends_on_every_kind_of_column(kind: str) -> None:
    table, own = TableShape(dense=2, cardinalities=[4], outputs=1, edges=EDGES), [2]
    made, (dense_BD, codes_BC, others) = built(kind, table, own), rows(table, own, 256)
    value_B = dense_BD.sum(dim=1) + codes_BC[:, 0] - others[0][:, 1]
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)

    losses = []
    for _ in range(150):
        told_BM = made(dense_BD, codes_BC, others)[:, :, 0]
        loss = (told_BM - value_B[:, None]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().item())

    assert losses[-1] < 0.2 * value_B.var().item()

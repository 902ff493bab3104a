"""The network: shapes, the embedding of the unknown, and probabilities of the data as they came."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from pipeline.features.target import Classes, Quantity
from pipeline.models.backbones import TableShape
from pipeline.models.choices.backbones import MlpSettings
from pipeline.models.network import VALUES_AT_ONCE, Inputs, Network, NetworkShape, answers, outputs


def network(dense: int = 2, cardinalities: tuple[int, ...] = (5,), classes: int = 2) -> Network:
    torch.manual_seed(0)
    table = TableShape(dense=dense, cardinalities=list(cardinalities), outputs=classes)
    return Network(NetworkShape(table=table, backbone="mlp", settings={"hidden": [4], "dropout": 0.5}))


def probabilities(made: Network, given: Inputs, rows_at_once: int | None = None) -> torch.Tensor:
    return torch.from_numpy(answers(made, given, Classes(column="y", classes=[]), rows_at_once))


def inputs(dense_BD: torch.Tensor, codes_BC: torch.Tensor) -> Inputs:
    return {"dense": dense_BD, "codes": codes_BC}


@pytest.mark.parametrize(("dense", "cardinalities"), [(3, ()), (0, (4, 7)), (2, (4, 700, 30_000))])
def test_any_mix_of_dense_values_and_codes_will_do(dense: int, cardinalities: tuple[int, ...]) -> None:
    made = network(dense, cardinalities, classes=3)

    p_NK = probabilities(made, inputs(torch.zeros(6, dense), torch.zeros(6, len(cardinalities), dtype=torch.int64)))

    assert p_NK.shape == (6, 3)
    assert p_NK.sum(dim=1).tolist() == pytest.approx([1] * 6)
    assert p_NK.dtype == torch.float64


@settings(deadline=None, max_examples=20)
@given(rows=st.integers(0, 40), at_once=st.integers(1, 20))
def test_rows_are_answered_one_by_one_as_all_at_once(rows: int, at_once: int) -> None:
    made, dense = network(), torch.linspace(-1, 1, 2 * rows).reshape(rows, 2)
    codes = torch.arange(rows).reshape(rows, 1) % 5

    chunked, whole = probabilities(made, inputs(dense, codes), at_once), probabilities(made, inputs(dense, codes))

    assert chunked.shape == (rows, 2)
    assert torch.allclose(chunked, whole, atol=1e-6)


def test_answers_have_no_dropout() -> None:
    made = network().train()
    dense, codes = torch.ones(1, 2), torch.ones(1, 1, dtype=torch.int64)

    assert torch.equal(probabilities(made, inputs(dense, codes)), probabilities(made, inputs(dense, codes)))


def test_an_unknown_category_says_nothing_and_learns_nothing() -> None:
    made = network()
    optimizer = torch.optim.AdamW(made.parameters(), lr=0.1)

    for _ in range(3):
        loss: torch.Tensor = made(inputs(torch.ones(8, 2), torch.tensor([[0], [1]] * 4))).square().sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    weight = next(p for name, p in made.named_parameters() if "embeddings" in name)
    assert torch.equal(weight[0], torch.zeros_like(weight[0]))
    assert weight[1].abs().sum() > 0


def test_the_prior_is_taken_back() -> None:
    made, dense, codes = network(), torch.randn(9, 2), torch.ones(9, 1, dtype=torch.int64)
    plain_NK = probabilities(made, inputs(dense, codes))
    weight_K = torch.tensor([0.6, 3.0])

    made.prior_K.copy_(weight_K.log())

    corrected_NK = plain_NK / weight_K
    expected_NK = corrected_NK / corrected_NK.sum(dim=1, keepdim=True)
    assert torch.allclose(probabilities(made, inputs(dense, codes)), expected_NK, atol=1e-6)
    assert "prior_K" in made.state_dict()


@pytest.mark.parametrize("change", [{"dropout": 1.0}, {"hidden": []}, {"width": 3}])
def test_an_impossible_choice_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MlpSettings.model_validate(change)


@pytest.mark.parametrize("change", [{"dense": -1}, {"outputs": 0}])
def test_an_impossible_table_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        TableShape.model_validate({"dense": 1, "cardinalities": [], "outputs": 2, **change})


def test_a_quantity_is_answered_in_its_unit() -> None:
    made = network(classes=1)
    given = inputs(torch.randn(5, 2), torch.ones(5, 1, dtype=torch.int64))

    a_N1 = answers(made, given, Quantity(column="y", center=100.0, scale=7.0))

    with torch.inference_mode():
        scaled_N1 = made(given).mean(dim=1).double()
    assert a_N1.shape == (5, 1)
    assert a_N1 == pytest.approx(100 + 7 * scaled_N1.numpy())


@pytest.mark.parametrize("backbone", ["tabm", "ft_transformer"])
def test_a_backbone_that_makes_many_values_of_a_row_answers_fewer_rows_at_once(backbone: str) -> None:
    table = TableShape(dense=20, cardinalities=[4], outputs=2)
    made = Network(NetworkShape(table=table, backbone=backbone, settings={})).eval()
    largest = 0

    def look(_: nn.Module, __: object, output: object) -> None:
        nonlocal largest
        largest = max(largest, output.numel() if isinstance(output, torch.Tensor) else 0)

    for module in made.modules():
        module.register_forward_hook(look)
    rows = 3 * made.rows_at_once
    codes = torch.zeros(rows, 1, dtype=torch.int64)
    assert outputs(made, {"dense": torch.zeros(rows, 20), "codes": codes}).shape[0] == rows
    assert VALUES_AT_ONCE // 3 < largest <= VALUES_AT_ONCE

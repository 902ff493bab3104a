"""Numbers and categories as they enter a backbone: bins of train alone, plain columns plain, the unknown zeros."""

import numpy as np
import pytest
import torch

from pipeline.models.choices.backbones import MlpSettings, Periodic, PiecewiseLinear, Plain
from pipeline.models.embeddings import Categories, Features, Numbers, edges


def test_edges_are_quantiles_of_the_rows_given() -> None:
    value_N = np.arange(101, dtype=np.float32)

    assert edges(value_N[:, None], [True], PiecewiseLinear(bins=4)) == [[0.0, 25.0, 50.0, 75.0, 100.0]]


def test_a_column_with_one_value_nearly_everywhere_has_the_quantiles_of_its_values() -> None:
    value_N = np.array([0.0] * 995 + [1.0, 2.0, 3.0, 4.0, 5.0], dtype=np.float32)

    assert edges(value_N[:, None], [True], PiecewiseLinear(bins=5)) == [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]


def test_what_is_rare_beside_a_frequent_value_has_bins_of_its_own() -> None:
    gains = np.arange(1, 201, dtype=np.float32) ** 2
    value_N = np.concatenate([np.zeros(5000, dtype=np.float32), np.full(1000, -1, dtype=np.float32), gains])

    (found,) = edges(value_N[:, None], [True], PiecewiseLinear(bins=11))

    assert found[:2] == [-1, 0]
    assert len(found) == 12
    per_bin = np.histogram(gains, found[2:])[0]
    assert found[2] == 1
    assert per_bin.min() >= 22
    assert per_bin.max() <= 23


@pytest.mark.parametrize("embedding", [PiecewiseLinear(bins=8), Periodic()])
def test_what_is_constant_or_of_two_values_or_no_number_has_none(embedding: PiecewiseLinear | Periodic) -> None:
    constant, two, wave, number = np.ones(50), np.arange(50) % 2, np.sin(np.arange(50)), np.arange(50)
    dense_ND = np.stack([constant, two, wave, number], axis=1).astype(np.float32)

    found = edges(dense_ND, [True, True, False, True], embedding)

    assert [bool(of_column) for of_column in found] == [False, False, False, True]


def test_nothing_is_embedded_where_it_is_not_asked_for_and_no_row_gives_no_edges() -> None:
    assert edges(np.zeros((0, 2), dtype=np.float32), [True, True], PiecewiseLinear()) == [[], []]
    assert edges(np.arange(9.0)[:, None], [True], Plain()) == []


def test_edges_survive_json_to_the_last_bit() -> None:
    value_N = np.random.default_rng(0).normal(size=500).astype(np.float32)

    (found,) = edges(value_N[:, None], [True], PiecewiseLinear())

    assert (np.array(found).astype(np.float32) == np.array(found)).all()
    assert set(found) <= set(np.quantile(value_N, np.linspace(0, 1, 49)).astype(np.float32).tolist())


def test_the_encoding_is_that_of_the_paper() -> None:
    """Equation 1 of Gorishniy et al. 2022: 1 of a bin passed, the share of the bin that holds the value, 0 after."""
    numbers = Numbers(1, [[0.0, 1.0, 3.0, 7.0]], PiecewiseLinear(width=2))

    encoded_BWb = numbers.embedding.impl(torch.tensor([[0.5], [2.0], [5.0]]))  # type: ignore[union-attr,operator]

    assert encoded_BWb[:, 0].tolist() == [[0.5, 0.0, 0.0], [1.0, 0.5, 0.0], [1.0, 1.0, 0.5]]


def test_plain_columns_pass_as_they_are_after_the_embedded_ones() -> None:
    numbers = Numbers(3, [[], [0.0, 1.0, 2.0], []], PiecewiseLinear(width=4))

    dense_BW = numbers(torch.tensor([[5.0, 1.0, 7.0]]))

    assert dense_BW.shape == (1, 6)
    assert dense_BW[0, 4:].tolist() == [5.0, 7.0]
    assert numbers.widths == [4, 1, 1]


def test_without_edges_numbers_are_untouched() -> None:
    dense_BD = torch.randn(4, 3)

    assert torch.equal(Numbers(3, [], PiecewiseLinear())(dense_BD), dense_BD)


def test_small_columns_are_one_hot_and_the_unknown_is_nowhere() -> None:
    categories = Categories([3, 300, 2], one_hot=128)

    learnt, one_hot = categories(torch.tensor([[2, 7, 1], [0, 0, 0]]))

    assert one_hot.tolist() == [[0, 0, 1, 0, 1], [0, 0, 0, 0, 0]]
    assert learnt.shape == (2, 16)
    assert not learnt[1].any()
    assert categories.widths == [16, 3, 2]


def test_widths_add_up_to_what_comes_out() -> None:
    numbers = Numbers(2, [[0.0, 1.0, 2.0], []], Periodic(width=5))
    features = Features(numbers, Categories([4, 300]), [3])

    joined_BW = features(torch.zeros(2, 2), torch.ones(2, 2, dtype=torch.int64), [torch.zeros(2, 3)])

    assert joined_BW.shape == (2, features.width)
    assert sum(features.widths) == features.width


@pytest.mark.parametrize(
    ("said", "meant"),
    [("none", Plain()), ("periodic", Periodic()), ({"kind": "piecewise_linear", "bins": 9}, PiecewiseLinear(bins=9))],
)
def test_an_embedding_is_named_by_a_word_or_a_group(said: object, meant: object) -> None:
    assert MlpSettings.model_validate({"embedding": said}).embedding == meant

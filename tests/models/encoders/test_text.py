"""What reads tokens: padding changes nothing, each kind learns what it can, and attention is that of the library."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor, nn

from pipeline.features.text import TextNetworkSettings
from pipeline.features.tokens import EMPTY, MISSING, PADDING, SPECIAL, UNKNOWN
from pipeline.models.encoders.text import Layer, TextNetwork, rotated
from pipeline.models.encoders.vector import VectorNetwork

KINDS = ("mean", "cnn", "transformer")
TOKENS = 40
RARENESS = [0.0, *(1 + token % 5 for token in range(1, TOKENS))]


def network(kind: str, **change: Any) -> TextNetwork:
    torch.manual_seed(0)
    made = TextNetwork.of({"rareness": RARENESS, "settings": {"kind": kind, "width": 16, **change}})
    assert isinstance(made, TextNetwork)
    with torch.no_grad():  # as if it were trained
        made.embedding.weight[1:].normal_()
    return made.eval()


def texts(rows: int, length: int, seed: int = 0) -> Tensor:
    """(B, L) tokens of texts of 1 to `length` tokens."""
    random = torch.Generator().manual_seed(seed)
    tokens_BL = torch.randint(len(SPECIAL), TOKENS, (rows, length), generator=random)
    lengths_B = torch.randint(1, length + 1, (rows,), generator=random)
    return torch.where(torch.arange(length) < lengths_B[:, None], tokens_BL, PADDING).int()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_answer(kind: str) -> None:
    made, tokens_BL = network(kind), texts(9, 7)

    longer_BE = made(nn.functional.pad(tokens_BL, (0, 30)))

    assert torch.allclose(made(tokens_BL), longer_BE, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=15)
@given(rows=st.integers(1, 12), length=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_text_is_read_the_same_in_any_company(kind: str, rows: int, length: int, seed: int) -> None:
    made, tokens_BL = network(kind), texts(rows, length, seed)

    alone_BE = torch.cat([made(row_L[None]) for row_L in tokens_BL])

    assert torch.allclose(made(tokens_BL), alone_BE, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_has_the_width_that_is_announced(kind: str) -> None:
    made = network(kind)

    assert made(texts(5, 4)).shape == (5, made.width)
    assert made(texts(0, 4)).shape == (0, made.width)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_of_padding_alone_is_a_number_too(kind: str) -> None:
    assert network(kind)(torch.zeros(2, 5, dtype=torch.int32)).isfinite().all()


@pytest.mark.parametrize("kind", ["cnn", "transformer"])
def test_the_order_of_the_words_counts(kind: str) -> None:
    forward, backward = network(kind)(torch.tensor([[7, 8, 9, 10], [10, 9, 8, 7]]))

    assert not torch.allclose(forward, backward, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_no_part_is_left_without_a_gradient(kind: str) -> None:
    made = network(kind, dropout=0.0, token_dropout=0.0).train()

    loss: Tensor = made(texts(30, 8)).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]

    still = [name for name, weight in made.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not still
    assert not made.embedding.weight.grad[PADDING].any()  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_a_special_token_says_nothing_until_it_is_learnt(kind: str) -> None:
    torch.manual_seed(0)
    made = TextNetwork.of({"rareness": RARENESS, "settings": {"kind": kind, "width": 16}}).eval()

    answers_BE = made(torch.tensor([[UNKNOWN], [MISSING], [EMPTY]]))

    assert torch.equal(answers_BE[0], answers_BE[1])
    assert torch.equal(answers_BE[0], answers_BE[2])


def test_the_mean_weighs_words_as_tf_idf_does() -> None:
    names = [f"w{token}" for token in range(TOKENS)]
    vectors = TfidfVectorizer(vocabulary=names, norm="l2")
    tokens_BL = torch.tensor([[7, 8, 9], [7, 8, 10], [7, 11, 12]])
    vectors.fit([" ".join(names[token] for token in row_L) for row_L in tokens_BL])
    rareness = [0.0, *vectors.idf_[1:]]

    made = TextNetwork.of({"rareness": rareness, "settings": {"kind": "mean", "width": 16}}).eval()
    assert isinstance(made, TextNetwork)

    tf_idf_BT = vectors.transform([" ".join(names[token] for token in row_L) for row_L in tokens_BL]).toarray()
    expected_BW = torch.from_numpy(tf_idf_BT).float() @ made.embedding.weight
    assert torch.allclose(made(tokens_BL)[:, :16], expected_BW, atol=1e-5)


def test_tokens_are_taken_away_in_training_alone() -> None:
    made, tokens_BL = network("mean", dropout=0.0, token_dropout=0.5), texts(50, 8)
    answers = {training: made.train(training)(tokens_BL) for training in (False, True)}

    assert torch.equal(made.eval()(tokens_BL), answers[False])
    assert not torch.allclose(answers[True], answers[False])


@pytest.mark.parametrize("length", [1, 6])
def test_attention_is_that_of_the_library(length: int) -> None:
    layer = Layer(TextNetworkSettings(width=8, heads=2, dropout=0.0)).eval()
    values_BLW = torch.randn(3, length, 8)
    real_BL = texts(3, length) != PADDING
    asked, key, value = layer.asked(values_BLW).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)

    seen_BHLV = nn.functional.scaled_dot_product_attention(
        rotated(asked), rotated(key), value, attn_mask=real_BL[:, None, None, :]
    )

    expected_BLW = layer.told(seen_BHLV.transpose(1, 2).flatten(2))
    assert torch.allclose(layer._attended(values_BLW, real_BL), expected_BLW, atol=1e-6)


def test_a_rotation_tells_how_far_two_tokens_are_apart_and_not_where_they_stand() -> None:
    values_BHLV = torch.ones(1, 1, 12, 6)

    turned_LV = rotated(values_BHLV)[0, 0]

    products_LL = turned_LV @ turned_LV.T
    assert torch.allclose(products_LL[0, 3], products_LL[8, 11], atol=1e-5)
    assert not torch.allclose(products_LL[0, 3], products_LL[0, 4], atol=1e-2)
    assert torch.allclose(turned_LV.norm(dim=1), torch.full((12,), 6**0.5))


def test_vectors_of_a_pretrained_encoder_come_out_in_the_width_that_is_set() -> None:
    made = TextNetwork.of({"vector": 24, "settings": {"width": 16}})

    assert isinstance(made, VectorNetwork)
    assert made(torch.randn(3, 24)).shape == (3, 16)

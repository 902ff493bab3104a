"""What is done where classes have few rows: weights, samplings, made rows, and who is refused."""

from typing import Any, get_args

import numpy as np
import pytest
import torch

from pipeline.errors import SettingsError
from pipeline.features.target import Classes, Ordinal, Quantity, Tags
from pipeline.models import imbalance
from pipeline.models.backbones import TableShape
from pipeline.models.choices.optimization import ImbalanceSettings, LossSettings, Method
from pipeline.models.imbalance import Balance, Tensors, balance, smote, taken, weights
from pipeline.models.network import Network, NetworkShape, corrected

TARGET = Classes(column="y", classes=["no", "yes"])


def table(counts: tuple[int, ...] = (95, 5), dense: int = 2, codes: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    label_N = random.permutation(np.repeat(np.arange(len(counts)), counts))
    return {
        "dense": (random.normal(size=(len(label_N), dense)) + label_N[:, None]).astype(np.float32),
        "codes": random.integers(1, 4, (len(label_N), codes)),
        "label": label_N,
    }


def balanced(train: Tensors | None = None, **settings: Any) -> Balance:
    target = TARGET if train is None else Classes(column="y", classes=[*"abcd"[: train["label"].max() + 1]])
    chosen = ImbalanceSettings(**settings)
    return balance(table() if train is None else train, target, chosen, LossSettings(), seed=1)


@pytest.mark.parametrize(
    ("counts", "kind", "expected"),
    [
        ((95, 5), "by_share", [100 / 190, 10.0]),
        ((85, 15), "by_share", [1.0, 1.0]),
        ((75, 25), "class_weights", [2 / 3, 2.0]),
        ((95, 5), "none", [1.0, 1.0]),
    ],
)
def test_class_weights_are_the_inverse_shares(counts: tuple[int, int], kind: Method, expected: list[float]) -> None:
    train = table(counts)

    found = balanced(train, kind=kind)

    assert found.weight_K.tolist() == pytest.approx(expected)
    assert found.prior_K.tolist() == pytest.approx(np.log(expected).tolist(), abs=1e-6)
    assert found.weight_K[train["label"]].mean().item() == pytest.approx(1)


def test_half_the_strength_weighs_by_the_root_of_the_share() -> None:
    weight_K = weights(np.array([900, 90, 10]), strength=0.5)

    assert (weight_K[1:] / weight_K[0]).tolist() == pytest.approx([10**0.5, 90**0.5])


@pytest.mark.parametrize(
    ("method", "strength", "expected"),
    [
        ("weighted_sampling", 1.0, [333, 333, 333]),
        ("over_sampling", 1.0, [900, 900, 900]),
        ("under_sampling", 1.0, [10, 10, 10]),
        ("over_sampling", 0.5, [900, 285, 95]),
        ("under_sampling", 0.5, [95, 30, 10]),
    ],
)
def test_an_epoch_is_as_even_as_the_strength_says(method: Method, strength: float, expected: list[int]) -> None:
    assert taken(method, np.array([900, 90, 10]), strength).tolist() == expected


@pytest.mark.parametrize("method", ["weighted_sampling", "over_sampling", "under_sampling"])
def test_a_class_without_rows_is_left_out(method: Method) -> None:
    train = table((20, 0, 5))

    found = balanced(train, kind=method)

    assert found.rows is not None
    assert found.rows.take_K[1] == 0
    assert found.prior_K.isfinite().all()
    assert set(train["label"][found.rows.places(0)]) == {0, 2}


@pytest.mark.parametrize("method", get_args(Method))
def test_no_method_touches_the_rows_of_train(method: Method) -> None:
    train = table()

    found = balanced(train, kind=method).train

    for name, array in table().items():
        assert np.array_equal(train[name], array)
        assert np.array_equal(found[name][: len(array)], array)
        assert found[name].dtype == array.dtype
    assert (len(found["label"]) > len(train["label"])) == (method == "smote")


def test_made_rows_are_between_rows_of_their_class() -> None:
    train = table((60, 12), codes=0)

    made = smote(train, np.array([60, 40]), 5, seed=3)["dense"][72:]

    own = train["dense"][train["label"] == 1]
    assert len(made) == 28
    for row in made:
        gaps = [
            np.linalg.norm(np.cross(np.append(b - a, 0), np.append(row - a, 0))) / np.linalg.norm(b - a)
            for at, a in enumerate(own)
            for b in own[at + 1 :]
        ]
        assert min(gaps) < 1e-5
    assert (made.min(axis=0) >= own.min(axis=0)).all()
    assert (made.max(axis=0) <= own.max(axis=0)).all()


@pytest.mark.parametrize(("dense", "codes"), [(2, 0), (0, 3), (2, 3)])
def test_made_rows_have_numbers_and_codes_that_there_are(dense: int, codes: int) -> None:
    train = table((60, 12), dense, codes)

    made = smote(train, np.array([60, 60]), 5, seed=3)

    assert np.bincount(made["label"]).tolist() == [60, 60]
    assert made["dense"].shape == (120, dense)
    assert set(made["codes"].flatten()) <= {1, 2, 3}
    assert np.array_equal(made["codes"], smote(train, np.array([60, 60]), 5, seed=3)["codes"])


def test_a_class_of_one_row_is_repeated_and_one_of_two_has_a_neighbour() -> None:
    made = smote(table((30, 2, 1)), np.array([30, 30, 30]), 5, seed=3)

    assert np.bincount(made["label"]).tolist() == [30, 30, 30]
    assert len(np.unique(made["dense"][made["label"] == 2], axis=0)) == 1
    assert len(np.unique(made["dense"][made["label"] == 1], axis=0)) > 2


def test_rows_of_texts_or_pictures_cannot_be_made() -> None:
    train = {**table(), "image:face": np.zeros((100, 1, 4, 4), dtype=np.float32)}

    with pytest.raises(SettingsError, match=r"train\.imbalance: smote makes .* not of image:face; use over_sampling"):
        balanced(train, kind="smote")
    assert "smote" not in imbalance.candidates(train, LossSettings())
    assert "smote" in imbalance.candidates(table(), LossSettings())


def test_without_the_library_smote_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(SettingsError, match="smote needs imbalanced-learn"):
        balanced(kind="smote")
    assert "smote" not in imbalance.candidates(table(), LossSettings())


@pytest.mark.parametrize("kind", ["class_weights", "auto", "focal"])
def test_a_quantity_has_no_classes_to_balance(kind: Any) -> None:
    price, train = Quantity(column="price", center=0, scale=1), {**table(), "label": np.zeros(100, dtype=np.float32)}

    with pytest.raises(SettingsError, match=rf"{kind} is of classes, and price is of the kind quantity"):
        balance(train, price, ImbalanceSettings(kind=kind), LossSettings(), seed=1)
    assert balance(train, price, ImbalanceSettings(), LossSettings(), seed=1).weight_K.tolist() == [1]


def test_tags_are_weighed_one_by_one_and_the_weights_are_taken_back() -> None:
    tags = Tags(column="y", written=";", classes=["a", "b"], rare=[])
    held_NK = np.zeros((100, 2), dtype=np.float32)
    held_NK[:10, 0], held_NK[:80, 1] = 1, 1
    train = {**table(), "label": held_NK}

    found = balance(train, tags, ImbalanceSettings(kind="class_weights"), LossSettings(), seed=1)

    assert found.weight_K.tolist() == pytest.approx([9.0, 0.25])
    assert found.prior_K.tolist() == pytest.approx(np.log([9.0, 0.25]))
    assert balance(train, tags, ImbalanceSettings(), LossSettings(), seed=1).prior_K.tolist() == [0, 0]
    with pytest.raises(SettingsError, match="smote is of classes, and y is of the kind tags"):
        balance(train, tags, ImbalanceSettings(kind="smote"), LossSettings(), seed=1)


def test_classes_in_an_order_are_balanced_as_classes_are() -> None:
    grades = Ordinal(column="y", classes=["lo", "hi"], shares=[0.95, 0.05])

    found = balance(table(), grades, ImbalanceSettings(), LossSettings(), seed=1)

    assert found.weight_K.tolist() == pytest.approx([100 / 190, 10.0])


def answered(kind: str, outputs: list[float], **settings: Any) -> list[float]:
    """The probabilities that a network with this balance makes of outputs; 19 of 20 rows are of the first class."""
    table_shape = TableShape(dense=2, cardinalities=[], outputs=2)
    network = Network(NetworkShape(table=table_shape, backbone="mlp", settings={"hidden": [2]}))
    balanced(kind=kind, **settings).correct(network, TARGET)
    found: list[float] = corrected(network, torch.tensor(outputs, dtype=torch.float64)).softmax(dim=-1).tolist()
    return found


@pytest.mark.parametrize("kind", ["class_weights", "weighted_sampling", "over_sampling", "under_sampling", "smote"])
def test_a_network_that_sees_no_difference_answers_with_the_shares_of_train(kind: str) -> None:
    assert answered(kind, [0.0, 0.0]) == pytest.approx([0.95, 0.05], abs=1e-3)


def test_of_logit_adjustment_the_outputs_are_what_the_shares_leave_over() -> None:
    assert answered("logit_adjustment", [0.0, 0.0]) == pytest.approx([0.95, 0.05])
    assert answered("logit_adjustment", [0.0, 0.0], tau=2.0) == pytest.approx([0.95**2 / 0.905, 0.05**2 / 0.905])


def test_half_strength_is_taken_back_by_half() -> None:
    even = (95 / 5) ** 0.5  # the odds that half the strength leaves

    p_K = answered("class_weights", [np.log(even), 0.0], strength=0.5)

    assert p_K == pytest.approx([0.95, 0.05], abs=1e-6)


def test_focal_is_told_to_the_network() -> None:
    network = Network(NetworkShape(table=TableShape(dense=2, cardinalities=[], outputs=2), backbone="mlp", settings={}))

    balanced(kind="focal").correct(network, TARGET)
    before = network.focal_gamma.item()
    balanced(kind="none").correct(network, TARGET)

    assert (before, network.focal_gamma.item()) == (2.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "loss", "said"),
    [
        ("logit_adjustment", {"kind": "focal"}, "logit_adjustment is of cross_entropy, and train.loss is focal"),
        ("focal", {"label_smoothing": 0.1}, "focal has no label_smoothing, and train.loss has"),
    ],
)
def test_what_cannot_be_taken_back_together_is_refused(kind: Any, loss: dict[str, Any], said: str) -> None:
    settings = LossSettings.model_validate(loss)

    with pytest.raises(SettingsError, match=f"{said}; use one of the two"):
        balance(table(), TARGET, ImbalanceSettings(kind=kind), settings, seed=1)
    assert kind not in imbalance.candidates(table(), settings)
    assert kind in imbalance.candidates(table(), LossSettings())

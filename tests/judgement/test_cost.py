"""What answers cost: by hand, at the cheapest threshold, and settings that name no class."""

import numpy as np
import pytest

from pipeline.errors import SettingsError
from pipeline.features.target import Classes, Ordinal, Quantity
from pipeline.judgement import thresholds
from pipeline.judgement.cost import CostSettings, cost, matrix
from pipeline.metrics import classification, costs
from tests.judgement.made import case, two

YES_NO = Classes(column="late", classes=["false", "true"])
MISSED, FALSE = 5.0, 1.0
PRICES = CostSettings(of={"true": {"false": MISSED}, "false": {"true": FALSE}}, unit="EUR")
MATRIX = np.array([[0.0, FALSE], [MISSED, 0.0]])


def drawn(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    p_N = random.beta(1, 2, rows)
    return two(p_N), (random.random(rows) < p_N).astype(np.int64)


def test_the_cheapest_threshold_is_the_cheapest_of_all() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        y_N, p_NK = random.integers(0, 2, 12), two(random.integers(0, 6, 12) / 5)
        paid = random.normal(size=(2, 2))

        found = costs.cheapest_threshold(y_N, p_NK, paid)

        every = [0.0, costs.NEVER, *p_NK[:, 1]]
        spent = [costs.of_answers(y_N, classification.answers(p_NK, at), paid).sum() for at in (found, *every)]
        assert spent[0] == pytest.approx(min(spent[1:]))


def test_with_right_probabilities_it_is_where_a_yes_costs_as_much_as_a_no() -> None:
    p_NK, y_N = drawn(200_000)

    assert costs.cheapest_threshold(y_N, p_NK, MATRIX) == pytest.approx(FALSE / (FALSE + MISSED), abs=0.02)


def test_the_threshold_of_every_model_is_the_one_that_costs_least_on_val() -> None:
    p_NK, y_N = drawn()

    found = thresholds.chosen(y_N, {"candidate": p_NK, "human": p_NK}, YES_NO, PRICES, decided=["human"])
    without = thresholds.chosen(y_N, {"candidate": p_NK}, YES_NO, None)

    assert found == {"candidate": costs.cheapest_threshold(y_N, p_NK, MATRIX), "human": 0.5}
    assert without == {"candidate": classification.best_threshold(y_N, p_NK)}


def test_what_answers_cost_is_what_one_adds_up_by_hand() -> None:
    y_N, p_NK = np.array([1, 1, 0, 0]), two(np.array([0.9, 0.1, 0.8, 0.2]))
    always = np.tile([0.0, 1.0], (4, 1))

    found = cost(case(YES_NO, y_N, {"candidate": p_NK, "champion": always}, candidate=0.5, champion=0.5), PRICES)

    own, other = found.models
    assert own.mean.value == (MISSED + FALSE) / 4
    assert (other.mean.value, found.always["true"]) == (2 * FALSE / 4, 2 * FALSE / 4)
    assert other.saved is not None and own.saved is None
    assert other.saved.value == (FALSE - MISSED) / 4
    assert other.saved.low is not None and other.saved.low <= other.saved.value
    assert (found.unit, found.theory) == ("EUR", FALSE / (FALSE + MISSED))
    assert found.curve[0] == (0.0, 0.5, 0.5)


def test_of_more_classes_the_likeliest_is_answered() -> None:
    three = Classes(column="y", classes=["a", "b", "c"])
    prices = CostSettings(of={"a": {"c": 10}, "b": {"a": 1}})

    found = cost(case(three, np.array([0, 1]), {"candidate": np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])}), prices)

    assert found.models[0].mean.value == (10 + 1) / 2
    assert (found.theory, found.curve) == (None, [])


def test_of_ordinal_classes_the_middle_one_is_answered() -> None:
    grades = Ordinal(column="y", classes=["low", "mid", "high"], shares=[0.3, 0.3, 0.4])
    prices = CostSettings(of={"high": {"mid": 3}})

    found = cost(case(grades, np.array([2]), {"candidate": np.array([[0.4, 0.2, 0.4]])}), prices)

    assert found.models[0].mean.value == 3


@pytest.mark.parametrize("named", [{"yes": {"false": 1}}, {"true": {"no": 1}}])
def test_what_is_no_class_is_said(named: dict[str, dict[str, float]]) -> None:
    with pytest.raises(SettingsError, match=r"'(yes|no)' is no class of the label; use false, true"):
        matrix(CostSettings.model_validate({"of": named}), YES_NO.classes)


def test_a_number_has_no_such_costs() -> None:
    number = Quantity(column="y", center=0.0, scale=1.0)

    with pytest.raises(SettingsError, match="costs are of classes, and y is told as quantity"):
        thresholds.chosen(np.zeros(2), {"candidate": np.zeros((2, 1))}, number, PRICES)

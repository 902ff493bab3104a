"""Baselines by rule: decisions as they are, as sure as they were right on train; numbers; rules that do not work."""

import re

import numpy as np
import polars as pl
import pytest

from pipeline import contract
from pipeline.errors import SettingsError
from pipeline.features.target import Classes, Ordinal, Quantiles, Quantity, Tags, Target
from pipeline.metrics import Kind, classification
from pipeline.models import rules
from pipeline.workspace import Workspace

YES_NO = Classes(column="late", classes=["false", "true"])
TRAIN = pl.DataFrame({
    "late": [True, True, True, False, False, False, False, False],
    "human": [True, True, False, True, False, False, False, None],
    "hour": [20, 21, 9, 19, 8, 7, 6, 5],
})  # fmt: skip
Y_N = TRAIN["late"].cast(pl.Int64).to_numpy()


def told(text: str, target: Target = YES_NO, y_N: np.ndarray = Y_N, **rows: pl.DataFrame) -> rules.Told:
    return rules.told("human", text, {"train": TRAIN, "test": TRAIN, **rows}, y_N, target)


def test_a_column_of_decisions_is_answered_as_it_is() -> None:
    found = told("human")

    said_N = classification.answers(found.answers["test"], 0.5)
    assert found.decided
    assert said_N[:7].tolist() == TRAIN["human"][:7].cast(pl.Int64).to_list()


def test_it_is_as_sure_as_it_was_right_on_train() -> None:
    p_N = told("human").answers["test"][:, 1]

    yes, no = (2 + 1) / (3 + 2), 1 - (3 + 1) / (4 + 2)  # 2 of 3 that were said to be late were, 3 of 4 others not
    assert p_N[:7] == pytest.approx([yes, yes, no, yes, no, no, no])
    assert p_N[7] == pytest.approx(3 / 8)  # nobody decided: the share of train


def test_a_rule_is_an_expression() -> None:
    assert classification.answers(told("hour >= 18").answers["test"], 0.5).tolist() == [1, 1, 0, 1, 0, 0, 0, 0]


def test_a_number_between_0_and_1_is_a_probability() -> None:
    found = told("hour / 24.0")

    assert not found.decided
    assert found.answers["test"][:, 1] == pytest.approx(TRAIN["hour"].to_numpy() / 24, rel=1e-5)


@pytest.mark.parametrize("answers", [["0", "1"], [0, 1]])
def test_classes_that_are_written_as_numbers_are_classes(answers: list[str | int]) -> None:
    rows = pl.DataFrame({"said": answers * 4})

    found = told("said", Classes(column="late", classes=["0", "1"]), train=rows, test=rows)

    assert found.decided


def test_true_is_the_class_that_counts_as_yes() -> None:
    found = told("hour >= 18", Classes(column="late", classes=["on time", "late"]))

    assert classification.answers(found.answers["test"], 0.5).tolist() == [1, 1, 0, 1, 0, 0, 0, 0]


def test_of_three_classes_what_was_said_stays_the_likeliest_however_often_it_was_wrong() -> None:
    rows = pl.DataFrame({"said": ["a", "b", "c", "c"]})
    target = Ordinal(column="y", classes=["a", "b", "c"], shares=[0.5, 0.25, 0.25])

    p_NK = told("said", target, np.array([0, 0, 1, 0]), train=rows, test=rows).answers["test"]

    assert p_NK.argmax(axis=1).tolist() == [0, 1, 2, 2]
    assert p_NK.sum(axis=1) == pytest.approx(1)
    assert p_NK[0, 0] > p_NK[1, 1] == rules.LEAST_SURE


def test_of_a_number_it_is_the_value_or_the_mean_of_train() -> None:
    target = Quantity(column="y", center=0.0, scale=1.0)
    rows = pl.DataFrame({"guess": [1.0, None]})

    found = told("guess * 2", target, np.array([4.0, 6.0]), train=rows, test=rows)

    assert found.answers["test"].tolist() == [[2.0], [5.0]]


def test_of_quantiles_it_has_those_of_its_misses_around_it() -> None:
    target = Quantiles(column="y", center=0.0, scale=1.0, quantiles=[0.25, 0.5, 0.75])
    rows = pl.DataFrame({"guess": np.zeros(101)})

    found = told("guess", target, np.arange(101.0), train=rows, test=rows)

    assert found.answers["test"][0].tolist() == [25.0, 50.0, 75.0]


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("nowhere > 3", YES_NO, "`nowhere > 3` does not work"),
        ("hour >", YES_NO, "`hour >` does not work"),
        ("late", YES_NO, "looks at late, which it is to tell"),
        ("NOT late", YES_NO, "looks at late, which it is to tell"),
        ("hour", YES_NO, "says '20', which is no class of the label"),
        ("human", Tags(column="y", written=";", classes=["a"], rare=[]), "a tags label has no rules"),
        ("'word'", Quantity(column="y", center=0.0, scale=1.0), "is no number"),
    ],
)
def test_what_does_not_work_is_said_with_its_place(text: str, target: Target, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)) as error:
        told(text, target)

    assert "evaluate.baselines.human" in str(error.value)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("nowhere > 3", "classes", "`nowhere > 3` does not work"),
        ("slow", "classes", "looks at slow"),
        ("distance > 5", "forecast", "a forecast label has no rules"),
    ],
)
def test_it_is_said_before_there_is_any_row(text: str, kind: Kind, message: str, tiny_once: Workspace) -> None:
    agreed = contract.load(tiny_once.contract_file)
    rules.require({"fine": "distance > 5"}, agreed, "classes")

    with pytest.raises(SettingsError, match=message):
        rules.require({"human": text}, agreed, kind)

"""How much of each class is found, beside other models."""

import numpy as np
import pytest

from pipeline.features.target import Classes, Quantity
from pipeline.judgement.by_class import by_class
from tests.judgement.made import case

THREE = Classes(column="y", classes=["a", "b", "c"])


def one_hot(*said: int) -> np.ndarray:
    return np.eye(3)[list(said)]


def test_it_is_the_recall_of_each_class_that_has_rows() -> None:
    y_N = np.array([0, 0, 0, 0, 1, 1])
    answers = {"candidate": one_hot(0, 0, 0, 1, 1, 0), "champion": one_hot(0, 0, 1, 1, 1, 1)}

    found = by_class(case(THREE, y_N, answers))

    assert found is not None
    assert [(one.name, one.rows, one.found) for one in found] == [
        ("a", 4, {"candidate": 0.75, "champion": 0.5}),
        ("b", 2, {"candidate": 0.5, "champion": 1.0}),
    ]
    assert [one.paired[0].difference for one in found] == [pytest.approx(0.25), pytest.approx(-0.5)]
    assert all(pair.low <= pair.difference <= pair.high for one in found for pair in one.paired)


def test_a_class_of_one_row_is_no_division_by_nothing() -> None:
    y_N = np.zeros(50, dtype=np.int64)
    y_N[7] = 1

    found = by_class(case(THREE, y_N, {"candidate": one_hot(*y_N), "champion": one_hot(*np.zeros(50, dtype=int))}))

    assert found is not None
    assert (found[1].paired[0].low, found[1].paired[0].high) == (1.0, 1.0)


def test_a_number_has_no_classes() -> None:
    assert by_class(case(Quantity(column="y", center=0, scale=1), np.zeros(3), {"candidate": np.zeros((3, 1))})) is None

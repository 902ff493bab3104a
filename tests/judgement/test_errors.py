"""Single answers that are wrong: which rows, what for what, and how often sure."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import confusion_matrix

from pipeline.features.target import Classes, Quantiles, Quantity, Tags, Target
from pipeline.judgement.case import Case
from pipeline.judgement.errors import PAIRS, SURE, WORST, errors
from tests.judgement.made import case
from tests.judgement.parts import SHOPS, with_rows

THREE = Classes(column="y", classes=["a", "b", "c"])
RANDOM = np.random.default_rng(0)
P_NK = RANDOM.dirichlet([0.4, 0.4, 0.4], 300)
Y_N = np.array([RANDOM.choice(3, p=p_K) for p_K in P_NK])


def named(target: Target, y_N: np.ndarray, a_NK: np.ndarray) -> Case:
    rows = pl.DataFrame({"shop": ["x"] * len(y_N), "size": [1.0] * len(y_N)})
    return with_rows(case(target, y_N, {"candidate": a_NK}, candidate=0.5), SHOPS, rows, rows)


def test_pairs_are_those_of_the_confusion_matrix() -> None:
    told = errors(named(THREE, Y_N, P_NK))

    counted = confusion_matrix(Y_N, P_NK.argmax(axis=1))
    expected = {("abc"[i], "abc"[j]): counted[i, j] for i in range(3) for j in range(3) if i != j and counted[i, j]}
    assert {(one.truth, one.said): one.rows for one in told.confused} == expected
    assert [one.rows for one in told.confused] == sorted(expected.values(), reverse=True)
    rows_of = dict(zip("abc", np.bincount(Y_N), strict=True))
    assert told.confused[0].share == pytest.approx(told.confused[0].rows / rows_of[str(told.confused[0].truth)])
    assert told.wrong == sum(expected.values())


def test_the_worst_rows_are_the_most_confident_errors() -> None:
    told = errors(named(THREE, Y_N, P_NK))

    p_true_N = P_NK[np.arange(300), Y_N]
    wrong = np.flatnonzero(P_NK.argmax(axis=1) != Y_N)
    expected = wrong[np.argsort(p_true_N[wrong], kind="stable")][:WORST]
    assert [one.row for one in told.worst] == [str(row) for row in expected]
    assert told.worst[0].said != told.worst[0].truth
    assert told.worst[0].confidence == pytest.approx(P_NK[expected[0]].max())


def test_sure_answers_are_counted_beside_what_they_promise() -> None:
    told = errors(named(THREE, Y_N, P_NK))

    sure_N = P_NK.max(axis=1) >= SURE
    assert told.sure is not None
    assert (told.sure.rows, told.sure.wrong) == (sure_N.sum(), (sure_N & (P_NK.argmax(axis=1) != Y_N)).sum())
    assert told.sure.expected == pytest.approx((1 - P_NK.max(axis=1)[sure_N]).sum())
    assert f"{told.sure.rows} answers given with 90% or more" in told.words


def test_tags_are_confused_where_one_is_missed_and_another_told() -> None:
    y_NK = np.array([[1, 0], [1, 0], [0, 1], [0, 0], [1, 1]], dtype=np.bool_)
    p_NK = np.array([[0.1, 0.9], [0.9, 0.1], [0.1, 0.2], [0.8, 0.1], [0.9, 0.9]])
    target = Tags(column="y", written=";", classes=["a", "b"], rare=[])

    told = errors(named(target, y_NK, p_NK))

    assert {(one.truth, one.said): (one.rows, one.worst) for one in told.confused} == {
        ("a", "b"): (1, ["0"]),
        ("b", None): (1, ["2"]),
        (None, "a"): (1, ["3"]),
    }
    assert (told.wrong, told.sure) == (3, None)
    assert (told.worst[0].truth, told.worst[0].said) == ("a", "b")


def test_numbers_are_furthest_off_in_their_worst_rows() -> None:
    told = errors(
        named(Quantity(column="y", center=0, scale=1), np.array([1.0, 2.0, 3.0]), np.array([[1], [9], [3.5]]))
    )

    assert [(one.row, one.truth, one.said, one.loss) for one in told.worst] == [
        ("1", "2", "9", 7),
        ("2", "3", "3.5", 0.5),
    ]
    assert (told.wrong, told.words, told.confused) == (None, "", [])


def test_of_quantiles_a_miss_counts_by_how_narrow_was_told() -> None:
    target = Quantiles(column="y", center=0, scale=1, quantiles=[0.1, 0.5, 0.9])

    told = errors(named(target, np.array([3.0, 10.0]), np.array([[-0.1, 0.0, 0.1], [-50.0, 0.0, 50.0]])))

    assert [one.row for one in told.worst] == ["0", "1"]
    assert told.worst[0].loss < told.worst[1].loss


def test_all_right_is_no_error() -> None:
    told = errors(named(THREE, np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])))

    assert (told.wrong, told.worst, told.confused) == (0, [], [])
    assert told.words == "Of 2 rows of test 0 are answered wrongly."


def test_no_more_pairs_are_told_than_one_reads() -> None:
    many = Classes(column="y", classes=[str(k) for k in range(8)])
    y_N = RANDOM.integers(0, 8, 500)

    assert len(errors(named(many, y_N, RANDOM.dirichlet(np.ones(8), 500))).confused) == PAIRS

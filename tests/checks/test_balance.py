"""Balance: rare classes, a label of one class, classes that only one side has."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest

from pipeline.checks.balance import (
    CHECKS,
    ClassAbsent,
    ClassImbalance,
    NewLabel,
    RareClass,
    SingleClassTarget,
    effective_rows,
)
from pipeline.labels.target import classes_of
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]


def one_class(parts: int) -> Table:
    return made({"x": list(range(30)), "y": ["yes"] * 30}, parts=parts)


def few(parts: int) -> Table:
    return made({"x": list(range(100)), "y": ["yes", "no"] * 48 + ["rare"] * 4}, parts=parts)


def unseen(parts: int) -> Table:
    """`rare` is new, `gone` is absent."""
    return replace(few(parts), reference=made({"x": list(range(40)), "y": ["yes", "no", "no", "gone"] * 10}))


PLANTED: dict[str, Callable[[int], Table]] = {
    "class_imbalance": few,
    "single_class_target": one_class,
    "rare_class": few,
    "new_label": unseen,
    "class_absent": unseen,
}


def test_a_class_below_the_share_is_told(make: Make) -> None:
    (hit,) = hits(ClassImbalance(), make({"x": [1] * 20, "y": [True] + [False] * 19}, parts=3))

    assert (hit.column, hit.rows, hit.observed) == ("y", 1, 0.05)
    assert "class true of y" in hit.message


def test_balanced_classes_are_not_told(make: Make) -> None:
    assert list(hits(ClassImbalance(), make({"x": [1, 2, 3], "y": [True, False, None]}))) == []


def test_the_share_is_of_the_labelled_rows(make: Make) -> None:
    table = make({"x": [1] * 8, "y": [True, False, *[None] * 6]})

    assert list(hits(ClassImbalance(minimum_share=0.4), table)) == []


def test_a_label_of_one_class_is_an_error(make: Make) -> None:
    (hit,) = hits(SingleClassTarget(), make({"x": [1, 2, 3], "y": ["no", "no", None]}))

    assert (hit.observed, hit.severity) == (1, "error")
    assert "(no)" in hit.message


def test_a_label_without_a_value_is_an_error(make: Make) -> None:
    (hit,) = hits(SingleClassTarget(), make({"x": [1, 2], "y": pl.Series([None, None], dtype=pl.Boolean)}))

    assert hit.observed == 0


def test_two_classes_are_enough(make: Make) -> None:
    assert list(hits(SingleClassTarget(), make({"x": [1, 2], "y": [0, 1]}, parts=2))) == []


def test_a_label_may_have_any_name(make: Make) -> None:
    table = make({"len": [1, 2], "y": [True, True]})

    assert len(list(hits(SingleClassTarget(), table))) == 1


def test_many_classes_of_one_size_are_balanced(make: Make) -> None:
    assert list(hits(ClassImbalance(), make({"x": [1] * 400, "y": [f"c{i % 40}" for i in range(400)]}))) == []


def test_rare_classes_are_told_together_with_effective_rows(make: Make) -> None:
    y = ["often"] * 20_000 + ["seldom"] * 100 + ["rare"] * 20

    (hit,) = hits(ClassImbalance(), make({"y": y}))

    assert (hit.rows, hit.observed) == (120, 20 / 20_020)
    assert "2 classes of y" in hit.message
    assert "432.7 to 1" in hit.message  # 8646.7 / 19.98


def test_effective_rows_are_those_of_cui() -> None:
    """(1 - beta ** n) / (1 - beta): one row is one, and 5,000 of CIFAR-10 at beta 0.9999 are 3,935."""
    assert effective_rows(1) == pytest.approx(1)
    assert round(effective_rows(5_000)) == 3_935


def test_rows_of_a_rare_class_are_told() -> None:
    (hit,) = hits(RareClass(), few(3))

    assert (hit.rows, hit.observed) == (4, 4)
    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == [f"rows#{i}" for i in range(96, 100)]


def test_in_a_small_table_no_class_is_rare(make: Make) -> None:
    assert hits(RareClass(), make({"y": ["yes", "no", "no"]})) == []


def test_classes_on_one_side_alone_are_told() -> None:
    (new,) = hits(NewLabel(), unseen(1))
    (gone,) = hits(ClassAbsent(), unseen(1))

    assert (new.rows, new.observed) == (4, 1)
    assert "class rare of y has 4 rows" in new.message
    assert (gone.observed, gone.severity) == (1, "warning")
    assert "gone (10 rows)" in gone.message


def test_a_class_that_is_absent_by_chance_is_worth_knowing(make: Make) -> None:
    there = make({"y": ["yes", "no"] * 100 + ["seldom"]})

    (hit,) = hits(ClassAbsent(), replace(make({"y": ["yes", "no"] * 20}), reference=there))

    assert hit.severity == "info"


def test_the_same_classes_are_not_told(make: Make) -> None:
    table = replace(make({"y": ["yes", "no", None]}), reference=make({"y": ["no", "yes"]}))

    assert hits(NewLabel(), table) == hits(ClassAbsent(), table) == []


@pytest.mark.parametrize(
    "y",
    [
        [i / 7 for i in range(100)],
        list(range(100)),
        [datetime(2024, 1, 1 + i % 28) for i in range(100)],
        [f"name {i}" for i in range(100)],
    ],
)
def test_a_label_that_is_no_class_is_skipped(make: Make, y: list[object]) -> None:
    for asked in CHECKS:
        (said,) = asked().hits(replace(make({"y": y}), reference=make({"y": y})))
        assert isinstance(said, Skipped)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        ([1, 0, 1, None], {"0": 1, "1": 2}),
        ([0.0, 1.0, math.nan, 1.0], {"0.0": 1, "1.0": 2}),
        ([-1, 1, -1], {"-1": 2, "1": 1}),
        ([3, 4, 5, 6] * 5, {"3": 5, "4": 5, "5": 5, "6": 5}),
        ([True, False, None], {"false": 1, "true": 1}),
    ],
)
def test_classes_are_counted_as_text(make: Make, y: list[object], classes: dict[str, int]) -> None:
    assert classes_of(make({"y": y}, parts=2)) == classes


def test_a_measured_label_of_one_value_is_nothing_to_learn(make: Make) -> None:
    (hit,) = hits(SingleClassTarget(), make({"x": [1, 2, 3], "y": [2.5, 2.5, None]}))

    assert "one value (2.5)" in hit.message


def test_a_label_that_is_stated_to_be_a_number_has_no_classes(make: Make) -> None:
    table = make({"y": [3, 4, 5, 6] * 10})
    (label,) = table.contract.columns
    stated = replace(table, contract=replace(table.contract, columns=(replace(label, modality="numeric"),)))

    assert classes_of(table) == {"3": 10, "4": 10, "5": 10, "6": 10}
    assert isinstance(classes_of(stated), Skipped)

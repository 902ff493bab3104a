"""Records: how alike they are, what their agreement says, and which pairs are one thing."""

import random

import numpy as np
import polars as pl
import pytest

from pipeline.similar.linkage import linked
from pipeline.similar.records import ABSENT, AKIN, CLOSE, OTHER, SAME, Records, candidates, compared, levels_of


def levels(one: list[str | None], other: list[str | None]) -> list[int]:
    """The levels of two rows of names, among rows in which each field has a value twice."""
    rows = pl.DataFrame(
        [one, other, ["x", "x"], ["x", "x"]],
        schema=["a", "b"],
        orient="row",
        schema_overrides={"a": pl.String, "b": pl.String},
    )
    found: list[int] = levels_of(compared(Records.of(rows), np.array([0]), np.array([1])))[0].tolist()
    return found


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (["anna", "meyer"], ["anna", "meier"], [SAME, CLOSE]),  # 1 edit in 5: similarity 0.8
        (["anna", "meyer"], ["nana", "mxyzr"], [CLOSE, AKIN]),  # letters swapped: 1 edit in 4; 2 in 5: 0.6
        (["anna", "meyer"], ["otto", None], [OTHER, ABSENT]),
        (["anna", "meyer"], ["meyer", "anna"], [CLOSE, CLOSE]),
    ],
)
def test_two_values_are_the_same_close_akin_other_or_unknown(
    one: list[str | None], other: list[str | None], expected: list[int]
) -> None:
    assert levels(one, other) == expected


def test_two_frequent_values_that_look_alike_are_two_values() -> None:
    rows = pl.DataFrame({"a": ["AMI-1", "AMI-2"] * 3, "b": ["x", "y", "z"] * 2})

    assert levels_of(compared(Records.of(rows), np.array([0]), np.array([1])))[0, 0] == OTHER


def test_pairs_that_share_a_rare_value_or_two_values_swapped_are_compared() -> None:
    rows = pl.DataFrame({"a": ["p", "q", "r", "p", "t", "q"], "b": ["u", "p", "w", "x", "w", "z"]})

    pairs = {(int(a), int(b)) for a, b in zip(*candidates(Records.of(rows)), strict=True)}

    assert {(0, 3), (1, 5), (2, 4)} <= pairs
    assert (0, 2) not in pairs


def test_fields_that_never_repeat_or_never_vary_say_nothing() -> None:
    rows = pl.DataFrame(
        {"number": ["1", "2", "3"], "kind": ["a", "a", "a"], "none": [None, None, None]},
        schema_overrides={"none": pl.String},
    )

    assert linked(rows, 0.9, 0.5).is_empty()
    assert linked(rows.clear(), 0.9, 0.5).is_empty()


def test_a_match_by_chance_is_told_from_one_by_its_probability() -> None:
    drawn = random.Random(1)
    fields = {name: [f"{name}{drawn.randrange(60)}" for _ in range(400)] for name in "abcde"}
    for name in fields:
        fields[name] += [
            value if drawn.random() < 0.9 else f"{name}{drawn.randrange(60)}" for value in fields[name][:40]
        ]

    found = linked(pl.DataFrame(fields), 0.9, 0.5)

    right = found.filter(pl.col("second") - pl.col("first") == 400)
    assert right.height / found.height >= 0.9  # as the probability promises
    assert right.height >= 30
    assert found["probability"].min() == pytest.approx(1, abs=0.1)
    assert found.select((pl.col("first") < pl.col("second")).all()).item()

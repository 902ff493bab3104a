"""Spelling: slips of frequent values are told, right values that are near each other are not."""

from collections.abc import Callable

import pytest

from pipeline.checks.spelling import StringTypos, edits, typos
from pipeline.quality.findings import Table

from .cells import told
from .conftest import made

Make = Callable[..., Table]


def towns(parts: int = 1) -> Table:
    rows = ["Birmingham"] * 40 + ["Huntsville"] * 30 + ["Mobile"] * 20
    return made({"town": [*rows, "Birmimgham", "Hnutsville", "Mobil", None]}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {"string_typos": towns}


def test_slips_come_with_the_frequent_value() -> None:
    assert told(StringTypos(), towns()) == {
        "town": [(90, "Birmimgham", "Birmingham"), (91, "Hnutsville", "Huntsville"), (92, "Mobil", "Mobile")]
    }


def test_numbers_are_kept_and_a_slip_beside_one_is_not_mended(make: Make) -> None:
    values = [f"{i} patients" for i in range(40)] + ["61 patixnts", "3x patients"]

    assert told(StringTypos(), make({"n": values})) == {
        "n": [(40, "61 patixnts", "61 patients"), (41, "3x patients", None)]
    }


@pytest.mark.parametrize(
    "values",
    [
        ["scip-1"] * 40 + ["scip-2"],  # a digit is no slip
        ["al"] * 40 + ["ak"],  # too short to tell
        ["INLAND"] * 60 + ["NEAR BAY"] * 50 + ["ISLAND"] * 5,  # one value that repeats is one of its own
        [f"al {w}" for w in ("heart", "lungs", "brain")] * 20 + [f"ak {w}" for w in ("heart", "lungs", "brain")],
        ["Iowa"] * 20,
        [None, None],
    ],
)
def test_right_values_are_no_slips(make: Make, values: list[str | None]) -> None:
    assert told(StringTypos(), make({"s": values})) == {}


def test_where_right_values_are_near_each_other_nearness_says_nothing() -> None:
    codes = [f"{a}{b}{c}x" for a in "abcde" for b in "abcde" for c in "abcde"]

    assert typos(dict.fromkeys(codes[:60], 50) | dict.fromkeys(codes[60:], 1), ratio=10, maximum_false_share=0.1) == {}


def test_a_slip_that_stands_in_many_rows_is_no_right_value() -> None:
    right = {"Ideal": 4000, "Premium": 3000, "Very Good": 2000, "Good": 1000}
    slips = {f"Ide{letter}l": 12 for letter in "bcdefgh"} | {f"Pre{letter}ium": 12 for letter in "bcdefgh"}

    assert set(typos(right | slips, ratio=10, maximum_false_share=0.1)) == set(slips)


def test_edits_are_those_of_lucene_and_a_tenth_beyond() -> None:
    # "AUTO": 1 edit for 3 to 5 characters, 2 beyond (Elasticsearch reference, fuzziness)
    assert [edits("x" * size) for size in (3, 5, 6, 20, 40)] == [1, 1, 2, 2, 4]

"""One column follows from another: how it is measured, and what it expects."""

import polars as pl
import pytest

from pipeline.checks.rules import Rule, gathered, mu, unlike

PAIRS = [("z1", "a", 10), ("z2", "b", 8), ("z2", "c", 1), ("z3", "a", 5), ("z4", "b", 2), ("z1", None, 2)]


def pairs(rows: list[tuple[str, str | None, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"key": pl.String, "value": pl.String, "rows": pl.Int64}, orient="row")


def test_mu_is_that_of_its_definition() -> None:
    # by hand: pdep(key → value) = (8 + 2) / 15 * ... over groups a: 8+2, b: 5 → (64+4)/10 + 25/5 = 11.8 of 15;
    # pdep(value) = (8/15)² + (7/15)²; mu+ = 1 - (1 - 11.8/15) / (1 - 113/225) * 14/13
    table = pairs([("a", "x", 8), ("a", "y", 2), ("b", "y", 5)])

    assert mu(table) == pytest.approx(1 - (1 - 11.8 / 15) / (1 - 113 / 225) * 14 / 13)


@pytest.mark.parametrize("rows", [[("a", "x", 5), ("b", "x", 5)], [("a", "x", 1), ("b", "y", 1)], []])
def test_a_constant_a_key_and_nothing_show_no_dependency(rows: list[tuple[str, str | None, int]]) -> None:
    assert mu(pairs(rows)) == 0.0


def test_independent_columns_have_mu_near_zero() -> None:
    assert mu(pairs([(key, value, 25) for key in "abcd" for value in "xyz"])) == 0.0


def test_a_rule_knows_its_leading_values_and_who_breaks_them() -> None:
    rule = Rule.of("zip", "city", pairs(PAIRS))

    assert rule.expected == {"z1": "a", "z2": "b"}
    assert (rule.share, rule.astray, rule.repeats) == (23 / 24, 0.0, 21)


def test_rows_that_leave_their_group_are_astray_where_they_are_gathered() -> None:
    """Poisson's chance of four rows or more where 0.2 are expected is 5.7e-5, of two where two are 0.59 (scipy)."""
    sold = pl.DataFrame({"value": ["b"], "size": [50], "rows": [4]})
    spread = pl.DataFrame({"value": ["b"] * 5, "size": [200] * 5, "rows": [2] * 5})

    assert gathered(sold, 1000).equals(sold)
    assert gathered(spread, 1000).is_empty()
    assert gathered(sold.with_columns(rows=1), 10**9).is_empty()  # one row is gathered nowhere
    assert gathered(sold.clear(), 0).is_empty()


def test_a_rule_counts_gathered_rows_alone_as_astray() -> None:
    sound: list[tuple[str, str | None, int]] = [(f"k{i}", f"v{i}", 20) for i in range(4, 18)]
    gathered_: list[tuple[str, str | None, int]] = [("k0", "v0", 16), ("k0", "v9", 4)]
    spread: list[tuple[str, str | None, int]] = [
        pair for i in range(4) for pair in ((f"k{i}", f"v{i}", 19), (f"k{i}", "v9", 1))
    ]

    few, many = (Rule.of("k", "v", pairs([*sound, *others])) for others in (gathered_, spread))
    assert (few.astray, few.share) == (4 / 300, 1.0)  # accepted, as they repeat
    assert (many.astray, many.share) == (0.0, 1.0)


OTHERS: list[tuple[str, str | None, int]] = [(f"q{i}", f"c{i}", 20) for i in range(10)]


@pytest.mark.parametrize(
    ("carriers", "expected"),
    [
        ([("p1", "EV", 40), ("p1", "c1", 1)], {"p1": "EV"}),  # one row in forty is a slip
        ([("p1", "EV", 40), ("p1", "c1", 3)], {}),  # three are a plane that was sold
        ([("p1", "EV", 7), ("p1", "c1", 1)], {}),  # so may be one in eight
        ([("p1", "EV", 7), ("p1", "EX", 1)], {"p1": "EV"}),  # but not to a carrier that no plane has
    ],
)
def test_a_right_value_in_another_place_is_wrong_where_it_stands_alone(
    carriers: list[tuple[str, str | None, int]], expected: dict[str, str]
) -> None:
    assert Rule.of("plane", "carrier", pairs([*carriers, *OTHERS])).expected == expected


def test_a_few_groups_do_not_call_a_right_value_wrong() -> None:
    rows: list[tuple[str, str | None, int]] = [("p1", "EV", 40), ("p1", "UA", 1), ("p2", "UA", 30)]

    assert Rule.of("plane", "carrier", pairs(rows)).expected == {}


def test_accepted_pairs_are_kept_beside_what_is_expected() -> None:
    rule = Rule.of("plane", "carrier", pairs([("p1", "EV", 40), ("p1", "c1", 3), ("p1", "c2", 1), *OTHERS]))

    assert (rule.expected, rule.accepted) == ({"p1": "EV"}, ["p1\x1fc1"])


def test_slips_are_not_unlike() -> None:
    wrong = pl.DataFrame({"value": ["Bostxn", "Boston MA", "Austin"], "top": ["Boston"] * 3})

    assert unlike(wrong)["value"].to_list() == ["Austin"]

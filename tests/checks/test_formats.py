"""How values are written: blanks around, zeros lost, mails and JSON, and the pattern of codes."""

from collections.abc import Callable

import pytest

from pipeline.checks.formats import (
    JsonParseable,
    LeadingZerosLost,
    PatternOutlier,
    SemanticFormat,
    SurroundingWhitespace,
    is_json,
)
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .cells import prose, told
from .conftest import made

Make = Callable[..., Table]


def blanks(parts: int = 1) -> Table:
    return made({"s": ["a", "b"] * 10 + [" a", "b\t", "c\u00a0", None]}, parts=parts)


def zips(parts: int = 1) -> Table:
    return made({"zip": ["90210", "10001", "60601"] * 10 + ["1907", None], "n": [1] * 32}, parts=parts)


def mails(parts: int = 1) -> Table:
    return made({"mail": [f"p{i}@example.org" for i in range(60)] + ["p61 at example", "n/a", None]}, parts=parts)


def documents(parts: int = 1) -> Table:
    return made({"j": [f'{{"a": {i}}}' for i in range(60)] + ['{"a": ', None]}, parts=parts)


def codes(parts: int = 1) -> Table:
    return made({"code": [f"AB-{i:03}" for i in range(200)] + ["AB#201", "AB-2O2", "?", None]}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {
    "surrounding_whitespace": blanks,
    "leading_zeros_lost": zips,
    "semantic_format": mails,
    "json_parseable": documents,
    "pattern_outlier": codes,
}


def test_blanks_around_are_told_and_stripped() -> None:
    assert told(SurroundingWhitespace(), blanks()) == {"s": [(20, " a", "a"), (21, "b\t", "b"), (22, "c\u00a0", "c")]}


def test_blanks_around_all_cells_are_one_way_of_writing_the_file(make: Make) -> None:
    (hit,) = hits(SurroundingWhitespace(), make({"a": [" x", " y"] * 5, "b": [" z"] * 10, "c": ["w"] * 10}))

    assert (hit.column, hit.severity, hit.observed) == (None, "info", 2)


def test_lost_zeros_are_put_back_in_text_and_numbers(make: Make) -> None:
    assert told(LeadingZerosLost(), zips()) == {"zip": [(30, "1907", "01907")]}
    assert told(LeadingZerosLost(), make({"ZIP": [90210] * 30 + [501]})) == {"ZIP": [(30, "501", "00501")]}


@pytest.mark.parametrize(
    "rows", [{"zip": ["01907", "90210"] * 20}, {"price": ["90210"] * 30 + ["1907"]}, {"zip": ["1"]}]
)
def test_codes_with_their_zeros_and_numbers_have_lost_none(make: Make, rows: dict[str, list[str]]) -> None:
    assert told(LeadingZerosLost(), make(rows)) == {}


def test_what_is_no_mail_among_mails_is_told_and_masked() -> None:
    (hit,) = hits(SemanticFormat(), mails())

    assert hit.flags is not None and hit.flags["value"].to_list() == ["p61 at example"]
    assert hit.private


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("https://example.org/a?b=1", "htp:/example"),
        ("0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f", "0a1b2c3d-0a1b"),
        ("192.168.0.255", "192.168.0.256"),
        ("2001:db8::1", "2001:db8::zz"),
        ("02:42:ac:11:00:02", "02:42:ac"),
        ("12345-6789", "12345-67"),
        ("+49 30 901820", "+49 call me"),
        ("(212) 555-0100", "212) 555"),
    ],
)
def test_each_format_is_known(make: Make, good: str, bad: str) -> None:
    assert told(SemanticFormat(), make({"s": [good] * 40 + [bad]})) == {"s": [(40, bad, None)]}


def test_words_have_no_format(make: Make) -> None:
    assert told(SemanticFormat(), make({"s": ["a", "b@c"] * 20})) == {}


@pytest.mark.parametrize("span", ["30-34", "2019-2020", "1.5-2.5", "10 20", "0-4"])
def test_spans_of_numbers_are_no_phone_numbers(make: Make, span: str) -> None:
    assert told(SemanticFormat(), make({"s": [span] * 40 + ["other"]})) == {}


@pytest.mark.parametrize(
    "phone",
    ["555-1234", "0171 1234567", "(030) 123456", "+49 30 123456", "212-555-1234", "1 212 555 1234", "044 123 45 67"],
)
def test_phone_numbers_are_told_from_what_is_none(make: Make, phone: str) -> None:
    assert list(told(SemanticFormat(), make({"s": [phone] * 40 + ["other"]}))) == ["s"]


def test_what_does_not_parse_among_json_is_told(make: Make) -> None:
    assert told(JsonParseable(), documents()) == {"j": [(60, '{"a": ', None)]}
    assert told(JsonParseable(), make({"s": ["[unit 5]", "{x"] * 30})) == {}


@pytest.mark.parametrize(
    ("text", "is_one"), [("[1, 2]", True), ("[NaN]", False), ("[" * 100_000, False), ('{"a":1,}', False), ("[]", True)]
)
def test_json_is_that_of_rfc_8259(text: str, is_one: bool) -> None:
    assert is_json(text) is is_one


def test_what_breaks_the_pattern_of_codes_is_told() -> None:
    assert told(PatternOutlier(), codes()) == {"code": [(200, "AB#201", None), (201, "AB-2O2", None)]}


@pytest.mark.parametrize(
    "values",
    [
        [f"{word} {i}" for i in range(50) for word in ("a b", "c", "d e f", "g-h")] + ["x/1"],  # many forms
        ["red", "green", "light blue"] * 50 + ["x-ray"],  # words
        ["N1", "N12A"] * 90 + ["N1-B"] * 6,  # a form that is merely rarer
        ["A-1"] * 30 + ["B2"],  # too few to tell
    ],
)
def test_words_and_rarer_forms_break_no_pattern(make: Make, values: list[str]) -> None:
    assert told(PatternOutlier(), make({"s": values})) == {}


def test_codes_of_letters_have_one_length(make: Make) -> None:
    assert told(PatternOutlier(), make({"s": ["AK", "OR", "TX"] * 60 + ["AK-*"]})) == {"s": [(180, "AK-*", None)]}


def test_free_text_has_no_format() -> None:
    assert told(PatternOutlier(), prose([f"a-{i}" for i in range(200)] + ["b"])) == {}
    assert list(LeadingZerosLost().hits(prose(["1"]))) == [Skipped(why="no column is named as a code of fixed width")]

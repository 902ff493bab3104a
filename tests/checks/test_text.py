"""Characters: lost bytes, misread encodings, unseen signs, markup, escapes, signs alone."""

import json
from collections.abc import Callable

import pytest

from pipeline.checks.text import (
    ControlCharacters,
    EscapeResidue,
    InvalidUtf8,
    Markup,
    Mojibake,
    SpecialCharactersOnly,
    recoded,
    unescaped,
)
from pipeline.quality.findings import Check, Table
from pipeline.quality.inspection import hits

from .cells import prose, told
from .conftest import made

Make = Callable[..., Table]
CLEAN = [
    "Ângela",
    "São Paulo",
    "Ãó",
    "naïve, yes",
    "it's",
    "A&B; C",
    "5 < 6 > 4",
    "a\tb\nc",
    "C:\\new",
    "日本",
    "👍🏽",
    "O'Neil",
]


def damaged(parts: int = 1) -> Table:
    lines = [
        "caf\ufffd",
        "cafÃ© SÃ£o",
        "zero\u200bwidth",
        "<b>bold</b> &amp; more",
        "O''Brien",
        "***",
        None,
        "fine",
    ]
    return made({"s": [*lines, *(f"word {i}" for i in range(20))]}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = dict.fromkeys(
    (check.name for check in (InvalidUtf8, Mojibake, ControlCharacters, Markup, EscapeResidue, SpecialCharactersOnly)),
    damaged,
)


@pytest.mark.parametrize(
    ("check", "cell"),
    [
        (InvalidUtf8(), (0, "caf\ufffd", None)),
        (Mojibake(), (1, "cafÃ© SÃ£o", "café São")),
        (ControlCharacters(), (2, "zero\u200bwidth", "zerowidth")),
        (Markup(), (3, "<b>bold</b> &amp; more", "bold & more")),
        (EscapeResidue(), (4, "O''Brien", "O'Brien")),
        (SpecialCharactersOnly(), (5, "***", None)),
    ],
)
def test_damage_is_told_and_mended_where_it_can_be(check: Check, cell: tuple[int, str, str | None]) -> None:
    assert told(check, damaged()) == {"s": [cell]}


@pytest.mark.parametrize(
    "check", [InvalidUtf8(), Mojibake(), ControlCharacters(), Markup(), EscapeResidue(), SpecialCharactersOnly()]
)
@pytest.mark.parametrize("make_table", [lambda texts: made({"s": texts}), prose])
def test_text_of_any_language_is_no_damage(check: Check, make_table: Callable[[list[str]], Table]) -> None:
    assert told(check, make_table(CLEAN * 3)) == {}


def test_codes_of_windows_become_its_signs() -> None:
    assert told(ControlCharacters(), prose(["it\x92s", "plain"])) == {"words": [(0, "it\x92s", "it’s")]}  # noqa: RUF001


def test_lost_bytes_are_an_error_and_signs_in_free_text_worth_knowing() -> None:
    assert [hit.severity for hit in hits(InvalidUtf8(), damaged())] == ["error"]
    assert [hit.severity for hit in hits(SpecialCharactersOnly(), prose(["!!!", *"abcdefghijklm"]))] == ["info"]


def test_a_column_of_signs_and_markers_of_nothing_are_no_special_characters(make: Make) -> None:
    rows = {"s": ["***", "**", "*"] * 10, "m": ["?", "-", "a"] + ["b"] * 27}

    assert told(SpecialCharactersOnly(), make(rows)) == {}


@pytest.mark.parametrize(("value", "mended"), [("cafÃ©", "café"), ("BjÃ¶rk", "Björk"), ("Ã", None), ("café", None)])
def test_only_what_is_utf8_again_is_recoded(value: str, mended: str | None) -> None:
    assert recoded(value) == mended


@pytest.mark.parametrize(
    ("value", "plain"), [("O\\'Neil", "O'Neil"), ("caf\\u00e9", "café"), ("\\x07", None), ("a '' b", None)]
)
def test_escapes_are_undone_where_they_mean_a_letter(value: str, plain: str | None) -> None:
    assert unescaped(value) == plain


def test_what_json_escapes_is_left_to_it() -> None:
    cells = [json.dumps({"name": f"caf\u00e9 {i}", "page": "<b>x</b>"}) for i in range(40)]

    assert told(EscapeResidue(), made({"j": cells})) == told(Markup(), made({"j": cells})) == {}
    assert len(told(EscapeResidue(), made({"j": [cell.strip("{}") for cell in cells]}))["j"]) == 40

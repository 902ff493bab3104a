"""Checks of characters: text that was damaged on its way, and signs that do not belong into text."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from pipeline.checks.values import Values, every, is_marker, is_prose, rows_in, shown, text, texts
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Severity, Skipped, Table

# what UTF-8 becomes when its bytes are read as Windows-1252 or Latin-1: a lead byte and its continuations
MOJIBAKE = r"[ÂÃÅÐÑØÙ][\u0080-\u00BFŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]|â[\u0080-\u0082€‚][\u0080-\u00BF“”‘’˜¦¢™œž]"  # noqa: RUF001
CONTROL = r"[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u200B\u2028-\u202E\u2060-\u2069\uFEFF]"
MARKUP = (
    r"(?i)</?(?:a|b|i|u|p|br|div|span|em|strong|ul|ol|li|table|tr|td|h[1-6]|img|script|font|html|body)(?:\s[^<>]*)?/?>"
    r"|&(?:[a-z]{2,8}|#\d{1,6}|#x[0-9a-f]{1,6});"
)
JSON = r"^\s*[\[{]"  # its escapes, and the markup in its texts, are its own
NEVER = r"[^\s\S]"
ESCAPES = r"\p{L}(?:''|\\+'|\\+\"|\"\")\p{L}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\p{L}(?:%20|\\r\\n|\\n)\p{L}"
TAG, ESCAPED_QUOTE = re.compile(r"</?[A-Za-z][^<>]*>"), re.compile(r"(?<=[^\W\d_])(?:''|\\+')(?=[^\W\d_])")
ESCAPED_CODE = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")


@dataclass(frozen=True, kw_only=True)
class InvalidUtf8:
    """Which cells hold the sign � that a reader puts where bytes were no UTF-8?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "invalid_utf8"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: U+FFFD stands for bytes that are lost (Unicode 16, 3.9)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        def ask(values: Values) -> Iterator[Hit]:
            yield from damaged(
                self.name, values, "\ufffd", "holds the sign �, for bytes that were no UTF-8,", severity="error",
                suggestion="the letters are lost: export the data again as UTF-8, or read them in their own encoding",
            )  # fmt: skip

        yield from every(table, texts(table), ask)


@dataclass(frozen=True, kw_only=True)
class Mojibake:
    """Which cells hold UTF-8 that was read as another encoding (`cafÃ©`)? What it was is suggested."""

    policy: Policy = "warn"
    name: ClassVar[str] = "mojibake"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "no threshold: only text that is UTF-8 again after the round trip through one encoding"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        def ask(values: Values) -> Iterator[Hit]:
            yield from damaged(
                self.name, values, MOJIBAKE, "holds letters that were read in a wrong encoding",
                suggestion="read the source as UTF-8; the policy `repair` mends these cells",
                mend=recoded, only_mended=True,
            )  # fmt: skip

        yield from every(table, texts(table), ask)


@dataclass(frozen=True, kw_only=True)
class ControlCharacters:
    """Which cells hold characters that are not seen: control codes, zero-width spaces, marks of direction?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "control_characters"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "no threshold: Unicode's Cc but tab and line ends, and format characters outside words"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        def ask(values: Values) -> Iterator[Hit]:
            yield from damaged(
                self.name, values, CONTROL, "holds characters that are not seen",
                suggestion="strip them: texts that look equal differ by them; the policy `repair` does",
                mend=seen,
            )  # fmt: skip

        yield from every(table, texts(table), ask)


@dataclass(frozen=True, kw_only=True)
class Markup:
    """Which cells hold HTML: tags or entities such as `&amp;`? The plain text is suggested."""

    policy: Policy = "warn"
    name: ClassVar[str] = "markup"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "no threshold: the tags of running text, and entities with their semicolon (HTML 4)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        def ask(values: Values) -> Iterator[Hit]:
            yield from damaged(
                self.name, values, MARKUP, "holds HTML", but=JSON,
                suggestion="take the plain text; the policy `repair` does",
                mend=lambda value: html.unescape(TAG.sub("", value)),
            )  # fmt: skip

        yield from every(table, texts(table), ask)


@dataclass(frozen=True, kw_only=True)
class EscapeResidue:
    r"""Which cells hold escapes that should have been undone (`O''Brien`, `O\'Brien`, `\u00e9`)?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "escape_residue"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "no threshold: quotes doubled or escaped between letters, and codes of characters"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        def ask(values: Values) -> Iterator[Hit]:
            yield from damaged(
                self.name, values, ESCAPES, "holds escapes that were not undone", but=JSON,
                suggestion="export the source without a second escaping; the policy `repair` undoes it",
                mend=unescaped, only_mended=False,
            )  # fmt: skip

        yield from every(table, texts(table), ask)


@dataclass(frozen=True, kw_only=True)
class SpecialCharactersOnly:
    """Which cells hold signs alone, no letter and no digit (`***`), and are no known marker of a missing value?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "special_characters_only"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold; silent where over one cell in ten is so: there signs are the values"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, texts(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        value = pl.col("value")
        bare = ~value.str.contains(r"[\p{L}\p{N}\p{So}]") & ~is_marker(value)  # a picture (So) says something
        found = values.counts.filter(bare)
        if found.height and rows_in(found) <= 0.1 * values.rows:
            yield values.hit(
                self.name,
                found["value"],
                message=f"{values.name} holds signs alone, no letter or digit, in {HIT_ROWS}: " + shown(found["value"]),
                suggestion="if they stand for `not known`, list them under `ingest.null_values` in params.yaml",
                severity="info" if is_prose(values.column) else "warning",
            )


CHECKS = (InvalidUtf8, Mojibake, ControlCharacters, Markup, EscapeResidue, SpecialCharactersOnly)


def damaged(
    check: str,
    values: Values,
    pattern: str,
    words: str,
    *,
    suggestion: str,
    severity: Severity = "warning",
    mend: Callable[[str], str | None] | None = None,
    only_mended: bool = False,
    but: str = NEVER,
) -> Iterator[Hit]:
    """The hit of the cells in which the pattern is found, and not `but`; with `only_mended`, of what can be mended."""
    found = values.counts.filter(pl.col("value").str.contains(pattern) & ~pl.col("value").str.contains(but))
    mended = {value: new for value in found["value"] if mend and (new := mend(value)) is not None and new != value}
    wrong = found.filter(pl.col("value").is_in(list(mended))) if only_mended else found
    if wrong.height:
        yield values.hit(
            check,
            wrong["value"],
            message=f"{values.name} {words} in {HIT_ROWS}: {shown(wrong['value'])}",
            suggestion=suggestion,
            otherwise=text(values.name).str.contains(pattern) & ~text(values.name).str.contains(but),
            mended=mended,
            severity=severity,
        )


def seen(value: str) -> str:
    """The text without what is not seen; codes that Windows-1252 has a sign for (its quotes, its dashes) become it.

    >>> seen("it\x92s\u200b\x07")
    'it’s'
    """  # noqa: RUF002
    read = re.sub("[\x80-\x9f]", lambda code: code[0].encode("latin-1").decode("cp1252", "ignore"), value)
    return re.sub(CONTROL, "", read)


def recoded(value: str) -> str | None:
    """The text whose UTF-8 was read as Windows-1252 or Latin-1; null where there is none, or nothing is gained.

    >>> recoded("cafÃ©"), recoded("Ângela")
    ('café', None)
    """
    for encoding in ("cp1252", "latin-1"):
        try:
            mended = value.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        return mended if mended != value else None
    return None


def unescaped(value: str) -> str | None:
    r"""The text without the escapes of quotes and codes; null where they mean nothing.

    >>> unescaped("O''Brien"), unescaped("caf\\u00e9")
    ("O'Brien", 'café')
    """
    plain = ESCAPED_QUOTE.sub("'", value)
    plain = ESCAPED_CODE.sub(lambda code: chr(int(code[1] or code[2], 16)), plain)
    return plain if plain != value and plain.isprintable() else None

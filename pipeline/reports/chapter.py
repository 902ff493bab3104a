"""A text of chapters, each of points and a table, as Markdown and as a page. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.reports import document

SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
CODE = re.compile(r"(`[^`]+`)")
BRACKETS = re.compile(r"\([^()]{1,30}\)")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns' names, and rows of as many cells."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """What is said under one title."""

    title: str
    points: Sequence[str] = field(default_factory=list)
    table: Table | None = None


def markdown(title: str, chapters: Sequence[Chapter]) -> str:
    """The text as Markdown, of which text from the data is no part."""
    lines = [f"# {plain(title)}"]
    for chapter in chapters:
        lines += ["", f"## {chapter.title}"]
        if chapter.points:
            lines += ["", *(f"- {plain(point)}" for point in chapter.points)]
        if chapter.table:
            lines += ["", *_table(chapter.table)]
    return "\n".join(lines) + "\n"


def _table(table: Table) -> list[str]:
    rows = [_row(row) for row in (table.head, *table.rows)]
    return [rows[0], _row(["---"] * len(table.head)), *rows[1:]]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell if cell == '---' else plain(cell) for cell in cells)} |"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line; what stands between backticks stays code.

    >>> print(plain("a|b *c* run `keepfit run`"))
    a\\|b \\*c\\* run `keepfit run`
    """
    parts = CODE.split(" ".join(text.split()))
    return "".join(part if CODE.fullmatch(part) and "|" not in part else SPECIAL.sub(r"\\\1", part) for part in parts)


def html(title: str, chapters: Sequence[Chapter]) -> str:
    """The text as one file that works offline."""
    return document.render("card.html.j2", filters={"in_one": in_one}, title=title, chapters=chapters)


def in_one(text: str) -> str:
    """The text with what stands in brackets, such as an interval, kept on one line where there is no room for all.

    >>> in_one("0.62 (0.58 to 0.65)")
    '0.62 (0.58\\xa0to\\xa00.65)'
    """
    return BRACKETS.sub(lambda found: found[0].replace(" ", "\xa0"), text)

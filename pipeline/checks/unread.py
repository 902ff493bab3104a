"""Checks of what was given and is not in the table: uneven lines of a text, other sheets, files of another kind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from pipeline.quality.findings import EXAMPLES, Hit, Policy, Skipped, Table
from pipeline.wording import count


@dataclass(frozen=True, kw_only=True)
class UnevenLines:
    """Which lines of a text table have more or fewer cells than its header, so that they are no rows here?

    They are left out where they are under one in a hundred; more of them are an error of the whole file.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "uneven_lines"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "RFC 4180, section 2: each line should contain the same number of fields"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.uneven:
            yield Hit(
                check=self.name,
                severity="error",
                observed=len(table.uneven),
                threshold=0,
                message=f"{count(len(table.uneven), 'line has', 'lines have')} other cells than the header, and "
                f"{'is' if len(table.uneven) == 1 else 'are'} left out",
                suggestion="mend them: a line was cut, is a footer, or a cell with a separator in it lacks its quotes",
                examples=list(table.uneven[:EXAMPLES]),
            )


@dataclass(frozen=True, kw_only=True)
class PartsNotRead:
    """Which sheets of a workbook, or files of a folder, were not read?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "parts_not_read"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no threshold: one table is read at a time"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        for what in table.beside:
            yield Hit(
                check=self.name,
                severity="info",
                message=f"not read: {what}",
                suggestion="check it by itself: a sheet as FILE#SHEET, files of another kind in a folder of their own",
            )


CHECKS = (UnevenLines, PartsNotRead)

"""Text-file checks: files that a person could not read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from pipeline.media.telling import unusable
from pipeline.quality.findings import Hit, Policy, Skipped, Table


@dataclass(frozen=True, kw_only=True)
class TextFileUnreadable:
    """Which text files are absent, empty, binary, not UTF-8, cut inside a character, or full of control characters?"""

    policy: Policy = "quarantine"
    name: ClassVar[str] = "text_file_unreadable"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold but one: more than a hundredth control or replacement characters"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        suggestion = "save them as whole UTF-8 files, or leave the rows out"
        yield from unusable(table, "text-file", self.name, words="unreadable", suggestion=suggestion)


CHECKS = (TextFileUnreadable,)

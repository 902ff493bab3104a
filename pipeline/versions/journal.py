"""A file of lines to which is only ever added: each carries the SHA-256 of the one before it.

A line that was changed, taken out or put between others breaks the chain from there on, and is named. That lines were
cut off at the end is told by whoever keeps the head elsewhere, as the champion's pointer does.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError

Entry = TypeVar("Entry", bound=Record)


class Line(Record):
    """One line: what was written, and the hashes that hold it in its place."""

    number: int
    before: str | None
    entry: dict[str, Any]
    sha256: str

    @classmethod
    def after(cls, last: "Line | None", entry: dict[str, Any]) -> "Line":
        """The line that follows `last`."""
        number, before = (1, None) if last is None else (last.number + 1, last.sha256)
        told = json.dumps([number, before, entry], sort_keys=True, ensure_ascii=False, allow_nan=False)
        return cls(number=number, before=before, entry=entry, sha256=hashlib.sha256(told.encode()).hexdigest())


@dataclass(frozen=True)
class Journal(Generic[Entry]):
    """The journal at `path`, whose entries are of one kind; whoever appends holds the workspace or its pointer."""

    path: Path
    kind: type[Entry]

    def entries(self) -> list[Entry]:
        """What was written, oldest first; raises WorkspaceError that names the first line that was changed."""
        return [self._entry(line) for line in self.lines()]

    def lines(self) -> list[Line]:
        """Every line, its hashes checked; none where there is no file; raises WorkspaceError as `entries`."""
        if not self.path.is_file():
            return []
        found: list[Line] = []
        for number, text in enumerate(self.path.read_bytes().splitlines(), start=1):
            line = self._line(text, number)
            if line != Line.after(found[-1] if found else None, line.entry):
                raise self._broken(number)
            found.append(line)
        return found

    @property
    def head(self) -> str | None:
        """The hash of the last line, which holds all lines before it too; None of none."""
        lines = self.lines()
        return lines[-1].sha256 if lines else None

    def append(self, entry: Entry) -> str:
        """Add one entry in one move, and return its line's hash; raises WorkspaceError where the chain is broken."""
        lines = self.lines()
        added = Line.after(lines[-1] if lines else None, entry.model_dump(mode="json"))
        artefacts.write_text(self.path, "".join(f"{line.model_dump_json()}\n" for line in (*lines, added)))
        return added.sha256

    def _line(self, text: bytes, number: int) -> Line:
        try:
            return Line.model_validate_json(text)
        except ValidationError as error:
            raise self._broken(number) from error

    def _entry(self, line: Line) -> Entry:
        try:
            return self.kind.model_validate(line.entry)
        except ValidationError as error:
            raise self._broken(line.number) from error

    def _broken(self, number: int) -> WorkspaceError:
        return WorkspaceError(
            f"line {number} is not what was written there, so no line from it on can be believed",
            where=str(self.path),
            fix="take the file from git or a backup; or set it aside, and a new one begins",
        )

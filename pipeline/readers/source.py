"""What a reader gives: a lazy table, how it was read, and the damage that could be read past."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from pipeline.errors import DataError

# a file that is odd enough makes Polars panic, and a panic is a BaseException
ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
SEEN = 200  # characters of a reader's own words that a message repeats


@dataclass(frozen=True, kw_only=True)
class File:
    """One file to open: as it was named, and as it lies there unpacked; `scratch` is for what is written anew.

    sheet: of a spreadsheet; header: whether a text table's first row holds names, None to find out; lenient: a few
    rows of a text table that have other cells than its header are left out, not an error
    """

    path: Path
    plain: Path
    scratch: Path
    sheet: str | None = None
    header: bool | None = None
    lenient: bool = False

    def fresh(self, ending: str = "") -> Path:
        """A name in `scratch` that is not taken, and that no reader takes for a pattern."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        number = sum(1 for _ in self.scratch.iterdir())
        while (target := self.scratch / f"read-{number}{ending}").exists():
            number += 1
        return target


@dataclass(frozen=True, kw_only=True)
class BadBytes:
    """Damage that was read past: the line and the byte, both counted from 1, of the unpacked text.

    cells: of a line that is no row as many as the header has; null where it has fewer, all that is too much in the last
    """

    line: int
    byte: int
    what: str
    cells: tuple[str | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Source:
    """One table, opened. One row of `frame` = one row of the file, in its order.

    text: cells are text as they stand in the file; only a cell with nothing in it is null
    dialect: what was found out about the file, each with why: encoding, delimiter, quote, header, ...
    base: the folder that the paths in the columns of `media` start from
    media: column → what the files that it names are: image, audio or text
    bad: what could not be decoded; the row is kept, with U+FFFD in the place of the bytes
    left_out: lines of a text table that are no rows of the frame, as they have other cells than its header
    beside: what else is there and is not read: other sheets, files of another kind
    """

    name: str
    frame: pl.LazyFrame
    text: bool = False
    dialect: dict[str, str] = field(default_factory=dict)
    base: Path | None = None
    media: dict[str, str] = field(default_factory=dict)
    bad: list[BadBytes] = field(default_factory=list)
    left_out: list[BadBytes] = field(default_factory=list)
    beside: str = ""

    def without(self, taken: str) -> "Source":
        """The same, with a column of that name, if there is one, called otherwise: the name is ours."""
        names = self.frame.collect_schema().names()
        if taken not in names:
            return self
        number, free = 2, taken
        while free in names:
            number, free = number + 1, f"{taken}_{number}"
        told = f"column {names.index(taken) + 1} is called {free} ({taken} is the position in the input)"
        said = "; ".join(filter(None, [self.dialect.get("names"), told]))
        return replace(self, frame=self.frame.rename({taken: free}), dialect={**self.dialect, "names": said})


def unreadable(path: Path, error: BaseException) -> DataError:
    """The error of a reader as one line about `path`."""
    return _unreadable(path.name, error)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what Polars raises inside, panics too, into one line about `name`.

    A binary file is decoded when its frame is collected, so wherever that is done wants this around it.
    """
    try:
        yield
    except ERRORS as error:
        raise _unreadable(name, error) from error


@contextmanager
def opening(name: str) -> Iterator[None]:
    """The same, for short work: what a panic writes to standard error by itself is left out."""
    with reading(name), _hushed():
        yield


def _unreadable(name: str, error: BaseException) -> DataError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"cannot be read ({reason:.{SEEN}})", where=name, fix="replace the file by a whole one")


@contextmanager
def _hushed() -> Iterator[None]:
    """Hold back what is written to standard error; shown at the end, unless a panic ends it."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        panicked = False
        try:
            yield
        except pl.exceptions.PanicException:
            panicked = True
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            if not panicked and (said := held.read()):
                sys.stderr.buffer.write(said) if hasattr(sys.stderr, "buffer") else None

"""Which lines of a text table have other cells than the first: Polars fills a short one with nulls in silence.

Blocks of whole rows are looked at with NumPy: where separators, line ends and quotes stand says how many cells a
row has, if each quote opens or closes a cell. A block in which one does not is taken apart cell by cell.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

BLOCK = 1 << 18  # measured: with its marks it stays in the processor's cache
OPEN_BYTES = 1 << 26  # a quote that is not closed within these is a stray one
CR = 13
MOST = 1000  # uneven lines, with more of which the header or the separator is another than was thought
NAMED = 4  # uneven lines that an error names behind the first

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """How a text table is written: single characters of ASCII; no quote: quotes are letters like others."""

    separator: str = ","
    quote: str | None = '"'
    end: str = "\n"

    @cached_property
    def cell(self) -> re.Pattern[bytes]:
        """One cell and what ends it: quoted, quoted with backslashes (which RFC 4180 does not know), or bare."""
        separator, end = re.escape(self.separator.encode()), re.escape(self.end.encode())
        stop = rb"(?P<stop>%s|%s|\Z)" % (separator, rb"\r?\n" if self.end == "\n" else end)
        if self.quote is None:
            return re.compile(rb"(?P<bare>[^%s%s]*)%s" % (separator, end, stop))
        quote = re.escape(self.quote.encode())
        space = b"" if self.separator == " " else b" *"
        doubled = rb"%s%s(?P<quoted>(?:[^%s]|%s%s)*)%s%s" % (space, quote, quote, quote, quote, quote, space)
        slashed = rb"%s%s(?P<slashed>(?:[^%s\\]|\\.)*)%s%s" % (space, quote, quote, quote, space)
        bare = rb"(?P<bare>(?!%s)[^%s%s]*)" % (quote, separator, end)
        return re.compile(rb"(?:%s|%s|%s)%s" % (doubled, slashed, bare, stop), re.DOTALL)


def bare_text(cell: re.Match[bytes]) -> bytes | None:
    """The text of a cell without quotes; a carriage return before the line's end is a part of that end."""
    bare: bytes | None = cell["bare"]
    return bare.removesuffix(b"\r") if bare and cell["stop"] == b"\n" else bare


class Stray(Exception):
    """What is wrong with a line, the offset of the byte where it starts, and those of others that are alike."""

    def __init__(self, offset: int, what: str, fix: str, others: Sequence[int] = ()) -> None:
        self.offset, self.what, self.fix, self.others = offset, what, fix, others
        super().__init__(what)

    def told(self, name: str, parts: Iterable[bytes], end: str) -> DataError:
        """The error, with line and byte, both from 1; `parts` are the file's bytes again, to count lines in."""
        line, *others = numbers([self.offset, *self.others], parts, end)
        what = self.what
        if others:
            shown, more = ", ".join(map(str, others[:NAMED])), len(others) - NAMED
            what += f"; uneven too: line{'s' * (len(others) > 1)} {shown}{f' and {more:,} more' * (more > 0)}"
        return DataError(what, where=f"{name}: line {line}, byte {self.offset + 1}", fix=self.fix)


def numbers(offsets: Sequence[int], parts: Iterable[bytes], end: str) -> list[int]:
    """The line of each byte, from 1; the offsets are in order, `parts` the file's bytes."""
    found: list[int] = []
    line, seen = 1, 0
    for part in parts:
        at = 0
        while len(found) < len(offsets) and offsets[len(found)] <= seen + len(part):
            here = offsets[len(found)] - seen
            line, at = line + part[at:here].count(end.encode()), here
            found.append(line)
        if len(found) == len(offsets):
            break
        line, seen = line + part[at:].count(end.encode()), seen + len(part)
    return found + [line] * (len(offsets) - len(found))


@dataclass(frozen=True, kw_only=True)
class Uneven:
    """A line that has more or fewer cells than the header, by the offset of its first byte; `text` is all of it."""

    offset: int
    text: bytes
    cells: int
    width: int

    @property
    def what(self) -> str:
        """What is wrong with it."""
        return f"holds {self.cells} field{'s' * (self.cells != 1)}, the header has {self.width}"


@dataclass(kw_only=True)
class Even:
    """The pass over a table: feed it blocks of bytes; rows that are not even are left out and kept in `uneven`.

    It raises Stray at a stray quote, and where more than `MOST` rows are uneven.
    width: cells of each row; strict: a quote that is not RFC 4180's is a stray one, not mended; start: the byte
    where the table begins; rows: lines so far, the header with them; blank: which of them are blank lines, which
    are no rows where there is more than one column; mended: some cells' quotes were not RFC 4180's
    """

    grammar: Grammar
    width: int
    strict: bool = False
    start: int = 0
    rows: int = 0
    blank: list[int] = field(default_factory=list)
    mended: bool = False
    uneven: list[Uneven] = field(default_factory=list)

    @property
    def stray(self) -> Stray:
        """All uneven rows as one error, at the first of them."""
        first, *others = self.uneven
        return Stray(first.offset, first.what, MEND, [other.offset for other in others])

    def rows_of(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes in blocks of whole rows, each as it is, or mended so that every quote is RFC 4180's."""
        offset, wanted = self.start, 0
        held: list[bytes] = []
        for part in parts:
            held.append(part)
            if sum(map(len, held)) < wanted:  # a long cell is not looked at again for each part of it
                continue
            data = b"".join(held)
            used, block = self._block(data, offset, last=False)
            if len(data) - used > OPEN_BYTES:
                self._open_cell(data, offset)
            offset, held, wanted = offset + used, [data[used:]], 2 * (len(data) - used)
            yield block
        if data := b"".join(held):
            end = self.grammar.end.encode()
            yield self._block(data if data.endswith(end) else data + end, offset, last=True)[1]

    def _block(self, data: bytes, offset: int, *, last: bool) -> tuple[int, bytes]:
        """Look at the whole rows in `data`; how many bytes they are, and these bytes, mended."""
        text = np.frombuffer(data, np.uint8)
        places = _places(text, self.grammar)
        if places is None:
            return self._slowly(data, offset, last=last)
        ends = text[places] == ord(self.grammar.end)
        count = int(np.count_nonzero(ends))
        if count == 0:
            if last:
                self._open_cell(data, offset)
            return 0, b""
        used = int(places[np.flatnonzero(ends)[-1]]) + 1
        if last and used < len(data):
            self._open_cell(data, offset)
        inside = int(np.searchsorted(places, used))
        if inside != count * self.width or not ends[:inside][self.width - 1 :: self.width].all():
            return used, self._cut(data[:used], places[:inside], ends[:inside], offset)
        self.rows += count
        return used, data[:used]

    def _open_cell(self, data: bytes, offset: int) -> NoReturn:
        """An odd number of quotes: the last one opens a cell that does not end."""
        _unclosed(offset + data.rfind((self.grammar.quote or "").encode()))

    def _cut(self, data: bytes, places: Places, ends: NDArray[np.bool_], offset: int) -> bytes:
        """Some lines have another width: note those that are blank, and leave the others out."""
        text = np.frombuffer(data, np.uint8)
        closing = np.flatnonzero(ends)
        cells = np.diff(closing, prepend=-1)
        stops = places[closing]
        starts = np.concatenate([[0], stops[:-1] + 1])
        empty = (cells != self.width) & ((stops == starts) | ((stops == starts + 1) & (text[starts] == CR)))
        other = (cells != self.width) & ~empty
        out, at = [], 0
        for start, stop, width in zip(starts[other], stops[other], cells[other], strict=True):
            self._leave(offset + int(start), data[start:stop], int(width))
            out.append(data[at:start])
            at = int(stop) + 1
        self.blank += (self.rows + np.flatnonzero(empty[~other])).tolist()
        self.rows += int(np.count_nonzero(~other))
        return b"".join([*out, data[at:]])

    def _leave(self, offset: int, text: bytes, cells: int) -> None:
        self.uneven.append(Uneven(offset=offset, text=text, cells=cells, width=self.width))
        if len(self.uneven) > MOST:
            raise self.stray

    def _slowly(self, data: bytes, offset: int, *, last: bool) -> tuple[int, bytes]:
        """The same, row by row, for a block in which a quote stands inside a cell."""
        self.mended = True
        quote, end = (self.grammar.quote or "").encode(), self.grammar.end.encode()
        at = 0
        out: list[bytes] = []
        while at < len(data):
            stop = data.find(end, at)
            if stop >= 0 and data.find(quote, at, stop) < 0:
                row, following = data[at:stop], stop + 1
                width = row.count(self.grammar.separator.encode()) + 1
                even = self._count(width, offset + at, row, blank=row in (b"", b"\r"))
            else:
                cells, following = self._cells(data, at, offset, last=last)
                if following == at:
                    break
                row = self.grammar.separator.encode().join(cells)
                even = self._count(len(cells), offset + at, row, blank=False)
            if even:
                out.append(row + end)
            at = following
        return at, b"".join(out)

    def _cells(self, data: bytes, start: int, offset: int, *, last: bool) -> tuple[list[bytes], int]:
        """The cells of the row that starts at `start`, and where the next one starts; `start` if it does not end."""
        cells: list[bytes] = []
        at, separator = start, self.grammar.separator.encode()
        while True:
            found = self.grammar.cell.match(data, at)
            if found is None and not _may_close(data, at, self.grammar, last=last):
                _unclosed(offset + at)
            if found is None or (not last and found["stop"] == b""):
                return [], start
            cells.append(self._mended(found, offset))
            at = found.end()
            if found["stop"] != separator:
                return cells, at

    def _mended(self, found: re.Match[bytes], offset: int) -> bytes:
        """The cell as RFC 4180 writes it; a bare cell may hold a quote behind a digit: inches, or seconds of arc."""
        quote = (self.grammar.quote or "").encode()
        bare, slashed = bare_text(found), found["slashed"]
        if bare is not None and quote not in bare:
            return bare
        if bare is not None and (self.strict or re.search(rb"[^0-9]" + re.escape(quote), bare)):
            at = offset + found.start() + bare.index(quote)
            raise Stray(at, "a quote stands inside a cell that is not quoted", QUOTES)
        if slashed is not None and self.strict:
            raise Stray(offset + found.start(), "a quote inside a cell is written as backslash and quote", QUOTES)
        if found["quoted"] is not None:
            if self.strict and not found[0].startswith(quote):
                raise Stray(offset + found.start(), "a space stands before the quote that opens a cell", QUOTES)
            return quote + found["quoted"] + quote
        inner = re.sub(rb"\\(.)", rb"\1", slashed, flags=re.DOTALL) if slashed is not None else bare or b""
        return quote + inner.replace(quote, quote * 2) + quote

    def _count(self, cells: int, offset: int, text: bytes, *, blank: bool) -> bool:
        """Count the row in, unless it is uneven."""
        if cells != self.width and not blank:
            self._leave(offset, text, cells)
            return False
        if cells != self.width:
            self.blank.append(self.rows)
        self.rows += 1
        return True


MEND = "mend the line: it was cut, or a field with a separator in it lacks its quotes"
QUOTES = "write a quote inside a cell as two, and put the cell in quotes"


def _unclosed(offset: int) -> NoReturn:
    raise Stray(offset, "a quote that opens here is not closed, or not followed by a separator", QUOTES)


def _places(text: Bytes, grammar: Grammar) -> Places | None:
    """Where separators and line ends stand outside quotes; None when a quote neither opens nor closes a cell."""
    separator, end = ord(grammar.separator), ord(grammar.end)
    mark = (text == separator) | (text == end)
    if grammar.quote is None or not (quotes := text == ord(grammar.quote)).any():
        return np.flatnonzero(mark)
    mark |= quotes
    places = np.flatnonzero(mark)
    quoting = quotes[places]
    if not _regular(text, places[quoting], grammar):
        return None
    inside = np.bitwise_xor.accumulate(quoting)
    return places[~(inside | quoting)]


def _regular(text: Bytes, quotes: Places, grammar: Grammar) -> bool:
    """Each opening quote follows a separator, a line's end or a closing quote; the mirror holds for each closing."""
    known = np.array([ord(grammar.separator), ord(grammar.end), ord(grammar.quote or '"')], np.uint8)
    opening, closing = quotes[0::2], quotes[1::2]
    before = text[opening[opening > 0] - 1]
    after = text[closing[closing < text.size - 1] + 1]
    ahead = (after == known[0]) | (after == known[1]) | (after == known[2]) | (after == CR)
    behind = (before == known[0]) | (before == known[1]) | (before == known[2])
    return bool(ahead.all() and behind.all())


def _may_close(data: bytes, at: int, grammar: Grammar, *, last: bool) -> bool:
    """Whether the cell that starts at `at` is quoted, and only goes on behind the block."""
    quote = re.escape((grammar.quote or '"').encode())
    open_cell = rb" *%s(?:[^%s\\]|\\.|%s%s)*\\?%s?\Z" % ((quote,) * 5)
    return not last and re.compile(open_cell, re.DOTALL).match(data, at) is not None

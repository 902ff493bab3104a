"""Text tables: CSV and its kin, in any encoding, packed or not, as columns of text.

A file that is plain UTF-8 is scanned where it lies; what is packed, in another encoding or oddly quoted is written
anew into the scratch folder, block by block, so that memory does not grow with the rows.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import polars as pl

from pipeline.readers.encoding import Encoding, encoding, first_bad, lines_of, transcode, whole_lines
from pipeline.readers.lines import BLOCK, Even, Grammar, Stray, Uneven, numbers
from pipeline.readers.packing import blocks, suffix
from pipeline.readers.sniffing import HEAD_BYTES, Sniffed, cells, sniff
from pipeline.readers.source import BadBytes, File, Source, opening

ROW = "__row__"
FEW = 0.01  # lines that may be left out: more are another table, or another way to write one


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A text table whose rows are known to be even: UTF-8 at `plain`, and how it is written."""

    plain: Path
    sniffed: Sniffed
    even: Even
    left_out: tuple[BadBytes, ...] = ()


def open_text(file: File) -> Source:
    """Open a text table; raises DataError, with line and byte, where a row has other cells than the first.

    Of a file that is read leniently such rows are left out, where they are few.
    """
    found = encoding(file.plain)
    bad: list[BadBytes] = []
    if not found.clean:
        target = file.fresh(".txt")
        bad = transcode(file.plain, found, target)
        file = replace(file, plain=target)
    mark = found.mark if found.clean else 0
    table = _table(file, mark)
    with opening(file.path.name):
        frame = _frame(table)
        frame.collect_schema()
    return Source(
        name=file.path.name,
        frame=frame,
        text=True,
        dialect=_told(found, table),
        bad=bad,
        left_out=list(table.left_out),
    )


def scan_text(path: Path, separator: str, null_values: list[str]) -> pl.LazyFrame:
    """Scan a CSV file strictly: UTF-8, this separator, a header, double quotes, each line as long as the header."""
    try:
        even = _strict(path, separator)
    except Stray as stray:
        raise stray.told(path.name, blocks(path), "\n") from stray
    with opening(path.name):
        frame = pl.scan_csv(path, separator=separator, infer_schema=False, null_values=null_values, glob=False)
        frame = _without_blank(frame, even, header=True)
        frame.collect_schema()
    return frame


def _strict(path: Path, separator: str) -> Even:
    """See that the file is whole, UTF-8 and even; raises Stray where it is not."""
    if bad := first_bad(whole_lines(blocks(path))):
        raise Stray(bad[0], f"is not UTF-8 ({bad[1]})", "save it as UTF-8")
    parts = whole_lines(blocks(path))
    first = next(parts, b"")
    # lines before the header that are blank are skipped by Polars too
    table = first.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    grammar = Grammar(separator=separator)
    width = len(next(iter(cells(table.decode(), grammar, rows=1)), []))
    even = Even(grammar=grammar, width=width, strict=True, start=len(first) - len(table))
    for _ in even.rows_of(chain([table], parts)):
        pass
    if even.uneven:
        raise even.stray
    return even


def _table(file: File, mark: int) -> TextTable:
    """See how the table is written, and that it is so throughout."""
    head, named = _head(file.plain, mark), suffix(file.path)
    named = named if named != ".zip" else file.plain.suffix
    found = sniff(head, named, file.header)
    tries = [(found, 0.0)]
    if found.grammar.separator == "\t":
        # the standard of tab-separated values knows no quotes: they are letters where they make no cells
        tries.append((sniff(head, named, file.header, quote=None), 0.0))
    if file.lenient:
        tries.append((found, FEW))
    wrong: Stray | None = None
    for sniffed, share in tries:
        try:
            return _even(file, sniffed, mark, share)
        except Stray as stray:
            wrong = wrong or stray
    assert wrong is not None
    raise wrong.told(file.path.name, _from(file.plain, 0), found.grammar.end) from wrong


def _head(plain: Path, mark: int) -> str:
    """The first lines: at least two, where there are two; all of a small file, as a line's end may be in a cell."""
    parts: list[bytes] = []
    for part in lines_of(plain, size=HEAD_BYTES):
        parts.append(part)
        if len(parts) == 2 or (2 * len(part) > HEAD_BYTES and max(part.count(b"\n"), part.count(b"\r")) > 1):
            break
    return b"".join(parts)[mark:].decode("utf-8", "replace")


def _even(file: File, sniffed: Sniffed, mark: int, share: float) -> TextTable:
    """See that every row, but for that share of them at most, has as many cells as the first.

    The file is written anew where quotes have to be mended, or rows left out.
    """
    start = mark + sniffed.skipped_bytes
    even = Even(grammar=sniffed.grammar, width=len(sniffed.names), start=start)
    whole = not any(even.mended or (share and even.uneven) for _ in even.rows_of(_from(file.plain, start)))
    target = file.plain
    if not whole:
        even = Even(grammar=sniffed.grammar, width=len(sniffed.names), start=start)
        target = file.fresh(".txt")
        with target.open("wb") as out:
            out.writelines(even.rows_of(_from(file.plain, start)))
        sniffed = replace(sniffed, skipped=0)
    if even.uneven and len(even.uneven) >= share * even.rows:
        raise even.stray
    lines = numbers([row.offset for row in even.uneven], _from(file.plain, 0), even.grammar.end)
    left_out = tuple(_left_out(line, row, even.grammar) for line, row in zip(lines, even.uneven, strict=True))
    return TextTable(plain=target, sniffed=sniffed, even=even, left_out=left_out)


def _left_out(line: int, row: Uneven, grammar: Grammar) -> BadBytes:
    text, last = row.text.decode("utf-8", "replace") + grammar.end, row.width - 1
    held = next(iter(cells(text, grammar, rows=1)), [])
    there = [*held[:last], *[grammar.separator.join(held[last:])] * (len(held) > last)]
    filled = (*(cell or None for cell in there), *[None] * (row.width - len(there)))
    return BadBytes(line=line, byte=row.offset + 1, what=row.what, cells=filled)


def _from(plain: Path, start: int) -> Iterator[bytes]:
    with plain.open("rb") as file:
        file.seek(start)
        yield from iter(lambda: file.read(BLOCK), b"")


def _frame(table: TextTable) -> pl.LazyFrame:
    """The cells as text."""
    sniffed, grammar = table.sniffed, table.sniffed.grammar
    frame = pl.scan_csv(
        table.plain,
        has_header=sniffed.header,
        separator=grammar.separator,
        quote_char=grammar.quote,
        eol_char=grammar.end,
        skip_lines=sniffed.skipped,
        new_columns=sniffed.names,
        infer_schema=False,
        glob=False,
    )
    return _without_blank(frame, table.even, header=sniffed.header)


def _without_blank(frame: pl.LazyFrame, even: Even, *, header: bool) -> pl.LazyFrame:
    """Without the blank lines, of which Polars makes rows."""
    if not even.blank:
        return frame
    rows = (pl.Series(even.blank, dtype=pl.Int64) - int(header)).cast(pl.UInt32)
    return frame.with_row_index(ROW).filter(~pl.col(ROW).is_in(rows.implode())).drop(ROW)


def _told(found: Encoding, table: TextTable) -> dict[str, str]:
    told = {"encoding": f"{found.name} ({found.why})", **table.sniffed.why}
    if table.even.blank:
        told["blank lines"] = f"{len(table.even.blank):,}, which are no rows"
    if table.even.mended:
        told["quote"] += " (some cells held quotes that were not written as two: mended)"
    return told

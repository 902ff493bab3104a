"""JSON: lines of records, an array of records, or an object of columns. What Python's json refuses is refused."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from pipeline.errors import DataError
from pipeline.readers.encoding import blocks_of, encoding, first_bad, lines_of, text_of, transcode
from pipeline.readers.lines import Stray
from pipeline.readers.nested import flattened, paths_within
from pipeline.readers.source import File, Source, opening
from pipeline.readers.spool import BATCH_ROWS, EXACT, Batch, mended, spool

CUT = 16  # characters of a literal, a number or an escape that the end of a block may have cut
BLANK = re.compile(r"[ \t\r\n]*")
DECODER = json.JSONDecoder()
FLAT = {pl.Boolean(), pl.Int64(), pl.Float64(), pl.String(), pl.Null()}
SHOWN = 200  # characters of the keys that are not read
SHAPES = "a table is an array of records, an object of columns, or a record a line"

Record = dict[str, Any]


def open_lines(file: File) -> Source:
    """JSON lines: Polars reads them where each column has one flat type, Python where one has not."""
    plain, mark = _utf8(file)
    frame = None if mark else _fast(file, plain)
    if frame is None:
        frame = spool(batches(_lines(file.path.name, plain)), file.fresh())
    return _source(file, frame, "JSON lines")


def open_json(file: File) -> Source:
    """One JSON document: an array of records is read a block at a time, an object as a whole."""
    plain, _ = _utf8(file)
    text = Text(file.path.name, plain)
    start = text.peek()
    if start == "[":
        return _source(file, spool(batches(text.records()), file.fresh()), "JSON (an array of records)")
    value = text.value()
    if start != "{":
        raise text.error(0, "holds no table", SHAPES)
    if text.peek() == "{":
        return open_lines(file)
    text.end()
    rows, how, others = _rows(value)
    beside = f"of {file.path.name} what stands under other keys: {', '.join(others)}" if others else ""
    return replace(_source(file, spool(rows, file.fresh()), how), beside=beside[:SHOWN])


class Text:
    """A JSON text in UTF-8, read value by value; of an array only one value is held at a time."""

    def __init__(self, name: str, plain: Path) -> None:
        self.name, self.held, self.at = name, "", 0
        self._parts = text_of(plain)
        self._line, self._byte = 1, 0  # where `held` begins, from 1 and from 0
        self._more()
        if self.held.startswith("\ufeff"):
            self.at = 1

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            found = BLANK.match(self.held, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.held) or not self._more():
                return self.held[self.at : self.at + 1]

    def value(self) -> Any:
        """The next value; raises DataError with line and byte where there is none."""
        while True:
            try:
                value, self.at = DECODER.raw_decode(self.held, self.at)
                return value
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self.held) - CUT
                if not (cut and self._more()):
                    raise self.error(error.pos - self.at, f"is no JSON ({error.msg})", "mend it there") from error
            except RecursionError as error:
                raise self.error(0, "is nested too deeply", "flatten it") from error
            except ValueError as error:  # a number of thousands of digits
                raise self.error(0, f"cannot be read ({str(error).split(';')[0]})", "write it as text") from error

    def records(self) -> Iterator[Record]:
        """The records of the array that begins here, to the end of the text."""
        self.at += 1
        sign = self.peek()
        while sign != "]":
            value = self.value()
            if not isinstance(value, dict):
                raise self.error(0, "holds a value that is no record", SHAPES)
            yield value
            sign = self.peek()
            if sign not in ("]", ","):
                raise self.error(0, "is no JSON (expecting ',' or ']')", "mend it there")
            self.at += sign == ","
            if sign == "," and self.peek() == "]":
                raise self.error(0, "is no JSON (a value is missing behind ',')", "mend it there")
        self.at += 1
        self.end()

    def end(self) -> None:
        """Raise DataError unless this is the end of the text."""
        if self.peek():
            raise self.error(0, "goes on behind its end", "remove what follows, or write one record a line")

    def error(self, ahead: int, what: str, fix: str) -> DataError:
        """The error at `ahead` characters from here."""
        before = self.held[: self.at + ahead]
        line, byte = self._line + before.count("\n"), self._byte + len(before.encode()) + 1
        return DataError(what, where=f"{self.name}: line {line}, byte {byte}", fix=fix)

    def _more(self) -> bool:
        """Read on, at least as much again as is held: a long value is not tried over and over."""
        done, kept = self.held[: self.at], self.held[self.at :]
        parts: list[str] = []
        while sum(map(len, parts)) <= len(kept) and (part := next(self._parts, "")):
            parts.append(part)
        if parts:
            self._line, self._byte = self._line + done.count("\n"), self._byte + len(done.encode())
            self.held, self.at = "".join([kept, *parts]), 0
        return bool(parts)


def batches(records: Iterable[Record]) -> Iterator[Batch]:
    """The records as columns, some thousands a time; a key that a record lacks is null.

    Which objects within records are taken apart is settled by the first of them.
    """
    left, paths = iter(records), None
    while rows := list(islice(left, BATCH_ROWS)):
        paths = paths_within(rows) if paths is None else paths
        rows = [flattened(row, paths) for row in rows] if paths else rows
        names = dict.fromkeys(name for row in rows for name in row)
        yield {mended(name): [row.get(name) for row in rows] for name in names}


def _source(file: File, frame: pl.LazyFrame, how: str) -> Source:
    if not frame.collect_schema():
        raise DataError("holds no record with a name in it", where=file.path.name, fix=SHAPES)
    return Source(name=file.path.name, frame=frame, dialect={"format": how})


def _rows(value: Record) -> tuple[list[Batch], str, list[str]]:
    """The table that an object holds, what it is, and the keys beside it that are not read.

    It is columns as lists, columns as pandas writes them, the one array of records under a key, or a row.
    """
    columns = list(value.values())
    tables = [key for key, held in value.items() if _is_table(held)]
    if len(columns) > 1 and all(isinstance(c, list) for c in columns) and len({len(c) for c in columns}) == 1:
        return [value], "JSON (an object of columns)", []
    if len(tables) == 1:
        others = [key for key in value if key != tables[0]]
        return list(batches(value[tables[0]])), f"JSON (an array of records under {tables[0]!r:.40})", others
    if len(columns) == 1 and isinstance(columns[0], list):
        return [value], "JSON (an object of columns)", []
    if columns and all(isinstance(c, dict) for c in columns) and len({tuple(c) for c in columns}) == 1:
        how = "JSON (an object of columns, with row names)"
        return [{name: list(c.values()) for name, c in value.items()}], how, []
    return list(batches([value])), "JSON (one record)", []


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _utf8(file: File) -> tuple[Path, int]:
    """The text as UTF-8 and the length of its mark; raises DataError at a byte that is none: JSON allows no other."""
    plain, found = file.plain, encoding(file.plain)
    if found.name.startswith(("utf-16", "utf-32")):
        target = file.fresh(".json")
        transcode(plain, found, target)
        return target, 0
    if bad := first_bad(blocks_of(plain)):
        stray = Stray(bad[0], f"is not UTF-8 ({bad[1]})", "save it as UTF-8: JSON allows no other encoding")
        raise stray.told(file.path.name, blocks_of(plain), "\n")
    return plain, found.mark


def _fast(file: File, plain: Path) -> pl.LazyFrame | None:
    """Parsed by Polars, into Parquet: JSON is slow to read twice. None where a value may not come as it stands."""
    if any(sign in str(plain) for sign in "*?["):
        return None  # Polars takes it for a pattern
    if any(b"\\ud" in part or b"\\uD" in part for part in lines_of(plain)):
        return None  # half of a surrogate pair would become another character
    target = file.fresh(".parquet")
    try:
        with opening(plain.name):
            lines = pl.scan_ndjson(plain, infer_schema_length=None)
            if not set(lines.collect_schema().dtypes()) <= FLAT:
                return None
            lines.sink_parquet(target)
            frame = pl.scan_parquet(target, glob=False)
            largest = frame.select(cs.float().abs().max()).collect(engine="streaming")
    except DataError:
        return None
    rounded = any(value is not None and value >= EXACT for value in largest.row(0)) if largest.width else False
    return None if rounded else frame


def _lines(name: str, plain: Path) -> Iterator[Record]:
    """Each line's record; raises DataError, with line and byte, at one that holds none."""
    offset, number = 0, 0
    for part in lines_of(plain):
        for line in part.split(b"\n"):
            number += 1
            if line.strip():
                yield _record(line, name, number, offset)
            offset += len(line) + 1
        number, offset = number - 1, offset - 1  # behind the last line end nothing is left


def _record(line: bytes, name: str, number: int, offset: int) -> Record:
    text = line.decode().removeprefix("\ufeff" if offset == 0 else "")
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise _fault(name, number, offset + len(text[: error.pos].encode()), f"is no JSON ({error.msg})") from error
    except RecursionError as error:
        raise _fault(name, number, offset, "is nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits
        raise _fault(name, number, offset, f"cannot be read ({str(error).split(';')[0]})") from error
    if not isinstance(record, dict):
        raise _fault(name, number, offset, "holds no record")
    return record


def _fault(name: str, line: int, offset: int, what: str) -> DataError:
    where = f"{name}: line {line}, byte {offset + 1}"
    return DataError(what, where=where, fix="mend the line: each must be one JSON object")

"""Any file → LazyFrame; text formats come as text, so that ingest decides what parses."""

import csv
import gzip
import io
import sys
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl

from pipeline.errors import DataError

TEXT_SUFFIXES = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*TEXT_SUFFIXES, ".parquet", ".jsonl", ".ndjson")
GZIP_MAGIC = b"\x1f\x8b"
# a file that is odd enough makes Polars panic, and a panic is a BaseException
ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


def files(source: Path) -> list[Path]:
    """The data files of a folder (or the one file), in the order of their names; raises DataError if none."""
    if source.is_file():
        return [source]
    found = sorted(p for p in source.rglob("*") if p.is_file() and _suffix(p) in SUFFIXES)
    if not found:
        raise DataError(
            "holds no data file" if source.is_dir() else "is absent",
            where=str(source),
            fix=f"put a file there that ends in one of: {', '.join(SUFFIXES)} (.csv and .tsv may be .gz)",
        )
    return found


def scan(path: Path, null_values: list[str]) -> pl.LazyFrame:
    """Scan one file lazily; CSV and TSV cells are text, with `null_values` as null.

    Raises DataError when the file is empty, cut short, ragged or not of the format that its name says.
    """
    suffix = _suffix(path)
    _require_whole(path)
    if suffix in TEXT_SUFFIXES:
        _require_even(path, TEXT_SUFFIXES[suffix])
    try:
        frame = _scan(path, suffix, null_values)
        frame.collect_schema()
    except ERRORS as error:
        raise unreadable(path, error) from error
    return frame


def _scan(path: Path, suffix: str, null_values: list[str]) -> pl.LazyFrame:
    """Names are taken as they are: `[1]` or `*` in one is no pattern."""
    if suffix in TEXT_SUFFIXES:
        separator = TEXT_SUFFIXES[suffix]
        return pl.scan_csv(path, separator=separator, infer_schema=False, null_values=null_values, glob=False)
    if suffix == ".parquet":
        return pl.scan_parquet(path, glob=False)
    return pl.scan_ndjson(path.read_bytes(), infer_schema_length=None)  # of a path it would make a pattern


def unreadable(path: Path, error: BaseException) -> DataError:
    """The error of a reader as one line about `path`."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"cannot be read ({reason})", where=path.name, fix="replace the file by a whole one")


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == ".gz" else suffix


def _require_whole(path: Path) -> None:
    """A cut gzip may parse as fewer rows: read it to its checksum, block by block, before anything else."""
    if not path.is_file():
        raise DataError("is absent", where=str(path), fix="name a file that is there")
    if _suffix(path) not in SUFFIXES:
        raise DataError("is of no known format", where=path.name, fix=f"bring one that ends in: {', '.join(SUFFIXES)}")
    if path.stat().st_size == 0:
        raise DataError("is empty", where=path.name, fix="replace it by a file with a header and rows")
    try:
        with _open(path) as stream:
            while stream.read(1 << 20):
                pass
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"is a damaged gzip file ({error})", where=path.name, fix="fetch it again: it was cut or altered"
        ) from error


def _require_even(path: Path, separator: str) -> None:
    """Polars fills a short line with nulls without a word: every line must have as many fields as the header."""
    csv.field_size_limit(sys.maxsize)
    with _open(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text, delimiter=separator, strict=True)
        try:
            header = next(lines, [])
            uneven = next((fields for fields in lines if fields and len(fields) != len(header)), None)
        except UnicodeDecodeError as error:
            raise DataError(f"is not UTF-8 ({error.reason})", where=path.name, fix="save it as UTF-8") from error
        except csv.Error as error:
            where = f"{path.name}: line {lines.line_num}"
            raise DataError(
                f"is no text table ({error})", where=where, fix="mend its quotes, or export it again"
            ) from error
    if uneven is not None:
        raise DataError(
            f"holds {len(uneven)} field{'s' * (len(uneven) != 1)}, the header has {len(header)}",
            where=f"{path.name}: line {lines.line_num}",
            fix="mend the line: it was cut, or a field with a separator in it lacks its quotes",
        )


def _open(path: Path) -> BinaryIO:
    """The file's bytes; unpacked where they are gzip, whatever the name says, as Polars does."""
    with path.open("rb") as file:
        packed = path.suffix.lower() == ".gz" or file.read(2) == GZIP_MAGIC
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")

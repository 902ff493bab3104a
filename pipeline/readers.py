"""Any file → LazyFrame; text formats come as text, so that ingest decides what parses."""

import gzip
import zlib
from pathlib import Path

import polars as pl

from pipeline.errors import DataError

TEXT_SUFFIXES = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*TEXT_SUFFIXES, ".parquet", ".jsonl", ".ndjson")


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

    Raises DataError when the file is empty, cut short or not of the format that its name says.
    """
    _require_whole(path)
    suffix = _suffix(path)
    try:
        if suffix in TEXT_SUFFIXES:
            frame = pl.scan_csv(path, separator=TEXT_SUFFIXES[suffix], infer_schema=False, null_values=null_values)
        elif suffix == ".parquet":
            frame = pl.scan_parquet(path)
        else:
            frame = pl.scan_ndjson(path, infer_schema_length=None)
        frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(path, error) from error
    return frame


def unreadable(path: Path, error: Exception) -> DataError:
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
    if path.stat().st_size == 0:
        raise DataError("is empty", where=path.name, fix="replace it by a file with a header and rows")
    if path.suffix.lower() != ".gz":
        return
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"is a damaged gzip file ({error})", where=path.name, fix="fetch it again: it was cut or altered"
        ) from error

"""Any file, folder or query → lazy tables, with what was found out about them.

`scan` is for data whose contract is known: strict, and text comes as text, so that ingest decides what parses.
`open_source` and `open_all` are for data that nobody has described yet: they find out how a file is written.
"""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
from polars.selectors import by_name

from pipeline.errors import DataError
from pipeline.readers import binary, packing, records, sheets, text
from pipeline.readers.alike import require_one_type, require_same_columns
from pipeline.readers.folders import hidden, open_folder
from pipeline.readers.source import ERRORS, BadBytes, File, Source, opening, reading, unreadable
from pipeline.readers.sql import is_database, open_sql, shown

__all__ = [
    "ERRORS", "BadBytes", "Source", "files", "is_database", "open_all", "open_source", "open_sql", "reading",
    "require_one_type", "require_same_columns", "scan", "shown", "unreadable",
]  # fmt: skip

TEXT_SUFFIXES = {".csv": ",", ".tsv": "\t"}
LINES_SUFFIXES = (".jsonl", ".ndjson")
ARROW_SUFFIXES = (".arrow", ".feather", ".ipc", ".arrows")
SHEET_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
SUFFIXES = (*TEXT_SUFFIXES, ".parquet", *LINES_SUFFIXES, ".json", *ARROW_SUFFIXES, ".avro", *SHEET_SUFFIXES)
WEB = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html[\s>])", re.IGNORECASE)
MAGIC = {  # the first bytes say more than the name
    b"PAR1": ".parquet",
    binary.ARROW_FILE: ".arrow",
    b"Obj\x01": ".avro",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ".xls",
}
REFUSED = {
    b"SQLite format 3\x00": ("is an SQLite database", "ask it: keepfit check FILE --sql 'SELECT ...'"),
    b"ORC": ("is an ORC file, which is not read here", "write it as Parquet"),
    b"\x89HDF": ("is an HDF5 file, which is not read here", "write it as Parquet or CSV"),
    b"\x89PNG": ("is a picture", "name the folder that it lies in"),
    b"%PDF": ("is a PDF document", "export its tables as CSV"),
}


def files(source: Path) -> list[Path]:
    """The data files of a folder (or the one file), in the order of their names; raises DataError if none."""
    source, _ = _sheet(source)
    if source.is_file():
        return [source]
    found = _tables(source) if source.is_dir() else []
    if not found:
        raise DataError(
            "holds no data file" if source.is_dir() else "is absent",
            where=str(source),
            fix=f"put a file there that ends in one of: {', '.join(SUFFIXES)} (.csv and .tsv may be .gz)",
        )
    return found


def scan(path: Path, null_values: list[str]) -> pl.LazyFrame:
    """Scan one file lazily; CSV and TSV cells are text. A text that is one of `null_values` is null in any format.

    Raises DataError when the file is empty, cut short, ragged or not of the format that its name says.
    """
    packing.require_file(path)
    suffix, packed = packing.suffix(path), packing.packing(path)
    if packed not in (None, "gzip", "zstd"):
        raise DataError(f"is packed as {packed}", where=path.name, fix="unpack it, or pack it with gzip or zstd")
    if suffix in TEXT_SUFFIXES:
        return text.scan_text(path, TEXT_SUFFIXES[suffix], null_values)
    packing.require_whole(path)
    with opening(path.name):
        if suffix == ".parquet":
            frame = pl.scan_parquet(path, glob=False)
        elif suffix in LINES_SUFFIXES:  # of a path Polars would make a pattern
            frame = pl.scan_ndjson(path.read_bytes(), infer_schema_length=None)
        elif suffix in ARROW_SUFFIXES and not binary.is_stream(path):
            frame = pl.scan_ipc(path, glob=False)
        else:
            raise DataError("is of no known format", where=path.name, fix=f"bring one that ends in: {SCANNED}")
        texts = [by_name(name) for name, dtype in frame.collect_schema().items() if dtype == pl.String]
    return frame.with_columns(pl.when(~cell.is_in(null_values)).then(cell) for cell in texts) if null_values else frame


SCANNED = ", ".join((*TEXT_SUFFIXES, ".parquet", *LINES_SUFFIXES, *ARROW_SUFFIXES))


def open_all(path: Path, *, scratch: Path, header: bool | None = None, lenient: bool = False) -> list[Source]:
    """Every table at `path`: of a file one, of a folder with tables one each, of another folder its media files."""
    tables = _tables(path) if path.is_dir() else []
    return [open_source(table, scratch=scratch, header=header, lenient=lenient) for table in tables or [path]]


def open_source(path: Path, *, scratch: Path, header: bool | None = None, lenient: bool = False) -> Source:
    """Open one file (of a spreadsheet, `file.xlsx#Sheet`) or one folder of pictures, sounds or texts.

    `scratch` is a folder for what has to be unpacked or written anew; it must outlive the frame. `header` says
    whether a text table's first row holds names; None finds out. Raises DataError, with line and byte where a
    text is damaged so that it is unclear which cells are in which row; `lenient` leaves such rows out, if they are few.
    """
    if path.is_dir():
        return open_folder(path)
    path, sheet = _sheet(path)
    packing.require_file(path)
    file = File(path=path, plain=path, scratch=scratch, sheet=sheet, header=header, lenient=lenient)
    packed = None
    kind = _kind(file)
    if kind not in SHEET_SUFFIXES:
        file, packed = packing.unpacked(file)
        kind = _kind(file)
    source = OPENERS.get(kind, text.open_text)(file)
    if packed:
        source.dialect["compression"] = f"{packed} (its first bytes say so)"
    return source


OPENERS: dict[str, Callable[[File], Source]] = {
    ".parquet": binary.open_parquet,
    ".avro": binary.open_avro,
    ".json": records.open_json,
    **dict.fromkeys(LINES_SUFFIXES, records.open_lines),
    **dict.fromkeys(ARROW_SUFFIXES, binary.open_arrow),
    **dict.fromkeys(SHEET_SUFFIXES, sheets.open_sheet),
}


def _kind(file: File) -> str:
    """The suffix of the format: by the first bytes where these tell, else by the name."""
    with file.plain.open("rb") as stream:
        start = stream.read(64)
    for magic, (what, fix) in REFUSED.items():
        if start.startswith(magic):
            raise DataError(what, where=file.path.name, fix=fix)
    if WEB.match(start):
        raise DataError("is a web page, not a table", where=file.path.name, fix="fetch the file anew")
    found = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)
    named = packing.suffix(file.path)
    return found or (file.plain.suffix.lower() if named == ".zip" else named)


def _sheet(path: Path) -> tuple[Path, str | None]:
    """The file, and the sheet that is named behind a `#`."""
    name, mark, sheet = path.name.rpartition("#")
    if path.exists() or not mark or Path(name).suffix.lower() not in SHEET_SUFFIXES:
        return path, None
    return path.with_name(name), sheet


def _tables(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and packing.suffix(path) in SUFFIXES)
    return sorted(path for path in found if not hidden(path, folder))

"""Sheets of Excel and OpenDocument files, read as a whole, with the types that their cells have."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as cs

from pipeline.errors import DataError
from pipeline.readers.binary import flat
from pipeline.readers.heading import heading
from pipeline.readers.source import File, Source, opening
from pipeline.readers.spool import EXACT

if TYPE_CHECKING:
    from fastexcel import ExcelReader

SHEETS = 5  # that are named
HEAD_ROWS = 50  # that tell where the table begins
AGAIN = "save it again, as .xlsx or .csv"


def open_sheet(file: File) -> Source:
    """A sheet of an Excel or OpenDocument file: the first, or the one that is named."""
    from fastexcel import read_excel

    name = file.path.name
    with _unpacking(name):
        reader = read_excel(file.plain)
    sheets = reader.sheet_names
    if not sheets:
        raise DataError("holds no sheet", where=name, fix=AGAIN)
    wanted = sheets[0] if file.sheet is None else file.sheet
    if wanted not in sheets:
        raise DataError(f"has no sheet {wanted!r}", where=name, fix=f"name one of: {', '.join(sheets)}")
    with opening(name), _unpacking(f"{name}#{wanted}"):
        frame, why = _table(reader, wanted)
    if not frame.width:
        raise DataError("holds nothing", where=f"{name}#{wanted}", fix=f"name another sheet: {name}#Sheet")
    source = flat(f"{name}#{wanted}", frame.lazy(), f"spreadsheet, sheet {wanted} of {len(sheets)}")
    others = [sheet for sheet in sheets if sheet != wanted] if file.sheet is None else []
    more = f" and {len(others) - SHEETS:,} more" if len(others) > SHEETS else ""
    told = f"of {name} the sheet{'s' * (len(others) > 1)} {', '.join(others[:SHEETS])}{more}"
    return replace(source, dialect={**source.dialect, **why}, beside=told if others else "")


def _table(reader: "ExcelReader", sheet: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """The table of a sheet without what stands above it, and what was found out; no column where there is no cell.

    A column's type is that of all its cells: by the first of them alone, others would be lost.
    """
    head = _loaded(reader, sheet, 0, HEAD_ROWS, dtypes="string").fill_null("")
    if head.is_empty():
        return pl.DataFrame(), {}
    found = heading(head.rows())
    frame = _loaded(reader, sheet, found.lines, None, schema_sample_rows=None)
    return _refined(frame.rename(dict(zip(frame.columns, found.names, strict=True)))), found.why


def _loaded(reader: "ExcelReader", sheet: str, skipped: int, rows: int | None, **options: Any) -> pl.DataFrame:
    loaded: Any = reader.load_sheet(sheet, header_row=None, skip_rows=skipped, n_rows=rows, **options)
    return pl.DataFrame(loaded)


def _refined(frame: pl.DataFrame) -> pl.DataFrame:
    """Whole numbers as such, and moments at midnight as days: a sheet knows neither."""
    whole = frame.select(((cs.float() == cs.float().floor()) & (cs.float().abs() <= EXACT)).all())
    days = frame.select((cs.datetime().dt.time() == pl.time(0, 0, 0)).all())
    return frame.with_columns(
        *(frame[name].cast(pl.Int64, strict=False) for name in whole.columns if whole[name].all()),
        *(frame[name].cast(pl.Date) for name in days.columns if days[name].all()),
    )


@contextmanager
def _unpacking(name: str) -> Iterator[None]:
    """Turn what the reader of spreadsheets raises inside into one line about `name`."""
    from fastexcel import FastExcelError

    try:
        yield
    except FastExcelError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"cannot be read ({reason:.200})", where=name, fix=AGAIN) from error

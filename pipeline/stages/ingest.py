"""Stage 1: raw files → typed Parquet, one file a source, each row with a stable id.

Every cell is read as text and parsed as the contract's type; what will not parse becomes null and its raw
text goes to data/ingested/unparsed.parquet. Derived columns are Polars SQL expressions from params.yaml,
parsed by Polars and never evaluated as Python.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl
from pydantic import Field

from pipeline import artefacts, contract, readers
from pipeline.artefacts import Record
from pipeline.contract import ROW_ID, Contract
from pipeline.errors import DataError, SettingsError
from pipeline.findings import Table
from pipeline.workspace import Section, Workspace

MANIFEST = "manifest.json"
UNPARSED = "unparsed.parquet"
UNPARSED_SCHEMA = pl.Schema({ROW_ID: pl.String, "column": pl.String, "raw": pl.String})
WRONG_TYPE_SHARE = 0.5


class IngestSettings(Section):
    """Where the data come from, what stands for missing, and what is derived."""

    key: ClassVar[str] = "ingest"
    source: str | None = None
    null_values: list[str] = Field(default_factory=lambda: ["NA", ""])
    derive: dict[str, str] = Field(default_factory=dict)


class SourceFile(Record):
    """One ingested file: its name, the SHA-256 of its bytes, and its rows."""

    name: str
    sha256: str
    rows: int
    unparsed_cells: int


class Ingested(Record):
    """What was ingested."""

    rows: int
    files: list[SourceFile]


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """One source, parsed: `typed` has row_id and the contract's columns, `unparsed` one row per bad cell."""

    typed: pl.DataFrame
    unparsed: pl.DataFrame


def run(workspace: Workspace) -> Ingested:
    """Ingest every file of the source; raises DataError when one cannot be worked with."""
    settings, agreed = workspace.section(IngestSettings), contract.load(workspace.contract_file)
    source = workspace.root / settings.source if settings.source else workspace.raw
    done: list[SourceFile] = []
    unparsed: list[pl.DataFrame] = []
    with artefacts.replacing(workspace.ingested) as folder:
        for path in readers.files(source):
            name = path.relative_to(source).as_posix() if source.is_dir() else path.name
            parsed = read(path, name, settings, agreed)
            artefacts.write_parquet(folder / partition(name), parsed.typed.lazy())
            unparsed.append(parsed.unparsed)
            done.append(_source_file(path, name, parsed))
        artefacts.write_parquet(folder / UNPARSED, pl.concat(unparsed).lazy())
        record = Ingested(rows=sum(file.rows for file in done), files=done)
        record.write(folder / MANIFEST)
    return record


def table(workspace: Workspace, agreed: Contract) -> Table:
    """The ingested rows, for the checks."""
    record = Ingested.read(workspace.ingested / MANIFEST)
    return Table(
        contract=agreed,
        partitions={f.name: pl.scan_parquet(workspace.ingested / partition(f.name)) for f in record.files},
        unparsed=pl.scan_parquet(workspace.ingested / UNPARSED),
        height=record.rows,
    )


def partition(name: str) -> str:
    """The name of a source's Parquet file: that of the source, which may stand in a folder."""
    return f"{name.replace('/', '__')}.parquet"


def read(path: Path, name: str, settings: IngestSettings, agreed: Contract) -> Parsed:
    """Read and parse one file; raises DataError when it is damaged, or not of the contract's columns."""
    raw = readers.scan(path, settings.null_values)
    check_header(raw.collect_schema().names(), name, agreed, settings.derive)
    try:
        rows = raw.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise readers.unreadable(path, error) from error
    if rows.is_empty():
        raise DataError("has a header and no rows", where=name, fix="remove it, or replace it by a whole file")
    return parse(rows, name, settings.derive, agreed)


def check_header(found: list[str], name: str, agreed: Contract, derive: Mapping[str, str]) -> None:
    """Raise DataError when a file's columns are not those that the contract asks of it."""
    expected = [column for column in agreed.names if column not in derive]
    absent = [column for column in expected if column not in found]
    unexpected = [column for column in found if column not in expected]
    if absent:
        raise DataError(
            f"lacks the column{'s' * (len(absent) > 1)} {', '.join(absent)} of the contract",
            where=name,
            fix=f"its header must hold {len(expected)} columns: {', '.join(expected[:6])}, ...",
        )
    if unexpected:
        raise DataError(
            f"has the column{'s' * (len(unexpected) > 1)} {', '.join(unexpected)}, unknown to the contract",
            where=name,
            fix=f"add it to schemas/{agreed.file.name}, with a role, or drop it from the file",
        )


def parse(rows: pl.DataFrame, name: str, derive: Mapping[str, str], agreed: Contract) -> Parsed:
    """Type the rows by the contract, derive columns, and set aside what would not parse; order is kept."""
    ids = pl.concat_str(pl.lit(f"{name}#"), pl.int_range(pl.len()).cast(pl.String)).alias(ROW_ID)
    given = [column for column in agreed.columns if column.name not in derive]
    typed = rows.select(ids, *(typed_as(pl.col(c.name), rows.schema[c.name], c.dtype) for c in given))
    failed = [c for c in given if typed[c.name].null_count() > rows[c.name].null_count()]
    unparsed = [pl.DataFrame(schema=UNPARSED_SCHEMA)]
    for column in failed:
        cells = pl.DataFrame({ROW_ID: typed[ROW_ID], "raw": rows[column.name].cast(pl.String)}).filter(
            typed[column.name].is_null() & rows[column.name].is_not_null()
        )
        _refuse_changed_type(cells, rows[column.name], name, column)
        unparsed.append(cells.select(ROW_ID, pl.lit(column.name).alias("column"), "raw"))
    return Parsed(typed=_derived(typed, derive, agreed), unparsed=pl.concat(unparsed))


def typed_as(cell: pl.Expr, found: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """`cell` as the contract's type; what will not parse is null."""
    if found == pl.String and isinstance(wanted, pl.Datetime):
        zone = wanted.time_zone
        return cell.str.to_datetime(time_unit=wanted.time_unit, time_zone=zone, strict=False)
    if found == pl.String and wanted == pl.Date:
        return cell.str.to_date(strict=False)
    if found == pl.String and wanted == pl.Boolean:
        return cell.str.to_lowercase().replace_strict(
            {"true": True, "false": False, "1": True, "0": False}, default=None, return_dtype=pl.Boolean
        )
    return cell.cast(wanted, strict=False)


def _derived(typed: pl.DataFrame, derive: Mapping[str, str], agreed: Contract) -> pl.DataFrame:
    for column, text in derive.items():
        wanted = agreed.column(column).dtype
        try:
            value = pl.sql_expr(text)
            typed = typed.with_columns(value.cast(wanted).alias(column))
        except pl.exceptions.PolarsError as error:
            raise SettingsError(
                f"`{text}` does not work: {str(error).splitlines()[0]}",
                where=f"params.yaml: ingest.derive.{column}",
                fix="write one Polars SQL expression over the contract's columns",
            ) from error
    return typed.select(ROW_ID, *agreed.names)


def _refuse_changed_type(cells: pl.DataFrame, raw: pl.Series, name: str, column: contract.Column) -> None:
    filled = raw.len() - raw.null_count()
    if cells.height > WRONG_TYPE_SHARE * filled:
        raise DataError(
            f"{cells.height:,} of {filled:,} values are no {column.dtype}, such as {cells['raw'][0]!r}",
            where=f"{name}: {column.name}",
            fix="the column's type has changed: mend the file, or the contract",
        )


def _source_file(path: Path, name: str, parsed: Parsed) -> SourceFile:
    return SourceFile(
        name=name, sha256=artefacts.sha256(path), rows=parsed.typed.height, unparsed_cells=parsed.unparsed.height
    )

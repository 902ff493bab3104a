"""Stage 1: raw files → typed Parquet, one file a source, each row with a stable id.

Every cell is read as text and parsed as the contract's type; what will not parse becomes null and its raw
text goes to data/ingested/unparsed.parquet. NaN is a missing value: null. Derived columns are Polars SQL
expressions from params.yaml, parsed by Polars and never evaluated as Python; a row that one cannot be computed
for is null there, and is told like a cell that would not parse. Rows that a person has mended stand in the place of
the source's own (pipeline/cleaning/amendments.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import polars as pl
import polars.selectors as cs
from pydantic import Field

from pipeline import artefacts, contract, readers
from pipeline.artefacts import Record
from pipeline.cleaning import amendments
from pipeline.cleaning.amendments import Amendment
from pipeline.cleaning.ledger import Entry
from pipeline.contract import ROW_ID, Contract
from pipeline.errors import DataError, SettingsError
from pipeline.quality.findings import Table
from pipeline.tables import tags
from pipeline.tables.cells import typed_as
from pipeline.workspace import Section, Workspace

MANIFEST = "manifest.json"
UNPARSED = "unparsed.parquet"
UNPARSED_SCHEMA = pl.Schema({ROW_ID: pl.String, "column": pl.String, "raw": pl.String})
WRONG_TYPE_SHARE = 0.5
ASKED_ALONE = 20  # rows whose derived value is computed once more, from that row by itself
BAD_ROWS = 10_000  # of one file that an expression may fail for, before it is the expression that is wrong


class IngestSettings(Section):
    """Where the data come from, what stands for missing, and what is derived."""

    key: ClassVar[str] = "ingest"
    source: str | None = None
    null_values: list[str] = Field(default_factory=lambda: ["NA", ""])
    derive: dict[str, str] = Field(default_factory=dict)


class SourceFile(Record):
    """One ingested file: its name, the SHA-256 of its bytes, its rows, and how many of them a person has mended."""

    name: str
    sha256: str
    rows: int
    unparsed_cells: int
    amended: int = 0


class Ingested(Record):
    """What was ingested."""

    rows: int
    files: list[SourceFile]


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """One source, parsed: `typed` has row_id and the contract's columns, `unparsed` one row per bad cell."""

    typed: pl.DataFrame
    unparsed: pl.DataFrame
    amended: int = 0


def run(workspace: Workspace) -> Ingested:
    """Ingest every file of the source; raises DataError when one cannot be worked with."""
    settings, agreed = workspace.section(IngestSettings), contract.load(workspace.contract_file)
    source = source_folder(workspace)
    mended = amendments.read(source)
    done: list[SourceFile] = []
    unparsed: list[pl.DataFrame] = []
    with artefacts.replacing(workspace.ingested) as folder:
        for path in readers.files(source):
            name = path.relative_to(source).as_posix() if source.is_dir() else path.name
            parsed = read(path, name, settings, agreed, mended)
            artefacts.write_parquet(folder / partition(name), parsed.typed.lazy())
            unparsed.append(parsed.unparsed)
            done.append(_source_file(path, name, parsed))
        artefacts.write_parquet(folder / UNPARSED, pl.concat(unparsed).lazy())
        record = Ingested(rows=sum(file.rows for file in done), files=done)
        record.write(folder / MANIFEST)
    return record


def source_folder(workspace: Workspace) -> Path:
    """Where the sources lie: a folder, or one file."""
    return workspace.source


def entry(workspace: Workspace) -> Entry:
    """The ledger's entry of what was ingested: every row of every file."""
    record = Ingested.read(workspace.ingested / MANIFEST)
    amended = sum(file.amended for file in record.files)
    return Entry(stage="ingest", rows_in=sum(f.rows for f in record.files), kept=record.rows, amended=amended)


def table(workspace: Workspace, agreed: Contract) -> Table:
    """The ingested rows, for the checks."""
    record = Ingested.read(workspace.ingested / MANIFEST)
    return Table(
        contract=agreed,
        partitions={f.name: artefacts.scan_parquet(workspace.ingested / partition(f.name)) for f in record.files},
        unparsed=artefacts.scan_parquet(workspace.ingested / UNPARSED),
        height=record.rows,
        base=workspace.media,
    )


def partition(name: str) -> str:
    """The name of a source's Parquet file, its own: `a/b.csv`, in a folder, gives `a%2Fb.csv.parquet`."""
    return f"{quote(name, safe=' []()+,=@')}.parquet"


def read(path: Path, name: str, settings: IngestSettings, agreed: Contract, mended: Sequence[Amendment] = ()) -> Parsed:
    """Read and parse one file; raises DataError when it is damaged, or not of the contract's columns."""
    raw = readers.scan(path, settings.null_values)
    check_header(raw.collect_schema().names(), name, agreed, settings.derive)
    try:
        rows = raw.collect()
    except readers.ERRORS as error:
        raise readers.unreadable(path, error) from error
    if rows.is_empty():
        raise DataError("has a header and no rows", where=name, fix="remove it, or replace it by a whole file")
    if not mended:
        return parse(rows, name, settings.derive, agreed)
    rows, positions = amendments.amended(rows, name, artefacts.sha256(path), mended, settings.null_values)
    return replace(parse(rows, name, settings.derive, agreed), amended=len(positions))


def check_header(found: list[str], name: str, agreed: Contract, derive: Mapping[str, str]) -> None:
    """Raise DataError when a file's columns are not those that the contract asks of it."""
    for column in derive:
        if column not in agreed.names:
            raise SettingsError(
                f"the contract has no column `{column}`",
                where=f"params.yaml: ingest.derive.{column}",
                fix=f"add it to schemas/{agreed.file.name}, or remove the key",
            )
    expected = [column for column in agreed.names if column not in derive]
    absent = [column for column in expected if column not in found]
    unexpected = [column for column in found if column not in expected]
    if absent:
        unlabelled = "; rows without a label have its column too, with empty cells" * (agreed.label.name in absent)
        raise DataError(
            f"lacks the column{'s' * (len(absent) > 1)} {', '.join(absent)} of the contract",
            where=name,
            fix=f"its header must hold {len(expected)} columns: {', '.join(expected[:6])}"
            + ", …" * (len(expected) > 6)
            + unlabelled,
        )
    derived = [column for column in unexpected if column in derive]
    if derived:
        raise DataError(
            f"has a column {derived[0]}, and params.yaml derives one of that name",
            where=name,
            fix=f"drop it from the file, or remove ingest.derive.{derived[0]} from params.yaml",
        )
    if unexpected:
        raise DataError(
            f"has the column{'s' * (len(unexpected) > 1)} {', '.join(unexpected)}, unknown to the contract",
            where=name,
            fix=f"add it to schemas/{agreed.file.name}, with a role, or drop it from the file",
        )


def parse(
    rows: pl.DataFrame, name: str, derive: Mapping[str, str], agreed: Contract, *, first: int | None = None
) -> Parsed:
    """Type the rows by the contract, derive columns, and set aside what would not parse; order is kept.

    `first`: they are those of the source from this one on, and not all: that hardly one parses is no error then.
    """
    counted = pl.int_range(first or 0, pl.len() + (first or 0)).cast(pl.String)
    ids = pl.concat_str(pl.lit(f"{name}#"), counted).alias(ROW_ID)
    given = [column for column in agreed.columns if column.name not in derive]
    for column in given:
        _refuse_other_type(rows.schema[column.name], name, column)
    rows = rows.with_columns(cs.float().fill_nan(None))
    typed = rows.select(ids, *(_typed(rows.schema[c.name], c) for c in given))
    unparsed = [pl.DataFrame(schema=UNPARSED_SCHEMA)]
    for column in given:
        if typed[column.name].null_count() > rows[column.name].null_count():
            value, raw = typed[column.name].alias("value"), rows[column.name].alias("raw")  # a name may be a pattern
            bad = value.is_null() & raw.is_not_null()
            cells = pl.DataFrame({ROW_ID: typed[ROW_ID], "raw": raw.cast(pl.String)}).filter(bad)
            if first is None:
                _refuse_changed_type(cells, rows[column.name], name, column)
            unparsed.append(cells.select(ROW_ID, pl.lit(column.name).alias("column"), "raw"))
        if column.empty == "no tags":
            told = pl.DataFrame({"cell": typed[column.name], "came": rows[column.name]})
            said = told.select(tags.or_none(pl.col("cell"), pl.col("came"))).to_series()
            typed = typed.with_columns(said.alias(column.name))
    typed = typed.with_columns(cs.float().fill_nan(None))
    for target, text in derive.items():
        share = WRONG_TYPE_SHARE if first is None else 1.0
        typed, failed = derived(typed, agreed.column(target), text, name, share=share)
        unparsed.append(failed)
    return Parsed(typed=typed.select(cs.by_name(ROW_ID, *agreed.names)), unparsed=pl.concat(unparsed))


def _typed(found: pl.DataType, column: contract.Column) -> pl.Expr:
    """The column as the contract's type; spaces around what is no text mean nothing."""
    cell: pl.Expr = cs.by_name(column.name)  # pl.col would take a name such as "*" as a pattern
    if found == pl.String and column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        cell = cell.str.strip_chars()
    return typed_as(cell, found, column.dtype, column.format)


def derived(
    typed: pl.DataFrame, column: contract.Column, text: str, name: str, *, share: float = WRONG_TYPE_SHARE
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with the column, and the rows whose inputs are there but do not make a value, as unparsed cells.

    Raises SettingsError where that share of the rows, or `BAD_ROWS` of them, do not.
    """
    value = expression(column, text, name)
    try:
        made, failed = _tolerantly(typed, value, share)
    except readers.ERRORS as error:
        raise unworkable(column.name, text, name, error) from error
    require_by_row(typed, made, value, text, name)
    inputs = sorted(set(value.meta.root_names()) & set(typed.columns)) or [ROW_ID]
    cells = typed.filter(pl.col(ROW_ID).is_in(failed)).drop_nulls(inputs)
    raw = pl.concat_str([pl.lit(f"{i}=") + pl.col(i).cast(pl.String) for i in inputs], separator=" ")
    return typed.with_columns(made), cells.select(ROW_ID, pl.lit(column.name).alias("column"), raw.alias("raw"))


def expression(column: contract.Column, text: str, name: str) -> pl.Expr:
    """The column as `text` derives it, of the contract's type; NaN is null. Raises SettingsError where it is no SQL."""
    try:
        value = pl.sql_expr(text).cast(column.dtype).alias(column.name)
    except readers.ERRORS as error:
        raise unworkable(column.name, text, name, error) from error
    return value.fill_nan(None) if column.dtype.is_float() else value


def unworkable(column: str, text: str, data: str, error: BaseException) -> SettingsError:
    """The expression of a derived column fails on the data of that name."""
    return SettingsError(
        f"`{text:.80}` does not work on {data}: {str(error).splitlines()[0]:.200}",
        where=f"params.yaml: ingest.derive.{column}",
        fix="write one Polars SQL expression over the contract's columns",
    )


def _tolerantly(rows: pl.DataFrame, value: pl.Expr, share: float = WRONG_TYPE_SHARE) -> tuple[pl.Series, list[str]]:
    """`value` for each row, null where it fails, and the ids of those rows, found by halving; raises for too many."""
    parts: list[pl.Series] = []
    failed: list[str] = []
    todo = [rows]
    while todo:
        part = todo.pop()
        try:
            parts.append(part.select(value).to_series())
        except readers.ERRORS:
            half = part.height // 2
            if half:
                todo += [part[half:], part[:half]]
                continue
            failed += part[ROW_ID].to_list()
            if len(failed) > min(BAD_ROWS, share * rows.height):
                raise
            parts.append(rows.clear().select(value).to_series().extend_constant(None, 1))
    return pl.concat(parts), failed


def require_by_row(rows: pl.DataFrame, made: pl.Series, value: pl.Expr, text: str, name: str) -> None:
    """Raise SettingsError where a row's value does not follow from its own cells.

    Asked of a few of the rows that have one, each by itself. `made`: the values, one for each of the rows.
    """
    known = made.is_not_null().arg_true()
    asked = known.gather_every(max(1, known.len() // ASKED_ALONE))
    try:
        elementwise = rows.clear().select(value).is_empty()
        alone = [rows[at : at + 1].select(value).to_series() for at in asked]
    except readers.ERRORS as error:
        raise unworkable(made.name, text, name, error) from error
    if not elementwise or not pl.concat([made.clear(), *alone]).eq_missing(made.gather(asked)).all():
        raise SettingsError(
            f"`{text:.80}` does not give each row a value of its own",
            where=f"params.yaml: ingest.derive.{made.name}",
            fix="write an expression over the cells of one row, without aggregates and windows",
        )


def _refuse_other_type(found: pl.DataType, name: str, column: contract.Column) -> None:
    """A file with types of its own may not hold one that the contract's could only be guessed from."""
    wanted = column.dtype
    number = found.is_numeric() or found == pl.Boolean
    moment = found in (pl.Date, pl.Datetime)
    if found in (pl.String, pl.Null, pl.Categorical, pl.Enum):
        fits = True  # each cell says for itself
    elif wanted == pl.Boolean:
        fits = found.is_integer() or found == pl.Boolean
    elif wanted.is_numeric():
        fits = number
    else:
        fits = moment if wanted in (pl.Date, pl.Datetime) else number or moment
    if not fits:
        raise DataError(
            f"holds {found}, the contract says {wanted}",
            where=f"{name}: {column.name}",
            fix="the column's type has changed: mend the file, or the contract",
        )


def _refuse_changed_type(cells: pl.DataFrame, raw: pl.Series, name: str, column: contract.Column) -> None:
    filled = raw.len() - raw.null_count()
    if cells.height > WRONG_TYPE_SHARE * filled:
        raise DataError(
            f"{cells.height:,} of {filled:,} values are no {column.dtype}, such as {cells['raw'][0]!r:.40}",
            where=f"{name}: {column.name}",
            fix="the column's type has changed: mend the file or the contract, or name a marker in ingest.null_values",
        )


def _source_file(path: Path, name: str, parsed: Parsed) -> SourceFile:
    return SourceFile(
        name=name,
        sha256=artefacts.sha256(path),
        rows=parsed.typed.height,
        unparsed_cells=parsed.unparsed.height,
        amended=parsed.amended,
    )

"""All sources of a question as one typed table, by the contract or as inferred; row_id is the position in the input."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from polars.selectors import by_name

from pipeline import artefacts, contract, readers
from pipeline.artefacts import Record
from pipeline.contract import ROW_ID, Contract, Role
from pipeline.errors import DataError
from pipeline.infer import Inferred, infer, series
from pipeline.infer.found import Found
from pipeline.quality.findings import Table, is_drawn
from pipeline.readers import Source
from pipeline.stages import ingest
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.validate import ChecksSettings
from pipeline.tables.frames import batches
from pipeline.workspace import Workspace

BATCH_ROWS = 1 << 18
DATA = "these data"  # as a message calls them
JUDGED = 200  # rows or a few more, by which it is judged whether an expression is about one row


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked: paths (one after the other are the input), a contract or the roles of columns, a reference.

    With a `query` the paths are URLs of databases, or their files; a reference may be one, or any other file.
    `policies` has settings of checks by their name, as they stand in params.yaml under `checks`.
    """

    paths: Sequence[str]
    contract: Path | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    reference: str | None = None
    query: str | None = None
    policies: Mapping[str, Any] = field(default_factory=dict)
    flagged: bool = False
    impact: bool = False


class Origin(Record):
    """One source: its rows, how its format was recognised, and damage that was read past."""

    name: str
    rows: int
    dialect: dict[str, str]
    damage: list[str]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Sources as one table of typed rows."""

    table: Table
    origins: list[Origin]
    why: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a contract's workspace sets, or the defaults."""

    ingest: IngestSettings = field(default_factory=IngestSettings)
    checks: ChecksSettings = field(default_factory=ChecksSettings)


def agreed_by(question: Question) -> tuple[Contract | None, Settings]:
    """The contract with the roles that were given, and the settings of the workspace that it stands in."""
    if question.contract is None:
        return None, Settings()
    agreed = contract.load(question.contract)
    for name in question.roles:
        agreed.column(name)
    columns = tuple(
        dataclasses.replace(column, role=question.roles.get(column.name, column.role)) for column in agreed.columns
    )
    root = question.contract.resolve().parent.parent
    if not (root / "params.yaml").is_file():
        return dataclasses.replace(agreed, columns=columns), Settings()
    workspace = Workspace.open(root)
    settings = Settings(ingest=workspace.section(IngestSettings), checks=workspace.section(ChecksSettings))
    return dataclasses.replace(agreed, columns=columns), settings


def read(
    paths: Sequence[str], question: Question, agreed: Contract | None, settings: Settings, scratch: Path
) -> Reading:
    """All sources as one table; row_id is the position in the input."""
    scratch.mkdir(parents=True)
    sources = [source for path in paths for source in opened(path, question.query, scratch)]
    sources = [source.without(ROW_ID) for source in sources] if agreed is None else sources
    readers.require_same_columns(sources)
    if agreed is None:
        readers.require_one_type(sources)
    numbered, heights = _numbered(sources)
    inferred = _columns(numbered, sources, question, agreed, settings, height=sum(heights))
    parts: dict[str, pl.LazyFrame] = {}
    unparsed: list[pl.LazyFrame] = []
    for place, (source, frame) in enumerate(zip(sources, numbered, strict=True)):
        typed, bad = inferred.typed(_completed(frame, inferred), seen=agreed is None)
        if source.text:
            typed, bad = _kept(typed, scratch / f"{place}.rows.parquet"), _kept(bad, scratch / f"{place}.bad.parquet")
        unparsed.append(bad)
        if agreed is not None:
            typed, failed = _derived(typed, agreed, settings.ingest.derive, heights[place], scratch / f"{place}")
            unparsed.append(failed)
        parts[_name(source.name, parts)] = typed
    entity = None
    if agreed is None:
        entity = series.series_of(pl.concat(parts.values()), inferred.columns, question.roles, sum(heights))
    table = Table(
        contract=agreed or inferred.contract,
        partitions=parts,
        unparsed=pl.concat(unparsed),
        height=sum(heights),
        base=sources[0].base,
        header=tuple(sources[0].frame.collect_schema().names()),
        derived=() if agreed is None else tuple(settings.ingest.derive),
        summarised=inferred.summarised,
        drawn=inferred.drawn,
        lacking=inferred.lacking,
        uneven=tuple(f"{s.name}: line {bad.line}, byte {bad.byte}: {bad.what}" for s in sources for bad in s.left_out),
        beside=tuple(source.beside for source in sources if source.beside),
        series_of=entity,
    )
    why = {column.name: f"{column.why}{series.WHY * (column.name == entity)}" for column in inferred.columns}
    return Reading(table=table, origins=[_origin(s, h) for s, h in zip(sources, heights, strict=True)], why=why)


def opened(path: str, query: str | None, scratch: Path, *, header: bool | None = None) -> list[Source]:
    """Every table at a path, or what a query to the database there gives; `header` as of `readers.open_source`."""
    if query is not None:
        return [readers.open_sql(path, query, scratch=scratch)]
    if "://" in path and readers.is_database(path):
        fix = "add the query: --sql 'SELECT ...'"
        raise DataError("is a database, and --sql is missing", where=readers.shown(path), fix=fix)
    if "://" in path:
        fix = "name a file or folder, or a database with --sql: sqlite, duckdb or postgresql"
        raise DataError("is an address that is not read here", where=readers.shown(path), fix=fix)
    return readers.open_all(Path(path), scratch=scratch, header=header, lenient=True)


def _numbered(sources: Sequence[Source]) -> tuple[list[pl.LazyFrame], list[int]]:
    """Each frame with row_id, counted on through all of them, and its height."""
    heights: list[int] = []
    frames: list[pl.LazyFrame] = []
    for source in sources:
        if ROW_ID in source.frame.collect_schema():
            raise DataError(f"has a column called {ROW_ID}", where=source.name, fix="rename it: the name is taken")
        frames.append(source.frame.with_row_index(ROW_ID, offset=sum(heights)))
        heights.append(_height(source))
    return frames, heights


def _height(source: Source) -> int:
    try:
        return int(source.frame.select(pl.len()).collect(engine="streaming").item())
    except readers.ERRORS as error:
        raise readers.unreadable(Path(source.name), error) from error


def _columns(
    frames: Sequence[pl.LazyFrame],
    sources: Sequence[Source],
    question: Question,
    agreed: Contract | None,
    settings: Settings,
    *,
    height: int,
) -> Inferred:
    """The columns as the contract says, else as inferred from all rows."""
    if agreed is not None:
        found = _stated(agreed, settings)
        if not {column.name for column in found.columns} & set(frames[0].collect_schema().names()):
            raise _strange(agreed, sources[0].name, given=question.contract is not None)
        return found
    try:
        names = frames[0].collect_schema().names()
        return infer(
            pl.concat([frame.select(by_name(*names)) for frame in frames], how="vertical_relaxed"),
            name=sources[0].name,
            text=any(source.text for source in sources),
            roles=question.roles,
            media=sources[0].media,
            draw=is_drawn(height),
        )
    except readers.ERRORS as error:
        raise readers.unreadable(Path(sources[0].name), error) from error


def _stated(agreed: Contract, settings: Settings) -> Inferred:
    """The contract's columns but for those that its workspace derives."""
    columns = tuple(
        Found(
            name=column.name,
            dtype=column.dtype,
            role=column.role,
            modality=column.modality,
            nullable=column.nullable,
            why="as the contract says",
            values=0,
            distinct=0,
            format=column.format,
            empty=column.empty,
        )
        for column in agreed.columns
        if column.name not in settings.ingest.derive
    )
    return Inferred(name=agreed.file.stem, rows=0, columns=columns, null_values=settings.ingest.null_values)


def _strange(agreed: Contract, name: str, *, given: bool) -> DataError:
    """That no column is there: of a contract that was given, or of the data that a reference is compared with."""
    if given:
        return DataError(
            "none of the contract's columns is in the data",
            where=f"schemas/{agreed.file.name}",
            fix="name the contract of these data, or leave --contract out",
        )
    what = "has none of the columns of the data that it is to be compared with"
    return DataError(what, where=name, fix="name data that have the same columns")


def _completed(frame: pl.LazyFrame, inferred: Inferred) -> pl.LazyFrame:
    """The frame with a column of nulls for each that the contract has and the file has not."""
    known = frame.collect_schema()
    absent = [column for column in inferred.columns if column.name not in known]
    return frame.with_columns(pl.lit(None, dtype=column.dtype).alias(column.name) for column in absent)


def _kept(frame: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """The rows of text, parsed once: the checks read the file several times."""
    try:
        artefacts.write_parquet(path, frame)
    except readers.ERRORS as error:
        raise readers.unreadable(path, error) from error
    return artefacts.scan_parquet(path)


def _derived(
    rows: pl.LazyFrame, agreed: Contract, derive: Mapping[str, str], height: int, scratch: Path
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The rows with the columns that the contract's workspace derives, in its order, and the cells that failed.

    Where no row fails they stay lazy: one pass says so, and brings some rows by which the expressions are judged.
    """
    ordered = by_name(ROW_ID, *agreed.names)
    cells = {**ingest.UNPARSED_SCHEMA, ROW_ID: rows.collect_schema()[ROW_ID]}
    if not derive:
        return rows.select(ordered), pl.LazyFrame(schema=cells)
    values = {name: ingest.expression(agreed.column(name), text, DATA) for name, text in derive.items()}
    whole = rows
    for value in values.values():
        whole = whole.with_columns(value)
    inputs = {name for value in values.values() for name in value.meta.root_names()}
    try:
        known = [name for name in whole.collect_schema().names() if name in inputs | {ROW_ID, *derive}]
        some = whole.select(by_name(*known)).gather_every(max(1, height // JUDGED))
        every = whole.select(by_name(*derive).count())
        judged, _ = pl.collect_all([some, every], engine="streaming")
    except readers.ERRORS:
        return _derived_in_batches(rows, agreed, derive, scratch)
    for name, text in derive.items():
        ingest.require_by_row(judged, judged.get_column(name), values[name], text, DATA)
    return whole.select(ordered), pl.LazyFrame(schema=cells)


def _derived_in_batches(
    rows: pl.LazyFrame, agreed: Contract, derive: Mapping[str, str], scratch: Path
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The same where an expression fails: which rows it fails for is found as ingest finds it, and written once."""
    failed: list[pl.DataFrame] = []
    parts: list[pl.LazyFrame] = []
    for batch in batches(rows, BATCH_ROWS):
        made = batch
        for name, text in derive.items():
            made, cells = ingest.derived(made, agreed.column(name), text, DATA)
            failed.append(cells)
        parts.append(_kept(made.lazy().select(by_name(ROW_ID, *agreed.names)), scratch / f"{len(parts)}.parquet"))
    return pl.concat(parts), pl.concat(failed).lazy()


def _name(name: str, taken: Mapping[str, object]) -> str:
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name} ({number})"
    return free


def _origin(source: Source, rows: int) -> Origin:
    damage = [f"line {bad.line}, byte {bad.byte}: {bad.what}" for bad in [*source.bad, *source.left_out]]
    return Origin(name=source.name, rows=rows, dialect=source.dialect, damage=damage)

"""The quarantine mended by hand: export its rows as raw text, let a person mend the file, and take it in again.

What is taken in is an amendment (pipeline/cleaning/amendments.py): the next run reads the mended rows in the place of
the old ones and asks every check of them like of any other row.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from polars.selectors import by_name

from pipeline import artefacts, contract, readers
from pipeline.cleaning import amendments
from pipeline.cleaning.amendments import AmendedSource, Amendment, Cells
from pipeline.contract import ROW_ID, Contract
from pipeline.errors import DataError
from pipeline.stages import clean, ingest
from pipeline.stages.ingest import Ingested, IngestSettings
from pipeline.workspace import Workspace

FIX = "export the quarantine anew, and change nothing but cells of the data"


def export(workspace: Workspace, target: Path) -> int:
    """Write every quarantined row to a CSV file: row_id, the reason, and the cells as they stand in the source.

    Where amendments were taken in, the cells are as amended. Returns the number of rows.
    """
    agreed = contract.load(workspace.contract_file)
    reason = clean.reason_column(agreed)
    left = artefacts.scan_parquet(workspace.quarantine / clean.QUARANTINED).select(ROW_ID, by_name(reason)).collect()
    rows = raw(workspace, agreed, left[ROW_ID].to_list())
    with artefacts.replacing(target) as temporary:
        left.join(rows, on=ROW_ID, maintain_order="left").write_csv(temporary)
    return left.height


def take_in(workspace: Workspace, file: Path) -> tuple[int, Path | None]:
    """Take the mended rows of an exported file in; returns how many differ, and the amendment that holds them.

    Raises DataError for rows that are not in the quarantine, and for columns that are not the data's.
    """
    agreed = contract.load(workspace.contract_file)
    mended = _read(file)
    _require_columns(mended, agreed, given(workspace, agreed), file.name)
    _require_rows(mended[ROW_ID], workspace, file.name)
    old = raw(workspace, agreed, mended[ROW_ID].to_list())
    columns = given(workspace, agreed)
    pairs = zip(
        mended[ROW_ID],
        mended.select(by_name(*columns)).iter_rows(),
        old.select(by_name(*columns)).iter_rows(),
        strict=True,
    )
    changed = {row: _cells(new, before) for row, new, before in pairs if _cells(new, before) != list(before)}
    if not changed:
        return 0, None
    source = ingest.source_folder(workspace)
    if source.is_file():
        raise DataError(
            "is one file, so nothing can be kept beside it",
            where="params.yaml: ingest.source",
            fix="put it into a folder, and name the folder",
        )
    return len(changed), amendments.write(source, Amendment(columns=columns, sources=_by_source(workspace, changed)))


def _read(file: Path) -> pl.DataFrame:
    """The cells of a mended file as text: as it was exported, or as a spreadsheet program wrote it again.

    Such a program may separate cells by semicolons or tabs, and need not write UTF-8. Raises DataError for a file
    that is no text, or that is damaged in any place.
    """
    with suppress(DataError):
        frame = readers.scan(file, [])
        if file.suffix == ".csv" and ROW_ID in frame.collect_schema():
            return frame.collect()
    with TemporaryDirectory(prefix="keepfit-quarantine-") as scratch:
        source = readers.open_source(file, scratch=Path(scratch), header=True)
        if not source.text:
            raise DataError("is no text table", where=file.name, fix="save it as CSV")
        for damage in source.bad[:1]:
            raise DataError(damage.what, where=f"{file.name}, line {damage.line}", fix="mend it, or save it as UTF-8")
        return source.frame.collect()


def given(workspace: Workspace, agreed: Contract) -> list[str]:
    """The contract's columns that stand in the sources."""
    derive = workspace.section(IngestSettings).derive
    return [name for name in agreed.names if name not in derive]


def raw(workspace: Workspace, agreed: Contract, rows: Sequence[str]) -> pl.DataFrame:
    """The cells of these rows as text, as they stand in their source or were amended: row_id and the given columns.

    An empty cell is null. Raises DataError for a row that is not there, and for a source that is another by now.
    """
    source, columns, digests = ingest.source_folder(workspace), given(workspace, agreed), _digests(workspace)
    told = amendments.read(source)
    wanted: dict[str, list[int]] = {}
    for row in rows:
        name, position = place(row)
        wanted.setdefault(name, []).append(position)
    parts = [pl.DataFrame(schema={ROW_ID: pl.String, **dict.fromkeys(columns, pl.String)})]
    for name, positions in wanted.items():
        path = source / name if source.is_dir() else source
        frame, digest = readers.scan(path, []).select(by_name(*columns)), artefacts.sha256(path)
        if digests.get(name, digest) != digest:
            raise DataError("has changed since it was ingested", where=name, fix="run `keepfit run` first")
        whole, _ = amendments.amended(frame.collect(), name, digest, told, [])
        _require_position(whole.height, name, positions)
        cells = whole.select(by_name(*columns).gather(positions).cast(pl.String))
        parts.append(cells.select(pl.Series(ROW_ID, [f"{name}#{at}" for at in positions]), pl.all()))
    return pl.DataFrame({ROW_ID: rows}, schema={ROW_ID: pl.String}).join(
        pl.concat(parts), on=ROW_ID, how="left", maintain_order="left"
    )


def place(row: str) -> tuple[str, int]:
    """The source and the position of a row; raises DataError for what is no row_id.

    >>> place("2024-01.csv#17")
    ('2024-01.csv', 17)
    """
    name, mark, position = row.rpartition("#")
    if not mark or not position.isdecimal():
        raise DataError(f"is no {ROW_ID}", where=row, fix="write the file, `#`, and the row's position from 0")
    return name, int(position)


def _require_position(height: int, name: str, positions: Sequence[int]) -> None:
    if max(positions) >= height:
        raise DataError(
            "is no row of that file", where=f"{name}#{max(positions)}", fix=f"its rows are 0 to {height - 1:,}"
        )


def _require_columns(mended: pl.DataFrame, agreed: Contract, columns: Sequence[str], where: str) -> None:
    """Raise DataError where the file has not exactly the data's columns with row_id, and perhaps the reason."""
    allowed = {ROW_ID, clean.reason_column(agreed), *columns}
    absent = [name for name in (ROW_ID, *columns) if name not in mended.columns]
    unknown = [name for name in mended.columns if name not in allowed]
    if absent or unknown:
        what = f"lacks the column {absent[0]}" if absent else f"has a column {unknown[0]}, which is none of the data's"
        raise DataError(what, where=where, fix=FIX)


def _require_rows(rows: pl.Series, workspace: Workspace, where: str) -> None:
    """Raise DataError for a row_id that is empty, stands twice, or is not one of the quarantine's."""
    left = artefacts.scan_parquet(workspace.quarantine / clean.QUARANTINED).select(ROW_ID).collect()[ROW_ID]
    strange = rows.filter(rows.is_null() | rows.is_duplicated() | ~rows.is_in(left.implode()))
    if strange.len():
        raise DataError(f"{strange[0]} stands twice, or is no row of the quarantine", where=where, fix=FIX)


def _cells(new: Sequence[str | None], before: Sequence[str | None]) -> Cells:
    """The mended cells; one that was exported as it was stays what it was, and one left empty is null."""
    return [old if (cell or "") == (old or "") else cell or None for cell, old in zip(new, before, strict=True)]


def _digests(workspace: Workspace) -> dict[str, str]:
    """SHA-256 of each source as it was ingested."""
    return {file.name: file.sha256 for file in Ingested.read(workspace.ingested / ingest.MANIFEST).files}


def _by_source(workspace: Workspace, changed: dict[str, Cells]) -> dict[str, AmendedSource]:
    digests = _digests(workspace)
    rows: dict[str, dict[int, Cells]] = {}
    for row, cells in changed.items():
        name, position = place(row)
        rows.setdefault(name, {})[position] = cells
    return {name: AmendedSource(sha256=digests[name], rows=own) for name, own in rows.items()}

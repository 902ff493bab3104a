"""`keepfit ledger`: where every row went, and of one row where it went and why. Rows count from 0, as in row_id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline import artefacts, contract
from pipeline.cleaning.ledger import Ledger
from pipeline.cleaning.merging import EXACT
from pipeline.commands import quarantine
from pipeline.commands.check.listing import say
from pipeline.contract import ROW_ID
from pipeline.errors import DataError
from pipeline.models import saved
from pipeline.stages import clean, ingest, split
from pipeline.stages.ingest import Ingested
from pipeline.versions import registry
from pipeline.workspace import Workspace

COPIES = 10  # rows merged into one that are named
COUNTS = ("rows_in", "kept", "repaired", "merged", "quarantined")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One row's way: its raw cells (as amended, where they were), what was said of it, and what was done with it.

    flags: check, column, value, suggested, policy; repairs: column, check, before, after; alike: the check that says
    why it was merged; copies: the rows that were merged into it; part: the split it is in; outside: whether
    it is in none though there are splits; models: those that were trained on it, of which this can be known: the
    candidate and its registered copies
    """

    row: str
    cells: dict[str, str | None]
    flags: list[dict[str, str | None]]
    repairs: list[dict[str, str | None]]
    quarantined: str | None
    into: str | None
    alike: str | None
    copies: list[str]
    part: str | None
    outside: bool
    models: list[str]


def show(workspace: Workspace, words: Sequence[str]) -> None:
    """Print the ledger; with words, FILE ROW or a row_id, the way of that row."""
    lines = table(Ledger.read(workspace.ledger)) if not words else told(trace(workspace, row_of(workspace, words)))
    for line in lines:
        say(line)


def row_of(workspace: Workspace, words: Sequence[str]) -> str:
    """The row_id that is meant by FILE ROW or by itself; raises DataError where there is no such row."""
    name, position = quarantine.place("#".join(words))
    known = {file.name: file.rows for file in Ingested.read(workspace.ingested / ingest.MANIFEST).files}
    if name not in known:
        raise DataError("is no ingested file", where=name, fix=f"name one of: {', '.join(known)}")
    if position >= known[name]:
        raise DataError(
            "is no row of that file", where=f"{name}#{position}", fix=f"its rows are 0 to {known[name] - 1}"
        )
    return f"{name}#{position}"


def trace(workspace: Workspace, row: str) -> Trace:
    """Follow one row through the files that the stages wrote; a stage that has not run yet says nothing."""
    agreed = contract.load(workspace.contract_file)
    reason, into = clean.reason_column(agreed), "into"
    left = _of(workspace.quarantine / clean.QUARANTINED, row, [reason])
    merged = _of(workspace.quarantine / clean.MERGED, row, [into, "check"])
    part = next((name for name in split.SPLITS if _of(workspace.split / f"{name}.parquet", row, [ROW_ID])), None)
    return Trace(
        row=row,
        cells=quarantine.raw(workspace, agreed, [row]).drop(ROW_ID).row(0, named=True),
        flags=_of(workspace.flags, row, ["check", "column", "value", "suggested", "policy"]),
        repairs=_of(workspace.quarantine / clean.REPAIRED, row, ["column", "check", "before", "after"]),
        quarantined=left[0][reason] if left else None,
        into=merged[0][into] if merged else None,
        alike=merged[0]["check"] if merged else None,
        copies=[str(copy[ROW_ID]) for copy in _of(workspace.quarantine / clean.MERGED, row, [ROW_ID], by=into)],
        part=part,
        outside=part is None and (workspace.split / split.MANIFEST).is_file(),
        models=_models(workspace) if part == "train" else [],
    )


def _of(path: Path, row: str, columns: list[str], *, by: str = ROW_ID) -> list[dict[str, str | None]]:
    if not path.is_file():
        return []
    found = artefacts.scan_parquet(path).filter(pl.col(by) == row).select(pl.col(columns))
    return found.collect(engine="streaming").to_dicts()


def _models(workspace: Workspace) -> list[str]:
    """The candidate, if it was trained on the split that lies there, and the versions that are copies of it."""
    manifest = workspace.candidate / saved.MANIFEST
    if not manifest.is_file():
        return []
    candidate = saved.Manifest.read(manifest)
    present = split.SplitRecord.read(workspace.split / split.MANIFEST).model_dump(mode="json")
    if any(present[name] != getattr(candidate, name) for name in ("rows", "sources")):
        return []
    version = registry.version_of_candidate(workspace)
    champion = registry.champion(workspace).version
    named = f"{version}, the champion" if version == champion else version
    return ["the candidate", *([named] if version and named else [])]


def table(ledger: Ledger) -> Iterator[str]:
    """The ledger as lines: a stage each, and below it why rows left and which cells were repaired."""
    for entry in ledger.stages:
        counts = ", ".join(f"{getattr(entry, name):,} {name.replace('rows_in', 'in')}" for name in COUNTS)
        yield f"{entry.stage}: {counts}" + (f", {entry.amended:,} amended" if entry.amended else "")
        yield from (f"    {rows:>9,} rows  {why}" for why, rows in entry.reasons.items())
        yield from (f"    {cells:>9,} cells repaired  {rule}" for rule, cells in entry.repairs.items())
    out = f"{ledger.kept:,} kept + {ledger.merged:,} merged + {ledger.quarantined:,} quarantined"
    yield f"{ledger.rows_in:,} in = {out}"


def told(found: Trace) -> Iterator[str]:
    """The way of one row as lines."""
    yield found.row
    yield "  cells: " + ", ".join(f"{name}={_shown(cell)}" for name, cell in found.cells.items())
    for flag in found.flags:
        suggested = f", suggested {flag['suggested']!r}" if flag["suggested"] is not None else ""
        yield f"  flagged by {_named(flag)}: {_shown(flag['value'])}{suggested} ({flag['policy']})"
    for cell in found.repairs:
        yield f"  repaired: {cell['column']}: {_shown(cell['before'])} → {_shown(cell['after'])} ({cell['check']})"
    if found.copies:
        more = f" and {len(found.copies) - COPIES:,} more" if len(found.copies) > COPIES else ""
        yield f"  stands for {', '.join(found.copies[:COPIES])}{more} too, merged into it"
    yield f"  {_end(found)}"


def _end(found: Trace) -> str:
    if found.quarantined is not None:
        return f"quarantined: {found.quarantined}"
    if found.into is not None:
        why = "which it equals" if found.alike == EXACT else f"the fullest of its duplicates ({found.alike})"
        return f"merged into {found.into}, {why}"
    if found.part is None:
        return "kept, and before the window of the last retraining" if found.outside else "kept, and in no split yet"
    taught = f", on which {' and '.join(found.models)} was trained" if found.models else ""
    return f"kept, in {found.part}{taught}"


def _named(flag: dict[str, str | None]) -> str:
    return f"{flag['check']} {flag['column']}" if flag["column"] is not None else f"{flag['check']}"


def _shown(cell: str | None) -> str:
    return "nothing" if cell is None else repr(cell)

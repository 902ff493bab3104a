"""A batch as monitoring sees it: read by the contract, checked, and cleaned by given repairs (used by monitor)."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.checks.balance import SingleClassTarget
from pipeline.cleaning import plan
from pipeline.cleaning.ledger import Entry
from pipeline.contract import Contract
from pipeline.errors import DataError
from pipeline.expectations import validate_batches
from pipeline.quality.findings import Finding, Table
from pipeline.quality.inspection import inspect
from pipeline.quality.repairs import Plan
from pipeline.stages import clean, ingest, validate
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.validate import ChecksSettings
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch that was read and cleaned. `usable`: rows whose features hold, labelled or not; `labelled`: the rest.

    Both are repaired by the champion's rules; `table` is what was read. Of `private` columns no value may be shown.
    """

    table: Table
    usable: pl.DataFrame
    labelled: pl.DataFrame
    findings: list[Finding]
    ledger: list[Entry]
    private: frozenset[str] = frozenset()


def read(workspace: Workspace, path: Path, agreed: Contract, repairs: Plan) -> Batch:
    """Read a batch by the contract, ask the checks and Great Expectations of it, and clean it by these repairs.

    Raises DataError when no row is left whose features hold.
    """
    settings, checks = workspace.section(IngestSettings), workspace.section(ChecksSettings)
    parsed = ingest.read(path, path.name, settings, agreed)
    rows, label = parsed.typed, agreed.label.name
    table = Table(
        contract=agreed,
        partitions={path.name: rows.lazy()},
        unparsed=parsed.unparsed.lazy(),
        height=rows.height,
        base=path.parent,
    )
    # that labels are still to come is no fault of theirs
    asked = [c for c in checks.configured() if c.name != SingleClassTarget.name or rows[label].count()]
    judged = inspect(table, asked)
    pages = validate_batches(
        table.partitions.items(),
        agreed.expectations,
        docs=workspace.arrivals,
        seed=workspace.seed,
        private=judged.private,
    )
    findings = judged.findings + validate.batch_findings(pages, table.height, checks.batch_expectations)
    cells = clean.changed(table, plan.changes(repairs, table), settings.derive)
    decided = clean.decide(table, judged.flags, cells, asked)
    kept = clean.kept(table.rows, decided, agreed).collect()
    # a row of which nothing but the label is wrong can be predicted, and its features compared
    of_features = clean.decide(table, judged.flags, cells, asked, but_for=label)
    usable = clean.kept(table.rows, of_features, agreed).collect()
    if usable.is_empty():
        raise DataError(
            f"none of its {rows.height:,} rows is left after cleaning: {findings[0].message}",
            where=path.name,
            fix="mend the file, or the policies in params.yaml",
        )
    came = Entry(stage="ingest", rows_in=rows.height, kept=rows.height)
    entries = [came, clean.entry("clean", rows.height, kept.height, decided)]
    labelled = kept.drop_nulls(label)
    if agreed.label.is_quantity:
        labelled = labelled.filter(pl.col(label).is_finite())
    return Batch(
        table=table, usable=usable, labelled=labelled, findings=findings, ledger=entries, private=judged.private
    )

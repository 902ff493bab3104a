"""Stage 2: ask every check of the ingested rows, and let Great Expectations judge each source as one batch.

Findings go to reports/quality.json, the rows that they hit to data/flags.parquet, the pages of the batches
to reports/data_docs. A finding whose policy is `stop` fails the gate, after everything has been written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field, model_validator

from pipeline import artefacts, checks, contract, profile
from pipeline.artefacts import Record
from pipeline.errors import GateFailed
from pipeline.expectations import BatchResult, validate_batches
from pipeline.findings import FLAG_SCHEMA, Check, Finding, Hit, Policy, Table, finding, flags
from pipeline.stages import ingest
from pipeline.workspace import Section, Workspace

BATCH_EXPECTATIONS = "batch_expectations"


class ChecksSettings(Section):
    """The parameters and the policy of each check by its name, and what a failed batch expectation does."""

    key: ClassVar[str] = "checks"
    batch_expectations: Literal["stop", "warn"] = "stop"
    by_name: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, raw: Any) -> Any:
        """In params.yaml a check stands directly under `checks`, like batch_expectations."""
        if not isinstance(raw, Mapping) or "by_name" in raw:
            return raw
        named = {str(name): value for name, value in raw.items() if name != BATCH_EXPECTATIONS}
        return {"by_name": named, **{k: v for k, v in raw.items() if k == BATCH_EXPECTATIONS}}

    def configured(self) -> list[Check]:
        """Every check with these parameters; raises SettingsError that names the key."""
        return checks.configured(self.by_name)


class Quality(Record):
    """What the data are like: reports/quality.json."""

    rows: int
    columns: int
    findings: list[Finding]
    profile: dict[str, dict[str, float | int | str | None]]
    batches: list[BatchResult]

    def stopping(self) -> list[Finding]:
        """The findings that fail the gate."""
        return [found for found in self.findings if found.policy == "stop"]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Findings, worst first, and the flags in the shape of data/flags.parquet."""

    findings: list[Finding]
    flags: pl.DataFrame


def run(workspace: Workspace) -> Quality:
    """Validate what was ingested; raises GateFailed when a finding's policy is `stop`."""
    agreed, settings = contract.load(workspace.contract_file), workspace.section(ChecksSettings)
    table = ingest.table(workspace, agreed)
    judged = judge(table, settings.configured())
    with artefacts.replacing(workspace.data_docs) as docs:
        batches = validate_batches(table.partitions.items(), agreed.expectations, docs=docs, seed=workspace.seed)
    quality = Quality(
        rows=table.height,
        columns=len(agreed.columns),
        findings=judged.findings + batch_findings(batches, table.height, settings.batch_expectations),
        profile=_profile(table),
        batches=batches,
    )
    artefacts.write_parquet(workspace.flags, judged.flags.lazy())
    quality.write(workspace.quality)
    gate(quality.stopping(), workspace.quality)
    return quality


def judge(table: Table, asked: list[Check]) -> Judged:
    """Ask every check of the table."""
    hits = [(hit, check.policy) for check in asked for hit in check.hits(table)]
    order = {"error": 0, "warning": 1, "info": 2}
    found = [finding(hit, policy, table.height) for hit, policy in hits]
    empty = pl.DataFrame(schema=FLAG_SCHEMA)
    return Judged(
        findings=sorted(found, key=lambda f: (order[f.severity], -f.rows, f.check, f.column or "")),
        flags=pl.concat([empty, *(flags(hit, policy) for hit, policy in hits)]),
    )


def batch_findings(batches: list[BatchResult], height: int, policy: Policy) -> list[Finding]:
    """What Great Expectations said, as findings: one for each expectation that a batch failed."""
    return [
        finding(
            Hit(
                check=BATCH_EXPECTATIONS,
                rows=batch.rows,
                message=f"{batch.batch}: {line}",
                suggestion="look at the batch's page; mend the file, or the expectation in the contract",
                severity="error",
            ),
            policy,
            height,
        )
        for batch in batches
        for line in batch.failed
    ]


def gate(stopping: list[Finding], where: Path) -> None:
    """Raise GateFailed with what stops, if anything does."""
    if stopping:
        key, softer = _key(stopping[0].check)
        more = f" (and {len(stopping) - 1} more)" if len(stopping) > 1 else ""
        raise GateFailed(
            f"{stopping[0].check}: {stopping[0].message}{more}",
            where=where.name,
            fix=f"{stopping[0].suggestion}; or set checks.{key} to {' or '.join(softer)} in params.yaml",
        )


def _key(check: str) -> tuple[str, list[str]]:
    """The key of params.yaml that a finding's policy comes from, and the policies there that do not stop."""
    known = checks.registered()
    if check == BATCH_EXPECTATIONS:
        return check, ["warn"]
    key = check if check in known else "contract"  # whose rules are told under their standard names
    return key, [policy for policy in known[key].policies if policy != "stop"]


def _profile(table: Table) -> dict[str, dict[str, float | int | str | None]]:
    modalities = {c.name: c.modality for c in table.contract.features if c.modality is not None}
    merged = None
    for partition in table.partitions.values():
        part = profile.profile(partition, modalities)
        merged = part if merged is None else profile.merge(merged, part)
    return {} if merged is None else {name: column.summary() for name, column in merged.columns.items()}

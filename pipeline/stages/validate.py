"""Stage 2: ask every check of the ingested rows, and let Great Expectations judge each source as one batch.

Findings go to reports/quality.json, the rows that they hit to data/flags.parquet, the pages of the batches
to reports/data_docs. A finding whose policy is `stop` fails the gate, after everything has been written.
"""

from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from pipeline import artefacts, checks, contract, progress
from pipeline.artefacts import Record
from pipeline.errors import GateFailed
from pipeline.expectations import validate_batches
from pipeline.expectations.outcome import BatchResult
from pipeline.quality.findings import Check, Finding, Hit, Policy, Table, finding
from pipeline.quality.inspection import Account, inspect
from pipeline.stages import ingest
from pipeline.wording import clip, count
from pipeline.workspace import Section, Workspace

BATCH_EXPECTATIONS = "batch_expectations"
TOLD = 5  # errors that are told by themselves while the stage runs


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
    checks: list[Account]
    batches: list[BatchResult]

    def stopping(self) -> list[Finding]:
        """The findings that fail the gate."""
        return [found for found in self.findings if found.policy == "stop"]

    @property
    def words(self) -> str:
        """How many findings there are, by severity, and below it each that is surely broken."""
        of = Counter(found.severity for found in self.findings)
        told = ", ".join(count(of[severity], severity) for severity in ("error", "warning", "info"))
        broken = [found for found in self.findings if found.severity == "error"]
        errors = [f"  error {found.check}: {clip(found.message)}" for found in broken]
        more = [f"  and {len(errors) - TOLD:,} more errors: keepfit report"] if len(errors) > TOLD else []
        return "\n".join([f"{count(self.rows, 'row')}: {told}", *errors[:TOLD], *more])


def run(workspace: Workspace) -> Quality:
    """Validate what was ingested; raises GateFailed when a finding's policy is `stop`."""
    agreed, settings = contract.load(workspace.contract_file), workspace.section(ChecksSettings)
    table = ingest.table(workspace, agreed)
    inspection = inspect(table, settings.configured())
    with artefacts.replacing(workspace.data_docs) as docs:
        batches = validate_batches(
            table.partitions.items(),
            agreed.expectations,
            docs=docs,
            seed=workspace.seed,
            known=(workspace.data_docs, workspace.arrivals),
            private=inspection.private,
        )
    quality = Quality(
        rows=table.height,
        columns=len(agreed.columns),
        findings=inspection.findings + batch_findings(batches, table.height, settings.batch_expectations),
        profile=_profile(table, inspection.private),
        checks=inspection.accounts,
        batches=batches,
    )
    artefacts.write_parquet(workspace.flags, inspection.flags.lazy())
    quality.write(workspace.quality)
    progress.report(1.0, quality.words)
    gate(quality.stopping(), workspace.quality)
    return quality


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


def _profile(table: Table, private: Set[str]) -> dict[str, dict[str, float | int | str | None]]:
    """The few numbers of each feature; of a private one none."""
    shown = {column.name for column in table.features} - private
    return {name: column.summary() for name, column in table.profile.columns.items() if name in shown}

"""`keepfit check`: what is wrong with these data, in which rows, and what to do about it; without a workspace.

The way of the data: any files → typed rows with their position (text is parsed once, into a scratch folder) →
the table → every check → findings. With a contract its types and rules hold, without one both are inferred.
"""

import dataclasses
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from pipeline import checks, readers
from pipeline.artefacts import Record
from pipeline.commands.check.impact import Impact, impacts
from pipeline.commands.reading import Origin, Question, Reading, agreed_by, read
from pipeline.contract import ROW_ID, Column
from pipeline.profile import shape
from pipeline.quality.findings import Finding, Severity, Skipped, Table
from pipeline.quality.inspection import Account, inspect

COUNTS = ("missing", "distinct")
FLAGS_SCHEMA = pl.Schema(
    {
        "row": pl.Int64,
        "column": pl.String,
        "check": pl.String,
        "score": pl.Float64,
        "value": pl.String,
        "suggested": pl.String,
    }
)


class PublishedFinding(Record):
    """One finding in the shape of `--json`: stable, tools read it."""

    check: str
    severity: Severity
    column: str | None
    rows: int
    fraction: float
    observed: float | str | None
    threshold: float | str | None
    message: str
    suggestion: str
    examples: list[str]


class TimedAccount(Account):
    """What one check looked at, and how long it took."""

    seconds: float


class Examination(Record):
    """The answer, in the shape of `--json`; `profile` has one entry a column.

    `impact`: what mending each of the worst findings does to a quick model's score, where that was asked for, or
    why it could not be.
    """

    rows: int
    columns: int
    findings: list[PublishedFinding]
    profile: dict[str, dict[str, Any]]
    checks: list[TimedAccount]
    sources: list[Origin]
    impact: list[Impact] = Field(default_factory=list)
    impact_skipped: str | None = None


@dataclass(frozen=True, kw_only=True)
class Examined:
    """The answer, and its flags in the shape of `--flags`: one row = one hit, by its position in the input."""

    answer: Examination
    flags: pl.DataFrame


def examine(question: Question, scratch: Path) -> Examined:
    """Ask every check of the files; `scratch` is an empty folder for what must be unpacked or parsed once.

    Raises DataError for a file that cannot be read, ContractError and SettingsError as they come.
    """
    agreed, settings = agreed_by(question)
    reading = read(question.paths, question, agreed, settings, scratch / "input")
    if question.reference:
        known = agreed or reading.table.contract
        asked_too = readers.is_database(question.reference)
        like = question if asked_too else dataclasses.replace(question, query=None)
        against = read([question.reference], like, known, settings, scratch / "reference")
        before = dataclasses.replace(against.table, series_of=reading.table.series_of)
        reading = dataclasses.replace(reading, table=dataclasses.replace(reading.table, reference=before))
    asked = checks.configured({**settings.checks.by_name, **question.policies})
    inspection = inspect(reading.table, asked, flagged=question.flagged or question.impact)
    told = impacts(reading.table, inspection) if question.impact else []
    accounts = [
        TimedAccount(**account.model_dump(), seconds=round(inspection.seconds[account.check], 3))
        for account in inspection.accounts
    ]
    answer = Examination(
        rows=reading.table.height,
        columns=len(reading.table.header or reading.table.columns),
        findings=[published(finding) for finding in inspection.findings],
        profile=_profile(reading, inspection.private),
        checks=accounts,
        sources=reading.origins,
        impact=[] if isinstance(told, Skipped) else told,
        impact_skipped=told.why if isinstance(told, Skipped) else None,
    )
    return Examined(answer=answer, flags=_flags(inspection.flags))


def published(finding: Finding) -> PublishedFinding:
    """The finding without its policy, which only a workspace has a use for."""
    return PublishedFinding(**finding.model_dump(exclude={"policy"}))


def _flags(flags: pl.DataFrame) -> pl.DataFrame:
    rows = flags.select(pl.col(ROW_ID).cast(pl.Int64).alias("row"), pl.exclude(ROW_ID, "policy"))
    return rows.select(list(FLAGS_SCHEMA)).sort("row", "check", "column", nulls_last=True, maintain_order=True)


def _profile(reading: Reading, private: Set[str]) -> dict[str, dict[str, Any]]:
    """For each column what it is, why it is taken for that, and its few numbers; of a private one only counts."""
    return {
        column.name: {
            "type": str(column.dtype),
            "role": column.role,
            "modality": column.modality,
            "why": "" if column.name in private else reading.why.get(column.name, ""),
            **_numbers(column, reading.table, hidden=column.name in private),
        }
        for column in reading.table.columns
    }


def _numbers(column: Column, table: Table, *, hidden: bool) -> dict[str, Any]:
    summary = table.profile.columns[column.name]
    drawn = shape.histogram(summary, whole=column.dtype.is_integer())
    numbers = {
        **summary.summary(),
        "histogram": drawn and drawn.model_dump(),
        "top": shape.top(summary),
    }
    return {name: None if hidden and name not in COUNTS else value for name, value in numbers.items()}


def failing(answer: Examination, fail_on: str) -> bool:
    """Whether there is a finding at or over `fail_on`: error, warning or never."""
    worse = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[fail_on]
    return any(finding.severity in worse for finding in answer.findings)

"""What a check says: hits, findings and flags."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import polars as pl
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.contract import Contract

Policy = Literal["stop", "quarantine", "repair", "warn"]
Severity = Literal["error", "warning", "info"]

FLAG_SCHEMA = pl.Schema(
    {
        "row_id": pl.String,
        "column": pl.String,
        "check": pl.String,
        "score": pl.Float64,
        "value": pl.String,
        "suggested": pl.String,
        "policy": pl.String,
    }
)
EXAMPLES = 5


class Finding(Record):
    """One answer of one check: how many rows it hits, and what to do about it."""

    check: str
    severity: Severity
    column: str | None
    rows: int
    fraction: float = Field(ge=0, le=1)
    observed: float | str | None
    threshold: float | str | None
    message: str
    suggestion: str
    examples: list[str]
    policy: Policy


@dataclass(frozen=True, kw_only=True)
class Table:
    """The ingested rows as checks see them.

    `partitions` has one lazy frame per source file, typed by the contract, each with `row_id`; `unparsed` has
    the cells that would not parse (row_id, column, raw).
    """

    contract: Contract
    partitions: Mapping[str, pl.LazyFrame]
    unparsed: pl.LazyFrame
    height: int

    @property
    def rows(self) -> pl.LazyFrame:
        return pl.concat(self.partitions.values())


@dataclass(frozen=True, kw_only=True)
class Hit:
    """What a check found, before the policy is known.

    `flags` has row_id, and may have column, value, score and suggested; None: the finding is about the whole
    column or data set, not about rows.
    """

    check: str
    message: str
    suggestion: str
    column: str | None = None
    rows: int = 0
    observed: float | str | None = None
    threshold: float | str | None = None
    severity: Severity = "warning"
    flags: pl.DataFrame | None = None
    examples: list[str] = field(default_factory=list)


class Check(Protocol):
    """One data-quality question: a frozen dataclass of its parameters and its policy, with one verb."""

    name: ClassVar[str]
    policies: ClassVar[tuple[Policy, ...]]

    @property
    def policy(self) -> Policy: ...

    def hits(self, table: Table) -> Iterable[Hit]:
        """Answer the question for the table; nothing to say is an empty answer."""
        ...


def finding(hit: Hit, policy: Policy, height: int) -> Finding:
    """The hit as published: a policy of `stop` makes it an error."""
    examples = hit.examples or _examples(hit)
    return Finding(
        check=hit.check,
        severity="error" if policy == "stop" else hit.severity,
        column=hit.column,
        rows=hit.rows,
        fraction=hit.rows / height if height else 0.0,
        observed=hit.observed,
        threshold=hit.threshold,
        message=hit.message,
        suggestion=hit.suggestion,
        examples=examples,
        policy=policy,
    )


def flags(hit: Hit, policy: Policy) -> pl.DataFrame:
    """The hit's rows in the shape of data/flags.parquet; one row = one row (and column) that is hit."""
    if hit.flags is None or hit.flags.is_empty():
        return pl.DataFrame(schema=FLAG_SCHEMA)
    defaults: dict[str, Any] = {
        "column": hit.column,
        "check": hit.check,
        "score": 1.0,
        "value": None,
        "suggested": None,
        "policy": policy,
    }
    absent = {name: value for name, value in defaults.items() if name not in hit.flags.columns}
    return hit.flags.with_columns(**{k: pl.lit(v) for k, v in absent.items()}).select(
        pl.col(name).cast(dtype) for name, dtype in FLAG_SCHEMA.items()
    )


def _examples(hit: Hit) -> list[str]:
    if hit.flags is None:
        return []
    head = hit.flags.head(EXAMPLES)
    if "value" not in head.columns:
        return head["row_id"].to_list()
    return [r if value is None else f"{r}: {value}" for r, value in head.select("row_id", "value").iter_rows()]

"""What a check sees and what it says: the table; hits, findings and flags."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import polars as pl
from pydantic import Field

from pipeline import profile
from pipeline.artefacts import Record
from pipeline.contract import ROW_ID, Column, Contract, Modality
from pipeline.profile import Profile
from pipeline.quality.repairs import AnyRule
from pipeline.tables.frames import compact

Policy = Literal["stop", "quarantine", "repair", "warn", "off"]
Severity = Literal["error", "warning", "info"]
Made = TypeVar("Made")

FLAG_SCHEMA = pl.Schema(
    {
        "row_id": pl.String,
        "column": pl.String,
        "check": pl.String,
        "score": pl.Float64,
        "value": pl.String,
        "suggested": pl.String,
        "rule": pl.String,
        "policy": pl.String,
    }
)
EXAMPLES = 5
SAMPLE_ROWS = 50_000
SAMPLE_SEED = 3
HIT_ROWS = "\ufdd0"  # in a message: how many rows are hit (`1 row`, `1,200 rows`), once they are located


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
    """The rows as checks see them.

    `partitions` has one lazy frame per source file, typed by the contract, each with `row_id` (text in a workspace,
    the position in the input for `keepfit check`: a check must not mind); `unparsed` has the cells that would not
    parse (row_id, column, raw). `reference` is a table to compare with, of the same shape, where there is one.
    Paths in columns of images and sounds are relative to `base`. `header`: the columns as the input has them, in
    its order, where that is known and may differ from the contract's; `derived` are made of others. `summarised` has
    the summaries of columns that are known already, and `drawn` is the sample where it is; no row lacks more than
    `lacking` cells, where that is known. `uneven` tells lines of the input that could not be rows, `beside` what else
    lies there and was not read. `series_of`: the column whose values have a series each, where the contract names no
    group.
    """

    contract: Contract
    partitions: Mapping[str, pl.LazyFrame]
    unparsed: pl.LazyFrame
    height: int
    reference: "Table | None" = None
    base: Path | None = None
    header: tuple[str, ...] | None = None
    derived: tuple[str, ...] = ()
    summarised: Profile = field(default_factory=Profile)
    drawn: pl.DataFrame | None = None
    lacking: int | None = None
    uneven: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    series_of: str | None = None
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _locks: defaultdict[str, RLock] = field(
        default_factory=lambda: defaultdict(RLock), init=False, repr=False, compare=False
    )

    @property
    def rows(self) -> pl.LazyFrame:
        """All partitions in their order; scan it, do not collect it."""
        return pl.concat(self.partitions.values())

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the contract."""
        return self.contract.columns

    @property
    def features(self) -> list[Column]:
        """What a model may look at, as the contract has it; none is no error here."""
        return [c for c in self.columns if c.modality is not None and c.role in ("feature", "time")]

    @property
    def data_columns(self) -> list[Column]:
        """What may hold an error: every column but those of role `ignore`."""
        return [column for column in self.columns if column.role != "ignore"]

    @cached_property
    def label(self) -> str | None:
        """The label's name, where the contract names one."""
        found = self.contract.of_role("label")
        return found[0].name if len(found) == 1 else None

    @property
    def time(self) -> str | None:
        """The name of the time axis, where there is one."""
        return self.contract.time

    @property
    def entities(self) -> list[str]:
        """The columns that tell the series of the time axis apart: the contract's groups, or what was inferred."""
        inferred = [] if self.series_of is None else [self.series_of]
        return self.contract.groups or inferred

    @property
    def profile(self) -> Profile:
        """The merged summary of every column: one streamed pass, made when it is first asked for."""
        return self.once("profile", Table._profile)

    def _profile(self) -> Profile:
        kinds = {column.name: kind_of(column) for column in self.columns}
        dtypes = {column.name: column.dtype for column in self.columns}
        known = {
            name: summary
            for name, summary in self.summarised.columns.items()
            if summary.kind == profile.summary_kind(kinds[name], dtypes[name])
        }
        asked = {name: kind for name, kind in kinds.items() if name not in known}
        parts = (profile.profile(part, asked) for part in self.partitions.values())
        found = reduce(profile.merge, parts, Profile())
        return Profile(rows=found.rows, columns=dict(sorted({**found.columns, **known}.items())))

    def once(self, name: str, make: Callable[["Table"], Made]) -> Made:
        """What `make` makes of the table when it is first asked for under this name; kept as long as the table.

        Where several threads ask, one makes it and the others wait.
        """
        with self._locks[name]:
            if name not in self._made:
                self._made[name] = make(self)
        made: Made = self._made[name]
        return made

    @property
    def sample(self) -> pl.DataFrame:
        """At most some `SAMPLE_ROWS` rows with row_id, in order, drawn by a hash of row_id; all where they are few."""
        if self.drawn is not None:
            return self.drawn
        drawn = is_drawn(self.height)
        return self.once("sample", lambda table: compact(table.rows.filter(drawn).collect(engine="streaming")))


@dataclass(frozen=True, kw_only=True)
class Hit:
    """What a check found, before the policy is known.

    `flags` has row_id, and may have column, value, score and suggested. Where the rows that are hit can be told by an
    expression, give `where` instead, with `value`, `score` and `suggested` as expressions: all such hits are located
    in one pass over the rows, which fills `rows`, `flags`, an `observed` of None and the `HIT_ROWS` of the message,
    and drops a hit of no row. With neither, the finding is about the whole column or data set. `private`: the column's
    values are masked in every report; `shows`: the columns whose cells stand in `value` where `flags` name no column.
    `rule`: how a repair mends other rows alike; without one a suggested text stands for the cell's own wherever that
    stands, and a suggested number mends its own row alone. To suggest null, say `rule=Emptied(column=…)`.
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
    where: pl.Expr | None = None
    value: pl.Expr | None = None
    score: pl.Expr | None = None
    suggested: pl.Expr | None = None
    rule: AnyRule | None = None
    examples: list[str] = field(default_factory=list)
    private: bool = False
    shows: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Rows that a check did not look at, and why; `rows` None: all of them, the check does not apply."""

    why: str
    rows: int | None = None


NO_REFERENCE = Skipped(why="no reference to compare with")


class Check(Protocol):
    """One data-quality question: a frozen dataclass of its parameters and its policy, with one verb.

    The first sentence of its docstring is the question; `source` says where its default thresholds come from.
    """

    name: ClassVar[str]
    policies: ClassVar[tuple[Policy, ...]]
    source: ClassVar[str]

    @property
    def policy(self) -> Policy: ...

    def hits(self, table: Table) -> Iterable[Hit | Skipped]:
        """Answer the question for the table; nothing to say is an empty answer."""
        ...


def is_drawn(height: int) -> pl.Expr:
    """Whether a row of so many is in the sample."""
    if height <= SAMPLE_ROWS:
        return pl.lit(True)
    return pl.col(ROW_ID).hash(seed=SAMPLE_SEED) < 2**64 // math.ceil(height / SAMPLE_ROWS)


def kind_of(column: Column) -> Modality:
    """How a column is summarised: its modality, else what its type is."""
    if column.modality is not None:
        return column.modality
    if column.dtype.is_temporal():
        return "timestamp"
    return "numeric" if column.dtype.is_numeric() else "categorical"


def outside_sample(table: Table) -> Iterator[Skipped]:
    """Says so where the table's sample is not all of its rows."""
    if table.height > table.sample.height:
        yield Skipped(rows=table.height - table.sample.height, why="a sample")


def finding(hit: Hit, policy: Policy, height: int) -> Finding:
    """The hit as published: a policy of `stop` makes it an error."""
    examples = hit.examples or _examples(hit)
    return Finding(
        check=hit.check,
        severity="error" if policy == "stop" else hit.severity,
        column=hit.column,
        rows=hit.rows,
        fraction=hit.rows / height if height else 0.0,
        observed=_rounded(hit.observed),
        threshold=hit.threshold,
        message=hit.message,
        suggestion=hit.suggestion,
        examples=examples,
        policy=policy,
    )


def _rounded(observed: float | str | None) -> float | str | None:
    """To twelve digits: the last bits of a sum over many rows follow the order in which threads came to add."""
    return float(f"{observed:.12g}") if isinstance(observed, float) else observed


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
        "rule": None if hit.rule is None else hit.rule.model_dump_json(),
        "policy": _acted(hit, policy),
    }
    absent = {name: value for name, value in defaults.items() if name not in hit.flags.columns}
    return hit.flags.with_columns(**{k: pl.lit(v) for k, v in absent.items()}).select(
        pl.col(name).cast(dtype) for name, dtype in FLAG_SCHEMA.items()
    )


def _acted(hit: Hit, policy: Policy) -> Policy:
    """What is only worth knowing, and comes without a repair, moves no row of a check that is to repair."""
    repaired = hit.rule is not None or _suggests(hit.flags)
    return "warn" if policy == "repair" and hit.severity == "info" and not repaired else policy


def _suggests(flags: pl.DataFrame | None) -> bool:
    return flags is not None and "suggested" in flags.columns and flags["suggested"].count() > 0


def _examples(hit: Hit) -> list[str]:
    if hit.flags is None:
        return []
    head = hit.flags.head(EXAMPLES)
    if "value" not in head.columns:
        return head[ROW_ID].cast(pl.String).to_list()
    cells = head.select(ROW_ID, "value").iter_rows()
    return [f"{row}" if value is None else f"{row}: {value}" for row, value in cells]

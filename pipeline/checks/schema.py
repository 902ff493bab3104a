"""Schema checks: what the contract says of each cell (pandera), and what would not parse.

pandera's `drop_invalid_rows` on Polars let invalid rows pass (unionai-oss/pandera#1830), so the failure
cases are taken as they are and the rows are filtered by ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from pipeline.checks.markers import is_gap
from pipeline.checks.values import shown
from pipeline.contract import ROW_ID, Contract
from pipeline.errors import ContractError
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.quality.repairs import Folded
from pipeline.tables.frames import batches
from pipeline.wording import count

if TYPE_CHECKING:
    import pandera.polars as pa

ROWS_AT_ONCE = 500_000

STANDARD_NAMES = {
    "not_nullable": "null_forbidden",
    "isin": "allowed_set",
    "notin": "forbidden_set",
    "str_matches": "pattern",
    "str_contains": "pattern",
    "str_startswith": "pattern",
    "str_endswith": "pattern",
    "str_length": "string_length",
}


@dataclass(frozen=True, kw_only=True)
class ContractBroken:
    """Which cells break a rule of the contract? Each rule is a finding under its standard name.

    A value that is in the allowed set but for case and outer spaces comes with its repair.
    """

    policy: Policy = "quarantine"
    name: ClassVar[str] = "contract"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "the rules of the contract"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if not has_rules(table.contract):
            yield Skipped(why="the contract states types, and no rules")
            return
        failures = broken_cells(table)
        for (column, rule), cells in failures.group_by("column", "rule", maintain_order=True):
            name = None if column is None else str(column)  # a rule over several columns is about none of them
            allowed = _allowed(table.contract, name)
            rows = cells[ROW_ID].n_unique()
            yield Hit(
                check=_standard_name(str(rule)),
                column=name,
                rows=rows,
                observed=next(iter(cells["value"].drop_nulls()), None),
                threshold=str(rule),
                message=f"{f'{name} breaks' if name else 'columns together break'} the contract's rule {rule} in "
                + count(rows, "row"),
                suggestion="correct these cells at the source; if they are right, widen the rule in the contract",
                severity="error",
                rule=Folded(column=name, values=allowed) if name is not None and allowed else None,
                flags=cells.select(ROW_ID, "value", suggested=_suggestion(allowed)),
            )


@dataclass(frozen=True, kw_only=True)
class DtypeMismatch:
    """Which cells would not parse as the contract's type? Their raw text is kept in data/ingested.

    A marker of nothing (`N/A`, `***`) is told by mixed_null_tokens, and by the contract where no value may be missing.
    """

    policy: Policy = "quarantine"
    name: ClassVar[str] = "dtype_mismatch"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "the types of the contract"

    def hits(self, table: Table) -> Iterator[Hit]:
        cells = table.unparsed.filter(~is_gap(table.contract)).collect()
        for (column,), hit in cells.group_by("column", maintain_order=True):
            dtype = table.contract.column(str(column)).dtype
            yield Hit(
                check=self.name,
                column=str(column),
                rows=hit.height,
                observed=hit["raw"][0],
                threshold=str(dtype),
                message=f"{column} is not {_kind(dtype)} in {count(hit.height, 'row')}: "
                + shown(hit["raw"].unique().sort()),
                suggestion="correct them at the source, or list what stands for `not known` under `ingest.null_values`",
                severity="error",
                flags=hit.select(ROW_ID, value="raw"),
            )


CHECKS = (ContractBroken, DtypeMismatch)


def _kind(dtype: pl.DataType) -> str:
    """The type as people say it, and by its name."""
    kinds = {"a whole number": dtype.is_integer(), "a number": dtype.is_numeric(), "a day": dtype == pl.Date}
    kinds |= {"a moment": dtype.is_temporal(), "yes or no": dtype == pl.Boolean}
    return next((f"{kind} ({dtype})" for kind, holds in kinds.items() if holds), str(dtype))


def has_rules(contract: Contract) -> bool:
    """Whether there is more than types, which the rows have by now."""
    columns = contract.schema.columns.values()
    return bool(contract.schema.checks) or any(column.checks or not column.nullable for column in columns)


def broken_cells(table: Table) -> pl.DataFrame:
    """Every cell that breaks a rule: row_id, column, rule, value (text); one row = one cell and rule.

    `column` is null for a rule over several columns, `value` for a null. Raises ContractError for a rule that
    cannot be asked.
    """
    schema = _without_key(table.contract)
    unparsed = table.unparsed.filter(~is_gap(table.contract)).select(ROW_ID, "column").collect()
    parts = [
        _failures(schema, part, table.contract.file.name)
        for partition in table.partitions.values()
        for part in batches(partition, ROWS_AT_ONCE)
    ]
    ids = table.rows.collect_schema()[ROW_ID]
    empty = pl.DataFrame(schema={ROW_ID: ids, "column": pl.String, "rule": pl.String, "value": pl.String})
    # a cell that would not parse is null by now: it has its own finding, and is not told again as a null
    return pl.concat([empty, *parts]).join(unparsed, on=[ROW_ID, "column"], how="anti").sort("column", "rule", ROW_ID)


def _failures(schema: "pa.DataFrameSchema", rows: pl.DataFrame, file: str) -> pl.DataFrame:
    import pandera.polars as pa

    try:
        schema.validate(rows.drop(ROW_ID), lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        whole = cases.filter(pl.col("index").is_null()).select("check", "column", "failure_case").cast(pl.String)
        for rule, column, answer in pl.concat([whole, _answered_once(error, rows)]).head(1).iter_rows():
            raise ContractError(
                f"the rule {rule} says nothing of single rows: {answer}",
                where=f"schemas/{file}: {column}",
                fix="mend it, so that it answers for each row",
            ) from None
        return cases.select(
            rows[ROW_ID].gather(cases["index"]).alias(ROW_ID),
            pl.when(pl.col("schema_context") == "Column").then("column").alias("column"),
            pl.col("check").alias("rule"),
            pl.when(pl.col("check") != "not_nullable").then("failure_case").alias("value"),
        )
    return pl.DataFrame(schema={ROW_ID: rows[ROW_ID].dtype, "column": pl.String, "rule": pl.String, "value": pl.String})


def _answered_once(error: "pa.errors.SchemaErrors", rows: pl.DataFrame) -> pl.DataFrame:
    """Rules that gave one answer for many rows (check, column, failure_case): pandera blames the first row for it."""
    answers = [e for e in error.schema_errors if isinstance(e.check_output, pl.DataFrame)]
    once = [(e.check.name, e.schema.name, "it answers once") for e in answers if e.check_output.height != rows.height]
    return pl.DataFrame(once, schema=dict.fromkeys(("check", "column", "failure_case"), pl.String), orient="row")


def _without_key(contract: Contract) -> "pa.DataFrameSchema":
    """The key is looked at over all files at once, by the check `duplicate_key`."""
    import copy

    schema = copy.deepcopy(contract.schema)
    schema.unique = None
    return schema


def _standard_name(rule: str) -> str:
    rule = rule.split("(", maxsplit=1)[0]
    return STANDARD_NAMES.get(rule, "value_range" if "than" in rule or rule == "in_range" else "contract")


def _allowed(contract: Contract, column: str | None) -> list[str]:
    field = contract.schema.columns.get(column)
    checks = [check for check in (field.checks if field else []) if check.name == "isin"]
    return [value for check in checks for value in check.statistics["allowed_values"] if isinstance(value, str)]


def _suggestion(allowed: list[str]) -> pl.Expr:
    """The allowed value that is the same but for case and outer spaces, where there is exactly one."""
    folds = [value.strip().lower() for value in allowed]
    by_fold = {fold: value for fold, value in zip(folds, allowed, strict=True) if folds.count(fold) == 1}
    folded = pl.col("value").str.strip_chars().str.to_lowercase()
    return folded.replace_strict(by_fold, default=None, return_dtype=pl.String)

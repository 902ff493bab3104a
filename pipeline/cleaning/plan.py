"""From flags to a plan of repairs, and from a plan to the cells that it changes in any rows of the same contract.

A rule is only made where it says of all rows what was suggested for those that were hit: a value whose rows were not
all hit, or that is to become two things, is mended in the rows that were hit and nowhere else.
"""

from collections.abc import Iterable

import polars as pl
from polars.selectors import by_name
from pydantic import TypeAdapter

from pipeline.contract import ROW_ID, Contract
from pipeline.quality.findings import Table
from pipeline.quality.repairs import AnyRule, Emptied, Filled, Followed, Plan, Replaced, Rule, read_by
from pipeline.tables.cells import typed_as

CHANGE_SCHEMA = pl.Schema(
    {ROW_ID: pl.String, "column": pl.String, "check": pl.String, "before": pl.String, "after": pl.String}
)
RAW, KEY, AFTER, PLACE, MARK = (f"{ROW_ID} {word}" for word in ("raw", "key", "after", "place", "mark"))
TEXT = (pl.String, pl.Categorical, pl.Enum)


def suggesting() -> pl.Expr:
    """Does the flag say what its cell is to become? Over the rows of flags."""
    to_null = pl.col("rule").str.contains('"kind":"empty"', literal=True).fill_null(False)
    return pl.col("column").is_not_null() & (pl.col("suggested").is_not_null() | to_null)


def planned(flags: pl.DataFrame, table: Table) -> tuple[Plan, pl.DataFrame]:
    """The rules that these flags come to, and the cells that no rule can tell (as CHANGE_SCHEMA), mended alone."""
    rules: list[AnyRule] = []
    alone: list[pl.DataFrame] = [pl.DataFrame(schema=CHANGE_SCHEMA)]
    wanted = flags.filter(suggesting()).select(ROW_ID, "column", "check", "suggested", "rule")
    for (column, check, told), hit in wanted.group_by("column", "check", "rule", maintain_order=True):
        rule = _template(str(column), None if told is None else str(told))
        if isinstance(rule, Replaced | Emptied | Followed):
            rule, rest = _filled(rule, hit, table)
            alone.append(rest)
        if not isinstance(rule, Replaced | Emptied | Followed) or rule.values:
            rules.append(rule.model_copy(update={"check": str(check)}))
    cells = pl.concat(alone).unique([ROW_ID, "column"], keep="first", maintain_order=True)
    return Plan(rules=sorted(rules, key=_is_general)), cells


def changes(plan: Plan, table: Table) -> pl.DataFrame:
    """Every cell that the plan changes in these rows, as CHANGE_SCHEMA; one row = one cell. A cell is mended once.

    A text that the column's type cannot hold mends nothing, nor does a rule for columns that the contract has not.
    """
    known = Plan(rules=[rule for rule in plan.rules if set(read_by(rule)) <= set(table.contract.names)])
    found = [_changed(column, rules, table) for column, rules in known.columns.items()]
    return pl.concat([pl.DataFrame(schema=CHANGE_SCHEMA), *pl.collect_all(found, engine="streaming")])


def mended(rows: pl.LazyFrame, changed: pl.DataFrame, agreed: Contract) -> pl.LazyFrame:
    """The rows in their order, with these cells as they are to be."""
    for (column,), cells in changed.group_by("column", maintain_order=True):
        name, dtype = str(column), agreed.column(str(column)).dtype
        new = cells.select(ROW_ID, typed(pl.col("after"), dtype).alias(AFTER), pl.lit(True).alias(MARK)).lazy()
        rows = (
            rows.join(new, on=ROW_ID, how="left", maintain_order="left")
            .with_columns(pl.when(MARK).then(AFTER).otherwise(by_name(name)).alias(name))
            .drop(AFTER, MARK)
        )
    return rows


def typed(after: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The text as the column's type, null where it will not parse; `17.0` is a whole number."""
    plain = typed_as(after, pl.String(), dtype)
    if not dtype.is_integer():
        return plain
    number = after.cast(pl.Float64, strict=False)
    return pl.coalesce(plain, pl.when(number == number.floor()).then(number).cast(dtype, strict=False))


def texts(table: Table, names: Iterable[str]) -> pl.LazyFrame:
    """row_id and these columns as text; where a cell would not parse, what stood there."""
    wanted = list(dict.fromkeys(names))
    said = table.rows.select(pl.col(ROW_ID).cast(pl.String), by_name(*wanted).cast(pl.String))
    unparsed = table.unparsed.filter(pl.col("column").is_in(wanted)).collect()
    for (column,), cells in unparsed.group_by("column", maintain_order=True):
        raw = cells.lazy().select(pl.col(ROW_ID).cast(pl.String), pl.col("raw").alias(RAW))
        whole = pl.coalesce(by_name(str(column)), RAW).alias(str(column))
        said = said.join(raw, on=ROW_ID, how="left", maintain_order="left").with_columns(whole).drop(RAW)
    return said


def _template(column: str, told: str | None) -> AnyRule:
    """The rule that the check names, else one by the value."""
    if told is None:
        return Replaced(column=column)
    parsed: AnyRule = TypeAdapter[AnyRule](Rule).validate_json(told)
    return parsed


def _is_general(rule: AnyRule) -> bool:
    """What is said of one value comes before what is said of all."""
    return not isinstance(rule, Replaced | Emptied | Followed)


def _filled(rule: Filled, hit: pl.DataFrame, table: Table) -> tuple[Filled, pl.DataFrame]:
    """The rule with the values that were hit, and the cells of which it must not speak."""
    dtype = table.contract.column(rule.column).dtype
    key = rule.determinant if isinstance(rule, Followed) else rule.column
    said = texts(table, [rule.column, key]).select(ROW_ID, _named(rule.column, "before"), _named(key, KEY))
    after = typed(pl.col("suggested"), dtype).cast(pl.String)
    wanted = hit.unique(ROW_ID, keep="first", maintain_order=True).with_columns(after=after)
    wanted = wanted.filter(pl.col("after").is_not_null() | pl.col("suggested").is_null())
    cells = said.join(wanted.lazy(), on=ROW_ID, maintain_order="left").collect(engine="streaming")
    told = (
        cells.drop_nulls(KEY).group_by(KEY).agg(pl.col("after").first(), ways=pl.col("after").n_unique(), hit=pl.len())
    )
    differing = said.join(told.lazy(), on=KEY).filter(pl.col("before").ne_missing(pl.col("after")))
    every = differing.group_by(KEY).agg(rows=pl.len()).collect(engine="streaming")
    alike = (pl.col("ways") == 1) & (pl.col("hit") == pl.col("rows"))
    if isinstance(rule, Replaced) and dtype not in TEXT:  # 17 is no error everywhere, `17 kg` is
        alike &= typed(pl.col(KEY), dtype).is_null()
    good = told.join(every, on=KEY).filter(alike).sort(KEY)
    rest = cells.join(good, on=KEY, how="anti", maintain_order="left")
    values = good[KEY].to_list() if isinstance(rule, Emptied) else dict(good.select(KEY, "after").iter_rows())
    filled: Filled = rule.model_copy(update={"values": values})
    return filled, rest.select(ROW_ID, pl.lit(rule.column).alias("column"), "check", "before", "after")


def _named(column: str, name: str) -> pl.Expr:
    return by_name(column).cast(pl.String).alias(name)


def _changed(column: str, rules: list[AnyRule], table: Table) -> pl.LazyFrame:
    """The cells of one column that its rules change, by the first that does."""
    dtype = table.contract.column(column).dtype
    said = texts(table, [name for rule in rules for name in read_by(rule)])
    place, after = pl.lit(None, dtype=pl.Int32), pl.lit(None, dtype=pl.String)
    for number, rule in reversed(list(enumerate(rules))):
        where, text = rule.mend()
        new = typed(text, dtype).cast(pl.String)
        mends = where.fill_null(False) & (new.is_not_null() | text.is_null()) & _named(column, KEY).ne_missing(new)
        place = pl.when(mends).then(pl.lit(number, dtype=pl.Int32)).otherwise(place)
        after = pl.when(mends).then(new).otherwise(after)
    found = said.select(ROW_ID, _named(column, "before"), place.alias(PLACE), after.alias("after"))
    checks = pl.col(PLACE).replace_strict(dict(enumerate(r.check for r in rules)), return_dtype=pl.String)
    return found.drop_nulls(PLACE).select(
        ROW_ID, pl.lit(column).alias("column"), checks.alias("check"), "before", "after"
    )

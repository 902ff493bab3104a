"""One column follows from another (zip → city): how nearly that holds, and what it says of a cell.

With few errors in it, a dependency looks like this: in each group of rows with one determinant nearly all rows have one
value, and a value that leads one group is not found astray in others. How much of what varies the determinant explains,
less what it would by chance, is mu+ (Piatetsky-Shapiro and Matheus 1993, KDD workshop; among the best of 12 measures in
Parciak et al. 2024, ICDE).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from pipeline.checks.values import NOTHING, is_marker, text

LEADING = 3  # rows in which a value must stand to lead its group
VARIED = 10  # groups that the commonest value does not lead, from which a right value may be called misplaced
CHANCE = 1e-3  # of a pair that is spread
SLIP = 0.6  # the share of letters that a slip leaves
CHECKS = ()  # asks nothing itself


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A dependency as seen in the rows. A group is the rows of one determinant; a value leads it with three of four.

    `share`: rows that have their group's leading value, a slip of it, or that of another group where such rows are
    spread, of the rows in groups of `LEADING`; `astray`: those where they are gathered in few groups; `mu`: mu+ over
    the rows whose value leads some group; `repeats`: rows beyond the first of their group; `expected`: the leading
    value by determinant, of groups that some row breaks; `accepted`: pairs (as one text) of a group with the leading
    value of another that are no slips: they repeat, make up a tenth of a group, or too few groups say that the value
    follows at all.
    """

    determinant: str
    column: str
    share: float
    astray: float
    mu: float
    repeats: int
    expected: Mapping[str, str]
    accepted: Sequence[str]

    @cached_property
    def name(self) -> str:
        """A name for a column of its own: with a word before it, it is no pattern to Polars."""
        return f"rule {self.determinant} → {self.column}"

    @classmethod
    def of(cls, determinant: str, column: str, pairs: pl.DataFrame) -> "Rule":
        """The dependency by its distinct pairs: key, value (null: empty), rows."""
        known = pairs.drop_nulls("value")
        led = known.with_columns(
            size=pl.col("rows").sum().over("key"),
            top=pl.col("value").sort_by(pl.col("rows"), "value", descending=[True, False]).first().over("key"),
            most=pl.col("rows").max().over("key"),
        ).filter((pl.col("most") >= LEADING) & (4 * pl.col("most") >= 3 * pl.col("size")))
        wrong = led.filter(pl.col("value") != pl.col("top"))
        leading = led["top"].unique().to_list()
        of_leading = led.filter(pl.col("value").is_in(leading))
        varied = led_otherwise(led) >= VARIED
        often = LEADING if varied else 1
        repeats = (pl.col("rows") >= often) | (10 * pl.col("rows") > pl.col("most"))
        other = wrong.filter(repeats & pl.col("value").is_in(leading))  # a plane that was sold
        wrong = wrong.join(other, on=["key", "value"], how="anti")
        rows, repeated = int(led["rows"].sum()), int(known["rows"].sum())
        misplaced = pl.concat([wrong, other]).filter(pl.col("value").is_in(leading))
        astray = gathered(misplaced, rows) if varied else misplaced
        off = wrong.join(misplaced.join(astray, on=["key", "value"], how="anti"), on=["key", "value"], how="anti")
        keys = int(led["key"].n_unique())
        empty = pairs.filter(pl.col("value").is_null()).select("key", empty="rows")
        gaps = led.join(empty, on="key").filter(pl.col("empty") <= pl.col("most"))
        broken = pl.concat([wrong.select("key", "top"), gaps.select("key", "top")]).unique("key").sort("key")
        return cls(
            determinant=determinant,
            column=column,
            share=(rows - int(unlike(off)["rows"].sum())) / max(repeated - _alone(known), 1),
            astray=int(astray["rows"].sum()) / max(rows, 1),
            mu=mu(of_leading),
            repeats=rows - keys,
            expected=dict(broken.iter_rows()),
            accepted=other.filter(pl.col("key").is_in(broken["key"].to_list())).select(pair()).to_series().to_list(),
        )


def led_otherwise(led: pl.DataFrame) -> int:
    """How many groups are led by another value than most groups are."""
    tops = led.unique("key").group_by("top").len()["len"]
    return int(tops.sum()) - int(tops.max() or 0)  # type: ignore[arg-type]


def mu(pairs: pl.DataFrame) -> float:
    """mu+ of distinct pairs (key, value, rows): 1 for a dependency, 0 where the value is as if drawn by itself.

    mu = 1 - (1 - pdep(key → value)) / (1 - pdep(value)) * (n - 1) / (n - keys), where pdep is the chance that two rows
    drawn with replacement (of one key) agree in the value.

    >>> mu(pl.DataFrame({"key": ["a", "b"], "value": ["x", "y"], "rows": [5, 5]}))
    1.0
    """
    rows, keys = int(pairs["rows"].sum()), pairs["key"].n_unique()
    if rows <= keys:
        return 0.0
    size = pl.col("rows").sum().over("key")
    within = float(pairs.select((pl.col("rows") ** 2 / size).sum()).item()) / rows
    by_value = pairs.group_by("value", maintain_order=True).agg(pl.col("rows").sum())["rows"]
    overall = sum((count / rows) ** 2 for count in by_value)
    if overall >= 1:
        return 0.0
    return max(0.0, 1 - (1 - within) / (1 - overall) * (rows - 1) / (rows - keys))


def pairs_of(rows: pl.LazyFrame, determinant: str, column: str) -> pl.DataFrame:
    """Distinct pairs with a determinant: key, value, rows."""
    pairs = rows.select(key=cell(determinant), value=cell(column)).drop_nulls("key")
    return (
        pairs.group_by("key", "value")
        .agg(rows=pl.len().cast(pl.Int64))
        .sort("key", "value")
        .collect(engine="streaming")
    )


def cell(name: str) -> pl.Expr:
    """The column as text, with what stands for a missing value as null."""
    return pl.when(~is_marker(text(name))).then(text(name))


def expected(rule: Rule) -> pl.Expr:
    """What the rule says of the cell; null where it says nothing, or no row of the group breaks it."""
    if not rule.expected:
        return NOTHING
    old, new = list(rule.expected), list(rule.expected.values())
    return text(rule.determinant).replace_strict(old, new, default=None, return_dtype=pl.String)


def breaks_rule(rule: Rule) -> pl.Expr:
    """Does the row break the rule, by another value or by none?"""
    differs = expected(rule).is_not_null() & cell(rule.column).ne_missing(expected(rule))
    if not rule.accepted:
        return differs
    return differs & ~pair(text(rule.determinant), text(rule.column)).is_in(rule.accepted).fill_null(False)


def pair(key: pl.Expr | None = None, value: pl.Expr | None = None) -> pl.Expr:
    """Key and value as one text."""
    both = (pl.col("key") if key is None else key, pl.col("value") if value is None else value)
    return pl.concat_str(both, separator="\x1f")


def gathered(wrong: pl.DataFrame, rows: int) -> pl.DataFrame:
    """The pairs (value, size, rows) that come up more often than wrong values do that are spread over all the rows.

    Slips fall anywhere: of a value's wrong rows each group has its share by its size, and more than that by chance as
    Poisson has it. A plane that was sold has all of them.
    """
    from scipy.stats import poisson

    share = pl.col("size") / max(rows, 1) * pl.col("rows").sum().over("value")
    found, expected = wrong["rows"].to_numpy(), wrong.select(share).to_series().to_numpy()
    return wrong.filter(pl.Series((found > 1) & (poisson.sf(found - 1, expected) < CHANCE), dtype=pl.Boolean))


def unlike(wrong: pl.DataFrame) -> pl.DataFrame:
    """The pairs whose value is no slip of the leading one (top): neither holds the other, and few letters agree.

    >>> unlike(pl.DataFrame({"value": ["Denton TX", "Dentxn", "Reno"], "top": ["Denton"] * 3}))["value"].to_list()
    ['Reno']
    """
    from rapidfuzz.distance import OSA

    pairs = wrong.select("value", "top").iter_rows()
    slips = [a in b or b in a or OSA.normalized_similarity(a, b) >= SLIP for a, b in pairs]
    return wrong.filter(~pl.Series(slips, dtype=pl.Boolean))


def _alone(known: pl.DataFrame) -> int:
    """Rows in groups too small to have a leading value."""
    sizes = known.group_by("key").agg(pl.col("rows").sum())
    return int(sizes.filter(pl.col("rows") < LEADING)["rows"].sum())

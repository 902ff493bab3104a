"""The check of functional dependencies (zip → city): which hold but for a few cells, and which cells break them.

A dependency is sought on the sample and confirmed on all rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.checks.rules import LEADING, Rule, breaks_rule, cell, expected, pairs_of
from pipeline.checks.values import NOTHING, text
from pipeline.contract import ROW_ID
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.quality.repairs import Followed
from pipeline.wording import count, either, listed

Codes: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

COLUMNS, DETERMINANTS = 40, 5  # columns that are tried, and determinants that are kept of each column
GLANCE = 5_000  # rows that rule most pairs of columns out
REPEATS = 30  # rows beyond the first of their group that a dependency must be seen in
MANY = 200_000  # determinants with more values are left out


@dataclass(frozen=True, kw_only=True)
class FunctionalDependency:
    """Which cells break a dependency between columns that nearly all rows keep (zip → city)?

    The value of the other rows is suggested, where the cell is empty too. Where several dependencies are broken in a
    row, the column that takes part in most of them is the one that is told.
    """

    minimum_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    minimum_mu: Annotated[float, Field(gt=0, le=1)] = 0.85
    policy: Policy = "warn"
    name: ClassVar[str] = "functional_dependency"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = (
        "1 to 5% of fields are wrong in ordinary databases (Redman 1998); mu+ near 1 is a dependency"
    )

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = candidates(table)
        if len(columns) < 2:
            yield Skipped(why="no two columns whose values repeat")
            return
        rules = self._confirmed(table, self._sought(table, columns))
        if any(rule.expected for rule in rules):
            yield from self._told(rules, Broken.of(table, rules, columns))
        if table.height > table.sample.height:
            yield Skipped(rows=0, why="dependencies are sought on a sample and confirmed on all rows")

    def _sought(self, table: Table, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Pairs of determinant and column in which a dependency holds on the sample."""
        sample = table.sample.select(text(name) for name in columns)
        codes = {name: _codes(sample[name]) for name in columns}
        for determinant, column in permutations(columns, 2):
            if table.contract.column(determinant).modality != "numeric" and not ruled_out(
                codes[determinant][:GLANCE], codes[column][:GLANCE]
            ):
                pairs = pairs_of(sample.lazy(), determinant, column)
                if self._holds(Rule.of(determinant, column, pairs)):
                    yield determinant, column

    def _confirmed(self, table: Table, sought: Iterator[tuple[str, str]]) -> list[Rule]:
        """The dependencies that hold on all rows: for each column those that are broken least."""
        rules: dict[str, list[Rule]] = {}
        for determinant, column in sought:
            rule = Rule.of(determinant, column, pairs_of(table.rows, determinant, column))
            if self._holds(rule):
                rules.setdefault(column, []).append(rule)
        best = (sorted(known, key=lambda rule: (-rule.share, rule.determinant)) for known in rules.values())
        return [rule for known in best for rule in known[:DETERMINANTS]]

    def _holds(self, rule: Rule) -> bool:
        return (
            rule.repeats >= REPEATS
            and rule.share >= self.minimum_share
            and rule.astray <= 0.01
            and rule.mu >= self.minimum_mu
        )

    def _told(self, rules: Sequence[Rule], broken: "Broken") -> Iterator[Hit]:
        for column in dict.fromkeys(name for rule in rules for name in (rule.column, rule.determinant)):
            own = [rule for rule in rules if rule.column == column]
            others = [rule for rule in rules if rule.determinant == column]
            follows = broken.dependent(own).select(ROW_ID, value=text(column), suggested="suggested")
            leads = broken.determining(others, own).select(ROW_ID, value=text(column), suggested=NOTHING)
            told = either([rule.determinant for rule in own])
            said = [f"rows with the same {told} have one {column}, but not in {count(follows.height, 'row')}"]
            said += [f"{column} does not fit {listed([r.column for r in others])} in {count(leads.height, 'row')}"]
            words = [each for each, cells in zip(said, (follows, leads), strict=True) if cells.height]
            if words:
                yield self._hit(column, own or others, pl.concat([follows, leads]), "; ".join(words))

    def _hit(self, column: str, rules: Sequence[Rule], cells: pl.DataFrame, message: str) -> Hit:
        return Hit(
            check=self.name,
            column=column,
            rows=cells.height,
            observed=max(rule.share for rule in rules),
            threshold=self.minimum_share,
            message=message,
            suggestion="correct them; the policy `repair` takes the value of the other rows",
            rule=Followed(column=column, determinant=rules[0].determinant) if rules[0].column == column else None,
            flags=cells,
        )


CHECKS = (FunctionalDependency,)


def candidates(table: Table) -> list[str]:
    """The columns of text, whole numbers and booleans that vary, and whose values repeat; the label is left out."""
    found = []
    for column in table.data_columns:
        discrete = column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean) or column.dtype.is_integer()
        known = table.profile.columns.get(column.name)
        present = table.height - known.missing if known is not None else 0
        if known is None or not discrete or column.role == "label" or column.modality in ("text", "set"):
            continue
        if 2 <= known.distinct <= min(present / 2, MANY):
            found.append(column.name)
    return found[:COLUMNS]


def ruled_out(determinant: Codes, column: Codes) -> bool:
    """Do these few rows show already that the column does not follow? Codes from 0; -1: empty, which says nothing."""
    both = (determinant >= 0) & (column >= 0)
    keys, values = determinant[both], column[both]
    if not keys.size:
        return False
    pairs, rows = np.unique(keys * (values.max() + 1) + values, return_counts=True)
    sizes = np.bincount(keys)
    most = np.zeros_like(sizes)
    np.maximum.at(most, pairs // (values.max() + 1), rows)
    repeated = sizes >= LEADING
    return bool(sizes[repeated].sum() >= REPEATS and most[repeated].sum() < 0.9 * sizes[repeated].sum())


@dataclass(frozen=True, kw_only=True)
class Broken:
    """The rows that break a rule, in order: the columns, and by the name of each rule whether it is broken."""

    rules: Sequence[Rule]
    rows: pl.DataFrame

    @classmethod
    def of(cls, table: Table, rules: Sequence[Rule], columns: Sequence[str]) -> "Broken":
        """Read all rows once; a break that another column explains is none."""
        breaks = [breaks_rule(rule).alias(rule.name) for rule in rules]
        sample = table.sample.select(text(name) for name in columns).with_columns(breaks)
        others = {rule.name: explained(sample, rule, rules, columns) for rule in rules if rule.expected}
        kept = [(pl.col([rule.name]) & ~pl.any_horizontal(pl.lit(False), *others.get(rule.name, []))) for rule in rules]
        rows = table.rows.select(ROW_ID, *(text(name) for name in columns)).with_columns(breaks).with_columns(kept)
        names = [rule.name for rule in rules]
        return cls(rules=rules, rows=rows.filter(pl.any_horizontal(names)).collect(engine="streaming"))

    def dependent(self, own: Sequence[Rule]) -> pl.DataFrame:
        """The rows in which the column that follows by these rules is wrong, with what most of them suggest."""
        if not own:
            return self.rows.clear().with_columns(suggested=NOTHING)
        several = pl.sum_horizontal(rule.name for rule in own) > 1
        accused = [
            pl.col([rule.name]) & (several | ~self._blamed(rule.determinant)) & ~self._outvoted(rule) for rule in own
        ]
        votes = pl.concat_list(pl.when(pl.col([r.name])).then(expected(r)) for r in own).list.drop_nulls()
        mode = votes.list.eval(pl.element().mode().sort().first()).list.first()
        return self.rows.filter(pl.any_horizontal(accused)).with_columns(suggested=mode)

    def determining(self, others: Sequence[Rule], own: Sequence[Rule]) -> pl.DataFrame:
        """The rows in which the column that these rules start from is wrong, and no rule says what it should be."""
        told = pl.any_horizontal(pl.lit(False), *(rule.name for rule in own))
        return self.rows.filter(self._blamed(others[0].determinant) & ~told) if others else self.rows.clear()

    def _outvoted(self, rule: Rule) -> pl.Expr:
        """Do more columns say that the determinant is wrong than say so of the column that follows from it?"""
        follows, leads = (
            pl.sum_horizontal(pl.lit(0), *(each.name for each in self.rules if each.column == name))
            for name in (rule.column, rule.determinant)
        )
        return leads > follows

    def _blamed(self, determinant: str) -> pl.Expr:
        """Does every column that is to follow from this one differ (two at least; an empty one says nothing)?"""
        rules = [rule for rule in self.rules if rule.determinant == determinant]
        differs = [pl.col([rule.name]) & cell(rule.column).is_not_null() for rule in rules]
        return pl.all_horizontal(differs) if len(rules) > 1 else pl.lit(False)


def explained(sample: pl.DataFrame, rule: Rule, rules: Sequence[Rule], columns: Sequence[str]) -> list[pl.Expr]:
    """The rows that break the rule since another column has its say: where that has such a value, half break it.

    A code that depends on the measure and, in few states, on the state as well: rows of these states are right. A value
    that breaks a rule itself explains nothing.
    """
    found = []
    for name in columns:
        if name in (rule.determinant, rule.column):
            continue
        sound = ~pl.any_horizontal(pl.lit(False), *(r.name for r in rules if r.column == name))
        counts = (
            sample.filter(sound & text(name).is_not_null())
            .group_by(text(name).alias("value"))
            .agg(rows=pl.len(), broken=pl.col([rule.name]).sum())
        )
        often = counts.filter((pl.col("broken") >= LEADING) & (2 * pl.col("broken") >= pl.col("rows")))
        if often.height:
            found.append(text(name).is_in(often["value"].sort().to_list()))
    return found


def _codes(values: pl.Series) -> Codes:
    codes: Codes = (values.rename("codes").rank("dense").cast(pl.Int64) - 1).fill_null(-1).to_numpy()
    return codes

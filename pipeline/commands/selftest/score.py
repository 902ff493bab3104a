"""What an inspection of damaged rows says more than one of the sound ones, and how much of that is the damage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.commands.selftest.defect import Damage, Defect
from pipeline.contract import ROW_ID
from pipeline.quality.findings import Finding
from pipeline.quality.inspection import Inspection

SHOWN = 5  # false findings that are named
KEY = ["row", "column", "check"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """Items planted and found, by check (one item may be told by several), and what was raised beside them.

    `told`: a finding about the column as a whole, without rows, by a check that should. `false_rows`: flagged beside
    the damage by a finding that is no mere info; `false_findings`: those, and findings about other columns.
    """

    planted: int
    found: int
    told: bool
    by: dict[str, int]
    false_rows: int
    false_findings: list[str]


def scored(defect: Defect, damage: Damage, baseline: Inspection, seen: Inspection) -> Score:
    """Compare the inspection of damaged rows with that of the sound ones."""
    before = {(finding.check, finding.column) for finding in baseline.findings}
    new = [finding for finding in seen.findings if (finding.check, finding.column) not in before]
    flags = _new_flags(baseline, seen)
    right = _matched(damage.truth, flags).filter(pl.col("check").is_in(defect.told_by) | ~pl.col("info"))
    wrong = _beside(damage, flags.join(right.select(KEY), on=KEY, how="anti", nulls_equal=True))
    grown = [*new, *_grown(baseline, seen)]
    about = {finding.check for finding in grown if _is_about(finding, defect, damage)}
    of_checks = right.group_by("check").agg(pl.col("item").n_unique()).sort("item", "check", descending=[True, False])
    by = dict(of_checks.iter_rows())
    strange = [f for f in new if f.severity != "info" and not _is_near(f, defect, damage, by)]
    raised = set(wrong.select("check", "column").unique().iter_rows()) | {(f.check, f.column) for f in strange}
    named = sorted(f"{check} {column}" if column else check for check, column in raised)
    return Score(
        planted=damage.truth["item"].n_unique(),
        found=right["item"].n_unique(),
        told=bool(about),
        by={**by, **{check: 0 for check in sorted(about) if check not in by}},
        false_rows=wrong["row"].n_unique(),
        false_findings=named[:SHOWN],
    )


def _grown(baseline: Inspection, seen: Inspection) -> Iterator[Finding]:
    """Findings that the sound rows had too, now of more rows or of a larger observed number."""
    before = {(finding.check, finding.column): finding for finding in baseline.findings}
    for finding in seen.findings:
        was = before.get((finding.check, finding.column))
        if was is not None and (finding.rows > was.rows or _number(finding) > _number(was)):
            yield finding


def _number(finding: Finding) -> float:
    return finding.observed if isinstance(finding.observed, float) else 0.0


def _new_flags(baseline: Inspection, seen: Inspection) -> pl.DataFrame:
    """row, column, check, and whether all that the check says is info; flags that the sound rows had are left out."""
    told = {(finding.check, finding.column) for finding in seen.findings if finding.severity != "info"}
    checks = {check for check, _ in told}
    frames = [
        inspection.flags.select(pl.col(ROW_ID).cast(pl.Int64).alias("row"), "column", "check").unique(
            maintain_order=True
        )
        for inspection in (baseline, seen)
    ]
    new = frames[1].join(frames[0], on=KEY, how="anti", nulls_equal=True)
    known = {(finding.check, finding.column) for finding in seen.findings}
    info = [
        (check, column) not in told if (check, column) in known else check not in checks
        for column, check in new.select("column", "check").iter_rows()
    ]
    return new.with_columns(pl.Series("info", info, dtype=pl.Boolean))


def _matched(truth: pl.DataFrame, flags: pl.DataFrame) -> pl.DataFrame:
    """Flags on rows at fault, in the column at fault where both name one, with their item."""
    joined = flags.join(truth.rename({"column": "at"}), on="row")
    same = pl.col("column").is_null() | pl.col("at").is_null() | (pl.col("column") == pl.col("at"))
    return joined.filter(same)


def _beside(damage: Damage, flags: pl.DataFrame) -> pl.DataFrame:
    """Flags that are false alarms: no mere info, and where columns are at fault as a whole, about another one.

    A column that is gone makes rows equal, so there what is said of a row as a whole is no false alarm either.
    """
    other = ~pl.col("column").is_in(damage.added).fill_null(False)
    if damage.truth.is_empty():
        other = ~pl.col("column").fill_null(damage.columns[0]).is_in(damage.columns)
    return flags.filter(~pl.col("info") & other)


def _is_about(found: Finding, defect: Defect, damage: Damage) -> bool:
    """Whether a new finding is by a check that should tell the defect, and about no other column."""
    columns: Sequence[str | None] = (None, *damage.columns)
    return found.check in defect.told_by and (found.column in columns or not damage.columns)


def _is_near(found: Finding, defect: Defect, damage: Damage, by: dict[str, int]) -> bool:
    """Whether a new finding is about the damage: its column, its rows, or a check that should tell it."""
    consequence = found.column is None and damage.truth.is_empty()
    return found.check in (*by, *defect.told_by) or found.column in damage.columns or consequence

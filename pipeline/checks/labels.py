"""Label checks: answers that the other rows contradict, that two would give differently, that a model cannot learn.

Fast models are fitted once for the family, on at most some 20,000 rows: about three seconds for 30 columns. Each
finding says of how many rows it speaks, where it is not all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import ROW_ID, Column
from pipeline.labels import confident
from pipeline.labels.confident import Array
from pipeline.labels.shortcut import quarters
from pipeline.labels.target import classes_of
from pipeline.quality.findings import Hit, Policy, Severity, Skipped, Table
from pipeline.wording import count

JUDGED = 20_000  # rows that are judged: a share of 1% of them is known to 0.1%
JUDGED_SEED = 4  # another than the sample's
ROWS = 100  # fewer labelled rows say nothing of single labels
CLASS_ROWS = 10
CLASSES = 100
LARGEST_CATEGORIES = 20
CHANCE = 0.001


@dataclass(frozen=True, kw_only=True)
class LabelError:
    """Which rows have a label that the other rows contradict: probably a wrong one?

    Fast models answer for rows that they were not fitted on; how many labels are wrong is told by the rows they are
    surest of (see pipeline/labels/confident.py). It is silent where classes overlap and the model's misses vanish as it
    gets surer. A warning where wrong labels are at least half of all that the model misses, else worth knowing.
    Rows whose features stand twice are judged by conflicting_labels.
    """

    minimum_explained: Annotated[float, Field(ge=0, le=1)] = 0.1
    policy: Policy = "warn"
    name: ClassVar[str] = "label_error"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = (
        "confident learning (Northcutt et al. 2021); under a tenth of the misses, the model itself may err"
    )

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        found = opinions(table)
        if isinstance(found, Skipped):
            yield found
            return
        yield from found.left_out(table)
        if 2 * found.single_N.sum() < len(found.y_N):
            yield Skipped(why="most rows share all their features with another: see conflicting_labels")
            return
        noise = confident.noise(found.p_NK, found.y_N, found.single_N)
        if noise is None or noise.explained < self.minimum_explained:
            return
        wrong = confident.least_likely(found.p_NK, found.y_N, round(noise.share * len(found.y_N)))
        if len(wrong):
            yield contradicted(
                self.name,
                table,
                noise.share,
                looked=found.looked,
                words=f"sure of another class; the {count(len(wrong), 'likeliest is', 'likeliest are')} told",
                severity="warning" if noise.explained >= 0.5 else "info",
                flags=found.flags(wrong),
            )


@dataclass(frozen=True, kw_only=True)
class AmbiguousLabel:
    """Which rows lie between two classes, so that the features do not tell the label?"""

    maximum_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    margin: Annotated[float, Field(ge=0, le=1)] = 0.2
    policy: Policy = "warn"
    name: ClassVar[str] = "ambiguous_label"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "0.6 to 0.4 is near a coin's toss; a fifth of the rows bounds what any model can reach"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        found = opinions(table)
        if isinstance(found, Skipped):
            yield found
            return
        yield from found.left_out(table)
        second_N, first_N = np.sort(found.p_NK, axis=1)[:, -2:].T
        between = np.flatnonzero(first_N - second_N < self.margin)
        share = len(between) / len(found.y_N)
        if share > self.maximum_share:
            yield Hit(
                check=self.name,
                column=table.label,
                rows=len(between),
                observed=share,
                threshold=self.maximum_share,
                message=f"in {share:.1%} of the rows the features do not tell which of two classes {table.label} is"
                f"{found.of(table)}",
                suggestion="add a feature that tells these classes apart, or expect the model to guess there",
                severity="info",
                flags=found.flags(between),
            )


@dataclass(frozen=True, kw_only=True)
class UnderperformingGroup:
    """In which group of rows does a fast model err far more often than elsewhere?

    Groups are values of categories and quarters of numbers with at least `minimum_share` of the rows, at most half;
    the worst is told, where its errors are no chance after Bonferroni's correction (hypergeometric, 0.1%).
    """

    minimum_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
    minimum_ratio: Annotated[float, Field(gt=1)] = 2.0
    policy: Policy = "warn"
    name: ClassVar[str] = "underperforming_group"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "twice the errors of the other rows, in a twentieth of the rows"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        found = opinions(table)
        if isinstance(found, Skipped):
            yield found
            return
        yield from found.left_out(table)
        groups = list(_groups(found, self.minimum_share))
        name, group, inside, outside, rows = max(groups, key=lambda g: g[2] - g[3], default=("", "", 0.0, 0.0, 0))
        chance = not _beyond_chance(inside, outside, rows, of=len(found.y_N), asked=len(groups))
        if inside > self.minimum_ratio * outside and not chance:
            yield Hit(
                check=self.name,
                column=name,
                rows=rows,
                observed=inside,
                threshold=self.minimum_ratio * outside,
                message=f"a fast model errs in {inside:.1%} of rows with {name} {group}, elsewhere in {outside:.1%}"
                f"{found.of(table)}",
                suggestion="check the labels of these rows; else bring more of them, or a feature that explains them",
                severity="info",
            )


CHECKS = (LabelError, AmbiguousLabel, UnderperformingGroup)


@dataclass(frozen=True, kw_only=True)
class Opinions:
    """What fast models say of rows that they have not seen: N labelled rows of the sample, K classes.

    `single_N`: no other row has the same features. Of the rows that were `looked` at, those `skipped` have no label, or
    one of a rare class.
    """

    rows: pl.DataFrame
    features: Sequence[Column]
    classes: Sequence[str]
    y_N: Array
    p_NK: Array
    single_N: Array
    looked: int
    skipped: int

    def left_out(self, table: Table) -> Iterator[Skipped]:
        """The rows that were not looked at."""
        if table.height > self.looked:
            yield Skipped(rows=table.height - self.looked, why="a sample")
        if self.skipped:
            yield Skipped(rows=self.skipped, why=f"no label, or one of a class under {CLASS_ROWS} rows")

    def of(self, table: Table) -> str:
        """What was looked at, in words, where it is not all."""
        return part_of(table, self.looked)

    def flags(self, places: Array) -> pl.DataFrame:
        """These rows with their label, the likeliest other one, and 1 - self-confidence as score."""
        p, y = self.p_NK[places].copy(), self.y_N[places]
        score = 1 - p[np.arange(len(places)), y]
        p[np.arange(len(places)), y] = -1
        names = np.array(self.classes, dtype=object)
        return self.rows[places].select(
            ROW_ID,
            value=pl.Series(names[y], dtype=pl.String),
            suggested=pl.Series(names[p.argmax(axis=1)], dtype=pl.String),
            score=pl.Series(score),
        )


def contradicted(
    check: str, table: Table, share: float, *, looked: int, words: str, severity: Severity, flags: pl.DataFrame
) -> Hit:
    """The hit of `check` for labels, a share of them in all, that fast models contradict: they are `words`."""
    return Hit(
        check=check,
        column=table.label,
        rows=flags.height,
        observed=share,
        threshold=0,
        message=f"some {share:.1%} of the labels in {table.label} look wrong{part_of(table, looked)}: fast models "
        f"trained on the other rows are {words}",
        suggestion="look at these rows, the surest first, and correct the labels that are wrong",
        severity=severity,
        flags=flags,
    )


def part_of(table: Table, looked: int) -> str:
    """How many rows were looked at, in words, where it is not all."""
    return f" ({looked:,} rows looked at)" if table.height > looked else ""


def opinions(table: Table) -> Opinions | Skipped:
    """The models' answers, made once for all checks of the family and kept beside the table's sample."""
    return table.once("opinions", _opinions)


def _opinions(table: Table) -> Opinions | Skipped:
    counted = classes_of(table)
    if isinstance(counted, Skipped):
        return counted
    features = [c for c in table.columns if c.role == "feature" and c.modality not in (None, "image", "audio")]
    if not features:
        return Skipped(why="no feature that a fast model reads")
    looked = drawn(table.sample)
    label = looked.select(by_name(str(table.label)).cast(pl.String).alias("label")).to_series()
    present = label.value_counts(name="#rows").drop_nulls().filter(pl.col("#rows") >= CLASS_ROWS)
    classes = present[label.name].sort().to_list()
    if not 2 <= len(classes) <= CLASSES:
        return Skipped(why=f"{len(classes)} classes of at least {CLASS_ROWS} rows, 2 to {CLASSES} can be judged")
    kept = label.is_in(classes)
    if kept.sum() < ROWS:
        return Skipped(why=f"{kept.sum()} labelled rows, at least {ROWS} are needed")
    rows = looked.filter(kept)
    codes = {name: place for place, name in enumerate(classes)}
    y_N = label.filter(kept).replace_strict(codes, return_dtype=pl.Int64).to_numpy()
    twins, fold_N = folds(table, rows, features)
    if not _judged_by_others(y_N, fold_N):
        return Skipped(why="too few rows are of other groups, or other features (see conflicting_labels), to judge by")
    return Opinions(
        rows=rows,
        features=features,
        classes=classes,
        y_N=y_N,
        p_NK=confident.probabilities(rows, features, y_N, fold_N),
        single_N=twins.is_unique().to_numpy(),
        looked=looked.height,
        skipped=looked.height - rows.height,
    )


def folds(table: Table, rows: pl.DataFrame, features: Sequence[Column]) -> tuple[pl.Series, Array]:
    """What rows of equal features share (N), and the fold of each (N): rows of one group, or equal ones, are in one."""
    twins = rows.select(pl.struct(by_name(*(c.name for c in features))).hash(seed=0).alias("twins")).to_series()
    groups = table.contract.groups
    together = rows.select(pl.struct(by_name(*groups)).hash(seed=0).alias("group")).to_series() if groups else twins
    return twins, (together % confident.effort(rows.height).folds).to_numpy()


def _judged_by_others(y_N: Array, fold_N: Array) -> bool:
    """Whether outside of each fold there are two classes, and half of `ROWS` at least: enough to judge it by."""
    others = [y_N[fold_N != fold] for fold in np.unique(fold_N)]
    return all(len(y) >= ROWS / 2 and len(np.unique(y)) > 1 for y in others)


def drawn(sample: pl.DataFrame) -> pl.DataFrame:
    """At most some `JUDGED` rows of the sample, in order."""
    share = JUDGED / max(sample.height, JUDGED)
    chosen = pl.col(ROW_ID).hash(seed=JUDGED_SEED) <= int((2**64 - 1) * share)
    return sample if share == 1 else sample.filter(chosen)


def _groups(found: Opinions, minimum_share: float) -> Iterator[tuple[str, str, float, float, int]]:
    """Column, group, the share of errors in it and elsewhere, and its rows."""
    wrong = pl.Series("#wrong", found.p_NK.argmax(axis=1) != found.y_N)
    for column in found.features:
        values = found.rows.select(by_name(column.name).alias("value")).to_series()
        if column.modality == "categorical" and values.n_unique() <= LARGEST_CATEGORIES:
            parts = values.cast(pl.String)
        elif column.modality == "numeric" and column.dtype.is_numeric():
            parts = quarters(values)
        else:
            continue
        frame = pl.DataFrame({"part": parts, "wrong": wrong}).drop_nulls("part")
        for part, errors, rows in frame.group_by("part").agg(pl.col("wrong").sum(), pl.len()).sort("part").iter_rows():
            rest = len(wrong) - rows
            if minimum_share * len(wrong) <= rows <= rest:
                yield column.name, str(part), errors / rows, (wrong.sum() - errors) / rest, rows


def _beyond_chance(inside: float, outside: float, rows: int, *, of: int, asked: int) -> bool:
    from scipy.stats import hypergeom

    wrong = round(inside * rows)
    return bool(hypergeom.sf(wrong - 1, of, wrong + round(outside * (of - rows)), rows) < CHANCE / max(asked, 1))

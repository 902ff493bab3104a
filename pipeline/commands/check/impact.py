"""Which findings matter? What a model gains in cross-validation where the rows that they hit are left out or mended.

Rows are left out of training alone; suggested values stand in training and validation alike, as repairs are replayed
at prediction, but for those of the label: what judges a model is never mended. Folds are the same for all, and rows
of equal features are in one. Checks that learn from labels (label_error) saw those of the validation rows too, so
what their rows bring is told a little too well.

Shapes: N rows, F features, K classes, U different answers, B draws of the bootstrap.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.artefacts import Record
from pipeline.contract import ROW_ID, Column
from pipeline.labels import confident
from pipeline.labels.target import classes_of, is_measured
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import Inspection

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Action: TypeAlias = Literal["drop", "repair"]

MOST_ROWS = 20_000
CELLS = 800_000  # rows x features x classes: a fit of some seconds
LEAST_ROWS = 200
CLASS_ROWS = 20  # in all folds together
CLASSES = 10
FOLDS = 5
FINDINGS = 8  # the worst are tried: 17 times five fits
HIT_ROWS = 5
LEFT = 0.5  # at least this share of the rows must stay where some are left out
DRAWS = 200
LABEL = "#label"  # the label's series under a name of our own: methods of a series take `^x$` for a pattern
SURE = 2.58  # deviations: two-sided 1%, as a dozen fixes are tried
NO_DEFECT = ("ambiguous_label", "underperforming_group")  # rows that are hard, not wrong


class Impact(Record):
    """What one finding's rows cost: the mean validation score as it is, its change, and the interval of the change.

    `rows`: those of the finding among the sampled ones. `shown`: the interval leaves out 0.
    """

    check: str
    column: str | None
    action: Action
    rows: int
    metric: Literal["AUC", "R²"]
    score: float
    change: float
    low: float
    high: float
    shown: bool


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is learnt: N rows, their features, y_N (a class's place, or a number), fold_N; K is 0 for numbers."""

    rows: pl.DataFrame
    features: Sequence[Column]
    label: str
    classes: Sequence[str]
    y_N: Array
    fold_N: Array

    @property
    def metric(self) -> Literal["AUC", "R²"]:
        return "AUC" if self.classes else "R²"


@dataclass(frozen=True, kw_only=True)
class Fix:
    """One thing that could be done about a finding: `cells` has row_id, suggested (text) and emptied."""

    check: str
    column: str | None
    action: Action
    cells: pl.DataFrame


def impacts(table: Table, inspection: Inspection, *, seed: int = 0) -> list[Impact] | Skipped:
    """What fixing each finding brings, the largest gain that is shown first; Skipped where nothing can be judged.

    The worst findings with row flags are tried; `inspection` must have been asked for all flags.
    """
    task = _task(table)
    if isinstance(task, Skipped):
        return task
    if len(np.unique(task.fold_N)) < 2:
        return Skipped(why="all rows are of one group, or equal: none is left to judge a model by")
    fixes = list(_fixes(task, inspection))
    if not fixes:
        return Skipped(why=f"no finding hits {HIT_ROWS} of the rows that a model learns from")
    kept_N = np.ones(len(task.y_N), dtype=bool)
    sound = _answers(task, confident.inputs(task.rows, task.features), task.y_N, kept_N)
    draws = _draws(task, np.random.default_rng(seed))
    before = _scores(task, sound, draws)
    found = [_impact(task, fix, before, draws) for fix in fixes]
    return sorted(found, key=lambda i: (not i.shown, -i.change, i.check, i.column or "", i.action))


def lines(found: Sequence[Impact]) -> Iterator[str]:
    """One line a fix; those that do not change the score are told as such."""
    for each in found:
        at = "" if each.column is None else f" in {each.column}"
        what = f"{'fixing' if each.action == 'repair' else 'leaving out the rows of'} {each.check}{at}"
        span = f"({each.low:+.3f} to {each.high:+.3f})"
        told = f"{each.metric} {each.change:+.3f} {span}" if each.shown else f"no difference shown {span}"
        yield f"{what}: {told}, {each.rows:,} rows"


def _task(table: Table) -> Task | Skipped:
    """The sampled rows that have a label, of no rare class."""
    if table.label is None:
        return Skipped(why="no column has the role label")
    plain = ("numeric", "categorical", "timestamp")
    features = [c for c in table.columns if c.role == "feature" and c.modality in plain]
    if not features:
        return Skipped(why="no feature that a fast model reads")
    label = table.sample.get_column(table.label).alias(LABEL)
    names: list[str] = []
    if is_measured(table):
        known = label.cast(pl.Float64).is_finite().fill_null(False)
    elif isinstance(counted := classes_of(table), Skipped):
        return counted
    else:
        present = label.cast(pl.String).value_counts(name="#rows").filter(pl.col("#rows") >= CLASS_ROWS)
        names = sorted(set(present[LABEL].drop_nulls()) & set(counted))
        if not 2 <= len(names) <= CLASSES:
            return Skipped(why=f"{len(names)} classes of {CLASS_ROWS} rows and more, 2 to {CLASSES} can be judged")
        known = label.cast(pl.String).is_in(names)
    rows = _fewer(table.sample.filter(known), len(features) * max(len(names), 1))
    if rows.height < LEAST_ROWS:
        return Skipped(why=f"{rows.height} labelled rows, at least {LEAST_ROWS} are needed")
    y_N, fold_N = _coded(rows.get_column(table.label), names), _folds(rows, features, table.contract.groups)
    return Task(rows=rows, features=features, label=table.label, classes=names, y_N=y_N, fold_N=fold_N)


def _fewer(rows: pl.DataFrame, cells_a_row: int) -> pl.DataFrame:
    """Some of the rows in their order, drawn by a hash of row_id."""
    most = min(MOST_ROWS, CELLS // cells_a_row)
    hashed = rows.select(pl.col(ROW_ID).hash(seed=2)).to_series()
    return rows if rows.height <= most else rows.filter(hashed.rank("ordinal") <= most)


def _coded(label: pl.Series, names: Sequence[str]) -> Array:
    label = label.alias(LABEL)
    if not names:
        return label.cast(pl.Float64).to_numpy()
    codes = {name: place for place, name in enumerate(names)}
    return label.cast(pl.String).replace_strict(codes, default=-1, return_dtype=pl.Int64).to_numpy()


def _folds(rows: pl.DataFrame, features: Sequence[Column], groups: Sequence[str]) -> Array:
    """Rows of one group, or of equal features, are in one fold."""
    together = pl.struct(by_name(*(groups or [c.name for c in features])))
    found: Array = rows.select(together.hash(seed=0) % FOLDS).to_series().to_numpy()
    return found


def _fixes(task: Task, inspection: Inspection) -> Iterator[Fix]:
    """What can be done about the worst findings: rows left out, and cells mended where something is suggested."""
    ids = task.rows.select(pl.col(ROW_ID).cast(pl.String))
    sampled = inspection.flags.join(ids, on=ROW_ID, how="semi", maintain_order="left")
    tried = 0
    for check, column in dict.fromkeys((f.check, f.column) for f in inspection.findings if f.check not in NO_DEFECT):
        emptied = pl.col("rule").str.contains('"kind":"empty"', literal=True).fill_null(False)
        cells = sampled.filter(pl.col("check") == check, pl.col("column").eq_missing(pl.lit(column, dtype=pl.String)))
        cells = cells.unique(ROW_ID, keep="first", maintain_order=True).select(ROW_ID, "suggested", emptied=emptied)
        if cells.height < HIT_ROWS:
            continue
        tried += 1
        mended = cells.filter(pl.col("suggested").is_not_null() | pl.col("emptied"))
        if column in {task.label, *(c.name for c in task.features)} and mended.height >= HIT_ROWS:
            yield Fix(check=check, column=column, action="repair", cells=mended)
        if cells.height <= (1 - LEFT) * task.rows.height:
            yield Fix(check=check, column=column, action="drop", cells=cells)
        if tried == FINDINGS:
            return


def _impact(task: Task, fix: Fix, before: Array, draws: Sequence[Array]) -> Impact:
    """Fit again with the fix, and compare the two scores draw by draw; the first draw is the rows as they are."""
    hit_N = task.rows.select(pl.col(ROW_ID).cast(pl.String).is_in(fix.cells[ROW_ID].implode())).to_series().to_numpy()
    rows, y_N, kept_N = task.rows, task.y_N, np.ones(len(task.y_N), dtype=bool)
    if fix.action == "drop":
        kept_N = ~hit_N
    else:
        rows = mended(task.rows, str(fix.column), fix.cells)
        if fix.column == task.label:
            y_N = _coded(rows.get_column(task.label), task.classes)
            kept_N = y_N >= 0 if task.classes else np.isfinite(y_N)
    answers = _answers(task, confident.inputs(rows, task.features), y_N, kept_N)
    change_B = _scores(task, answers, draws) - before
    spread = SURE * float(change_B[1:].std())
    change = float(change_B[0])
    return Impact(
        check=fix.check,
        column=fix.column,
        action=fix.action,
        rows=int(hit_N.sum()),
        metric=task.metric,
        score=round(float(before[0]), 6),
        change=round(change, 6),
        low=round(change - spread, 6),
        high=round(change + spread, 6),
        shown=abs(change) > spread,
    )


def mended(rows: pl.DataFrame, column: str, cells: pl.DataFrame) -> pl.DataFrame:
    """The rows with the suggested cells in the column; one that is not of its type stays as it was."""
    new = cells.rename({ROW_ID: "#id", "suggested": "#new", "emptied": "#emptied"})
    dtype = rows.schema[column]
    ids = pl.col(ROW_ID).cast(pl.String).alias("#id")
    joined = rows.with_columns(ids).join(new, on="#id", how="left", maintain_order="left")
    typed = pl.col("#new").cast(pl.Float64, strict=False) if dtype.is_integer() else pl.col("#new")
    value = pl.coalesce(typed.cast(dtype, strict=False), by_name(column))
    after = pl.when(pl.col("#emptied").fill_null(False)).then(None).otherwise(value)
    return joined.with_columns(after.alias(column)).select(by_name(*rows.columns))


def _answers(task: Task, x_NF: Array, y_N: Array, kept_N: Array) -> Array:
    """p_NK of each class (p_N1 of numbers) by boosted trees that saw none of the row's fold."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    p_NK = np.zeros((len(y_N), max(len(task.classes), 1)))
    for fold in range(FOLDS):
        seen, asked = np.flatnonzero((task.fold_N != fold) & kept_N), np.flatnonzero(task.fold_N == fold)
        if not len(asked) or not len(seen):
            continue
        bare = np.isnan(x_NF[seen]).all(axis=0)  # boosting cannot bin a column of no value
        model = _model(classes=bool(task.classes))
        with threadpool_limits(1, user_api="openmp"):  # so that sums do not vary
            model.fit(np.where(bare, 0.0, x_NF[seen]), y_N[seen])
            if task.classes:
                p_NK[np.ix_(asked, model.classes_)] = model.predict_proba(np.where(bare, 0.0, x_NF[asked]))
            else:
                p_NK[asked, 0] = model.predict(np.where(bare, 0.0, x_NF[asked]))
    return p_NK.round(9)


def _model(*, classes: bool) -> Any:  # scikit-learn has no types
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return kind(max_iter=60, max_leaf_nodes=15, min_samples_leaf=20, early_stopping=False, random_state=0)


def _draws(task: Task, rng: np.random.Generator) -> list[Array]:
    """weight_BN of each fold's rows: first all 1, then the Poisson bootstrap (Hanley and MacGibbon 2006).

    Folds are not drawn: leaving out rows at random then moves the score by one deviation, as it should.
    """
    sizes = [int((task.fold_N == fold).sum()) for fold in range(FOLDS)]
    return [np.vstack([np.ones((1, rows)), rng.poisson(1.0, (DRAWS, rows))]) for rows in sizes]


def _scores(task: Task, p_NK: Array, draws: Sequence[Array]) -> Array:
    """score_B: the mean of the scores of the folds that have rows, in each draw."""
    by_fold = []
    for fold, weight_BN in enumerate(draws):
        of = np.flatnonzero(task.fold_N == fold)
        if not len(of):
            continue
        y_N, p = task.y_N[of], p_NK[of]
        asked = range(1, 2) if len(task.classes) == 2 else range(len(task.classes))
        by_class = [_auc(y_N == k, p[:, k], weight_BN) for k in asked]
        by_fold.append(np.mean(by_class or [_explained(y_N, p[:, 0], weight_BN)], axis=0))
    found: Array = np.mean(by_fold, axis=0)
    return found


def _auc(positive_N: Array, score_N: Array, weight_BN: Array) -> Array:
    """AUC_B of weighted rows (Hanley and McNeil 1982), ties half; half where a class has no row."""
    order = np.argsort(score_N, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score_N[order]) > 0]) if len(order) else np.zeros(0, dtype=np.int64)
    if not len(starts):
        return np.full(len(weight_BN), 0.5)
    wins_BU = np.add.reduceat((weight_BN * positive_N)[:, order], starts, axis=1)
    losses_BU = np.add.reduceat((weight_BN * ~positive_N)[:, order], starts, axis=1)
    below_BU = losses_BU.cumsum(axis=1) - losses_BU / 2
    pairs_B = wins_BU.sum(axis=1) * losses_BU.sum(axis=1)
    found: Array = np.where(pairs_B > 0, (wins_BU * below_BU).sum(axis=1) / np.maximum(pairs_B, 1e-300), 0.5)
    return found


def _explained(y_N: Array, p_N: Array, weight_BN: Array) -> Array:
    """R²_B of weighted rows: one less the squared misses, in those of the mean."""
    total_B = np.maximum(weight_BN.sum(axis=1), 1e-300)
    mean_B = weight_BN @ y_N / total_B
    spread_B = weight_BN @ y_N**2 - total_B * mean_B**2
    found: Array = np.where(spread_B > 0, 1 - weight_BN @ (y_N - p_N) ** 2 / np.maximum(spread_B, 1e-300), 0.0)
    return found

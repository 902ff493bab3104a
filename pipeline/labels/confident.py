"""Which labels do the other rows contradict? Fast models answer for rows that they have not seen (used by checks).

Confident learning (Northcutt, Jiang & Chuang 2021, JAIR 70) ranks rows by the probability that a model gives to
their own label, out of fold, and takes as many as there are errors. Its count of errors, the confident joint, takes
classes that truly overlap for errors. Here the count comes from the rows that the model is surest of: on clean data
the model errs there the less the surer it is, and with wrong labels its misses stay level, at the share of wrong
labels, however sure it is (benchmarks/label_errors.py). What falls is overlap; what stays is noise.

Shapes: N rows, F features, K classes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.contract import Column
from pipeline.runtime.warning_filters import own_filters

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Fitted: TypeAlias = Any  # scikit-learn has no types

BOOSTED_CELLS = 4_000_000  # rows x features x classes
CATEGORIES = 200
TEXT_CHARACTERS = 1_000
WORDS = 50_000
SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)  # of the surest rows
MISSES = 5  # expected in a share for it to say something
LEVEL = 0.6  # how much of the misses of the surer half must remain among the surest: clean data keep some 0.0 to 0.55
NO_SKILL = 0.8  # of the misses of always answering the largest class: rare and untold rows are missed at a level too
HOPELESS = 0.25  # a model that errs more often where it is sure has no say


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is fitted: folds, trees, rounds of boosting and the step of each (half the rounds, twice the step)."""

    folds: int
    trees: int
    rounds: int
    step: float


FULL = Effort(folds=5, trees=100, rounds=100, step=0.05)
LIGHT = Effort(folds=3, trees=50, rounds=50, step=0.1)  # a third of the cost; average precision 0.004 less (adult)
FEW_ROWS = 10_000  # up to which a lighter effort costs more: of 6,000 pictures 0.015 of average precision


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The share of rows whose label is wrong, and that share of all that the model misses."""

    share: float
    explained: float


def effort(rows: int) -> Effort:
    """What is worth fitting to so many rows."""
    return FULL if rows <= FEW_ROWS else LIGHT


def probabilities(rows: pl.DataFrame, features: Sequence[Column], y_N: Array, fold_N: Array) -> Array:
    """p_NK of each class for each row, by models that saw no row of its fold; the same rows give the same bytes.

    The mean of extremely randomised trees (Geurts et al. 2006) and, where they are affordable, boosted trees on
    numbers, moments and categories; of logistic regression on TF-IDF where there are texts.
    """
    text = [column.name for column in features if column.modality == "text"]
    table = [column for column in features if column.modality != "text"]
    answers = []
    if table:
        x_NF = inputs(rows, table)
        answers.append(_out_of_fold(_extra_trees, x_NF, y_N, fold_N))
        if x_NF.size * (y_N.max() + 1) <= BOOSTED_CELLS:
            answers[-1] = (answers[-1] + _out_of_fold(_boosted_trees, x_NF, y_N, fold_N)) / 2
    if text:
        answers.append(_out_of_fold(_words, words(rows, text), y_N, fold_N))
    found: Array = np.mean(answers, axis=0).round(9)  # threads may add in another order
    return found


def inputs(rows: pl.DataFrame, features: Sequence[Column]) -> Array:
    """x_NF for trees: numbers as they are, moments in seconds, categories by falling frequency; NaN is missing."""
    with np.errstate(invalid="ignore"):
        columns = [_input(rows.select(by_name(column.name).alias("value")).to_series(), column) for column in features]
    x_NF: Array = np.column_stack(columns)
    return np.clip(x_NF, -1e30, 1e30)  # so that a column of float32, as trees read it, has a sum


def words(rows: pl.DataFrame, names: Sequence[str]) -> Any:
    """x_NF, sparse: TF-IDF of words and pairs of words in the texts of a row together; null as nothing."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    parts = [by_name(name).fill_null("").str.head(TEXT_CHARACTERS) for name in names]
    texts = rows.select(text=pl.concat_str([pl.lit("."), *parts], separator=" "))["text"]  # none is without a word
    frequent = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), max_features=WORDS, token_pattern=r"\w+|[^\w\s]", dtype=np.float32
    )
    return frequent.fit_transform(texts.to_list())


def noise(p_NK: Array, y_N: Array, judged_N: Array) -> Noise | None:
    """How many labels are wrong, by the rows in `judged_N`; None where the misses fall as the model gets surer.

    Rows are ranked by sureness within the class that the model answers, so that an easy class does not stand for all;
    with more than two classes over all of them too, as a class between two others is never sure.
    """
    p_MK, y_M = p_NK[judged_N], y_N[judged_N]
    missed_M = p_MK.argmax(axis=1) != y_M
    if missed_M.mean() > NO_SKILL * (1 - np.bincount(y_M).max(initial=0) / max(len(y_M), 1)):
        return None
    by_sureness = [ranks(-p_MK.max(axis=1), p_MK.argmax(axis=1))]
    if p_NK.shape[1] > 2:
        by_sureness.append(ranks(-p_MK.max(axis=1)))
    levels = [level(missed_M, rank_M) for rank_M in by_sureness]
    known = [each for each in levels if each is not None]
    if len(known) < len(levels):
        return None
    return Noise(share=min(known), explained=min(known) / missed_M.mean())


def least_likely(p_NK: Array, y_N: Array, count: int) -> Array:
    """The rows (places, the worst first) that the model would label otherwise, at most `count`, by self-confidence."""
    own_N = p_NK[np.arange(len(y_N)), y_N]
    missed = np.flatnonzero(p_NK.argmax(axis=1) != y_N)
    found: Array = missed[np.argsort(own_N[missed], kind="stable")][:count]
    return found


def ranks(unsure_M: Array, within_M: Array | None = None) -> Array:
    """The rank of each row, from the surest on, as a share of all rows, or of those of its class."""
    within_M = np.zeros(len(unsure_M), dtype=np.int64) if within_M is None else within_M
    rank_M = np.ones(len(unsure_M))
    for k in np.unique(within_M):
        of_k = np.flatnonzero(within_M == k)
        rank_M[of_k[np.argsort(unsure_M[of_k], kind="stable")]] = (np.arange(len(of_k)) + 0.5) / len(of_k)
    return rank_M


def level(missed_M: Array, rank_M: Array, chance_M: Array | None = None) -> float | None:
    """The share that is missed however sure the model is; None where it falls with sureness, or for too few misses.

    Where a wrong label is missed by a chance of less than 1, the share is of those: how many labels are wrong.
    """
    chance_M = np.ones(len(missed_M)) if chance_M is None else chance_M
    parts = [rank_M < share for share in SHARES]
    missed = [float(missed_M[part].sum()) for part in parts]
    chance = [max(float(chance_M[part].sum()), 1e-9) for part in parts]
    half = missed[0] / chance[0]
    if missed[0] < MISSES or half > HOPELESS:
        return None
    known = [place for place in range(len(parts)) if place < 2 or chance[place] * half >= MISSES]
    least = min(missed[place] / chance[place] for place in known)
    return least if least >= LEVEL * half else None


@contextmanager
def one_thread() -> Iterator[None]:
    """Fit inside, with `n_jobs=1`: one model at a time, by one thread, so that sums do not vary.

    scikit-learn clears and sets `warnings.filters`, which are the whole process's, for each piece of work (1.9.1,
    `utils/parallel.py`). Two threads that do so leave them changed, at worst empty: then every piece warns.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with own_filters(), threadpool_limits(1, user_api="openmp"):  # threads of OpenMP wait for one another in spins
        yield


def _input(values: pl.Series, column: Column) -> Array:
    if column.modality == "timestamp":
        moments = values.cast(pl.Datetime("us")).to_physical().cast(pl.Float64) / 1e6
        first = moments.min()
        return (moments - (first if isinstance(first, float) else 0.0)).fill_null(np.nan).to_numpy()
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    counted = (
        values.cast(pl.String)
        .drop_nulls()
        .value_counts(name="#rows")
        .sort(["#rows", values.name], descending=[True, False])
    )
    codes = {value: float(place) for place, value in enumerate(counted[values.name].head(CATEGORIES))}
    coded = values.cast(pl.String).replace_strict(codes, default=float(CATEGORIES), return_dtype=pl.Float64)
    return pl.select(pl.when(values.is_null()).then(np.nan).otherwise(coded)).to_series().to_numpy()


def _out_of_fold(fit: Callable[[Any, Array, Effort], Fitted], x: Any, y_N: Array, fold_N: Array) -> Array:
    p_NK = np.zeros((len(y_N), y_N.max() + 1))
    for fold in np.unique(fold_N):
        seen, asked = np.flatnonzero(fold_N != fold), np.flatnonzero(fold_N == fold)
        known = np.unique(y_N[seen])
        if len(known) < 2:
            p_NK[np.ix_(asked, known)] = 1.0
            continue
        with one_thread():
            model = fit(x[seen], y_N[seen], effort(len(y_N)))
            p_NK[np.ix_(asked, model.classes_)] = model.predict_proba(x[asked])
    return p_NK


def _extra_trees(x_NF: Array, y_N: Array, spent: Effort) -> Fitted:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(spent.trees, min_samples_leaf=3, n_jobs=1, random_state=0).fit(x_NF, y_N)


def _boosted_trees(x_NF: Array, y_N: Array, spent: Effort) -> Fitted:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=spent.step,
        max_iter=spent.rounds,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(np.where(np.isnan(x_NF).all(axis=0), 0.0, x_NF), y_N)  # it cannot bin a column of no value


def _words(x_NF: Any, y_N: Array, _: Effort) -> Fitted:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it ranks well before it has converged
        return LogisticRegression(C=10, tol=1e-3, max_iter=100).fit(x_NF, y_N)

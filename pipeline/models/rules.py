"""Baselines that are no model: a column of what people decided, or a rule in Polars SQL over the columns.

What is decided is taken as it is. As a probability it is as sure as it was right on train, so that log loss and the
like do not count a decision for a certainty.

Shapes: N rows, K answers a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.contract import Contract
from pipeline.errors import SettingsError
from pipeline.features.target import Classes, Ordinal, Quantiles, Quantity, Target
from pipeline.metrics import Kind

Parts: TypeAlias = Mapping[str, pl.DataFrame]
KINDS: tuple[Kind, ...] = ("classes", "ordinal", "quantity", "quantiles")
ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
LEAST_SURE = 0.51  # a decision stays the likeliest class, however often it was wrong


@dataclass(frozen=True, kw_only=True)
class Told:
    """(N, K) what a rule answers, by split; `decided`: whether it says a class, and no probability."""

    answers: Mapping[str, np.ndarray]
    decided: bool


def told(name: str, text: str, rows: Parts, y_N: np.ndarray, target: Target) -> Told:
    """What the rule `text` answers of each split of `rows`; `y_N` is the truth of train, which is among them.

    Of classes its value is a class, or of two the probability of the second; of a number it is that. A row without a
    value is answered as one knows it from train: by the classes' shares, or the mean. Raises SettingsError for a rule
    that does not work on these columns, or looks at the label.
    """
    values = {split: _values(name, text, part, target.column) for split, part in rows.items()}
    if isinstance(target, Classes | Ordinal):
        return _of_classes(name, values, y_N, target.classes)
    if isinstance(target, Quantity | Quantiles):
        return Told(answers=_of_number(name, values, y_N, target), decided=False)
    raise _wrong(name, f"a {target.kind} label has no rules as baselines", "take it out")


def require(rules: Mapping[str, str], agreed: Contract, kind: Kind) -> None:
    """Raise SettingsError for a rule that cannot work on these columns or this kind of label, before any row."""
    empty = pl.DataFrame(schema={column.name: column.dtype for column in agreed.columns})
    for name, text in rules.items():
        if kind not in KINDS:
            raise _wrong(name, f"a {kind} label has no rules as baselines", "take it out")
        _values(name, text, empty, agreed.label.name)


def _values(name: str, text: str, rows: pl.DataFrame, label: str) -> pl.Series:
    try:
        value = by_name(text) if text in rows.columns else pl.sql_expr(text)
        if text == label or (text not in rows.columns and label in value.meta.root_names()):
            raise _wrong(name, f"looks at {label}, which it is to tell", "write it over the other columns")
        return rows.select(value=value)["value"].rechunk()
    except ERRORS as error:
        why = str(error).splitlines()[0]
        raise _wrong(name, f"`{text:.80}` does not work: {why:.200}", "name a column, or write Polars SQL") from error


def _of_classes(name: str, values: Mapping[str, pl.Series], y_N: np.ndarray, classes: list[str]) -> Told:
    share_K = np.bincount(y_N, minlength=len(classes)) / len(y_N)
    if len(classes) == 2 and values["train"].dtype.is_numeric() and _are_shares(values, classes):
        found = {split: value.cast(pl.Float64).fill_nan(None).fill_null(share_K[1]) for split, value in values.items()}
        return Told(answers={s: np.stack([1 - p, p], axis=1) for s, p in found.items()}, decided=False)
    places = {split: _places(name, value, classes) for split, value in values.items()}
    sure_K = _sureness(places["train"], y_N, len(classes))
    return Told(answers={split: _as_sure(place_N, sure_K, share_K) for split, place_N in places.items()}, decided=True)


def _are_shares(values: Mapping[str, pl.Series], classes: list[str]) -> bool:
    """Whether they are probabilities, and no classes that are written as numbers."""
    every = pl.concat([value.drop_nulls() for value in values.values()])
    return bool(every.is_between(0, 1).all()) and not bool(every.cast(pl.String).is_in(classes).all())


def _places(name: str, values: pl.Series, classes: list[str]) -> np.ndarray:
    """(N,) the place of each row's class, -1 where there is none."""
    if values.dtype == pl.Boolean and not {"false", "true"} & set(classes) and len(classes) == 2:
        return values.cast(pl.Int64).fill_null(-1).to_numpy()  # true is the class that counts as yes
    text = values.cast(pl.String)
    unknown = text.filter(~text.is_in(classes)).drop_nulls()
    if len(unknown):
        raise _wrong(name, f"says {unknown[0]!r}, which is no class of the label", f"say one of {', '.join(classes)}")
    known = {value: place for place, value in enumerate(classes)}
    return text.replace_strict(known, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()


def _sureness(place_N: np.ndarray, y_N: np.ndarray, classes: int) -> np.ndarray:
    """(K,) how often each class was right where it was said on train, by the rule of succession (Laplace 1814)."""
    said_K = np.bincount(place_N[place_N >= 0], minlength=classes)
    right_K = np.bincount(y_N[place_N == y_N], minlength=classes)
    sure_K: np.ndarray = ((right_K + 1) / (said_K + 2)).clip(min=LEAST_SURE)
    return sure_K


def _as_sure(place_N: np.ndarray, sure_K: np.ndarray, share_K: np.ndarray) -> np.ndarray:
    """(N, K) the class that was said as sure as it is, the rest by the shares of the others."""
    p_KK = np.tile(share_K, (len(share_K), 1))
    np.fill_diagonal(p_KK, 0.0)
    p_KK *= (1 - sure_K)[:, None] / p_KK.sum(axis=1, keepdims=True).clip(min=np.finfo(float).tiny)
    np.fill_diagonal(p_KK, sure_K)
    every_KK = np.vstack([p_KK, share_K])  # the last is of no decision
    p_NK: np.ndarray = every_KK[place_N]
    return p_NK / p_NK.sum(axis=1, keepdims=True)


def _of_number(
    name: str, values: Mapping[str, pl.Series], y_N: np.ndarray, target: Quantity | Quantiles
) -> dict[str, np.ndarray]:
    try:
        found = {split: value.cast(pl.Float64).to_numpy() for split, value in values.items()}
    except ERRORS as error:
        raise _wrong(name, "is no number", "write an expression that gives one") from error
    filled = {split: np.where(np.isfinite(a_N), a_N, y_N.mean())[:, None] for split, a_N in found.items()}
    if not isinstance(target, Quantiles):
        return filled
    miss_K = np.quantile(y_N - filled["train"][:, 0], target.quantiles)
    return {split: a_N1 + miss_K for split, a_N1 in filled.items()}


def _wrong(name: str, message: str, fix: str) -> SettingsError:
    return SettingsError(message, where=f"params.yaml: evaluate.baselines.{name}", fix=fix)

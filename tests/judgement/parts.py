"""Cases with rows: answers of a model that knows the labels' odds, but for a part of the rows that a test names."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl

from pipeline.contract import ROW_ID, Column, Contract, Modality, Role
from pipeline.features.target import Classes, Target
from pipeline.judgement.case import Case, Split
from pipeline.metrics import resamples
from pipeline.predictor import Predictor
from tests.judgement.made import case, two

YES_OR_NO = Classes(column="y", classes=["no", "yes"])


def column(name: str, dtype: Any, role: Role = "feature", modality: Modality | None = None) -> Column:
    return Column(name=name, dtype=dtype, nullable=True, role=role, modality=modality)


def agreed(*columns: Column) -> Contract:
    return Contract(file=Path("tiny.py"), schema=cast(Any, None), columns=columns, expectations=())


def with_rows(made: Case, columns: tuple[Column, ...], val: pl.DataFrame, test: pl.DataFrame) -> Case:
    """The case with rows, of which the model reads the features; rows are named by their place."""
    read = [each.name for each in columns if each.role == "feature"]
    fitted = SimpleNamespace(target=made.target, columns=read)
    named = {
        name: rows.with_row_index(ROW_ID).cast({ROW_ID: pl.String}) for name, rows in (("val", val), ("test", test))
    }
    return replace(
        made,
        model=cast(Predictor, SimpleNamespace(preprocessor=fitted)),
        contract=agreed(*columns),
        rows=cast(Any, named),
        w_RN=resamples(test.height, seed=0, count=50),
    )


def of_answers(
    target: Target, columns: tuple[Column, ...], parts: Mapping[Split, tuple[pl.DataFrame, np.ndarray, np.ndarray]]
) -> Case:
    """Rows, truth and the candidate's answers of val and test."""
    made = case(target, parts["test"][1], {"candidate": parts["test"][2]}, candidate=0.5)
    made = replace(
        made,
        truth={name: y_N for name, (_, y_N, _) in parts.items()},
        answers={name: {"candidate": a_NK} for name, (_, _, a_NK) in parts.items()},
    )
    return with_rows(made, columns, parts["val"][0], parts["test"][0])


SHOPS = (column("shop", pl.String(), modality="categorical"), column("size", pl.Float64(), modality="numeric"))


def shops(rows: int, seed: int) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Rows of shops and sizes, labels, and the probabilities that these were drawn with."""
    random = np.random.default_rng(seed)
    frame = pl.DataFrame({"shop": random.choice(list("abcde"), rows), "size": random.uniform(0, 100, rows)})
    p_N = random.beta(0.7, 0.7, rows)
    y_N = (random.uniform(size=rows) < p_N).astype(np.int64)
    return frame, y_N, two(p_N)


def spoilt(part: tuple[pl.DataFrame, np.ndarray, np.ndarray], where: pl.Expr) -> Any:
    """The same with the labels of some rows shuffled among these."""
    frame, y_N, p_NK = part
    places = np.flatnonzero(frame.select(where).to_series().to_numpy())
    shuffled_N = y_N.copy()
    shuffled_N[places] = y_N[np.random.default_rng(1).permutation(places)]
    return frame, shuffled_N, p_NK


def shop_case(where: pl.Expr | None = None, rows: int = 3000) -> Case:
    """Val and test of shops, the labels of some of the rows shuffled."""
    parts: dict[Split, Any] = {"val": shops(rows, 0), "test": shops(rows, 1)}
    if where is not None:
        parts = {name: spoilt(part, where) for name, part in parts.items()}
    return of_answers(YES_OR_NO, SHOPS, parts)

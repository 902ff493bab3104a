"""The settings of the flights workspace beside variants of them, by rolling origin within January to May.

Each variant is trained up to a day, stopped by the ten days that follow, and scored on the month after them.
June and later take no part.
"""

import dataclasses
import warnings
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from benchmarks.june import auc
from pipeline import contract
from pipeline.features import preprocessor
from pipeline.models import baselines, network
from pipeline.stages import normalize, train
from pipeline.workspace import Workspace

FOLDS = (
    (datetime(2013, 2, 19), datetime(2013, 3, 1), datetime(2013, 4, 1)),
    (datetime(2013, 3, 22), datetime(2013, 4, 1), datetime(2013, 5, 1)),
    (datetime(2013, 4, 21), datetime(2013, 5, 1), datetime(2013, 6, 1)),
)
VARIANTS: dict[str, dict[str, Any]] = {
    "as in params.yaml": {},
    "hidden [256, 128], dropout 0.4": {"train": {"mlp": {"hidden": [256, 128], "dropout": 0.4}}},
    "hidden [512, 256], dropout 0.3": {"train": {"mlp": {"hidden": [512, 256], "dropout": 0.3}}},
    "hidden [1024, 256], dropout 0.4": {"train": {"mlp": {"hidden": [1024, 256], "dropout": 0.4}}},
    "without the weekday": {"drop": ("weekday",)},
}


def table(workspace: Workspace) -> str:
    """A Markdown table: AUC of the network, the trees and the linear model for each variant and fold."""
    rows = pl.read_parquet(workspace.clean / "*.parquet")
    agreed = contract.load(workspace.contract_file)
    lines = ["| variant | network: March, April, May, mean | trees | logistic regression |", "|---|---|---|---|"]
    for name, variant in VARIANTS.items():
        scores = np.array([_fold(rows, agreed, workspace, variant, fold) for fold in FOLDS])
        cells = [", ".join(f"{score:.4f}" for score in (*months, months.mean())) for months in scores.T]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _fold(
    rows: pl.DataFrame,
    agreed: contract.Contract,
    workspace: Workspace,
    variant: dict[str, Any],
    fold: tuple[datetime, ...],
) -> list[float]:
    columns = tuple(_role(column, variant) for column in agreed.columns)
    changed = dataclasses.replace(agreed, columns=columns)
    settings = workspace.section(normalize.NormalizeSettings)
    modalities = settings.by_modality()
    if "numeric" in variant:
        modalities["numeric"] = settings.numeric.model_copy(update={"method": variant["numeric"]})
    known = workspace.section(train.TrainSettings).model_dump()
    changes = {name: known[name] | values for name, values in variant.get("train", {}).items()}
    training = train.TrainSettings.model_validate(known | changes)
    time = pl.col("departs")
    parts = [
        rows.filter(time < fold[0]),
        *(rows.filter((time >= a) & (time < b)) for a, b in pairwise(fold)),
    ]
    fitted = preprocessor.fit(parts[0].lazy(), changed, modalities)
    tensors = [fitted.encode(part).tensors() for part in parts]
    with TemporaryDirectory() as folder:
        named = {"train": tensors[0], "val": tensors[1]}
        shape = train.shape(fitted, training, named["train"])
        kept = train.fit(named, shape, fitted.target, training, seed=workspace.seed, curves=Path(folder) / "c")
    last = tensors[2]
    own = network.answers(kept.network(), network.tensors(last), fitted.target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = baselines.fit(tensors[0], tensors[0]["label"], "classes", workspace.seed)
    seen = baselines.inputs(last)
    others = [baselines.answers(other[name], seen) for name in ("hist_gradient_boosting", "logistic_regression")]
    return [auc(last["label"], p) for p in (own, *others)]


def _role(column: contract.Column, variant: dict[str, Any]) -> contract.Column:
    if column.name in variant.get("features", ()):
        return dataclasses.replace(column, role="feature", modality="categorical")
    if column.name in variant.get("drop", ()):
        return dataclasses.replace(column, role="ignore")
    return column

"""The candidate on the months after its training, beside boosted trees and a linear model on the very same rows.

Each model is fitted on the train split of January to May; June to December are not seen before they are scored.
The trees are fitted twice: on the candidate's own tensors, and on the raw columns with plain category codes.
"""

import warnings
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier

from pipeline import artefacts, contract, metrics
from pipeline.models import baselines
from pipeline.predictor import Predictor
from pipeline.stages import ingest
from pipeline.workspace import Workspace


def table(workspace: Workspace, model: Path) -> str:
    """A Markdown table: AUC of each model on each incoming month."""
    agreed, settings = contract.load(workspace.contract_file), workspace.section(ingest.IngestSettings)
    predictor = Predictor.load(model)
    encoded = artefacts.read_tensors(workspace.normalized / "train.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = baselines.fit(encoded, encoded["label"], "classes", workspace.seed)
    raw = RawTrees(pl.read_parquet(workspace.split / "train.parquet"), agreed, workspace.seed)
    lines = [
        "| month | candidate | trees, same tensors | trees, raw columns | logistic regression |",
        "|---|---|---|---|---|",
    ]
    for path in sorted(workspace.incoming.glob("*.gz")):
        rows = ingest.read(path, path.name, settings, agreed).typed.filter(pl.col(agreed.label.name).is_not_null())
        y = predictor.preprocessor.target.encode(rows)
        inputs = baselines.inputs(predictor.preprocessor.encode(rows).tensors())
        answers = [
            predictor.answers(rows),
            fitted["hist_gradient_boosting"].predict_proba(inputs),
            raw.predict(rows),
            fitted["logistic_regression"].predict_proba(inputs),
        ]
        lines.append(f"| {path.name[:7]} | " + " | ".join(f"{auc(y, p):.4f}" for p in answers) + " |")
    return "\n".join(lines)


class RawTrees:
    """HistGradientBoosting on the contract's features as they are: numbers, and one code a category."""

    def __init__(self, train: pl.DataFrame, agreed: contract.Contract, seed: int) -> None:
        features = [column for column in agreed.features if column.modality != "timestamp"]
        self.numeric = [column.name for column in features if column.modality == "numeric"]
        self.categorical = [column.name for column in features if column.modality == "categorical"]
        self.codes = {name: sorted(train[name].drop_nulls().unique().to_list())[:254] for name in self.categorical}
        places = list(range(len(self.numeric), len(features)))
        self.model = HistGradientBoostingClassifier(categorical_features=places, random_state=seed)
        self.model.fit(self.inputs(train), train[agreed.label.name].to_numpy())

    def inputs(self, rows: pl.DataFrame) -> np.ndarray:
        numbers = rows.select(pl.col(self.numeric).cast(pl.Float64))
        codes = [
            rows[name].replace_strict({v: i for i, v in enumerate(known)}, default=None, return_dtype=pl.Float64)
            for name, known in self.codes.items()
        ]
        return np.column_stack([numbers.to_numpy(), *codes])

    def predict(self, rows: pl.DataFrame) -> np.ndarray:
        answers: np.ndarray = self.model.predict_proba(self.inputs(rows))
        return answers


def auc(y_N: np.ndarray | None, p_NK: np.ndarray) -> float:
    assert y_N is not None
    return metrics.OF["classes"].main_score(y_N, p_NK)

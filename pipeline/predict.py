"""Typed rows → answers: a model's preprocessor and network together, verified by their hashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.errors import WorkspaceError
from pipeline.features.preprocessor import Preprocessor
from pipeline.models import saved
from pipeline.models.saved import Manifest
from pipeline.repairs import Plan

PREDICTION = "prediction"


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A model ready to answer; `repairs`: the rules that rows must have been repaired by before it is asked."""

    folder: Path
    preprocessor: Preprocessor
    manifest: Manifest
    repairs: Plan

    @classmethod
    def load(cls, folder: Path) -> "Predictor":
        """Open the model in `folder`; raises WorkspaceError when it is absent or was altered."""
        manifest = saved.verify(folder)
        repairs = Plan.read(folder / saved.REPAIRS)
        return cls(folder=folder, preprocessor=Preprocessor.read(folder), manifest=manifest, repairs=repairs)

    def probabilities(self, rows: pl.DataFrame) -> np.ndarray:
        """(N,) typed rows → (N, K) float64 probabilities, one column a class, in the order of the rows.

        Raises WorkspaceError when the rows lack a column that the model reads, or have it as another type.
        """
        from pipeline.models.network import probabilities, tensors

        try:
            encoded = self.preprocessor.encode(rows)
        except pl.exceptions.PolarsError as error:
            raise WorkspaceError(
                f"the model reads {', '.join(self.preprocessor.columns)}, which the contract says otherwise by now: "
                f"{str(error).splitlines()[0]}",
                where=str(self.folder),
                fix="mend the contract; or begin anew: set models/champion.json and models/registry aside",
            ) from error
        answers: np.ndarray = probabilities(saved.load(self.folder), tensors(encoded.inputs)).numpy()
        return answers


def aligned(p_NK: np.ndarray, classes: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """(N, K) probabilities of `classes` → of `wanted`: 0 for a class that the model never knew.

    What it gave to classes that nobody asks for is shared out; where that was all, every class gets the same.

    >>> aligned(np.array([[0.25, 0.5, 0.25]]), ["a", "b", "c"], ["b", "c", "d"]).round(2).tolist()
    [[0.67, 0.33, 0.0]]
    """
    if list(classes) == list(wanted):
        return p_NK
    places = {name: place for place, name in enumerate(classes)}
    none_N = np.zeros(len(p_NK))
    known_NK = np.stack([p_NK[:, places[name]] if name in places else none_N for name in wanted], axis=1)
    total_N1 = known_NK.sum(axis=1, keepdims=True)
    return np.divide(known_NK, total_N1, out=np.full_like(known_NK, 1 / len(wanted)), where=total_N1 > 0)


def prediction_frame(p_NK: np.ndarray) -> pl.LazyFrame:
    """The probability of the last class, as the one column whose drift is watched."""
    return pl.LazyFrame({PREDICTION: p_NK[:, -1]})

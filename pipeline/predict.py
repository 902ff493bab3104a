"""Typed rows → answers: a model's preprocessor and network together, verified by their hashes."""

import logging
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
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A model ready to answer; `repairs`: the rules that rows must have been repaired by before it is asked.

    `base`: the folder that paths in the rows' columns of pictures and sounds start from.
    """

    folder: Path
    preprocessor: Preprocessor
    manifest: Manifest
    repairs: Plan
    base: Path | None = None

    @classmethod
    def load(cls, folder: Path, base: Path | None = None) -> "Predictor":
        """Open the model in `folder`; raises WorkspaceError when it is absent or was altered."""
        manifest = saved.verify(folder)
        repairs = Plan.read(folder / saved.REPAIRS)
        known = Preprocessor.read(folder)
        return cls(folder=folder, preprocessor=known, manifest=manifest, repairs=repairs, base=base)

    def answers(self, rows: pl.DataFrame) -> np.ndarray:
        """(N,) typed rows → (N, K) float64: a probability each class, or the value of a quantity, in the rows' order.

        A row whose file cannot be read gets NaN, and the log says so. Raises WorkspaceError when the rows lack a column
        that the model reads, or have it as another type.
        """
        from pipeline.models import network

        try:
            encoded = self.preprocessor.encode(rows, self.base)
        except pl.exceptions.PolarsError as error:
            raise WorkspaceError(
                f"the model reads {', '.join(self.preprocessor.columns)}, which the contract says otherwise by now: "
                f"{str(error).splitlines()[0]}",
                where=str(self.folder),
                fix="mend the contract; or begin anew: set models/champion.json and models/registry aside",
            ) from error
        a_NK = network.answers(saved.load(self.folder), network.tensors(encoded.inputs), self.preprocessor.target)
        if encoded.unread:
            first = next(iter(encoded.unread.values()))
            log.warning("no answer for %d of %d rows: %s", len(encoded.unread), rows.height, first)
        a_NK[list(encoded.unread)] = np.nan
        return a_NK


def aligned(p_NK: np.ndarray, classes: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """(N, K) probabilities of `classes` → of `wanted`: 0 for a class that the model never knew; a quantity stays.

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
    return np.divide(known_NK, total_N1, out=np.full_like(known_NK, 1 / len(wanted)), where=total_N1 != 0)


def prediction_frame(a_NK: np.ndarray) -> pl.LazyFrame:
    """The probability of the last class, or the value of a quantity, as the one column whose drift is watched."""
    return pl.LazyFrame({PREDICTION: a_NK[:, -1]})

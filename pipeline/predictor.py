"""Typed rows → answers: a model's preprocessor and network together, verified by their hashes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.errors import WorkspaceError
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import MEDIAN, Quantiles, Quantity, Tags, Target
from pipeline.models import saved
from pipeline.models.saved import Manifest
from pipeline.quality.repairs import Plan

PREDICTION = "prediction"
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A model ready to answer; `repairs`: the rules that rows must have been repaired by before it is asked.

    `base`: the folder that paths in the rows' columns of pictures and sounds start from. `past`: rows that rows of
    series may look back at.
    """

    folder: Path
    preprocessor: Preprocessor
    manifest: Manifest
    repairs: Plan
    base: Path | None = None
    past: pl.DataFrame | None = None

    @classmethod
    def load(cls, folder: Path, base: Path | None = None) -> "Predictor":
        """Open the model in `folder`; raises WorkspaceError when it is absent or was altered."""
        manifest = saved.verify(folder)
        repairs = Plan.read(folder / saved.REPAIRS)
        known = Preprocessor.read(folder)
        return cls(folder=folder, preprocessor=known, manifest=manifest, repairs=repairs, base=base)

    def answers(self, rows: pl.DataFrame) -> np.ndarray:
        """(N,) typed rows → (N, K) float64 in their order: probabilities of classes or tags, a value, or quantiles.

        A row whose file cannot be read gets NaN, and the log says so. Raises WorkspaceError when the rows lack a column
        that the model reads, or have it as another type.
        """
        a_NK, unread = self.told(rows)
        if unread:
            log.warning("no answer for %d of %d rows: %s", len(unread), rows.height, next(iter(unread.values())))
        return a_NK

    def told(self, rows: pl.DataFrame) -> tuple[np.ndarray, dict[int, str]]:
        """The same without a word, and of each row whose file cannot be read what is wrong with it."""
        from pipeline.models import network

        try:
            encoded = self.preprocessor.encode(rows, self.base, self.past)
        except pl.exceptions.PolarsError as error:
            raise WorkspaceError(
                f"the model reads {', '.join(self.preprocessor.columns)}, which the contract says otherwise by now: "
                f"{str(error).splitlines()[0]}",
                where=str(self.folder),
                fix="mend the contract; or begin anew: set models/champion.json and models/registry aside",
            ) from error
        a_NK = network.answers(saved.load(self.folder), network.tensors(encoded.inputs), self.preprocessor.target)
        a_NK[list(encoded.unread)] = np.nan
        return a_NK, encoded.unread


def comparable(a_NK: np.ndarray, known: Target, wanted: Target) -> np.ndarray:
    """(N, K) what a model answers that tells `known` → as answers of `wanted`, so that both can be scored on one truth.

    Tags that the model never knew get 0. Between the quantiles that it tells others are on a line, beyond them they are
    the outermost; a quantity is its own median.

    >>> narrow, wide = (Quantiles(column="y", center=0, scale=1, quantiles=q) for q in ([0.25, 0.5], [0.1, 0.375, 0.5]))
    >>> comparable(np.array([[1.0, 2.0]]), narrow, wide).tolist()
    [[1.0, 1.5, 2.0]]
    """
    if isinstance(wanted, Quantiles | Quantity):
        have = known.quantiles if isinstance(known, Quantiles) else [MEDIAN]
        asked = wanted.quantiles if isinstance(wanted, Quantiles) else [MEDIAN]
        return a_NK if have == asked else np.stack([np.interp(asked, have, a_K) for a_K in a_NK])
    if isinstance(wanted, Tags) and isinstance(known, Tags):
        places = {name: place for place, name in enumerate(known.classes)}
        none_N = np.zeros(len(a_NK))
        return np.stack([a_NK[:, places[tag]] if tag in places else none_N for tag in wanted.classes], axis=1)
    return aligned(a_NK, getattr(known, "classes", ()), getattr(wanted, "classes", ()))


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
    return np.divide(known_NK, total_N1, out=np.full_like(known_NK, 1 / len(wanted)), where=total_N1 != 0)


def prediction_frame(a_NK: np.ndarray, target: Target) -> pl.LazyFrame:
    """The one number of each answer whose drift is watched, as a column."""
    return pl.LazyFrame({PREDICTION: target.watched(a_NK)})

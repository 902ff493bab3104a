"""Typed rows → answers: a model's preprocessor and network together, verified by their hashes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.features.preprocessor import Preprocessor
from pipeline.models import saved
from pipeline.models.saved import Manifest

PREDICTION = "prediction"


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A model ready to answer."""

    folder: Path
    preprocessor: Preprocessor
    manifest: Manifest

    @classmethod
    def load(cls, folder: Path) -> "Predictor":
        """Open the model in `folder`; raises WorkspaceError when it is absent or was altered."""
        manifest = saved.verify(folder)
        return cls(folder=folder, preprocessor=Preprocessor.read(folder), manifest=manifest)

    def probabilities(self, rows: pl.DataFrame) -> np.ndarray:
        """(N,) typed rows → (N, K) float64 probabilities, one column a class, in the order of the rows."""
        import torch

        from pipeline.models.mlp import probabilities

        encoded = self.preprocessor.encode(rows)
        network = saved.load(self.folder)
        answers: np.ndarray = probabilities(
            network, torch.from_numpy(encoded.dense_ND), torch.from_numpy(encoded.codes_NC)
        ).numpy()
        return answers


def prediction_frame(p_NK: np.ndarray) -> pl.LazyFrame:
    """The probability of the last class, as the one column whose drift is watched."""
    return pl.LazyFrame({PREDICTION: p_NK[:, -1]})

"""What there is to be said something of: a model, the rows it was asked about, the truth and every model's answers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from pipeline.contract import Contract
from pipeline.features.target import Target
from pipeline.predictor import Predictor

Split: TypeAlias = Literal["train", "val", "test"]
CANDIDATE = "candidate"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A candidate on its three splits, beside the baselines and the champion.

    `rows`: typed rows, `truth`: (N,) or (N, K) as `Target.truth` has it, `answers`: (N, K) by model, each of a split in
    the same order; of a forecast the rows are those that were forecast from. `past`: what rows of series look back at.
    `thresholds` were chosen on val, by model. `w_RN` (1 + R, N): how often each row of test is drawn in each resample.
    """

    model: Predictor
    contract: Contract
    rows: Mapping[Split, pl.DataFrame]
    past: Mapping[Split, pl.DataFrame | None]
    truth: Mapping[Split, np.ndarray]
    answers: Mapping[Split, Mapping[str, np.ndarray]]
    thresholds: Mapping[str, float]
    w_RN: np.ndarray
    seed: int

    @property
    def target(self) -> Target:
        """What the candidate tells."""
        return self.model.preprocessor.target

    def own(self, split: Split) -> np.ndarray:
        """(N, K) the candidate's answers on a split."""
        return self.answers[split][CANDIDATE]

    def predictor(self, split: Split) -> Predictor:
        """The candidate, which may be asked anew about rows of this split."""
        return replace(self.model, past=self.past[split])

    @cached_property
    def features(self) -> list[str]:
        """The columns that the candidate reads, in the order of the contract."""
        read = set(self.model.preprocessor.columns)
        return [column.name for column in self.contract.columns if column.name in read]

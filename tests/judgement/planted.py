"""A case whose model does what a formula says, on rows of three columns, so that what it does is known."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from pipeline import metrics
from pipeline.contract import Contract
from pipeline.features import Encoder
from pipeline.features.categorical import CategoricalEncoder, CategoricalSettings
from pipeline.features.numeric import NumericEncoder, NumericSettings
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Classes, Quantity, Target
from pipeline.judgement.case import Case, Split
from pipeline.judgement.probe import Probe
from pipeline.models import saved
from pipeline.predictor import Predictor

ROWS = 300
YES_NO = Classes(column="y", classes=["no", "yes"])
NUMBER = Quantity(column="told", center=0.0, scale=1.0)  # the truth is the size
Formula = Callable[[Tensor, Tensor, Tensor], Tensor]


class Formulated(nn.Module):
    """A network whose one number a row is a formula of `size`, `weight` (both scaled) and the code of `shop`."""

    def __init__(self, formula: Formula, outputs: int) -> None:
        super().__init__()
        self.formula, self.outputs, self.rows_at_once = formula, outputs, 1000
        self.register_buffer("prior_K", torch.zeros(outputs))
        self.register_buffer("focal_gamma", torch.zeros(()))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        dense, codes = inputs["dense"], inputs["codes"]
        told_B = self.formula(dense[:, 0], dense[:, 1], codes[:, 0])
        both_BK = torch.stack([torch.zeros_like(told_B), told_B], dim=1) if self.outputs == 2 else told_B[:, None]
        return both_BK[:, None, :]


def rows() -> pl.DataFrame:
    """`size` and `weight` are normal, `shop` is one of three, and `y` says whether both numbers add up above 0."""
    random = np.random.default_rng(0)
    size, weight = random.normal(size=(2, ROWS))
    shop = random.choice(["north", "south", "mill"], ROWS)
    return pl.DataFrame({"size": size, "weight": weight, "shop": shop, "y": np.where(size + weight > 0, "yes", "no")})


def preprocessor(target: Target) -> Preprocessor:
    """Both numbers as they are, but for their spread, and the shop as a code."""
    known = rows().lazy()
    numbers = [NumericEncoder.fit(name, known, NumericSettings()) for name in ("size", "weight")]
    shop = CategoricalEncoder.fit("shop", known, CategoricalSettings(minimum_count=1))
    return Preprocessor(encoders=cast(tuple[Encoder, ...], (*numbers, shop)), target=target)


def planted(monkeypatch: pytest.MonkeyPatch, formula: Formula, target: Target = YES_NO, **thresholds: float) -> Case:
    """The case of a model that does what the formula says: of classes it gives the logit of `yes`."""
    network = Formulated(formula, target.outputs)
    monkeypatch.setattr(saved, "load", lambda folder: network)
    model = SimpleNamespace(preprocessor=preprocessor(target), folder=Path("nowhere"), base=None)
    table = rows()
    truth = table["size"].to_numpy() if isinstance(target, Quantity) else (table["y"] == "yes").to_numpy().astype(int)
    told = {"candidate": Probe.of(cast(Predictor, model), table).answers()}
    splits: tuple[Split, ...] = ("train", "val", "test")
    return Case(
        model=cast(Predictor, model),
        contract=cast(Contract, None),
        rows=dict.fromkeys(splits, table),
        past={},
        truth=dict.fromkeys(splits, truth),
        answers=dict.fromkeys(splits, told),
        thresholds=thresholds,
        w_RN=metrics.resamples(len(table), seed=0),
        seed=0,
    )

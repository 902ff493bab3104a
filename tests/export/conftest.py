"""Networks that learnt nothing, over made-up rows with every kind of column: what they answer can be exported."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.export import rows
from pipeline.export.bundle import Export
from pipeline.export.rows import Teller
from pipeline.features import registered
from pipeline.features.categorical import CategoricalSettings
from pipeline.features.numeric import NumericSettings
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.set import SetSettings
from pipeline.features.target import Classes, Ordinal, Quantiles, Quantity, Tags, Target
from pipeline.features.timestamp import TimestampSettings
from pipeline.models.choices.training import TrainSettings
from pipeline.models.network import Network
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.train import shape

ROWS = 60
SEED = 3
SMALL: dict[str, Any] = {
    "linear": {"embedding": "none"},
    "mlp": {"hidden": [8]},
    "resnet": {"width": 8, "embedding": {"kind": "periodic", "width": 4}},
    "ft_transformer": {"width": 8, "heads": 2, "blocks": 2},
    "tabm": {"members": 3, "width": 8},
}
COMMON = CategoricalSettings(minimum_count=2)
Make = Callable[..., Export]


def table() -> pl.DataFrame:
    """One row = one sale; numbers, categories and moments are missing here and there."""
    random = np.random.default_rng(SEED)
    numbers = random.gamma(2.0, 10.0, ROWS)
    started = datetime(2023, 1, 30, 5, 59, 59)
    frame = pl.DataFrame(
        {
            "price": numbers,
            "answer": random.normal(1e6, 10.0, ROWS),  # as the export's own output is called
            "same": np.full(ROWS, 4.0),
            "count": random.integers(-5, 5, ROWS),
            "shop": random.choice(["north", "sø uth", "harbour", "rare one"], ROWS, p=[0.5, 0.3, 0.15, 0.05]),
            "level": random.integers(1, 4, ROWS),
            "open": random.random(ROWS) < 0.5,
            "sold": [started + timedelta(hours=float(h)) for h in random.uniform(0, 24 * 800, ROWS)],
            "marks": random.choice(["a;b", "a", "", "b; c"], ROWS),
            "tagged": random.choice(["a;b", "a", "", "b; c"], ROWS),
            "class": random.choice(["no", "yes"], ROWS),
            "speed": random.choice(["slow", "usual", "fast"], ROWS),
            "amount": 1e4 + 3.0 * numbers,
        }
    )
    holes = {"price": 7, "shop": 5, "open": 11, "level": 13, "sold": 17, "marks": 19}
    places = pl.int_range(pl.len())
    return frame.with_columns(
        pl.when(places % step != 1).then(pl.col(name)).alias(name) for name, step in holes.items()
    )


def target_of(kind: str, rows_: pl.LazyFrame) -> Target:
    """The label of that kind, as a training leaves it."""
    match kind:
        case "classes":
            return Classes.fit("class", rows_).model_copy(update={"temperature": 1.7})
        case "three":
            return Classes.fit("speed", rows_)
        case "ordinal":
            return Ordinal.fit("speed", rows_, order=("slow", "usual", "fast"))
        case "tags":
            return Tags(column="tagged", written=";", classes=["a", "b"], rare=[], temperature=0.6)
        case "quantiles":
            told = Quantiles.of(Quantity.fit("amount", rows_), [0.1, 0.5, 0.9])
            return told.model_copy(update={"stretch": [1.5, 1.0, 2.0]})
        case _:
            return Quantity.fit("amount", rows_)


def fitted(kind: str) -> Preprocessor:
    """An encoder of each kind that reads a column by itself."""
    known, made = table().lazy(), registered()
    methods = {"price": "quantile", "answer": "robust", "same": "quantile", "count": "minmax"}
    numeric = NumericSettings.model_validate({"columns": methods})
    return Preprocessor(
        encoders=(
            *(made["numeric"].fit(name, known, numeric) for name in methods),
            *(made["categorical"].fit(name, known, COMMON) for name in ("shop", "level", "open")),
            made["timestamp"].fit("sold", known, TimestampSettings()),
            made["set"].fit("marks", known, SetSettings(minimum_count=2)),
        ),
        target=target_of(kind, known),
    )


def teller(known: Preprocessor, typed: pl.DataFrame, backbone: str, **settings: Any) -> Teller:
    """A network for it, all of whose weights are drawn."""
    tensors = known.encode(typed).inputs
    chosen = TrainSettings.model_validate({"model": backbone, backbone: SMALL[backbone], **settings})
    torch.manual_seed(SEED)
    network = Network(shape(known, chosen, tensors)).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return Teller(fitted=known, network=network)


@pytest.fixture
def export_of(tmp_path: Path) -> Make:
    """An export of a network of that backbone, for a label of that kind."""

    def made(backbone: str = "mlp", kind: str = "classes", tolerance: float = 1e-4) -> Export:
        known, typed = fitted(kind), table()
        tells = teller(known, typed, backbone)
        asked = rows.asked(tells, typed, known.encode(typed), IngestSettings(derive={"level": "1 + 1"}))
        return Export(
            name="v1", folder=tmp_path, teller=tells, threshold=0.4, asked=asked, nothing=["NA", ""], seed=SEED,
            tolerance=tolerance,
        )  # fmt: skip

    return made

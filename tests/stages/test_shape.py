"""The network that the train stage builds: bins of numbers from train alone, and the backbone that is set or suits."""

from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import torch

from pipeline import progress
from pipeline.features import Encoder
from pipeline.features.categorical import CategoricalEncoder, CategoricalSettings
from pipeline.features.numeric import NumericEncoder, NumericSettings
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Classes
from pipeline.features.timestamp import TimestampEncoder
from pipeline.models.network import Network, NetworkShape
from pipeline.stages import train
from pipeline.stages.train import TrainSettings

ROWS = pl.DataFrame(
    {
        "amount": [float(place) for place in range(199)] + [None],
        "flag": [float(place % 2) for place in range(200)],
        "kind": ["a", "b"] * 100,
        "label": ["no", "yes"] * 100,
    }
)


def fitted() -> Preprocessor:
    rows = ROWS.lazy()
    encoders = cast(
        tuple[Encoder, ...],
        (
            NumericEncoder.fit("amount", rows, NumericSettings()),
            NumericEncoder.fit("flag", rows, NumericSettings()),
            CategoricalEncoder.fit("kind", rows, CategoricalSettings()),
        ),
    )
    return Preprocessor(encoders=encoders, target=Classes.fit("label", rows))


def shape(**settings: object) -> NetworkShape:
    chosen = TrainSettings.model_validate({"accelerator": "cpu", **settings})
    return train.shape(fitted(), chosen, fitted().encode(ROWS).tensors())


def test_a_number_has_the_quantiles_of_its_training_rows_and_all_else_goes_in_plainly() -> None:
    made = shape(model="tabm", tabm={"embedding": {"kind": "piecewise_linear", "bins": 2}})

    amount, indicator, flag = made.table.edges
    dense_N = fitted().encode(ROWS).inputs["dense"][:, 0]
    assert amount == np.quantile(dense_N, [0.0, 0.5, 1.0]).astype(np.float32).tolist()
    assert indicator == flag == []


def test_waves_of_a_time_are_no_numbers() -> None:
    times = pl.DataFrame({"at": pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2020, 2, 1), "1h", eager=True)})
    encoder: Any = TimestampEncoder.fit("at", times.lazy(), TimestampEncoder.settings())  # type: ignore[arg-type]

    assert Preprocessor(encoders=(encoder,), target=fitted().target).numbers == [False] * len(encoder.outputs)


@pytest.mark.parametrize("model", ["linear", "mlp", "resnet", "ft_transformer", "tabm"])
def test_every_backbone_can_be_set_and_answers_what_train_encodes(model: str) -> None:
    made = shape(model=model)
    inputs = {name: torch.from_numpy(array) for name, array in fitted().encode(ROWS).inputs.items()}

    outputs_NMK = Network(NetworkShape.model_validate_json(made.model_dump_json()))(inputs)

    assert made.backbone == model
    assert outputs_NMK.shape[::2] == (200, 2)


def test_auto_takes_what_suits_and_says_why() -> None:
    told: list[str] = []
    with progress.listening(lambda _, words: told.append(words)):
        made = shape(model="auto")

    assert made.backbone == "linear"
    assert told == [made.why]
    assert "200 rows, 3 columns, 2 outputs" in made.why

"""What is told of how a training goes, as people set it."""

from typing import Literal, TypeAlias

from pydantic import Field

from pipeline.models.choices import Choice

SymptomName: TypeAlias = Literal[
    "diverged",
    "exploding_gradients",
    "vanishing_gradients",
    "dead_units",
    "saturated_units",
    "tiny_updates",
    "loss_spikes",
    "plateau",
    "underfit",
    "overfit",
    "few_rows",
    "small_val",
]


class HealthSettings(Choice):
    """What is told of a training's health, `train.health`; nothing of it changes a weight.

    All of it is measured once an epoch. Thresholds were held against healthy trainings: benchmarks/RESULTS.md.
    """

    ignored: list[SymptomName] = Field(default_factory=list, description="what is not told")
    dead_share: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="dead_units: from which share of a layer's ReLU, GELU or SiLU units on that answer no row of val",
    )
    saturated_share: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="saturated_units: from which share of a layer's sigmoid or tanh values on that lie within 1% of "
        "an end, where the slope is next to nothing (Glorot & Bengio 2010)",
    )
    spike_score: float = Field(
        default=8.0,
        gt=0,
        description="loss_spikes: how many deviations (1.48 MAD) the median loss of 5 steps is above the 32 before",
    )
    plateau_epochs: int | None = Field(
        default=None,
        ge=2,
        description="plateau: for how many epochs val gains less than its noise; null: three times `patience`",
    )

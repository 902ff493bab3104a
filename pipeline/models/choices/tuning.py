"""How settings are searched, as people set it: the section `tune` of params.yaml."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipeline.models.choices import Choice
from pipeline.models.choices.auto import BackboneName
from pipeline.workspace import Section

SPACE = (
    "bounds of settings of `train`, by their key without `train.`; they replace those that the search has of itself, "
    "or add a setting to it: `{low: 0.0001, high: 0.01, log: true}`, or a list of values; `off`: it stays as it is"
)


class Bounds(Choice):
    """Between which values a setting is searched, or among which."""

    low: float | None = Field(default=None, description="the lowest value")
    high: float | None = Field(default=None, description="the highest value")
    log: bool = Field(default=False, description="whether a tenth is as far from 1 as ten is")
    values: list[Any] | None = Field(default=None, min_length=1, description="the values, instead of low and high")

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return {"values": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.values is None) is (self.low is None or self.high is None):
            raise ValueError("must have low and high, or be a list of values")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low must be under high, got {self.low:g} and {self.high:g}")
        if self.log and (self.low or 0.0) <= 0:
            raise ValueError("log needs a low above 0")
        return self


class TuneSettings(Section):
    """How `keepfit tune` searches for better settings of `train`.

    What it searches by itself: learning rate, weight decay and batch size; of the backbone, and of what reads texts,
    pictures, sounds and series, the dropouts, width and depth. The first trial is of the settings as they are.
    """

    key: ClassVar[str] = "tune"
    trials: int = Field(default=30, ge=1, description="how many trials, with those of an earlier run")
    minutes: float | None = Field(default=None, gt=0, description="after so many no trial goes on; null: no limit")
    epochs: int | None = Field(default=None, ge=1, description="at most so many in a trial; null: as `train`")
    pruning: Literal["median", "hyperband", "none"] = Field(
        default="median",
        description="which trials end early. median: those under the median of others after as many epochs; hyperband: "
        "by rungs, a third goes on (Li et al. 2018)",
    )
    backbones: list[BackboneName] | None = Field(
        default=None, min_length=1, description="which are tried; null: the one that is in use"
    )
    space: dict[str, Bounds | Literal["off"]] = Field(default_factory=dict, description=SPACE)

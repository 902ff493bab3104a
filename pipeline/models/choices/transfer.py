"""From which weights a training starts, as people set it, and what became of that."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import Field

from pipeline.artefacts import Record
from pipeline.wording import count, listed

Freeze: TypeAlias = Literal["none", "encoders", "backbone"]

INIT_FROM = (
    "a version of the registry, such as v3, or `champion`: training starts from its weights, as far as columns, "
    "categories and layers are the same; what is new starts fresh; null: all does. After `champion`, write "
    "`- models/champion.json` under the deps of train in dvc.yaml"
)
FREEZE = (
    "what stays of the weights that were taken. encoders: those that read a column (embeddings of numbers and "
    "categories, encoders of texts, pictures, sounds); backbone: these and all layers but the last"
)
SEEN = "{} may have learnt from rows that are val or test now, so that scores there are too good"
TAKEN_RATE = (
    "the learning rate of parameters that were taken, as a share of that of fresh ones (Howard & Ruder 2018 divide it "
    "by 2.6 a layer)"
)


class Start(Record):
    """What a training started from: of `weights` values `taken` are the model's, of which `frozen` stay.

    `fresh` and `left`: the weights of the new network, and of the old one, without a counterpart: name → values;
    `new`: columns and categories that the old model did not know; `seen`: whether it may have learnt from rows that are
    val or test now, as it may where the split is random and the data are others.
    """

    model: str
    sha256: str
    taken: int = Field(ge=1)
    weights: int
    frozen: int
    fresh: dict[str, int]
    left: dict[str, int]
    new: list[str]
    seen: bool = False

    @property
    def words(self) -> str:
        """In one line."""
        said = f"starts from {self.model} ({self.sha256[:12]}): {self.taken:,} of {self.weights:,} weights are taken"
        frozen = f", {self.frozen:,} of them stay" if self.frozen else ""
        fresh = f"; fresh: {listed(_sized(self.fresh))}" if self.fresh else ""
        left = f"; left: {listed(_sized(self.left))}" if self.left else ""
        new = f"; new: {listed(self.new)}" if self.new else ""
        return said + frozen + fresh + left + new + (f"; {SEEN.format(self.model)}" if self.seen else "")


def _sized(weights: Mapping[str, int]) -> list[str]:
    return [f"{name} ({count(values, 'value')})" for name, values in weights.items()]

"""Features: one file a modality, each a column → tensor encoder. A new file here with `ENCODERS` is found by itself."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
import polars as pl
from pydantic import BaseModel

from pipeline.contract import Modality

ENCODING_MODULES = "ENCODERS"
Block = Literal["dense", "codes", "own"]


class Encoder(Protocol):
    """What was learnt of one column on the training rows alone, as JSON, with one verb.

    `block`: whether it gives dense values, which stand beside those of other columns, codes, or a tensor of its own,
    which an encoder of the network of the same modality reads (`pipeline.models.encoders`).
    """

    kind: ClassVar[Modality]
    block: ClassVar[Block]
    settings: ClassVar[type[BaseModel]]
    column: str

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, settings: BaseModel) -> Self:
        """Learn from the training rows."""
        ...

    @property
    def cardinality(self) -> int:
        """How many codes there are; 0 for an encoder that gives none."""
        ...

    @property
    def outputs(self) -> list[str]:
        """The names of the dense values, in order; the column's own name for all else."""
        ...

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) values → (N, len(outputs)) float32, (N,) int64 codes, or (N, ...) of its own."""
        ...


class OwnEncoder(Encoder, Protocol):
    """An encoder whose tensor is its own."""

    def network(self, settings: BaseModel) -> dict[str, Any]:
        """What its encoder in the network is built from, as JSON; `settings` are those of `train`."""
        ...


@cache
def registered() -> Mapping[str, type[Encoder]]:
    """Every encoder by its modality."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [encoder for module in modules for encoder in getattr(module, ENCODING_MODULES, ())]
    return {encoder.kind: encoder for encoder in found}

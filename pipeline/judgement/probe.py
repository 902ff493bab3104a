"""A model opened for many questions about the same rows: only a column that is changed is encoded anew.

Shapes: N rows, K answers a row. A block is what one column's encoder makes of it: (N, some) dense values, (N,) codes,
or (N, ...) of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from pipeline.features import DenseEncoder, Encoder
from pipeline.features.preprocessor import Preprocessor
from pipeline.predictor import Predictor

if TYPE_CHECKING:
    from pipeline.models.network import Network

ANSWERS, FEWEST_ROWS = 200_000, 100  # in all; and of how many rows at least
WINDOWS = "@windows"  # in the place of a column's name: what rows of series look back over
OWN_ROWS = 256  # asked about at most where a column has an encoder of its own: such an answer costs a hundred others


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Rows, their tensors, and the network. Of series, whose rows are part of each other's, windows are a block too."""

    fitted: Preprocessor
    network: "Network"
    rows: pl.DataFrame
    inputs: Mapping[str, Any]
    base: Path | None = None

    @classmethod
    def of(cls, model: Predictor, rows: pl.DataFrame) -> "Probe":
        """Open the model, and encode the rows."""
        from pipeline.models import saved

        inputs = model.preprocessor.encode(rows, model.base).inputs
        opened = saved.load(model.folder)
        return cls(fitted=model.preprocessor, network=opened, rows=rows, inputs=inputs, base=model.base)

    @classmethod
    def of_series(cls, model: Predictor, rows: pl.DataFrame, chosen: np.ndarray) -> "Probe":
        """Some of the rows, whose windows look at all of them and at the model's past."""
        from pipeline.models import saved

        encoded = model.preprocessor.encode(rows, model.base, model.past).inputs
        inputs = {name: np.asarray(tensor[chosen]) for name, tensor in encoded.items()}
        opened = saved.load(model.folder)
        return cls(fitted=model.preprocessor, network=opened, rows=rows[chosen], inputs=inputs, base=model.base)

    @property
    def columns(self) -> list[str]:
        """The columns that the model reads."""
        return [*self.encoders]

    @cached_property
    def encoders(self) -> dict[str, Encoder]:
        """Of each column what encodes it."""
        return {encoder.column: encoder for encoder in self.fitted.encoders}

    def answers(self, blocks: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """(N, K) what the model answers of the rows, with these columns' blocks in place of their own."""
        return self.asked(self.replaced(blocks or {}))

    def asked(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """(N, K) what the model answers of rows that are encoded already."""
        from pipeline.models import network

        return network.answers(self.network, network.tensors(inputs), self.fitted.target)

    def asked_of(self, rows: pl.DataFrame) -> np.ndarray:
        """(N, K) what the model answers of other rows."""
        return self.asked(self.fitted.encode(rows, self.base).inputs)

    def encoded(self, column: str, values: pl.Series) -> np.ndarray:
        """The block of a column with these values."""
        return self.encoders[column].encode(values.alias(column))

    def block(self, column: str) -> np.ndarray:
        """The block of a column as it is."""
        name, place = self._places[column]
        found: np.ndarray = self.inputs[name][place]
        return found

    def replaced(self, blocks: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The inputs with these columns' blocks in place of their own."""
        inputs = dict(self.inputs)
        for column, block in blocks.items():
            name, place = self._places[column]
            if inputs[name] is self.inputs[name]:
                inputs[name] = inputs[name].copy()
            inputs[name][place] = block
        return inputs

    def gathered(self, places: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The inputs of M other rows, whose cells are those of these rows: (M,) places of each column."""
        first = next(iter(places.values()))
        inputs = {name: np.empty((len(first), *tensor.shape[1:]), tensor.dtype) for name, tensor in self.inputs.items()}
        for column, place_M in places.items():
            name, where = self._places[column]
            inputs[name][where] = self.block(column)[place_M]
        return inputs

    @cached_property
    def _places(self) -> dict[str, tuple[str, Any]]:
        """Of each column the tensor that its block is in, and where."""
        found: dict[str, tuple[str, Any]] = {}
        values = codes = 0
        for encoder in self.fitted.encoders:
            if encoder.block == "dense":
                width = len(cast(DenseEncoder, encoder).outputs)
                found[encoder.column] = ("dense", (slice(None), slice(values, values + width)))
                values += width
            elif encoder.block == "codes":
                found[encoder.column] = ("codes", (slice(None), codes))
                codes += 1
            else:
                found[encoder.column] = (f"{encoder.kind}:{encoder.column}", (slice(None),))
        if self.fitted.series is not None:
            found[WINDOWS] = (f"{self.fitted.series.kind}:{self.fitted.series.column}", (slice(None),))
        return found


def drawn(rows: int, most: int, seed: int, fitted: Preprocessor, *, questions: int = 1) -> np.ndarray:
    """(S,) the rows that are asked about, in their order, drawn without replacement.

    They are fewer where so many `questions` are asked about each, as there are of a table of many columns, or where an
    answer is dear.
    """
    wanted = min(rows, most, max(FEWEST_ROWS, ANSWERS // questions))
    wanted = min(wanted, OWN_ROWS) if fitted.own else wanted
    return np.sort(np.random.default_rng(seed).choice(rows, wanted, replace=False))

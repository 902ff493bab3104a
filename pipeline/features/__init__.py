"""Features: one file a modality, each a column → tensor encoder. A new file here with `ENCODERS` is found by itself."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
import polars as pl
from pydantic import BaseModel

from pipeline.contract import Modality
from pipeline.errors import DataError

ENCODING_MODULES = "ENCODERS"
Block = Literal["dense", "codes", "own"]
OwnKind: TypeAlias = Modality | Literal["series"]  # what has a tensor of its own
FILES: tuple[Modality, ...] = ("image", "audio", "text-file")  # the values of such a column are paths


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

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) values → (N, len(outputs)) float32, (N,) int64 codes, or (N, ...) of its own."""
        ...


class DenseEncoder(Encoder, Protocol):
    """An encoder of dense values."""

    @property
    def outputs(self) -> list[str]:
        """The names of the dense values, in order."""
        ...


class CodesEncoder(Encoder, Protocol):
    """An encoder of codes."""

    @property
    def cardinality(self) -> int:
        """How many codes there are."""
        ...

    @property
    def names(self) -> list[str]:
        """What each code stands for, with the column's name."""
        ...


class OwnEncoder(Encoder, Protocol):
    """An encoder whose tensor is its own."""

    def network(self, settings: BaseModel) -> dict[str, Any]:
        """What its encoder in the network is built from, as JSON; `settings` are those of `train`."""
        ...


class FileEncoder(OwnEncoder, Protocol):
    """An encoder of a column of paths: absolute ones, or from where the process works.

    `encode` raises DataError for a file that cannot be used.
    """

    def read_files(self, values: pl.Series) -> tuple[np.ndarray, dict[int, str]]:
        """(N,) paths → (N, ...), and what is wrong with a file, by its row, which is blank."""
        ...


@runtime_checkable
class WatchedEncoder(Protocol):
    """An encoder of values that cannot be compared themselves, but by numbers that are made of them."""

    def watched(self) -> list[pl.Expr]:
        """The numbers by which drift of the column is seen, each under a name of its own."""
        ...


def require_read(faults: Mapping[int, str], where: str) -> None:
    """Raise DataError for files that cannot be used; `faults`: the file and what is wrong, by the row that names it.

    `where`: the column, or the rows.
    """
    if faults:
        others = f", and so are {len(faults) - 1:,} other rows" if len(faults) > 1 else ""
        raise DataError(
            f"{next(iter(faults.values()))}{others}",
            where=where,
            fix="mend the files, or let the checks of unreadable files quarantine their rows",
        )


@cache
def registered() -> Mapping[str, type[Encoder]]:
    """Every encoder by its modality."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [encoder for module in modules for encoder in getattr(module, ENCODING_MODULES, ())]
    return {encoder.kind: encoder for encoder in found}

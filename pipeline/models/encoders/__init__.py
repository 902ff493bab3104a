"""Encoders that are learnt with the network: one file a modality, or for series; its tensor → a vector a row.

A new file here with `ENCODERS` is found by itself. Shapes: B rows, E values of the vector.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Protocol, Self

from torch import Tensor

from pipeline.features import OwnKind

ENCODING_MODULES = "ENCODERS"


class NetworkEncoder(Protocol):
    """A torch module for one column of a modality whose tensor is its own (text, pictures, sounds), or for series.

    One that answers by itself has `direct`: how many values, behind the vector's, are added to the network's outputs.
    """

    kind: ClassVar[OwnKind]
    width: int

    @classmethod
    def of(cls, shape: Mapping[str, Any]) -> Self:
        """The module of that shape: what the column's encoder in `pipeline.features` says (ValidationError)."""
        ...

    def __call__(self, block: Tensor) -> Tensor:
        """(B, ...) as the column's encoder makes it → (B, width)."""
        ...


@cache
def registered() -> Mapping[OwnKind, type[NetworkEncoder]]:
    """Every encoder by its modality."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [encoder for module in modules for encoder in getattr(module, ENCODING_MODULES, ())]
    return {encoder.kind: encoder for encoder in found}

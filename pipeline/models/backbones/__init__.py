"""Backbones: one file each, the features of a row → its outputs. A new file here with `BACKBONES` is found by itself.

Shapes: B rows, D dense values, C coded columns, M members of an ensemble (1 for a single network), K outputs.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Protocol, Self

from pydantic import Field
from torch import Tensor

from pipeline.artefacts import Record

BACKBONE_MODULES = "BACKBONES"


class TableShape(Record):
    """What comes in of a row and what goes out: dense values, the codes of each coded column, outputs.

    `edges`: of each dense value the edges of its bins, quantiles of the training rows; none of one that goes in as it
    is; empty when none is embedded. (`pipeline.models.embeddings.edges`)
    """

    dense: int = Field(ge=0)
    cardinalities: list[int]
    outputs: int = Field(ge=1)
    edges: list[list[float]] = Field(default_factory=list)


class Backbone(Protocol):
    """A torch module that looks at all features of a row.

    Where it makes many values of one row at once it may say how many, as `values_a_row`.
    """

    kind: ClassVar[str]

    @classmethod
    def of(cls, table: TableShape, own: Sequence[int], settings: Mapping[str, Any]) -> Self:
        """The module for that table, the widths of what other encoders give, and its settings (ValidationError)."""
        ...

    def __call__(self, dense_BD: Tensor, codes_BC: Tensor, own: Sequence[Tensor]) -> Tensor:
        """Dense values, codes, and (B, width) of each other encoder → (B, M, K) outputs."""
        ...


@cache
def registered() -> Mapping[str, type[Backbone]]:
    """Every backbone by its kind."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [backbone for module in modules for backbone in getattr(module, BACKBONE_MODULES, ())]
    return {backbone.kind: backbone for backbone in found}

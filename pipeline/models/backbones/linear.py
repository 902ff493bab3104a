"""Linear regression, or logistic regression: what a network has to beat."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from pipeline.models.backbones import TableShape
from pipeline.models.choices.backbones import LinearSettings
from pipeline.models.embeddings import Numbers, table
from pipeline.models.names import Named, Names, along, numbered


class Linear(nn.Module):
    """A weight of each dense value and of each category for each output, of one member; all begin at 0.

    >>> linear = Linear.of(TableShape(dense=2, cardinalities=[4], outputs=3), [], {})
    >>> linear(torch.zeros(5, 2), torch.zeros(5, 1, dtype=torch.int64), []).shape
    torch.Size([5, 1, 3])
    """

    kind: ClassVar[str] = "linear"

    def __init__(self, shape: TableShape, own: Sequence[int], settings: LinearSettings) -> None:
        super().__init__()
        self.numbers = Numbers(shape.dense, shape.edges, settings.embedding)
        self.of_codes = nn.ModuleList(table(size, shape.outputs, spread=0.0) for size in shape.cardinalities)
        self.weight = nn.Parameter(torch.zeros(sum(self.numbers.widths) + sum(own), shape.outputs))
        self.bias = nn.Parameter(torch.zeros(shape.outputs))
        self.own = tuple(own)

    @classmethod
    def of(cls, table: TableShape, own: Sequence[int], settings: Mapping[str, Any]) -> Self:
        return cls(table, own, LinearSettings.model_validate(settings))

    def forward(self, dense_BD: Tensor, codes_BC: Tensor, own: Sequence[Tensor]) -> Tensor:
        outputs_BK = torch.cat([self.numbers(dense_BD), *own], dim=1) @ self.weight + self.bias
        for place, weight in enumerate(self.of_codes):
            outputs_BK = outputs_BK + weight(codes_BC[:, place])
        return outputs_BK.unsqueeze(1)

    def named(self, names: Names) -> dict[str, Named]:
        """Every weight is one of a feature for an output."""
        features = [*self.numbers.outputs(names), *numbered([*names.own], self.own)]
        tables = {
            f"of_codes.{place}.weight": Named(f"of_codes.{column}.weight", (codes, names.outputs))
            for place, (column, codes) in enumerate(names.codes.items())
        }
        return {**along("weight", features, names.outputs), **along("bias", names.outputs), **tables}


BACKBONES = (Linear,)

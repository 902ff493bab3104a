"""A multilayer perceptron over dense values, embedded categories and what other encoders give.

Source of the embedding width min(16, 1.6 n^0.56): the rule of fastai's tabular learner, capped.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from pipeline.models.backbones import TableShape
from pipeline.models.choices.backbones import MlpSettings

MAXIMUM_EMBEDDING = 16
INITIAL_SPREAD = 0.05


class Mlp(nn.Module):
    """Everything side by side → hidden layers with ReLU and dropout → outputs, of one member.

    >>> mlp = Mlp.of(TableShape(dense=2, cardinalities=[4], outputs=2), [], {"hidden": [8], "dropout": 0.1})
    >>> mlp(torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64), []).shape
    torch.Size([3, 1, 2])
    """

    kind: ClassVar[str] = "mlp"

    def __init__(self, table: TableShape, own: Sequence[int], settings: MlpSettings) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(embedding(size, embedding_width(size)) for size in table.cardinalities)
        width = table.dense + sum(map(embedding_width, table.cardinalities)) + sum(own)
        layers: list[nn.Module] = []
        for hidden in settings.hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(settings.dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, table.outputs))

    @classmethod
    def of(cls, table: TableShape, own: Sequence[int], settings: Mapping[str, Any]) -> Self:
        return cls(table, own, MlpSettings.model_validate(settings))

    def forward(self, dense_BD: Tensor, codes_BC: Tensor, own: Sequence[Tensor]) -> Tensor:
        embedded = [embed(codes_BC[:, place]) for place, embed in enumerate(self.embeddings)]
        outputs_BK: Tensor = self.layers(torch.cat([dense_BD, *embedded, *own], dim=1))
        return outputs_BK.unsqueeze(1)


def embedding_width(cardinality: int) -> int:
    """How many values stand for a category of so many codes."""
    return min(MAXIMUM_EMBEDDING, round(1.6 * cardinality**0.56))


def embedding(cardinality: int, width: int) -> nn.Embedding:
    """(B,) codes → (B, width). Code 0, a category that train never had, stays at zero: it says nothing."""
    made = nn.Embedding(cardinality, width, padding_idx=0)
    nn.init.normal_(made.weight, std=INITIAL_SPREAD)
    with torch.no_grad():
        made.weight[0].zero_()
    return made


BACKBONES = (Mlp,)

"""ResNet for tables: Gorishniy et al. 2021, section 3.2 (https://arxiv.org/abs/2106.11959)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from pipeline.models.backbones import TableShape
from pipeline.models.choices.backbones import ResnetSettings
from pipeline.models.embeddings import Categories, Features, Numbers
from pipeline.models.layered import Layered
from pipeline.models.norms import BatchNorm


class Block(nn.Module):
    """(B, width) → (B, width): what goes in, and what the block adds to it."""

    def __init__(self, settings: ResnetSettings) -> None:
        super().__init__()
        inner = max(1, int(settings.width * settings.hidden_factor))
        self.added = nn.Sequential(
            BatchNorm(settings.width),
            nn.Linear(settings.width, inner),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(inner, settings.width),
            nn.Dropout(settings.residual_dropout),
        )

    def forward(self, values_BW: Tensor) -> Tensor:
        summed: Tensor = values_BW + self.added(values_BW)
        return summed


class Resnet(Layered):
    """Everything side by side → a linear layer → blocks → outputs, of one member.

    >>> import torch
    >>> resnet = Resnet.of(TableShape(dense=2, cardinalities=[4], outputs=2), [], {"width": 8})
    >>> resnet(torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64), []).shape
    torch.Size([3, 1, 2])
    """

    kind: ClassVar[str] = "resnet"

    def __init__(self, table: TableShape, own: Sequence[int], settings: ResnetSettings) -> None:
        super().__init__()
        numbers = Numbers(table.dense, table.edges, settings.embedding)
        self.features = Features(numbers, Categories(table.cardinalities), own)
        self.layers = nn.Sequential(
            nn.Linear(self.features.width, settings.width),
            *[Block(settings) for _ in range(settings.blocks)],
            BatchNorm(settings.width),
            nn.ReLU(),
            nn.Linear(settings.width, table.outputs),
        )

    @classmethod
    def of(cls, table: TableShape, own: Sequence[int], settings: Mapping[str, Any]) -> Self:
        return cls(table, own, ResnetSettings.model_validate(settings))


BACKBONES = (Resnet,)

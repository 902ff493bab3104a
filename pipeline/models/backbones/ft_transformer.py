"""FT-Transformer: Gorishniy et al. 2021, section 3.3 (https://arxiv.org/abs/2106.11959).

Shapes: B rows, D dense values, C coded columns, T tokens (the first is the row's own), W the width of a token.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from pipeline.models.backbones import TableShape
from pipeline.models.choices.backbones import FtTransformerSettings
from pipeline.models.names import Named, Names, along


class Tokens(nn.Module):
    """Every dense value, code and tensor of another encoder → a token; before them the row's own: (B, T, W)."""

    starts: Tensor

    def __init__(self, table: TableShape, own: Sequence[int], width: int) -> None:
        super().__init__()
        columns = len(table.cardinalities)
        self.row = _uniform(1, width)
        self.scale, self.dense_bias = _uniform(table.dense, width), _uniform(table.dense, width)
        self.categories, self.code_bias = _uniform(sum(table.cardinalities), width), _uniform(columns, width)
        self.others = nn.ModuleList(nn.Linear(each, width) for each in own)
        starts = torch.tensor([0, *accumulate(table.cardinalities)][:columns], dtype=torch.int64)
        self.register_buffer("starts", starts, persistent=False)

    def forward(self, dense_BD: Tensor, codes_BC: Tensor, own: Sequence[Tensor]) -> Tensor:
        known = (codes_BC > 0).unsqueeze(2)  # what train never had says nothing
        parts = [
            self.row.expand(dense_BD.shape[0], 1, -1),
            dense_BD.unsqueeze(2) * self.scale + self.dense_bias,
            known * nn.functional.embedding(codes_BC + self.starts, self.categories) + self.code_bias,
            *[project(each).unsqueeze(1) for project, each in zip(self.others, own, strict=True)],
        ]
        return torch.cat(parts, dim=1)

    def named(self, names: Names) -> dict[str, Named]:
        """A token's weights are those of a dense value, a category or another encoder."""
        categories = [code for codes in names.codes.values() for code in codes]
        others = {
            f"others.{place}.{kind}": Named(f"others.{name}.{kind}", (None,) * axes)
            for place, name in enumerate(names.own)
            for kind, axes in (("weight", 2), ("bias", 1))
        }
        return {
            **along("scale", names.dense, None),
            **along("dense_bias", names.dense, None),
            **along("categories", categories, None),
            **along("code_bias", [*names.codes], None),
            **others,
        }


class Attention(nn.Module):
    """Multi-head attention of Q tokens to all T: (B, Q, W), (B, T, W) → (B, Q, W).

    Written out: PyTorch's fused kernels on a GPU are not deterministic, and a row has few tokens.
    """

    def __init__(self, settings: FtTransformerSettings) -> None:
        super().__init__()
        width = settings.width
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.mixed = nn.Linear(width, width)
        self.dropout = nn.Dropout(settings.attention_dropout)
        self.heads = settings.heads
        for layer in (self.query, self.key, self.value, self.mixed):
            nn.init.zeros_(layer.bias)

    def forward(self, query_BQW: Tensor, token_BTW: Tensor) -> Tensor:
        query, key, value = (
            layer(each).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer, each in ((self.query, query_BQW), (self.key, token_BTW), (self.value, token_BTW))
        )
        weight_BHQT = (query @ key.transpose(2, 3) / math.sqrt(query.shape[3])).softmax(dim=3)
        mixed_BQW: Tensor = self.mixed((self.dropout(weight_BHQT) @ value).transpose(1, 2).flatten(2))
        return mixed_BQW


class GatedRelu(nn.Module):
    """ReGLU (Shazeer 2020): one half of the values, gated by the ReLU of the other."""

    def forward(self, values: Tensor) -> Tensor:
        kept, gate = values.chunk(2, dim=-1)
        return kept * gate.relu()


class Block(nn.Module):
    """Attention, then feed-forward, each on normalised tokens; the first block's attention takes them as they come.

    Without that exception it trains worse, says the paper. The last block asks for the row's own token alone.
    """

    def __init__(self, settings: FtTransformerSettings, *, first: bool, last: bool) -> None:
        super().__init__()
        width, inner = settings.width, settings.inner
        self.before = nn.Identity() if first else nn.LayerNorm(width)
        self.attention = Attention(settings)
        self.forward_layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * inner),
            GatedRelu(),
            nn.Dropout(settings.dropout),
            nn.Linear(inner, width),
        )
        self.residual_dropout = nn.Dropout(settings.residual_dropout)
        self.asked = 1 if last else None

    def forward(self, token_BTW: Tensor) -> Tensor:
        normed = self.before(token_BTW)
        token_BQW = token_BTW[:, : self.asked] + self.residual_dropout(self.attention(normed[:, : self.asked], normed))
        summed: Tensor = token_BQW + self.residual_dropout(self.forward_layers(token_BQW))
        return summed


class FtTransformer(nn.Module):
    """Tokens → blocks → what the row's own token became → outputs, of one member.

    >>> settings = {"width": 8, "heads": 2}
    >>> transformer = FtTransformer.of(TableShape(dense=2, cardinalities=[4], outputs=2), [], settings)
    >>> transformer(torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64), []).shape
    torch.Size([3, 1, 2])
    """

    kind: ClassVar[str] = "ft_transformer"

    def __init__(self, table: TableShape, own: Sequence[int], settings: FtTransformerSettings) -> None:
        super().__init__()
        last = settings.blocks - 1
        self.tokens = Tokens(table, own, settings.width)
        tokens = 1 + table.dense + len(table.cardinalities) + len(own)
        self.values_a_row = tokens * max(2 * settings.inner, settings.heads * tokens)
        self.blocks = nn.Sequential(
            *[Block(settings, first=place == 0, last=place == last) for place in range(settings.blocks)]
        )
        self.head = nn.Sequential(nn.LayerNorm(settings.width), nn.ReLU(), nn.Linear(settings.width, table.outputs))

    @classmethod
    def of(cls, table: TableShape, own: Sequence[int], settings: Mapping[str, Any]) -> Self:
        return cls(table, own, FtTransformerSettings.model_validate(settings))

    def forward(self, dense_BD: Tensor, codes_BC: Tensor, own: Sequence[Tensor]) -> Tensor:
        outputs_B1K: Tensor = self.head(self.blocks(self.tokens(dense_BD, codes_BC, own)))
        return outputs_B1K

    def named(self, names: Names) -> dict[str, Named]:
        """The last layer gives outputs."""
        return {**along("head.2.weight", names.outputs, None), **along("head.2.bias", names.outputs)}


def _uniform(rows: int, width: int) -> nn.Parameter:
    """(rows, W), as the paper's tokens begin."""
    bound = width**-0.5
    return nn.Parameter(torch.rand(rows, width) * 2 * bound - bound)


BACKBONES = (FtTransformer,)

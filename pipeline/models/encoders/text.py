"""Tokens of a text → one vector, learnt with the network; a longer padding does not change it.

Shapes: B texts, L tokens, W values a token, E values of the vector. Token 0 is padding; the special tokens start at
zero, so that one which train never had says nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.contract import Modality
from pipeline.features.text import TextNetworkSettings
from pipeline.features.tokens import PADDING, SPECIAL, UNKNOWN
from pipeline.models.encoders.vector import VectorNetwork

PATTERNS = (2, 3, 4)  # tokens
SPREAD = 0.1
PERIOD = 10_000.0


class Reading(Protocol):
    """What makes one vector of the vectors of a text's tokens."""

    width: int

    def __call__(self, values_BLW: Tensor, tokens_BL: Tensor) -> Tensor:
        """(B, L, W), zero where `tokens_BL` is padding → (B, E)."""
        ...


class TextNetwork(nn.Module):
    """(B, L) tokens, or (B, V) vectors of a pre-trained encoder → (B, width).

    >>> network = TextNetwork.of({"rareness": [0.0] + 49 * [1.0], "settings": {"kind": "cnn", "width": 8}})
    >>> network(torch.tensor([[7, 8, 0], [2, 0, 0]])).shape
    torch.Size([2, 48])
    """

    kind: ClassVar[Modality] = "text"

    def __init__(self, rareness: Sequence[float], settings: TextNetworkSettings) -> None:
        super().__init__()
        self.embedding = embedding(len(rareness), settings.width)
        self.reading: Reading = READINGS[settings.kind](rareness, settings)
        self.lost = settings.token_dropout
        self.width = self.reading.width

    @classmethod
    def of(cls, shape: Mapping[str, Any]) -> Self | VectorNetwork:
        settings = TextNetworkSettings.model_validate(shape["settings"])
        if "vector" in shape:
            return VectorNetwork(shape["vector"], settings.width, settings.dropout)
        return cls(shape["rareness"], settings)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        tokens_BL = (tokens_BL if torch.compiler.is_exporting() else shortened(tokens_BL)).long()
        if self.training and self.lost:
            lost_BL = torch.rand(tokens_BL.shape, device=tokens_BL.device) < self.lost
            tokens_BL = torch.where(lost_BL & (tokens_BL != PADDING), UNKNOWN, tokens_BL)
        return self.reading(self.embedding(tokens_BL), tokens_BL)


class TextFileNetwork(TextNetwork):
    """The same for the text of files."""

    kind: ClassVar[Modality] = "text-file"


class Mean(nn.Module):
    """The tokens' vectors by rareness, as TF-IDF weighs words, over the length of these weights; and the most of each.

    Source of mean and most side by side: Shen et al. 2018 (SWEM-concat).
    """

    rareness_T: Tensor

    def __init__(self, rareness: Sequence[float], settings: TextNetworkSettings) -> None:
        super().__init__()
        self.register_buffer("rareness_T", torch.tensor(rareness, dtype=torch.float32), persistent=False)
        self.dropout = nn.Dropout(settings.dropout)
        self.width = 2 * settings.width

    def forward(self, values_BLW: Tensor, tokens_BL: Tensor) -> Tensor:
        weight_BL = self.rareness_T[tokens_BL]
        total_BW = (weight_BL.unsqueeze(2) * values_BLW).sum(dim=1)
        mean_BW = total_BW / weight_BL.norm(dim=1, keepdim=True).clamp(min=1)
        lowest = torch.finfo(values_BLW.dtype).min
        first_BL = torch.arange(tokens_BL.shape[1], device=tokens_BL.device) == 0  # stands for a text of padding alone
        blank_BL1 = ((tokens_BL == PADDING) & ~first_BL).unsqueeze(2)
        most_BW = values_BLW.masked_fill(blank_BL1, lowest).amax(dim=1)
        vector_BE: Tensor = self.dropout(torch.cat([mean_BW, most_BW], dim=1))
        return vector_BE


class Convolutions(nn.Module):
    """Patterns of 2, 3 and 4 neighbours: of each the most that it is seen and the mean.

    Source: Kim 2014 (EMNLP), who takes the most alone.
    """

    def __init__(self, _: Sequence[float], settings: TextNetworkSettings) -> None:
        super().__init__()
        width = settings.width
        self.patterns = nn.ModuleList(nn.Conv1d(width, width, size) for size in PATTERNS)
        self.dropout = nn.Dropout(settings.dropout)
        self.width = 2 * len(PATTERNS) * width

    def forward(self, values_BLW: Tensor, tokens_BL: Tensor) -> Tensor:
        values_BWL = self.dropout(values_BLW).transpose(1, 2)
        real_B1L = (tokens_BL != PADDING).unsqueeze(1)
        count_B1 = real_B1L.sum(dim=2).clamp(min=1)
        ahead = [functional.pad(values_BWL, (0, size - 1)) for size in PATTERNS]  # so a pattern may end past the text
        seen = [functional.relu(each(a_BWP)) * real_B1L for each, a_BWP in zip(self.patterns, ahead, strict=True)]
        most, mean = [each.amax(dim=2) for each in seen], [each.sum(dim=2) / count_B1 for each in seen]
        vector_BE: Tensor = self.dropout(torch.cat([*most, *mean], dim=1))
        return vector_BE


class Transformer(nn.Module):
    """Layers of attention, normalised before each part (Xiong et al. 2020), then the mean over the tokens."""

    def __init__(self, _: Sequence[float], settings: TextNetworkSettings) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(settings.width)
        self.dropout = nn.Dropout(settings.dropout)
        self.width = settings.width

    def forward(self, values_BLW: Tensor, tokens_BL: Tensor) -> Tensor:
        real_BL = tokens_BL != PADDING
        values_BLW = self.dropout(values_BLW)
        for layer in self.layers:
            values_BLW = layer(values_BLW, real_BL)
        values_BLW = self.norm(values_BLW) * real_BL.unsqueeze(2)
        return values_BLW.sum(dim=1) / real_BL.sum(dim=1, keepdim=True).clamp(min=1)


class Layer(nn.Module):
    """Attention of `heads` heads over the tokens that are no padding, then two dense layers with GELU between."""

    def __init__(self, settings: TextNetworkSettings) -> None:
        super().__init__()
        width = settings.width
        self.heads = settings.heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked, self.told = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, values_BLW: Tensor, real_BL: Tensor) -> Tensor:
        values_BLW = values_BLW + self.dropout(self._attended(self.before(values_BLW), real_BL))
        out_BLW: Tensor = values_BLW + self.dropout(self.dense(self.between(values_BLW)))
        return out_BLW

    def _attended(self, values_BLW: Tensor, real_BL: Tensor) -> Tensor:
        """softmax(Q K' / sqrt(W/H)) V of each head (Vaswani et al. 2017), written out: so it is deterministic."""
        by_head = self.asked(values_BLW).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query_BHLV, key_BHLV, value_BHLV = rotated(by_head[0]), rotated(by_head[1]), by_head[2]
        scores_BHLL = query_BHLV @ key_BHLV.transpose(2, 3) / query_BHLV.shape[3] ** 0.5
        scores_BHLL = scores_BHLL.masked_fill(~real_BL[:, None, None, :], torch.finfo(scores_BHLL.dtype).min)
        joined_BLW = (self.dropout(scores_BHLL.softmax(dim=3)) @ value_BHLV).transpose(1, 2).flatten(2)
        told_BLW: Tensor = self.told(joined_BLW)
        return told_BLW


def shortened(tokens_BL: Tensor) -> Tensor:
    """As many tokens as the longest text has, one at least."""
    longest = int((tokens_BL != PADDING).sum(dim=1).max()) if len(tokens_BL) else 0
    return tokens_BL[:, : max(1, longest)]


def rotated(values_BHLV: Tensor) -> Tensor:
    """Each pair of values turned by an angle that grows with the place of the token (RoPE, Su et al. 2021)."""
    places_L = torch.arange(values_BHLV.shape[2], device=values_BHLV.device)
    half = values_BHLV.shape[3] // 2
    speed_V = PERIOD ** (-torch.arange(half, device=values_BHLV.device) / half)
    angle_LV = places_L[:, None] * speed_V
    left, right, rest = values_BHLV[..., :half], values_BHLV[..., half : 2 * half], values_BHLV[..., 2 * half :]
    sine, cosine = angle_LV.sin(), angle_LV.cos()
    return torch.cat([left * cosine - right * sine, left * sine + right * cosine, rest], dim=3)


def embedding(tokens: int, width: int) -> nn.Embedding:
    """(...) tokens → (..., width); padding stays at zero."""
    made = nn.Embedding(tokens, width, padding_idx=PADDING)
    nn.init.normal_(made.weight, std=SPREAD)
    with torch.no_grad():
        made.weight[: len(SPECIAL)].zero_()
    return made


READINGS: Mapping[str, type[Mean | Convolutions | Transformer]] = {
    "mean": Mean,
    "cnn": Convolutions,
    "transformer": Transformer,
}
ENCODERS = (TextNetwork, TextFileNetwork)

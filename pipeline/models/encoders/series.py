"""Windows of series in the network. A forecast is made from the change since the last known value.

Shapes: B rows, W steps of a window, C values of a step, H steps of the horizon, E values of the vector, P tokens.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pipeline.artefacts import Record
from pipeline.features.series import SeriesNetworkSettings

LABEL, KNOWN = 0, 1  # which values of a step, of a forecast


class SeriesShape(Record):
    """What the module is built from: what was learnt of train, and the settings; no horizon is no forecast."""

    window: int = Field(ge=1)
    horizon: int = Field(ge=0)
    dense: int = Field(ge=0)
    settings: SeriesNetworkSettings

    @property
    def values(self) -> int:
        """C: the label of a forecast, whether the step is known, the dense values."""
        return self.dense + (2 if self.horizon else 1)


class SeriesNetwork(nn.Module):
    """(B, W, C) → (B, E + direct): what the backbone reads, then what is added to its outputs.

    >>> network = SeriesNetwork.of({"window": 48, "horizon": 12, "dense": 3, "settings": {"kind": "gru", "width": 8}})
    >>> network(torch.zeros(2, 48, 5)).shape, network.width, network.direct
    (torch.Size([2, 20]), 8, 12)
    """

    kind: ClassVar[Literal["series"]] = "series"

    def __init__(self, shape: SeriesShape) -> None:
        super().__init__()
        settings = shape.settings
        self.horizon, self.centred = shape.horizon, settings.center == "last" and shape.horizon > 0
        if settings.kind == "dlinear":
            self.reader: nn.Module = DLinear(shape)
        else:
            self.reader = READERS[settings.kind](shape.values, shape.window, settings)
        alone = settings.kind == "dlinear" and shape.horizon > 0
        self.width = 0 if alone else settings.width
        self.direct = shape.horizon if alone or self.centred else 0
        self.alone = alone

    @classmethod
    def of(cls, shape: Mapping[str, Any]) -> Self:
        return cls(SeriesShape.model_validate(shape))

    def forward(self, block: Tensor) -> Tensor:
        if not self.centred:
            return cast(Tensor, self.reader(block))
        last_B1 = block[:, -1, LABEL : LABEL + 1]
        begun_BW1 = block[:, :, KNOWN : KNOWN + 1].cumsum(dim=1) > 0
        changed_BW1 = (block[:, :, LABEL : LABEL + 1] - last_B1.unsqueeze(1)) * begun_BW1
        read = self.reader(torch.cat([changed_BW1, block[:, :, KNOWN:]], dim=2))
        last_BH = last_B1.expand(-1, self.horizon)
        return read + last_BH if self.alone else torch.cat([read, last_BH], dim=1)


class DLinear(nn.Module):
    """A moving average and what is left of it, each through a linear layer, added (Zeng et al. 2023, section 4).

    Of a forecast the label's alone, (B, W, C) → (B, H); else all values together → (B, E). All weights begin at 0.
    """

    def __init__(self, shape: SeriesShape) -> None:
        super().__init__()
        self.average, self.label_alone = shape.settings.average, shape.horizon > 0
        values = 1 if self.label_alone else shape.values
        outputs = shape.horizon or shape.settings.width
        self.trend, self.rest = (nn.Linear(shape.window * values, outputs) for _ in range(2))
        for layer in (self.trend, self.rest) if self.label_alone else ():
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, block_BWC: Tensor) -> Tensor:
        seen_BWC = block_BWC[:, :, LABEL : LABEL + 1] if self.label_alone else block_BWC
        trend_BCW = moving_average(seen_BWC.transpose(1, 2), self.average)
        rest_BCW = seen_BWC.transpose(1, 2) - trend_BCW
        return cast(Tensor, self.trend(trend_BCW.flatten(1)) + self.rest(rest_BCW.flatten(1)))


class Gru(nn.Module):
    """A gated recurrent unit's last state (Cho et al. 2014), (B, W, C) → (B, E)."""

    def __init__(self, values: int, window: int, settings: SeriesNetworkSettings) -> None:
        super().__init__()
        between = settings.dropout if settings.layers > 1 else 0.0
        self.recurrent = nn.GRU(values, settings.width, settings.layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, block_BWC: Tensor) -> Tensor:
        state_BWE, _ = self.recurrent(block_BWC)
        return cast(Tensor, self.dropout(state_BWE[:, -1]))


class Tcn(nn.Module):
    """Causal convolutions, each twice as far apart as before until the last step sees all (Bai et al. 2018)."""

    def __init__(self, values: int, window: int, settings: SeriesNetworkSettings) -> None:
        super().__init__()
        self.inward = nn.Conv1d(values, settings.width, 1)
        self.reach, dilation = 1, 1
        blocks = []
        while self.reach < window:
            blocks.append(CausalBlock(settings.width, settings.kernel, dilation, settings.dropout))
            self.reach += 2 * (settings.kernel - 1) * dilation
            dilation *= 2
        self.blocks = nn.Sequential(*blocks)

    def forward(self, block_BWC: Tensor) -> Tensor:
        return cast(Tensor, self.blocks(self.inward(block_BWC.transpose(1, 2)))[:, :, -1])


class CausalBlock(nn.Module):
    """Two convolutions over the steps so far, added to what goes in: (B, E, W) → (B, E, W)."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.before = (kernel - 1) * dilation
        self.layers = nn.ModuleList(nn.Conv1d(width, width, kernel, dilation=dilation) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, block_BEW: Tensor) -> Tensor:
        inner = block_BEW
        for layer in self.layers:
            inner = self.dropout(layer(functional.pad(inner, (self.before, 0))).relu())
        return block_BEW + inner


class Transformer(nn.Module):
    """Tokens of several steps each look at all others; their mean, and the last (PatchTST, Nie et al. 2023)."""

    def __init__(self, values: int, window: int, settings: SeriesNetworkSettings) -> None:
        super().__init__()
        self.patch = settings.patch
        self.before = -window % self.patch
        tokens = (window + self.before) // self.patch
        self.token = nn.Linear(self.patch * values, settings.width)
        self.place_PE = nn.Parameter(0.02 * torch.randn(tokens, settings.width))
        layer = nn.TransformerEncoderLayer(
            settings.width,
            settings.heads,
            2 * settings.width,
            settings.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
        self.joined = nn.Linear(2 * settings.width, settings.width)

    def forward(self, block_BWC: Tensor) -> Tensor:
        whole_BWC = functional.pad(block_BWC, (0, 0, self.before, 0))
        patch_BPV = whole_BWC.reshape(whole_BWC.shape[0], len(self.place_PE), -1)
        token_BPE = self.layers(self.token(patch_BPV) + self.place_PE)
        return cast(Tensor, self.joined(torch.cat([token_BPE.mean(dim=1), token_BPE[:, -1]], dim=1)))


def moving_average(value_BCW: Tensor, steps: int) -> Tensor:
    """(B, C, W) the mean of so many steps around each; past both ends the values there go on.

    >>> moving_average(torch.tensor([[[0.0, 3.0, 6.0]]]), 3).tolist()
    [[[1.0, 3.0, 5.0]]]
    """
    before, after = (steps - 1) // 2, steps // 2
    return functional.avg_pool1d(functional.pad(value_BCW, (before, after), mode="replicate"), steps, stride=1)


READERS: Mapping[str, type[Gru] | type[Tcn] | type[Transformer]] = {
    "gru": Gru,
    "tcn": Tcn,
    "transformer": Transformer,
}
ENCODERS = (SeriesNetwork,)

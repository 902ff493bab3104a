"""The network: encoders of the columns whose tensor is their own, and a backbone that looks at all features together.

Shapes: N or B rows, M members of an ensemble, K outputs. Inputs are tensors by name: `dense` (B, D) float32, `codes`
(B, C) int64, and one of each column with a tensor of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from pydantic import Field
from torch import Tensor, nn

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.models import backbones, encoders
from pipeline.models.backbones import TableShape

Inputs: TypeAlias = Mapping[str, Tensor]
ROWS_AT_ONCE = 16_384


class OwnShape(Record):
    """A column with a tensor of its own: the tensor's name, its modality, and what its encoder is built from."""

    name: str
    kind: Modality
    shape: dict[str, Any]


class NetworkShape(Record):
    """What rebuilds the network; `settings` are those of its backbone."""

    table: TableShape
    own: list[OwnShape] = Field(default_factory=list)
    backbone: str
    settings: dict[str, Any]


class Network(nn.Module):
    """Inputs → outputs (B, M, K): of classes the logits, of numbers the scaled values.

    >>> table = TableShape(dense=2, cardinalities=[4], outputs=2)
    >>> network = Network(NetworkShape(table=table, backbone="mlp", settings={"hidden": [8]}))
    >>> network({"dense": torch.zeros(3, 2), "codes": torch.zeros(3, 1, dtype=torch.int64)}).shape
    torch.Size([3, 1, 2])
    """

    prior_K: Tensor

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        made = [encoders.registered()[each.kind].of(each.shape) for each in shape.own]
        widths = [each.width for each in made]
        self.names = [each.name for each in shape.own]
        self.encoders = nn.ModuleList(made)  # type: ignore[arg-type] # each is a module
        self.backbone = backbones.registered()[shape.backbone].of(shape.table, widths, shape.settings)
        # what class weights add to the logits, so that probabilities are those of the data as they came
        self.register_buffer("prior_K", torch.zeros(shape.table.outputs))

    def forward(self, inputs: Inputs) -> Tensor:
        own = [encode(inputs[name]) for name, encode in zip(self.names, self.encoders, strict=True)]
        return self.backbone(inputs["dense"], inputs["codes"], own)


def outputs(network: Network, inputs: Inputs, rows_at_once: int = ROWS_AT_ONCE) -> Tensor:
    """(N, M, K) float64 outputs on the CPU, with the prior that class weights added taken back."""
    network.eval()
    parts: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(inputs["dense"]), rows_at_once):
            chunk = {name: tensor[start : start + rows_at_once] for name, tensor in inputs.items()}
            parts.append((network(chunk) - network.prior_K).double().cpu())
    return torch.cat(parts) if parts else torch.empty((0, 1, len(network.prior_K)), dtype=torch.float64)


def probabilities(network: Network, inputs: Inputs, rows_at_once: int = ROWS_AT_ONCE) -> Tensor:
    """(N, K) float64 probabilities on the CPU: the mean over the members of each one's softmax."""
    return outputs(network, inputs, rows_at_once).softmax(dim=2).mean(dim=1)


def tensors(parts: Mapping[str, Any]) -> dict[str, Tensor]:
    """The inputs among a split's arrays: all but the label."""
    return {name: torch.from_numpy(array) for name, array in parts.items() if name != "label"}


def rows_of(inputs: Inputs, chosen: Tensor | Sequence[int] | slice) -> dict[str, Tensor]:
    """These rows of every input."""
    return {name: tensor[chosen] for name, tensor in inputs.items()}

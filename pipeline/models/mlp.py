"""A multilayer perceptron over dense values and embedded categories.

Shapes: B rows, D dense values, C coded columns, K classes.
Source of the embedding width min(16, 1.6 n^0.56): the rule of fastai's tabular learner, capped.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from pipeline.artefacts import Record

MAXIMUM_EMBEDDING = 16
INITIAL_SPREAD = 0.05


class MlpShape(Record):
    """What rebuilds the network: widths in, hidden widths, classes out."""

    dense: int = Field(ge=0)
    cardinalities: list[int]
    hidden: list[int]
    dropout: float = Field(ge=0, lt=1)
    classes: int = Field(ge=2)


class Mlp(nn.Module):
    """dense_BD and codes_BC → logits_BK.

    >>> network = Mlp(MlpShape(dense=2, cardinalities=[4], hidden=[8], dropout=0.1, classes=2))
    >>> network(torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64)).shape
    torch.Size([3, 2])
    """

    prior_K: Tensor

    def __init__(self, shape: MlpShape) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(_embedding(size) for size in shape.cardinalities)
        width = shape.dense + sum(_embedding_width(size) for size in shape.cardinalities)
        layers: list[nn.Module] = []
        for hidden in shape.hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(shape.dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, shape.classes))
        # what class weights add to the logits, so that probabilities are those of the data as they came
        self.register_buffer("prior_K", torch.zeros(shape.classes))

    def forward(self, dense_BD: Tensor, codes_BC: Tensor) -> Tensor:
        embedded = [embed(codes_BC[:, place]) for place, embed in enumerate(self.embeddings)]
        logits_BK: Tensor = self.layers(torch.cat([dense_BD, *embedded], dim=1))
        return logits_BK


def probabilities(network: Mlp, dense_ND: Tensor, codes_NC: Tensor, rows_at_once: int = 16_384) -> Tensor:
    """(N, K) float64 probabilities on the CPU, with the prior that class weights added taken back."""
    network.eval()
    parts = [torch.empty((0, len(network.prior_K)), dtype=torch.float64)]
    with torch.inference_mode():
        for start in range(0, len(dense_ND), rows_at_once):
            chunk = slice(start, start + rows_at_once)
            logits_BK = network(dense_ND[chunk], codes_NC[chunk]) - network.prior_K
            parts.append(logits_BK.double().softmax(dim=1).cpu())
    return torch.cat(parts)


def _embedding_width(cardinality: int) -> int:
    return min(MAXIMUM_EMBEDDING, round(1.6 * cardinality**0.56))


def _embedding(cardinality: int) -> nn.Embedding:
    """Code 0, a category that train never had, stays at zero: it says nothing."""
    embedding = nn.Embedding(cardinality, _embedding_width(cardinality), padding_idx=0)
    nn.init.normal_(embedding.weight, std=INITIAL_SPREAD)
    with torch.no_grad():
        embedding.weight[0].zero_()
    return embedding

"""The vectors of a pre-trained network that does not learn, brought to the width of the others."""

from torch import Tensor, nn


class VectorNetwork(nn.Module):
    """(B, V) vectors → (B, width)."""

    def __init__(self, vector: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.LayerNorm(vector), nn.Dropout(dropout), nn.Linear(vector, width))

    def forward(self, vectors_BV: Tensor) -> Tensor:
        values_BE: Tensor = self.layers(vectors_BV)
        return values_BE

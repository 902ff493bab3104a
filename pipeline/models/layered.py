"""What backbones share that put all features side by side and pass them through layers, one after the other."""

from collections.abc import Sequence

from torch import Tensor, nn

from pipeline.models.embeddings import Features
from pipeline.models.names import Named, Names, along


class Layered(nn.Module):
    """Features → `layers`, the first and the last of them linear → outputs (B, 1, K), of one member."""

    features: Features
    layers: nn.Sequential

    def forward(self, dense_BD: Tensor, codes_BC: Tensor, own: Sequence[Tensor]) -> Tensor:
        outputs_BK: Tensor = self.layers(self.features(dense_BD, codes_BC, own))
        return outputs_BK.unsqueeze(1)

    def named(self, names: Names) -> dict[str, Named]:
        """The first layer reads features, the last gives outputs."""
        last = f"layers.{len(self.layers) - 1}"
        return {
            **along("layers.0.weight", None, self.features.outputs(names)),
            **along(f"{last}.weight", names.outputs, None),
            **along(f"{last}.bias", names.outputs),
        }

"""What stands behind the backbone where outputs must hold together.

Shapes: B rows, M members, K classes, T = K - 1 levels between them, U = K - 2 gaps between these.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class InOrder(nn.Module):
    """T outputs → (B, M, K) the logarithms of the probabilities of K classes in an order.

    The log odds of being above class k fall with k by construction: the first is an output, each further one lies below
    by softplus of the next (cumulative logits, McCullagh 1980; in an order as in Cao et al. 2020, but how far apart
    they are may differ from row to row). With outputs of 0 the odds are `levels_T`, those of the training rows.

    >>> InOrder([1.0, -1.0])(torch.zeros(1, 1, 2)).exp().mul(1000).round().tolist()
    [[[269.0, 462.0, 269.0]]]
    """

    first: Tensor
    gap_U: Tensor

    def __init__(self, levels_T: Sequence[float]) -> None:
        super().__init__()
        levels = torch.tensor(levels_T, dtype=torch.float64)
        self.register_buffer("first", levels[:1].float(), persistent=False)
        self.register_buffer("gap_U", (levels[:-1] - levels[1:]).expm1().log().float(), persistent=False)

    def forward(self, outputs_BMT: Tensor) -> Tensor:
        gap_BMU = functional.softplus(outputs_BMT[..., 1:] + self.gap_U)
        first_BM1 = outputs_BMT[..., :1] + self.first
        odds_BMT = torch.cat([first_BM1, first_BM1 - gap_BMU.cumsum(dim=-1)], dim=-1)
        below_BMT, above_BMT = functional.logsigmoid(-odds_BMT), functional.logsigmoid(odds_BMT)
        # sigmoid(a) - sigmoid(b) is sigmoid(a) sigmoid(-b) (1 - exp(b - a)), whose logarithm keeps its digits
        least = torch.finfo(gap_BMU.dtype).eps
        between_BMU = above_BMT[..., :-1] + below_BMT[..., 1:] + (-(-gap_BMU).expm1()).clamp_min(least).log()
        return torch.cat([below_BMT[..., :1], between_BMU, above_BMT[..., -1:]], dim=-1)

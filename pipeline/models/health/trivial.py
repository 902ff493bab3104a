"""What a training must surely do better on train than: an answer that does not look at the row, and a linear model.

Both are found for the very loss that is trained, on some rows of train. S rows, D features, K outputs.
"""

import math

import torch
from torch import Tensor, nn

ROWS = 4096
ROWS_A_FEATURE = 5  # with fewer a linear model begins to know its rows by heart
STEPS = 60
RIDGE = 1e-4


def places(rows: int) -> Tensor:
    """(S,) at most so many rows, evenly over all of them.

    >>> len(places(10)), len(places(1_000_000)), int(places(1_000_000)[-1])
    (10, 4096, 999999)
    """
    return torch.arange(rows) if rows <= ROWS else torch.linspace(0, rows - 1, ROWS, dtype=torch.float64).long()


def constant_loss(loss: nn.Module, target_S: Tensor, outputs: int) -> float | None:
    """The least loss of outputs that are the same for all rows; None where there is none that is a number.

    >>> constant_loss(lambda out, y: (out[:, 0, 0] - y).square().mean(), torch.tensor([0.0, 2.0]), 1)  # its variance
    1.0
    """
    return _least(loss, torch.zeros(len(target_S), 0), target_S, outputs)


def linear_loss(loss: nn.Module, value_SD: Tensor, target_S: Tensor, outputs: int) -> float | None:
    """The least loss of a linear model of dense values; None with too few rows for it, or without values."""
    if not value_SD.numel() or not value_SD.isfinite().all():
        return None
    varied_SD = value_SD[:, value_SD.amin(dim=0) < value_SD.amax(dim=0)].double()
    if not varied_SD.shape[1] or len(value_SD) < ROWS_A_FEATURE * varied_SD.shape[1]:
        return None
    scaled_SD = (varied_SD - varied_SD.mean(dim=0)) / varied_SD.std(dim=0)
    return _least(loss, scaled_SD.float(), target_S, outputs)


def _least(loss: nn.Module, value_SD: Tensor, target_S: Tensor, outputs: int) -> float | None:
    weight_DK = torch.zeros(value_SD.shape[1], outputs, requires_grad=True)
    bias_K = torch.zeros(outputs, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight_DK, bias_K], max_iter=STEPS, line_search_fn="strong_wolfe")

    def measured() -> Tensor:
        found: Tensor = loss((value_SD @ weight_DK + bias_K).unsqueeze(1), target_S)
        return found

    def closure() -> Tensor:
        optimizer.zero_grad()
        found = measured() + RIDGE * weight_DK.square().sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    with torch.no_grad():
        begun = float(measured())
    if math.isfinite(begun):
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        least = float(measured())
    return least if math.isfinite(least) else None

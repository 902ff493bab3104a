"""Linear layers by oneDNN where PyTorch's own matrix product is the slower one.

PyTorch multiplies float32 matrices on x86 by MKL, which takes AVX-512 on Intel's processors alone; oneDNN takes it on
all. Measured on one core of an AMD EPYC (family 26): 256 rows through a layer of 256 x 256 in 159 against 318 µs.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST = 1 << 12  # weights; below it the call costs more than it saves


def quicken(network: nn.Module) -> None:
    """Let linear layers on the CPU work by oneDNN where that is quicker; weights stay as they are."""
    if mkl_is_slow():
        for module in network.modules():
            if type(module) is nn.Linear and module.weight.numel() >= SMALLEST and module.weight.device.type == "cpu":
                module.__class__ = Linear


@cache
def mkl_is_slow() -> bool:
    """Whether this processor has AVX-512 and is not Intel's: not from a timing, so that bits are always the same."""
    information = Path("/proc/cpuinfo")
    return (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and information.is_file()
        and "GenuineIntel" not in information.read_text(encoding="utf-8")
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


class Linear(nn.Linear):
    """`nn.Linear` whose products are oneDNN's, forward and backward."""

    def forward(self, input: Tensor) -> Tensor:
        if input.dtype != torch.float32 or input.device.type != "cpu":
            return super().forward(input)
        output: Tensor = _Product.apply(  # type: ignore[no-untyped-call]
            input.flatten(0, -2), self.weight, self.bias
        )
        return torch.unflatten(output, 0, input.shape[:-1]) if input.ndim != 2 else output


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values_BI: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(values_BI, weight_OI)
        return product(values_BI, weight_OI, bias_O)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        (gradient_BO,) = gradients
        values_BI, weight_OI = ctx.saved_tensors
        slope_BI = slope_of_values(gradient_BO, weight_OI) if ctx.needs_input_grad[0] else None
        slope_O = gradient_BO.sum(0) if ctx.needs_input_grad[2] else None
        return slope_BI, slope_of_weight(gradient_BO, values_BI, torch.empty_like(weight_OI)), slope_O


def product(values_BI: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None, then: str = "none") -> Tensor:
    """(B, O) values times the weight's transpose, plus the bias; `then` may be "relu"."""
    if is_quicker(weight_OI.numel()):
        by_onednn: Tensor = _kernel()(values_BI, weight_OI, bias_O, then, [], "")
        return by_onednn
    plain = functional.linear(values_BI, weight_OI, bias_O)
    return plain.relu_() if then == "relu" else plain


def slope_of_values(slope_BO: Tensor, weight_OI: Tensor) -> Tensor:
    """(B, I) the slope of a product's values, of the slope of the product."""
    if is_quicker(weight_OI.numel()):
        by_onednn: Tensor = _kernel()(slope_BO, weight_OI.t(), None, "none", [], "")
        return by_onednn
    return slope_BO.mm(weight_OI)


def slope_of_weight(slope_BO: Tensor, values_BI: Tensor, into_OI: Tensor) -> Tensor:
    """`into_OI`, where the slope of a product's weight is written, of the slope of the product."""
    outputs, inputs = into_OI.shape
    if not is_quicker(outputs * inputs):
        return torch.mm(slope_BO.t(), values_BI, out=into_OI)
    # oneDNN's first factor is copied where it lies across: let it be the narrower one
    if inputs < outputs:
        return into_OI.copy_(_kernel()(values_BI.t(), slope_BO.t(), None, "none", [], "").t())
    return into_OI.copy_(_kernel()(slope_BO.t(), values_BI.t(), None, "none", [], ""))


def is_quicker(weights: int) -> bool:
    """Whether oneDNN is the quicker one for a layer of so many weights on this processor."""
    return weights >= SMALLEST and mkl_is_slow()


@cache
def _kernel() -> Any:
    """(values_BI, weight_OI, bias_O, what follows, ...) → (B, O), looked up once: that takes as long as it."""
    return torch.ops.mkldnn._linear_pointwise.default

"""Linear layers by oneDNN: the same numbers and slopes as PyTorch's own, the same weights, the same bits each time."""

import pytest
import torch
from torch import Tensor, nn

from pipeline.models import linear
from pipeline.models.linear import Linear, quicken

needs = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this PyTorch has no oneDNN product"
)


def pair(bias: bool = True) -> tuple[nn.Linear, Linear]:
    torch.manual_seed(0)
    plain, quick = nn.Linear(64, 70, bias=bias), Linear(64, 70, bias=bias)
    quick.load_state_dict(plain.state_dict())
    return plain, quick


def slopes(layer: nn.Linear, values: Tensor) -> list[Tensor]:
    leaf = values.clone().requires_grad_()
    output = layer(leaf)
    output.square().sum().backward()
    assert leaf.grad is not None
    return [output.detach(), leaf.grad, *(p.grad for p in layer.parameters() if p.grad is not None)]


@needs
@pytest.mark.parametrize("shape", [(5, 64), (1, 64), (2, 3, 64)])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_slopes_are_those_of_pytorch(shape: tuple[int, ...], bias: bool) -> None:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    plain, quick = pair(bias)

    for one, other in zip(slopes(plain, values), slopes(quick, values), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@needs
def test_the_same_bits_each_time() -> None:
    values = torch.randn(200, 64, generator=torch.Generator().manual_seed(1))

    first, second = (slopes(pair()[1], values) for _ in range(2))

    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(("slow", "expected"), [(True, [Linear, nn.Linear]), (False, [nn.Linear, nn.Linear])])
def test_large_layers_are_quickened_where_mkl_is_slow(
    slow: bool, expected: list[type[nn.Module]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "mkl_is_slow", lambda: slow)
    net = nn.Sequential(nn.Linear(64, 70), nn.Linear(70, 2))
    before = net.state_dict()

    quicken(net)

    assert [type(layer) for layer in net] == expected
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())

"""What reads windows: each kind tells the horizon, sees all of the window, and forecasts changes, not levels."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.models.backbones import TableShape
from pipeline.models.encoders.series import DLinear, SeriesNetwork, moving_average
from pipeline.models.network import Network, NetworkShape, OwnShape

KINDS = ("dlinear", "gru", "tcn", "transformer")
WINDOW, HORIZON, DENSE = 24, 6, 2


def shape(kind: str, horizon: int = HORIZON, **settings: Any) -> dict[str, Any]:
    chosen = {"kind": kind, "width": 8, "heads": 2, "dropout": 0.0, **settings}
    return {"window": WINDOW, "horizon": horizon, "dense": DENSE, "settings": chosen}


def windows(rows: int, horizon: int = HORIZON, seed: int = 0) -> Tensor:
    """(B, W, C) with every step known."""
    random = torch.Generator().manual_seed(seed)
    block = torch.randn(rows, WINDOW, DENSE + (2 if horizon else 1), generator=random)
    block[:, :, 1 if horizon else 0] = 1
    return block


def network(kind: str, **settings: Any) -> Network:
    torch.manual_seed(0)
    own = [OwnShape(name="series:y", kind="series", shape=shape(kind, **settings))]
    table = TableShape(dense=DENSE, cardinalities=[], outputs=HORIZON)
    return Network(NetworkShape(table=table, own=own, backbone="linear", settings={}))


def told(made: Network, block: Tensor) -> Tensor:
    dense, codes = torch.zeros(len(block), DENSE), torch.zeros(len(block), 0, dtype=torch.int64)
    outputs: Tensor = made({"dense": dense, "codes": codes, "series:y": block})
    return outputs[:, 0]


def shaken(made: Network) -> Network:
    """As if it were trained: what begins at 0 does not stay there."""
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.05 * torch.randn(weight.shape))
    return made.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_before_it_learns_it_tells_the_last_value(kind: str) -> None:
    block = windows(5)

    answer = told(network(kind).eval(), block)

    assert torch.allclose(answer, block[:, -1, :1].expand(-1, HORIZON), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_higher_level_gives_a_forecast_that_is_as_much_higher(kind: str) -> None:
    made, block = shaken(network(kind)), windows(5)
    higher = block + torch.tensor([3.0, 0, 0, 0])

    assert torch.allclose(told(made, higher), told(made, block) + 3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_centre_it_reads_the_level(kind: str) -> None:
    made, block = shaken(network(kind, center="none")), windows(5)

    assert not torch.allclose(told(made, block + torch.tensor([3.0, 0, 0, 0])), told(made, block) + 3, atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_it_sees_every_step_of_the_label(kind: str) -> None:
    made = shaken(network(kind))
    block = windows(3).requires_grad_()

    told(made, block).sum().backward()  # type: ignore[no-untyped-call]

    assert block.grad is not None
    assert bool((block.grad[:, :, 0].abs().sum(dim=0) > 0).all())


@pytest.mark.parametrize("kind", KINDS[1:])
def test_it_sees_the_other_columns_of_the_window(kind: str) -> None:
    made, block = shaken(network(kind)), windows(3)
    other = block.clone()
    other[:, 3, 2:] += 1

    assert not torch.allclose(told(made, other), told(made, block))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_told_alike_beside_whatever_others(kind: str) -> None:
    made, block = shaken(network(kind)), windows(7)

    assert torch.allclose(told(made, block)[2:3], told(made, block[2:3]), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_before_a_series_began_is_nothing(kind: str) -> None:
    made, block = shaken(network(kind)), windows(4)
    block[:, :10, 1:] = 0
    block[:, :10, 0] = 0
    other = block.clone()
    other[:, :10, 0] = 5  # a value that nobody knew

    assert torch.allclose(told(made, other), told(made, block), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_horizon_it_is_a_vector_for_the_backbone(kind: str) -> None:
    made = SeriesNetwork.of(shape(kind, horizon=0)).eval()

    vector = made(windows(3, horizon=0))

    assert vector.shape == (3, made.width) == (3, 8)
    assert made.direct == 0


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_a_wave(kind: str) -> None:
    at = torch.arange(400, dtype=torch.float32)
    wave = torch.sin(at * 2 * torch.pi / 12)
    places = torch.arange(WINDOW, 300)[:, None]
    block = torch.zeros(len(places), WINDOW, DENSE + 2)
    block[:, :, 0], block[:, :, 1] = wave[places + torch.arange(1 - WINDOW, 1)], 1
    ahead = wave[places + torch.arange(1, HORIZON + 1)]
    made = network(kind)
    optimizer = torch.optim.Adam(made.parameters(), 0.01)

    for _ in range(120):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(told(made, block), ahead)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    persistence = nn.functional.mse_loss(block[:, -1, :1].expand(-1, HORIZON), ahead)
    assert float(loss.detach()) < 0.05 * float(persistence)


def test_the_moving_average_goes_on_past_both_ends_as_the_papers_does() -> None:
    values = torch.randn(2, 1, 30)
    padded = np.pad(values.numpy()[:, 0], ((0, 0), (12, 12)), mode="edge")
    wanted = np.stack([np.convolve(row, np.full(25, 1 / 25), mode="valid") for row in padded])

    assert np.allclose(moving_average(values, 25)[:, 0].numpy(), wanted, atol=1e-6)
    assert moving_average(values, 4).shape == values.shape


def test_trend_and_rest_add_up_to_one_linear_map_of_the_window() -> None:
    made = SeriesNetwork.of(shape("dlinear", center="none")).reader
    assert isinstance(made, DLinear)
    with torch.no_grad():
        made.trend.weight.copy_(torch.randn(HORIZON, WINDOW))
        made.rest.weight.copy_(made.trend.weight)
    block = windows(3)

    assert torch.allclose(made(block), block[:, :, 0] @ made.trend.weight.T, atol=1e-4)

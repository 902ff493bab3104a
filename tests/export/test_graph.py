"""The list of operations: what it computes is what the module computes, for encoders of every modality."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.export import Dim

from pipeline.export import graph, loader
from pipeline.export.program import followed
from pipeline.features.tokens import PADDING
from pipeline.models import encoders

RARENESS = [0.0, *[1.0] * 29]
SERIES = {"window": 12, "horizon": 3, "dense": 2}


def tokens() -> torch.Tensor:
    """Texts of 8 tokens at most, in room for 12."""
    drawn = torch.randint(1, len(RARENESS), (5, 12), dtype=torch.int32)
    drawn[:, 8:] = PADDING
    return drawn


@pytest.mark.parametrize(
    ("modality", "shape", "block"),
    [
        *(
            ("text", {"rareness": RARENESS, "settings": {"kind": kind, "width": 8, "layers": 1}}, tokens())
            for kind in ("mean", "cnn", "transformer")
        ),
        ("text", {"vector": 6, "settings": {"width": 8}}, torch.randn(5, 6)),
        (
            "image",
            {"size": 8, "channels": 1, "mean": [0.5], "deviation": [0.5], "settings": {"width": 4}},
            torch.randint(0, 255, (5, 1, 8, 8)).to(torch.uint8),
        ),
        (
            "audio",
            {"rate": 1000, "samples": 300, "mels": 8, "settings": {"width": 4}},
            torch.randint(-3000, 3000, (5, 300)).to(torch.int16),
        ),
        *(
            ("series", {**SERIES, "settings": {"kind": kind, "width": 8, "layers": 1}}, torch.randn(5, 12, 4))
            for kind in ("dlinear", "gru", "tcn", "transformer")
        ),
    ],
)
def test_an_encoder_as_a_list_of_operations_gives_what_it_gives(
    modality: Any, shape: dict[str, Any], block: torch.Tensor
) -> None:
    torch.manual_seed(0)
    module: Any = encoders.registered()[modality].of(shape)
    module.eval()

    with followed():
        program = torch.export.export(module, (block[:2],), dynamic_shapes=({0: Dim("rows", min=1)},))
    steps, weights = graph.operations(program)

    plain = {**steps, "steps": [step.model_dump() for step in steps["steps"]]}
    (found,) = loader.run(plain, {name: torch.from_numpy(array) for name, array in weights.items()}, [block])
    assert found.numpy() == pytest.approx(module(block).detach().numpy(), abs=1e-5)
    assert len(steps["steps"]) < 200  # a recurrent layer is one of them
    (single,) = loader.run(plain, {name: torch.from_numpy(array) for name, array in weights.items()}, [block[:1]])
    assert single.numpy() == pytest.approx(found[:1].numpy(), abs=1e-5)


def test_only_operations_of_pytorch_are_run() -> None:
    with pytest.raises(ValueError, match="no operation of PyTorch's own"):
        loader.operation("os.system.default")


def test_arguments_that_json_has_not_come_back() -> None:
    for argument in (torch.float64, float("inf"), [1, 2.5, None, True], "mean"):
        assert loader.filled(graph.plain(argument), {}) == argument
    assert np.isnan(loader.filled(graph.plain(float("nan")), {}))

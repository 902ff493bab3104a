"""The whole way from raw columns to the answer as one torch module, which is what is exported.

It does what `pipeline.features` does in NumPy and Polars, and what `pipeline.models.network` does to outputs; whether
it does the same is asked of real rows in each export. Shapes: N rows, M members of an ensemble, K answers a row, J
knots.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.export.columns import NO_MOMENT
from pipeline.features import Encoder
from pipeline.features.numeric import CLIP, LARGEST, NumericEncoder
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Classes, Forecast, Ordinal, Quantiles, Quantity, Tags, Target
from pipeline.features.timestamp import MONDAY, SECONDS, STEP, TimestampEncoder
from pipeline.models import losses
from pipeline.models.network import Network

MICROSECONDS = 1e6


def exact(value: float) -> Tensor:
    """A number that stays float64: of a plain one the exporter to ONNX makes float32."""
    return torch.tensor(value, dtype=torch.float64)


class Number(nn.Module):
    """(N,) float64 numbers, NaN or infinite where missing → (N, 1 or 2) float32, as `NumericEncoder`."""

    knot_J: Tensor
    share_J: Tensor

    def __init__(self, encoder: NumericEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        knots, shares = encoder.distinct_knots() if encoder.knots else (np.zeros(1), np.zeros(1))
        self.register_buffer("knot_J", torch.from_numpy(knots), persistent=False)
        self.register_buffer("share_J", torch.from_numpy(shares), persistent=False)

    def forward(self, value_N: Tensor) -> Tensor:
        known_N = value_N.isfinite()
        held_N = value_N.maximum(exact(-LARGEST)).minimum(exact(LARGEST))
        filled_N = torch.where(known_N, held_N, exact(self.encoder.median))
        scaled_N = self._share(filled_N) if self.encoder.method == "quantile" else self._scaled(filled_N)
        parts = [scaled_N.float(), (~known_N).float()] if self.encoder.indicator else [scaled_N.float()]
        return torch.stack(parts, dim=1)

    def _scaled(self, filled_N: Tensor) -> Tensor:
        return ((filled_N - exact(self.encoder.center)) / exact(self.encoder.scale)).clamp(-CLIP, CLIP)

    def _share(self, filled_N: Tensor) -> Tensor:
        """The line between the two knots around a number, level beyond the outermost, as `np.interp`."""
        if len(self.knot_J) == 1:
            return torch.zeros_like(filled_N) + self.share_J
        after_N = (filled_N.unsqueeze(1) >= self.knot_J).sum(dim=1).clamp(1, len(self.knot_J) - 1)
        low_N, high_N = self.knot_J[after_N - 1], self.knot_J[after_N]
        way_N = ((filled_N - low_N) / (high_N - low_N)).clamp(0.0, 1.0)
        return self.share_J[after_N - 1] + way_N * (self.share_J[after_N] - self.share_J[after_N - 1])


class Moment(nn.Module):
    """(N,) int64 microseconds → (N, 2 * cycles) float32, as `TimestampEncoder`."""

    def __init__(self, encoder: TimestampEncoder) -> None:
        super().__init__()
        self.cycles = encoder.cycles

    def forward(self, moment_N: Tensor) -> Tensor:
        known_N = moment_N != NO_MOMENT
        second_N = moment_N.double() / exact(MICROSECONDS) - exact(MONDAY)
        waves = []
        for cycle in self.cycles:
            turn_N = (second_N / exact(STEP[cycle])).floor() * exact(STEP[cycle]) / exact(SECONDS[cycle])
            angle_N = exact(2 * math.pi) * (turn_N - turn_N.floor())  # a large angle's sine depends on who computes it
            waves += [angle_N.sin() * known_N, angle_N.cos() * known_N]
        return torch.stack(waves, dim=1).float() if waves else torch.zeros(moment_N.shape[0], 0)


READERS: Mapping[str, Callable[[Any], nn.Module]] = {
    "numeric": Number,
    "timestamp": Moment,
    "categorical": lambda _: nn.Identity(),
    "set": lambda _: nn.Identity(),
}


class Answerer(nn.Module):
    """Raw columns by name, categories as their codes → (N, ...) the answer, and (N, K) float64 all that is told.

    What is told is that of `Predictor.answers`. The answer is a class by its place, a number, or of each tag whether it
    is there; `threshold` as `Evaluation` has it.
    """

    def __init__(self, network: Network, fitted: Preprocessor, threshold: float) -> None:
        super().__init__()
        self.network, self.target, self.threshold = network, fitted.target, threshold
        self.focal_gamma = float(network.focal_gamma)
        self.encoders = [encoder for encoder in fitted.encoders if encoder.block != "own"]
        self.readers = nn.ModuleList(READERS[encoder.kind](encoder) for encoder in self.encoders)
        self.own = list(fitted.own)

    def forward(self, columns: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        told_NK = told(self._outputs(self._inputs(columns)).double(), self.target)
        return answer(told_NK, self.target, self.threshold), told_NK

    def _inputs(self, columns: dict[str, Tensor]) -> dict[str, Tensor]:
        rows = next(iter(columns.values())).shape[0]
        dense, codes = [torch.zeros(rows, 0)], [torch.zeros(rows, 0, dtype=torch.int64)]
        for encoder, reader in zip(self.encoders, self.readers, strict=True):
            block = reader(columns[input_name(encoder)])
            if encoder.block == "dense":
                dense.append(block)
            else:
                codes.append(block.unsqueeze(1))
        own = {name: columns[name] for name in self.own}
        return {"dense": torch.cat(dense, dim=1), "codes": torch.cat(codes, dim=1), **own}

    def _outputs(self, inputs: dict[str, Tensor]) -> Tensor:
        """(N, M, K) as `network.corrected` has them."""
        outputs_NMK: Tensor = self.network(inputs)
        unbent = losses.unfocused(outputs_NMK, self.focal_gamma) if self.focal_gamma > 0 else outputs_NMK
        return unbent - self.network.prior_K


def input_name(encoder: Encoder) -> str:
    """What the input of an encoder of dense values or codes is called."""
    return f"set:{encoder.column}" if encoder.kind == "set" else encoder.column


def told(outputs_NMK: Tensor, target: Target) -> Tensor:
    """(N, K) float64 outputs → answers, as `network.answered`."""
    match target:
        case Classes() | Ordinal():
            return (outputs_NMK / exact(target.temperature)).softmax(dim=2).mean(dim=1)
        case Tags():
            return (outputs_NMK / exact(target.temperature)).sigmoid().mean(dim=1)
        case Quantiles():
            return _quantiles(_in_unit(outputs_NMK, target), target)
        case Forecast() if target.groups:
            return outputs_NMK.mean(dim=1)
        case Quantity() | Forecast():
            return _in_unit(outputs_NMK, target)


def _in_unit(outputs_NMK: Tensor, target: Quantity | Quantiles | Forecast) -> Tensor:
    return outputs_NMK.mean(dim=1) * exact(target.scale) + exact(target.center)


def _quantiles(value_NK: Tensor, target: Quantiles) -> Tensor:
    sorted_NK = value_NK.sort(dim=1).values
    if not target.stretch:
        return sorted_NK
    median_N1 = sorted_NK[:, target.median : target.median + 1]
    stretch_K = torch.tensor(target.stretch, dtype=torch.float64)
    return (median_N1 + (sorted_NK - median_N1) * stretch_K).sort(dim=1).values


def answer(told_NK: Tensor, target: Target, threshold: float) -> Tensor:
    """(N, ...) the answer as `target.said` has it: a class by its place, a number, or (N, K) which tags are there."""
    match target:
        case Classes():
            return (told_NK[:, 1] >= exact(threshold)).long() if len(target.classes) == 2 else told_NK.argmax(dim=1)
        case Ordinal():
            return (told_NK.cumsum(dim=1) < exact(0.5)).sum(dim=1).clamp(0, len(target.classes) - 1)
        case Tags():
            return told_NK >= exact(threshold)
        case Quantiles():
            return told_NK[:, target.median]
        case Forecast():
            return told_NK.mean(dim=1)
        case Quantity():
            return told_NK[:, 0]

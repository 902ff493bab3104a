"""Pictures in the network: changed at random in training, scaled by train's mean and deviation, and looked at.

Shapes: B pictures, C channels, S by S pixels, E values of the vector.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features.image import LEVELS, AugmentationSettings, ImageNetworkSettings
from pipeline.models.encoders.residual import ResidualTrunk
from pipeline.models.encoders.vector import VectorNetwork

VECTOR_WIDTHS, VECTOR_DROPOUT = 4, 0.1
VALUES_AT_ONCE = 1 << 23  # that a stage holds in answers: 32 MiB


class ImageShape(Record):
    """What the module is built from: what the column's encoder learnt of train, and the settings."""

    size: int = Field(ge=1)
    channels: Literal[1, 3]
    mean: list[float]
    deviation: list[float]
    settings: ImageNetworkSettings


class ImageNetwork(nn.Module):
    """(B, C, S, S) uint8 → (B, E); of the vectors of a pre-trained network it is a VectorNetwork.

    >>> shape = {"size": 12, "channels": 1, "mean": [0.5], "deviation": [0.5], "settings": {"width": 4}}
    >>> ImageNetwork.of(shape)(torch.zeros(3, 1, 12, 12, dtype=torch.uint8)).shape
    torch.Size([3, 8])
    """

    kind: ClassVar[Modality] = "image"
    mean_C11: Tensor
    deviation_C11: Tensor

    def __init__(self, shape: ImageShape) -> None:
        super().__init__()
        settings = shape.settings
        self.augmentation = settings.augmentation if settings.kind == "resnet" else None
        flat = settings.kind == "flat"
        pixels = shape.channels * shape.size**2
        sizes = {"width": settings.width, "depth": settings.depth}
        trunk = None if flat else ResidualTrunk(shape.channels, shape.size, full=False, **sizes)
        self.trunk = trunk
        self.width = trunk.channels if trunk else pixels
        self.rows_at_once = max(1, VALUES_AT_ONCE // (settings.width * shape.size**2))
        mean, deviation = ([0.0], [1.0]) if flat else (shape.mean, shape.deviation)
        self.register_buffer("mean_C11", torch.tensor(mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("deviation_C11", torch.tensor(deviation).reshape(-1, 1, 1), persistent=False)

    @classmethod
    def of(cls, shape: Mapping[str, Any]) -> Self | VectorNetwork:
        if "vector" in shape:
            settings = ImageNetworkSettings.model_validate(shape["settings"])
            return VectorNetwork(shape["vector"], VECTOR_WIDTHS * settings.width, VECTOR_DROPOUT)
        return cls(ImageShape.model_validate(shape))

    def forward(self, block: Tensor) -> Tensor:
        if self.training or torch.compiler.is_exporting():  # who runs an export says how many rows there are at once
            return self._look(block)
        return torch.cat([self._look(part) for part in torch.split(block, self.rows_at_once)])

    def _look(self, pixels_BCSS: Tensor) -> Tensor:
        light_BCSS = pixels_BCSS.float() / LEVELS
        if self.training and self.augmentation is not None:
            light_BCSS = augmented(light_BCSS, self.augmentation)
        scaled_BCSS = (light_BCSS - self.mean_C11) / self.deviation_C11
        return scaled_BCSS.flatten(1) if self.trunk is None else self.trunk(scaled_BCSS).mean(dim=(2, 3))


def augmented(light_BCSS: Tensor, settings: AugmentationSettings) -> Tensor:
    """Each picture moved, turned, mirrored, lit and erased by itself, at random by torch's own generator.

    Light is in 0..1 and stays there; what is moved in from outside is black.
    """
    moved_BCSS = _moved(light_BCSS, settings)
    return _erased(_lit(moved_BCSS, settings), settings.erased)


ENCODERS = (ImageNetwork,)


def _moved(light_BCSS: Tensor, settings: AugmentationSettings) -> Tensor:
    """Shift, turn and mirror in one resampling; whole pixels without a turn keep every value."""
    turned, mirrored = settings.rotation_degrees > 0, settings.flip != "none"
    if not (settings.shift or turned or mirrored):
        return light_BCSS
    rows, side = len(light_BCSS), light_BCSS.shape[-1]
    shift_B2 = (_within(light_BCSS, rows, 2) * (settings.shift * side)).round() * 2 / side
    angle_B = _within(light_BCSS, rows) * (settings.rotation_degrees * torch.pi / 180)
    x_B, y_B = (_signs(light_BCSS, rows, settings.flip in (way, "both")) for way in ("horizontal", "vertical"))
    first_B3 = torch.stack([angle_B.cos() * x_B, -angle_B.sin() * y_B, shift_B2[:, 0]], dim=1)
    second_B3 = torch.stack([angle_B.sin() * x_B, angle_B.cos() * y_B, shift_B2[:, 1]], dim=1)
    theta_B23 = torch.stack([first_B3, second_B3], dim=1)
    grid_BSS2 = functional.affine_grid(theta_B23, list(light_BCSS.shape), align_corners=False)
    mode = "bilinear" if turned else "nearest"
    return functional.grid_sample(light_BCSS, grid_BSS2, mode=mode, align_corners=False)


def _lit(light_BCSS: Tensor, settings: AugmentationSettings) -> Tensor:
    """Contrast, which is the distance from the picture's mean, and brightness, up or down by a share."""
    if not (settings.brightness or settings.contrast or settings.colour):
        return light_BCSS
    rows, channels = light_BCSS.shape[:2]
    mean_B111 = light_BCSS.mean(dim=(1, 2, 3), keepdim=True)
    contrast_B111 = 1 + settings.contrast * _within(light_BCSS, rows, 1, 1, 1)
    brightness_B111 = 1 + settings.brightness * _within(light_BCSS, rows, 1, 1, 1)
    colour_BC11 = 1 + settings.colour * _within(light_BCSS, rows, channels, 1, 1)
    lit_BCSS = ((light_BCSS - mean_B111) * contrast_B111 + mean_B111) * brightness_B111 * colour_BC11
    return lit_BCSS.clamp(0, 1)


def _erased(light_BCSS: Tensor, share: float) -> Tensor:
    """Every other picture with a square of at most this share of a side in noise (Zhong et al. 2017)."""
    if not share:
        return light_BCSS
    rows, side = len(light_BCSS), light_BCSS.shape[-1]
    draw_B4 = torch.rand(rows, 4, device=light_BCSS.device)
    half_B11 = (draw_B4[:, 0] * (draw_B4[:, 1] < 0.5) * share * side / 2).reshape(-1, 1, 1)
    places_S = torch.arange(side, device=light_BCSS.device) + 0.5
    down_BS1 = (places_S - draw_B4[:, 2:3] * side).abs().unsqueeze(2)
    across_B1S = (places_S - draw_B4[:, 3:4] * side).abs().unsqueeze(1)
    inside_B1SS = ((down_BS1 < half_B11) & (across_B1S < half_B11)).unsqueeze(1)
    return torch.where(inside_B1SS, torch.rand_like(light_BCSS), light_BCSS)


def _within(like: Tensor, *size: int) -> Tensor:
    """Even in -1..1, on the device of `like`."""
    return 2 * torch.rand(size, device=like.device) - 1


def _signs(like: Tensor, rows: int, mirrored: bool) -> Tensor:
    """1, or -1 for every other row where it is mirrored."""
    draw_B = torch.rand(rows, device=like.device)
    return torch.where(draw_B < 0.5, -1.0, 1.0) if mirrored else torch.ones_like(draw_B)

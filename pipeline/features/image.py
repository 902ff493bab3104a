"""Pictures: a column of paths → (N, C, S, S) uint8, each scaled to one size. Brightness is scaled in the network.

A picture takes C x S x S bytes: a million of 28 x 28 in grey are 0.8 GB, in memory and on disk.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import BaseModel, ConfigDict, Field

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features import Block, require_read
from pipeline.features.views import Views
from pipeline.media.arrays import VALUES, read_into, spread, told
from pipeline.media.files import Measures
from pipeline.media.pictures import bombs_refused, is_coloured, picture, plain

if TYPE_CHECKING:
    from PIL.Image import Image

Frame = Literal["pad", "crop"]
Flip = Literal["none", "horizontal", "vertical", "both"]
LARGEST_AUTO = 96  # a network over more pixels takes minutes an epoch of a few thousand pictures on a CPU
LOOKED_AT = 4096  # pictures of train from which size, colour, mean and deviation are learnt
COLOURED_SHARE = 0.01  # a few stamps in red do not make a set of scans a coloured one
LEVELS = 255
NO_PICTURE = 32  # the side where train has none
VIEWED_AT_ONCE = 1024  # pictures in memory on their way through a pre-trained network


class ImageSettings(BaseModel):
    """How pictures become tensors.

    `size`: pixels a side; auto: the median of train's shorter sides, at most 96. `colour`: auto is rgb where more than
    one in a hundred of train's pictures are coloured. `frame`: what is no square is padded with black, or cropped
    around its centre. `pretrained`: the folder of a network for pictures, from the workspace's root, whose vectors are
    used instead, of pictures in the size and colours that it knows (it needs `pip install 'keepfit[pretrained]'`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: Annotated[int, Field(ge=4, le=1024)] | Literal["auto"] = "auto"
    colour: Literal["grey", "rgb", "auto"] = "auto"
    frame: Frame = "pad"
    pretrained: str = ""

    def placed(self, root: Path) -> Self:
        """The same, with the network's folder as it is found from anywhere."""
        return self.model_copy(update={"pretrained": str(root / self.pretrained)}) if self.pretrained else self


class AugmentationSettings(BaseModel):
    """How each picture is changed at random whenever the network sees it in training; 0 and none switch a way off.

    `shift`: up to this share of a side, in whole pixels, both ways; `rotation_degrees`: up to so many, both ways;
    `flip`: only where a mirrored picture keeps its label, so not for digits or letters; `brightness`, `contrast`, and
    `colour`, which is each channel's own brightness: up to this share, both ways; `erased`: in every other picture a
    square of at most this share of a side is set to noise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    shift: float = Field(default=0.1, ge=0, lt=1)
    rotation_degrees: float = Field(default=0.0, ge=0, le=180)
    flip: Flip = "none"
    brightness: float = Field(default=0.1, ge=0, lt=1)
    contrast: float = Field(default=0.1, ge=0, lt=1)
    colour: float = Field(default=0.05, ge=0, lt=1)
    erased: float = Field(default=0.4, ge=0, lt=1)


class ImageNetworkSettings(BaseModel):
    """What looks at a picture in the network.

    `resnet`: stages of `depth` residual blocks, each of half the size and twice the channels of the last, until a side
    is 8 pixels or less; the first, of `width` channels at full size, is one convolution where others follow.
    `flat`: the pixels as they are, each in 0..1.
    Of a pre-trained network's vectors four times `width` values are made, whatever the kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["resnet", "flat"] = "resnet"
    width: int = Field(default=32, ge=4)
    depth: int = Field(default=2, ge=1)
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings)


class ImageEncoder(Record):
    """Paths → pictures of `size` pixels a side, or with `views` their vectors.

    `mean` and `deviation` of each channel, of light in 0..1, are those of at most 4,096 pictures of train, or what the
    pre-trained network knows. A missing path is a picture of the mean colour, or a vector of zeros.
    """

    kind: ClassVar[Modality] = "image"
    block: ClassVar[Block] = "own"
    settings: ClassVar[type[BaseModel]] = ImageSettings
    column: str
    size: int
    channels: Literal[1, 3]
    frame: Frame
    mean: list[float]
    deviation: list[float]
    views: Views | None = None

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, settings: ImageSettings) -> Self:
        """Learn size, colour, mean and deviation from train; raises DataError for a file that cannot be used."""
        if settings.pretrained:
            views = Views.fit(settings.pretrained)
            light = {"size": views.size, "mean": views.mean, "deviation": views.deviation}
            return cls(column=column, channels=3, frame=settings.frame, views=views, **light)
        paths = rows.select(by_name(column).unique()).collect(engine="streaming").to_series().to_list()
        chosen = spread(paths, LOOKED_AT)
        size, channels = _shape(chosen, settings, column)
        blank = cls(column=column, size=size, channels=channels, frame=settings.frame, mean=[], deviation=[])
        mean, deviation = _light(blank.encode(pl.Series(column, chosen, dtype=pl.String)), channels)
        return blank.model_copy(update={"mean": mean, "deviation": deviation})

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) paths → (N, C, S, S) uint8 or (N, E) float32; raises DataError for a file that cannot be used."""
        block, faults = self.read_files(values)
        require_read(faults, self.column)
        return block

    def read_files(self, values: pl.Series) -> tuple[np.ndarray, dict[int, str]]:
        """(N,) paths → as encode, and what is wrong with a file, by its row: that is as if it were missing."""
        return self._pictures(values) if self.views is None else self._vectors(values, self.views)

    def _vectors(self, values: pl.Series, views: Views) -> tuple[np.ndarray, dict[int, str]]:
        vectors_NE = np.zeros((len(values), views.width), dtype=np.float32)
        faults: dict[int, str] = {}
        for start in range(0, len(values), VIEWED_AT_ONCE):
            part = values.slice(start, VIEWED_AT_ONCE)
            pictures_BCSS, found = self._pictures(part)
            shown_B = part.is_not_null().to_numpy() & ~np.isin(np.arange(len(part)), list(found))
            vectors_NE[start + np.flatnonzero(shown_B)] = views.encode(pictures_BCSS[shown_B])
            faults |= {start + row: fault for row, fault in found.items()}
        return vectors_NE, faults

    def _pictures(self, values: pl.Series) -> tuple[np.ndarray, dict[int, str]]:
        pictures_NCSS = np.empty((len(values), self.channels, self.size, self.size), dtype=np.uint8)
        mean_C = self.mean or [0.0] * self.channels
        pictures_NCSS[:] = np.rint(np.array(mean_C) * LEVELS).astype(np.uint8).reshape(1, -1, 1, 1)
        framed = partial(_framed, size=self.size, channels=self.channels, frame=self.frame)
        with bombs_refused():
            faults = read_into(pictures_NCSS, values.to_list(), partial(picture, see=framed))
        return pictures_NCSS, faults

    def network(self, settings: BaseModel) -> dict[str, Any]:
        """Its shape, and the mean and deviation by which the network scales it."""
        shape = {"size": self.size, "channels": self.channels, "mean": self.mean, "deviation": self.deviation}
        learnt = shape if self.views is None else {"vector": self.views.width}
        return {**learnt, "settings": settings.model_dump(mode="json")}


ENCODERS = (ImageEncoder,)


def _shape(paths: Sequence[str], settings: ImageSettings, column: str) -> tuple[int, Literal[1, 3]]:
    """The side in pixels, and how many channels there are."""
    if settings.size != "auto" and settings.colour != "auto":
        return settings.size, 1 if settings.colour == "grey" else 3
    with bombs_refused():
        seen = list(told(paths, partial(picture, see=_extent)))
    require_read({row: f"{found['path']} {found['fault']}" for row, found in enumerate(seen) if found["fault"]}, column)
    sides = sorted(found["side"] for found in seen) or [NO_PICTURE]
    coloured = sum(found["coloured"] for found in seen) > COLOURED_SHARE * len(seen)
    size = min(LARGEST_AUTO, max(4, sides[len(sides) // 2])) if settings.size == "auto" else settings.size
    return size, 3 if settings.colour == "rgb" or (settings.colour == "auto" and coloured) else 1


def _extent(image: "Image") -> Measures:
    side, small = min(image.size), plain(image, LARGEST_AUTO)
    small.thumbnail((LARGEST_AUTO, LARGEST_AUTO))
    return {"side": side, "coloured": is_coloured(np.asarray(small, dtype=np.float32) / LEVELS)}


def _framed(image: "Image", *, size: int, channels: int, frame: Frame) -> Measures:
    """The picture as (C, S, S) uint8."""
    from PIL import ImageOps

    seen = plain(image, size)
    if seen.size != (size, size):
        seen = (ImageOps.fit if frame == "crop" else ImageOps.pad)(seen, (size, size))
    pixels = np.asarray(seen.convert("L") if channels == 1 else seen, dtype=np.uint8)
    return {VALUES: pixels.reshape(size, size, channels).transpose(2, 0, 1)}


def _light(pictures_NCSS: np.ndarray, channels: int) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel, in 0..1; whole numbers are summed, so that no order matters."""
    if not len(pictures_NCSS):
        return [0.0] * channels, [1.0] * channels
    levels = np.arange(LEVELS + 1, dtype=np.float64) / LEVELS
    counts_CL = np.stack([np.bincount(pictures_NCSS[:, c].ravel(), minlength=LEVELS + 1) for c in range(channels)])
    shares_CL = counts_CL / counts_CL.sum(axis=1, keepdims=True)
    mean_C = shares_CL @ levels
    spread_C = np.sqrt((shares_CL * (levels - mean_C[:, None]) ** 2).sum(axis=1))
    return mean_C.tolist(), np.where(spread_C > 0, spread_C, 1.0).tolist()

"""Image checks: files that are no pictures, pictures of another make than their set, and pictures that stand twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.media.copies import copies
from pipeline.media.telling import ODD, WITHIN_SET, Share, modified_z, repeated, unlike, unusable
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.tables.frames import worded


@dataclass(frozen=True, kw_only=True)
class ImageCorruptFile:
    """Which pictures cannot be read: absent, empty, cut short, damaged, or no picture at all?"""

    policy: Policy = "quarantine"
    name: ClassVar[str] = "image_corrupt_file"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: each file is decoded to its end"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        words, suggestion = "unreadable", "bring whole files, or leave the rows out"
        yield from unusable(table, "image", self.name, refused=False, words=words, suggestion=suggestion)


@dataclass(frozen=True, kw_only=True)
class ImageUnsupportedOrTooBig:
    """Which pictures are of a format that is not read, or so large that they are not unpacked?"""

    policy: Policy = "quarantine"
    name: ClassVar[str] = "image_unsupported_or_too_big"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "89,478,485 pixels, a quarter of a GiB: where Pillow warns of a decompression bomb"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        words, suggestion = "of a format that is not read, or too large", "convert them to PNG or JPEG of a usual size"
        yield from unusable(table, "image", self.name, refused=True, words=words, suggestion=suggestion)


@dataclass(frozen=True, kw_only=True)
class ImageOddSize:
    """Which pictures have another size than nearly all others, or a size far from the usual?"""

    usual_share: Share = 0.9
    maximum_ratio: Annotated[float, Field(gt=1)] = 4
    policy: Policy = "warn"
    name: ClassVar[str] = "image_odd_size"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = f"any other size where nine in ten share one; else four times the usual side, {WITHIN_SET}"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        width, height = pl.col("width"), pl.col("height")
        alike = pl.len().over(pl.min_horizontal(width, height), pl.max_horizontal(width, height))  # on its side too
        side = (width * height).log() / 2
        far = ((side - side.median()).abs() > pl.lit(self.maximum_ratio).log()) & (modified_z(side).abs() > ODD)
        uniform = alike.max() >= self.usual_share * pl.len()
        yield from unlike(
            table,
            "image",
            self.name,
            pl.when(uniform).then(alike < alike.max()).otherwise(far),
            value=worded("{} x {}", width, height),
            words="of another size than most",
            suggestion="find out where they come from: scaled up or down they will not look like the others",
            threshold=self.maximum_ratio,
            usual=True,
        )


@dataclass(frozen=True, kw_only=True)
class ImageOddAspect:
    """Which pictures are strips, far wider than high or higher than wide, unlike the rest of the set?"""

    minimum_ratio: Share = 0.35
    policy: Policy = "warn"
    name: ClassVar[str] = "image_odd_aspect"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = f"short side by long side below 0.35, cleanvision's default, {WITHIN_SET}"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        aspect = pl.col("width") / pl.col("height")
        ratio = pl.min_horizontal(aspect, 1 / aspect)
        yield from unlike(
            table,
            "image",
            self.name,
            (ratio < self.minimum_ratio) & (modified_z(aspect.log()).abs() > ODD),
            value=worded("{} x {}", "width", "height"),
            words=f"too narrow: one side is below {self.minimum_ratio:.0%} of the other, unlike in the rest",
            suggestion="crop them: squeezed into the shape of the others they are distorted",
            threshold=self.minimum_ratio,
        )


@dataclass(frozen=True, kw_only=True)
class ImageGrayscale:
    """Which pictures are grey among coloured ones, or coloured among grey ones?"""

    usual_share: Share = 0.9
    policy: Policy = "warn"
    name: ClassVar[str] = "image_grayscale"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "where nine in ten are of one kind the others are few; natural in old photographs: info"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        coloured = pl.col("coloured")
        few = coloured == (coloured.mean() < 0.5)
        yield from unlike(
            table,
            "image",
            self.name,
            few & (few.mean() <= 1 - self.usual_share),
            value=pl.when(coloured).then(pl.lit("coloured")).otherwise(pl.lit("grey")),
            words="grey where the rest is coloured, or coloured where it is grey",
            suggestion="give all the same number of channels, and see that colour does not tell the label",
            threshold=1 - self.usual_share,
            severity="info",
        )


@dataclass(frozen=True, kw_only=True)
class ImageExactOrNearDuplicate:
    """Which pictures repeat an earlier one, byte for byte or to the eye (another encoding, size or brightness)?"""

    minimum_correlation: Share = 0.995
    policy: Policy = "warn"
    name: ClassVar[str] = "image_exact_or_near_duplicate"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = (
        "hashes (pHash, Zauner 2010) within 8 of 64 bits, then a correlation of 0.995 at 32 by 32 pixels: "
        "another encoding of a photograph keeps 0.999, two printed pages of one layout stay below 0.99"
    )

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        same_pictures = partial(copies, minimum_correlation=self.minimum_correlation)
        yield from repeated(table, "image", self.name, same_pictures, threshold=self.minimum_correlation)


CHECKS = (
    ImageCorruptFile,
    ImageUnsupportedOrTooBig,
    ImageOddSize,
    ImageOddAspect,
    ImageGrayscale,
    ImageExactOrNearDuplicate,
)

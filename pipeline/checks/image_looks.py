"""Image checks: pictures that look unlike their set: dark, light, blurred, blank, or of another light or colour."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.media.pictures import BLANK
from pipeline.media.telling import FAR, ODD, WITHIN_SET, Share, modified_z, unlike
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.tables.frames import worded

SHOWS = pl.col("contrast") >= BLANK  # a blank picture is told as blank, and not as dark or light too


@dataclass(frozen=True, kw_only=True)
class ImageDark:
    """Which pictures are dark even where they are lightest, and darker than the rest of the set?"""

    maximum_light: Share = 0.32
    policy: Policy = "warn"
    name: ClassVar[str] = "image_dark"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = f"99th percentile of light below 0.32, cleanvision's default, {WITHIN_SET}"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        light = pl.col("highest")
        yield from unlike(
            table,
            "image",
            self.name,
            SHOWS & (light < self.maximum_light) & (modified_z(light) < -ODD),
            value=_percent(light),
            words=f"dark: 99% of each is below {self.maximum_light:.0%} of white, unlike in the rest",
            suggestion="look at them: light them up, or leave them out",
            threshold=self.maximum_light,
        )


@dataclass(frozen=True, kw_only=True)
class ImageLight:
    """Which pictures are light even where they are darkest, and lighter than the rest of the set?"""

    minimum_light: Share = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "image_light"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = f"5th percentile of light above 0.95, cleanvision's default, {WITHIN_SET}"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        light = pl.col("lowest")
        yield from unlike(
            table,
            "image",
            self.name,
            SHOWS & (light > self.minimum_light) & (modified_z(light) > ODD),
            value=_percent(light),
            words=f"washed out: 95% of each is above {self.minimum_light:.0%} of white, unlike in the rest",
            suggestion="look at them: they are overexposed, or hardly printed on",
            threshold=self.minimum_light,
        )


@dataclass(frozen=True, kw_only=True)
class ImageBlurry:
    """Which pictures have no fine detail, unlike the rest of the set?"""

    maximum_sharpness: Annotated[float, Field(ge=0)] = 0.2
    policy: Policy = "warn"
    name: ClassVar[str] = "image_blurry"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = (
        "deviation of the Laplacian (Pech-Pacheco 2000) by that of light below 0.2, at 128 pixels a side: "
        f"nothing finer than waves of 14 pixels; sharp photographs have 0.5 and more, {WITHIN_SET}"
    )

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        sharp = pl.col("sharpness")
        yield from unlike(
            table,
            "image",
            self.name,
            SHOWS & (sharp < self.maximum_sharpness) & (modified_z(sharp.log()) < -ODD),
            value=worded("sharpness {}", sharp.round(3)),
            words="blurred, with no fine detail, unlike the rest",
            suggestion="look at them: take them again, or leave them out",
            threshold=self.maximum_sharpness,
        )


@dataclass(frozen=True, kw_only=True)
class ImageLowInformation:
    """Which pictures are blank, or have far fewer shades than the rest of the set?"""

    minimum_entropy_bits: Annotated[float, Field(ge=0, le=8)] = 1.5
    policy: Policy = "warn"
    name: ClassVar[str] = "image_low_information"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = f"entropy below 1.5 bits, the default of cleanlab's Datalab, {WITHIN_SET}; blank always"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        bits = pl.col("entropy")
        yield from unlike(
            table,
            "image",
            self.name,
            ~SHOWS | ((bits < self.minimum_entropy_bits) & (modified_z(bits) < -ODD)),
            value=worded("{} bits", bits.round(2)),
            words="blank, or nearly so",
            suggestion="leave them out: nothing can be learnt from them",
            threshold=self.minimum_entropy_bits,
        )


@dataclass(frozen=True, kw_only=True)
class ImagePropertyOutlier:
    """Which pictures are far from the rest in light, contrast, area, shape, or their share of red, green or blue?"""

    minimum_z: Annotated[float, Field(gt=0)] = FAR
    policy: Policy = "warn"
    name: ClassVar[str] = "image_property_outlier"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "twice the modified z of Iglewicz and Hoaglin (1993), as seven properties are asked"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        width, height = pl.col("width"), pl.col("height")
        properties = {name: pl.col(name) for name in ("brightness", "contrast", "red", "green", "blue")}
        properties |= {"area": (width * height).log(), "aspect": (width / height).log()}
        far = {name: modified_z(value).abs() > self.minimum_z for name, value in properties.items()}
        names = [pl.when(odd).then(pl.lit(name)) for name, odd in far.items()]
        yield from unlike(
            table,
            "image",
            self.name,
            SHOWS & pl.any_horizontal(far.values()),
            value=pl.concat_str(names, separator=", ", ignore_nulls=True),
            words="far from the rest in light, contrast, colour, area or shape",
            suggestion="look at them: they may come from another source",
            threshold=self.minimum_z,
            severity="info",
        )


CHECKS = (ImageDark, ImageLight, ImageBlurry, ImageLowInformation, ImagePropertyOutlier)


def _percent(light: pl.Expr) -> pl.Expr:
    return worded("{}% of white", (100 * light).round(1))

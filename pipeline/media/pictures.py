"""What pictures are like: size, light, sharpness, colour, and a hash that survives another encoding.

Only the formats named here are tried, a header that asks for too much is refused before anything is unpacked, and what
a decoder raises is the file's fault. Some 1.2 kB are kept of each picture.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.media.files import FILE_SCHEMA, Measures, faulty, measured
from pipeline.runtime.warning_filters import own_filters

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")  # EPS would start Ghostscript
MAXIMUM_PIXELS = (1 << 28) // 3  # a quarter of a GiB at three bytes a pixel: where Pillow begins to warn of bombs
SEEN_SIDE = 128  # what a picture is like is measured on a copy of at most this many pixels a side
HASHED_SIDE = 32
HASH_SIDE = 8
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
BLANK = 0.01  # a deviation of light of 2.5 in 256 levels: no eye sees it on a screen
COLOURED = 0.05  # a grey picture stays exactly grey in JPEG; dust and rounding stay below
# Pillow's decoders raise whatever their arithmetic on a damaged file leads to
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(EOFError, RuntimeError, AssertionError, MemoryError, struct.error, zlib.error),
)

PICTURE_SCHEMA = pl.Schema(
    {
        **FILE_SCHEMA,
        "width": pl.Int64(),
        "height": pl.Int64(),
        "coloured": pl.Boolean(),
        **dict.fromkeys(("brightness", "highest", "lowest", "contrast", "entropy", "sharpness"), pl.Float64()),
        **dict.fromkeys(("red", "green", "blue"), pl.Float64()),
        "hash": pl.UInt64(),
        "small": pl.Binary(),
    }
)


def pictures(rows: pl.LazyFrame, column: str, base: Path) -> pl.DataFrame:
    """The pictures of `column`: row_id and `PICTURE_SCHEMA`, as `files.measured`.

    Light in 0..1: its mean, its 99th and 5th percentile (`highest`, `lowest`), its deviation (`contrast`); `entropy`
    in bits; the shares of `red`, `green` and `blue`. Of several frames the first is seen, what is transparent is white.
    """
    with bombs_refused():
        return measured(rows, column, base, partial(picture, see=_measures), PICTURE_SCHEMA)


@contextmanager
def bombs_refused() -> Iterator[None]:
    """Make Pillow's warning of a bomb an error, in the threads that are started inside too."""
    from PIL import Image

    with own_filters():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def perceptual_hash(grey_HW: Any) -> int:
    """64 bits: which of the 8 by 8 lowest frequencies of the cosine transform lie above their median (Zauner 2010).

    >>> ramp = np.arange(1024).reshape(32, 32)
    >>> (perceptual_hash(ramp) ^ perceptual_hash(ramp // 2 + 7)).bit_count() <= 2
    True
    """
    from scipy.fft import dctn

    low = dctn(np.asarray(grey_HW, dtype=np.float64), norm="ortho")[:HASH_SIDE, :HASH_SIDE].ravel()
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes(), "big")


def picture(content: bytes, path: str, *, see: Callable[["Image"], Measures]) -> Measures:
    """What `see` says of a picture; a fault where it is none, is damaged, or asks for too much.

    To be called inside `bombs_refused`; `path` is where it came from.
    """
    from PIL import Image, UnidentifiedImageError

    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]  # a build of Pillow may lack some
    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            if image.width * image.height > MAXIMUM_PIXELS:
                return faulty(f"asks for more than {MAXIMUM_PIXELS:,} pixels", refused=True)
            return see(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return faulty(f"asks for more than {MAXIMUM_PIXELS:,} pixels", refused=True)
    except UnidentifiedImageError:
        named = Image.registered_extensions().get(Path(path).suffix.lower())
        foreign = named is not None and named not in formats
        return faulty(f"is {named}, which is not read", refused=True) if foreign else faulty("is no picture")
    except DAMAGE as error:
        return faulty("is cut short" if "truncated" in str(error) else "is damaged")


def _measures(image: "Image") -> Measures:
    width, height, small = image.width, image.height, plain(image, SEEN_SIDE)
    small.thumbnail((SEEN_SIDE, SEEN_SIDE))
    rgb_HWC = np.asarray(small, dtype=np.float32) / 255
    luma_HW = rgb_HWC @ LUMA
    highest, lowest = np.percentile(luma_HW, [99, 5])
    colours = rgb_HWC.reshape(-1, 3).mean(axis=0, dtype=np.float64)
    shares = colours / colours.sum() if colours.any() else np.full(3, 1 / 3)
    hashed = small.convert("L").resize((HASHED_SIDE, HASHED_SIDE), 2)  # 2: bilinear, over all that a pixel covers
    return {
        "width": width,
        "height": height,
        "coloured": is_coloured(rgb_HWC),
        "brightness": float(luma_HW.mean(dtype=np.float64)),
        "highest": float(highest),
        "lowest": float(lowest),
        "contrast": float(luma_HW.std(dtype=np.float64)),
        "entropy": _entropy(luma_HW),
        "sharpness": _sharpness(luma_HW),
        **dict(zip(("red", "green", "blue"), shares.tolist(), strict=True)),
        "hash": perceptual_hash(hashed),
        "small": hashed.tobytes(),
    }


def is_coloured(rgb_HWC: Any) -> bool:
    """Whether a pixel's red, green and blue, each in 0..1, lie further apart than dust and rounding make them."""
    return bool(np.ptp(rgb_HWC, axis=2).max(initial=0) > COLOURED)


def plain(image: "Image", side: int) -> "Image":
    """The picture as RGB of 8 bits, on white where it is transparent; none of its sides is cut below twice `side`."""
    from PIL import Image

    image.draft("RGB", (2 * side, 2 * side))  # JPEG alone: it unpacks fewer pixels, many times faster
    image.load()
    if image.mode.startswith(("I", "F")):  # more than 8 bits: Pillow would cut them off instead of scaling
        seen: Image.Image = Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64)))
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        seen = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    else:
        seen = image
    return seen.convert("RGB")


def _eight_bits(values: "NDArray[np.float64]") -> Any:
    """Numbers by the range that holds the largest: 0..1, or 8, 16 or 32 bits; what is not finite or below 0 is 0.

    >>> _eight_bits(np.array([0.0, 32768.0, 65535.0])).tolist()
    [0, 128, 255]
    """
    numbers = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0).clip(min=0)
    largest = float(numbers.max(initial=0))
    limit = next((limit for limit in (1, 2**8 - 1, 2**16 - 1, 2**32 - 1) if largest <= limit), largest)
    return np.rint(numbers * (255 / limit)).astype(np.uint8)


def _entropy(luma_HW: Any) -> float:
    """Shannon's entropy of the 256 levels of grey, in bits."""
    counts = np.bincount(np.rint(luma_HW * 255).astype(np.uint8).ravel(), minlength=256)
    shares = counts[counts > 0] / luma_HW.size
    return max(0.0, float(-(shares * np.log2(shares)).sum()))


def _sharpness(luma_HW: Any) -> float | None:
    """The deviation of the Laplacian (Pech-Pacheco 2000) by that of the picture; null where it is blank or tiny.

    White noise has 4.5. With nothing finer than waves of n pixels it is about (2 pi / n)^2: 0.2 for 14.
    """
    contrast = float(luma_HW.std(dtype=np.float64))
    if min(luma_HW.shape) < 3 or contrast < 1e-3:
        return None
    around = luma_HW[:-2, 1:-1] + luma_HW[2:, 1:-1] + luma_HW[1:-1, :-2] + luma_HW[1:-1, 2:]
    return float((around - 4 * luma_HW[1:-1, 1:-1]).std(dtype=np.float64)) / contrast

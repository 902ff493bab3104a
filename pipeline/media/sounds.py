"""What sounds are like: rate, length, loudness, what is cut off at full scale, and a digest of what is heard.

A sound is decoded block by block; what a decoder raises is the file's fault. Some 100 bytes are kept of each.
"""

import hashlib
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.media.files import FILE_SCHEMA, Measures, faulty, measured

if TYPE_CHECKING:
    from soundfile import SoundFile

MAXIMUM_SAMPLES = 1 << 30  # over three hours of 44.1 kHz stereo
FULL_SCALE = 0.98  # mu-law, the coarsest common coding, ends at 0.9804
FLAT = 3  # samples in a row at full scale: what meters count as an over
BLOCK = 1 << 16
FOREIGN = (".aac", ".amr", ".m4a", ".mp4", ".wma")  # sound, but not for libsndfile

SOUND_SCHEMA = pl.Schema(
    {
        **FILE_SCHEMA,
        "rate": pl.Int64(),
        "channels": pl.Int64(),
        "seconds": pl.Float64(),
        "peak": pl.Float64(),
        "clipped": pl.Float64(),
        "heard": pl.Binary(),
    }
)


def sounds(rows: pl.LazyFrame, column: str, base: Path) -> pl.DataFrame:
    """The sounds of `column`: row_id and `SOUND_SCHEMA`, as `files.measured`.

    `peak` is the loudest sample (full scale is 1), `clipped` the share of samples that are flat at full scale, `heard`
    a digest of the samples, whatever else stands in the file.
    """
    return measured(rows, column, base, partial(sound, hear=_measures), SOUND_SCHEMA)


class _Bytes(io.BytesIO):
    """A damaged header asks for places before the start: an error in the library's callback would be printed."""

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        return super().seek(max(place, 0) if whence == io.SEEK_SET else place, whence)


def sound(content: bytes, path: str, *, hear: Callable[["SoundFile"], Measures]) -> Measures:
    """What `hear` says of a sound; a fault where it is none, is damaged, or asks for too much."""
    import soundfile

    try:
        with soundfile.SoundFile(_Bytes(content)) as file:
            if file.frames * file.channels > MAXIMUM_SAMPLES:
                return faulty(f"asks for more than {MAXIMUM_SAMPLES:,} samples", refused=True)
            if file.frames == 0:
                return faulty("holds no sound")
            if wav_is_cut(content):
                return faulty("is cut short")
            return hear(file)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError, RuntimeError):
        if path.lower().endswith(FOREIGN):
            return faulty("is of a format that is not read", refused=True)
        return faulty("is damaged, or no sound")


def _measures(file: "SoundFile") -> Measures:
    """The measures of a sound; a fault where fewer samples come than the header promises."""
    digest, peak, clipped, frames = hashlib.blake2b(digest_size=16), 0.0, 0, 0
    for block_FC in file.blocks(BLOCK, dtype="float32", always_2d=True):
        digest.update(block_FC.tobytes())
        peak = max(peak, float(np.abs(np.nan_to_num(block_FC)).max(initial=0)))
        clipped += _flat(block_FC)
        frames += len(block_FC)
    if frames < file.frames:
        return faulty("is cut short")
    digest.update(f"{file.samplerate} {file.channels}".encode())
    share = clipped / (frames * file.channels)
    return {
        "rate": file.samplerate,
        "channels": file.channels,
        "seconds": frames / file.samplerate,
        "peak": peak,
        "clipped": share,
        "heard": digest.digest(),
    }


def _flat(block_FC: Any) -> int:
    """Samples in runs of at least `FLAT` equal ones at full scale; a run ends with its block.

    >>> _flat(np.array([[0.2], [1.0], [1.0], [1.0], [1.0], [0.5]]))
    4
    """
    same_FC = (np.abs(block_FC[1:]) >= FULL_SCALE) & (block_FC[1:] == block_FC[:-1])
    edges = np.diff(np.pad(same_FC.astype(np.int8), ((1, 1), (0, 0))), axis=0).T.ravel()  # each channel ends with 0
    pairs = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return int((pairs[pairs >= FLAT - 1] + 1).sum())


def wav_is_cut(content: bytes) -> bool:
    """Whether the data chunk of a WAV says that it is longer than what is there; 0 and -1 are a stream's 'unknown'.

    libsndfile reads what is there without a word. A chunk is four letters, its size, and its bytes padded to an even
    number (RIFF, 1991).
    """
    place = 12 if content.startswith(b"RIFF") else len(content)
    while place + 8 <= len(content):
        name, size = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        if name == b"data":
            return size not in (0, 2**32 - 1) and place + 8 + size > len(content)
        place += 8 + size + size % 2
    return False

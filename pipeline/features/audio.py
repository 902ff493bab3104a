"""Sounds: a column of paths → (N, T) int16, one channel at one rate and of one length. The network hears log-mel.

A second at 8 kHz takes 16 kB: a hundred thousand sounds of a second are 1.6 GB, in memory and on disk.
"""

import math
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import BaseModel, ConfigDict, Field

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features import Block, require_read
from pipeline.media.arrays import VALUES, read_into, spread, told
from pipeline.media.files import Measures
from pipeline.media.sounds import sound

if TYPE_CHECKING:
    from soundfile import SoundFile

HIGHEST_AUTO = 16_000  # speech, and most that is to be told by ear, lies below its 8 kHz
LONGEST_AUTO = 30.0
LENGTH_SHARE = 0.95
LOOKED_AT = 4096  # sounds of train from which rate and length are learnt
FULL = 32_767
SETTLING_SECONDS = 0.05  # read past the end, so that the resampling filter ends on what is there


class AudioSettings(BaseModel):
    """How sounds become tensors.

    `rate`: samples a second; auto: what most of train's sounds have, at most 16,000. `seconds`: what is longer is cut,
    what is shorter is followed by silence; auto: as long as 95 in 100 of train's sounds, at most 30. `mels`: how many
    bands of pitch the network hears.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rate: Annotated[int, Field(ge=1000, le=192_000)] | Literal["auto"] = "auto"
    seconds: Annotated[float, Field(gt=0, le=600)] | Literal["auto"] = "auto"
    mels: int = Field(default=64, ge=8, le=256)


class AudioNetworkSettings(BaseModel):
    """What hears a sound in the network: residual blocks over the log-mel spectrogram, as over a picture.

    The first stage has `width` channels, and each has `depth` blocks.

    In training only, each at random: `shift`: the sound is moved by up to this share of its length; `masked_mels` and
    `masked_seconds`: a band of up to this share of the mels, and a stretch of up to this share of the length, are
    silenced, twice each (SpecAugment, Park et al. 2019).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    width: int = Field(default=16, ge=4)
    depth: int = Field(default=1, ge=1)
    shift: float = Field(default=0.1, ge=0, lt=1)
    masked_mels: float = Field(default=0.15, ge=0, lt=1)
    masked_seconds: float = Field(default=0.15, ge=0, lt=1)


class AudioEncoder(Record):
    """Paths → sounds of `samples` samples at `rate`; a missing path is silence."""

    kind: ClassVar[Modality] = "audio"
    block: ClassVar[Block] = "own"
    settings: ClassVar[type[BaseModel]] = AudioSettings
    column: str
    rate: int
    samples: int
    mels: int

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, settings: AudioSettings) -> Self:
        """Learn rate and length from train; raises DataError for a file that cannot be used."""
        paths = rows.select(by_name(column).unique()).collect(engine="streaming").to_series().to_list()
        seen = list(told(spread(paths, LOOKED_AT), partial(sound, hear=_extent)))
        faults = {row: f"{found['path']} {found['fault']}" for row, found in enumerate(seen) if found["fault"]}
        require_read(faults, column)
        rate = _usual_rate([found["rate"] for found in seen]) if settings.rate == "auto" else settings.rate
        seconds = _length([found["seconds"] for found in seen]) if settings.seconds == "auto" else settings.seconds
        return cls(column=column, rate=rate, samples=max(1, math.ceil(seconds * rate)), mels=settings.mels)

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) paths → (N, T) int16; raises DataError for a file that cannot be used."""
        sounds_NT, faults = self.read_files(values)
        require_read(faults, self.column)
        return sounds_NT

    def read_files(self, values: pl.Series) -> tuple[np.ndarray, dict[int, str]]:
        """(N,) paths → (N, T) int16, and what is wrong with a file, by its row: that is silence."""
        sounds_NT = np.zeros((len(values), self.samples), dtype=np.int16)
        hear = partial(_heard, rate=self.rate, samples=self.samples)
        return sounds_NT, read_into(sounds_NT, values.to_list(), partial(sound, hear=hear))

    def network(self, settings: BaseModel) -> dict[str, Any]:
        """Its rate, length and bands."""
        learnt = {"rate": self.rate, "samples": self.samples, "mels": self.mels}
        return {**learnt, "settings": settings.model_dump(mode="json")}


ENCODERS = (AudioEncoder,)


def _extent(file: "SoundFile") -> Measures:
    return {"rate": file.samplerate, "seconds": file.frames / file.samplerate}


def _usual_rate(rates: list[int]) -> int:
    """The rate that most have, the higher one of two."""
    counts = Counter(rates)
    return min(HIGHEST_AUTO, max(counts, key=lambda rate: (counts[rate], rate), default=HIGHEST_AUTO))


def _length(seconds: list[float]) -> float:
    """The length that 95 in 100 do not exceed: a second where there are none."""
    ordered = sorted(seconds) or [1.0]
    return min(LONGEST_AUTO, ordered[math.ceil(LENGTH_SHARE * len(ordered)) - 1])


def _heard(file: "SoundFile", *, rate: int, samples: int) -> Measures:
    """The first `samples` samples at `rate`, of the mean of the channels, as (T,) int16."""
    from scipy.signal import resample_poly

    wanted = math.ceil((samples / rate + SETTLING_SECONDS) * file.samplerate)
    heard_F = np.nan_to_num(file.read(wanted, dtype="float32", always_2d=True)).mean(axis=1)
    shared = math.gcd(rate, file.samplerate)
    if rate != file.samplerate:
        heard_F = resample_poly(heard_F, rate // shared, file.samplerate // shared)
    sound_T = np.zeros(samples, dtype=np.int16)
    kept = heard_F[:samples]
    sound_T[: len(kept)] = np.rint(kept.clip(-1, 1) * FULL)
    return {VALUES: sound_T}

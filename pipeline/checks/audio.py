"""Sound checks: files that are no sounds, and sounds that are silent, cut off, of another rate or length, or twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.contract import ROW_ID
from pipeline.media.telling import ODD, WITHIN_SET, Share, modified_z, repeated, unlike, unusable
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.tables.frames import worded


@dataclass(frozen=True, kw_only=True)
class AudioUnreadable:
    """Which sounds cannot be read: absent, empty, cut short, damaged, or no sound at all?"""

    policy: Policy = "quarantine"
    name: ClassVar[str] = "audio_unreadable"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: each file is decoded to its end"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        suggestion = "bring whole files, as WAV, FLAC, OGG or MP3, or leave the rows out"
        yield from unusable(table, "audio", self.name, refused=False, words="unreadable", suggestion=suggestion)


@dataclass(frozen=True, kw_only=True)
class AudioUnsupportedOrTooBig:
    """Which sounds are of a format that is not read, or so large that they are not unpacked?"""

    policy: Policy = "quarantine"
    name: ClassVar[str] = "audio_unsupported_or_too_big"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "2^30 samples, some three hours of 44.1 kHz stereo, or 512 MiB; AAC and AMR are not read"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        words, suggestion = (
            "of a format that is not read, or too large",
            "convert them to FLAC or WAV, or cut them",
        )
        yield from unusable(table, "audio", self.name, refused=True, words=words, suggestion=suggestion)


@dataclass(frozen=True, kw_only=True)
class AudioSilence:
    """Which sounds are silent from end to end?"""

    maximum_peak: Share = 0.001
    policy: Policy = "warn"
    name: ClassVar[str] = "audio_silence"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no sample above -60 dB of full scale, and below a tenth of the set's usual peak; or all 0"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        peak = pl.col("peak")
        yield from unlike(
            table,
            "audio",
            self.name,
            (peak == 0) | ((peak < self.maximum_peak) & (peak < peak.median() / 10)),
            value=worded("peak {}", peak.round(6)),
            words="silent",
            suggestion="leave them out, or record them again with the microphone on",
            threshold=self.maximum_peak,
        )


@dataclass(frozen=True, kw_only=True)
class AudioClipping:
    """Which sounds are cut off at full scale, as they were recorded too loud?"""

    maximum_share: Share = 0.001
    policy: Policy = "warn"
    name: ClassVar[str] = "audio_clipping"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "a thousandth of the samples flat at full scale, three and more in a row: an over on meters"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        clipped = pl.col("clipped")
        yield from unlike(
            table,
            "audio",
            self.name,
            clipped > self.maximum_share,
            value=worded("{}% cut off", (100 * clipped).round(2)),
            words=f"cut off at full scale in over {self.maximum_share:.1%} of the samples",
            suggestion="record them again with less gain: what was cut off cannot be brought back",
            threshold=self.maximum_share,
        )


@dataclass(frozen=True, kw_only=True)
class AudioSampleRate:
    """Which sounds have another sample rate than nearly all others?"""

    usual_share: Share = 0.9
    policy: Policy = "warn"
    name: ClassVar[str] = "audio_sample_rate"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "where nine in ten share one rate, the others are odd"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        rate = pl.col("rate")
        alike = pl.len().over("rate")
        yield from unlike(
            table,
            "audio",
            self.name,
            (alike < alike.max()) & (alike.max() >= self.usual_share * pl.len()),
            value=worded("{} Hz", rate),
            words="of another sample rate than most",
            suggestion="bring all to one rate: read as if it were the usual one, pitch and length are wrong",
            threshold=self.usual_share,
            usual=True,
        )


@dataclass(frozen=True, kw_only=True)
class AudioDuration:
    """Which sounds are far shorter or longer than the rest of the set?"""

    maximum_ratio: Annotated[float, Field(gt=1)] = 4
    policy: Policy = "warn"
    name: ClassVar[str] = "audio_duration"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = f"four times the median or a quarter of it, {WITHIN_SET}"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        length = pl.col("seconds").log()
        far = (length - length.median()).abs() > pl.lit(self.maximum_ratio).log()
        yield from unlike(
            table,
            "audio",
            self.name,
            far & (modified_z(length).abs() > ODD),
            value=worded("{} s", pl.col("seconds").round(3)),
            words=f"over {self.maximum_ratio:g} times longer or shorter than usual",
            suggestion="listen to them: they may be cut off, or not cut apart",
            threshold=self.maximum_ratio,
        )


@dataclass(frozen=True, kw_only=True)
class AudioExactDuplicate:
    """Which sounds repeat an earlier one, sample by sample, whatever their file's name and header?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "audio_exact_duplicate"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: equal samples at one rate"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from repeated(table, "audio", self.name, same_sounds, threshold=0)


CHECKS = (
    AudioUnreadable,
    AudioUnsupportedOrTooBig,
    AudioSilence,
    AudioClipping,
    AudioSampleRate,
    AudioDuration,
    AudioExactDuplicate,
)


def same_sounds(sounds: pl.DataFrame) -> pl.DataFrame:
    """The rows whose samples equal those of an earlier path: row_id, `value` (that path), `score`.

    Silence is told as silence; rows that name one file name one sound.
    """
    heard = sounds.filter(pl.col("peak") > 0).with_columns(value=pl.col("path").first().over("heard"))
    return heard.filter(pl.col("path") != pl.col("value")).select(ROW_ID, "value", score=1.0)

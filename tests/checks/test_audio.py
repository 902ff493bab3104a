"""Sounds: a fault of each kind is told by its check alone, sound sets are not."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from pipeline.checks import audio, configured
from pipeline.media.sounds import sounds, wav_is_cut
from pipeline.quality.findings import Check, Table
from pipeline.quality.inspection import inspect

from .media import SHARED, lasting, listed, tone, tones

NAMES = [check.name for check in audio.CHECKS]


def asked() -> list[Check]:
    return [check for check in configured({}) if check.name in NAMES]


def said(table: Table) -> dict[str, list[str]]:
    """The files that each check names, by what its flags say of them."""
    found = inspect(table, asked())
    rows = table.sample.with_columns(pl.col("row_id").cast(pl.String))
    named = found.flags.join(rows, on="row_id", how="left", maintain_order="left")
    return {str(check): sorted(part["file"]) for (check,), part in named.group_by("check")}


def planted_all(folder: Path) -> Path:
    """A fault of each kind, each in a sound of its own."""
    tones(folder, 40)
    whole = (folder / "03.wav").read_bytes()
    (folder / "03.wav").write_bytes(whole[: len(whole) // 2])
    soundfile.write(folder / "04.wav", np.zeros(4000), 8000)
    soundfile.write(folder / "05.wav", tone(5) * 8, 8000)
    soundfile.write(folder / "06.wav", tone(6, rate=16_000), 16_000)
    soundfile.write(folder / "07.wav", tone(7, seconds=5), 8000)
    soundfile.write(folder / "08.wav", tone(8, seconds=0.05), 8000)
    (folder / "09.wav").unlink()
    samples, rate = soundfile.read(folder / "20.wav", dtype="int16")
    soundfile.write(folder / "09.flac", samples, rate)
    (folder / "10.wav").write_bytes(b"RIFF....WAVEfmt nothing of the kind")
    (folder / "11.m4a").write_bytes(b"\x00\x00\x00\x20ftypM4A ")
    return folder


@cache
def shelf() -> Path:
    return planted_all(lasting() / "sounds")


def faults(parts: int) -> Table:
    return listed(shelf(), "audio", parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = dict.fromkeys(NAMES, faults)


def test_each_planted_fault_is_told_by_its_check_and_by_no_other() -> None:
    assert said(faults(1)) == {
        "audio_unreadable": ["03.wav", "10.wav"],
        "audio_unsupported_or_too_big": ["11.m4a"],
        "audio_silence": ["04.wav"],
        "audio_clipping": ["05.wav"],
        "audio_sample_rate": ["06.wav"],
        "audio_duration": ["07.wav", "08.wav"],
        "audio_exact_duplicate": ["20.wav"],
    }


def test_a_sound_set_is_not_told(tmp_path: Path) -> None:
    assert inspect(listed(tones(tmp_path), "audio"), asked()).findings == []


def test_a_set_that_is_quiet_throughout_is_not_told(tmp_path: Path) -> None:
    for number in range(10):
        soundfile.write(tmp_path / f"{number}.wav", tone(number) * 0.001, 8000, subtype="PCM_24")

    assert said(listed(tmp_path, "audio")) == {}


def test_loud_is_not_cut_off(tmp_path: Path) -> None:
    for number in range(5):
        wave = tone(number)
        soundfile.write(tmp_path / f"{number}.wav", wave / np.abs(wave).max(), 8000)

    assert said(listed(tmp_path, "audio")) == {}


def test_measures_are_those_of_the_samples(tmp_path: Path) -> None:
    stereo = np.array([[0.5, -1.0], [0.25, -1.0], [0.0, -1.0], [0.0, 0.25]])
    soundfile.write(tmp_path / "a.wav", stereo, 4)

    seen = sounds(pl.LazyFrame({"row_id": ["r"], "p": ["a.wav"]}), "p", tmp_path)

    assert seen.select("rate", "channels", "seconds", "peak", "clipped").row(0) == (4, 2, 1.0, 1.0, 3 / 8)


def test_a_broken_file_says_why(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 8000)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "words.wav").write_text("hello")

    flags = inspect(listed(tmp_path, "audio", ["none.wav", "empty.wav", "words.wav", "gone.wav", None]), asked()).flags

    assert flags["value"].to_list() == [
        "none.wav holds no sound",
        "empty.wav is empty",
        "words.wav is damaged, or no sound",
        "gone.wav is absent",
    ]


def test_a_stream_without_a_length_is_not_cut() -> None:
    whole = io.BytesIO()
    soundfile.write(whole, tone(1), 8000, format="WAV")
    content = whole.getvalue()
    place = content.index(b"data") + 4

    assert not wav_is_cut(content)
    assert wav_is_cut(content[:-2])
    assert not wav_is_cut(content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :])
    assert not wav_is_cut(b"OggS" + content)


@pytest.mark.skipif(not (SHARED / "demos").is_dir(), reason="the shared data are absent")
def test_real_prompts_are_told_only_where_one_was_spoilt(tmp_path: Path) -> None:
    with zipfile.ZipFile(SHARED / "demos" / "asterisk_small.zip") as packed:
        packed.extractall(tmp_path)
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.wav"))
    before = said(listed(tmp_path, "audio", list(names)))
    samples, rate = soundfile.read(tmp_path / names[0])
    soundfile.write(tmp_path / names[1], samples * 20, rate)
    soundfile.write(tmp_path / names[2], samples * 0, rate)

    after = said(listed(tmp_path, "audio", list(names)))

    assert before == {}
    assert after == {"audio_clipping": [names[1]], "audio_silence": [names[2]]}


@pytest.mark.skipif(not (SHARED / "audio").is_dir(), reason="the shared data are absent")
def test_real_digits_are_not_told(tmp_path: Path) -> None:
    with tarfile.open(SHARED / "audio" / "fsdd.tar.gz") as packed:
        members = [member for member in packed if member.name.endswith("_1.wav")]
        packed.extractall(tmp_path, members, filter="data")

    assert len(members) == 40
    assert said(listed(tmp_path, "audio")) == {}

"""Sounds as tensors: rate, length, channels, what train taught, and files that are no sounds."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
from pydantic import ValidationError

from pipeline.errors import DataError
from pipeline.features.audio import AudioEncoder, AudioSettings


def save(folder: Path, name: str, wave: np.ndarray, rate: int = 8000) -> str:
    soundfile.write(folder / name, wave, rate)
    return str(folder / name)


def tone(hertz: float, seconds: float, rate: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def fitted(paths: list[str | None], **settings: Any) -> AudioEncoder:
    rows = pl.LazyFrame({"p": paths}, schema={"p": pl.String})
    return AudioEncoder.fit("p", rows, AudioSettings.model_validate(settings))


def encoded(encoder: AudioEncoder, paths: list[str | None]) -> np.ndarray:
    return encoder.encode(pl.Series("p", paths, dtype=pl.String))


def test_a_sound_of_the_right_rate_and_length_keeps_every_sample(tmp_path: Path) -> None:
    samples = np.array([0, 1000, -1000, 32_767, -32_767] * 20, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 8000)
    path = str(tmp_path / "a.wav")

    found = encoded(fitted([path]), [path])

    assert found.dtype == np.int16
    assert np.abs(found[0].astype(int) - samples).max() <= 1  # 32,768 is full scale in the file


def test_length_is_that_of_95_in_100_of_train(tmp_path: Path) -> None:
    paths = [save(tmp_path, f"{i}.wav", np.zeros(100 * i)) for i in range(1, 21)]

    found = fitted(list(paths))

    assert (found.rate, found.samples) == (8000, 1900)
    assert fitted(list(reversed(paths))) == found
    assert fitted(list(paths), seconds=0.5).samples == 4000


def test_what_is_shorter_is_followed_by_silence_and_what_is_longer_is_cut(tmp_path: Path) -> None:
    short, long = (save(tmp_path, f"{count}.wav", np.full(count, 0.25)) for count in (50, 300))

    found = encoded(fitted([short], seconds=0.02), [short, long, None])

    assert [np.count_nonzero(row) for row in found] == [50, 160, 0]
    assert np.count_nonzero(found[0, :50]) == 50


def test_rate_is_what_most_have(tmp_path: Path) -> None:
    paths = [save(tmp_path, f"{i}.wav", np.zeros(800), rate) for i, rate in enumerate((8000, 11_025, 11_025))]

    assert fitted(list(paths)).rate == 11_025
    assert fitted([save(tmp_path, "high.wav", np.zeros(800), 48_000)]).rate == 16_000


def test_another_rate_is_resampled_to_the_same_tone(tmp_path: Path) -> None:
    high = save(tmp_path, "high.wav", tone(440, 0.5, 44_100), 44_100)
    low = save(tmp_path, "low.wav", tone(440, 0.5, 8000))
    encoder = fitted([low], rate=8000, seconds=0.5)

    found_high, found_low = encoded(encoder, [high, low]) / 32_767

    assert np.abs(found_high - found_low)[100:-100].max() < 0.01


def test_channels_become_their_mean(tmp_path: Path) -> None:
    path = save(tmp_path, "two.flac", np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1))

    assert np.abs(encoded(fitted([path]), [path]) / 32_767 - 0.125).max() < 1e-3


def test_the_same_files_give_the_same_bytes_in_parts_or_at_once(tmp_path: Path) -> None:
    seed = np.random.default_rng(0)
    paths = [save(tmp_path, f"{i}.wav", seed.uniform(-1, 1, 500 + i), 8000 + 1000 * i) for i in range(4)]
    encoder = fitted(list(paths))

    assert encoded(encoder, list(paths)).tobytes() == b"".join(encoded(encoder, [path]).tobytes() for path in paths)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("cut.wav", slice(0, 200), "is cut short"),
        ("text.wav", b"no sound", "is damaged, or no sound"),
        ("gone.wav", None, "is absent"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_that_names_it(
    name: str, content: slice | bytes | None, why: str, tmp_path: Path
) -> None:
    good, path = save(tmp_path, "good.wav", tone(440, 0.1, 8000)), tmp_path / name
    if content is not None:
        path.write_bytes(Path(good).read_bytes()[content] if isinstance(content, slice) else content)
    encoder = fitted([good])

    with pytest.raises(DataError, match=f"{name} {why}") as caught:
        encoded(encoder, [good, str(path)])
    with pytest.raises(DataError, match=name):
        fitted([good, str(path)])
    _, faults = encoder.read_files(pl.Series([str(path), good]))

    assert "\n" not in str(caught.value)
    assert {row: reason.removeprefix(f"{path} ") for row, reason in faults.items()} == {0: why}


@pytest.mark.parametrize("change", [{"rate": 10}, {"seconds": 0}, {"mels": 4}, {"bands": 3}])
def test_an_impossible_setting_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AudioSettings.model_validate(change)

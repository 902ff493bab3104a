"""What every registered encoder keeps to, whatever it encodes."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import soundfile
from PIL import Image

from pipeline.features import CodesEncoder, DenseEncoder, Encoder, registered

START = datetime(2024, 1, 1)
SAMPLES: dict[str, list[Any]] = {
    "numeric": [1.0, 2.5, None, float("nan"), float("inf"), -3.0],
    "categorical": ["a", "b", None, "b", "", "ü"],
    "set": ["a;b", "b", None, " b ;c;b", "", ";"],
    "timestamp": [START, None, *(START + timedelta(days=200 * i, hours=i) for i in range(1, 5))],
    "image": ["grey.png", "red.png", None, "grey.png", "wide.png", "grey.png"],
    "audio": ["low.wav", "high.wav", None, "low.wav", "stereo.flac", "low.wav"],
    "text": ["so it is", "So it was: 42 €", None, "", "  ", "is it so? it is, it is, it is"],
    "text-file": ["short.txt", "long.txt", None, "short.txt", "short.txt", "long.txt"],
}
DTYPES: dict[str, pl.DataType] = {
    "numeric": pl.Float64(),
    "categorical": pl.String(),
    "set": pl.String(),
    "timestamp": pl.Datetime("us"),
    "image": pl.String(),
    "audio": pl.String(),
    "text": pl.String(),
    "text-file": pl.String(),
}
UNSEEN: dict[str, list[Any]] = {
    "numeric": [1e308, -1e308, None, float("-inf")],
    "categorical": ["never", None, "A"],
    "set": ["never;a", None, "\x00", "b;;b"],
    "timestamp": [datetime(1, 1, 1), datetime(9999, 12, 31), None],
    "image": ["new.png", None],
    "audio": ["new.wav", None],
    "text": ["never 😀 before", "\x00", "so " * 1000, None],
    "text-file": ["new.txt", None],
}
KINDS = sorted(registered())


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the files that the samples name."""
    folder, seed = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    pictures = {"grey": (9, 9), "red": (12, 10, 3), "wide": (8, 20), "new": (40, 30, 3)}
    for name, size in pictures.items():
        Image.fromarray(seed.integers(0, 256, size, dtype=np.uint8)).save(folder / f"{name}.png")
    sounds = {"low.wav": (8000, 900, 1), "high.wav": (11_025, 1200, 1), "new.wav": (16_000, 9000, 1)}
    for name, (rate, samples, channels) in {**sounds, "stereo.flac": (8000, 700, 2)}.items():
        soundfile.write(folder / name, seed.uniform(-0.5, 0.5, (samples, channels)), rate)
    for name, text in {"short.txt": "so it is", "long.txt": "so it was " * 40, "new.txt": "wholly ünlike"}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _beside_the_files(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)


def column(kind: str, values: list[Any]) -> pl.Series:
    return pl.Series("x", values, dtype=DTYPES[kind])


def fitted(kind: str, values: list[Any]) -> Encoder:
    encoder = registered()[kind]
    return encoder.fit("x", column(kind, values).to_frame().lazy(), encoder.settings())


def check_shape(encoder: Encoder, found: np.ndarray, rows: int) -> None:
    if encoder.block == "own":
        assert len(found) == rows
        assert found.shape[1:] == encoder.encode(column(encoder.kind, [])).shape[1:]
    elif encoder.block == "codes":
        assert found.shape == (rows,)
        assert found.dtype == np.int64
        assert ((found >= 0) & (found < cast(CodesEncoder, encoder).cardinality)).all()
    else:
        assert found.shape == (rows, len(cast(DenseEncoder, encoder).outputs))
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


def test_every_modality_has_a_sample_here() -> None:
    assert set(SAMPLES) == set(registered())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [SAMPLES, UNSEEN], ids=["seen", "unseen"])
def test_outputs_have_the_shape_that_is_announced(kind: str, rows: dict[str, list[Any]]) -> None:
    encoder = fitted(kind, SAMPLES[kind])

    check_shape(encoder, encoder.encode(column(kind, rows[kind])), len(rows[kind]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_column_of_nulls_or_of_no_rows_can_be_fitted_and_encoded(kind: str, count: int) -> None:
    encoder = fitted(kind, [None] * count)

    check_shape(encoder, encoder.encode(column(kind, [None] * count)), count)
    check_shape(encoder, encoder.encode(column(kind, SAMPLES[kind])), len(SAMPLES[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_can_be_fitted_and_encoded(kind: str) -> None:
    values = [SAMPLES[kind][0]] * 3

    found = fitted(kind, values).encode(column(kind, values))

    assert len(np.unique(found, axis=0)) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_encode_to_none(kind: str) -> None:
    encoder = fitted(kind, SAMPLES[kind])

    check_shape(encoder, encoder.encode(column(kind, [])), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_it_survives_json_and_encodes_the_same(kind: str) -> None:
    encoder = fitted(kind, SAMPLES[kind])

    again = type(encoder).model_validate_json(encoder.model_dump_json())  # type: ignore[attr-defined]

    assert again == encoder
    rows = column(kind, SAMPLES[kind] + UNSEEN[kind])
    assert (again.encode(rows) == encoder.encode(rows)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_and_the_parts_of_the_training_rows_do_not_matter(kind: str) -> None:
    values = SAMPLES[kind]
    parts = pl.concat([column(kind, values[3:]).to_frame().lazy(), column(kind, values[:3]).to_frame().lazy()])
    encoder = registered()[kind]

    assert encoder.fit("x", parts, encoder.settings()) == fitted(kind, values)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_encoded_one_by_one_as_all_at_once(kind: str) -> None:
    encoder, values = fitted(kind, SAMPLES[kind]), SAMPLES[kind] + UNSEEN[kind]

    whole = encoder.encode(column(kind, values))

    single = [encoder.encode(column(kind, [value])) for value in values]
    assert (np.concatenate(single) == whole).all()

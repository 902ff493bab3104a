"""Pictures as tensors: size, colour, frame, what train taught, and files that are no pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from pydantic import ValidationError

from pipeline.errors import DataError
from pipeline.features.image import LARGEST_AUTO, AugmentationSettings, ImageEncoder, ImageSettings


def save(folder: Path, name: str, pixels: np.ndarray) -> str:
    Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
    return str(folder / name)


def fitted(paths: list[str | None], **settings: Any) -> ImageEncoder:
    rows = pl.LazyFrame({"p": paths}, schema={"p": pl.String})
    return ImageEncoder.fit("p", rows, ImageSettings.model_validate(settings))


def encoded(encoder: ImageEncoder, paths: list[str | None]) -> np.ndarray:
    return encoder.encode(pl.Series("p", paths, dtype=pl.String))


@pytest.fixture
def ramp(tmp_path: Path) -> str:
    """A grey picture of 6 x 6 that gets lighter to the right."""
    return save(tmp_path, "ramp.png", np.tile(np.arange(6) * 50, (6, 1)))


def test_a_picture_of_the_right_size_keeps_every_pixel(ramp: str) -> None:
    found = encoded(fitted([ramp]), [ramp])

    assert found.dtype == np.uint8
    assert (found == np.tile(np.arange(6) * 50, (6, 1))).all()


def test_size_is_the_median_of_trains_shorter_sides(tmp_path: Path) -> None:
    sizes = [(10, 10), (12, 40), (90, 14)]
    paths = [save(tmp_path, f"{height}.png", np.zeros((height, width))) for height, width in sizes]

    assert fitted(list(paths)).size == 12
    assert fitted([save(tmp_path, "large.png", np.zeros((300, 400)))]).size == LARGEST_AUTO
    assert fitted(list(paths), size=20).size == 20


def test_colour_is_kept_where_train_has_some(tmp_path: Path, ramp: str) -> None:
    red = save(tmp_path, "red.png", np.full((6, 6, 3), [250, 10, 10]))

    assert fitted([ramp]).channels == 1
    assert fitted([ramp, red]).channels == 3
    assert encoded(fitted([ramp, red]), [red])[0, :, 0, 0].tolist() == [250, 10, 10]
    assert fitted([red], colour="grey").channels == 1
    assert fitted([ramp], colour="rgb").channels == 3


def test_what_is_no_square_is_padded_or_cropped(tmp_path: Path) -> None:
    pixels = np.full((8, 16), 200)
    pixels[:, 4:12] = 100
    wide = save(tmp_path, "wide.png", pixels)

    padded, cropped = (encoded(fitted([wide], size=8, frame=frame), [wide])[0, 0] for frame in ("pad", "crop"))

    assert padded[[0, 1, 6, 7]].tolist() == [[0] * 8] * 4
    assert padded[3:5, 3:5].ravel().tolist() == pytest.approx([100] * 4, abs=2)  # bicubic, so a little less
    assert cropped.tolist() == [[100] * 8] * 8


def test_mean_and_deviation_are_those_of_train(tmp_path: Path) -> None:
    dark, light = (save(tmp_path, f"{level}.png", np.full((5, 5), level)) for level in (51, 204))

    found = fitted([dark, light])

    assert found.mean == pytest.approx([0.5])
    assert found.deviation == pytest.approx([0.3])
    assert fitted([light, dark]) == found


def test_a_missing_path_is_a_picture_of_the_mean(tmp_path: Path) -> None:
    dark, light = (save(tmp_path, f"{level}.png", np.full((5, 5), level)) for level in (50, 200))

    assert np.unique(encoded(fitted([dark, light]), [None])).tolist() == [125]


def test_the_same_files_give_the_same_bytes_in_parts_or_at_once(tmp_path: Path) -> None:
    seed = np.random.default_rng(0)
    paths = [save(tmp_path, f"{i}.jpg", seed.integers(0, 256, (20 + i, 30, 3))) for i in range(5)]
    encoder = fitted(list(paths))

    whole = encoded(encoder, [*paths, *paths])

    assert whole.tobytes() == encoded(encoder, [*paths, *paths]).tobytes()
    assert whole.tobytes() == b"".join(encoded(encoder, [path]).tobytes() for path in [*paths, *paths])


def test_more_than_eight_bits_and_transparency_are_read_as_they_look(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 32_896, dtype=np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.zeros((4, 4, 4), dtype=np.uint8), "RGBA").save(tmp_path / "clear.png")
    encoder = fitted([str(tmp_path / "deep.png")])

    found = encoded(encoder, [str(tmp_path / "deep.png"), str(tmp_path / "clear.png")])

    assert [np.unique(picture).tolist() for picture in found] == [[128], [255]]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("cut.png", slice(0, 60), "is cut short"),
        ("text.png", b"no picture", "is no picture"),
        ("gone.png", None, "is absent"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_that_names_it(
    name: str, content: slice | bytes | None, why: str, tmp_path: Path, ramp: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(Path(ramp).read_bytes()[content] if isinstance(content, slice) else content)
    encoder = fitted([ramp])

    with pytest.raises(DataError, match=f"{name} {why}") as caught:
        encoded(encoder, [ramp, str(path)])
    with pytest.raises(DataError, match=name):
        fitted([ramp, str(path)])
    pixels, faults = encoder.read_files(pl.Series([str(path), ramp]))

    assert "\n" not in str(caught.value)
    assert {row: reason.removeprefix(f"{path} ") for row, reason in faults.items()} == {0: why}
    assert pixels[1].tobytes() == encoded(encoder, [ramp])[0].tobytes()


def test_a_bomb_is_refused(tmp_path: Path, ramp: str) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")

    _, faults = fitted([ramp]).read_files(pl.Series([str(tmp_path / "bomb.png")]))

    assert "asks for more than" in faults[0]


@pytest.mark.parametrize("change", [{"size": 2}, {"colour": "sepia"}, {"frame": "stretch"}, {"sides": 3}])
def test_an_impossible_setting_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ImageSettings.model_validate(change)


@pytest.mark.parametrize("change", [{"shift": 1.0}, {"flip": "diagonal"}, {"rotation_degrees": 181}])
def test_an_impossible_augmentation_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AugmentationSettings.model_validate(change)

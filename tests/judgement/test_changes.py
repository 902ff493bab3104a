"""Changes of cells, pictures and sounds: each does what its name says, and leaves what is missing as it is."""

import numpy as np
import polars as pl
import pytest

from pipeline.features import registered
from pipeline.judgement import changes
from pipeline.judgement.changes import ON_CELLS, ON_TENSORS, Scale

RANDOM = np.random.default_rng(0)
TEXTS = pl.Series("x", ["so it was said in the end", "", None, "I"])


def test_every_modality_that_can_be_a_feature_has_changes() -> None:
    assert set(ON_CELLS) == set(registered())


def test_noise_has_the_share_of_the_spread_and_missing_stays_missing() -> None:
    values = pl.Series("x", [1.0] * 5000 + [None])

    found = changes.noise(0.1)(values, Scale(spread=3.0), RANDOM)

    assert found.null_count() == 1
    assert found.std() == pytest.approx(0.3, rel=0.05)


def test_far_is_ranges_beyond_the_ends() -> None:
    scale = Scale(low=2.0, high=4.0)

    assert changes.far(10)(pl.Series("x", [3]), scale, RANDOM).to_list() == [24.0]
    assert changes.far(-10)(pl.Series("x", [3]), scale, RANDOM).to_list() == [-18.0]


@pytest.mark.parametrize(("share", "changed"), [(0.0, 1), (0.33, 2), (1.0, 7)])
def test_a_typo_is_two_letters_in_another_order(share: float, changed: int) -> None:
    text, *others = changes.typos(share)(TEXTS, Scale(), np.random.default_rng(1)).to_list()

    before, after = TEXTS[0].split(" "), text.split(" ")
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= changed  # `ee` may be turned
    assert [sorted(word) for word in after] == [sorted(word) for word in before]
    assert others == ["", None, "I"]


def test_a_picture_is_moved_and_dimmed_and_stays_a_picture() -> None:
    block = RANDOM.integers(0, 256, (2, 3, 50, 50), dtype=np.uint8)

    moved = changes.moved(0.1)(block, RANDOM)
    dimmed = changes.scaled(0.5)(block, RANDOM)

    np.testing.assert_array_equal(moved[:, :, 5:, 5:], block[:, :, :-5, :-5])
    assert moved[:, :, :5].max() == moved[:, :, :, :5].max() == 0
    assert dimmed.dtype == np.uint8
    np.testing.assert_allclose(dimmed, block / 2, atol=0.5)


def test_a_sound_is_moved_along_its_length() -> None:
    block = RANDOM.integers(-100, 100, (2, 200), dtype=np.int16)

    moved = changes.moved(0.01)(block, RANDOM)

    np.testing.assert_array_equal(moved[:, 2:], block[:, :-2])
    assert not moved[:, :2].any()


@pytest.mark.parametrize(("modality", "shape"), [("image", (2, 1, 8, 8)), ("audio", (2, 40))])
def test_changed_tensors_keep_their_shape_and_type_and_the_block_stays(modality: str, shape: tuple[int, ...]) -> None:
    block = RANDOM.integers(0, 100, shape).astype(np.uint8 if modality == "image" else np.int16)
    before = block.copy()

    for change in ON_TENSORS[modality]:  # type: ignore[index]
        found = change.made(block, RANDOM)
        assert (found.shape, found.dtype) == (block.shape, block.dtype)
        np.testing.assert_array_equal(block, before)

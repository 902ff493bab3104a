"""Pictures: a fault of each kind is told by its check alone, sound sets are not."""

import dataclasses
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageFilter

from pipeline.checks import configured, image_looks, images
from pipeline.media.copies import near_pairs
from pipeline.media.pictures import perceptual_hash, pictures
from pipeline.media.telling import measured
from pipeline.quality.findings import Check, Table
from pipeline.quality.inspection import inspect

from .media import SHARED, landscape, landscapes, lasting, listed

NAMES = [check.name for check in (*images.CHECKS, *image_looks.CHECKS)]


def asked() -> list[Check]:
    return [check for check in configured({}) if check.name in NAMES]


def flagged(table: Table) -> dict[str, list[int]]:
    """The numbers of the rows that each check flags."""
    flags = inspect(table, asked()).flags.with_columns(row=pl.col("row_id").str.strip_prefix("rows#").cast(pl.Int64))
    return {str(check): sorted(rows["row"]) for (check,), rows in flags.group_by("check")}


def said(folder: Path, paths: list[str | None] | None = None) -> dict[str, list[str | None]]:
    """The files that each check names."""
    table = listed(folder, "image", paths)
    names = list(table.sample.get_column("file"))
    return {check: [names[row] for row in rows] for check, rows in flagged(table).items()}


def cut(folder: Path) -> None:
    whole = (folder / "04.png").read_bytes()
    (folder / "04.png").write_bytes(whole[: len(whole) // 2])


def huge(folder: Path) -> None:
    """A bomb: 400 million pixels in some 50 kB."""
    Image.new("1", (20_000, 20_000)).save(folder / "05.png")


def shaded(folder: Path, number: int, factor: float, add: float = 0) -> None:
    landscape(number).point(lambda value: int(value * factor + add)).save(folder / f"{number:02}.png")


def planted_all(folder: Path) -> Path:
    """A fault of each kind, each in a picture of its own."""
    landscapes(folder, 40)
    cut(folder)
    huge(folder)
    shaded(folder, 6, 0.2)
    shaded(folder, 7, 0.08, 241)
    landscape(8).filter(ImageFilter.GaussianBlur(9)).save(folder / "08.png")
    Image.new("RGB", (96, 72), (90, 120, 40)).save(folder / "09.png")
    landscape(10).resize((48, 36)).save(folder / "10.png")
    landscape(11, width=260, height=60).save(folder / "11.png")
    landscape(12).convert("L").save(folder / "12.png")
    (folder / "13.png").write_bytes((folder / "20.png").read_bytes())
    landscape(0).save(folder / "14.jpg", quality=80)
    (folder / "14.png").unlink()
    return folder


@cache
def shelf() -> Path:
    return planted_all(lasting() / "pictures")


def faults(parts: int) -> Table:
    return listed(shelf(), "image", parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = dict.fromkeys(NAMES, faults)


def test_each_planted_fault_is_told_by_its_check_and_by_no_other() -> None:
    found = said(shelf())

    assert found.pop("image_property_outlier") == ["06.png", "07.png", "10.png", "11.png"]  # light, area, shape
    assert found == {
        "image_corrupt_file": ["04.png"],
        "image_unsupported_or_too_big": ["05.png"],
        "image_dark": ["06.png"],
        "image_light": ["07.png"],
        "image_blurry": ["08.png"],
        "image_low_information": ["09.png"],
        "image_odd_size": ["10.png", "11.png"],
        "image_odd_aspect": ["11.png"],
        "image_grayscale": ["12.png"],
        "image_exact_or_near_duplicate": ["14.jpg", "20.png"],
    }


def test_a_sound_set_is_not_told(tmp_path: Path) -> None:
    assert inspect(listed(landscapes(tmp_path), "image"), asked()).findings == []


def test_a_picture_of_one_colour_among_many_is_an_outlier(tmp_path: Path) -> None:
    landscapes(tmp_path, 20)
    red, green, blue = landscape(3).split()
    Image.merge("RGB", [red, green.point(lambda value: value // 8), blue.point(lambda value: value // 8)]).save(
        tmp_path / "03.png"
    )

    flags = inspect(listed(tmp_path, "image"), asked()).flags

    assert flags.select("check", "value").rows() == [
        ("image_property_outlier", "03.png (brightness, red, green, blue)")
    ]


def test_a_broken_file_says_why(tmp_path: Path) -> None:
    landscapes(tmp_path, 3)
    (tmp_path / "empty.png").touch()
    (tmp_path / "note.jpg").write_text("not a picture")
    (tmp_path / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (tmp_path / "folder.png").mkdir()
    cut(landscapes(tmp_path / "more", 5))
    paths: list[str | None] = ["00.png", "empty.png", "note.jpg", "drawing.eps", "folder.png", "more/04.png", "gone"]

    flags = inspect(listed(tmp_path, "image", [*paths, None, "a\0b"]), asked()).flags

    assert dict(flags.select("value", "check").iter_rows()) == {
        "empty.png is empty": "image_corrupt_file",
        "note.jpg is no picture": "image_corrupt_file",
        "folder.png is absent": "image_corrupt_file",
        "more/04.png is cut short": "image_corrupt_file",
        "gone is absent": "image_corrupt_file",
        "a\0b is absent": "image_corrupt_file",
        "drawing.eps is EPS, which is not read": "image_unsupported_or_too_big",
    }


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge(tmp_path)
    monkeypatch.setattr("pipeline.media.pictures._measures", None)  # unpacking would fail

    seen = pictures(pl.LazyFrame({"row_id": ["a"], "p": ["05.png"]}), "p", tmp_path)

    assert seen["fault"].to_list() == ["asks for more than 89,478,485 pixels"]
    assert seen["refused"].to_list() == [True]


def test_a_set_that_is_dark_blurred_and_small_throughout_is_not_told(tmp_path: Path) -> None:
    for number in range(20):
        picture = landscape(number).filter(ImageFilter.GaussianBlur(9)).point(lambda value: value // 5)
        picture.resize((24, 24)).save(tmp_path / f"{number:02}.png")

    assert said(tmp_path) == {}


def test_what_many_share_is_their_nature(tmp_path: Path) -> None:
    landscapes(tmp_path, 20)
    for number in range(4):
        shaded(tmp_path, number, 0.2)

    found = {finding.check: finding for finding in inspect(listed(tmp_path, "image"), asked()).findings}

    assert found["image_dark"].rows == 4
    assert found["image_dark"].severity == "info"


def test_rows_of_one_path_are_no_copies_and_read_once(tmp_path: Path) -> None:
    landscapes(tmp_path, 2)
    table = listed(tmp_path, "image", ["00.png", "01.png", "00.png", "00.png"])

    assert flagged(table) == {}
    assert measured(table, "image")["file"]["digest"].n_unique() == 2


def test_a_picture_that_looks_just_the_same_in_other_bytes_is_equal_to_the_eye_alone(tmp_path: Path) -> None:
    landscape(0).save(tmp_path / "0.png")
    landscape(0).save(tmp_path / "1.bmp")

    (found,) = (f for f in inspect(listed(tmp_path, "image"), asked()).findings if "duplicate" in f.check)

    assert found.message.endswith("1 of 2 pictures in file is equal to an earlier one, 1 of them to the eye alone")


def test_files_are_read_once_for_all_checks(tmp_path: Path) -> None:
    table = listed(landscapes(tmp_path, 3), "image")
    first = measured(table, "image")
    inspect(table, asked())

    assert measured(table, "image") is first


def test_what_is_not_looked_at_is_accounted_for(tmp_path: Path) -> None:
    landscapes(tmp_path, 3)
    accounts = {a.check: a for a in inspect(listed(tmp_path, "image", ["00.png", None, "gone.png"]), asked()).accounts}

    assert (accounts["image_dark"].examined, accounts["image_dark"].skipped) == (1, 2)
    assert (accounts["image_corrupt_file"].examined, accounts["image_corrupt_file"].skipped) == (2, 1)


def test_without_a_folder_nothing_is_read(tmp_path: Path) -> None:
    table = dataclasses.replace(listed(landscapes(tmp_path, 2), "image"), base=None)
    inspected = inspect(table, asked())

    assert inspected.findings == []
    assert {account.examined for account in inspected.accounts} == {0}


def test_sixteen_bits_and_transparency_are_seen_as_a_person_sees_them(tmp_path: Path) -> None:
    deep = np.linspace(0, 65_535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(tmp_path / "clear.png")

    seen = pictures(pl.LazyFrame({"row_id": [0, 1], "p": ["deep.png", "clear.png"]}), "p", tmp_path)

    assert seen["brightness"].to_list() == [pytest.approx(0.5, abs=0.01), 1.0]


def test_a_hash_survives_another_size_and_encoding() -> None:
    picture = landscape(1, width=400, height=300)
    encoded = io.BytesIO()
    picture.resize((200, 150)).save(encoded, "JPEG", quality=60)
    first, second, other = (
        perceptual_hash(each.convert("L").resize((32, 32), Image.Resampling.BILINEAR))
        for each in (picture, Image.open(encoded), landscape(2))
    )

    assert (first ^ second).bit_count() <= 4
    assert (first ^ other).bit_count() >= 16


def test_near_pairs_are_those_of_all_pairs() -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, size=300, dtype=np.uint64)
    flips = np.uint64(1) << random.integers(0, 64, size=(3, 100)).astype(np.uint64)
    hashes = np.concatenate([hashes, hashes[:100] ^ flips[0] ^ flips[1] ^ flips[2]])
    every = np.argwhere(np.triu(np.bitwise_count(hashes[:, None] ^ hashes[None]) <= 8, k=1))

    assert near_pairs(hashes).tolist() == every.tolist()


def fashion(folder: Path) -> Path:
    with np.load(SHARED / "demos" / "fashion_t10k_1000.npz") as file:
        cells = next(file[name] for name in file.files if file[name].ndim > 1)
    for number, cell in enumerate(cells[:400]):
        Image.fromarray(cell.reshape(28, 28).astype(np.uint8)).save(folder / f"{number:03}.png")
    return folder


@pytest.mark.skipif(not (SHARED / "demos").is_dir(), reason="the shared data are absent")
def test_real_pictures_of_clothes_are_told_only_where_one_was_spoilt(tmp_path: Path) -> None:
    fashion(tmp_path)
    before = said(tmp_path)
    with Image.open(tmp_path / "100.png") as picture:
        picture.save(tmp_path / "x.jpg", quality=85)
        Image.new("L", (28, 28)).save(tmp_path / "y.png")
        picture.resize((14, 14)).save(tmp_path / "z.png")

    after = said(tmp_path)

    assert before == {}
    assert after.pop("image_property_outlier") == ["z.png"]
    assert after == {
        "image_exact_or_near_duplicate": ["x.jpg"],
        "image_low_information": ["y.png"],
        "image_odd_size": ["z.png"],
    }

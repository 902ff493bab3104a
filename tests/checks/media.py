"""Sets of files for the media checks: pictures, sounds and texts, sound ones and ones with a planted fault."""

import atexit
import dataclasses
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from pipeline.contract import Modality
from pipeline.quality.findings import Table

from .conftest import made

SHARED = Path(__file__).parents[3] / "shared" / "data"


def listed(base: Path, modality: str, paths: list[str | None] | None = None, *, parts: int = 1) -> Table:
    """A table with a column `file` of that modality: the paths, or all files of the folder in order."""
    names = sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())
    table = made({"file": names if paths is None else paths}, parts=parts)
    columns = tuple(dataclasses.replace(c, modality=cast(Modality, modality)) for c in table.columns)
    return dataclasses.replace(table, base=base, contract=dataclasses.replace(table.contract, columns=columns))


@cache
def lasting() -> Path:
    """A folder for the whole run, for tables that are made outside a test."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


def landscape(seed: int, *, width: int = 96, height: int = 72) -> Image.Image:
    """A picture with large shapes, fine grain, and light from nearly black to nearly white."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, size=(6, 8, 3)).astype(np.uint8)
    shapes = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)
    grain = random.normal(scale=14, size=(height, width, 1))
    return Image.fromarray((shapes + grain).clip(0, 255).astype(np.uint8))


def landscapes(folder: Path, count: int = 30) -> Path:
    """A folder of so many landscapes, 00.png and on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        landscape(number).save(folder / f"{number:02}.png")
    return folder


def tone(seed: int, *, seconds: float = 0.5, rate: int = 8000) -> Any:
    """A sound of two tones and some noise, with a peak at about half of full scale."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    low, high = random.uniform(100, 400), random.uniform(500, 2000)
    wave = 0.3 * np.sin(2 * np.pi * low * time) + 0.15 * np.sin(2 * np.pi * high * time)
    return wave + random.normal(scale=0.01, size=len(time))


def tones(folder: Path, count: int = 30) -> Path:
    """A folder of so many sounds, 00.wav and on."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        soundfile.write(folder / f"{number:02}.wav", tone(number), 8000)
    return folder

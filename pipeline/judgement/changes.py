"""What becomes of cells, pictures and sounds in the world: small changes that should not matter, and rough ones.

A change of cells makes other values of a column; one of tensors other pictures or sounds of those that were read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from pipeline.contract import Modality

Size: TypeAlias = Literal["small", "rough"]
UNSEEN = "\N{SYMBOL FOR UNIT SEPARATOR} none of train's"
FAR = 10.0  # ranges of train beyond its ends
QUARTILE_SPREAD = 1.349  # between the quartiles of a normal distribution, in deviations


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a column of numbers is like in train: its ends, and its spread, which outliers do not widen."""

    low: float = 0.0
    high: float = 0.0
    spread: float = 0.0

    @classmethod
    def of(cls, values: pl.Series) -> "Scale":
        """Of the finite values; all 0 where there are none.

        >>> Scale.of(pl.Series([1.0, 2.0, 3.0, None])).low
        1.0
        """
        known = values.cast(pl.Float64).to_numpy()
        known = known[np.isfinite(known)]
        if not len(known):
            return cls()
        low, first, third, high = np.quantile(known, [0.0, 0.25, 0.75, 1.0])
        spread = (third - first) / QUARTILE_SPREAD or known.std()
        return cls(low=float(low), high=float(high), spread=float(spread))


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A change of a column's values; `together`: of all columns of the modality at once."""

    name: str
    made: Callable[[pl.Series, Scale, np.random.Generator], pl.Series]
    size: Size = "rough"
    together: bool = False


@dataclass(frozen=True, kw_only=True)
class Tensors:
    """A change of what was read of a file: pictures (N, C, S, S) uint8, sounds (N, T) int16."""

    name: str
    made: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    size: Size = "rough"


def noise(share: float) -> Callable[[pl.Series, Scale, np.random.Generator], pl.Series]:
    """Normal noise of that share of the column's spread."""

    def made(values: pl.Series, scale: Scale, random: np.random.Generator) -> pl.Series:
        return values.cast(pl.Float64) + pl.Series(random.normal(0.0, share * scale.spread, len(values)))

    return made


def missing(values: pl.Series, _: Scale, __: np.random.Generator) -> pl.Series:
    """No value in any row."""
    return pl.Series(values.name, [None] * len(values), dtype=values.dtype)


def unseen(values: pl.Series, _: Scale, __: np.random.Generator) -> pl.Series:
    """A category, or a tag, that train never had."""
    return pl.Series(values.name, [UNSEEN] * len(values))


def far(ranges: float) -> Callable[[pl.Series, Scale, np.random.Generator], pl.Series]:
    """So many of train's ranges above its highest value, or below its lowest."""

    def made(values: pl.Series, scale: Scale, _: np.random.Generator) -> pl.Series:
        end = scale.high if ranges > 0 else scale.low
        return pl.Series(values.name, np.full(len(values), end + ranges * (scale.high - scale.low)))

    return made


def later(by: timedelta) -> Callable[[pl.Series, Scale, np.random.Generator], pl.Series]:
    """Every moment that much later."""
    return lambda values, _, __: values.cast(pl.Datetime("us")) + by


def typos(share: float) -> Callable[[pl.Series, Scale, np.random.Generator], pl.Series]:
    """Two neighbouring letters change places in that share of the words, in one word at least."""

    def made(values: pl.Series, _: Scale, random: np.random.Generator) -> pl.Series:
        told = [None if text is None else _mistyped(text, share, random) for text in values.to_list()]
        return pl.Series(values.name, told, dtype=pl.String)

    return made


def _mistyped(text: str, share: float, random: np.random.Generator) -> str:
    """The text with other letters' order in some words.

    >>> _mistyped("ab", 0.1, np.random.default_rng(0))
    'ba'
    """
    words = text.split(" ")
    long = [place for place, word in enumerate(words) if len(word) > 1]
    count = min(len(long), max(1, round(share * len(words))))
    for place in random.choice(long, count, replace=False) if long else ():
        word, at = words[place], int(random.integers(0, len(words[place]) - 1))
        words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def capitals(values: pl.Series, _: Scale, __: np.random.Generator) -> pl.Series:
    """The same in capital letters."""
    return values.str.to_uppercase()


def empty(values: pl.Series, _: Scale, __: np.random.Generator) -> pl.Series:
    """A text of no letter."""
    return pl.Series(values.name, [""] * len(values))


def moved(share: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """A picture right and down, a sound later, by that share of its side or length, by one pixel at least.

    What comes in is black, or silence.

    >>> moved(0.1)(np.array([[[[1, 2], [3, 4]]]], dtype=np.uint8), np.random.default_rng(0)).tolist()
    [[[[0, 0], [0, 1]]]]
    """

    def made(block: np.ndarray, _: np.random.Generator) -> np.ndarray:
        axes = range(2, 4) if block.ndim == 4 else range(1, 2)
        changed = block.copy()
        for axis in axes:
            by = max(1, round(share * block.shape[axis]))
            changed = np.roll(changed, by, axis)
            changed[(slice(None),) * axis + (slice(by),)] = 0
        return changed

    return made


def scaled(by: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Light or loudness times so much."""

    def made(block: np.ndarray, _: np.random.Generator) -> np.ndarray:
        limits = np.iinfo(block.dtype)
        return np.rint(block * by).clip(limits.min, limits.max).astype(block.dtype)

    return made


ON_CELLS: Mapping[Modality, tuple[Cells, ...]] = {
    "numeric": (
        Cells(name="noise of 1% of the spread", made=noise(0.01), size="small", together=True),
        Cells(name="noise of 10% of the spread", made=noise(0.1), together=True),
        Cells(name="no value", made=missing),
        Cells(name="far above all of train", made=far(FAR)),
        Cells(name="far below all of train", made=far(-FAR)),
    ),
    "categorical": (Cells(name="no value", made=missing), Cells(name="a category that train never had", made=unseen)),
    "set": (Cells(name="no value", made=missing), Cells(name="one tag, which train never had", made=unseen)),
    "timestamp": (
        Cells(name="a minute later", made=later(timedelta(minutes=1)), size="small", together=True),
        Cells(name="a day later", made=later(timedelta(days=1)), together=True),
        Cells(name="no value", made=missing),
    ),
    "text": (
        Cells(name="a typo in one word", made=typos(0.0), size="small"),
        Cells(name="a typo in each third word", made=typos(0.33)),
        Cells(name="in capitals", made=capitals),
        Cells(name="empty", made=empty),
        Cells(name="no value", made=missing),
    ),
    "text-file": (Cells(name="no value", made=missing),),
    "image": (Cells(name="no value", made=missing),),
    "audio": (Cells(name="no value", made=missing),),
}
ON_TENSORS: Mapping[Modality, tuple[Tensors, ...]] = {
    "image": (
        Tensors(name="moved by 2% of a side", made=moved(0.02), size="small"),
        Tensors(name="dimmed by 5%", made=scaled(0.95), size="small"),
        Tensors(name="moved by 10% of a side", made=moved(0.1)),
        Tensors(name="dimmed by half", made=scaled(0.5)),
        Tensors(name="black", made=scaled(0.0)),
    ),
    "audio": (
        Tensors(name="moved by 1% of the length", made=moved(0.01), size="small"),
        Tensors(name="quieter by 5%", made=scaled(0.95), size="small"),
        Tensors(name="moved by 10% of the length", made=moved(0.1)),
        Tensors(name="quieter by half", made=scaled(0.5)),
        Tensors(name="silent", made=scaled(0.0)),
    ),
}

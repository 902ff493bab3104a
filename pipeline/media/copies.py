"""Which pictures repeat an earlier one: byte for byte, or to the eye.

Hashes within a few bits of each other are found as near neighbours in eight sorted orders, each begun at another byte
of the hash, so not every pair is looked at; small copies of the pictures then decide.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.contract import ROW_ID
from pipeline.media.pictures import BLANK, HASHED_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

HASH_BITS = 64
STEP_BITS = 8
NEIGHBOURS = 16  # on each side, in each order
DIFFERING_BITS = 8  # a JPEG of quality 75 of a picture of 28 by 28 pixels differs in at most 6
PAIRS = 1 << 14
LOOKS_EQUAL = 1 - 2**-53  # the largest score below 1, which says that the bytes are equal


def copies(pictures: pl.DataFrame, *, minimum_correlation: float) -> pl.DataFrame:
    """The rows whose picture repeats that of an earlier path: row_id, `value` (that path), `score` (1: equal bytes).

    `pictures` has `PICTURE_SCHEMA` without faults. Rows of the same path are no copies: they name one picture. Pictures
    without contrast are compared by their bytes alone: they all look the same.
    """
    files = pictures.unique("path", keep="first", maintain_order=True)
    twice = files.select("path", value=pl.col("path").first().over("digest"), score=1.0).filter(
        pl.col("path") != pl.col("value")
    )
    left = files.filter(pl.col("contrast") >= BLANK).unique("digest", keep="first", maintain_order=True)
    similar = look_alikes(left, minimum_correlation)
    found = pl.concat([twice, similar])
    return pictures.select(ROW_ID, "path").join(found, on="path", maintain_order="left").drop("path")


def look_alikes(files: pl.DataFrame, minimum_correlation: float) -> pl.DataFrame:
    """path, value and score of each picture for the earlier one that it is most like, where that is enough."""
    pairs = near_pairs(files["hash"].to_numpy())
    pixels = np.frombuffer(b"".join(files["small"]), dtype=np.uint8).reshape(-1, HASHED_SIDE**2)
    score = np.concatenate([np.empty(0), *(_correlation(pixels, part) for part in _chunks(pairs))])
    paths = files["path"]
    return (
        pl.DataFrame({"path": paths[pairs[:, 1]], "value": paths[pairs[:, 0]], "first": pairs[:, 0], "score": score})
        .filter(pl.col("score") >= minimum_correlation)
        .sort("score", "first", descending=[True, False])
        .unique("path", keep="first", maintain_order=True)
        .select("path", "value", pl.col("score").clip(upper_bound=LOOKS_EQUAL))
    )


def near_pairs(hashes: Any) -> "Integers":
    """Pairs of places (earlier, later) whose hashes of 64 bits differ in at most `DIFFERING_BITS`; nearly all of them.

    >>> near_pairs(np.array([0b1111, 2**64 - 1, 0b1011], dtype=np.uint64)).tolist()
    [[0, 2]]
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for shift in range(0, HASH_BITS, STEP_BITS):
        turned = np.bitwise_or(hashes << np.uint64(shift), hashes >> np.uint64(HASH_BITS - shift)) if shift else hashes
        order = np.argsort(turned, kind="stable")
        for step in range(1, NEIGHBOURS + 1):
            a, b = order[:-step], order[step:]
            near = np.bitwise_count(hashes[a] ^ hashes[b]) <= DIFFERING_BITS
            found.append(np.stack([np.minimum(a, b)[near], np.maximum(a, b)[near]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _chunks(pairs: "Integers") -> list["Integers"]:
    return [pairs[start : start + PAIRS] for start in range(0, len(pairs), PAIRS)]


def _correlation(pixels: Any, pairs: "Integers") -> "Floats":
    """Pearson's correlation of the small copies of each pair."""
    first, second = (pixels[pairs[:, side]].astype(np.float32) for side in (0, 1))
    first -= first.mean(axis=1, keepdims=True)
    second -= second.mean(axis=1, keepdims=True)
    norms = np.sqrt((first**2).sum(axis=1, dtype=np.float64) * (second**2).sum(axis=1, dtype=np.float64))
    return (first * second).sum(axis=1, dtype=np.float64) / np.maximum(norms, 1e-9)

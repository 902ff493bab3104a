"""Near texts: the similarity is the true one, and hardly a pair at the threshold is missed."""

import random
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from pipeline.similar.minhash import SHINGLE, Shingles, in_buckets, jaccard, near_texts, signatures

LETTERS = "abcdefghijklmnopqrstuvwxyzäж"


def pieces(text: str) -> set[str]:
    return {text[i : i + SHINGLE] for i in range(len(text) - SHINGLE + 1)}


def similarity(one: str, other: str) -> float:
    return len(pieces(one) & pieces(other)) / len(pieces(one) | pieces(other))


def variants(texts: int, *, seed: int) -> list[str]:
    """Texts of some sixty letters, and each with a few letters changed."""
    drawn = random.Random(seed)
    first = ["".join(drawn.choice(LETTERS) for _ in range(drawn.randint(40, 90))) for _ in range(texts)]
    second = [list(text) for text in first]
    for text in second:
        for _ in range(drawn.randint(0, 3)):
            text[drawn.randrange(len(text))] = drawn.choice(LETTERS)
    return first + ["".join(text) for text in second]


def test_the_jaccard_similarity_is_that_of_the_sets() -> None:
    texts = variants(40, seed=1)
    first, second = (np.array(side) for side in zip(*combinations(range(80), 2), strict=True))

    found = jaccard(Shingles.of(pl.Series(texts)), first, second)

    assert found.tolist() == [similarity(texts[a], texts[b]) for a, b in combinations(range(80), 2)]


def test_the_share_of_equal_minima_estimates_the_similarity() -> None:
    texts = variants(200, seed=2)
    minima = signatures(Shingles.of(pl.Series(texts)), 256)

    errors = [(minima[i] == minima[200 + i]).mean() - similarity(texts[i], texts[200 + i]) for i in range(200)]

    assert abs(np.mean(errors)) < 0.01  # Broder 1997: unbiased, with a variance of s (1 - s) / 256
    assert np.std(errors) < 0.035


def test_pairs_over_the_threshold_are_found_and_no_others() -> None:
    texts = variants(1000, seed=3)
    expected = {(i, 1000 + i) for i in range(1000) if similarity(texts[i], texts[1000 + i]) >= 0.8}

    found = near_texts(pl.Series(texts), 0.8)

    pairs = set(found.select("first", "second").rows())
    assert pairs <= expected
    assert len(pairs) >= 0.995 * len(expected) > 200


def test_short_empty_and_missing_texts_are_no_error() -> None:
    assert near_texts(pl.Series(["", "a", None, "ab", "abcde"], dtype=pl.String), 0.8).rows() == [(0, 2, 1.0)]
    assert near_texts(pl.Series([], dtype=pl.String), 0.8).is_empty()


@pytest.mark.parametrize(("largest", "expected"), [(9, [(0, 2), (2, 4), (1, 3), (0, 4)]), (2, [(1, 3)])])
def test_positions_of_a_key_make_pairs(largest: int, expected: list[tuple[int, int]]) -> None:
    keys = np.array([7, 8, 7, 8, 7, 9], np.uint64)

    found = [
        pair for one, other in in_buckets(keys, window=3, largest=largest) for pair in zip(one, other, strict=True)
    ]

    assert found == expected

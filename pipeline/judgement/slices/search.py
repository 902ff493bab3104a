"""The search for slices in which the model loses more than elsewhere: over ranges, values, and pairs of them.

Shapes: N rows, C cuts, P and Q parts of two of them, S and R runs of these.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np

from pipeline.judgement.blind import Blind
from pipeline.judgement.slices.cuts import Cut
from pipeline.judgement.tally import Tally, apart, floored, sums

PLAINER = 3.0  # standard errors that a pair is worse by than the rest of either of the two slices that it is of
REST = 8  # rows of that rest: fewer say nothing
MOST_SHARE = 0.5  # of the rows: what is more is no slice


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows to be searched: their loss, what it is held against, and (C, N) the part of each cut that each row is in."""

    loss_N: np.ndarray
    blind: Blind
    part_CN: np.ndarray

    def take(self, rows: np.ndarray) -> Self:
        """Some of them alone: their places, or whether each is one."""
        return type(self)(loss_N=self.loss_N[rows], blind=self.blind.take(rows), part_CN=self.part_CN[:, rows])

    def alone(self, part_N: np.ndarray, parts: int) -> np.ndarray:
        """(N,) what each row's part would lose alone."""
        return floored(self.blind.losses(part_N, parts), part_N, parts)

    def sums(self, part_N: np.ndarray, parts: int) -> np.ndarray:
        """(6, P) what is added up over each part."""
        return sums(self.loss_N, self.alone(part_N, parts), part_N, parts)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One or two cuts by their places, and which run of each; `surprise`: as `_surprise` has it, below 0 is one."""

    cuts: tuple[int, ...]
    runs: tuple[int, ...]
    surprise: float = math.inf

    def within(self, cuts: Sequence[Cut], part_CN: np.ndarray) -> np.ndarray:
        """(N,) bool: the rows that are in it."""
        chosen = [cuts[c].runs[run][part_CN[c]] > 0 for c, run in zip(self.cuts, self.runs, strict=True)]
        found: np.ndarray = np.logical_and.reduce(chosen)
        return found

    def parts(self, cuts: Sequence[Cut], rows: Rows) -> tuple[np.ndarray, int]:
        """(N,) the part of its cuts that each row is in, and how many such parts there are."""
        return joined([cuts[c] for c in self.cuts], rows.part_CN[list(self.cuts)])

    def tally(self, cuts: Sequence[Cut], rows: Rows) -> Tally:
        """It against all other rows, each held against its own parts of the same cuts."""
        sums_6P = rows.sums(*self.parts(cuts, rows))
        run_P = np.ones(1)
        for c, run in zip(self.cuts, self.runs, strict=True):
            run_P = np.kron(run_P, cuts[c].runs[run])
        return Tally(inside=sums_6P @ run_P, whole=sums_6P.sum(axis=1))


def joined(cuts: Sequence[Cut], part_CN: np.ndarray) -> tuple[np.ndarray, int]:
    """(N,) the part of all cuts together that each row is in, and how many such parts there are."""
    part_N, parts = part_CN[0], cuts[0].runs.shape[1]
    for cut, own_N in zip(cuts[1:], part_CN[1:], strict=True):
        part_N, parts = part_N * cut.runs.shape[1] + own_N, parts * cut.runs.shape[1]
    return part_N, parts


def search(cuts: Sequence[Cut], rows: Rows, *, most: int, least: int, paired: int) -> list[Slice]:
    """At most `most` slices of `least` rows each, the surest first; each is sought among the rows of none before it.

    Pairs are made of the `paired` cuts whose own worst run is the surest.
    """
    found: list[Slice] = []
    while len(found) < most and len(rows.loss_N) > least:
        best = min(_tried(cuts, rows, least, paired), key=lambda one: one.surprise, default=None)
        if best is None or best.surprise >= math.log(0.5):
            break
        found.append(best)
        rows = rows.take(~best.within(cuts, rows.part_CN))
    return found


def _tried(cuts: Sequence[Cut], rows: Rows, least: int, paired: int) -> Iterator[Slice]:
    """The surest slice of each cut, and of each pair of cuts."""
    tried = sum(len(cut.runs) for cut in cuts)
    alone = [_of_one(place, cut, rows, least, tried) for place, cut in enumerate(cuts)]
    yield from alone
    order = sorted(range(len(cuts)), key=lambda place: alone[place].surprise)[:paired]
    pairs = list(combinations(sorted(order), 2))
    tried = sum(len(cuts[one].runs) * len(cuts[other].runs) for one, other in pairs)
    for one, other in pairs:
        yield _of_two((one, other), (cuts[one], cuts[other]), rows, least, tried)


def _of_one(place: int, cut: Cut, rows: Rows, least: int, tried: int) -> Slice:
    sums_6P = rows.sums(rows.part_CN[place], cut.runs.shape[1])
    tally = Tally(inside=sums_6P @ cut.runs.T, whole=sums_6P.sum(axis=1))
    z_S = np.where(_of_size(tally, least), tally.z, -np.inf)
    run = int(z_S.argmax())
    return Slice(cuts=(place,), runs=(run,), surprise=_surprise(z_S[run], tried))


def _of_two(places: tuple[int, int], cuts: tuple[Cut, Cut], rows: Rows, least: int, tried: int) -> Slice:
    part_N, parts = joined(cuts, rows.part_CN[list(places)])
    first, second = (cut.runs for cut in cuts)
    sums_6PQ = rows.sums(part_N, parts).reshape(-1, first.shape[1], second.shape[1])
    by_first_6SQ = first @ sums_6PQ
    tally = Tally(inside=by_first_6SQ @ second.T, whole=sums_6PQ.sum(axis=(1, 2)))
    wider = by_first_6SQ.sum(axis=2, keepdims=True), sums_6PQ.sum(axis=1, keepdims=True) @ second.T
    worth_SR = _of_size(tally, least)
    for parent in wider:
        rest = parent - tally.inside
        worth_SR &= (rest[0] >= REST) & (apart(tally.inside, rest, tally.ratio) > PLAINER)
    z_SR = np.where(worth_SR, tally.z, -np.inf)
    best = np.unravel_index(int(z_SR.argmax()), z_SR.shape)
    return Slice(cuts=places, runs=(int(best[0]), int(best[1])), surprise=_surprise(z_SR[best], tried))


def _of_size(tally: Tally, least: int) -> np.ndarray:
    enough: np.ndarray = (tally.inside[0] >= least) & (tally.inside[0] <= MOST_SHARE * tally.whole[0])
    return enough


def _surprise(z: float, tried: int) -> float:
    """The logarithm of how many of as many slices would be so much worse where there is nothing (Bonferroni)."""
    from scipy.special import log_ndtr

    return float(log_ndtr(-z)) + math.log(max(tried, 1))

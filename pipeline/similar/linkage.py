"""Rows that tell of one thing in two ways: records linked by what they share, without examples to learn from.

Pairs that share a rare value, or two values in whichever fields, are compared field by field. How much an agreement
says follows from how often values agree by chance and, by expectation maximisation, how often they agree in matches.
Sources: Fellegi, Sunter 1969, JASA 64; Winkler 2000 (EM, and weights by a value's frequency); Linacre et al. 2022,
Splink (chance from random pairs). That model takes fields for independent: rows of one town agree on its name, its
postcode and its county, and pass for matches. So we ask two things more of a match: its differences must be slips
(`_supported`), and of fields that tell the same only one counts (`_own_share`).

Legend: N rows, F fields, P pairs, L levels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.similar.minhash import Positions
from pipeline.similar.records import (
    AKIN,
    CLOSE,
    LEVELS,
    SAME,
    Floats,
    Levels,
    Records,
    candidates,
    compared,
    equal_pairs,
    levels_of,
)

EXPECTED = np.array([0.8, 0.1, 0.05, 0.05])  # how matches agree (same, close, akin, other), before any was seen
EXPECTED_MATCHES = 10.0  # and how many matches that guess counts as
CHANCE_PAIRS = 50_000
LEAST_PAIRS = 20
ROUNDS = 100
SEED = 11


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of the pairs: how alike each field is, as a level, and how often by chance (F, L)."""

    records: Records
    first: Positions
    second: Positions
    alike_PF: Floats
    levels_PF: Levels
    chance_FL: Floats

    @classmethod
    def of(cls, records: Records) -> "Evidence":
        """The evidence of the pairs worth comparing."""
        first, second = candidates(records)
        alike_PF = compared(records, first, second)
        return cls(
            records=records,
            first=first,
            second=second,
            alike_PF=alike_PF,
            levels_PF=levels_of(alike_PF),
            chance_FL=_chance(records),
        )


def linked(fields: pl.DataFrame, probability: float, similarity: float) -> pl.DataFrame:
    """The pairs of rows that are one thing: first < second (positions), similarity (0..1), probability.

    Rows should differ, and texts be normalised. The similarity is that of the fields known in both, each weighed by
    what its agreement says; a field that wholly differs counts as 0.
    """
    records = Records.of(fields)
    if not records.texts:
        return _pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))
    known = Evidence.of(records)
    found, _ = _matches(known, np.ones(records.codes_NF.shape[1]), probability)
    own_F = _own_share(known, found)
    found, odds = _matches(known, own_F, probability)
    weight_PF = np.where(np.isnan(known.alike_PF[found]), 0.0, -np.log(known.chance_FL[:, SAME]) * own_F)
    agreeing = (np.nan_to_num(known.alike_PF[found]) * weight_PF).sum(axis=1)
    similar = np.minimum(agreeing / np.maximum(weight_PF.sum(axis=1), 1e-9), 1.0)
    sure = 1 / (1 + np.exp(-np.clip(odds[found], -500, 500)))
    return _pairs(known.first[found], known.second[found], similar, sure).filter(pl.col("similarity") >= similarity)


def _pairs(first: Positions, second: Positions, similarity: Floats, probability: Floats) -> pl.DataFrame:
    columns = {"first": first, "second": second, "similarity": similarity, "probability": probability}
    return pl.DataFrame(columns, schema_overrides={"first": pl.Int64, "second": pl.Int64})


def _matches(known: Evidence, own_F: Floats, probability: float) -> tuple[Positions, Floats]:
    """The numbers of the pairs that match and are supported, and the log odds of all pairs; `own_F` of a field counts.

    Agreeing on a rare value says more than agreeing on any, on a frequent one less.
    """
    matches_FL, share = _fitted(known, own_F)
    odds = _log_odds(known.levels_PF, matches_FL, known.chance_FL, own_F) + np.log(share / (1 - share))
    rows_F = np.maximum((known.records.codes_NF >= 0).sum(axis=0), 1)
    bonus_PF = np.log(known.chance_FL[:, SAME]) - np.log(known.records.counts_NF[known.first] / rows_F)
    odds += np.where(known.levels_PF == SAME, bonus_PF * own_F, 0.0).sum(axis=1)
    found = np.flatnonzero(odds >= np.log(probability / (1 - probability)))
    return found[_supported(known.levels_PF, found)], odds


def _own_share(known: Evidence, matches: Positions) -> Floats:
    """The share of what each field's agreement says that no richer field has said (F): a town after its postcode, 0.

    From how often two rows that are equal in the one are equal in the other, matches set aside; from 20 pairs on, and
    where matches are the fewer.
    """
    codes_NF, says_F = known.records.codes_NF, -np.log(known.chance_FL[:, SAME])
    equal_PF = known.levels_PF[matches] == SAME
    own_F, order = says_F.copy(), np.argsort(-says_F, kind="stable")
    for place, field in enumerate(order):
        for richer in order[:place]:
            matched = int(equal_PF[:, richer].sum())
            pairs = equal_pairs(codes_NF[:, [richer]]) - matched
            if pairs >= max(LEAST_PAIRS, matched):
                both = equal_pairs(codes_NF[:, [richer, field]]) - int(equal_PF[:, [richer, field]].all(axis=1).sum())
                own_F[field] = min(own_F[field], -np.log(max(both / pairs, 1e-300)))
    return own_F / says_F


def _chance(records: Records) -> Floats:
    """How often each level occurs between two rows drawn at random, by field (F, L); equality from the frequencies."""
    drawn = np.random.default_rng(SEED).integers(0, records.height, (2, CHANCE_PAIRS))
    first, second = drawn[:, drawn[0] != drawn[1]]
    levels_PF = levels_of(compared(records, first, second))
    chance = np.stack([np.bincount(column[column >= 0], minlength=LEVELS) + 0.5 for column in levels_PF.T])
    chance /= chance.sum(axis=1, keepdims=True)
    for field, codes in enumerate(records.codes_NF.T):
        rows = np.bincount(codes[codes >= 0]).astype(np.float64)
        known = rows.sum()
        equal = (rows * (rows - 1)).sum() / max(known * (known - 1), 1)
        chance[field, SAME] = max(equal, 0.5 / known)
    return chance / chance.sum(axis=1, keepdims=True)


def _fitted(known: Evidence, own_F: Floats) -> tuple[Floats, float]:
    """How matches agree (F, L) and their share among all pairs, by EM; pairs that were not compared are no matches."""
    patterns, counts = _patterns(known.levels_PF)
    matches_FL = np.tile(EXPECTED, (own_F.size, 1))
    height = known.records.height
    total, share = height * (height - 1) / 2, 1 / height
    for _ in range(ROUNDS):
        odds = _log_odds(patterns, matches_FL, known.chance_FL, own_F) + np.log(share / (1 - share))
        weights = counts / (1 + np.exp(-np.clip(odds, -500, 500)))
        seen = [np.bincount(levels + 1, weights, minlength=LEVELS + 1)[1:] for levels in patterns.T]
        matches_FL = np.stack(seen) + EXPECTED_MATCHES * EXPECTED
        matches_FL /= matches_FL.sum(axis=1, keepdims=True)
        before, share = share, float(np.clip(weights.sum() / total, 1e-3 / total, 0.5))
        if abs(share - before) <= 1e-6 * before:
            break
    return matches_FL, share


def _patterns(levels_PF: Levels) -> tuple[Levels, Positions]:
    """Each pattern of levels once, and how many pairs have it."""
    places_F = np.int64(LEVELS + 1) ** np.arange(levels_PF.shape[1], dtype=np.int64)
    _, where, counts = np.unique((levels_PF + 1) @ places_F, return_index=True, return_counts=True)
    return levels_PF[where], counts


def _log_odds(levels_PF: Levels, matches_FL: Floats, chance_FL: Floats, own_F: Floats) -> Floats:
    """What the fields of each pair say for a match, as the logarithm of odds; a field that is absent says nothing."""
    says_FL = (np.log(matches_FL) - np.log(chance_FL)) * own_F[:, None]
    padded_FL = np.concatenate([says_FL, np.zeros((own_F.size, 1))], axis=1)  # level -1 is the last column
    return padded_FL[np.arange(own_F.size), levels_PF].sum(axis=1)


def _supported(levels_PF: Levels, found: Positions) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether most pairs that agree where each found pair does agree on each field in which this pair does not.

    So a slip stands out from what always differs: two people of one household agree on all but what names them. One
    field alone is given the benefit of two pairs that agree by 0.8 (as expected of matches), beside those seen.
    """
    bits_F = np.int64(1) << np.arange(levels_PF.shape[1], dtype=np.int64)
    agrees = np.where((levels_PF == SAME) | (levels_PF == CLOSE), bits_F, 0).sum(axis=1)
    differs = np.where(levels_PF >= AKIN, bits_F, 0).sum(axis=1)
    _, where, inverse, counts = np.unique(
        (agrees << 32) | differs, return_index=True, return_inverse=True, return_counts=True
    )
    kinds = np.stack([agrees[where], differs[where]])
    supported = np.zeros(kinds.shape[1], np.bool_)
    for kind in np.unique(inverse[found]):
        agree, differ = kinds[:, kind]
        like = (kinds[0] & agree) == agree
        alike_F = ((kinds[0][like, None] & bits_F) > 0) * counts[like, None]
        other_F = ((kinds[1][like, None] & bits_F) > 0) * counts[like, None]
        in_doubt_F = (differ & bits_F) > 0
        doubt = 2.0 if in_doubt_F.sum() == 1 else 0.0
        agreeing, differing = alike_F.sum(axis=0) + EXPECTED[SAME] * doubt, other_F.sum(axis=0)
        supported[kind] = bool((agreeing >= differing + (1 - EXPECTED[SAME]) * doubt)[in_doubt_F].all())
    return supported[inverse[found]]

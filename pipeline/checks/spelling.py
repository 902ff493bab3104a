"""The check of spelling: rare values that are a slip of the hand away from a frequent one."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.checks.values import Values, every, is_marker, rows_in, told, words
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Skipped, Table

Booleans: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

DIGITS = re.compile(r"\d+")
FREQUENT, RARE = 1_000, 5_000  # values that are compared, at most
SWAPS = 3  # so many values with the same word in place of the same other one are a series, not slips
ALONE = 2  # rows of a slip that is one of few: a single value that repeats is one of its own (ISLAND beside INLAND)
PRIOR_PAIRS = 500  # before it is counted, one of so many pairs of right values is taken to be near


@dataclass(frozen=True, kw_only=True)
class StringTypos:
    """Which rare values are one or two edits from a value that stands at least `ratio` times as often?

    Right values may be near each other too (`Iowa`, `Ohio`; product codes): how often they are is counted among the
    values that are no candidates, and where that would explain more than `maximum_false_share` of what was found, the
    column is left alone. Digits never count as typos: values are compared with each number as one sign, and the
    numbers are put back into what is suggested.
    """

    ratio: Annotated[float, Field(ge=2)] = 10.0
    maximum_false_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    policy: Policy = "warn"
    name: ClassVar[str] = "string_typos"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = (
        "one edit up to 5 letters, two beyond: Lucene's fuzzy queries; a tenth of the length beyond 20"
    )

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, words(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        counts = values.counts.filter(~is_marker(pl.col("value"))).with_columns(
            form=pl.col("value").str.replace_all(r"\d+", "0")
        )
        forms = counts.group_by("form").agg(pl.col("rows").sum()).sort("rows", "form", descending=[True, False])
        if rows_in(forms) < 2 * forms.height:
            return
        found = typos(dict(forms.iter_rows()), ratio=self.ratio, maximum_false_share=self.maximum_false_share)
        wrong = counts.filter(pl.col("form").is_in(list(found)))
        meant = {value: found[DIGITS.sub("0", value)] for value in wrong["value"]}
        mended = {value: filled for value, form in meant.items() if (filled := _filled(value, form)) is not None}
        if meant:
            yield values.hit(
                self.name,
                meant,
                message=f"{values.name} looks misspelt in {HIT_ROWS}: {told(meant)}",
                suggestion="correct them; the policy `repair` takes the frequent value",
                mended=mended,
                threshold=self.ratio,
            )


CHECKS = (StringTypos,)


def typos(counts: dict[str, int], *, ratio: float, maximum_false_share: float) -> dict[str, str]:
    """The frequent value that each misspelt one is meant to be; `counts` are in falling order.

    >>> typos({"Birmingham": 90, "Boston": 70, "Birmimgham": 1}, ratio=10, maximum_false_share=0.1)
    {'Birmimgham': 'Birmingham'}
    """
    top = max(counts.values(), default=0)
    frequent = [value for value, rows in counts.items() if rows >= ratio and len(value) >= 3][:FREQUENT]
    rare = [value for value, rows in counts.items() if rows * ratio <= top and len(value) >= 3][-RARE:]
    if not frequent or not rare:
        return {}
    rows = np.array([[counts[value]] for value in rare]) * ratio <= np.array([counts[value] for value in frequent])
    near = close(rare, frequent) & rows
    hit: Booleans = np.asarray(near.any(axis=1))
    slipped = {value for value, is_near in zip(rare, hit, strict=True) if is_near}  # a slip may stand in many rows too
    right = [value for value in dict.fromkeys([*frequent, *rare]) if value not in slipped][:FREQUENT]
    pairs = len(right) * (len(right) - 1) // 2
    by_chance = (np.triu(close(right, right), 1).sum() + 1) / (pairs + PRIOR_PAIRS)
    if by_chance > maximum_false_share * near.sum() / near.size:
        return {}
    found = {rare[i]: frequent[int(near[i].argmax())] for i in np.flatnonzero(hit)}  # the first is the most frequent
    slips = without_swaps(found)
    return slips if len(slips) >= SWAPS else {v: meant for v, meant in slips.items() if counts[v] <= ALONE}


def without_swaps(found: dict[str, str]) -> dict[str, str]:
    """Those that are no other word in the same place: of `SWAPS` values that differ by the same word none is a slip.

    >>> without_swaps({"x south": "x north", "y south": "y north", "z south": "z north", "nroth": "north"})
    {'nroth': 'north'}
    """
    meanings: dict[tuple[str, str], set[str]] = {}
    for value, meant in found.items():
        for swap in _swaps(value, meant):
            meanings.setdefault(swap, set()).add(meant)
    series = {swap for swap, meant in meanings.items() if len(meant) >= SWAPS}
    return {value: meant for value, meant in found.items() if series.isdisjoint(_swaps(value, meant))}


def close(left: Sequence[str], right: Sequence[str]) -> Booleans:
    """Are two texts within the edits that their length allows? Shape (left, right); a text is not close to itself."""
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cdist

    allowed = np.array([edits(value) for value in left])
    distance = cdist(left, right, scorer=OSA.distance, score_cutoff=int(allowed.max(initial=0)), dtype=np.int32)
    found: Booleans = (distance > 0) & (distance <= allowed[:, None])
    return found


def edits(value: str) -> int:
    """How many slips a value of that length may hold."""
    return 1 if len(value) <= 5 else max(2, len(value) // 10)


def _swaps(value: str, meant: str) -> set[tuple[str, str]]:
    """The words of the value, each with what is meant, where they differ; none where words were joined or split."""
    own, other = (re.findall(r"[^\W_]+", each) for each in (value, meant))
    return {pair for pair in zip(own, other, strict=False) if pair[0] != pair[1]} if len(own) == len(other) else set()


def _filled(value: str, form: str) -> str | None:
    """The meant form with the value's numbers; null where the slip touches a number, which may have lost a digit."""
    from rapidfuzz.distance import Levenshtein

    own, numbers = DIGITS.sub("0", value), DIGITS.findall(value)
    touched = [own[max(op.src_pos - 1, 0) : op.src_pos + 2] for op in Levenshtein.editops(own, form)]
    if any("0" in part for part in touched) or form.count("0") != len(numbers):
        return None
    remaining = iter(numbers)
    return DIGITS.sub(lambda _: next(remaining), form)

"""The page of `keepfit check --html`: what was found, worst first, then the columns, the checks and the sources.

It is made of the published Examination alone, reads no clock, and has a bound on everything that grows with the data.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline import checks
from pipeline.artefacts import Record
from pipeline.reports import bars, document, figures, words
from pipeline.reports.bars import Stack
from pipeline.reports.words import Json
from pipeline.wording import clip, count, number, share

SEVERITIES = ("error", "warning", "info")
CARDS, COLUMNS, STACKS, SOURCES, DAMAGES = 150, 400, 12, 50, 20
ALIKE, VALUES = 3, 3  # findings of one check before the rest is folded, values named under their bars
ITSELF = "keepfit itself"  # the family of what a check that failed is told by


def page(answer: Record) -> str:
    """The page of an Examination; pure."""
    published = answer.model_dump(mode="json")
    found = published["findings"]
    return document.render(
        "quality.html.j2",
        answer=published,
        name=_name(published["sources"]),
        claim=_claim(found, _name(published["sources"])),
        lead=_lead(published),
        tally={name: sum(one["severity"] == name for one in found) for name in SEVERITIES},
        missing=_missing(published),
        by_family=_stacked(((_family(one["check"]), one["severity"]) for one in found), "family"),
        by_column=_stacked(((one["column"], one["severity"]) for one in found if one["column"]), "column"),
        cards=_folded([_card(one, at) for at, one in enumerate(found[:CARDS])]),
        carded=min(len(found), CARDS),
        columns=_columns(published),
        asked=[_asked(one, published["rows"]) for one in published["checks"] if one["examined"]],
        idle=_idle(published["checks"]),
        sources=published["sources"][:SOURCES],
        damages=DAMAGES,
    )


def _name(sources: Sequence[Json]) -> str:
    return str(sources[0]["name"]) if len(sources) == 1 else count(len(sources), "file")


def _claim(found: Sequence[Json], name: str) -> str:
    """What a reader must know, in one line."""
    tally = Counter(one["severity"] for one in found)
    told = [count(tally[severity], severity) for severity in ("error", "warning") if tally[severity]]
    if told:
        return f"{' and '.join(told)} in {clip(name)}"
    return f"{'No error and no warning' if found else 'No check found anything'} in {clip(name)}"


def _lead(answer: Json) -> str:
    asked = sum(bool(one["examined"]) for one in answer["checks"])
    idle = len(answer["checks"]) - asked
    seconds = sum(one["seconds"] for one in answer["checks"])
    known = sum(one["severity"] == "info" for one in answer["findings"])
    more = f" {count(known, 'more finding')} {'is' if known == 1 else 'are'} only worth knowing." if known else ""
    return (
        f"{count(asked, 'check')} looked at {count(answer['rows'], 'row')} of {count(answer['columns'], 'column')} "
        f"for {number(seconds)} s; {idle} {'does' if idle == 1 else 'do'} not apply.{more}"
    )


def _missing(answer: Json) -> float:
    """The share of all cells that hold nothing."""
    cells = answer["rows"] * len(answer["profile"])
    return sum(column["missing"] for column in answer["profile"].values()) / cells if cells else 0.0


def _family(check: str) -> str:
    kind = checks.registered().get(check)
    return kind.__module__.rsplit(".", maxsplit=1)[-1].replace("_", " ") if kind else ITSELF


def _stacked(pairs: Iterable[tuple[str, str]], what: str) -> Markup:
    """Findings by name and severity: the names with the worst and most first, those beyond `STACKS` as one."""
    tally: dict[str, Counter[str]] = {}
    for name, severity in pairs:
        tally.setdefault(name, Counter())[severity] += 1
    ranked = sorted(tally.items(), key=lambda item: (*(-item[1][severity] for severity in SEVERITIES), item[0]))
    rows = [
        Stack(name=clip(name, 60), parts=[(s, counts[s]) for s in SEVERITIES], note=_note(counts))
        for name, counts in ranked[:STACKS]
    ]
    if rest := ranked[STACKS:]:
        rows.append(Stack(name=f"{len(rest)} more", parts=[], note=_note(sum((c for _, c in rest), Counter()))))
    return figures.half(lambda width: bars.stacks(rows, width, f"Findings by {what}")) if rows else Markup("")


def _note(counts: Mapping[str, int]) -> str:
    return ", ".join(count(counts[s], s) if s != "info" else f"{counts[s]} info" for s in SEVERITIES if counts[s])


def _card(one: Json, at: int) -> dict[str, Any]:
    """A finding with its place, its question, its examples as rows and values, and its numbers as bars and words."""
    kind = checks.registered().get(one["check"])
    question = ((kind.__doc__ or "").splitlines() or [""])[0] if kind else ""
    return {**one, "at": at, "question": question, "cells": _cells(one), "measures": _measures(one), "more": []}


def _folded(cards: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first findings of each check and severity; the others as `more` of the last of these."""
    of_kind = Counter((card["severity"], card["check"]) for card in cards)
    shown: list[dict[str, Any]] = []
    last: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for card in cards:
        kind = card["severity"], card["check"]
        if of_kind[kind] > ALIKE + 1 and len(last.setdefault(kind, [])) >= ALIKE:
            last[kind][-1]["more"].append(card)
        else:
            last.setdefault(kind, []).append(card)
            shown.append(card)
    return shown


def _cells(one: Json) -> list[tuple[str, str]]:
    """Examples as (row, value) where each names a row, else none.

    >>> _cells({"rows": 2, "examples": ["17: 4,5", "18"]}), _cells({"rows": 0, "examples": ["17: 4,5"]})
    ([('17', '4,5'), ('18', '')], [])
    """
    found = [re.fullmatch(r"(\d+)(?:: (.*))?", example, flags=re.DOTALL) for example in one["examples"]]
    if not one["rows"] or not all(found):
        return []
    return [(match[1], match[2] or "") for match in found if match]


def _measures(one: Json) -> list[tuple[Markup, str]]:
    """The share of rows, and the observed number against the threshold where it is not that share."""
    observed, threshold = one["observed"], one["threshold"]
    if not one["rows"]:
        whole = (Markup(""), f"about the whole {'column' if one['column'] else 'data set'}")
        return [whole, *_observed(one)]
    same = _is_number(observed) and math.isclose(observed, one["fraction"], rel_tol=1e-3)
    tick = threshold if same and _is_number(threshold) and 0 < threshold <= 1 else None
    told = f"{count(one['rows'], 'row')}, {share(one['fraction'])}{f', threshold {share(tick)}' if tick else ''}"
    rows = (bars.gauge(one["fraction"], one["severity"], told, tick=tick, full=1.0), told)
    return [rows] if same else [rows, *_observed(one)]


def _observed(one: Json) -> list[tuple[Markup, str]]:
    observed, threshold = one["observed"], one["threshold"]
    if observed is None:
        return []
    told = f"observed {_said(observed)}{'' if threshold is None else f', threshold {_said(threshold)}'}"
    if not (_is_number(observed) and _is_number(threshold) and min(observed, threshold) >= 0 < threshold):
        return [(Markup(""), told)]
    full = 1.03 * max(observed, threshold)
    return [(bars.gauge(observed, one["severity"], told, tick=threshold, full=full), told)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _said(value: object) -> str:
    """A number as people read it: a whole one without decimals, a huge one by its power of ten.

    >>> _said(49.0), _said(0.0371), _said(2e300), _said("Int64")
    ('49', '0.0371', '2e+300', 'Int64')
    """
    if not isinstance(value, float) or not math.isfinite(value):
        return clip(number(value))
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    return number(int(value) if value.is_integer() else value)


def _columns(answer: Json) -> list[dict[str, Any]]:
    """The columns in the data's order; where they are too many those with findings, then the first ones."""
    first = {one["column"]: at for at, one in reversed(list(enumerate(answer["findings"]))) if one["column"]}
    tally: dict[str, Counter[str]] = {}
    for one in answer["findings"]:
        tally.setdefault(one["column"], Counter())[one["severity"]] += 1
    chosen = sorted(answer["profile"], key=lambda name: name not in first)[:COLUMNS]
    kept = [name for name in answer["profile"] if name in set(chosen)]
    return [
        {
            **_described(answer["profile"][name], answer["rows"]),
            "name": name,
            "at": at,
            "first": first.get(name),
            "tally": [(s, tally[name][s]) for s in SEVERITIES if tally[name][s]] if name in first else [],
        }
        for at, name in enumerate(kept)
    ]


def _described(column: Json, rows: int) -> dict[str, Any]:
    zone = "time_zone='" in column["type"]
    ends = {key: _end(column[key], zone=zone) for key in ("min", "mean", "max")}
    return {
        **ends,
        "kind": column["type"].split("(")[0],
        "roles": " ".join(filter(None, (column["modality"], column["role"]))),
        "why": column["why"],
        "missing": column["missing"] / rows if rows else 0.0,
        "distinct": column["distinct"],
        "shape": _shape(column, ends, rows),
        "top": [(value, share(amount / rows)) for value, amount in (column["top"] or [])[:VALUES]],
    }


def _end(value: object, *, zone: bool) -> str:
    if isinstance(value, str):
        return words.moment(value).removesuffix("" if zone else " UTC")
    return _said(value)


def _shape(column: Json, ends: Mapping[str, str], rows: int) -> Markup:
    """The histogram of numbers, or the bars of the most frequent values; nothing of what is private or too many."""
    if column["histogram"]:
        amounts = column["histogram"]["rows"]
        bars_told = f"{len(amounts)} bars from {ends['min']} to {ends['max']}, the highest of {max(amounts):,} rows"
        return bars.columns(amounts, bars_told if len(amounts) > 1 else f"{ends['min']} in {amounts[0]:,} rows")
    if not column["top"]:
        return Markup("")
    told = [f"{clip(value)}: {amount:,} rows, {share(amount / rows)}" for value, amount in column["top"]]
    return bars.columns([amount for _, amount in column["top"]], "\n".join(told), width=24.0 * len(column["top"]))


def _asked(account: Json, rows: int) -> dict[str, Any]:
    """What a check that applies looked at."""
    share_of_rows = account["examined"] / max(rows, 1)
    return {
        **account,
        "share": share_of_rows,
        "family": _family(account["check"]),
        "seconds": f"{account['seconds']:.3f}",
    }


def _idle(accounts: Sequence[Json]) -> list[tuple[str, list[str]]]:
    """Checks that looked at no row, by the reason why."""
    reasons: dict[str, list[str]] = {}
    for account in accounts:
        if not account["examined"]:
            reasons.setdefault(account["why"] or "there is no row", []).append(account["check"])
    return sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))

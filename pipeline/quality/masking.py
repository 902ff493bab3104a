"""Findings without private values: what a check called private is hidden in every report, whoever tells it."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set

import polars as pl

from pipeline.profile import Categorical
from pipeline.quality.findings import Finding, Hit, Table
from pipeline.quality.private import redacted

SHOWN = 1000  # flags of a private column whose values are looked for in the words of all findings
CUT = 39  # characters of a long value that a message shows before an ellipsis
QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)  # from the first quote to the last: a value may hold one itself
LONG = 1e6  # a number of a private column from here on may be one of its values, and not a count or a share


def masked(table: Table, found: Sequence[tuple[Hit, Finding]]) -> list[Finding]:
    """Findings without the values of columns that a check called private, whichever column they speak of."""
    private = private_columns(hit for hit, _ in found)
    if not private:
        return [said for _, said in found]
    values = _values(table, private, [hit for hit, _ in found if hit.column in private])
    texts = [text for _, said in found for text in (said.message, *said.examples, *_texts(said).values())]
    hidden = dict(zip(texts, redacted(texts, values), strict=True))
    return [_without(said, hidden, own=said.column in private, told=hit.private) for hit, said in found]


def private_columns(hits: Iterable[Hit]) -> set[str]:
    """The columns that a check called private."""
    return {hit.column for hit in hits if hit.private and hit.column is not None}


def _values(table: Table, private: Set[str], hits: Sequence[Hit]) -> set[str]:
    """What stands in the private columns of the sample and of the profile, and in the first flags of their findings."""
    flagged = [hit.flags["value"].head(SHOWN) for hit in hits if hit.flags is not None and "value" in hit.flags.columns]
    # under a name of our own: methods of a series take `^x$` for a pattern
    cells = [table.sample.get_column(name).alias("value").drop_nulls().unique() for name in sorted(private)]
    told = {value for one in (*flagged, *cells) for value in one.cast(pl.String).drop_nulls()}
    told.update(*(each.counts for name in private if isinstance(each := table.profile.columns.get(name), Categorical)))
    told |= {value[:CUT] for value in told if len(value) > CUT}
    names = {name.lower() for name in table.contract.names}  # no secret, unless they stand as a cell: within quotes
    return {f"'{value}'" if value.lower() in names else value for value in told | {value.strip() for value in told}}


def _without(said: Finding, hidden: Mapping[str, str], *, own: bool, told: bool) -> Finding:
    """`own`: the finding is of a private column; `told`: by the check that called it so, which masks by itself."""
    numbers = {name: "***" for name in ("observed", "threshold") if own and _is_long(getattr(said, name))}
    words = {name: "***" if own and not told else hidden[text] for name, text in _texts(said).items()}
    message = QUOTED.sub("***", hidden[said.message]) if own and not told else hidden[said.message]
    examples = [_mask(hidden[each]) if own and not told else hidden[each] for each in said.examples]
    return said.model_copy(update={"message": message, "examples": examples, **numbers, **words})


def _texts(said: Finding) -> dict[str, str]:
    return {name: text for name in ("observed", "threshold") if isinstance(text := getattr(said, name), str)}


def _is_long(number: float | str | None) -> bool:
    return isinstance(number, float) and abs(number) >= LONG


def _mask(example: str) -> str:
    """The row, without its value; what names no row is hidden whole.

    >>> _mask("a.csv#3: jane@example.org"), _mask("a.csv#3"), _mask("jane@example.org"), _mask("jane: 3 times")
    ('a.csv#3: ***', 'a.csv#3', '***', '***')
    """
    row, colon, _ = example.partition(": ")
    named = re.fullmatch(r".*#\d+|\d+", row) is not None  # row_id of a workspace, position in `keepfit check`
    return "***" if not named else f"{row}{colon}***" if colon else row

"""From the counts of a column to its type, role and modality, each with its reason. Pure: no rows are read here.

A column is of a type when at least `ENOUGH` of its values read as it; the others are told as cells that do not. So it
is with numbers among words: `MOSTLY` are numbers, and `ENOUGH` are that or hold no digit (`A12` is a code, `twelve` is
none).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from pipeline.contract import Modality, Role
from pipeline.infer.dates import chosen, is_timed
from pipeline.infer.evidence import NULLS
from pipeline.infer.found import Evidence, Found
from pipeline.infer.rules import rules
from pipeline.tables.cells import BOOLEANS, DECIMAL_COMMA, GROUPED

ENOUGH = 0.95
MOSTLY = 0.8  # four numbers to a word; with more words a reader would see two kinds of answers
UNIQUE = 0.95  # `distinct` is an estimate: 2% off now and then
MANY = 20  # values below which uniqueness says little
DENSE = 2.0  # whole numbers that count up fill at least half of their range
CLASSES = 30  # numbers with more values than that are to be estimated, not told
WORDS = 3.0
LONG = 60  # characters without a space between
PAIRS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
CODES = {"zip", "zipcode", "postcode", "postal", "phone", "telephone", "fax", "code", "fips", "ssn", "isbn", "ean"}
NAMES = {"id", "key", "uuid", "guid", "index", "idx", "rowid"}
BIRTHS = {"birth", "born", "dob", "birthday", "birthdate"}
INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A type that a column may have: how many of its values read as it, and a word on why."""

    dtype: pl.DataType
    parsed: int
    why: str
    format: str | None = None


def decide(
    seen: Mapping[str, Evidence], roles: Mapping[str, Role], media: Mapping[str, Modality], *, text: bool
) -> list[Found]:
    """Every column, in order; `text`: all cells came as text, else only dates and units are looked for."""
    found = [_column(name, evidence, roles.get(name), media.get(name), text) for name, evidence in seen.items()]
    if "time" in roles.values():
        return found
    moments = [column for column in found if column.dtype.is_temporal()]
    axis = [c.name for c in moments if _may_be_axis(c, seen[c.name]) and c.name not in roles]
    if len(axis) != 1 or len(moments) != 1:
        return found
    why = "; the only column of moments, so taken for the time axis"
    return [replace(c, role="time", why=c.why + why) if c.name == axis[0] else c for c in found]


def _column(name: str, seen: Evidence, given: Role | None, medium: Modality | None, text: bool) -> Found:
    seen = _without_signs(name, seen, text)
    kind = _type(name, seen, text)
    role, modality, why = _role(name, seen, kind)
    if medium is not None:
        role, modality, why = "feature", medium, f"the paths of {medium} files"
    if given is not None and given != role:
        role, why = given, f"{why}; the role {given} was given"
    low, high = seen.span(kind.format)
    found = Found(
        name=name,
        dtype=kind.dtype,
        role=role,
        modality=_modality(role, modality, kind, seen),
        nullable=seen.values < seen.rows,
        why=why,
        values=seen.values,
        distinct=min(seen.distinct, seen.values),
        low=low,
        high=high,
        unparsed=seen.values - kind.parsed,
        format=kind.format,
        markers=seen.markers,
    )
    return replace(found, rules=rules(found, seen), why=f"{why}{': a regression target' * found.is_regression}")


def _without_signs(name: str, seen: Evidence, text: bool) -> Evidence:
    """The evidence with `***` and the like as markers, where all else has a type; where that is of few values, if rare.

    In a column of words signs may say something, and so they may beside few numbers: `0`, `+`, `++`.
    """
    rest = seen.without_signs()
    rare = rest.values >= ENOUGH * seen.values
    if not seen.signs or not (rare or rest.distinct > CLASSES):
        return seen
    return seen if _type(name, rest, text).dtype == pl.String() else rest


def _modality(role: Role, guessed: Modality | None, kind: Typed, seen: Evidence) -> Modality | None:
    """None for what no model looks at; numbers of many values are a label to be estimated, any other is a class."""
    if role == "label":
        return "numeric" if kind.dtype.is_numeric() and seen.distinct > CLASSES else "categorical"
    if role in ("id", "group", "ignore") or guessed is not None:
        return guessed if role in ("feature", "time") else None
    return "timestamp" if kind.dtype.is_temporal() else "numeric" if kind.dtype.is_numeric() else "categorical"


def _type(name: str, seen: Evidence, text: bool) -> Typed:
    if seen.dtype != pl.String:
        return _own_type(seen)
    if not seen.values:
        return Typed(dtype=pl.String(), parsed=0, why="empty")
    for candidate in (_moment(seen), _unit(seen), *((_boolean(seen), _number(seen)) if text else ())):
        if candidate is not None and candidate.parsed >= ENOUGH * seen.values:
            return candidate
        if candidate is not None and candidate.dtype.is_numeric() and _is_but_for_words(name, seen, candidate.parsed):
            return candidate
    _, doubt = chosen(seen.patterns, ENOUGH * seen.values)
    if text and _is_number_in_doubt(seen):
        doubt = "numbers whose comma may part thousands or stand before decimals"
    return Typed(dtype=pl.String(), parsed=seen.values, why=_why_text(seen, doubt) if text else "text")


def _is_number_in_doubt(seen: Evidence) -> bool:
    """Whether the values are numbers, each comma of which has three digits behind it, once (`1,234`)."""
    parted = seen.groups and seen.groups == seen.commas - seen.integers
    return bool(parted) and max(seen.commas, seen.grouped) >= ENOUGH * seen.values


def _is_but_for_words(name: str, seen: Evidence, numbers: int) -> bool:
    """Whether words alone keep the values from being numbers; few different ones, or codes by their name, are names."""
    told = [value for value in seen.members if any(letter.isdigit() for letter in value)]
    few = bool(seen.members) and len(told) <= CLASSES
    enough = numbers >= MOSTLY * seen.values and numbers + seen.wordy >= ENOUGH * seen.values
    return enough and not few and not tokens(name) & (CODES | NAMES)


def _own_type(seen: Evidence) -> Typed:
    """The type of a file that says it itself, as the nearest that a contract knows."""
    dtype, why = seen.dtype, f"{seen.dtype} in the file{_span(seen)}"
    if dtype in INTEGERS:
        dtype = pl.Int64()
    elif dtype.is_float() or dtype.is_decimal():
        dtype = pl.Float64()
    elif dtype not in (pl.UInt64, pl.Boolean, pl.Date, pl.Datetime):
        dtype = pl.String()
    return Typed(dtype=dtype, parsed=seen.values, why=why)


def _moment(seen: Evidence) -> Typed | None:
    if seen.moments:
        zone = "UTC" if seen.zoned > seen.moments / 2 else None
        dtype: pl.DataType = pl.Datetime("us", zone) if seen.timed else pl.Date()
        parsed = seen.moments if zone else seen.moments - seen.zoned
        return Typed(dtype=dtype, parsed=parsed, why=f"ISO {'moments' if seen.timed else 'dates'}")
    pattern, why = chosen(seen.patterns, ENOUGH * seen.values)
    if pattern is None:
        return None
    dtype = pl.Datetime("us") if is_timed(pattern) else pl.Date()
    return Typed(dtype=dtype, parsed=seen.patterns[pattern], why=why, format=pattern)


def _boolean(seen: Evidence) -> Typed | None:
    said = {text.strip().lower() for text in seen.members} & set(BOOLEANS)
    return Typed(dtype=pl.Boolean(), parsed=seen.booleans, why=" or ".join(sorted(said))) if said in PAIRS else None


def _unit(seen: Evidence) -> Typed | None:
    for form, parsed in seen.units.items():
        return Typed(dtype=pl.Float64(), parsed=parsed, why=f"numbers as `{form}`{_span(seen, form)}", format=form)
    return None


def _number(seen: Evidence) -> Typed | None:
    """Digits that would lose something as a number stay text: leading zeros, and more than 64 bits hold."""
    same_length = seen.shortest == seen.longest and seen.zeros > 0
    if same_length or seen.zeros >= 0.01 * seen.values or seen.huge:
        return None
    if seen.surely_grouped and seen.grouped > max(seen.floats, seen.commas):
        return Typed(
            dtype=pl.Float64(),
            parsed=seen.grouped,
            why=f"numbers with commas between thousands{_span(seen, GROUPED)}",
            format=GROUPED,
        )
    if seen.floats < ENOUGH * seen.values and seen.groups < seen.commas - seen.integers:
        why = f"numbers with a decimal comma{_span(seen, DECIMAL_COMMA)}"
        return Typed(dtype=pl.Float64(), parsed=seen.commas, why=why, format=DECIMAL_COMMA)
    if seen.integers == seen.floats:
        return Typed(dtype=pl.Int64(), parsed=seen.integers, why=f"whole numbers{_span(seen)}")
    return Typed(dtype=pl.Float64(), parsed=seen.floats, why=f"numbers{_span(seen)}")


def _span(seen: Evidence, form: str | None = None) -> str:
    low, high = seen.span(form)
    return "" if low is None or high is None else f", {low:.10g} to {high:.10g}"


def _why_text(seen: Evidence, doubt: str) -> str:
    if doubt:
        return f"{doubt}, so left as text (give it a `format` in its metadata)"
    if seen.zeros:
        return "digits with leading zeros, which a number would lose"
    return "more digits than a number keeps" if seen.huge else "text"


def _role(name: str, seen: Evidence, kind: Typed) -> tuple[Role, Modality | None, str]:
    """The role and modality that the values and the name speak for, with the reason."""
    if not seen.values:
        return "ignore", None, "no value in any row"
    if seen.dtype.is_nested() or seen.dtype in (pl.Binary, pl.Object, pl.Duration, pl.Time):
        return "ignore", None, f"{kind.why}: no stage reads this"
    if _is_id(seen, kind, tokens(name)):
        return "id", None, f"{kind.why}, a value of its own in nearly every row"
    return ("feature", *_feature(name, seen, kind))


def _feature(name: str, seen: Evidence, kind: Typed) -> tuple[Modality, str]:
    if kind.dtype.is_temporal():
        return "timestamp", kind.why
    if kind.dtype.is_numeric():
        codes = sorted(tokens(name) & (CODES | NAMES)) if kind.dtype.is_integer() else []
        return ("categorical", f"{kind.why}, names by the word `{codes[0]}`") if codes else ("numeric", kind.why)
    if kind.dtype == pl.Boolean:
        return "categorical", kind.why
    distinct = min(seen.distinct, seen.values)
    if seen.values >= MANY and 2 * distinct >= seen.values and (seen.words >= WORDS or seen.characters > LONG):
        return "text", f"text of {seen.words:.0f} words on average, mostly different"
    different = f"{len(seen.members):,}" if seen.members else f"about {distinct:,}"
    return "categorical", f"{kind.why}, {different} different value{'s' * (distinct != 1)}"


def _is_id(seen: Evidence, kind: Typed, words: set[str]) -> bool:
    if seen.values < MANY or seen.distinct < UNIQUE * seen.values:
        return False
    if kind.dtype.is_integer() and seen.low is not None and seen.high is not None:
        return bool(words & NAMES) or seen.high - seen.low + 1 <= DENSE * seen.values
    name_like = seen.spaced <= 0.05 * seen.values and seen.characters <= LONG and not _is_number_in_doubt(seen)
    return kind.dtype == pl.String and name_like


def _may_be_axis(column: Found, seen: Evidence) -> bool:
    """Whether a column of moments orders the rows: filled, of many values, and nobody's birthday."""
    filled = seen.values - column.unparsed >= ENOUGH * seen.rows
    return (
        column.dtype in (pl.Date, pl.Datetime)
        and filled
        and column.distinct >= MANY
        and not tokens(column.name) & BIRTHS
    )


def tokens(name: str) -> set[str]:
    """The words of a column's name, in lower case.

    >>> sorted(tokens("customerId_2"))
    ['2', 'customer', 'id']
    """
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+", name)}


def nulls(found: list[Found]) -> list[str]:
    """What `typed` reads as missing: empty cells, and NA where it is no code among others of two letters."""
    as_written = {m for column in found for m in column.markers if m.strip() in NULLS and not _is_code(column, m)}
    return sorted({"", *as_written})


def _is_code(column: Found, marker: str) -> bool:
    codes = column.rules.get("isin", ())
    return marker.strip() == "NA" and len(codes) >= 5 and all(re.fullmatch(r"[A-Z]{2}", code.strip()) for code in codes)

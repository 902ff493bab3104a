"""How every message and report says counts, numbers, shares and lists. Pure."""

import math
from collections.abc import Sequence

NOTHING = "\N{EN DASH}"
LEAVE_OUT = "leave it out (role `ignore` in the contract)"
AS_MISSING = "list it under `ingest.null_values` in params.yaml, so that it is read as missing"


def count(amount: int, one: str, many: str = "") -> str:
    """So many things, and what they do: `many` says both for other numbers than 1, where an s is not enough.

    >>> count(1, "batch"), count(1200, "row"), count(1, "row is", "rows are"), count(2, "row is", "rows are")
    ('1 batch', '1,200 rows', '1 row is', '2 rows are')
    """
    plural = many or (f"{one}es" if one.endswith(("s", "x", "ch")) else f"{one}s")
    return f"{amount:,} {one if amount == 1 else plural}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first few names, and how many more there are.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def either(names: Sequence[str]) -> str:
    """All of the names, as a choice.

    >>> either(["a"]), either(["a", "b", "c"])
    ('a', 'a, b or c')
    """
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def clip(value: object, longest: int = 240) -> str:
    """Text from the data at a length that one can bear, with signs that are not seen written out.

    >>> clip("a\\u202eb"), clip("a whole novel", longest=7)
    ('a\\\\u202eb', 'a whole…')
    """
    said = str(value)
    shown = said if len(said) <= longest else f"{said[:longest]}…"
    return printable(shown)


def printable(text: str) -> str:
    """The text with signs that could move the cursor or change a colour written out.

    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def number(value: object) -> str:
    """A number with three significant digits and thousands separators; text as it is, nothing as a dash.

    >>> number(0.74812), number(135312), number(-0.0071234), number(4.2e-9)
    ('0.748', '135,312', '-0.00712', '4.2e-09')
    """
    if isinstance(value, float) and math.isfinite(value):
        return _digits(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return NOTHING if value is None or isinstance(value, float) else str(value)


def share(value: float | None) -> str:
    """A share of 0..1 as a percentage that never rounds to nothing or to all.

    >>> share(0.0312), share(0.00002), share(1.0), share(0.99999), share(0.8)
    ('3.12%', '<0.01%', '100%', '>99.9%', '80%')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if 0 < value < 0.0001:
        return "<0.01%"
    if 0.9995 <= value < 1:
        return ">99.9%"
    shown = number(value * 100)
    return f"{shown.rstrip('0').rstrip('.') if '.' in shown else shown}%"


def _digits(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) < 1e-4:
        return f"{value:.2g}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"

"""The report's section on how fast and how large the candidate is. Pure."""

from markupsafe import Markup

from pipeline.judgement.speed import Speed
from pipeline.reports import document
from pipeline.wording import number

UNITS = ("bytes", "kB", "MB", "GB")


def section(told: Speed) -> Markup:
    """Times of a row and of many, and the size."""
    return document.fragment("speed.html.j2", told=told, size=size(told.size))


def size(amount: float) -> str:
    """Bytes as people say them.

    >>> size(512), size(59_247), size(3_200_000)
    ('512 bytes', '59.2 kB', '3.20 MB')
    """
    power = 0
    while amount >= 1000 and power < len(UNITS) - 1:
        amount, power = amount / 1000, power + 1
    return f"{number(int(amount) if not power else float(amount))} {UNITS[power]}"

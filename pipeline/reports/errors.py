"""The report's section on single answers that are wrong. Pure."""

from markupsafe import Markup

from pipeline.judgement.errors import Errors
from pipeline.reports import document


def section(told: Errors) -> Markup:
    """What is taken for what, and the worst rows by their names."""
    return document.fragment("errors.html.j2", told=told, sure=any(one.confidence is not None for one in told.worst))

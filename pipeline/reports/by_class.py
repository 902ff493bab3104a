"""The report's section on how much of each class is found. Pure."""

from collections.abc import Sequence

from markupsafe import Markup

from pipeline.judgement.by_class import OneClass
from pipeline.reports import document


def section(told: Sequence[OneClass]) -> Markup:
    """The share of each class that each model finds, and the candidate's difference to each."""
    models = [*told[0].found] if told else []
    return document.fragment("by_class.html.j2", told=told, models=models)

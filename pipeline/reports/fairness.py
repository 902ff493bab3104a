"""The report's section on groups of people: what each is answered. Pure."""

from markupsafe import Markup

from pipeline.judgement.fairness import Fairness
from pipeline.reports import document
from pipeline.wording import number, share


def section(told: Fairness) -> Markup:
    """A table for each column: a row a group, a column a measure, and how far they are apart."""
    tables = [
        {
            "told": one,
            "measures": list(dict.fromkeys(measure for group in one.groups for measure in group.measures)),
            "write": share if one.chosen else number,
        }
        for one in told.columns
    ]
    return document.fragment("fairness.html.j2", tables=tables)

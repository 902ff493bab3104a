"""One self-contained HTML file from a template: what the reports have in common.

Text from the data is escaped, and a policy in the page forbids every request, and every script but its own.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.reports import charts, words
from pipeline.wording import clip, count, number, share

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, *, filters: Mapping[str, Callable[..., object]] | None = None, **values: Any) -> str:
    """The template filled with `values`; it may use the `filters` beside those by which all reports say things."""
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    page = fragment(template, filters=filters, style=style, script=Markup(script), digest=digest, **values)
    return str(page)


def fragment(template: str, *, filters: Mapping[str, Callable[..., object]] | None = None, **values: Any) -> Markup:
    """A part of a page from a template of its own, filled as a whole one is."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said = (number, share, words.moment, words.metric, words.model, words.interval, count)
    environment.filters.update({function.__name__: function for function in said})
    environment.filters.update(clip=clip, title_case=words.title_case, bar=charts.share_bar, **(filters or {}))
    return Markup(environment.get_template(template).render(swatch=charts.swatch, **values))

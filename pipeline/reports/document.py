"""One self-contained HTML file from a template: what the reports have in common.

Text from the data is escaped, and a policy in the page forbids every request, and every script but its own.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.reports import charts, words

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 240


def render(template: str, *, filters: dict[str, Any], **values: Any) -> str:
    """The template filled with `values`; beside its own `filters` it has how the reports say things."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said = (words.number, words.share, words.moment, words.metric, words.model, words.interval, words.count)
    environment.filters.update({function.__name__: function for function in said})
    environment.filters.update(clip=clip, title_case=words.title_case, bar=charts.share_bar, **filters)
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        digest=digest,
        swatch=charts.swatch,
        **values,
    )


def clip(value: object) -> str:
    """Text from the data at a length that a page can bear."""
    said = str(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"

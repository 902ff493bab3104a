"""The Data Docs: a page for each outcome of a batch, and their index.

The pages are drawn by Great Expectations' own section renderer, in a shell of ours that works offline: its page
template loads eleven files from other hosts and writes times and random ids, so that equal input would not give
equal bytes.
"""

import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from pipeline.artefacts import read_json, write_json, write_text
from pipeline.expectations.outcome import BatchResult, Outcome, configuration, quiet


def judged(folders: Iterable[Path]) -> dict[str, list[Outcome]]:
    """What these Data Docs say, by the fingerprint of what was asked."""
    records = [read_json(path) for folder in folders for path in sorted(folder.glob("batches/*/*.json"))]
    return {one["asked"]: [Outcome(**said) for said in one["outcomes"]] for one in records if "asked" in one}


def publish(result: BatchResult, outcomes: list[Outcome], docs: Path, asked: str) -> BatchResult:
    """Write the batch's page unless one of its pages says just this; numbered, as no clock is read."""
    folder = "batches/" + re.sub(r"[^A-Za-z0-9_.-]|^\.+", "_", result.batch)
    number = 1
    while True:
        page = f"{folder}/{number}"
        result = result.model_copy(update={"page": f"{page}.html"})
        said = {"result": result.model_dump(), "outcomes": [vars(outcome) for outcome in outcomes]}
        known = docs / f"{page}.json"
        if not known.is_file() or _but_for_asked(read_json(known)) == said:
            break
        number += 1
    write_text(docs / result.page, _render(PAGE, result=result, sections=_sections(outcomes)))
    write_json(known, {"asked": asked, **said})
    return result


def _but_for_asked(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "asked"}


def write_index(docs: Path) -> None:
    """The history: one line for each page, by batch and then in the order of arrival."""
    records = [read_json(path)["result"] for path in docs.glob("batches/*/*.json")]
    results = sorted(map(BatchResult.model_validate, records), key=lambda one: (one.batch, len(one.page), one.page))
    write_text(docs / "index.html", _render(INDEX, results=results))


def _sections(outcomes: list[Outcome]) -> list[str]:
    """Great Expectations' own table for the batch, and for each column, as HTML."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.spec["kwargs"].get("column", ""), []).append(outcome)
    with quiet():
        from great_expectations.render.view.view import DefaultJinjaSectionView

        view = DefaultJinjaSectionView()
        return [
            view.render({"section": _section(group), "section_loop": {"index": at}})  # type: ignore[no-untyped-call]
            for at, group in enumerate(groups.values())
        ]


def _section(group: list[Outcome]) -> dict[str, Any]:
    """A heading, and a table with a row for each of `group`; the renderer leaves out notes: we add them."""
    from great_expectations.render.renderer import column_section_renderer

    renderer = column_section_renderer.ValidationResultsColumnSectionRenderer()
    answers = [_answer(outcome) for outcome in group]
    drawn: dict[str, Any] = renderer.render(answers).to_json_dict()  # type: ignore[no-untyped-call]
    for row, outcome in zip(drawn["content_blocks"][1]["table"], group, strict=True):
        note = {"template": "$note", "params": {"note": outcome.spec.get("notes", "")}, "tag": "small"}
        rule = row[1] if isinstance(row[1], list) else [row[1]]
        row[1] = [*rule, {"content_block_type": "string_template", "string_template": note}]
    return drawn


def _answer(outcome: Outcome) -> Any:
    """An outcome as Great Expectations' renderer wants it; that writes observed text as raw HTML."""
    from great_expectations.core import ExpectationValidationResult

    seen = {key: escape(value) if isinstance(value, str) else value for key, value in outcome.seen.items()}
    return ExpectationValidationResult(
        success=outcome.failure is None,
        expectation_config=configuration(outcome.spec),
        result=seen,
        exception_info={"raised_exception": False},
    )


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(HEAD + template).render(**values)


# No script and no other host, whatever the data say; dark where the reader's system is.
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
:root { color-scheme: light dark; --line: 1px solid #8884 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h5 { font-size: 1.05rem; margin: 1.6rem 0 .2rem }
table { border-collapse: collapse; width: 100% } .scroll, .table-responsive { overflow-x: auto }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: var(--line) }
th, small { font-size: .85rem; opacity: .75 } small { display: block } .number { white-space: nowrap }
.table th:first-child { width: 3.5rem } .table th:last-child { width: 30% } td ul { margin: 0; padding: 0 }
.table td, li { overflow-wrap: anywhere } .badge { border: var(--line); padding: 0 .3rem }
.good, .text-success { color: light-dark(#19703a, #5fcf86) } .fa-check-circle::before { content: "\\2714" }
.bad, .text-danger { color: light-dark(#b3261e, #ff8a80) } .fa-times::before { content: "\\2718" }
</style>
"""
PAGE = """<title>{{ result.batch }}</title><a href="../../index.html">All batches</a>
<h1>{{ result.batch }}: <span class="{{ 'good' if result.success else 'bad' }}">
{{ 'passed' if result.success else 'failed' }}</span></h1>
<p>{{ '{:,}'.format(result.rows) }} rows · {{ result.expectations - result.failed|length }} of
{{ result.expectations }} expectations met{% if result.sampled_rows %} · <strong>judged on a uniform sample of
{{ '{:,}'.format(result.sampled_rows) }} rows</strong> (rows counted exactly){% endif %}</p>
<ul class="bad">{% for line in result.failed %}<li>{{ line }}</li>{% endfor %}</ul>
{% for section in sections %}{{ section|safe }}{% endfor %}</html>"""
INDEX = """<title>Arriving batches</title><h1>Arriving batches</h1>
<p>Each file as Great Expectations judged it on arrival: one page for each outcome.</p>
<div class="scroll"><table>
<tr><th>Batch<th>Result<th class="number">Rows<th class="number">Met<th>What failed</tr>
{% for one in results %}<tr><td><a href="{{ one.page|urlencode }}">{{ one.batch }}</a>
<td class="{{ 'good' if one.success else 'bad' }}">{{ 'passed' if one.success else 'failed' }}
<td class="number">{{ '{:,}'.format(one.rows) }}{% if one.sampled_rows %}<br>
<small>{{ '{:,}'.format(one.sampled_rows) }} sampled</small>{% endif %}
<td class="number">{{ one.expectations - one.failed|length }} of {{ one.expectations }}
<td><ul>{% for line in one.failed %}<li>{{ line }}</li>{% endfor %}</ul></tr>
{% endfor %}</table></div></html>"""

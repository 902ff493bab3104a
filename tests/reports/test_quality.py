"""The page of `keepfit check --html`: self-contained, escaped, bounded, what matters first."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from pipeline.commands.check.examine import Examination, PublishedFinding, TimedAccount
from pipeline.commands.reading import Origin
from pipeline.reports import quality

HOSTILE = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
VOID = ("meta", "link", "br", "img", "input")


class Page(HTMLParser):
    """Collects tags, attributes and what stands open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags for key, value in attributes.items() if key == name and value]


def finding(check: str, severity: str, column: str | None, rows: int, **more: Any) -> PublishedFinding:
    values: dict[str, Any] = {
        "check": check,
        "severity": severity,
        "column": column,
        "rows": rows,
        "fraction": rows / 1000,
        "observed": None,
        "threshold": None,
        "message": f"{check} says so",
        "suggestion": "mend it",
        "examples": [],
    }
    return PublishedFinding(**(values | more))


def column(**more: Any) -> dict[str, Any]:
    return {
        "type": "Float64",
        "role": "feature",
        "modality": "numeric",
        "why": "numbers, 0 to 9",
        "missing": 30,
        "distinct": 700,
        "min": 0.0,
        "max": 9.0,
        "mean": 4.25,
        "histogram": {"start": 0.0, "width": 3.0, "rows": [500, 400, 70]},
        "top": None,
        **more,
    }


def words(**more: Any) -> dict[str, Any]:
    top = [["Bern", 600], ["Genf", 300]]
    none = dict.fromkeys(("min", "max", "mean", "histogram"))
    return column(type="String", modality="categorical", distinct=2, top=top) | none | more


def account(check: str, examined: int, why: str = "", findings: int = 0) -> TimedAccount:
    skipped = 1000 - examined
    return TimedAccount(check=check, examined=examined, skipped=skipped, why=why, findings=findings, seconds=0.25)


FOUND = [
    finding("dtype_mismatch", "error", "size", 3, examples=["17: 4,5", "18: x"]),
    finding("missing_share_column", "warning", "size", 30, observed=0.03, threshold=0.01),
    finding("z_score_outlier", "warning", "size", 2, observed=900.0, threshold=300.0, examples=["5: 900.0"]),
    finding("ts_gap", "info", None, 0, examples=["after 2013-02-21 until 2013-02-22"]),
]


def answer(**more: Any) -> Examination:
    values: dict[str, Any] = {
        "rows": 1000,
        "columns": 2,
        "findings": FOUND,
        "profile": {"size": column(), "city": words()},
        "checks": [account("dtype_mismatch", 1000, findings=1), account("ts_gap", 0, "no time axis")],
        "sources": [Origin(name="a.csv", rows=1000, dialect={"encoding": "utf-8"}, damage=["line 7, byte 90: cut"])],
    }
    return Examination(**(values | more))


def test_the_page_is_well_formed_and_asks_for_nothing() -> None:
    text = quality.page(answer())

    page = Page(text)
    assert page.open == []
    assert page.values("src") == []
    assert [value for value in page.values("href") if not value.startswith("#")] == ["data:,"]
    assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}|@import|url\(", text) == []
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")


def test_the_same_answer_gives_the_same_bytes() -> None:
    assert quality.page(answer()) == quality.page(answer())


def test_what_matters_comes_first() -> None:
    text = quality.page(answer())

    order = ["<h1>1 error and 2 warnings in a.csv</h1>", "By family of checks", 'id="finding-0"', 'id="finding-3"']
    places = [text.index(part) for part in [*order, 'id="columns"', 'id="checks"', 'id="sources"']]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("found", "claim"),
    [
        ([], "No check found anything in a.csv"),
        (FOUND[3:], "No error and no warning in a.csv"),
        (FOUND[1:2], "1 warning in a.csv"),
    ],
)
def test_the_headline_says_how_bad_it_is(found: list[PublishedFinding], claim: str) -> None:
    text = quality.page(answer(findings=found))

    assert f"<h1>{claim}</h1>" in text
    assert Page(text).open == []


def test_a_finding_shows_rows_numbers_examples_and_what_to_do() -> None:
    text = quality.page(answer())

    assert "3 rows, 0.3%" in text
    assert "<td class=\"n\">17</td><td><bdi>4,5</bdi></td>" in text  # fmt: skip
    assert "30 rows, 3%, threshold 1%" in text
    assert "observed 900, threshold 300" in text
    assert "about the whole data set" in text
    assert "<bdi>after 2013-02-21 until 2013-02-22</bdi>" in text
    assert text.count("mend it") == len(FOUND)


def test_a_column_is_described_and_linked_to_its_first_finding() -> None:
    text = quality.page(answer())

    assert "3 bars from 0 to 9, the highest of 500 rows" in text
    assert "Bern: 600 rows, 60%" in text
    assert 'href="#finding-0" aria-label="1 error"' in text
    assert "3% of the cells are missing" in text


def test_moments_are_shown_without_a_zone_that_the_data_do_not_have() -> None:
    ends = {"min": "2013-01-01T05:15:00+00:00", "max": "2013-05-31T00:00:00+00:00", "mean": None, "histogram": None}
    naive, aware = ("Datetime(time_unit='us', time_zone=None)", "Datetime(time_unit='us', time_zone='UTC')")

    text = quality.page(answer(profile={"a": column(type=naive, **ends), "b": column(type=aware, **ends)}))

    assert '<td class="n">2013-01-01 05:15</td>' in text
    assert '<td class="n">2013-01-01 05:15 UTC</td>' in text


def test_a_private_column_shows_counts_alone() -> None:
    hidden = dict.fromkeys(("min", "max", "mean", "histogram", "top"))

    text = quality.page(answer(profile={"mail": column(**hidden)}))

    assert 'class="histogram"' not in text
    assert '<td class="n">700</td>' in text


def test_checks_that_do_not_apply_stand_by_their_reason() -> None:
    text = quality.page(answer())

    assert "1 check looked at 1,000 rows of 2 columns for 0.500 s; 1 does not apply." in text
    assert "<dt>no time axis</dt><dd><code>ts_gap</code></dd>" in text


def test_damage_is_told() -> None:
    text = quality.page(answer())

    assert "1 damaged place read past" in text
    assert "line 7, byte 90: cut" in text


def test_many_findings_of_one_check_are_folded() -> None:
    found = [finding("constant_column", "warning", f"c{at}", 1000) for at in range(10)]

    text = quality.page(answer(findings=found))

    assert "7 more of <code>constant_column</code>" in text
    assert text.index('id="finding-2"') < text.index("<details>") < text.index('id="finding-3"')
    assert Page(text).open == []


def test_the_page_has_a_bound() -> None:
    found = [finding(f"check_{at}", "warning", f"c{at}", 1) for at in range(400)]
    profile = {f"c{at}": column() for at in range(3000)}

    text = quality.page(answer(findings=found, profile=profile, columns=3000))

    assert text.count('class="card warning') == quality.CARDS
    assert "And 250 more findings" in text
    assert text.count('id="column-') == quality.COLUMNS
    assert "And 2,600 more columns" in text
    assert len(text) < 1_500_000


def test_columns_with_findings_are_kept_where_columns_are_too_many() -> None:
    profile = {f"c{at}": column() for at in range(1000)}

    text = quality.page(answer(findings=[finding("skew", "info", "c999", 0)], profile=profile))

    assert '<th scope="row">c999</th>' in text
    assert '<th scope="row">c998</th>' not in text


def test_an_empty_table_has_a_page() -> None:
    empty = answer(rows=0, columns=0, findings=[], profile={}, checks=[account("ts_gap", 0)], sources=[])

    text = quality.page(empty)

    assert Page(text).open == []
    assert "there is no row" in text


def test_hostile_text_is_escaped_everywhere() -> None:
    found = finding(HOSTILE, "error", HOSTILE, 2, message=HOSTILE, suggestion=HOSTILE, observed=HOSTILE,
                    threshold=HOSTILE, examples=[f"3: {HOSTILE}", "4"])  # fmt: skip
    free = finding("ts_gap", "info", None, 0, examples=[HOSTILE])
    planted = answer(
        findings=[found, free],
        profile={HOSTILE: words(type=HOSTILE, role=HOSTILE, why=HOSTILE, top=[[HOSTILE, 9]])},
        checks=[account(HOSTILE, 900, HOSTILE), account(HOSTILE, 0, HOSTILE)],
        sources=[Origin(name=HOSTILE, rows=1, dialect={HOSTILE: HOSTILE}, damage=[HOSTILE])],
    )

    text = quality.page(planted)

    page = Page(text)
    assert page.open == []
    assert [tag for tag, _ in page.tags if tag in ("script", "img")] == ["script"]
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert "{{ 7 * 7 }}" in text


def test_signs_that_are_not_seen_are_written_out() -> None:
    text = quality.page(answer(profile={"\u202eevil\x00": column()}))

    assert r"\u202eevil\x00" in text
    assert "\u202e" not in text


@pytest.mark.parametrize("value", [1e300, -1e300, 5e-324, 0.0])
def test_numbers_of_any_size_are_short(value: float) -> None:
    found = [finding("skew", "info", "size", 3, observed=value, threshold=value)]

    text = quality.page(answer(findings=found, profile={"size": column(min=value, max=value, mean=value)}))

    assert re.search(r"\d[\d,]{30,}", text) is None

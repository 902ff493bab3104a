"""The page: self-contained, escaped, bounded, and speaking where files are absent."""

import copy
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from pipeline.errors import WorkspaceError
from pipeline.reports import figures, report
from pipeline.workspace import Workspace

Json = dict[str, Any]
Make = Callable[[dict[str, Json]], Workspace]
HOSTILE = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Collects tags, attributes and what stands open."""

    void = frozenset(("meta", "link", "br", "img", "input"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags for key, value in attributes.items() if key == name and value]


def text_of(workspace: Workspace) -> str:
    return report.write(workspace).read_text(encoding="utf-8")


def test_write_says_where_the_report_is(workspace: Make, files: dict[str, Json]) -> None:
    made = workspace(files)
    assert report.write(made) == made.report
    assert made.report.is_file()


def test_the_page_is_well_formed_and_asks_for_nothing(workspace: Make, files: dict[str, Json]) -> None:
    page = Page(text_of(workspace(files)))
    assert page.open == []
    assert page.values("src") == []
    targets = [value for value in page.values("href") if not value.startswith(("#", "data_docs/"))]
    assert targets == ["data:,"]
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")


def test_no_address_of_another_host_is_in_the_page(workspace: Make, files: dict[str, Json]) -> None:
    assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}|@import|url\(", text_of(workspace(files))) == []


def test_the_same_files_give_the_same_bytes(workspace: Make, files: dict[str, Json]) -> None:
    made = workspace(files)
    assert text_of(made) == text_of(made)


def test_the_headline_comes_first_then_the_timeline(workspace: Make, files: dict[str, Json]) -> None:
    text = text_of(workspace(files))
    order = [
        "<h1>v4 predicts late better than",
        'id="timeline"',
        'id="evaluation"',
        'id="training"',
        'id="data"',
        'id="drift"',
        "<footer>",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("reports/evaluation", "No model has been judged yet. Run <code>keepfit run</code>."),
        ("reports/ledger", "No rows have been cleaned yet. Run <code>keepfit run</code>."),
        ("reports/quality", "No data have been validated yet. Run <code>keepfit run</code>."),
        ("monitoring/", "No batch has been watched yet. Run <code>keepfit monitor</code>."),
        ("models/champion", "No model has been promoted yet."),
        ("models/registry", "keepfit"),
    ],
)
def test_what_is_absent_is_said_with_what_to_run(
    workspace: Make, files: dict[str, Json], prefix: str, said: str
) -> None:
    text = text_of(workspace({place: value for place, value in files.items() if not place.startswith(prefix)}))
    assert said in text
    assert Page(text).open == []


def test_an_empty_workspace_has_a_report(workspace: Make) -> None:
    text = text_of(workspace({}))
    assert text.count('class="absent"') == 6
    assert Page(text).open == []


def planted(value: Any, words: str) -> Any:
    """Every text of a JSON value replaced, but those that the page decides by."""
    kept = {
        "error",
        "warning",
        "info",
        "stop",
        "quarantine",
        "repair",
        "warn",
        "fits",
        "auc",
        "log_loss",
        "average_precision",
    }
    if isinstance(value, dict):
        return {key: planted(item, words) for key, item in value.items() if key not in ("model",)} | (
            {"model": value["model"]} if "model" in value else {}
        )
    if isinstance(value, list):
        return [planted(item, words) for item in value]
    return words if isinstance(value, str) and value not in kept else value


def test_hostile_text_in_every_place_stays_text(workspace: Make, files: dict[str, Json]) -> None:
    made = {place: planted(value, HOSTILE) for place, value in files.items()}
    made["models/champion.json"]["version"] = "v4"
    made["reports/quality.json"]["profile"] = {HOSTILE: {"missing": 3, "distinct": 2}}
    made["reports/ledger.json"]["stages"][1]["reasons"] = {HOSTILE: 4_218}
    made["reports/evaluation.json"]["rows"][HOSTILE] = 3
    text = text_of(workspace(made))
    tags = [tag for tag, _ in Page(text).tags]
    assert tags.count("script") == 1 and "img" not in tags and tags.count("style") == 1
    assert not [key for _, attributes in Page(text).tags for key in attributes if key.startswith("on")]
    assert text.count("&lt;script&gt;") > 50


def test_a_page_link_cannot_leave_the_data_docs(workspace: Make, files: dict[str, Json]) -> None:
    files["reports/quality.json"]["batches"][0]["page"] = "javascript:alert(1)"
    assert 'href="data_docs/javascript%3Aalert%281%29"' in text_of(workspace(files))


def test_size_does_not_grow_with_rows(workspace: Make, files: dict[str, Json]) -> None:
    before = len(text_of(workspace(files)))
    many = json.loads(json.dumps(files), parse_int=lambda raw: int(raw) * 1_000_000 if int(raw) > 1000 else int(raw))
    assert len(text_of(workspace(many))) < 1.05 * before


def test_findings_and_their_examples_are_cut_at_a_bound(workspace: Make, files: dict[str, Json]) -> None:
    found = files["reports/quality.json"]["findings"][0] | {"examples": ["x" * 5_000] * 20}
    files["reports/quality.json"]["findings"] = [found] * 300
    text = text_of(workspace(files))
    assert "And 240 more findings: reports/quality.json." in text
    assert "x" * 241 not in text


def test_many_columns_and_batches_stay_readable(workspace: Make, files: dict[str, Json]) -> None:
    record = files["monitoring/2013-08.csv.gz.json"]
    column = record["drift"]["columns"][0]
    record["drift"]["columns"] = [column | {"column": f"column {n}"} for n in range(300)]
    for n in range(120):
        files[f"monitoring/3000-{n:03}.json"] = copy.deepcopy(record) | {"batch": f"3000-{n:03}"}
    text = text_of(workspace(files))
    assert "The last 48 of 127 batches" in text
    assert len(text) < 3_000_000


def test_batches_without_labels_are_shown(workspace: Make, files: dict[str, Json]) -> None:
    for place, value in files.items():
        if place.startswith("monitoring/"):
            value["live"], value["outcome"], value["drift"]["label"] = None, None, None
    text = text_of(workspace(files))
    assert "No batch has labels yet, so there is no live metric." in text
    assert "no labels yet" in text


def test_a_ledger_that_does_not_add_up_is_said(workspace: Make, files: dict[str, Json]) -> None:
    files["reports/ledger.json"]["kept"] -= 5
    assert "This does not add up: 5 rows" in text_of(workspace(files))


def test_more_than_two_classes_are_shown(workspace: Make, files: dict[str, Json]) -> None:
    files["reports/evaluation.json"] |= {"classes": ["a", "b", "c"], "confusion": [[5, 1, 0], [0, 4, 2], [1, 1, 9]]}
    assert "in truth c, answered c: 9 rows" in text_of(workspace(files))


def test_scores_without_intervals_are_shown(workspace: Make, files: dict[str, Json]) -> None:
    bare = json.loads(
        re.sub(r'"(low|high)": [0-9.]+', r'"\1": null', json.dumps(files["reports/evaluation.json"]["scores"]))
    )
    files["reports/evaluation.json"]["scores"] = bare
    assert "0.748" in text_of(workspace(files))


def test_points_in_any_order_make_the_same_curves(workspace: Make, files: dict[str, Json]) -> None:
    before = text_of(workspace(files))
    for points in files["reports/evaluation.json"]["roc"].values():
        points.reverse()
    assert text_of(workspace(files)) == before


def test_what_was_told_of_the_training_is_beside_its_curves(workspace: Make, files: dict[str, Json]) -> None:
    evaluation = files["reports/evaluation.json"]
    told = {"message": "all", "suggestion": HOSTILE}
    symptom = {"name": "dead_units", "severity": "error", "since": 3, "seen": {}, **told}
    assert "healthy" not in text_of(workspace(files))

    evaluation["health"] = []
    assert "Its gradients, units and curves were healthy." in text_of(workspace(files))
    evaluation["health"] = [symptom]
    text = text_of(workspace(files))

    assert "<code>dead_units</code> since epoch 3: all" in text
    assert HOSTILE not in text
    assert text.index('id="training"') < text.index("dead_units") < text.index('id="data"')


def test_the_norms_of_the_gradient_are_drawn_beside_the_curves(workspace: Make, files: dict[str, Json]) -> None:
    evaluation = files["reports/evaluation.json"]
    epochs = len(evaluation["curves"]["train_loss"])
    evaluation["gradients"] = {"median": [0.5] * epochs, "highest": [None, *[3.0] * (epochs - 1)], "cut_to": 1.0}

    page = text_of(workspace(files))

    assert "Gradient norm" in page
    assert "before it is cut to 1.0" in page


def test_a_chart_draws_the_interval_that_the_sentence_beside_it_says(workspace: Make, files: dict[str, Json]) -> None:
    evaluation = files["reports/evaluation.json"]
    pair = next(one for one in evaluation["paired"] if one["metric"] == "auc" and one["low"] > 0)
    wide = {"low": -0.5, "high": 0.5, "word": "not shown to be better", "p_value": 0.2, "compared": 3}
    evaluation["verdicts"] = [{**pair, **wide}]

    drawn = figures.paired(evaluation, {pair["model"]: "it"}, "auc", 300)

    assert "unclear" in drawn
    assert "corrected for 3 comparisons" in text_of(workspace(files))


def test_times_are_shown_of_the_training_that_was_judged_alone(workspace: Make, files: dict[str, Json]) -> None:
    candidate = files["reports/evaluation.json"].setdefault("candidate", "a1b2")
    files[".keepfit/training/times.json"] = {"identity": candidate, "laps": [{"compute": 3.0, "data": 1.0}]}
    assert "The training took 4.00 s an epoch (25% waiting for data, 75%" in text_of(workspace(files))

    files[".keepfit/training/times.json"]["identity"] = "another"
    assert "The training took" not in text_of(workspace(files))


def test_every_chart_has_a_label(workspace: Make, files: dict[str, Json]) -> None:
    drawn = [attributes for tag, attributes in Page(text_of(workspace(files))).tags if tag == "svg"]
    assert len(drawn) > 50
    assert all(one.get("aria-label") or one.get("aria-hidden") == "true" for one in drawn)


@pytest.mark.parametrize("place", ["reports/quality.json", "reports/evaluation.json", "monitoring/2013-06.csv.gz.json"])
def test_a_file_of_another_shape_is_named(workspace: Make, files: dict[str, Json], place: str) -> None:
    files[place] = {"rows": 3}
    with pytest.raises(WorkspaceError, match=re.escape(place)):
        report.write(workspace(files))


def test_a_quantity_has_answers_and_residuals_instead_of_curves(workspace: Make, estimated: dict[str, Json]) -> None:
    page = report.write(workspace(estimated)).read_text(encoding="utf-8")

    assert "RMSE 696 against 586" in page
    assert page.count('opacity=".4"') == 2 * len(estimated["reports/evaluation.json"]["predicted"])  # wide and narrow
    assert page.count("688 rows answered about") == 2 * 10
    for words in ("lower is better", "(a number)", "mean of train", "ridge regression", "R²"):
        assert words in page
    for words in ("ROC", "Confusion", "Calibration", "AUC", "positive"):
        assert words not in page


def test_numbers_of_any_size_are_drawn(workspace: Make, estimated: dict[str, Json]) -> None:
    evaluation = estimated["reports/evaluation.json"]
    for factor in (1e-9, 1e9):
        dots = [[truth * factor, answer * factor] for truth, answer in evaluation["predicted"]]
        tenths = [{k: v if k == "rows" else v * factor for k, v in tenth.items()} for tenth in evaluation["residuals"]]
        changed = evaluation | {"predicted": dots, "residuals": tenths}

        page = report.write(workspace(estimated | {"reports/evaluation.json": changed})).read_text(encoding="utf-8")

        assert not re.search(r'="[^"]*\b(nan|inf)\b', page)


def test_what_the_champion_started_from_is_said(workspace: Make, files: dict[str, Json]) -> None:
    numbers = {"taken": 900, "weights": 1000, "frozen": 400}
    start = {"model": "v3", "sha256": "0123456789abcdef", "new": ["dest = <CAE>"], "seen": True, **numbers}
    files["models/registry/v4/manifest.json"] |= {"start": start}

    page = report.render(report.read(workspace(files)))

    assert "from v3 (weights 0123456789ab): 900 of 1,000 weights were taken, 400 of them stayed" in page
    assert "new to it: dest = &lt;CAE&gt;; it may have learnt from rows that are val or test now" in page


def test_of_several_classes_the_curves_say_of_which(workspace: Make, files: dict[str, Json]) -> None:
    files["reports/evaluation.json"] |= {"classes": ["a", "b", "zed"], "confusion": [[5, 1, 0], [0, 4, 2], [1, 1, 9]]}

    page = text_of(workspace(files))

    assert all(f"{title} of zed" in page for title in ("ROC", "Precision and recall", "Calibration"))
    assert "% zed" in page and "% positive" not in page


def test_precision_falls_where_recall_stays(workspace: Make, files: dict[str, Json]) -> None:
    curve = [[0.0, 1.0], [0.5, 1.0], [1.0, 1.0], [1.0, 0.5], [1.0, 0.25]]
    files["reports/evaluation.json"]["precision_recall"] = {"candidate": curve}

    drawn = figures.multiples(files["reports/evaluation.json"], {"candidate": "mine"})[1][1]

    path = max(re.findall(r'd="M([^"]+)"', drawn), key=len)
    heights = [float(point.split(",")[1]) for point in path.split("L")]
    assert heights == sorted(heights)  # down the page, which is down


def test_columns_that_no_baseline_sees_are_named(workspace: Make, files: dict[str, Json]) -> None:
    assert "do not see" not in text_of(workspace(files))

    files["reports/evaluation.json"]["unseen"] = ["letter"]

    assert "logistic regression and gradient boosting do not see letter" in text_of(workspace(files))


def test_without_a_time_axis_there_is_no_window(workspace: Make, files: dict[str, Json]) -> None:
    assert "Window" in text_of(workspace(files))

    files["reports/evaluation.json"]["window"] = {"first": None, "last": None}

    assert "Window" not in text_of(workspace(files))

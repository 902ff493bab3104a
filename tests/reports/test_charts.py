"""The charts: pure, well-formed at their edges, and saying in words what they show in colour."""

from xml.etree import ElementTree

import pytest

from pipeline.reports import charts
from pipeline.reports.charts import Cell, Entry, Series, Step
from pipeline.reports.svg import Interval
from pipeline.reports.timeline import Event, Moment, timeline

WIDTHS = (340.0, 1000.0)


def tree(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)


def words(drawn: str) -> list[str]:
    return [one.text or "" for one in tree(drawn).iter("text")]


def entry(name: str, value: float, *, scaled: bool = True) -> Entry:
    return Entry(
        name=name,
        interval=Interval(value, value - 0.01, value + 0.01),
        style="own",
        note=f"{value}",
        tip=name,
        scaled=scaled,
    )


def moment(name: str, own: float | None, first: float | None, event: Event = "") -> Moment:
    return Moment(
        name=name,
        version="v1",
        maintained=None if own is None else Interval(own, own - 0.01, own + 0.01),
        frozen=None if first is None else Interval(first),
        promised=0.7,
        drifted=2,
        columns=9,
        event=event,
        became="v2" if event == "promoted" else "",
        tip=f"tip of {name}",
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_timeline_shows_every_batch_with_its_tip(width: float) -> None:
    drawn = timeline(
        [moment("a", 0.7, 0.7, "promoted"), moment("b", 0.72, 0.69), moment("c", 0.71, 0.66, "kept")], "AUC", width
    )
    tips = [one.text for one in tree(drawn).iter("title")]
    assert [f"tip of {name}" in tips for name in "abc"] == [True] * 3
    assert "v2" in words(drawn)


@pytest.mark.parametrize("width", WIDTHS)
def test_timeline_breaks_its_lines_where_labels_are_missing(width: float) -> None:
    drawn = timeline(
        [moment("a", 0.7, 0.7), moment("b", None, None), moment("c", 0.7, 0.6), moment("d", 0.7, 0.6)], "AUC", width
    )
    lines = [one for one in tree(drawn).iter("path") if one.get("class") == "line maintained"]
    assert [one.get("d", "").count("L") for one in lines] == [1]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1, 48])
def test_timeline_of_one_batch_and_of_many(width: float, count: int) -> None:
    tree(timeline([moment(f"2013-{n:02}", 0.7, 0.6, "asked") for n in range(count)], "AUC", width))


def test_timeline_without_any_label_is_drawn() -> None:
    assert "a" in words(timeline([moment("a", None, None)], "AUC", 340))


def test_dots_beyond_the_scale_are_arrows() -> None:
    drawn = charts.dots(
        [entry("candidate", 0.74), entry("boosting", 0.73), entry("majority", 0.5, scaled=False)], 480, "AUC"
    )
    assert "◂" in words(drawn)
    assert len(list(tree(drawn).iter("circle"))) == 2


def test_paired_differences_have_a_zero_line() -> None:
    drawn = charts.dots([entry("boosting", 0.03)], 480, "difference", zero=True, better="worse · better")
    assert [one.get("class") for one in tree(drawn).iter("line") if one.get("class") == "zero"] == ["zero"]
    assert "0.00" in words(drawn)


def test_lines_mark_the_best_epoch_in_words() -> None:
    series = [Series(name="val", points=[(1, 0.6), (2, 0.5), (3, 0.55)], style="split-val", shape="circle")]
    drawn = charts.lines(series, "loss", names=("epoch", "loss"), best=(2, "best: epoch 2"))
    assert "best: epoch 2" in words(drawn)
    assert "val: epoch 2, loss 0.500" in [one.text for one in tree(drawn).iter("title")]


def test_lines_of_one_epoch_are_drawn() -> None:
    tree(
        charts.lines([Series(name="val", points=[(1, 0.6)], style="own", shape="circle")], "x", names=("epoch", "loss"))
    )


def test_confusion_says_rows_and_shares() -> None:
    drawn = charts.confusion([[90, 10], [5, 15]], ["false", "true"])
    assert {"90", "90%", "10", "10%", "5", "25%", "15", "75%"} <= set(words(drawn))


def test_confusion_of_a_class_without_rows_is_drawn() -> None:
    assert "0%" in words(charts.confusion([[0, 0], [1, 2]], ["a", "b"]))


@pytest.mark.parametrize("width", WIDTHS)
def test_heatmap_marks_drift_by_more_than_colour(width: float) -> None:
    cells = [
        Cell(value=0.4, marked=True, tip="x"),
        Cell(value=0.02, marked=False, tip="y"),
        Cell(value=None, marked=False, tip="z"),
    ]
    drawn = tree(charts.heatmap([("temp", cells)], ["a", "b", "c"], width, "drift"))
    assert [one.get("class") for one in drawn.iter("path")] == ["corner"]
    assert [one.get("class") for one in drawn.iter("rect")] == ["cell q5 marked", "cell q0", "cell none"]


@pytest.mark.parametrize(
    ("value", "style"), [(None, "none"), (0.0, "q0"), (0.049, "q0"), (0.2, "q3"), (0.5, "q6"), (1.0, "q6")]
)
def test_heat_climbs_the_ladder(value: float | None, style: str) -> None:
    assert charts.heat(value) == style


@pytest.mark.parametrize("width", WIDTHS)
def test_flow_names_what_left_and_draws_nothing_for_nobody(width: float) -> None:
    steps = [
        Step(name="ingest", rows_in=1000, kept=1000, repaired=0, lost=(("merged", 0), ("quarantined", 0))),
        Step(name="clean", rows_in=1000, kept=950, repaired=7, lost=(("merged", 0), ("quarantined", 50))),
    ]
    drawn = charts.flow(steps, width, "flow")
    branches = [one.get("class") for one in tree(drawn).iter("path")]
    assert branches == ["branch quarantined"]
    assert "quarantined 50 (5%)" in words(drawn)


@pytest.mark.parametrize("width", WIDTHS)
def test_flow_of_no_rows_is_drawn(width: float) -> None:
    tree(charts.flow([Step(name="ingest", rows_in=0, kept=0, repaired=0, lost=())], width, "flow"))


def test_a_small_share_is_seen_and_none_is_not() -> None:
    small, none = (list(tree(charts.share_bar(value)).iter("rect"))[1].get("width") for value in (0.00001, 0.0))
    assert (small, none) == ("1.5", "0")


def test_a_span_without_width_is_drawn() -> None:
    tree(charts.span_bar(3, 3, 3))


def test_charts_are_pure() -> None:
    drawn = [timeline([moment("a", 0.7, 0.6)], "AUC", 1000) for _ in range(2)]
    assert drawn[0] == drawn[1]

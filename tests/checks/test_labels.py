"""Labels: those that other rows contradict, rows between classes, groups that a model fails on."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

from pipeline.checks import labels
from pipeline.checks.annotators import AnnotatorAgreement, agreement
from pipeline.checks.labels import AmbiguousLabel, LabelError, UnderperformingGroup, opinions
from pipeline.labels import confident
from pipeline.quality.findings import Hit, Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
WRONG = range(0, 360, 12)


def two_clouds(rows: int = 360, *, wrong: range = WRONG, overlap: float = 0.0) -> dict[str, list[object]]:
    """Two classes by `a` + `b`, apart unless they overlap; the labels at the places in `wrong` are the other class."""
    random = np.random.default_rng(0)
    y = random.random(rows) < 0.5
    a, b = (random.normal(size=rows) + np.where(y, 3, -3) * (1 - overlap) for _ in range(2))
    given = ["yes" if held != (place in wrong) else "no" for place, held in enumerate(y)]
    return {"id": list(range(rows)), "a": a.tolist(), "b": b.tolist(), "y": given}


def mistaken(parts: int) -> Table:
    return made(two_clouds(), parts=parts)


def unclear(parts: int) -> Table:
    return made(two_clouds(wrong=range(0), overlap=1.0), parts=parts)


def weak_group(parts: int) -> Table:
    """In one of four shops the label is a coin's toss."""
    rows = two_clouds(wrong=range(0))
    coins = np.random.default_rng(1).random(360) < 0.5
    shops = [("north", "south", "east", "west")[i % 4] for i in range(360)]
    y = [
        ("yes" if coin else "no") if i % 4 == 0 else v for i, (v, coin) in enumerate(zip(rows["y"], coins, strict=True))
    ]
    return made({**rows, "shop": shops, "y": y}, parts=parts)


def annotated(parts: int) -> Table:
    """Forty things, labelled five times each; one label of the first three is another."""
    y = [("yes", "no")[(thing % 2) ^ (thing < 3 and turn == 4)] for thing in range(40) for turn in range(5)]
    return made({"id": [thing for thing in range(40) for _ in range(5)], "x": list(range(200)), "y": y}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {
    "label_error": mistaken,
    "ambiguous_label": unclear,
    "underperforming_group": weak_group,
    "annotator_agreement": annotated,
}


def places(hit: Hit) -> set[int]:
    assert hit.flags is not None
    return {int(row.split("#")[1]) for row in hit.flags["row_id"]}


def test_wrong_labels_are_found_and_the_right_ones_suggested(make: Make) -> None:
    rows = two_clouds()
    (hit,) = hits(LabelError(), make(rows))

    assert hit.severity == "warning"
    assert len(places(hit) & set(WRONG)) >= 27
    assert len(places(hit) - set(WRONG)) <= 3
    assert hit.flags is not None
    assert all(said != given for said, given in hit.flags.select("suggested", "value").iter_rows())
    assert hit.flags["score"].min() > 0.5  # type: ignore[operator]


def test_right_labels_are_not_told(make: Make) -> None:
    assert hits(LabelError(), make(two_clouds(wrong=range(0)))) == []


@pytest.mark.parametrize("overlap", [0.6, 0.8, 0.9, 1.0])
def test_classes_that_overlap_are_no_wrong_labels(make: Make, overlap: float) -> None:
    assert hits(LabelError(), make(two_clouds(1_000, wrong=range(0), overlap=overlap))) == []


def test_a_rare_class_that_no_feature_tells_is_no_wrong_label(make: Make) -> None:
    random = np.random.default_rng(0)
    y = np.where(random.random(1_000) < 0.1, "rare", "often").tolist()

    assert hits(LabelError(), make({"a": random.normal(size=1_000), "b": random.normal(size=1_000), "y": y})) == []


@pytest.mark.parametrize("load", [datasets.load_breast_cancer, datasets.load_wine])
def test_published_labels_are_not_told(make: Make, load: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    x, y = load(return_X_y=True)
    columns = {f"x{i}": column for i, column in enumerate(x[:600].T.astype(float))}

    assert hits(LabelError(), make({**columns, "y": y[:600].astype(str)})) == []


def test_texts_are_read(make: Make) -> None:
    import dataclasses

    said = [("the cat sat on the mat", "stocks fell on monday")[i % 2] + f" {i}" for i in range(240)]
    y = [("pets", "money")[(i % 2) ^ (i % 20 == 0)] for i in range(240)]
    table = make({"said": said, "y": y})
    columns = tuple(dataclasses.replace(c, modality="text") if c.name == "said" else c for c in table.contract.columns)
    table = dataclasses.replace(table, contract=dataclasses.replace(table.contract, columns=columns))

    (hit,) = hits(LabelError(), table)

    assert places(hit) == set(range(0, 240, 20))


def test_rows_that_share_their_features_are_left_to_another_check(make: Make) -> None:
    y = ["yes" if i % 7 else "no" for i in range(300)]

    (said,) = LabelError().hits(make({"a": [i % 7 for i in range(300)], "y": y}))

    assert isinstance(said, Skipped)
    assert "conflicting_labels" in said.why


def test_of_many_rows_some_are_judged_and_the_finding_says_how_many(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "JUDGED", 600)
    table = make(two_clouds(1200, wrong=range(0, 1200, 10)))

    *_, skipped, hit = LabelError().hits(table)

    assert isinstance(skipped, Skipped) and skipped.why == "a sample" and skipped.rows is not None
    assert 500 < 1200 - skipped.rows < 700
    assert isinstance(hit, Hit) and f"({1200 - skipped.rows:,} rows looked at)" in hit.message


def test_twins_are_in_one_fold(make: Make) -> None:
    """Each row stands twice, its label drawn by chance: a model that sees a twin would be right half the time."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=200), np.where(random.random(200) < 0.5, "yes", "no")

    found = opinions(make({"a": np.tile(x, 2), "y": np.tile(y, 2)}))

    assert not isinstance(found, Skipped)
    assert not found.single_N.any()
    assert (found.p_NK.argmax(axis=1) == found.y_N).mean() < 0.65


def test_the_level_of_misses_is_the_share_of_wrong_labels() -> None:
    random = np.random.default_rng(0)
    truth, wrong = random.integers(0, 3, 6_000), random.random(6_000) < 0.08
    sure = random.uniform(0.6, 0.99, 6_000)
    p_NK = np.full((6_000, 3), (1 - sure)[:, None] / 2)
    p_NK[np.arange(6_000), truth] = sure

    level = confident.noise(p_NK, (truth + wrong) % 3, np.ones(6_000, dtype=bool))
    falling = confident.noise(p_NK, (truth + (random.random(6_000) > sure)) % 3, np.ones(6_000, dtype=bool))

    assert level is not None
    assert level.share == pytest.approx(0.08, abs=0.03)
    assert level.explained > 0.6
    assert falling is None


def test_a_label_that_is_measured_or_few_rows_are_skipped(make: Make) -> None:
    for rows in (
        {"a": [float(i) for i in range(300)], "y": [i / 7 for i in range(300)]},
        {"a": [1.0, 2.0] * 20, "y": ["yes", "no"] * 20},
        {"id": list(range(200)), "y": ["yes", "no"] * 100},
    ):
        for asked in (LabelError(), AmbiguousLabel(), UnderperformingGroup()):
            (said,) = asked.hits(make(rows))
            assert isinstance(said, Skipped)
            assert said.rows is None


def test_rows_without_a_label_or_of_a_rare_class_are_accounted_for(make: Make) -> None:
    rows = two_clouds()
    y = [None if i < 5 else "rare" if i < 9 else v for i, v in enumerate(rows["y"])]

    said = list(LabelError().hits(make({**rows, "y": y})))

    assert [s.rows for s in said if isinstance(s, Skipped)] == [9]


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -1e300, None])
def test_odd_values_are_inputs_too(make: Make, odd: float | None) -> None:
    rows = two_clouds()
    odd_a = [odd if i % 50 == 0 else v for i, v in enumerate(rows["a"])]
    none = pl.Series([None] * 360, dtype=pl.Float64)

    assert len(hits(LabelError(), make({**rows, "a": odd_a, "none": none, "[1]": odd_a, "a b": ["a"] * 360}))) == 1


@pytest.mark.parametrize("others", [0, 1, 40])
def test_rows_that_too_few_of_other_groups_could_judge_are_skipped(make: Make, others: int) -> None:
    groups = ["one"] * (360 - others) + ["two"] * others
    table = make({**two_clouds(), "g": groups})

    for check in (LabelError(), AmbiguousLabel(), UnderperformingGroup()):
        (said,) = check.hits(table)
        assert isinstance(said, Skipped)
        assert said.why.startswith("too few rows are of other groups")


def test_a_group_of_one_class_is_not_judged_by_the_other_class_alone(make: Make) -> None:
    rows = two_clouds(wrong=range(0))
    table = make({**rows, "g": rows["y"]})

    assert isinstance(opinions(table), Skipped)


def test_rows_between_two_classes_are_told(make: Make) -> None:
    (hit,) = hits(AmbiguousLabel(), unclear(1))

    assert hit.severity == "info"
    assert hit.rows > 72
    assert hits(AmbiguousLabel(), make(two_clouds(wrong=range(0)))) == []


def test_the_group_that_a_model_fails_on_is_told(make: Make) -> None:
    (hit,) = hits(UnderperformingGroup(), weak_group(1))

    assert (hit.column, hit.rows) == ("shop", 90)
    assert "north" in hit.message
    assert hits(UnderperformingGroup(), make(two_clouds(wrong=range(0)))) == []


def test_rows_against_their_ids_majority_are_told() -> None:
    (hit,) = hits(AnnotatorAgreement(), annotated(1))

    assert places(hit) == {4, 9, 14}
    assert hit.flags is not None
    assert hit.flags["suggested"].to_list() == ["yes", "no", "yes"]


def test_ids_whose_labels_vary_are_not_told(make: Make) -> None:
    y = [("yes", "no")[i * 7 % 11 < 5] for i in range(400)]

    assert hits(AnnotatorAgreement(), make({"id": [i // 4 for i in range(400)], "y": y})) == []


def test_kappa_is_that_of_fleiss() -> None:
    """The worked example of Fleiss' kappa: ten subjects, fourteen raters, five categories, kappa 0.210."""
    table = """0 0 0 0 14|0 2 6 4 2|0 0 3 5 6|0 3 9 2 0|2 2 8 1 1|7 7 0 0 0|3 2 6 3 0|2 5 3 2 2|6 5 2 1 0|0 2 2 3 7"""
    subjects = [[int(count) for count in line.split()] for line in table.split("|")] * 3
    rated = [(str(s), str(c)) for s, row in enumerate(subjects) for c, count in enumerate(row) for _ in range(count)]
    labelled = pl.DataFrame(
        {"row_id": [str(i) for i in range(len(rated))], "id": [s for s, _ in rated], "label": [c for _, c in rated]}
    )

    kappa, _ = agreement(labelled)

    assert kappa == pytest.approx(0.210, abs=0.0005)


def test_agreement_is_the_same_each_time() -> None:
    labels = [f"l{i * i % 12}" if i % 7 else f"l{i % 12}" for i in range(180)]
    labelled = pl.DataFrame({"row_id": [str(i) for i in range(180)], "id": [str(i // 3) for i in range(180)]})
    labelled = labelled.with_columns(label=pl.Series(labels))

    assert len({agreement(labelled)[0] for _ in range(50)}) == 1

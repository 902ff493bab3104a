"""What the report says in plain sentences."""

from typing import Any

import pytest

from pipeline.reports import words

Json = dict[str, Any]


def test_verdict_says_the_number_and_its_range(files: dict[str, Json]) -> None:
    claim, spread = words.verdict(files["reports/evaluation.json"], files["models/champion.json"])
    assert claim == "v4 predicts late better than gradient boosting: AUC 0.748 against 0.741"
    assert spread == "(difference 0.0075, 95% interval 0.0039 to 0.0111)"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.001, 0.01, "better than"), (-0.01, -0.001, "worse than"), (-0.01, 0.01, "about as well as")],
)
def test_an_interval_over_zero_claims_nothing(low: float, high: float, word: str) -> None:
    assert words.compared({"low": low, "high": high}) == word


def test_a_candidate_that_is_not_in_use_is_not_called_by_the_version(files: dict[str, Json]) -> None:
    champion = files["models/champion.json"] | {"identity": "another"}
    assert words.verdict(files["reports/evaluation.json"], champion)[0].startswith("The latest candidate predicts late")
    assert words.standing(files["reports/evaluation.json"], champion) == "It is not in use: v4 is."


def test_verdict_without_a_baseline_says_the_score(files: dict[str, Json]) -> None:
    alone = files["reports/evaluation.json"] | {"paired": []}
    assert (
        words.verdict(alone, None)[0]
        == "The latest candidate predicts late with an AUC of 0.748 (0.740 to 0.756) on test"
    )


def test_maintenance_compares_only_where_the_models_differ(files: dict[str, Json]) -> None:
    batches = [value for place, value in sorted(files.items()) if place.startswith("monitoring/")]
    assert words.maintenance(batches, "auc") == (
        "On the 6 batches since the first retraining, the maintained model's AUC averages 0.714, "
        "the frozen first model's 0.685: 0.029 better."
    )
    assert words.maintenance(batches[:1], "auc") == "So far the first model is the one in use: 1 batch scored."
    assert (
        words.maintenance([batches[0] | {"live": None}], "auc")
        == "No batch has labels yet, so there is no live metric."
    )


def test_a_falling_loss_is_better() -> None:
    live = {"champion": {"log_loss": {"value": 0.4}}, "first": {"log_loss": {"value": 0.5}}}
    assert words.maintenance([{"live": live}], "log_loss").endswith("0.100 better.")


def test_retrainings_say_what_came_of_them(files: dict[str, Json]) -> None:
    batches = [value for place, value in sorted(files.items()) if place.startswith("monitoring/")]
    assert words.retrainings(batches) == "4 of 7 batches asked for retraining; 3 new versions promoted: v2, v3, v4."
    waiting = [batches[0] | {"outcome": None}]
    assert words.retrainings(waiting) == "1 of 1 batch asked for retraining; no new version promoted; 1 still to do."


def test_confusion_in_words(files: dict[str, Json]) -> None:
    said = words.confusion(files["reports/evaluation.json"])
    assert said == "57.1% of true rows are found; 47.7% of the answers true are right"
    assert "share" in words.confusion({"confusion": [[1, 0, 0]] * 3, "classes": ["a", "b", "c"]})


def test_names_that_would_meet_stay_whole() -> None:
    assert words.short_names(["a.csv", "a.parquet"]) == ["a.csv", "a.parquet"]


def test_the_verdict_on_a_quantity_is_by_its_rmse_against_the_strongest(estimated: dict[str, Json]) -> None:
    claim, spread = words.verdict(estimated["reports/evaluation.json"], None)

    assert claim == "The latest candidate predicts price worse than gradient boosting: RMSE 696 against 586"
    assert spread == "(difference -110, 95% interval -130 to -90)"


def test_maintenance_of_a_quantity_is_in_the_labels_unit() -> None:
    def said(own: float) -> str:
        live = {"champion": {"rmse": {"value": own}}, "first": {"rmse": {"value": 700.0}}}
        return words.maintenance([{"live": live}], "rmse")

    assert said(650.0).endswith("RMSE averages 650, the frozen first model's 700: 50.0 better.")
    assert said(700.2).endswith("no difference.")

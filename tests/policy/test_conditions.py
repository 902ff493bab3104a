"""Each condition: what was seen, what was asked, the verdict; and what it does to the decision."""

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.drift.decision import MonitorSettings
from pipeline.drift.estimate import Estimate
from pipeline.metrics import Score
from pipeline.policy.choices import RetrainSettings
from pipeline.policy.conditions import Name, Verdict
from pipeline.policy.decision import Decision, decide
from tests.policy.test_decision import REFERENCE, UNSURE, WORSE, drift, evidence, finding

BIT_WORSE = Score(value=0.735, low=0.73, high=0.739)  # surely worse, by less than is tolerated


def decided(retrain: dict[str, Any] | None = None, **changes: Any) -> Decision:
    """What is decided where only these settings of `retrain`, and this evidence, are unusual."""
    settings = MonitorSettings(cooldown_batches=2, retrain=RetrainSettings.model_validate(retrain or {}))
    return decide(evidence(**changes), settings)


def estimate(value: float, margin: float = 0.01) -> Estimate:
    """An AUC that was estimated as 0.74 at promotion."""
    return Estimate(
        metric="auc", value=value, low=value - margin, high=value + margin, reference=0.74, method="confidence"
    )


@pytest.mark.parametrize(
    ("name", "verdict", "retrain", "changes"),
    [
        ("gate", "met", {}, {}),
        ("gate", "unmet", {}, {"findings": [finding("stop")]}),
        ("labels", "met", {}, {}),
        ("labels", "unmet", {}, {"labelled_rows": 0, "live": None}),
        ("labels", "unmet", {}, {"labelled_rows": 500}),
        ("labels", "met", {}, {"labelled_rows": 500, "earlier_labelled_rows": 500}),
        ("labels", "waived", {}, {"labelled_rows": 500, "live": WORSE}),
        ("labels", "unmet", {"label_wait_days": 7}, {"labelled_rows": 20_000, "waited_days": 6.9}),
        ("labels", "met", {"label_wait_days": 7}, {"labelled_rows": 20_000, "waited_days": 7.1}),
        ("labels", "met", {"label_wait_days": 7}, {"labelled_rows": 27_000, "waited_days": 0}),
        ("metric", "silent", {}, {}),
        ("metric", "asks", {}, {"live": WORSE}),
        ("metric", "off", {"metric": False}, {"live": WORSE}),
        ("drift", "silent", {}, {}),
        ("drift", "asks", {}, {"drift": drift(0.5)}),
        ("drift", "off", {"drift": "off"}, {"drift": drift(0.5)}),
        ("drift", "silent", {"drift": "harmful"}, {"drift": drift(0.5)}),
        ("drift", "asks", {"drift": "harmful"}, {"drift": drift(0.5), "live": UNSURE}),
        ("drift", "asks", {"drift": "harmful"}, {"drift": drift(0.5), "live": BIT_WORSE}),
        ("drift", "silent", {"drift": "harmful"}, {"live": BIT_WORSE}),
        ("drift", "asks", {"drift": "harmful"}, {"drift": drift(0.5), "live": None, "estimate": estimate(0.7)}),
        ("drift", "silent", {"drift": "harmful"}, {"drift": drift(0.5), "live": None}),
        ("errors", "off", {}, {"changed": {"adwin": "May", "ddm": "May"}}),
        ("errors", "asks", {"errors": True}, {"changed": {"adwin": "May", "ddm": "May"}}),
        ("errors", "silent", {"errors": True}, {"changed": {"eddm": "May"}}),
        ("together", "off", {}, {}),
        ("together", "silent", {"together": True}, {}),
        ("estimate", "silent", {}, {"live": None}),
        ("estimate", "asks", {}, {"live": None, "estimate": estimate(0.7)}),
        ("estimate", "silent", {}, {"live": None, "estimate": estimate(0.725)}),
        ("estimate", "silent", {}, {"live": None, "estimate": estimate(0.7, margin=0.05)}),
        ("estimate", "silent", {}, {"estimate": estimate(0.7)}),
        ("estimate", "off", {"estimate": False}, {"live": None, "estimate": estimate(0.7)}),
        ("new_rows", "off", {}, {}),
        ("new_rows", "asks", {"new_rows": 29_000}, {}),
        ("new_rows", "silent", {"new_rows": 29_001}, {}),
        ("age", "off", {}, {"age_days": 400}),
        ("age", "asks", {"age_days": 30}, {"age_days": 30}),
        ("age", "silent", {"age_days": 30}, {"age_days": 29.9}),
        ("age", "silent", {"age_days": 30}, {}),
        ("schedule", "off", {}, {"scheduled": True}),
        ("schedule", "asks", {"schedule": True}, {"scheduled": True}),
        ("schedule", "silent", {"schedule": True}, {}),
        ("cool_down", "met", {}, {}),
        ("cool_down", "unmet", {}, {"batches_since_training": 1}),
        ("cool_down", "waived", {}, {"batches_since_training": 1, "live": WORSE}),
        ("budget", "off", {}, {"trainings_this_week": 9}),
        ("budget", "met", {"budget_per_week": 2}, {"trainings_this_week": 1}),
        ("budget", "unmet", {"budget_per_week": 2}, {"trainings_this_week": 2}),
    ],
)
def test_verdict(name: Name, verdict: Verdict, retrain: Any, changes: Any) -> None:
    condition = decided(retrain, **changes).condition(name)

    assert condition is not None
    assert condition.verdict == verdict, condition
    assert condition.seen
    assert condition.asked
    assert condition.words


@pytest.mark.parametrize(
    ("retrain", "changes", "trains"),
    [
        ({"new_rows": 29_000}, {}, True),
        ({"age_days": 30}, {"age_days": 31}, True),
        ({"schedule": True}, {"scheduled": True}, True),
        ({"new_rows": 29_000}, {"batches_since_training": 1}, False),
        ({"budget_per_week": 1}, {"live": WORSE, "trainings_this_week": 1}, False),
        ({"label_wait_days": 7}, {"live": WORSE, "labelled_rows": 20_000}, False),
        ({"drift": "harmful"}, {"drift": drift(0.5)}, False),
        ({"drift": "harmful"}, {"drift": drift(0.5), "live": BIT_WORSE}, True),
        ({"metric": False}, {"live": WORSE}, False),
        ({}, {"live": None, "labelled_rows": 0, "estimate": estimate(0.6)}, False),
    ],
)
def test_what_asks_and_what_is_needed_decide_together(retrain: Any, changes: Any, trains: bool) -> None:
    made = decided(retrain, **changes)

    assert made.retrain is trains
    assert made.reasons


def test_the_record_names_every_condition_once_and_survives_json() -> None:
    made = decided(drift=drift(0.5))

    assert [condition.name for condition in made.conditions] == [
        *("metric", "drift", "together", "errors", "estimate", "new_rows", "age", "schedule"),
        *("gate", "labels", "cool_down", "budget"),
    ]
    assert Decision.model_validate_json(made.model_dump_json()) == made


def test_a_record_of_before_conditions_were_kept_can_be_read() -> None:
    old = Decision.model_validate({"retrain": False, "reasons": ["so"], "evidence": {}})

    assert old.condition("metric") is None
    assert not old.waits


def test_a_decision_waits_where_labels_may_still_come() -> None:
    assert decided(labelled_rows=0, live=None).waits
    assert decided({"label_wait_days": 7}, labelled_rows=20_000).waits
    assert not decided(drift=drift(0.5)).waits


def test_what_an_estimate_is_held_against_is_the_estimate_at_promotion() -> None:
    made = decided(live=None, estimate=estimate(0.7)).condition("estimate")

    assert made is not None
    assert REFERENCE.value != 0.74
    assert made.seen == "estimated auc 0.700 against 0.740 at promotion (95% interval 0.690 to 0.710)"


def test_a_start_from_the_champion_may_not_forget_all_that_was_before() -> None:
    with pytest.raises(ValidationError, match=r"set window\.replay"):
        RetrainSettings.model_validate({"start": "champion", "window": {"kind": "since_drift"}})
    assert RetrainSettings.model_validate({"start": "champion", "window": {"kind": "since_drift", "replay": 0.1}})

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.drift.columns import ColumnDrift, DriftReport
from pipeline.drift.decision import Evidence, MonitorSettings
from pipeline.errors import SettingsError
from pipeline.metrics import Score
from pipeline.policy.decision import Decision, decide
from pipeline.quality.findings import Finding, Policy
from pipeline.workspace import parse_section

SETTINGS = MonitorSettings(drifted_share=0.3, tolerated_drop=0.02, min_labelled_rows=1000, cooldown_batches=2)
REFERENCE = Score(value=0.75, low=0.74, high=0.76)
GOOD = Score(value=0.74, low=0.73, high=0.75)
WORSE = Score(value=0.70, low=0.69, high=0.71)
UNSURE = Score(value=0.70, low=0.60, high=0.80)


def column(name: str, effect: float, drifted: bool) -> ColumnDrift:
    return ColumnDrift(
        column=name,
        modality="numeric",
        effect=effect,
        statistic="s",
        p=0.0,
        p_adjusted=0.0,
        drifted=drifted,
        reference_missing=0.0,
        batch_missing=0.0,
    )


def drift(share: float = 0.0, prediction: bool = False, label: bool = False) -> DriftReport:
    columns = [column("rain", 0.3, share > 0), column("temp", 0.8, share > 0), column("seats", 0.1, False)]
    return DriftReport(
        columns=columns,
        drifted_share=share,
        prediction=column("prediction", 0.15, prediction),
        label=column("late", 0.11, label),
    )


def finding(policy: Policy) -> Finding:
    return Finding(
        check="schema",
        severity="error",
        column=None,
        rows=3,
        fraction=0.1,
        observed=None,
        threshold=None,
        message="3 rows break the contract",
        suggestion="",
        examples=[],
        policy=policy,
    )


def evidence(**changes: Any) -> Evidence:
    quiet: dict[str, Any] = {
        "drift": drift(),
        "metric": "auc",
        "reference": REFERENCE,
        "live": GOOD,
        "rows": 30_000,
        "labelled_rows": 29_000,
        "batches_since_training": 2,
    }
    return Evidence(**(quiet | changes))


@pytest.mark.parametrize(
    ("changes", "retrain", "reason"),
    [
        ({}, False, "within the tolerated drop of 0.02"),
        ({}, False, "too little drift: a share 0.00 of the features, less than 0.3"),
        ({"live": WORSE}, True, "worse by 0.050, more than 0.02 (95% interval 0.690 to 0.710)"),
        (
            {"live": WORSE, "batches_since_training": 1, "labelled_rows": 500},
            True,
            "live auc 0.700 against 0.750",
        ),
        ({"live": UNSURE}, False, "worse by 0.050, but that may be chance (95% interval 0.600 to 0.800)"),
        ({"live": Score(value=0.5)}, False, "but that may be chance (no interval)"),
        ({"live": Score(value=0.9, low=0.89, high=0.91)}, False, "within the tolerated drop"),
        ({"live": None}, False, "no live auc yet"),
        ({"drift": drift(0.29)}, False, "a share 0.29 of the features, less than 0.3"),
        ({"drift": drift(0.3)}, True, "a share 0.30 of the features drifted"),
        ({"drift": drift(0.3)}, True, "temp 0.80, rain 0.30"),
        ({"drift": drift(0.3)}, True, "29000 labelled rows to learn from"),
        (
            {"drift": drift(prediction=True)},
            True,
            "the prediction drifted: effect 0.15 (at least 0.1 counts)",
        ),
        ({"drift": drift(label=True)}, True, "the label drifted: effect 0.11 (at least 0.1 counts)"),
        ({"drift": drift(0.5), "labelled_rows": 999}, False, "999 rows have one, 1000 are needed"),
        ({"drift": drift(0.5), "labelled_rows": 1000}, True, "1000 labelled rows to learn from"),
        ({"drift": drift(0.5), "batches_since_training": 1}, False, "cool-down: batch 1 since the last"),
        (
            {"drift": drift(0.5), "labelled_rows": 0, "live": None},
            False,
            "wait for labels: none of 30000 rows",
        ),
        (
            {"drift": drift(0.5), "labelled_rows": 0, "live": None},
            False,
            "a share 0.50 of the features drifted",
        ),
        ({"live": WORSE, "findings": [finding("stop")]}, False, "schema: 3 rows break the contract"),
        ({"live": WORSE, "findings": [finding("stop")]}, False, "not trained on"),
        ({"live": WORSE, "findings": [finding("quarantine")]}, True, "worse by"),
    ],
)
def test_decision(changes: Any, retrain: Any, reason: Any) -> None:
    made = decide(evidence(**changes), SETTINGS)

    assert made.retrain is retrain
    assert any(reason in line for line in made.reasons), made.reasons


@pytest.mark.parametrize(
    ("live", "retrain"),
    [
        (Score(value=0.60, low=0.58, high=0.62), True),
        (Score(value=0.60, low=0.45, high=0.75), False),
        (Score(value=0.30, low=0.29, high=0.31), False),
    ],
)
def test_lower_is_better_for_a_loss(live: Any, retrain: Any) -> None:
    promised = Score(value=0.5, low=0.49, high=0.51)

    made = decide(evidence(metric="log_loss", reference=promised, live=live), SETTINGS)

    assert made.retrain is retrain


@pytest.mark.parametrize(
    ("live", "retrain", "reason"),
    [
        (Score(value=509, low=505, high=520), False, "live rmse 509 against 500 at promotion: within the tolerated"),
        (Score(value=511, low=505, high=520), True, "worse by 11.0, more than 0.02 of it (95% interval 505 to 520)"),
        (Score(value=511, low=499, high=520), False, "worse by 11.0, but that may be chance"),
    ],
)
def test_of_a_metric_in_the_labels_unit_the_drop_is_a_share(live: Score, retrain: bool, reason: str) -> None:
    made = decide(evidence(metric="rmse", reference=Score(value=500.0, low=490, high=510), live=live), SETTINGS)

    assert made.retrain is retrain
    assert any(reason in said for said in made.reasons)


def test_evidence_has_the_numbers_and_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    made = decide(evidence(live=None), SETTINGS)
    made.write(tmp_path / "decision.json")

    assert Decision.read(tmp_path / "decision.json") == made
    assert made.evidence == {
        "metric": "auc",
        "reference_value": 0.75,
        "drifted_share": 0.0,
        "prediction_effect": 0.15,
        "label_effect": 0.11,
        "rows": 30_000,
        "labelled_rows": 29_000,
        "new_labelled_rows": 29_000,
        "batches_since_training": 2,
        "stopping_findings": 0,
    }


SCORES = st.none() | st.builds(Score, value=st.floats(0, 1), low=st.floats(0, 1), high=st.floats(0, 1))
SEEN = st.fixed_dictionaries(
    {
        "drift": st.builds(drift, st.floats(0, 1), st.booleans(), st.booleans()),
        "live": SCORES,
        "labelled_rows": st.integers(0, 3000),
        "batches_since_training": st.integers(0, 5),
        "findings": st.lists(st.sampled_from([finding("stop"), finding("warn")]), max_size=2),
    }
)


@given(SEEN)
def test_same_evidence_same_decision_and_always_a_reason(changes: Any) -> None:
    seen = evidence(**changes)

    made = decide(seen, SETTINGS)

    assert made == decide(seen, SETTINGS)
    assert made.reasons


@given(SEEN)
def test_never_retrains_without_labels_or_on_a_batch_that_failed_its_gate(changes: Any) -> None:
    assert not decide(evidence(**changes | {"labelled_rows": 0}), SETTINGS).retrain
    assert not decide(evidence(**changes | {"findings": [finding("stop")]}), SETTINGS).retrain


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("alpha", 1.2, "alpha must be in (0, 1), got 1.2"),
        ("alpha", 0, "alpha must be in (0, 1), got 0"),
        ("alpha", float("nan"), "alpha must be in (0, 1), got nan"),
        ("minimum_effect", -0.1, "minimum_effect must be in [0, 1], got -0.1"),
        ("minimum_outcome_effect", 2, "minimum_outcome_effect must be in [0, 1], got 2"),
        ("drifted_share", 0, "drifted_share must be in (0, 1], got 0"),
        ("tolerated_drop", -1, "tolerated_drop must be at least 0, got -1"),
        ("min_labelled_rows", 0, "min_labelled_rows must be at least 1, got 0"),
        ("cooldown_batches", -1, "cooldown_batches must be at least 0, got -1"),
        ("metric", "luck", "got 'luck'"),
        ("correction", "none", "got 'none'"),
        ("drifted_shares", 0.5, "no such key"),
    ],
)
def test_settings_out_of_range_say_rule_value_and_key(key: Any, value: Any, rule: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_section(MonitorSettings, {key: value})

    assert rule in str(caught.value)
    assert f"params.yaml: monitor.{key}" in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("minimum_effect", 0), ("minimum_effect", 1), ("drifted_share", 1)])
def test_settings_at_the_ends_of_their_ranges_hold(key: Any, value: Any) -> None:
    assert getattr(parse_section(MonitorSettings, {key: value}), key) == value


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        SETTINGS.alpha = 0.5  # type: ignore[misc]

"""The gates: each passes, fails, or is waived for its own reason; what was not measured is not passed."""

from typing import Any

import pytest

from pipeline.errors import SettingsError
from pipeline.judgement.by_class import ClassPair, OneClass
from pipeline.judgement.fairness import Between, Compared, Fairness, Measure
from pipeline.judgement.record import Diagnosis
from pipeline.judgement.slices.named import Named
from pipeline.metrics import Paired, Score
from pipeline.stages import gates
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.gates import Gate, Standing
from pipeline.stages.promote import PromoteSettings
from pipeline.workspace import Workspace

BEATEN = ("logistic_regression", 0.01, 0.02)


@pytest.fixture
def judged(trained_once: Workspace) -> Evaluation:
    return Evaluation.read(trained_once.evaluation)


@pytest.fixture
def diagnosis(trained_once: Workspace) -> Diagnosis:
    return Diagnosis.read(trained_once.diagnosis)


def against(judged: Evaluation, *pairs: tuple[str, float, float]) -> Evaluation:
    made = [
        Paired(model=model, metric="auc", difference=(low + high) / 2, low=low, high=high, resamples=50)
        for model, low, high in pairs
    ]
    return judged.model_copy(update={"paired": made})


def found(
    judged: Evaluation, standing: Standing | None = None, diagnosis: Diagnosis | None = None, **settings: Any
) -> list[Gate]:
    return PromoteSettings.model_validate(settings).judged(judged, standing or Standing(), diagnosis)


@pytest.mark.parametrize(
    ("low", "fresh", "champion", "verdict"),
    [
        (-0.004, 0.2, "auto", "passed"),
        (-0.004, 0.0, "auto", "failed"),
        (0.001, 0.0, "auto", "failed"),
        (0.006, 0.0, "auto", "passed"),
        (-0.004, 0.0, "not_worse", "passed"),
        (-0.004, 0.2, "better", "failed"),
        (0.001, 0.2, "better", "passed"),
        (-0.006, 0.2, "auto", "failed"),
    ],
)
def test_without_new_rows_a_candidate_must_surely_be_better_than_the_champion(
    judged: Evaluation, low: float, fresh: float, champion: str, verdict: str
) -> None:
    gate = found(against(judged, BEATEN, ("champion", low, 0.01)), Standing(fresh=fresh), champion=champion)[1]

    assert gate.verdict == verdict
    assert ("are new: without new rows it must surely be better" in gate.words) == (champion == "auto" and fresh == 0)


def test_a_champion_that_reads_what_is_no_feature_is_no_measure(judged: Evaluation) -> None:
    _, gate = found(against(judged, BEATEN, ("champion", -0.3, -0.2)), Standing(fresh=0.0, lost=["minutes"]))

    assert gate.verdict == "waived"
    assert gates.passed([gate])
    assert gate.words.startswith(
        "is not held against champion: the champion reads minutes, which is no feature by now; auc -0.2500"
    )


@pytest.mark.parametrize(
    ("baseline", "champion", "standing", "verdict"),
    [
        ((-0.0029, 0.0242), (0.0029, 0.0230), Standing(), "waived"),
        ((-0.0242, 0.0), (0.0029, 0.0230), Standing(), "waived"),
        ((-0.0242, -0.0001), (0.0029, 0.0230), Standing(), "failed"),
        ((-0.0029, 0.0242), (0.0, 0.0230), Standing(), "failed"),
        ((-0.0029, 0.0242), (0.0029, 0.0230), Standing(fresh=0.0), "failed"),
        ((-0.0029, 0.0242), (0.0051, 0.0230), Standing(fresh=0.0), "waived"),
        ((-0.0029, 0.0242), (0.0029, 0.0230), Standing(lost=["minutes"]), "failed"),
        ((0.0001, 0.0242), (0.0029, 0.0230), Standing(), "passed"),
    ],
)
def test_a_surely_better_model_than_the_champion_need_not_surely_beat_the_baseline(
    judged: Evaluation,
    baseline: tuple[float, float],
    champion: tuple[float, float],
    standing: Standing,
    verdict: str,
) -> None:
    pairs = against(judged, ("logistic_regression", *baseline), ("champion", *champion))

    told = found(pairs, standing)

    assert told[0].verdict == verdict
    assert ("to refuse it leaves the worse model in place" in told[0].words) == (verdict == "waived")
    assert gates.passed(told) == (verdict != "failed")


@pytest.mark.parametrize(
    ("floors", "verdict"),
    [
        ({"auc": 0.7}, "passed"),
        ({"auc": 0.72}, "failed"),  # 0.75 is above, its interval reaches below
        ({"log_loss": 0.6}, "passed"),
        ({"log_loss": 0.55}, "failed"),
    ],
)
def test_a_floor_is_reached_by_the_worse_end_of_the_interval(
    judged: Evaluation, floors: dict[str, float], verdict: str
) -> None:
    test = {"auc": Score(value=0.75, low=0.71, high=0.79), "log_loss": Score(value=0.5, low=0.4, high=0.59)}
    scored = judged.model_copy(update={"scores": judged.scores | {"candidate": {"test": test}}})

    assert found(against(scored, BEATEN), gates={"floors": floors})[1].verdict == verdict


def test_a_margin_is_asked_of_each_model_that_is_named(judged: Evaluation) -> None:
    pairs = (BEATEN, ("hist_gradient_boosting", -0.015, 0.01), ("champion", -0.001, 0.01))

    told = found(against(judged, *pairs), gates={"margins": {"hist_gradient_boosting": 0.02, "champion": 0.0005}})

    assert [(gate.name, gate.verdict) for gate in told[2:]] == [
        ("not worse than hist_gradient_boosting", "passed"),
        ("not worse than champion", "failed"),
    ]


def test_the_first_candidate_has_no_champion_to_be_held_against(judged: Evaluation) -> None:
    told = found(against(judged, BEATEN), gates={"margins": {"champion": 0.0}, "class_loss": 1.0})

    assert [gate.name for gate in told] == ["beats logistic_regression", "each class"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"floors": {"rmse": 1.0}}, r"gates\.floors: rmse is no metric of this label; use one of: auc,"),
        (
            {"margins": {"nobody": 0.1}},
            r"gates\.margins: nobody is no model .*: logistic_regression, champion",
        ),
    ],
)
def test_what_cannot_be_asked_is_said(judged: Evaluation, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        found(against(judged, BEATEN), gates=settings)


def test_groups_may_not_be_farther_apart_than_is_asked(judged: Evaluation, diagnosis: Diagnosis) -> None:
    def apart(measure: Measure, gap: float) -> Between:
        return Between(measure=measure, largest="a", smallest="b", gap=Score(value=gap))

    between = [apart("selection_rate", 0.2), apart("true_positive_rate", 0.05)]
    compared = Compared(column="sex", chosen="yes", groups=[], small=0, between=between)
    told = diagnosis.model_copy(update={"fairness": Fairness(columns=[compared])})
    asked: dict[str, Any] = {"gates": {"group_gaps": {"selection_rate": 0.1, "true_positive_rate": 0.1}}}

    measured = found(against(judged, BEATEN), diagnosis=told, **asked)
    unmeasured = found(against(judged, BEATEN), diagnosis=diagnosis, **asked)

    assert [(gate.name, gate.verdict) for gate in measured[1:]] == [
        ("selection_rate by sex", "failed"),
        ("true_positive_rate by sex", "passed"),
    ]
    assert [gate.verdict for gate in unmeasured[1:]] == ["failed", "failed"]


def of_classes(diagnosis: Diagnosis, *pairs: tuple[str, str, float]) -> Diagnosis:
    def one(name: str, model: str, low: float) -> OneClass:
        pair = ClassPair(model=model, difference=low + 0.05, low=low, high=low + 0.1)
        return OneClass(name=name, rows=10, found={}, paired=[pair])

    made = [one(*each) for each in pairs]
    return diagnosis.model_copy(update={"by_class": made})


def test_every_class_is_found_as_by_the_champion_and_without_one_as_by_the_baseline(
    judged: Evaluation, diagnosis: Diagnosis
) -> None:
    pairs = [BEATEN, ("champion", 0.001, 0.01)]
    rare = of_classes(diagnosis, ("false", "champion", -0.01), ("true", "champion", -0.3))
    first = of_classes(diagnosis, ("true", "logistic_regression", -0.3))
    asked: dict[str, Any] = {"gates": {"class_loss": 0.05}}

    later = found(against(judged, *pairs), diagnosis=rare, **asked)
    once = found(against(judged, BEATEN), diagnosis=first, **asked)

    assert [(gate.name, gate.verdict) for gate in later[2:]] == [
        ("finds false as champion does", "passed"),
        ("finds true as champion does", "failed"),
    ]
    assert [(gate.name, gate.verdict) for gate in once[1:]] == [("finds true as logistic_regression does", "failed")]


def test_every_named_slice_is_asked_and_one_without_rows_does_not_pass(
    judged: Evaluation, diagnosis: Diagnosis
) -> None:
    assert diagnosis.slices is not None
    champion = Paired(model="champion", metric="auc", difference=0.0, low=-0.03, high=0.03, resamples=50)
    named = [
        Named(name="far", sql="distance > 5", rows=40, share=0.4, scores={}, paired=[champion]),
        Named(name="never", sql="distance > 500", rows=0, share=0.0, scores={}, paired=[]),
    ]
    told = diagnosis.model_copy(update={"slices": diagnosis.slices.model_copy(update={"named": named})})
    pairs = against(judged, BEATEN, ("champion", 0.001, 0.01))

    verdicts = [
        [gate.verdict for gate in found(pairs, diagnosis=told, gates={"slice_loss": loss})[2:]] for loss in (0.05, 0.02)
    ]

    assert verdicts == [["passed", "failed"], ["failed", "failed"]]


@pytest.mark.parametrize("limit", ["calibration_error", "milliseconds", "megabytes"])
def test_a_limit_passes_above_what_is_measured_and_fails_below(
    judged: Evaluation, diagnosis: Diagnosis, limit: str
) -> None:
    assert diagnosis.calibration is not None and diagnosis.speed is not None
    measured = {
        "calibration_error": diagnosis.calibration.candidate.ece,
        "milliseconds": diagnosis.speed.one.slow_ms_per_row,
        "megabytes": diagnosis.speed.size / gates.MEGABYTE,
    }[limit]

    verdicts = [
        found(against(judged, BEATEN), diagnosis=diagnosis, gates={limit: factor * measured})[1].verdict
        for factor in (1.01, 0.99)
    ]

    assert verdicts == ["passed", "failed"]


@pytest.mark.parametrize("limit", ["calibration_error", "milliseconds", "megabytes", "class_loss", "slice_loss"])
def test_what_was_not_measured_is_not_passed(judged: Evaluation, limit: str) -> None:
    gate = found(against(judged, BEATEN), gates={limit: 1.0})[1]

    assert (gate.verdict, gate.found) == ("failed", "not measured: see `evaluate` in params.yaml")


def test_the_table_has_a_line_each(judged: Evaluation) -> None:
    told = found(against(judged, BEATEN, ("champion", -0.004, 0.01)), Standing(fresh=0.0))

    head, first, second = gates.table(told)
    assert head.split() == ["verdict", "gate", "found", "asked"]
    assert first.startswith("passed   beats logistic_regression  auc +0.0150 (95% interval")
    assert second.startswith("failed   beats champion             auc +0.0030")
    assert second.endswith("gain asked 0.005: no new rows")

"""Evaluate: every model on the same rows, each score beside scikit-learn's, curves, calibration, the word."""

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as reference
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier

from pipeline import artefacts, metrics, settings
from pipeline.cli import STAGES
from pipeline.errors import SettingsError, WorkspaceError
from pipeline.judgement.fit import fit_word
from pipeline.judgement.record import Diagnosis
from pipeline.metrics import Measures, Score, Scores, Values, classification
from pipeline.models import baselines
from pipeline.predictor import Predictor
from pipeline.stages import evaluate, promote
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.split import SPLITS
from pipeline.versions import registry
from pipeline.workspace import Workspace

BASELINES = set(baselines.OF["classes"])
MEASURES = metrics.OF["classes"]


def tensors(workspace: Workspace, name: str) -> dict[str, np.ndarray]:
    return artefacts.read_tensors(workspace.normalized / f"{name}.safetensors")


def run_all(workspace: Workspace) -> Evaluation:
    for stage in STAGES[:-1]:
        import_module(f"pipeline.stages.{stage}").run(workspace)
    return evaluate.run(workspace)


@pytest.fixture(scope="module")
def record(trained_once: Workspace) -> Evaluation:
    return Evaluation.read(trained_once.evaluation)


def test_all_models_are_scored_on_test_and_the_candidate_on_every_split(record: Evaluation) -> None:
    assert set(record.scores) == {"candidate"} | BASELINES
    assert set(record.scores["candidate"]) == set(SPLITS)
    assert all(set(record.scores[name]) == {"test"} for name in BASELINES)
    assert all(set(scores) == set(MEASURES.each) for splits in record.scores.values() for scores in splits.values())


def test_every_score_on_test_has_an_interval_around_it(record: Evaluation) -> None:
    for splits in record.scores.values():
        for score in splits["test"].values():
            assert score.low is not None and score.high is not None
            assert score.low <= score.high
    assert record.scores["candidate"]["train"]["auc"].low is None


def test_the_candidates_scores_are_those_of_its_answers_on_the_raw_rows(
    record: Evaluation, trained_once: Workspace
) -> None:
    rows = pl.read_parquet(trained_once.split / "test.parquet")
    truth, p_N = rows["slow"].to_numpy(), Predictor.load(trained_once.candidate).answers(rows)[:, 1]
    said_N = p_N >= record.thresholds["candidate"]

    scores = {name: score.value for name, score in record.scores["candidate"]["test"].items()}

    assert scores["auc"] == pytest.approx(reference.roc_auc_score(truth, p_N))
    assert scores["average_precision"] == pytest.approx(reference.average_precision_score(truth, p_N))
    assert scores["brier"] == pytest.approx(reference.brier_score_loss(truth, p_N))
    assert scores["f1"] == pytest.approx(reference.f1_score(truth, said_N))
    assert record.confusion == reference.confusion_matrix(truth, said_N).tolist()


def test_the_threshold_is_chosen_on_val(record: Evaluation, trained_once: Workspace) -> None:
    rows = pl.read_parquet(trained_once.split / "val.parquet")
    p_NK = Predictor.load(trained_once.candidate).answers(rows)

    expected = classification.best_threshold(rows["slow"].cast(pl.Int64).to_numpy(), p_NK)

    assert record.thresholds["candidate"] == expected


def test_the_baselines_are_those_that_train_alone_gives(record: Evaluation, trained_once: Workspace) -> None:
    train, test = tensors(trained_once, "train"), tensors(trained_once, "test")
    dense = train["dense"].shape[1]
    trees = HistGradientBoostingClassifier(categorical_features=[dense, dense + 1], random_state=trained_once.seed)
    by_hand = {"majority": DummyClassifier(strategy="prior"), "hist_gradient_boosting": trees}

    for name, model in by_hand.items():
        model.fit(baselines.inputs(train), train["label"])
        p_N = model.predict_proba(baselines.inputs(test))[:, 1]
        assert record.scores[name]["test"]["auc"].value == pytest.approx(reference.roc_auc_score(test["label"], p_N))
        expected = reference.log_loss(test["label"], p_N)
        assert record.scores[name]["test"]["log_loss"].value == pytest.approx(expected)


def test_baselines_do_not_look_at_val_and_test(trained: Workspace, record: Evaluation) -> None:
    for name in ("val", "test"):
        part = tensors(trained, name)
        part["label"] = 1 - part["label"]
        artefacts.write_tensors(trained.normalized / f"{name}.safetensors", part)

    flipped = evaluate.run(trained)

    for name in BASELINES:
        before, after = (each.scores[name]["test"]["auc"].value for each in (record, flipped))
        assert after == pytest.approx(1 - before)


def test_the_majority_has_the_auc_of_a_coin_and_the_share_for_an_answer(record: Evaluation) -> None:
    scores = record.scores["majority"]["test"]

    assert (scores["auc"].value, scores["auc"].low, scores["auc"].high) == (0.5, 0.5, 0.5)
    assert scores["average_precision"].value == pytest.approx(record.positive_share["test"])


def test_pairs_are_differences_of_the_scores(record: Evaluation) -> None:
    assert {(pair.model, pair.metric) for pair in record.paired} == {(m, n) for m in BASELINES for n in MEASURES.paired}
    for pair in record.paired:
        own, other = (record.scores[model]["test"][pair.metric].value for model in ("candidate", pair.model))
        sign = -1 if pair.metric in metrics.LOWER_IS_BETTER else 1
        assert pair.difference == pytest.approx(sign * (own - other))
        assert pair.low <= pair.difference <= pair.high


def test_what_is_said_beside_the_scores(record: Evaluation, trained_once: Workspace) -> None:
    rows = {name: pl.read_parquet(trained_once.split / f"{name}.parquet") for name in SPLITS}
    placed = pl.concat(rows.values())["placed"]

    assert (record.label, record.classes, record.seed) == ("slow", ["false", "true"], 7)
    assert record.rows == {name: part.height for name, part in rows.items()}
    assert record.positive_share == pytest.approx({name: part["slow"].mean() for name, part in rows.items()})
    assert record.window == {"first": str(placed.min()), "last": str(placed.max())}
    assert record.champion is None
    assert set(record.curves) == {"epoch", "train_loss", "train_auc", "val_loss", "val_auc"}
    assert len(record.curves["epoch"]) == 2
    assert record.best_epoch in (1, 2)


def test_the_numbers_for_dvc_are_those_of_the_record(record: Evaluation, trained_once: Workspace) -> None:
    flat = json.loads(trained_once.metrics.read_text())
    roc = json.loads((trained_once.plots / "roc.json").read_text())["roc"]
    recall = json.loads((trained_once.plots / "precision_recall.json").read_text())["precision_recall"]

    assert flat["test"]["auc"] == record.scores["candidate"]["test"]["auc"].value
    assert flat["gain"].keys() == BASELINES
    assert [(point["fpr"], point["tpr"]) for point in roc] == record.roc["candidate"]
    assert [(p["recall"], p["precision"]) for p in recall] == record.precision_recall["candidate"]


def test_twice_gives_the_same_bytes(trained: Workspace, trained_once: Workspace) -> None:
    evaluate.run(trained)

    assert trained.evaluation.read_bytes() == trained_once.evaluation.read_bytes()
    assert artefacts.sha256(trained.plots) == artefacts.sha256(trained_once.plots)


def test_the_test_set_is_scored_once_for_each_model(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, bool]] = []
    plain = Measures.values

    def counted(self: Measures, y_N: np.ndarray, a_NK: np.ndarray, at: float, w_RN: np.ndarray | None = None) -> Values:
        seen.append((len(y_N), w_RN is not None))
        return plain(self, y_N, a_NK, at, w_RN)

    monkeypatch.setattr(Measures, "values", counted)

    record = evaluate.run(trained)

    assert sum(with_intervals for _, with_intervals in seen) == 1 + len(BASELINES)
    assert len(seen) == 1 + len(BASELINES) + 2
    assert {rows for rows, with_intervals in seen if with_intervals} == {record.rows["test"]}


def test_the_champion_is_scored_on_the_same_rows(trained: Workspace, record: Evaluation) -> None:
    registry.point(trained, registry.register(trained))

    judged = evaluate.run(trained)

    assert judged.champion == "v1"
    assert judged.scores["champion"]["test"] == record.scores["candidate"]["test"]
    assert judged.thresholds["champion"] == record.thresholds["candidate"]
    own = [pair for pair in judged.paired if pair.model == "champion"]
    assert {(pair.difference, pair.low, pair.high) for pair in own} == {(0, 0, 0)}
    assert {n: judged.scores[n] for n in BASELINES} == {n: record.scores[n] for n in BASELINES}


def test_a_champion_that_reads_what_the_contract_dropped_is_an_error(trained: Workspace) -> None:
    registry.point(trained, registry.register(trained))
    for name in SPLITS:
        path = trained.split / f"{name}.parquet"
        pl.read_parquet(path).drop("weight").write_parquet(path)

    with pytest.raises(WorkspaceError, match=r"the model reads .*weight.*contract"):
        evaluate.run(trained)


def test_three_classes_are_judged_end_to_end(three: Workspace) -> None:
    record = run_all(three)

    rows = pl.read_parquet(three.split / "test.parquet")
    p_NK = Predictor.load(three.candidate).answers(rows)
    truth = np.array([record.classes.index(value) for value in rows["speed"]])
    scores = {name: score.value for name, score in record.scores["candidate"]["test"].items()}
    assert record.classes == ["fast", "slow", "usual"]
    assert scores["auc"] == pytest.approx(reference.roc_auc_score(truth, p_NK, multi_class="ovr"))
    assert scores["accuracy"] == pytest.approx((truth == p_NK.argmax(axis=1)).mean())
    assert record.confusion == reference.confusion_matrix(truth, p_NK.argmax(axis=1)).tolist()
    assert set(record.thresholds.values()) == {0.5}
    assert set(record.roc) == {"candidate"} | BASELINES
    assert Evaluation.read(three.evaluation) == record


def test_a_champion_of_two_classes_is_compared_with_a_candidate_of_three(three: Workspace, trained: Workspace) -> None:
    registry.point(trained, registry.register(trained))
    for path in ("models/champion.json", "models/registry/v1"):
        source, target = trained.root / path, three.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)

    record = run_all(three)

    assert record.champion == "v1"
    assert record.scores["champion"]["test"]["auc"].value == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("train", "val", "test", "word"),
    [
        (0.80, 0.78, 0.77, "fits"),
        (0.80, 0.75, 0.75, "fits"),
        (0.90, 0.80, 0.79, "overfits"),
        (0.90, 0.88, 0.70, "fits"),
        (0.54, 0.54, 0.54, "underfits"),
        (0.70, 0.75, 0.74, "fits"),
    ],
)
def test_the_word_follows_the_gap(train: float, val: float, test: float, word: str) -> None:
    scores: dict[str, Scores] = {
        name: {"auc": Score(value=value)} for name, value in zip(SPLITS, (train, val, test), strict=True)
    }

    fit = fit_word(scores, overfit_gap=0.0501)

    assert fit.word == word
    assert f"{train:.3f} on train" in fit.why


def test_an_evaluation_survives_json(record: Evaluation) -> None:
    as_json: Mapping[str, Any] = record.model_dump(mode="json")

    assert Evaluation.model_validate(json.loads(json.dumps(as_json))) == record


def with_settings(workspace: Workspace, more: str) -> Workspace:
    text = workspace.params_file.read_text()
    assert "evaluate: {resamples: 50}" in text
    workspace.params_file.write_text(text.replace("evaluate: {resamples: 50}", f"evaluate: {{resamples: 50, {more}}}"))
    return Workspace.open(workspace.root)


def test_rules_and_costs_go_the_whole_way(trained: Workspace) -> None:
    """A rule is a baseline like any other, and a miss that costs 50 times as much makes every model say yes sooner."""
    plain = Evaluation.read(trained.evaluation)
    costs = 'cost: {unit: EUR, of: {"true": {"false": 50}, "false": {"true": 1}}}'
    workspace = with_settings(trained, f'baselines: {{far: "distance > 5"}}, {costs}')

    found = evaluate.run(workspace)
    told = Diagnosis.read(workspace.diagnosis).cost

    rows = pl.read_parquet(workspace.split / "test.parquet")
    right = (rows["distance"] > 5) == rows["slow"]
    assert found.scores["far"]["test"]["accuracy"].value == pytest.approx(right.mean())
    assert found.thresholds["far"] == 0.5
    assert found.thresholds["candidate"] < plain.thresholds["candidate"]
    assert {pair.model for pair in found.paired} == BASELINES | {"far"}
    assert told is not None
    assert [one.model for one in told.models] == ["candidate", *(m for m in found.scores if m != "candidate")]
    missed, false = found.confusion[1][0], found.confusion[0][1]
    assert told.models[0].mean.value == pytest.approx((50 * missed + false) / rows.height)


def test_the_gate_may_ask_for_a_rule_to_be_beaten(trained: Workspace) -> None:
    text = trained.params_file.read_text().replace("baseline: majority", "baseline: coin")
    trained.params_file.write_text(text)
    workspace = with_settings(trained, "baselines: {coin: \"weekday = '1'\"}")
    settings.check_label(workspace)
    found = evaluate.run(workspace)

    gates = promote.judged(workspace, found, workspace.section(promote.PromoteSettings))

    assert [gate.name for gate in gates] == ["beats coin"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("baselines: {majority: minutes}", "must be a word that is not taken"),
        ("baselines: {human: slow}", "looks at slow, which it is to tell"),
        ('cost: {of: {"yes": {"no": 1}}}', "'yes' is no class of the label"),
    ],
)
def test_settings_that_make_no_sense_are_said(trained: Workspace, more: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        evaluate.run(with_settings(trained, more))


def test_every_baseline_has_its_verdict_and_rows_are_drawn_as_they_are_alike(
    record: Evaluation, trained: Workspace
) -> None:
    grouped = trained.contract_file.read_text().replace('metadata={"role": "id"}', 'metadata={"role": "group"}')
    trained.contract_file.write_text(grouped)

    by_group = evaluate.run(trained)

    assert {one.model for one in record.verdicts} == BASELINES
    assert all(one.metric == "auc" and one.compared == len(BASELINES) for one in record.verdicts)
    assert record.resampled is not None and by_group.resampled is not None
    assert (record.resampled.by, record.resampled.units) == ("rows", record.rows["test"])
    assert (by_group.resampled.by, by_group.resampled.columns) == ("groups", ["order"])


def test_the_diagnosis_has_its_parts(trained_once: Workspace) -> None:
    found = Diagnosis.read(trained_once.diagnosis)

    assert found.calibration is not None and found.by_class is not None
    assert {one.model for one in found.calibration.models} == BASELINES | {"candidate"}
    assert [one.name for one in found.by_class] == ["false", "true"]
    assert found.cost is None


def test_errors_and_stretches_are_those_of_the_confusion_and_the_rows(
    record: Evaluation, trained_once: Workspace
) -> None:
    found = Diagnosis.read(trained_once.diagnosis)
    rows = pl.read_parquet(trained_once.split / "test.parquet")

    assert found.errors and found.over_time and found.slices and found.slices.searched
    assert found.errors.wrong == record.confusion[0][1] + record.confusion[1][0]
    assert {one.row for one in found.errors.worst} <= set(rows["row_id"])
    assert sum(one.rows for one in found.over_time.stretches) == rows.height
    assert {"shop", "distance", "weight"} <= set(found.slices.searched.columns)
    assert not {"minutes", "order"} & set(found.slices.searched.columns)


def test_slices_by_name_are_scored_and_wrong_ones_are_told_before_a_training(trained: Workspace) -> None:
    params = trained.params_file.read_text(encoding="utf-8")
    named = {"far": "minutes > 30", "harbour": "shop = 'harbour'"}  # by columns that the model does not read, too
    trained.params_file.write_text(params.replace("resamples: 50", f"resamples: 50, slices: {named}"), encoding="utf-8")

    evaluate.run(Workspace.open(trained.root))

    slices = Diagnosis.read(trained.diagnosis).slices
    assert slices is not None
    assert [(one.name, bool(one.scores)) for one in slices.named] == [("far", True), ("harbour", True)]
    broken = params.replace("resamples: 50", "resamples: 50, slices: {far: minuets > 30}")
    trained.params_file.write_text(broken, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"evaluate.slices.far: .*minuets"):
        settings.check_label(Workspace.open(trained.root))

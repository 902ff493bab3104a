"""A label that is a number, the whole way: its workspace, scores, promotion, batches and report."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from sklearn import metrics as reference

from pipeline import artefacts, contract, metrics, monitor, settings
from pipeline.cli import STAGES
from pipeline.commands import init, summary
from pipeline.errors import SettingsError, WorkspaceError
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Quantity
from pipeline.models import baselines
from pipeline.predictor import Predictor
from pipeline.profile import Numeric, Profile
from pipeline.reports import report
from pipeline.stages import evaluate, gates, split
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.gates import Standing
from pipeline.stages.promote import PromoteSettings
from pipeline.stages.split import SPLITS, SplitRecord
from pipeline.versions import registry
from pipeline.workspace import Workspace

BASELINES = set(baselines.OF["quantity"])


@pytest.fixture(scope="module")
def record(measured_once: Workspace) -> Evaluation:
    return Evaluation.read(measured_once.evaluation)


def promoted(workspace: Workspace) -> Workspace:
    """Its candidate is the champion, as without DVC."""
    registry.point(workspace, registry.register(workspace))
    return workspace


def rows_of(workspace: Workspace, name: str) -> pl.DataFrame:
    return pl.read_parquet(workspace.split / f"{name}.parquet")


def test_what_is_kept_says_that_the_label_is_a_quantity_of_train(measured_once: Workspace) -> None:
    minutes = rows_of(measured_once, "train")["minutes"].cast(pl.Float64).to_numpy()

    target = Preprocessor.read(measured_once.candidate).target

    assert isinstance(target, Quantity)
    assert (target.center, target.scale) == pytest.approx((minutes.mean(), minutes.std()))


def test_every_tenth_of_the_label_is_in_every_split_by_its_share(measured_once: Workspace) -> None:
    rows = pl.concat(
        rows_of(measured_once, name).select(pl.col("minutes").cast(pl.Float64), split=pl.lit(name)) for name in SPLITS
    )

    tenths = rows.with_columns(tenth=split.parts(rows["minutes"])).group_by("tenth")
    shares = tenths.agg((pl.col("split") == name).mean().alias(name) for name in SPLITS)

    assert shares.height == split.PARTS
    for name, share in {"train": 0.7, "val": 0.15, "test": 0.15}.items():
        assert shares.filter((pl.col(name) - share).abs() >= 0.03).is_empty()
    assert SplitRecord.read(measured_once.split / "manifest.json").classes == {}


def test_drift_will_be_measured_against_label_and_answers_as_numbers(measured_once: Workspace) -> None:
    columns = Profile.read(measured_once.candidate / "reference.json").columns

    minutes, prediction = columns["minutes"], columns["prediction"]
    assert isinstance(minutes, Numeric) and isinstance(prediction, Numeric)
    assert prediction.mean == pytest.approx(minutes.mean, rel=0.1)


def test_answers_are_in_the_labels_unit(measured_once: Workspace, record: Evaluation) -> None:
    test = rows_of(measured_once, "test")
    truth = test["minutes"].to_numpy()

    a_N1 = Predictor.load(measured_once.candidate).answers(test)

    own = {name: score.value for name, score in record.scores["candidate"]["test"].items()}
    assert a_N1.shape == (test.height, 1)
    assert own["rmse"] == pytest.approx(reference.root_mean_squared_error(truth, a_N1[:, 0]), rel=1e-5)
    assert own["r2"] == pytest.approx(reference.r2_score(truth, a_N1[:, 0]), rel=1e-5)
    assert own["r2"] > 0.5


def test_all_models_are_scored_by_the_metrics_of_a_quantity(record: Evaluation) -> None:
    measures = metrics.OF["quantity"]

    assert (record.target, record.classes, record.thresholds, record.roc) == ("quantity", [], {}, {})
    assert set(record.scores) == {"candidate"} | BASELINES
    assert set(record.scores["candidate"]) == set(SPLITS)
    assert all(set(scores) == set(measures.each) for splits in record.scores.values() for scores in splits.values())
    assert {(pair.model, pair.metric) for pair in record.paired} == {(m, n) for m in BASELINES for n in measures.paired}
    assert set(record.curves) == {"epoch", "train_loss", "train_rmse", "val_loss", "val_rmse"}
    assert record.curves["val_rmse"][record.best_epoch - 1] == min(record.curves["val_rmse"])
    assert record.fit.why.startswith("R² is ")
    assert Evaluation.model_validate(json.loads(record.model_dump_json())) == record


def test_the_mean_of_train_has_no_skill(record: Evaluation, measured_once: Workspace) -> None:
    scores, test = record.scores["mean"]["test"], rows_of(measured_once, "test")["minutes"]
    mean = rows_of(measured_once, "train")["minutes"].mean()

    assert scores["skill"].value == pytest.approx(0, abs=1e-6)
    assert scores["mae"].value == pytest.approx((test - mean).abs().mean(), rel=1e-6)


def test_the_files_for_dvc_hold_the_candidates_answers(record: Evaluation, measured_once: Workspace) -> None:
    flat = artefacts.read_json(measured_once.metrics)
    plots = {path.stem: artefacts.read_json(path) for path in measured_once.plots.iterdir()}

    assert flat["test"]["rmse"] == record.scores["candidate"]["test"]["rmse"].value
    assert flat["gain"].keys() == BASELINES
    assert set(plots) == {"predicted", "residuals"}
    assert [(dot["truth"], dot["answer"]) for dot in plots["predicted"]["predicted"]] == record.predicted
    assert len(plots["residuals"]["residuals"]) == len(record.residuals) == 10


def test_twice_gives_the_same_bytes(measured: Workspace, measured_once: Workspace) -> None:
    for stage in ("train", "evaluate"):
        import_module(f"pipeline.stages.{stage}").run(measured)

    for path in ("models/candidate/weights.safetensors", "reports/evaluation.json"):
        assert (measured.root / path).read_bytes() == (measured_once.root / path).read_bytes()


def judged(record: Evaluation, gain: float, **gate: Any) -> bool:
    """Whether a candidate passes both gates whose RMSE of 8 is `gain` less than the champion's 10, and than ridge's."""
    pairs = [
        metrics.Paired(model=model, metric="rmse", difference=gain, low=gain, high=gain, resamples=50)
        for model in ("ridge", "mean", "champion")
    ]
    score = {"test": {"rmse": metrics.Score(value=10.0)}}
    scores = {"ridge": score, "champion": score, "mean": score}
    known = record.model_copy(update={"paired": pairs, "scores": scores})
    found = PromoteSettings.model_validate(gate).judged(known, Standing(), None)
    return all(one.verdict == "passed" for one in found)


def test_gains_and_losses_are_shares_of_what_the_other_has(record: Evaluation) -> None:
    assert judged(record, 2.0)
    assert judged(record, 2.0, minimum_gain=0.19)
    assert not judged(record, 2.0, minimum_gain=0.2)
    assert not judged(record, -0.1)
    assert not judged(record, 0.0)


def test_the_reasons_are_in_the_labels_unit(record: Evaluation) -> None:
    pair = metrics.Paired(model="mean", metric="rmse", difference=67_529.0, low=-1.5, high=70_710.0, resamples=50)
    score = {"mean": {"test": {"rmse": metrics.Score(value=114_485.0)}}}
    known = record.model_copy(update={"paired": [pair], "scores": score})

    (gate,) = PromoteSettings(baseline="mean", minimum_gain=0.1).judged(known, Standing(), None)

    assert gate.words.endswith(
        "rmse +67,529 better (95% interval -1.50 to +70,710, same test rows), gain asked 0.1 of its 114,485"
    )


@pytest.mark.parametrize("asked", [{"metric": "auc"}, {"baseline": "majority"}])
def test_what_is_of_classes_cannot_be_asked_of_a_quantity(record: Evaluation, asked: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"promote\..*: cannot be .*not of this kind of label"):
        PromoteSettings.model_validate(asked).judged(record, Standing(), None)


@pytest.mark.parametrize("section", ["promote", "monitor"])
def test_a_metric_of_classes_is_told_before_anything_runs(measured: Workspace, section: str) -> None:
    settings.check_label(measured)
    params = measured.params | {section: measured.params[section] | {"metric": "auc"}}
    measured.params_file.write_text(yaml.safe_dump(params))

    with pytest.raises(SettingsError, match=rf"{section}\.metric: cannot be auc"):
        settings.check_label(Workspace.open(measured.root))


def test_a_batch_is_scored_in_the_labels_unit_and_its_drift_is_seen(measured: Workspace) -> None:
    alike, drifted = (
        monitor.watch(promoted(measured), measured.incoming / f"2024-0{month}.csv.gz") for month in (4, 5)
    )

    assert alike.live is not None and drifted.live is not None
    assert set(alike.live.champion) == set(metrics.OF["quantity"].each)
    assert alike.live.champion["rmse"].value < 12
    assert alike.decision.evidence["metric"] == "rmse"
    assert "of it" in "; ".join(alike.decision.reasons)
    assert drifted.drift.prediction is not None and drifted.drift.label is not None
    assert drifted.drift.prediction.drifted and drifted.drift.label.drifted
    assert drifted.decision.retrain


def test_a_label_that_is_no_finite_number_is_none(measured: Workspace) -> None:
    path = measured.incoming / "2024-06.parquet"
    rows = pl.read_csv(measured.incoming / "2024-04.csv.gz", null_values="NA", try_parse_dates=True)
    broken = pl.when(pl.int_range(pl.len()) < 3).then(float("inf")).otherwise(pl.col("minutes").cast(pl.Float64))
    told = measured.contract_file.read_text().replace("minutes: int = pa.Field(ge=1,", "minutes: float = pa.Field(")
    measured.contract_file.write_text(told)
    rows.with_columns(minutes=broken).write_parquet(path)

    seen = monitor.watch(promoted(Workspace.open(measured.root)), path)

    assert seen.labelled <= rows["minutes"].count() - 3
    assert seen.live is not None


def test_a_champion_of_classes_is_not_compared_with_a_quantity(measured: Workspace, trained: Workspace) -> None:
    promoted(trained)
    for path in ("models/champion.json", "models/registry/v1"):
        source, target = trained.root / path, measured.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)

    with pytest.raises(WorkspaceError, match=r"tells minutes as classes, the candidate as quantity.*begin anew"):
        evaluate.run(measured)
    with pytest.raises(WorkspaceError, match=r"the champion tells slow, the contract asks for minutes"):
        monitor.watch(measured, measured.incoming / "2024-04.csv.gz")


def test_a_champion_of_the_same_label_as_classes_cannot_watch_a_quantity(measured: Workspace) -> None:
    told = measured.contract_file.read_text().replace('"label", "modality": "numeric"', '"label"')
    promoted(measured).contract_file.write_text(told)

    with pytest.raises(WorkspaceError, match=r"tells minutes as quantity, the contract says otherwise"):
        monitor.watch(Workspace.open(measured.root), measured.incoming / "2024-04.csv.gz")


def test_the_report_shows_answers_and_residuals_and_nothing_of_classes(
    measured: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    monitor.watch(promoted(measured), measured.incoming / "2024-04.csv.gz")

    page = report.write(measured).read_text(encoding="utf-8")
    summary.show_models(measured)
    summary.show_batches(measured)
    summary.show_scores(measured)

    for words in ("RMSE of each model", "Answers and truth", "Residuals by tenth", "ridge regression", "(a number)"):
        assert words in page
    for words in ("ROC", "Confusion", "Calibration", "AUC"):
        assert words not in page
    said = capsys.readouterr().out
    assert "rmse" in said and "RMSE of v1, frozen" in said and "auc" not in said


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """300 houses: a price that hangs on size and place, as people keep it."""
    random = np.random.default_rng(4)
    size, place = random.gamma(4, 30, 300), random.choice(["north", "south"], 300)
    price = 50_000 + 900 * size + 30_000 * (place == "south") + random.normal(0, 5_000, 300)
    path = tmp_path / "houses.csv"
    pl.DataFrame({"size": size.round(1), "place": place, "price": price.round(2)}).write_csv(path)
    return path


def test_a_new_workspace_of_a_quantity_has_its_gate_and_its_plots(prices: Path, tmp_path: Path) -> None:
    made = init.initialise(tmp_path / "new", prices, roles={"price": "label"}, seed=1)

    plots = yaml.safe_load((made.root / "dvc.yaml").read_text())["plots"]
    label = contract.load(made.contract_file).label
    assert label.is_quantity
    assert 'QUANTITY = {"role": "label", "modality": "numeric"}' in made.contract_file.read_text()
    assert made.params["promote"] == {"metric": "rmse", "baseline": "mean", "tolerated_loss": 0.005, "commit": True}
    assert made.params["monitor"]["metric"] == "rmse"
    assert made.params["normalize"]["numeric"] == {"method": "standard"}
    assert "each tenth of the label by itself" in made.params_file.read_text()
    assert {name for plot in plots for name in plot} == {"Loss", "RMSE", "Answers and truth", "Residuals by answer"}


def test_every_plot_that_is_named_is_written(measured_once: Workspace, prices: Path, tmp_path: Path) -> None:
    made = init.initialise(tmp_path / "new", prices, roles={"price": "label"}, seed=1)

    plots = yaml.safe_load((made.root / "dvc.yaml").read_text())["plots"]
    drawn = {path: axes for plot in plots for one in plot.values() for path, axes in one["y"].items()}
    for path, axes in drawn.items():
        file = measured_once.root / path
        assert file.is_file(), path
        if file.suffix == ".json":
            (points,) = artefacts.read_json(file).values()
            assert {axes} if isinstance(axes, str) else set(axes) < set(points[0])


def test_the_stages_run_in_a_new_workspace(prices: Path, tmp_path: Path) -> None:
    made = init.initialise(tmp_path / "new", prices, roles={"price": "label"}, seed=1)
    made.params_file.write_text(made.params_file.read_text().replace("commit: true", "commit: false"))
    made = Workspace.open(made.root)

    for stage in STAGES:
        import_module(f"pipeline.stages.{stage}").run(made)

    judged = Evaluation.read(made.evaluation)
    assert gates.passed(made.section(PromoteSettings).judged(judged, Standing(), None))

"""A label that is forecast, the whole way: its workspace, samples, scores, promotion, batches and report."""

import json
import shutil
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from pipeline import artefacts, cli, metrics, monitor, settings
from pipeline.cli import STAGES
from pipeline.commands import init, summary
from pipeline.errors import DataError, SettingsError, WorkspaceError
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Forecast
from pipeline.judgement.record import Diagnosis
from pipeline.judgement.stretches import ON_WINDOWS
from pipeline.models import baselines
from pipeline.predictor import Predictor
from pipeline.reports import report
from pipeline.stages import gates, normalize
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.gates import Standing
from pipeline.stages.promote import PromoteSettings
from pipeline.stages.split import SPLITS
from pipeline.versions import registry
from pipeline.workspace import Workspace

HORIZON, WINDOW, HOURS = 4, 30, 500
ROLES = {"at": "time", "shop": "group", "sold": "label"}


def sales(first: int, hours: int) -> pl.DataFrame:
    """Two shops, one ten times as large, with a day that comes again and a level that wanders."""
    random = np.random.default_rng(7)
    level = np.cumsum(random.normal(0, 0.02, 2 * HOURS + 400))
    parts = []
    for shop, size in (("north", 10.0), ("south", 100.0)):
        hour = np.arange(first, first + hours)
        sold = size * (5 + np.sin(hour * 2 * np.pi / 24) + level[hour] + random.normal(0, 0.02, hours))
        at = [datetime(2024, 1, 1) + int(each) * timedelta(hours=1) for each in hour]
        parts.append(
            pl.DataFrame({"at": at, "shop": shop, "sold": sold.round(4), "staff": (hour % 24 > 8).astype(int)})
        )
    whole = pl.concat(parts)
    return whole.filter(~((pl.col("shop") == "north") & (pl.col("at").dt.hour() == 3) & (pl.col("at").dt.day() == 9)))


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace that `init` made, with all stages run."""
    folder = tmp_path_factory.mktemp("forecast")
    sales(0, HOURS).write_csv(folder / "sales.csv")
    made = init.initialise(folder / "shop", folder / "sales.csv", roles=ROLES, seed=1, horizon=HORIZON)  # type: ignore[arg-type]
    params = yaml.safe_load(made.params_file.read_text())
    params["normalize"]["series"]["window"] = WINDOW
    params["promote"]["commit"] = False
    made.params_file.write_text(yaml.safe_dump(params))
    made = Workspace.open(made.root)
    for stage in STAGES:
        import_module(f"pipeline.stages.{stage}").run(made)
    return made


@pytest.fixture
def made(made_once: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(made_once.root, tmp_path / "shop")
    return Workspace.open(tmp_path / "shop")


@pytest.fixture(scope="module")
def record(made_once: Workspace) -> Evaluation:
    return Evaluation.read(made_once.evaluation)


def test_init_writes_the_horizon_and_a_split_by_time_alone(made_once: Workspace) -> None:
    params = made_once.params

    assert params["normalize"]["series"]["horizon"] == HORIZON
    assert params["split"] == {"method": "time", "together": False, "val_share": 0.15, "test_share": 0.15}
    assert params["train"]["series"] == {"kind": "dlinear"}
    assert (params["promote"]["baseline"], params["promote"]["metric"]) == ("persistence", "rmse")
    settings.check_label(made_once)


def test_quantiles_of_a_forecast_are_refused_before_a_training(made: Workspace) -> None:
    params = yaml.safe_load(made.params_file.read_text())
    params["train"]["loss"] = {"quantiles": [0.1, 0.5, 0.9]}
    made.params_file.write_text(yaml.safe_dump(params))

    with pytest.raises(SettingsError, match="is told as forecast"):
        settings.check_label(Workspace.open(made.root))


def test_all_rows_are_accounted_for(made_once: Workspace) -> None:
    found = artefacts.read_json(made_once.normalized / normalize.SERIES)

    for name in SPLITS:
        rows = pl.read_parquet(made_once.split / f"{name}.parquet").height
        of = found[name]
        assert of["rows"] == rows
        assert of["samples"] + of["young"] + of["repeated"] + of["without_time"] + of["without_future"] == rows
        assert of["without_future"] >= 2 * HORIZON  # the end of each series
    assert found["train"]["young"] == 2 * (WINDOW - 1)
    assert found["val"]["young"] == found["test"]["young"] == 0
    assert found["train"]["missing_steps"] == 1


def test_groups_are_in_every_split_and_in_their_own_scale(made_once: Workspace) -> None:
    target = Preprocessor.read(made_once.candidate).target
    train = pl.read_parquet(made_once.split / "train.parquet")

    assert isinstance(target, Forecast)
    for name in SPLITS:
        assert pl.read_parquet(made_once.split / f"{name}.parquet")["shop"].n_unique() == 2
    for shop in ("north", "south"):
        sold = train.filter(pl.col("shop") == shop)["sold"].to_numpy()
        assert target.groups[shop] == pytest.approx((sold.mean(), sold.std()))


def test_the_network_is_judged_beside_the_last_value(record: Evaluation) -> None:
    measures = metrics.OF["forecast"]

    assert record.target == "forecast"
    assert set(record.scores) == {"candidate", *baselines.OF["forecast"]}
    assert all(set(scores) == set(measures.each) for splits in record.scores.values() for scores in splits.values())
    assert {len(errors) for errors in record.steps.values()} == {HORIZON}
    assert record.steps["persistence"] == sorted(record.steps["persistence"])  # the further ahead, the worse
    own, last = (record.scores[model]["test"] for model in ("candidate", "persistence"))
    assert own["rmse"].value < 0.7 * last["rmse"].value
    assert own["mae"].value == pytest.approx(np.mean(record.steps["candidate"]))
    assert own["mase"].value == pytest.approx(own["mae"].value / record.naive_error)  # type: ignore[operator]
    assert record.fit.why.startswith("the share of persistence's squared error that is gone is")
    assert Evaluation.model_validate(json.loads(record.model_dump_json())) == record


def test_it_is_promoted_for_what_it_does_better(record: Evaluation, made_once: Workspace) -> None:
    found = made_once.section(PromoteSettings).judged(record, Standing(), None)

    assert gates.passed(found)
    assert found[0].words.startswith("beats persistence: rmse +")


def test_small_changes_of_the_windows_move_forecasts_by_a_number_and_rough_ones_break_none(
    made_once: Workspace,
) -> None:
    found = Diagnosis.read(made_once.diagnosis).steadiness

    assert found is not None and found.jump is not None
    assert 0 < found.jump < 0.05
    assert {one.change for one in found.moved} == {change.name for change in ON_WINDOWS}
    assert [one.change for one in found.moved if one.broken] == []
    far = {one.change: one.most for one in found.moved}
    assert found.jump < far["a window that stands still"] < far["the last step far above all"]
    assert [edge for edge in found.edges if edge.fault] == []


def test_twice_gives_the_same_bytes(made: Workspace, made_once: Workspace) -> None:
    for stage in ("normalize", "train", "evaluate"):
        import_module(f"pipeline.stages.{stage}").run(made)

    for path in ("models/candidate/weights.safetensors", "reports/evaluation.json", "data/normalized/test.safetensors"):
        assert (made.root / path).read_bytes() == (made_once.root / path).read_bytes()


def test_every_plot_that_is_named_is_written(made_once: Workspace) -> None:
    plots = yaml.safe_load((made_once.root / "dvc.yaml").read_text())["plots"]

    drawn = {path for plot in plots for one in plot.values() for path in one["y"]}
    assert "reports/plots/steps.json" in drawn
    assert all((made_once.root / path).is_file() for path in drawn)


def test_a_prediction_is_in_the_labels_unit(made_once: Workspace) -> None:
    model = Predictor.load(made_once.candidate)
    target = model.preprocessor.target
    assert isinstance(target, Forecast)
    rows = pl.read_parquet(made_once.split / "test.parquet")

    told = target.in_unit(model.answers(rows), rows)

    north, south = (told[(rows["shop"] == shop).to_numpy()] for shop in ("north", "south"))
    assert told.shape == (rows.height, HORIZON)
    assert 6 < south[WINDOW:].mean() / north[WINDOW:].mean() < 14


def test_a_batch_looks_back_at_what_was_trained_on_and_at_batches_before_it(made: Workspace) -> None:
    registry.point(made, registry.register(made))
    made.incoming.mkdir(parents=True, exist_ok=True)
    for name, first in (("b1.csv", HOURS), ("b2.csv", HOURS + 60)):
        sales(first, 60).write_csv(made.incoming / name)

    records = [monitor.watch(made, made.incoming / name) for name in ("b1.csv", "b2.csv")]

    for seen in records:
        assert seen.live is not None
        assert set(seen.live.champion) == set(metrics.OF["forecast"].each)
        assert seen.live.champion["rmse"].value < 2.5 * seen.reference["rmse"].value
        assert seen.drift.prediction is not None


def test_rows_of_a_series_are_answered_from_what_was_before_them_in_the_labels_unit(
    made: Workspace, tmp_path: Path
) -> None:
    registry.point(made, registry.register(made))
    (tmp_path / "days").mkdir()
    whole = sales(HOURS, 48)
    for name, rows in (("all.csv", whole), ("days/1.csv", whole[::2]), ("days/2.csv", whole[1::2])):
        rows.write_csv(tmp_path / name)

    for path, to in (("all.csv", "all.told.csv"), ("days", "days.told.csv")):
        assert cli.main(["-w", str(made.root), "predict", str(tmp_path / path), "--out", str(tmp_path / to)]) == 0

    told, parted = (pl.read_csv(tmp_path / name) for name in ("all.told.csv", "days.told.csv"))
    assert told.height == parted.height == whole.height
    rows = whole.with_columns(told=told["step: 1"], known=pl.col("sold").shift(-1).over("shop")).drop_nulls()
    off = (rows["told"] - rows["known"]).abs() / rows["known"]
    assert np.median(off.to_numpy()) < 0.1
    order = pl.concat([whole[::2], whole[1::2]])
    again = pl.concat([order, parted.select("step: 1")], how="horizontal").join(rows, on=["at", "shop"])
    assert again["step: 1"].to_numpy() == pytest.approx(again["told"].to_numpy(), rel=1e-5)


def test_a_batch_shorter_than_the_horizon_has_no_live_score(made: Workspace) -> None:
    registry.point(made, registry.register(made))
    made.incoming.mkdir(parents=True, exist_ok=True)
    sales(HOURS, 3).write_csv(made.incoming / "b1.csv")

    assert monitor.watch(made, made.incoming / "b1.csv").live is None


def test_the_report_shows_the_error_by_step_and_nothing_of_classes(
    made: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.point(made, registry.register(made))

    page = report.write(made).read_text(encoding="utf-8")
    summary.show_scores(made)

    for words in ("RMSE of each model", "Mean absolute error by step", "last value", "MASE"):
        assert words in page
    for words in ("ROC", "Confusion", "Calibration", "Residuals by tenth"):
        assert words not in page
    assert "mase" in capsys.readouterr().out


def test_a_split_that_is_not_by_time_is_told(made: Workspace) -> None:
    shutil.copyfile(made.split / "train.parquet", made.split / "val.parquet")

    with pytest.raises(
        SettingsError, match=r"params\.yaml: split: val begins at .* set method: time and together: false"
    ):
        normalize.run(made)


def test_a_champion_of_another_horizon_is_not_compared(made: Workspace) -> None:
    registry.point(made, registry.register(made))
    params = made.params | {"normalize": {"series": {"window": WINDOW, "horizon": HORIZON + 1}}}
    made.params_file.write_text(yaml.safe_dump(params))
    changed = Workspace.open(made.root)
    for stage in ("normalize", "train"):
        import_module(f"pipeline.stages.{stage}").run(changed)

    with pytest.raises(WorkspaceError, match=r"as a forecast of 4 steps, the candidate as a forecast of 5 steps"):
        import_module("pipeline.stages.evaluate").run(changed)


def test_a_champion_is_asked_about_the_rows_that_the_candidate_forecasts_from(made: Workspace) -> None:
    registry.point(made, registry.register(made))

    judged = import_module("pipeline.stages.evaluate").run(made)

    scores = judged.scores
    assert scores["champion"]["test"]["rmse"].value == pytest.approx(scores["candidate"]["test"]["rmse"].value)
    assert all(pair.difference == pytest.approx(0, abs=1e-9) for pair in judged.paired if pair.model == "champion")


def test_a_horizon_that_no_split_has_is_told(made: Workspace) -> None:
    params = made.params | {"normalize": {"series": {"window": WINDOW, "horizon": 200}}}
    made.params_file.write_text(yaml.safe_dump(params))

    with pytest.raises(DataError, match=r"normalize\.series: val has 0 rows to forecast from"):
        normalize.run(Workspace.open(made.root))


@pytest.mark.parametrize(
    ("roles", "horizon", "error", "words"),
    [
        ({"sold": "label", "at": "ignore"}, 4, SettingsError, "--horizon: needs the time axis"),
        ({"shop": "label", "at": "time"}, 4, DataError, "is no number, and only numbers can be forecast"),
        ({"sold": "label", "at": "time"}, 90, DataError, "no row there has 90 to come"),
    ],
)
def test_init_says_why_it_cannot_be_forecast(
    tmp_path: Path, roles: dict[str, str], horizon: int, error: type[Exception], words: str
) -> None:
    sales(0, HOURS).write_csv(tmp_path / "sales.csv")

    with pytest.raises(error, match=words):
        init.initialise(tmp_path / "shop", tmp_path / "sales.csv", roles=roles, horizon=horizon)  # type: ignore[arg-type]

    assert not (tmp_path / "shop").exists()


def test_without_a_horizon_the_window_is_read_beside_the_columns(made: Workspace) -> None:
    series = {"window": 12, "horizon": 0}
    train = {"model": "mlp", "series": {"kind": "gru", "width": 8}, "epochs": 1, "mlp": {"hidden": [8]}}
    params = made.params | {"normalize": {"series": series}, "train": train, "promote": {}, "monitor": {}}
    made.params_file.write_text(yaml.safe_dump(params))
    changed = Workspace.open(made.root)

    for stage in ("normalize", "train", "evaluate"):
        import_module(f"pipeline.stages.{stage}").run(changed)

    judged, steady = Evaluation.read(changed.evaluation), Diagnosis.read(changed.diagnosis).steadiness
    assert steady is not None and steady.jump is not None
    assert [one.change for one in steady.moved if one.broken] == []
    assert judged.target == "quantity"
    assert judged.rows["test"] == pl.read_parquet(changed.split / "test.parquet").height

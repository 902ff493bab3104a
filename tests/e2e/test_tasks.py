"""Labels of classes in an order, of quantiles and of tags, the whole way: scores, promotion, batches and report."""

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as reference

from pipeline import artefacts, cli, metrics, monitor, settings
from pipeline.cli import STAGES
from pipeline.commands import summary
from pipeline.errors import SettingsError
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Ordinal, Quantiles, Tags
from pipeline.models import baselines
from pipeline.predictor import Predictor
from pipeline.reports import report
from pipeline.stages import gates, split
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.gates import Standing
from pipeline.stages.promote import PromoteSettings
from pipeline.stages.split import SPLITS, SplitRecord
from pipeline.versions import registry
from pipeline.workspace import Workspace
from tests.conftest import CONTRACT, PARAMS, SLOW

SPEEDS = ("fast", "usual", "slow")
KINDS = ("ordinal", "quantiles", "tags")
SPEED = "CASE WHEN minutes > 32 THEN 'slow' WHEN minutes > 26 THEN 'usual' WHEN minutes > 0 THEN 'fast' END"
TAGS = (
    "CASE WHEN minutes > 0 THEN CONCAT(CASE WHEN minutes > 30 THEN 'slow' ELSE '' END, ';', "
    "CASE WHEN distance > 4 THEN 'far' ELSE '' END, ';', CASE WHEN weight > 3 THEN 'heavy' ELSE '' END) END"
)
QUANTILES = [0.05, 0.5, 0.95]


def labelled(name: str, metadata: str) -> str:
    """The contract with another label, of text."""
    return CONTRACT.replace(SLOW, f"    {name}: str = pa.Field(nullable=True, metadata={metadata})\n")


def made(kind: str) -> tuple[str, str]:
    """Contract and settings of a workspace whose label is of that kind."""
    derived, learnt = "slow: minutes > 30", PARAMS.replace("epochs: 2,", "epochs: 8,")
    learnt = learnt.replace("baseline: majority", "baseline: auto")
    if kind == "ordinal":
        order = f'{{"role": "label", "modality": "ordinal", "order": {list(SPEEDS)}}}'
        return labelled("speed", order), learnt.replace(derived, f"speed: {SPEED}")
    if kind == "tags":
        written = '{"role": "label", "modality": "set", "format": ";"}'
        return labelled("tags", written), learnt.replace(derived, f"tags: {TAGS}")
    quantity = CONTRACT.replace(SLOW, "").replace('{"role": "ignore"}', '{"role": "label", "modality": "numeric"}')
    params = learnt.replace(f"    {derived}\n", "").replace("train: {", f"train: {{loss: {{quantiles: {QUANTILES}}}, ")
    return quantity, params


@pytest.fixture(scope="module")
def once(tiny_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workspace]:
    """A workspace of that kind after every stage of the DAG; only to be read."""
    found: dict[str, Workspace] = {}

    def workspace(kind: str) -> Workspace:
        if kind not in found:
            shutil.copytree(tiny_once.root, root := tmp_path_factory.mktemp(kind) / "tiny")
            contract, params = made(kind)
            (root / "schemas" / "tiny.py").write_text(contract)
            (root / "params.yaml").write_text(params)
            found[kind] = Workspace.open(root)
            for stage in STAGES:
                import_module(f"pipeline.stages.{stage}").run(found[kind])
        return found[kind]

    return workspace


@pytest.fixture
def copied(once: Callable[[str], Workspace], tmp_path: Path) -> Callable[[str], Workspace]:
    """A copy of it whose candidate is the champion, as without DVC."""

    def workspace(kind: str) -> Workspace:
        shutil.copytree(once(kind).root, tmp_path / kind)
        copy = Workspace.open(tmp_path / kind)
        registry.point(copy, registry.register(copy))
        return copy

    return workspace


def record_of(workspace: Workspace) -> Evaluation:
    return Evaluation.read(workspace.evaluation)


def rows_of(workspace: Workspace, name: str) -> pl.DataFrame:
    return pl.read_parquet(workspace.split / f"{name}.parquet")


@pytest.mark.parametrize("kind", KINDS)
def test_all_models_are_scored_by_the_metrics_of_the_kind(once: Callable[[str], Workspace], kind: Any) -> None:
    record = record_of(once(kind))
    measures, against = metrics.OF[kind], set(baselines.OF[kind])

    assert record.target == kind
    assert set(record.scores) == {"candidate"} | against
    assert all(set(scores) == set(measures.each) for splits in record.scores.values() for scores in splits.values())
    assert {(pair.model, pair.metric) for pair in record.paired} == {(m, n) for m in against for n in measures.paired}
    assert f"val_{measures.main}" in record.curves
    assert Evaluation.model_validate(json.loads(record.model_dump_json())) == record


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_more_than_the_one_that_does_not_look(once: Callable[[str], Workspace], kind: Any) -> None:
    record = record_of(once(kind))
    blind = baselines.OF[kind][0]

    found = PromoteSettings(baseline=blind).judged(record, Standing(), None)

    assert gates.passed(found), found


@pytest.mark.parametrize("kind", KINDS)
def test_the_labels_own_metrics_are_asked_for_in_the_settings(copied: Callable[[str], Workspace], kind: Any) -> None:
    workspace = copied(kind)
    settings.check_label(workspace)
    for other in ("brier", "skill"):
        if other in metrics.OF[kind].each:
            continue
        params = workspace.params_file.read_text().replace("monitor: {", f"monitor: {{metric: {other}, ")
        (workspace.root / "params.yaml").write_text(params)
        with pytest.raises(SettingsError, match=rf"monitor\.metric: cannot be {other}"):
            settings.check_label(Workspace.open(workspace.root))
        return


def test_ranks_are_learnt_in_the_order_of_the_contract(once: Callable[[str], Workspace]) -> None:
    workspace = once("ordinal")
    target, test = Preprocessor.read(workspace.candidate).target, rows_of(workspace, "test")
    counts = rows_of(workspace, "train")["speed"].value_counts()
    a_NK = Predictor.load(workspace.candidate).answers(test)
    truth_N = np.array([SPEEDS.index(value) for value in test["speed"]])
    said_N = (a_NK.cumsum(axis=1) < 0.5).sum(axis=1)

    scores = {name: score.value for name, score in record_of(workspace).scores["candidate"]["test"].items()}

    assert isinstance(target, Ordinal)
    assert tuple(target.classes) == SPEEDS
    assert dict(zip(target.classes, target.shares, strict=True)) == pytest.approx(
        {row["speed"]: row["count"] / counts["count"].sum() for row in counts.iter_rows(named=True)}
    )
    assert a_NK.sum(axis=1) == pytest.approx(1)
    kappa = reference.cohen_kappa_score(truth_N, said_N, weights="quadratic")
    assert scores["quadratic_weighted_kappa"] == pytest.approx(kappa)
    assert scores["rank_mae"] == pytest.approx(np.abs(truth_N - said_N).mean())
    assert kappa > 0.5


def test_quantiles_rise_and_hold_about_the_share_that_they_should(once: Callable[[str], Workspace]) -> None:
    workspace = once("quantiles")
    test = rows_of(workspace, "test")
    truth_N, model = test["minutes"].to_numpy(), Predictor.load(workspace.candidate)

    a_NK, record = model.answers(test), record_of(workspace)

    target, scores = model.preprocessor.target, record.scores["candidate"]["test"]
    below = [tell.below for tell in record.below]
    assert isinstance(target, Quantiles) and target.quantiles == QUANTILES
    assert (np.diff(a_NK, axis=1) >= 0).all()
    assert scores["rmse"].value == pytest.approx(reference.root_mean_squared_error(truth_N, a_NK[:, 1]), rel=1e-5)
    losses = [reference.mean_pinball_loss(truth_N, a_NK[:, k], alpha=q) for k, q in enumerate(QUANTILES)]
    assert scores["pinball"].value == pytest.approx(np.mean(losses), rel=1e-5)
    assert below == pytest.approx([(truth_N <= a_NK[:, k]).mean() for k in range(3)], abs=0.02)
    held = ((a_NK[:, 0] <= truth_N) & (truth_N <= a_NK[:, 2])).mean()
    assert scores["coverage_gap"].value == pytest.approx(abs(held - 0.9), abs=0.02)
    assert held > 0.7


def test_tags_are_told_each_by_itself(once: Callable[[str], Workspace]) -> None:
    workspace = once("tags")
    test, model = rows_of(workspace, "test"), Predictor.load(workspace.candidate)
    target, record = model.preprocessor.target, record_of(workspace)
    assert isinstance(target, Tags)
    held = [set(filter(None, cell.split(";"))) for cell in test["tags"]]
    y_NK = np.array([[tag in own for tag in target.classes] for own in held])
    p_NK, threshold = model.answers(test), record.thresholds["candidate"]
    said_NK = p_NK >= threshold

    scores = {str(name): score.value for name, score in record.scores["candidate"]["test"].items()}

    assert set(target.classes) == {"slow", "far", "heavy"}
    expected = {
        "micro_f1": reference.f1_score(y_NK, said_NK, average="micro"),
        "macro_f1": reference.f1_score(y_NK, said_NK, average="macro"),
        "mean_average_precision": reference.average_precision_score(y_NK, p_NK, average="macro"),
        "subset_accuracy": reference.accuracy_score(y_NK, said_NK),
        "hamming_loss": reference.hamming_loss(y_NK, said_NK),
    }
    assert {name: scores[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert expected["micro_f1"] > 0.7
    told = target.said(p_NK, threshold)
    assert told["answer"].to_list() == [";".join(np.array(target.classes)[row]) or "[]" for row in said_NK]
    assert {tag.tag: tag.rows for tag in record.tags} == dict(zip(target.classes, y_NK.sum(axis=0), strict=True))


def test_every_split_has_its_share_of_each_tag(once: Callable[[str], Workspace]) -> None:
    record = SplitRecord.read(once("tags").split / split.MANIFEST)

    shares = {name: {tag: rows / record.rows[name] for tag, rows in record.classes[name].items()} for name in SPLITS}

    assert shares["test"] == pytest.approx(shares["train"], abs=0.12)
    assert shares["val"] == pytest.approx(shares["train"], abs=0.12)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_watched(copied: Callable[[str], Workspace], kind: Any) -> None:
    workspace = copied(kind)

    alike, drifted = (monitor.watch(workspace, workspace.incoming / f"2024-0{month}.csv.gz") for month in (4, 5))

    assert alike.live is not None
    assert set(alike.live.champion) == set(metrics.OF[kind].each)
    assert alike.decision.evidence["metric"] == metrics.OF[kind].main
    assert alike.drift.prediction is not None and not alike.drift.prediction.drifted
    assert drifted.drift.prediction is not None and drifted.drift.prediction.drifted
    assert drifted.drift.label is not None and drifted.drift.label.drifted


@pytest.mark.parametrize(
    ("kind", "there"),
    [
        ("ordinal", ("Quadratic weighted kappa", "Confusion on test", "logistic regression")),
        ("quantiles", ("Answers and truth", "quantiles of train", "the interval", "should hold 90%")),
        ("tags", ("Each tag on test", "heavy", "mean average precision")),
    ],
)
def test_the_report_tells_them(
    copied: Callable[[str], Workspace], kind: Any, there: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = copied(kind)
    monitor.watch(workspace, workspace.incoming / "2024-04.csv.gz")

    page = report.write(workspace).read_text(encoding="utf-8")
    summary.show_models(workspace)
    summary.show_batches(workspace)
    summary.show_scores(workspace)

    assert [words for words in there if words not in page] == []
    assert metrics.OF[kind].main[:8] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("ordinal", [f"p: {speed}" for speed in SPEEDS]),
        ("quantiles", [f"q: {quantile}" for quantile in QUANTILES]),
        ("tags", ["p: far", "p: heavy", "p: slow"]),
    ],
)
def test_predictions_are_written_with_all_that_is_told(
    copied: Callable[[str], Workspace], tmp_path: Path, kind: str, columns: list[str]
) -> None:
    workspace, to = copied(kind), tmp_path / "told.csv"
    batch = workspace.incoming / "2024-04.csv.gz"

    assert cli.main(["-w", str(workspace.root), "predict", str(batch), "--to", str(to)]) == 0

    told = pl.read_csv(to)
    assert (told.height, told.columns[:3]) == (200, ["row_id", "order", "answer"])
    assert sorted(told.columns[3:-1]) == columns if kind == "tags" else told.columns[3:-1] == columns
    assert told["row_id"].to_list() == [f"2024-04.csv.gz#{row}" for row in range(200)]
    assert told["answer"].n_unique() > 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_for_dvc_are_written(once: Callable[[str], Workspace], kind: Any) -> None:
    workspace = once(kind)
    plots = {path.stem: artefacts.read_json(path) for path in workspace.plots.iterdir()}

    drawn = {"ordinal": {"roc", "precision_recall"}, "quantiles": {"predicted", "residuals"}, "tags": {"tags"}}
    assert set(plots) == drawn[kind]
    assert metrics.OF[kind].main in artefacts.read_json(workspace.metrics)["test"]


@pytest.mark.parametrize("kind", KINDS)
def test_twice_gives_the_same_bytes(copied: Callable[[str], Workspace], kind: Any) -> None:
    workspace = copied(kind)
    weights = (workspace.candidate / "weights.safetensors").read_bytes()

    import_module("pipeline.stages.train").run(workspace)

    assert (workspace.candidate / "weights.safetensors").read_bytes() == weights

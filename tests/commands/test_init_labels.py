"""New workspaces whose label has an order, or is a set of tags, and whose features are sets: made, run and judged."""

import logging
import random
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from pipeline import artefacts, cli, contract
from pipeline.cli import STAGES
from pipeline.commands import init
from pipeline.errors import DataError
from pipeline.features.preprocessor import Preprocessor
from pipeline.stages import gates, promote
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.promote import PromoteSettings
from pipeline.workspace import Workspace

GENRES = ["Drama", "Comedy", "Action", "Thriller", "Children"]
TASTE = {"Drama": 1.0, "Comedy": 0.5, "Action": -0.5, "Thriller": -1.0, "Children": 0.0}
GRADES = ("poor", "fair", "good")


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """600 films: genres, which say how they were liked, and moods, which follow from genres and length."""
    drawn = random.Random(1)
    lines = []
    for _ in range(600):
        genres = drawn.sample(GENRES, drawn.choice([1, 2, 3]))
        minutes = drawn.randint(60, 200)
        liked = sum(TASTE[genre] for genre in genres) + drawn.gauss(0, 0.3)
        moods = [
            name for name, has in (("sad", "Drama" in genres), ("long", minutes > 130), ("loud", liked < 0)) if has
        ]
        grade = GRADES[0 if liked < -0.4 else 1 if liked < 0.6 else 2]
        lines.append(("|".join(genres), minutes, grade, ";".join(moods) or "none", 1 + GRADES.index(grade)))
    path = tmp_path / "films.csv"
    pl.DataFrame(lines, schema=["genres", "minutes", "grade", "moods", "stars"], orient="row").write_csv(path)
    return path


def run(made: Workspace) -> Evaluation:
    made.params_file.write_text(made.params_file.read_text().replace("commit: true", "commit: false"))
    made = Workspace.open(made.root)
    for stage in STAGES:
        import_module(f"pipeline.stages.{stage}").run(made)
    return Evaluation.read(made.evaluation)


def require_plots(made: Workspace) -> None:
    plots = yaml.safe_load((made.root / "dvc.yaml").read_text())["plots"]
    drawn = {path: axes for plot in plots for one in plot.values() for path, axes in one["y"].items()}
    for path, axes in drawn.items():
        assert (made.root / path).is_file(), path
        if path.endswith(".json"):
            (points,) = artefacts.read_json(made.root / path).values()
            assert axes in points[0]


@pytest.mark.parametrize(("label", "order"), [("grade", GRADES), ("stars", ())])
def test_an_order_makes_a_label_of_ranks(films: Path, tmp_path: Path, label: str, order: tuple[str, ...]) -> None:
    rows = pl.read_csv(films).drop("moods", "stars" if label == "grade" else "grade")
    rows.write_csv(films)
    made = init.initialise(tmp_path / "new", films, roles={label: "label"}, order=order)
    column = contract.load(made.contract_file).label

    record = run(made)

    assert (column.label_kind, column.order) == ("ordinal", order)
    assert made.params["promote"]["metric"] == "quadratic_weighted_kappa"
    assert record.classes == [*(order or "123")]
    assert gates.passed(promote.judged(made, record, made.section(PromoteSettings)))
    require_plots(made)


def test_sets_are_features_and_tell_the_label(films: Path, tmp_path: Path) -> None:
    pl.read_csv(films).drop("moods", "stars").write_csv(films)
    made = init.initialise(tmp_path / "new", films, roles={"grade": "label"})

    record = run(made)

    genres = contract.load(made.contract_file).column("genres")
    fitted = Preprocessor.read(made.candidate)
    assert (genres.modality, genres.format) == ("set", "|")
    assert made.params["normalize"]["set"] == {"minimum_count": 2}
    assert {f"genres: {genre}" for genre in GENRES} < set(fitted.dense_outputs)
    assert record.scores["candidate"]["test"]["auc"].value > 0.85
    watched = artefacts.read_json(made.candidate / "reference.json")["columns"]
    assert {"genres: tags", "genres: how common"} < set(watched) and "genres" not in watched


def test_a_label_of_tags_is_told_tag_by_tag(films: Path, tmp_path: Path) -> None:
    pl.read_csv(films).drop("grade", "stars").write_csv(films)
    made = init.initialise(tmp_path / "new", films, roles={"moods": "label"})

    record = run(made)

    label = contract.load(made.contract_file).label
    assert (label.label_kind, label.format) == ("tags", ";")
    assert made.params["promote"]["metric"] == "mean_average_precision"
    assert set(record.classes) == {"sad", "long", "loud", "none"}
    assert gates.passed(promote.judged(made, record, made.section(PromoteSettings)))
    require_plots(made)


def test_rows_without_a_tag_are_kept_where_the_contract_says_that_an_empty_cell_is_none(
    films: Path, tmp_path: Path
) -> None:
    rows = pl.read_csv(films).drop("grade", "stars").with_columns(pl.col("moods").replace("none", ""))
    rows.write_csv(films)
    made = init.initialise(tmp_path / "new", films, roles={"moods": "label"})
    text = made.contract_file.read_text()
    made.contract_file.write_text(text.replace('"format": ";"', '"format": ";", "empty": "no tags"'))

    record = run(made)

    bare = (rows["moods"] == "").sum()
    ledger = artefacts.read_json(made.ledger)
    assert bare > 0 and (ledger["rows_in"], ledger["kept"]) == (rows.height, rows.height)
    assert set(record.classes) == {"sad", "long", "loud"}
    known = pl.read_parquet(sorted(made.clean.glob("*.parquet")))["moods"]
    assert (known == "[]").sum() == bare


@pytest.mark.parametrize(
    ("order", "said"),
    [((), "is text, and has no order of its own"), (("poor", "good"), "has 3 different values, and the order names 2")],
)
def test_an_order_that_cannot_be_is_told(films: Path, tmp_path: Path, order: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        init.initialise(tmp_path / "new", films, roles={"grade": "label"}, order=order)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("stars", "order", "told"),
    [
        (range(1, 6), None, 1),
        (range(11), None, 1),
        (range(1, 6), (), 0),
        (range(2), None, 0),
        (range(3, 9), None, 0),
        ((1, 2, 4, 5), None, 0),
        (range(12), None, 0),
        (("one", "two", "three"), None, 0),
    ],
)
def test_classes_that_look_like_ranks_are_told_once_where_no_order_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stars: Sequence[Any], order: Sequence[str] | None, told: int
) -> None:
    rows = [(str(stars[place % len(stars)]), place % 7) for place in range(300)]
    pl.DataFrame(rows, schema=["stars", "n"], orient="row").write_csv(tmp_path / "stars.csv")

    with caplog.at_level(logging.INFO, logger="pipeline.commands.init"):
        init.initialise(tmp_path / "new", tmp_path / "stars.csv", roles={"stars": "label"}, order=order)

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == told
    assert all(line.startswith(f"stars: {stars[0]} to {stars[-1]} look like ranks, ") for line in said)


def test_a_missing_label_is_no_class_that_an_order_must_name(tmp_path: Path) -> None:
    rows = [(str(place % 5 + 1) if place % 20 else "", place % 7) for place in range(200)]
    pl.DataFrame(rows, schema=["stars", "n"], orient="row").write_csv(tmp_path / "stars.csv")

    made = init.initialise(
        tmp_path / "new", tmp_path / "stars.csv", roles={"stars": "label"}, order=("1", "2", "3", "4", "5")
    )

    assert contract.load(made.contract_file).label.order == ("1", "2", "3", "4", "5")


def test_a_class_that_the_order_does_not_name_is_told_before_training(films: Path, tmp_path: Path) -> None:
    made = init.initialise(tmp_path / "new", films, roles={"grade": "label"}, order=("poor", "fair", "great"))

    with pytest.raises(DataError, match=r"grade has good, which its order does not name"):
        run(made)


@pytest.mark.parametrize(
    ("given", "order"), [([], None), (["--order"], ()), (["--order", "poor, fair,good"], ("poor", "fair", "good"))]
)
def test_the_order_is_given_from_the_lowest(given: list[str], order: Any) -> None:
    chosen = cli.parser().parse_args(["init", "new", "--data", "x.csv", "--label", "y", *given])

    assert chosen.order == order

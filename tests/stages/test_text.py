"""A table with text goes the whole way: learnt, predicted, and watched by numbers that are made of the texts."""

import random
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipeline import monitor
from pipeline.artefacts import read_tensors
from pipeline.commands import init
from pipeline.predictor import Predictor
from pipeline.profile import Profile
from pipeline.stages import clean, evaluate, ingest, normalize, split, train, validate
from pipeline.versions import registry
from pipeline.workspace import Workspace

ROWS = 300
PRAISE, BLAME = ("lovely", "splendid", "warm and quick"), ("dreadful", "cold", "late and broken")
SUBJECTS = ("the soup", "our table", "a letter", "the train", "that film", "her garden")


def reviews(seed: int) -> pl.DataFrame:
    chance = random.Random(seed)
    lines = []
    for place in range(ROWS):
        kind = place % 2
        said = f"{chance.choice(SUBJECTS)} number {chance.randint(1, 999)} was {chance.choice((BLAME, PRAISE)[kind])}"
        lines.append({"review": said, "price": round(chance.uniform(1, 90), 2), "liked": ("no", "yes")[kind]})
    return pl.DataFrame(lines)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("reviews")
    reviews(0).write_csv(folder / "reviews.csv")
    made = init.initialise(folder / "w", folder / "reviews.csv", roles={"liked": "label"})
    params = yaml.safe_load(made.params_file.read_text())
    params["train"] |= {"model": "linear", "epochs": 12, "accelerator": "cpu", "optimizer": {"learning_rate": 0.01}}
    made.params_file.write_text(yaml.safe_dump(params))
    made = Workspace.open(made.root)
    for stage in (ingest, validate, clean, split, normalize, train, evaluate):
        stage.run(made)
    registry.point(made, registry.register(made))
    return made


def test_the_model_tells_by_the_words(learnt: Workspace) -> None:
    model = Predictor.load(learnt.candidate)
    asked = pl.DataFrame(
        {"review": ["the film was lovely", "the film was dreadful", None], "price": [20.0, 20.0, None]}
    )

    liked, disliked, unknown = model.answers(asked)[:, 1]

    assert liked > 0.8
    assert disliked < 0.2
    assert disliked < unknown < liked


def test_the_tensors_hold_tokens_of_the_training_rows(learnt: Workspace) -> None:
    tensors = read_tensors(learnt.normalized / "train.safetensors")

    assert tensors["text:review"].dtype == "int32"
    assert len(tensors["text:review"]) == len(tensors["label"])


def test_the_reference_holds_numbers_in_place_of_the_texts(learnt: Workspace) -> None:
    reference = Profile.read(learnt.preprocessor / "reference.json")

    assert set(reference.columns) == {"review: letters", "review: letters a token", "price", "liked"}


@pytest.mark.parametrize(
    ("name", "change", "drifted"),
    [
        ("alike", pl.col("review"), set()),
        ("long", pl.col("review").repeat_by(4).list.join(" "), {"review: letters"}),
        ("strange", pl.col("review").str.replace_many(list("aeiou"), list("zqxjk")), {"review: letters a token"}),
    ],
)
def test_texts_of_another_kind_drift(
    learnt: Workspace, name: str, change: pl.Expr, drifted: set[str], tmp_path: Path
) -> None:
    batch = tmp_path / f"{name}.csv"
    reviews(1).with_columns(change).write_csv(batch)

    record = monitor.watch(learnt, batch)

    found = {column.column for column in record.drift.columns if column.drifted}
    assert drifted <= found
    assert bool(drifted) == bool(found)

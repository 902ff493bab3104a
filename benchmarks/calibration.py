"""What temperature scaling does to probabilities: calibration error and log loss on test, before and after.

Tables of KEEL (as in benchmarks.imbalance) and the digits of scikit-learn: a fifth of train is val, by which training
stops and the temperature is settled; test takes no part. `long` trains on to the end and keeps the epoch with the best
AUC, however sure it is; `noisy` does so where a fifth of the labels, in all three parts, are drawn by lot. `by chance`
is the calibration error that 95% of right probabilities would have at most on so many rows. `fitted`: what the
temperature that was fitted would do, kept or not.

python -m benchmarks.calibration                                     some minutes on 2 cores
python -m benchmarks.calibration --sets digits --seeds 1 --epochs 10
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks import imbalance
from benchmarks.imbalance import Tensors, tensors
from pipeline.features.target import Classes
from pipeline.judgement.calibration import reliability, told
from pipeline.judgement.loss import losses
from pipeline.models import network, settling
from pipeline.models.backbones import TableShape
from pipeline.models.network import NetworkShape
from pipeline.stages import train
from pipeline.stages.train import TrainSettings

SETS = ("digits", "page-blocks0", "segment0", "vehicle1", "yeast1", "winequality-red-4")
PATIENCE = {"stopped": 10, "long": 1000, "noisy": 1000}
NOISE = 0.2  # of the labels
HEAD = (
    "table",
    "training",
    "temperature: kept, mean fitted",
    "calibration error → kept, fitted (by chance)",
    "log loss → kept, fitted",
)


def parts(name: str) -> Iterator[dict[str, Tensors]]:
    """Train, val and test."""
    if name != "digits":
        yield from imbalance.parts(name)
        return
    x, y = load_digits(return_X_y=True)
    x_rest, x_test, y_rest, y_test = train_test_split(x / 16, y, test_size=0.4, stratify=y, random_state=0)
    x_fit, x_val, y_fit, y_val = train_test_split(x_rest, y_rest, test_size=0.2, stratify=y_rest, random_state=0)
    yield {"train": tensors(x_fit, y_fit), "val": tensors(x_val, y_val), "test": tensors(x_test, y_test)}


def spoilt(of: dict[str, Tensors], seed: int) -> dict[str, Tensors]:
    """The same with some labels drawn by lot from all labels of their part."""
    random = np.random.default_rng(seed)

    def drawn(label_N: np.ndarray) -> np.ndarray:
        return np.where(random.random(len(label_N)) < NOISE, random.permutation(label_N), label_N)

    return {part: {**tensors, "label": drawn(tensors["label"])} for part, tensors in of.items()}


def measured(of: dict[str, Tensors], kind: str, seed: int, epochs: int) -> list[float]:
    """Temperature kept, fitted; calibration error before, after, fitted, by chance; log loss before, after, fitted."""
    of = spoilt(of, seed) if kind == "noisy" else of
    chosen = {"epochs": epochs, "patience": PATIENCE[kind], "batch_size": 64, "accelerator": "cpu"}
    settings = TrainSettings.model_validate(chosen)
    classes = int(max(part["label"].max() for part in of.values())) + 1
    plain = Classes(column="y", classes=[str(k) for k in range(classes)])
    table = TableShape(dense=of["train"]["dense"].shape[1], cardinalities=[], outputs=classes)
    shape = NetworkShape(table=table, backbone="mlp", settings=settings.mlp.model_dump(mode="json"))
    with TemporaryDirectory() as folder:
        curves = Path(folder) / "curves"
        kept = train.fit({n: of[n] for n in ("train", "val")}, shape, plain, settings, seed=seed, curves=curves)
        target, tried = settling.settled(kept, of["val"], plain, tempered=True)
    assert isinstance(target, Classes) and tried is not None
    anyway = plain.model_copy(update={"temperature": tried.fitted})
    made, y_N = kept.network(), of["test"]["label"]
    answers = [network.answers(made, network.tensors(of["test"]), each) for each in (plain, target, anyway)]
    errors = [reliability("", *told(plain, y_N, a_NK), seed) for a_NK in answers]
    nats = [float(losses(plain, y_N, a_NK).mean()) for a_NK in answers]
    return [target.temperature, tried.fitted, *(one.ece for one in errors), errors[1].chance, *nats]


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--sets", nargs="+", default=SETS)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--epochs", type=int, default=60)
    asked = arguments.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for name in asked.sets:
        for kind in PATIENCE:
            found = np.array([
                measured(part, kind, seed, asked.epochs) for part in parts(name) for seed in range(asked.seeds)
            ])  # fmt: skip
            print(row(name, kind, found), flush=True)


def row(name: str, kind: str, found: np.ndarray) -> str:
    """A line of the table; `found` (trainings, 9)."""
    kept = int((found[:, 0] != 1).sum())
    _, warm, before, after, anyway, chance, loss, less, least = found.mean(axis=0)
    cells = [
        name,
        kind,
        f"{kept} of {len(found)}, {warm:.2f}",
        f"{before:.4f} → {after:.4f}, {anyway:.4f} ({chance:.4f})",
        f"{loss:.4f} → {less:.4f}, {least:.4f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

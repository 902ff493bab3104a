"""What is told of trainings that were broken on purpose, word by word, beside their healthy twins; a Markdown table.

    python -m benchmarks.health [--only NAME ...] [--cost]

Each run breaks one thing: a setting, the weights at the start, a step on the way, or the rows. Its twin is the same
training without that.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import KeepfitError
from pipeline.features.target import Classes
from pipeline.models.choices.health import SymptomName

if TYPE_CHECKING:
    from pipeline.models.health.symptom import Symptom
    from pipeline.models.module import KeepBest, Learner

COLUMNS, ROWS, VAL_ROWS = 6, 2048, 1024
BATCH, EPOCHS = 32, 4
JUMP_STEP = 150
Parts = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training: its settings, its rows, and what is done to it before the first step."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    rows: int = ROWS
    val_rows: int = VAL_ROWS
    noise: bool = False
    change: "Callable[[Learner], None] | None" = None
    scale: float = 1.0


def parts(run: Run) -> Parts:
    """Train and val of two classes: a line and a product tell most of the label, or nothing does."""
    random = np.random.default_rng(0)
    rows = run.rows + run.val_rows
    value_ND = random.normal(size=(rows, COLUMNS)).astype(np.float32)
    told_N = value_ND[:, 0] + value_ND[:, 1] * value_ND[:, 2] + 0.5 * random.normal(size=rows)
    label_N = (told_N > 0).astype(np.int64)
    if run.noise:
        random.shuffle(label_N)
    with np.errstate(over="ignore"):
        value_ND[:, -1] *= np.float32(run.scale)
    codes_NC = np.zeros((rows, 0), np.int64)
    cut = {"train": slice(None, run.rows), "val": slice(run.rows, None)}
    return {n: {"dense": value_ND[s], "codes": codes_NC[s], "label": label_N[s]} for n, s in cut.items()}


def trained(run: Run) -> "KeepBest":
    """Train, with what the run has other than the usual."""
    from pipeline.models.backbones import TableShape
    from pipeline.models.network import NetworkShape
    from pipeline.stages import train
    from pipeline.stages.train import TrainSettings

    usual: dict[str, Any] = {
        "mlp": {"hidden": [32, 32], "dropout": 0.0, "embedding": "none"},
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "accelerator": "cpu",
        "optimizer": {"learning_rate": 3e-3},
    }
    settings = TrainSettings.model_validate(usual | dict(run.settings))
    shape = NetworkShape(
        table=TableShape(dense=COLUMNS, cardinalities=[], outputs=2),
        backbone="mlp",
        settings=settings.mlp.model_dump(mode="json"),
    )
    target = Classes(column="y", classes=["no", "yes"])
    names = [f"x{place}" for place in range(COLUMNS)]

    def prepare(learner: "Learner", _: "KeepBest") -> None:
        if run.change is not None:
            run.change(learner)

    with TemporaryDirectory() as folder:
        curves = Path(folder) / "curves"
        return train.fit(parts(run), shape, target, settings, seed=0, curves=curves, names=names, watch=prepare)


def symptoms(run: Run) -> "list[Symptom]":
    """What is told of it when it is over."""
    kept = trained(run)
    assert kept.checkup is not None
    return kept.checkup.symptoms(kept.history, over=True)


def zeroed(learner: "Learner") -> None:
    """All weights 0."""
    import torch

    with torch.no_grad():
        for weight in learner.network.parameters():
            weight.zero_()


def drowned(learner: "Learner") -> None:
    """Biases of hidden layers far below 0: no ReLU is ever on."""
    import torch

    with torch.no_grad():
        for name, weight in learner.network.named_parameters():
            if name.endswith("bias"):
                weight.fill_(-1e3)


def scaled(factor: float) -> "Callable[[Learner], None]":
    """All weights times the factor."""

    def change(learner: "Learner") -> None:
        import torch

        with torch.no_grad():
            for weight in learner.network.parameters():
                weight.mul_(factor)

    return change


def jolted(learner: "Learner") -> None:
    """In the middle of the training all weights are turned round once."""
    import torch

    def after_step() -> None:
        if learner.steps_done == JUMP_STEP:
            with torch.no_grad():
                for group in learner.flat.groups:
                    group.value_P.mul_(-3.0)

    learner.after_step = after_step


DEEP = {"hidden": [16] * 10, "dropout": 0.0, "activation": "sigmoid", "embedding": "none"}
SIGMOIDS = {"hidden": [32, 32], "dropout": 0.0, "activation": "sigmoid", "embedding": "none"}
WIDE = {"hidden": [256, 256], "dropout": 0.0, "embedding": "none"}
LONG = {
    "epochs": 60,
    "patience": 60,
    "batch_size": 256,
    "schedule": "cosine",
    "mlp": {"hidden": [16], "dropout": 0.0, "embedding": "none"},
}
BROKEN: Mapping[str, tuple[SymptomName, Run, Run]] = {
    "weights a thousand times too large": ("diverged", Run(change=scaled(1e3)), Run()),
    "weights a hundred times too large": ("exploding_gradients", Run(change=scaled(100.0)), Run()),
    "ten layers of sigmoids": ("vanishing_gradients", Run(settings={"mlp": DEEP}), Run(settings={"mlp": SIGMOIDS})),
    "all weights 0": ("vanishing_gradients", Run(change=zeroed), Run()),
    "biases of -1000 before ReLU": ("dead_units", Run(change=drowned), Run()),
    "sigmoids scaled by 1000": (
        "saturated_units",
        Run(settings={"mlp": SIGMOIDS}, change=scaled(1e3)),
        Run(settings={"mlp": SIGMOIDS}),
    ),
    "a learning rate of 1e-9": ("tiny_updates", Run(settings={"optimizer": {"learning_rate": 1e-9}}), Run()),
    "weights turned round at step 150": (
        "loss_spikes",
        Run(settings={"batch_size": 8, "epochs": 2}, change=jolted),
        Run(settings={"batch_size": 8, "epochs": 2}),
    ),
    "60 epochs where 20 do": (
        "plateau",
        Run(settings=LONG | {"health": {"plateau_epochs": 20}}),
        Run(settings=LONG | {"epochs": 20}),
    ),
    "shuffled labels": (
        "underfit",
        Run(noise=True, settings={"mlp": {"hidden": [4], "dropout": 0.0, "embedding": "none"}}),
        Run(),
    ),
    "noise known by heart": (
        "overfit",
        Run(rows=128, noise=True, settings={"mlp": WIDE, "epochs": 30, "patience": 30}),
        Run(rows=4096, settings={"mlp": WIDE}),
    ),
    "20 rows for 100,000 weights": (
        "few_rows",
        Run(rows=20, settings={"mlp": {"hidden": [310, 310], "dropout": 0.0, "embedding": "none"}}),
        Run(),
    ),
    "12 rows of val": ("small_val", Run(val_rows=12), Run()),
}
ENDLESS, FAR = Run(settings={"optimizer": {"learning_rate": 1e6}}), Run(scale=3e38)


def cells(run: Run) -> str:
    """What is told of a run, in the cell of a table."""
    try:
        told = [line.strip() for symptom in symptoms(run) for line in symptom.lines()]
    except KeepfitError as error:
        return str(error)
    return "<br>".join(told) or "nothing"


def cost(rows: int, batch: int, epochs: int) -> str:
    """What watching takes of a training's CPU time, by its own clock around all that is done for it."""
    from pipeline.models.health import attendance, checkup, vitals
    from pipeline.models.module import Learner

    spent: dict[str, float] = {}

    def timed(owner: Any, name: str) -> None:
        inner = getattr(owner, name)

        def outer(*args: Any, **others: Any) -> Any:
            began = time.thread_time()
            found = inner(*args, **others)
            spent[name] = spent.get(name, 0.0) + time.thread_time() - began
            return found

        patches.append((owner, name, inner))
        setattr(owner, name, outer)

    patches: list[tuple[Any, str, Any]] = []
    for owner, name in (
        (Learner, "pulse"),
        (checkup.Checkup, "symptoms"),
        (vitals, "answered"),
        (vitals.Vitals, "listen"),
        (vitals.Vitals, "_by_layer"),
        (attendance, "facts"),
    ):
        timed(owner, name)
    trained(Run(settings={"epochs": 1}))  # what is imported then is not counted
    spent.clear()
    began = time.process_time()
    wide = {"hidden": [256, 256], "dropout": 0.0, "embedding": "none"}
    try:
        trained(Run(rows=rows, settings={"batch_size": batch, "epochs": epochs, "patience": epochs, "mlp": wide}))
    finally:
        for owner, name, inner in patches:
            setattr(owner, name, inner)
    whole = time.process_time() - began
    once, each = spent.pop("facts"), {name: seconds / whole for name, seconds in spent.items()}
    told = ", ".join(f"{name} {share:.2%}" for name, share in each.items())
    return (
        f"{rows:,} rows in batches of {batch}, {epochs} epochs: {whole:.1f} s of CPU time, of it "
        f"{sum(each.values()):.2%} for watching ({told}), and {once:.2f} s once before"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cost", action="store_true", help="only what watching costs")
    parser.add_argument("--only", nargs="*", default=list(BROKEN))
    asked = parser.parse_args()
    if asked.cost:
        for rows, batch, epochs in ((1_000, 32, 20), (20_000, 256, 5), (200_000, 1024, 3)):
            print(cost(rows, batch, epochs), flush=True)
        return
    print("| what was broken | what is told | of its twin |\n|---|---|---|")
    for name in asked.only:
        _, broken, twin = BROKEN[name]
        print(f"| {name} | {cells(broken)} | {cells(twin)} |", flush=True)
    print(f"| a learning rate of 1e6 | {cells(ENDLESS)} | {cells(Run())} |")
    print(f"| a column of values near the largest there is | {cells(FAR)} | {cells(Run())} |")


if __name__ == "__main__":
    main()

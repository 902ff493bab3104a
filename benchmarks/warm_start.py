"""A training that starts from the model before, beside one that starts fresh: val after each epoch, on flights.

The model before is trained on the months up to March; then April comes, and both are trained on all four. The split is
by time, so that no row of val was in the train of the model before.
"""

import argparse
import shutil
import tempfile
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import yaml

from pipeline.models import saved
from pipeline.models.history import History
from pipeline.versions import registry
from pipeline.workspace import Workspace

ROOT = Path(__file__).parents[1]
BEFORE, LATER = ("2013-01", "2013-02", "2013-03"), ("2013-04",)
PREPARING = ("ingest", "validate", "clean", "split", "normalize")
EPOCHS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    with tempfile.TemporaryDirectory() as scratch:
        print(table(Path(scratch), parser.parse_args().seeds))


def table(folder: Path, seeds: int) -> str:
    """A Markdown table: mean and deviation over seeds of AUC on val, and CPU seconds."""
    made: dict[str, list[np.ndarray]] = {"fresh": [], "from the model before": []}
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for seed in range(seeds):
        workspace = prepared(folder / str(seed), seed)
        trained(workspace)
        import_module("pipeline.stages.evaluate").run(workspace)
        registry.register(workspace)
        take(workspace, LATER)
        run(workspace, PREPARING)
        for name, model in zip(made, (None, "v1"), strict=True):
            scores, took = trained(written(workspace.root, seed, init_from=model))
            made[name].append(scores)
            seconds[name].append(took)
    shown = (1, 2, 4, 8, EPOCHS)
    lines = [f"| start | {' | '.join(f'epoch {epoch}' for epoch in shown)} | CPU seconds |", "|---" * 7 + "|"]
    for name, found in made.items():
        at = [np.array([scores[epoch - 1] for scores in found]) for epoch in shown]
        cells = [f"{value.mean():.4f} ± {value.std():.4f}" for value in at]
        lines.append(f"| {name} | {' | '.join(cells)} | {np.mean(seconds[name]):.0f} |")
    return "\n".join(lines)


def prepared(folder: Path, seed: int) -> Workspace:
    """A workspace of the months before, up to its tensors; of the checks none is asked."""
    folder.mkdir()
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / "models").mkdir()
    registry.Champion().write(folder / "models" / "champion.json")
    workspace = written(folder, seed)
    take(workspace, BEFORE)
    run(workspace, PREPARING)
    return workspace


def written(folder: Path, seed: int, init_from: str | None = None) -> Workspace:
    """The workspace with the settings of this repository, but for the length of a training and its start."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["checks"] = {"batch_expectations": "warn"}
    params["seed"] = seed
    params["train"] |= {"epochs": EPOCHS, "patience": EPOCHS, "init_from": init_from}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return Workspace.open(folder)


def take(workspace: Workspace, months: tuple[str, ...]) -> None:
    workspace.raw.mkdir(parents=True, exist_ok=True)
    for month in months:
        shutil.copy(ROOT / "data" / "raw" / "flights" / f"{month}.csv.gz", workspace.raw)


def run(workspace: Workspace, stages: tuple[str, ...]) -> None:
    for stage in stages:
        import_module(f"pipeline.stages.{stage}").run(workspace)


def trained(workspace: Workspace) -> tuple[np.ndarray, float]:
    """(E,) AUC on val after each epoch, and CPU seconds."""
    began = time.process_time()
    run(workspace, ("train",))
    took = time.process_time() - began
    history = History.read(workspace.candidate / saved.HISTORY)
    return np.array([epoch["val_auc"] for epoch in history.epochs]), took


if __name__ == "__main__":
    main()

"""Is a candidate judged rightly? Parts, each with a truth that was planted.

`slices`: the labels of one carrier are shuffled among its flights, in train, val and test alike, so that nothing can be
told of them; is that slice the first of those that are found? The months of this repository, split at random.

    python -m benchmarks.judgement slices --carriers MQ US B6
"""

import argparse
import shutil
import tempfile
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from pipeline import artefacts
from pipeline.judgement.record import Diagnosis
from pipeline.judgement.slices import Slices
from pipeline.stages.split import SPLITS
from pipeline.versions import registry
from pipeline.workspace import Workspace

ROOT = Path(__file__).parents[1]
CARRIERS = ("MQ", "US", "B6")
EPOCHS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    planted = parts.add_parser("slices", help="a planted bad slice")
    planted.add_argument("--carriers", nargs="*", default=CARRIERS)
    planted.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(slices_table(Path(scratch), chosen.carriers, chosen.seed))


def slices_table(folder: Path, carriers: tuple[str, ...], seed: int) -> str:
    """A Markdown table: a row for the data as they are, and one for each carrier whose labels are shuffled."""
    split = prepared(folder / "split", seed)
    lines = ["| shuffled | found first | rows of test | AUC there | elsewhere | p | its place |", "|---" * 7 + "|"]
    for carrier in (None, *carriers):
        workspace = shuffled(split, folder / str(carrier), carrier, seed)
        run(workspace, ("normalize", "train", "evaluate"))
        found = Diagnosis.read(workspace.diagnosis).slices
        assert found is not None
        lines.append(slices_row(found, carrier))
        shutil.rmtree(workspace.root)
    return "\n".join(lines)


def slices_row(found: Slices, carrier: str | None) -> str:
    """What is said first, and the place of the planted slice among all that is said."""
    named = [one.words for one in found.weak]
    place = str(named.index(f"carrier {carrier}") + 1) if f"carrier {carrier}" in named else "not found"
    end = f"{place if carrier else 'none planted'}, of {len(named)} |"
    if not found.weak:
        return f"| {carrier or 'none'} | nothing | | | | | {end}"
    one = found.weak[0]
    cells = [carrier or "none", one.words, f"{one.rows:,}", f"{one.score:.3f}", f"{one.score_elsewhere:.3f}"]
    return f"| {' | '.join(cells)} | {one.p:.1g} | {end}"


def shuffled(source: Workspace, folder: Path, carrier: str | None, seed: int) -> Workspace:
    """The workspace once more; in each split the carrier's labels are exchanged among its rows."""
    shutil.copytree(source.root, folder)
    random = np.random.default_rng(seed)
    for name in SPLITS:
        path = folder / "data" / "split" / f"{name}.parquet"
        rows = pl.read_parquet(path)
        places = np.flatnonzero((rows["carrier"] == carrier).to_numpy()) if carrier else np.zeros(0, dtype=np.int64)
        order = np.arange(rows.height)
        order[places] = random.permutation(places)
        artefacts.write_parquet(path, rows.with_columns(late=rows["late"].gather(order)).lazy())
    return Workspace.open(folder)


def prepared(folder: Path, seed: int) -> Workspace:
    """A workspace of this repository's months, up to the split, which is random; of the checks none is asked."""
    folder.mkdir()
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    shutil.copytree(ROOT / "data" / "raw", folder / "data" / "raw")
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / "models").mkdir()
    registry.Champion().write(folder / "models" / "champion.json")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params |= {"checks": {"batch_expectations": "warn"}, "seed": seed, "split": {"method": "random"}}
    params["train"] |= {"epochs": EPOCHS, "patience": EPOCHS}
    params["evaluate"] |= {"steadiness": False, "importance": False, "speed": False}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    workspace = Workspace.open(folder)
    run(workspace, ("ingest", "validate", "clean", "split"))
    return workspace


def run(workspace: Workspace, stages: tuple[str, ...]) -> None:
    for stage in stages:
        import_module(f"pipeline.stages.{stage}").run(workspace)


if __name__ == "__main__":
    main()

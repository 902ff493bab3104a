"""Is a candidate judged rightly? Flights of January to May, judged by the ten days of test, and by June to December.

chance   the champion trained again with another seed: promoted in at most 5% of the tries
more     trained on a fifth more rows, or on five times as many: promoted, unless months to come say that it is worse
worse    as many new rows, whose labels are drawn by lot: not promoted
leak     a champion that reads `dep_delay`, which nobody knows in time, and a candidate without: promoted

Each is trained and evaluated as `keepfit run` does it and asked by the gates of params.yaml; the months to come take no
part in that. `true` is the difference in AUC on them.

python -m benchmarks.promotion                                        as params.yaml has it: some hours on 2 cores
python -m benchmarks.promotion --tries 40 --share 0.2 --epochs 2      a fifth of the rows, by a small network: minutes
python -m benchmarks.promotion --cases leak --tries 1
"""

import argparse
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import yaml

from benchmarks.june import auc
from pipeline import artefacts, contract
from pipeline.contract import ROW_ID
from pipeline.policy import window
from pipeline.predictor import Predictor
from pipeline.stages import clean, evaluate, gates, ingest, normalize, promote, split, train, validate
from pipeline.stages.gates import Gate
from pipeline.stages.promote import PromoteSettings
from pipeline.stages.split import SPLITS, SplitRecord
from pipeline.versions import registry
from pipeline.workspace import Workspace

ROOT = Path(__file__).parents[1]
LEAK = "dep_delay"
HEAD = ("case", "tries", "promoted", "called better, worse", "on test", "true: mean, least, most", "gates that said no")
LATER_ROWS = 20_000  # of each month to come
ASIDE = dict.fromkeys(("steadiness", "importance", "speed", "weak_slices"), False)  # what no gate of these asks for


@dataclass(frozen=True, kw_only=True)
class Try:
    """One candidate: its gates, by how much it is better on test, and on the months to come."""

    asked: list[Gate]
    word: str
    seen: float
    true: float

    @property
    def promoted(self) -> bool:
        return gates.passed(self.asked)


def prepared(folder: Path, share: float, epochs: int | None) -> Workspace:
    """A workspace of this repository's months up to its tensors, with a share of the rows of each, drawn by lot."""
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    shutil.copy(ROOT / "dvc.yaml", folder)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params |= {"checks": {**params["checks"], "batch_expectations": "warn"}}
    params["evaluate"] = {**params["evaluate"], **ASIDE}
    if epochs is not None:
        small = {"mlp": {"hidden": [32], "dropout": 0.0, "embedding": "none"}, "epochs": epochs, "batch_size": 512}
        params["train"] |= small
        params["promote"]["baseline"] = "majority"  # so small a network need not beat a linear model
    artefacts.write_text(folder / "params.yaml", yaml.safe_dump(params, sort_keys=False))
    workspace = Workspace.open(folder)
    for path in sorted((ROOT / "data" / "raw" / workspace.dataset).glob("*.gz")):
        rows = pl.read_csv(path, infer_schema=False).sample(fraction=share, seed=0, shuffle=False)
        artefacts.write_text(workspace.raw / path.name.removesuffix(".gz"), rows.write_csv())
    registry.ensure_pointer(workspace)
    window.ensure(workspace)
    for stage in (ingest, validate, clean, split, normalize):
        stage.run(workspace)
    return workspace


def _settle(workspace: Workspace, params: dict[str, object]) -> Workspace:
    artefacts.write_text(workspace.params_file, yaml.safe_dump(params, sort_keys=False))
    return Workspace.open(workspace.root)


def with_rows(workspace: Workspace, parts: dict[split.SplitName, pl.DataFrame]) -> Workspace:
    """The workspace with these splits, and tensors of them."""
    for name, rows in parts.items():
        artefacts.write_parquet(workspace.split / f"{name}.parquet", rows.lazy())
    agreed = contract.load(workspace.contract_file)
    found: SplitRecord = split.described({name: rows.lazy() for name, rows in parts.items()}, agreed)
    found.write(workspace.split / split.MANIFEST)
    normalize.run(workspace)
    return workspace


def seeded(workspace: Workspace, seed: int) -> Workspace:
    """The same with another seed."""
    return _settle(workspace, {**workspace.params, "seed": seed})


def crowned(workspace: Workspace) -> None:
    """Train a champion, whatever the gates say."""
    for path in (workspace.registry, workspace.champion, workspace.promotions):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    registry.ensure_pointer(workspace)
    train.run(workspace)
    evaluate.run(workspace)
    registry.point(workspace, registry.register(workspace))


def tried(workspace: Workspace, later: pl.DataFrame) -> Try:
    """Train a candidate and ask the gates; nothing is promoted."""
    train.run(workspace)
    found = evaluate.run(workspace)
    champion = registry.champion_folder(workspace)
    assert champion is not None
    own, other = (_auc(folder, later) for folder in (workspace.candidate, champion))
    verdict = next(one for one in found.verdicts if one.model == "champion")
    asked = promote.judged(workspace, found, workspace.section(PromoteSettings))
    return Try(asked=asked, word=verdict.word, seen=verdict.difference, true=own - other)


def _auc(folder: Path, rows: pl.DataFrame) -> float:
    return auc(rows["late"].cast(pl.Int64).to_numpy(), Predictor.load(folder).answers(rows))


def to_come(workspace: Workspace) -> pl.DataFrame:
    """Labelled rows of June to December."""
    agreed, settings = contract.load(workspace.contract_file), workspace.section(ingest.IngestSettings)
    files = sorted((ROOT / "data" / "incoming" / workspace.dataset).glob("*.gz"))
    months = (ingest.read(path, path.name, settings, agreed).typed.drop_nulls("late") for path in files)
    return pl.concat([rows.sample(min(LATER_ROWS, rows.height), seed=0) for rows in months])


def chance(workspace: Workspace, later: pl.DataFrame, tries: int) -> Iterator[Try]:
    """The champion again with other seeds."""
    crowned(workspace)
    for number in range(1, tries + 1):
        yield tried(seeded(workspace, workspace.seed + number), later)


def more(workspace: Workspace, later: pl.DataFrame, tries: int, factor: float = 1.2) -> Iterator[Try]:
    """A champion of fewer rows, a candidate of all; each time another draw and other seeds."""
    yield from _of_rows(workspace, later, tries, factor, lambda rows, _: rows)


def five_times(workspace: Workspace, later: pl.DataFrame, tries: int) -> Iterator[Try]:
    """The same with five times as many rows."""
    yield from more(workspace, later, tries, factor=5.0)


def worse(workspace: Workspace, later: pl.DataFrame, tries: int) -> Iterator[Try]:
    """Half as many rows more, whose labels are drawn by lot."""

    def spoiled(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
        new = ~rows[ROW_ID].is_in(known[ROW_ID].implode())
        lot = rows["late"].sample(fraction=1, shuffle=True, seed=1)
        return rows.with_columns(late=lot.zip_with(new, rows["late"]))

    yield from _of_rows(workspace, later, tries, 1.5, spoiled)


def _of_rows(
    workspace: Workspace,
    later: pl.DataFrame,
    tries: int,
    factor: float,
    candidate: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame],
) -> Iterator[Try]:
    parts = {name: pl.read_parquet(workspace.split / f"{name}.parquet") for name in SPLITS}
    for number in range(tries):
        few = parts["train"].sample(fraction=1 / factor, seed=number, shuffle=False)
        crowned(seeded(with_rows(workspace, {**parts, "train": few}), 2 * number))
        yield tried(
            seeded(with_rows(workspace, {**parts, "train": candidate(parts["train"], few)}), 2 * number + 1), later
        )
    with_rows(workspace, parts)


def leak(workspace: Workspace, later: pl.DataFrame, tries: int) -> Iterator[Try]:
    """A champion that reads what is known only afterwards, and a candidate that does not."""
    told = workspace.contract_file.read_text(encoding="utf-8")
    field = next(line for line in told.splitlines() if line.strip().startswith(f"{LEAK}:"))
    for number in range(tries):
        workspace = seeded(workspace, 2 * number)
        artefacts.write_text(workspace.contract_file, told.replace(field, field.replace("IGNORE", "NUMERIC")))
        normalize.run(workspace)
        crowned(workspace)
        artefacts.write_text(workspace.contract_file, told)
        normalize.run(workspace)
        yield tried(seeded(workspace, 2 * number + 1), later)


CASES = {"chance": chance, "more": more, "five_times": five_times, "worse": worse, "leak": leak}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cases", nargs="+", choices=CASES, default=[*CASES])
    arguments.add_argument("--tries", type=int, default=40, help="of `chance`; the others are tried a quarter as often")
    arguments.add_argument("--share", type=float, default=1.0)
    arguments.add_argument("--epochs", type=int, default=None, help="with a small network; else as in params.yaml")
    asked = arguments.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    with TemporaryDirectory() as folder:
        workspace = prepared(Path(folder) / "flights", asked.share, asked.epochs)
        later = to_come(workspace)
        for name in asked.cases:
            count = asked.tries if name == "chance" else max(asked.tries // 4, 1)
            print(row(name, list(CASES[name](workspace, later, count))), flush=True)


def row(name: str, found: list[Try]) -> str:
    """A line of the table."""
    promoted, words = sum(one.promoted for one in found), [one.word for one in found]
    seen = sum(one.seen for one in found) / len(found)
    true = [one.true for one in found]
    failed = Counter(gate.name for one in found for gate in one.asked if gate.verdict == "failed")
    cells = [
        name,
        f"{len(found)}",
        f"{promoted}",
        f"{words.count('better')}, {words.count('worse')}",
        f"{seen:+.4f}",
        f"{sum(true) / len(true):+.4f}, {min(true):+.4f}, {max(true):+.4f}",
        ", ".join(f"{name}: {times}" for name, times in failed.items()),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

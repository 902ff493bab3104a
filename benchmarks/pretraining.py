"""Does pre-training on rows without labels help? The same network from fresh weights and from pre-trained ones.

Of the labels of train and val a share is kept; the other rows of train are there without a label. Everything else is
as keepfit does it by itself: encoders fitted on the labelled rows of train, the epoch chosen on the labelled rows of
val. Scores are means over seeds, on val and on all rows of test; a seed draws which labels are kept, too.

Adult: the published split. California: as in benchmarks.models. Flights: January 2013, its last five days are test and
the five before val; flights that never arrived have no label, and come to those of train whose label was taken.

python -m benchmarks.pretraining                                    every set and share, 3 seeds
python -m benchmarks.pretraining --sets adult --shares 0.02 --rows 5000 --seeds 1
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from benchmarks.models import DATA, SETS, Set, timed
from pipeline import metrics, progress
from pipeline.features import preprocessor
from pipeline.models import network, pretraining
from pipeline.models.transfer import Starting
from pipeline.stages import train
from pipeline.stages.normalize import NormalizeSettings
from pipeline.stages.train import TrainSettings

FLIGHTS = DATA.parent / "flights" / "2013-01.csv.gz"
DAYS = (22, 27)  # val begins, test begins
KNOWN = (  # at schedule time
    *("carrier", "origin", "dest", "hour", "minute", "distance", "sched_arr_time", "temp", "dewp", "humid"),
    *("wind_dir", "wind_speed", "precip", "pressure", "visib", "seats", "manufacturer", "model", "plane_year"),
)


@dataclass(frozen=True, kw_only=True)
class Few:
    """A table of whose labels some are kept, and the rows of train without one."""

    table: Set
    unlabelled: pl.DataFrame


def flights(rows: int | None) -> Few:
    """Was it more than a quarter of an hour late?"""
    read = pl.read_csv(FLIGHTS, null_values=["NA", ""], infer_schema_length=None)
    late = pl.col("arr_delay") > 15
    columns = [name for name in KNOWN if name in read.columns]
    label = pl.when(late.is_not_null()).then(pl.when(late).then(pl.lit("late")).otherwise(pl.lit("not"))).alias("late")
    seen = read.select(*[pl.col(name).cast(_plain(read.schema[name])) for name in columns], label, "day")
    parts = [
        seen.filter(day).drop("day")
        for day in (pl.col("day") < DAYS[0], pl.col("day").is_between(DAYS[0], DAYS[1] - 1), pl.col("day") >= DAYS[1])
    ]
    train_rows, val, test = parts
    whole = train_rows.sample(fraction=1.0, shuffle=True, seed=0)[:rows]
    labelled = whole.drop_nulls("late")
    table = Set(
        name="flights",
        train=labelled,
        val=val.drop_nulls("late"),
        test=test.drop_nulls("late"),
        metric="AUC",
        published={},
    )
    return Few(table=table, unlabelled=whole.filter(pl.col("late").is_null()))


def _plain(kind: pl.DataType) -> pl.DataType:
    return pl.Float64() if kind.is_numeric() else pl.String()


def of_models(name: str, rows: int | None) -> Few:
    """A set of benchmarks.models; all its rows are labelled."""
    table = SETS[name](rows)
    return Few(table=table, unlabelled=table.train.clear())


TABLES: Mapping[str, Callable[[int | None], Few]] = {
    **{name: partial(of_models, name) for name in SETS},
    "flights": flights,
}


def with_few_labels(few: Few, share: float, seed: int) -> Few:
    """The same rows, of whose labels a share is kept."""
    table, random = few.table, np.random.default_rng(seed)
    kept = {}
    for part in ("train", "val"):
        rows: pl.DataFrame = getattr(table, part)
        order = random.permutation(rows.height)
        kept[part] = (
            rows[order[: max(20, round(share * rows.height))]],
            rows[order[max(20, round(share * rows.height)) :]],
        )
    found = Set(
        name=table.name,
        train=kept["train"][0],
        val=kept["val"][0],
        test=table.test,
        metric=table.metric,
        published={},
    )
    return Few(table=found, unlabelled=pl.concat([few.unlabelled, kept["train"][1]]))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The main score on val and test, and seconds of the processor."""

    val: float
    test: float
    seconds: float


def measured(few: Few, chosen: TrainSettings, seed: int) -> dict[str, Measured]:
    """From fresh weights, and from pre-trained ones."""
    table = few.table
    fitted = preprocessor.fit(table.train.lazy(), table.contract(), NormalizeSettings().by_modality())
    parts = {
        name: {key: np.array(value) for key, value in fitted.encode(getattr(table, name)).tensors().items()}
        for name in ("train", "val", "test")
    }
    shape = train.shape(fitted, chosen, parts["train"])

    def fit(starting: Starting | None) -> Measured:
        with timed() as spent, TemporaryDirectory() as folder:
            learnt = {name: parts[name] for name in ("train", "val")}
            kept = train.fit(
                learnt, shape, fitted.target, chosen, seed=seed, curves=Path(folder) / "curves", starting=starting
            )
        assert kept.best is not None
        answers_NK = network.answers(kept.network(), network.tensors(parts["test"]), fitted.target)
        truth_N = fitted.target.truth(parts["test"]["label"])
        score = metrics.OF[fitted.target.kind].main_score(truth_N, answers_NK, fitted.target.at)
        return Measured(val=kept.best.val_score, test=score, seconds=spent.cpu_seconds)

    with timed() as spent:
        task = train.task_of(parts, shape, fitted, chosen, seed=seed, unlabelled=fitted.encode(few.unlabelled).inputs)
        starting, record = pretraining.started(task)
    print(
        f"  {table.name} seed {seed}: {record.words}, {len(record.losses)} epochs, {spent.cpu_seconds:.0f} s",
        file=sys.stderr,
    )
    return {"fresh": fit(None), "pre-trained": fit(starting)}


def row(few: Few, share: float, runs: Sequence[Mapping[str, Measured]]) -> str:
    """A line of the table: means over the seeds, and by how much each seed gained on test."""
    cells = [f"{few.table.name}", f"{share:.0%} ({few.table.train.height:,})", f"{few.unlabelled.height:,}"]
    sign = 1 if few.table.classes else -1
    for part in ("val", "test"):
        for kind in ("fresh", "pre-trained"):
            cells.append(f"{np.mean([getattr(run[kind], part) for run in runs]):.4f}")
    gains = [sign * (run["pre-trained"].test - run["fresh"].test) for run in runs]
    return f"| {' | '.join(cells)} | {np.mean(gains):+.4f} ({', '.join(f'{gain:+.4f}' for gain in gains)}) |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--shares", nargs="+", type=float, default=[0.02, 0.1, 1.0])
    parser.add_argument("--rows", type=int, help="so many rows of train and val together; all test rows stay")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", default="mlp")
    parser.add_argument("--pretrain", nargs="*", default=[], metavar="KEY=VALUE", help="of train.pretrain")
    asked = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"{DATA} is not here: nothing to measure")
    given: dict[str, Any] = dict(pair.split("=", 1) for pair in asked.pretrain)
    chosen = TrainSettings.model_validate({"model": asked.model, "pretrain": {"kind": "masked", **given}})
    heads = ("set", "labels", "rows without", "val, fresh", "val, pre-trained", "test, fresh", "test, pre-trained")
    print(f"| {' | '.join(heads)} | gain on test |\n|{'---|' * (len(heads) + 1)}")
    for name in asked.sets:
        whole = TABLES[name](asked.rows)
        for share in asked.shares:
            runs = []
            for seed in range(asked.seeds):
                few = with_few_labels(whole, share, seed)
                with progress.muted():
                    runs.append(measured(few, chosen, seed))
            print(row(few, share, runs), flush=True)


if __name__ == "__main__":
    main()

"""Alarms that mean something: false alarms per 100 batches, drifts found and their delay, on real streams.

python -m benchmarks.drift_truth [--sets elec2 noaa flights] [--batches N] [--peers DIR]

Three streams of real rows from ../shared/data: the half-hours of an electricity market (elec2), days of weather (noaa),
flights. Each is looked at in three ways, a reference and then batches of the same size:

- shuffled: the rows dealt out anew. Whatever is an alarm is a false one.
- planted: shuffled, and from the middle batch on one column moves: half a deviation up, a tenth of it missing, or
  two categories changed for each other. Found: the share of planted changes with an alarm in any batch from there on;
  delay: how many batches passed before. (Alarms before are false ones, and counted with those above.)
- as it came: the rows in the order of time. How often there is an alarm is told; whether it is right nobody knows, but
  that of weather every winter is no news.

keepfit learns the order of the rows (`in_order`), the peers do not ask for it; all else is everybody's default.
Evidently tells drift of a data set where half of the columns drifted (`dataset`), and of columns (`any`). NannyML has
an alert for each column and method. frouros has tests, and no verdict: the Kolmogorov-Smirnov test of each column of
numbers at 0.01 is that of its documentation. alibi-detect is under the Business Source License, and left out.
"""

import argparse
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.drift import past, univariate
from pipeline.drift.cuts import Kind

DATA = Path(__file__).parents[2] / "shared" / "data"
FLIGHTS = ("distance", "temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "visib", "pressure", "seats")
EVIDENTLY = """
import json, sys, pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
old, new, rows = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2]), int(sys.argv[3])
any_, whole = [], []
for start in range(0, len(new), rows):
    found = Report([DataDriftPreset()]).run(new.iloc[start:start + rows], old).dict()["metrics"]
    drifted = next(one["value"] for one in found if "DriftedColumnsCount" in str(one.get("metric_id", one)))
    any_.append(drifted["count"] > 0); whole.append(drifted["share"] >= 0.5)
print(json.dumps({"evidently, any": any_, "evidently, dataset": whole}))
"""
NANNYML = """
import json, sys, pandas as pd, nannyml
old, new, rows = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2]), int(sys.argv[3])
made = nannyml.UnivariateDriftCalculator(column_names=list(old.columns), chunk_size=rows).fit(old)
told = made.calculate(new).filter(period="analysis").to_df()
alert = told.loc[:, [column for column in told.columns if column[-1] == "alert"]].any(axis=1)
print(json.dumps({"nannyml": [bool(each) for each in alert]}))
"""
FROUROS = """
import json, sys, numpy as np, pyarrow.parquet as pq
from frouros.detectors.data_drift import KSTest
old, new, rows = pq.read_table(sys.argv[1]), pq.read_table(sys.argv[2]), int(sys.argv[3])
def numbers(table):
    numeric = [n for n in table.column_names if str(table.schema.field(n).type) in ("double", "int64")]
    return {n: table[n].to_numpy() for n in numeric}
then, now, told = numbers(old), numbers(new), []
for start in range(0, new.num_rows, rows):
    ps = []
    for name, values in now.items():
        test = KSTest(); test.fit(X=then[name][~np.isnan(then[name])])
        part = values[start:start + rows]
        ps.append(test.compare(X=part[~np.isnan(part)])[0].p_value)
    told.append(bool(min(ps) < 0.01))
print(json.dumps({"frouros": told}))
"""
PEERS = {"evidently": EVIDENTLY, "nannyml": NANNYML, "frouros": FROUROS}


class Stream(NamedTuple):
    """Rows in the order of time, how many of them are the reference, and the size of a batch."""

    rows: pl.DataFrame
    reference: int
    batch: int


class Case(NamedTuple):
    """A reference and what came; `moved`: the first batch that was changed, None where none was or nobody knows."""

    kind: str
    then: pl.DataFrame
    now: pl.DataFrame
    moved: int | None


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--sets", nargs="+", default=list(STREAMS), choices=list(STREAMS))
    options.add_argument("--batches", type=int, default=20)
    options.add_argument("--tries", type=int, default=3)
    options.add_argument("--peers", type=Path, default=None)
    chosen = options.parse_args()
    print(
        "| stream | who | false alarms per 100 batches | drifts found | delay, batches | alarms as it came, per 100 |"
    )
    print("|---|---|---|---|---|---|", flush=True)
    for name in chosen.sets:
        stream = STREAMS[name]()
        told: dict[str, list[tuple[Case, list[bool]]]] = {}
        for case in cases(stream, chosen.batches, chosen.tries):
            for who, alarms in asked(case, stream.batch, chosen.peers).items():
                told.setdefault(who, []).append((case, alarms))
        for who, pairs in told.items():
            print(f"| {name} | {who} | {' | '.join(figures(pairs))} |", flush=True)


def elec2() -> Stream:
    return Stream(pl.read_csv(DATA / "drift" / "elec2.csv").drop("target"), 15_000, 1440)


def noaa() -> Stream:
    return Stream(pl.read_csv(DATA / "drift" / "noaa_weather.csv").drop("target"), 6000, 365)


def flights() -> Stream:
    files = sorted((DATA / "flights").glob("*.csv.gz"))
    rows = pl.concat([pl.read_csv(path, null_values="NA", infer_schema=False) for path in files])
    numbers = [pl.col(name).cast(pl.Float64) for name in FLIGHTS if name in rows.columns]
    return Stream(rows.select(*numbers, "carrier", "origin", "dest").gather_every(4), 30_000, 2500)


STREAMS: dict[str, Callable[[], Stream]] = {"elec2": elec2, "noaa": noaa, "flights": flights}


def cases(stream: Stream, batches: int, tries: int) -> list[Case]:
    """Shuffled rows, as many tries as there are kinds of planted change, and the rows as they came."""
    rows, first = stream.rows, stream.reference
    size = min(batches, (rows.height - first) // stream.batch) * stream.batch
    found = []
    for seed in range(tries):
        dealt = rows[np.random.default_rng(seed).permutation(rows.height)]
        then, now = dealt[:first], dealt[first : first + size]
        found.append(Case("shuffled", then, now, None))
        middle = size // stream.batch // 2
        changed = planted(now[middle * stream.batch :], seed)
        found.append(Case("planted", then, pl.concat([now[: middle * stream.batch], changed]), middle))
    return [*found, Case("as it came", rows[:first], rows[first : first + size], None)]


def planted(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """One column changed: which, and how, by the seed."""
    numbers = [name for name, dtype in rows.schema.items() if dtype.is_numeric() and rows[name].n_unique() > 10]
    texts = [name for name, dtype in rows.schema.items() if dtype == pl.String]
    name = numbers[seed % len(numbers)]
    if seed % 3 == 2 and texts:
        often = rows[texts[0]].value_counts(sort=True)[texts[0]].to_list()
        swapped = {often[0]: often[-1], often[-1]: often[0]}
        return rows.with_columns(pl.col(texts[0]).replace(swapped))
    if seed % 3 == 1:
        return rows.with_columns(pl.when(pl.int_range(pl.len()) % 10 > 0).then(pl.col(name)).alias(name))
    return rows.with_columns(pl.col(name).cast(pl.Float64) + 0.5 * (rows[name].cast(pl.Float64).std() or 0.0))


def asked(case: Case, batch: int, peers: Path | None) -> dict[str, list[bool]]:
    """Whether each batch is an alarm, by everyone who is installed."""
    told = {"keepfit": ours(case, batch)}
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / "then.parquet", Path(folder) / "now.parquet"]
        case.then.write_parquet(paths[0])
        case.now.write_parquet(paths[1])
        for name, code in PEERS.items():
            python = None if peers is None else peers / name / "bin" / "python"
            if python is not None and python.exists():
                command = [str(python), "-W", "ignore", "-c", code, *map(str, paths), str(batch)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(f"{name} failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
                else:
                    told |= json.loads(done.stdout.strip().splitlines()[-1])
    return told


def ours(case: Case, batch: int) -> list[bool]:
    kinds: dict[str, Kind] = {
        name: "numeric" if dtype.is_numeric() else "categorical" for name, dtype in case.then.schema.items()
    }
    known = past.learn(case.then.lazy(), kinds, in_order=True, batch_rows=batch)
    alarms = []
    for start in range(0, case.now.height, batch):
        tested = univariate.tests(known, past.count(known, case.now[start : start + batch].lazy()))
        verdicts = univariate.judge(tested, univariate.level([test.p for test in tested], univariate.FALSE_ALARMS))
        alarms.append(any(verdict.drift for verdict in verdicts))
    return alarms


def figures(pairs: list[tuple[Case, list[bool]]]) -> list[str]:
    """False alarms, drifts found, the delay of those, and alarms as it came."""
    clean = [alarm for case, alarms in pairs if case.kind != "as it came" for alarm in alarms[: case.moved]]
    after = [alarms[case.moved :] for case, alarms in pairs if case.moved is not None]
    delays = [alarms.index(True) for alarms in after if any(alarms)]
    came = next(alarms for case, alarms in pairs if case.kind == "as it came")
    return [
        f"{100 * np.mean(clean):.1f} ({len(clean)})",
        f"{len(delays)} of {len(after)}",
        f"{np.mean(delays):.1f}" if delays else "",
        f"{100 * np.mean(came):.0f} ({len(came)})",
    ]


if __name__ == "__main__":
    main()

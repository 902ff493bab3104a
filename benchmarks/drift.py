"""How long a batch takes: 100,000 new rows of 20 columns beside 1,000,000, and the same by Evidently and NannyML.

python -m benchmarks.drift [--rows N] [--new N] [--peers DIR]

Each in a process of its own, user CPU and wall seconds after its imports. keepfit's past is learnt once, as it is kept
with a model; the peers are given the reference with each batch (Evidently), or are fitted to it first (NannyML).
DIR has a virtual environment for each peer, by its name; a peer without one is left out, which is said.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

NUMBERS, WHOLES, CATEGORIES = 12, 2, 6
PREAMBLE = """
import json, resource, sys, time
then, now = sys.argv[1:3]
def clock():
    return time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
def told(name, began):
    wall, cpu = clock()
    print(json.dumps({"step": name, "wall": wall - began[0], "cpu": cpu - began[1]}), flush=True)
"""
KEEPFIT = """
import polars as pl, scipy.special
from pipeline.drift import past, univariate
old, new = pl.scan_parquet(then), pl.scan_parquet(now)
kinds = {n: "numeric" if t.is_numeric() else "categorical" for n, t in old.collect_schema().items()}
began = clock(); known = past.learn(old, kinds); told("learn", began)
began = clock()
tested = univariate.tests(known, past.count(known, new))
verdicts = univariate.judge(tested, univariate.level([test.p for test in tested], 0.01))
told("batch", began)
"""
EVIDENTLY = """
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
old, new = pd.read_parquet(then), pd.read_parquet(now)
began = clock(); Report([DataDriftPreset()]).run(new, old).dict(); told("batch", began)
"""
NANNYML = """
import pandas as pd, nannyml
old, new = pd.read_parquet(then), pd.read_parquet(now)
made = nannyml.UnivariateDriftCalculator(column_names=list(old.columns), chunk_size=len(new))
began = clock(); made.fit(old); told("learn", began)
began = clock(); made.calculate(new).to_df(); told("batch", began)
"""
PEERS = {"evidently": EVIDENTLY, "nannyml": NANNYML}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--new", type=int, default=100_000)
    options.add_argument("--peers", type=Path, default=None)
    chosen = options.parse_args()
    with TemporaryDirectory() as folder:
        then, now = Path(folder) / "then.parquet", Path(folder) / "now.parquet"
        made(chosen.rows, 0).write_parquet(then)
        made(chosen.new, 1).write_parquet(now)
        print("| who | step | wall s | user CPU s |\n|---|---|---|---|")
        show("keepfit", Path(sys.executable), KEEPFIT, then, now)
        for name, code in PEERS.items():
            python = None if chosen.peers is None else chosen.peers / name / "bin" / "python"
            if python is None or not python.exists():
                print(f"| {name} | not installed | | |")
            else:
                show(name, python, code, then, now)


def made(rows: int, seed: int) -> pl.DataFrame:
    """12 columns of numbers, 2 of few whole ones, 6 of categories; of the new rows the first has moved."""
    random = np.random.default_rng(seed)
    data = {f"x{i}": random.normal(0.3 * seed * (i == 0), 1, rows) for i in range(NUMBERS)}
    wholes = {f"i{i}": random.integers(0, 50, rows) for i in range(WHOLES)}
    values = np.array([f"v{j}" for j in range(20)])
    return pl.DataFrame({**data, **wholes, **{f"c{i}": random.choice(values, rows) for i in range(CATEGORIES)}})


def show(name: str, python: Path, code: str, then: Path, now: Path) -> None:
    done = subprocess.run(
        [python, "-W", "ignore", "-c", PREAMBLE + code, then, now], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"| {name} | failed: {done.stderr.strip().splitlines()[-1]} | | |")
        return
    for line in (line for line in done.stdout.splitlines() if line.startswith('{"step"')):
        step = json.loads(line)
        print(f"| {name} | {step['step']} | {step['wall']:.2f} | {step['cpu']:.2f} |", flush=True)


if __name__ == "__main__":
    main()

"""What others say of the same batches, each in its own virtual environment: programs that are given a folder.

A program is called with a folder of pairs of Parquet files, `000-then.parquet` and `000-now.parquet`, and the rows of a
batch. It prints {who: [[[column, ...] for each batch] for each pair]}: which columns drifted, by the defaults.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

Told: TypeAlias = list[list[list[str]]]

HEAD = """
import json, sys, pathlib
import numpy as np, pandas as pd
folder, rows = pathlib.Path(sys.argv[1]), int(sys.argv[2])
def pairs():
    for path in sorted(folder.glob("*-then.parquet")):
        yield pd.read_parquet(path), pd.read_parquet(str(path).replace("-then", "-now"))
def batches(new):
    return [new.iloc[start:start + rows] for start in range(0, len(new), rows)]
def told(**answers):
    print("TOLD" + json.dumps(answers), flush=True)
"""
EVIDENTLY = """
from evidently import Report
from evidently.presets import DataDriftPreset
def columns(old, new):
    found = []
    for one in Report([DataDriftPreset()]).run(new, old).dict()["metrics"]:
        asked, value = one["config"], one["value"]
        if "column" in asked:
            far = value < asked["threshold"] if "p_value" in asked["method"] else value >= asked["threshold"]
            found += [asked["column"]] * bool(far)
    return found
each = [[columns(old, new) for new in batches(all_new)] for old, all_new in pairs()]
told(evidently=each)
"""
NANNYML = """
import nannyml
def columns(old, new):
    made = nannyml.UnivariateDriftCalculator(column_names=list(old.columns), chunk_size=rows).fit(old)
    lost = nannyml.MissingValuesCalculator(column_names=list(old.columns), chunk_size=rows).fit(old)
    frames = [each.calculate(new).filter(period="analysis").to_df() for each in (made, lost)]
    found = [[] for _ in batches(new)]
    for frame in frames:
        for name in frame.columns:
            if name[-1] == "alert":
                for place, alert in enumerate(frame[name]):
                    found[place] += [name[0]] * bool(alert)
    return found
told(nannyml=[columns(old, new) for old, new in pairs()])
"""
FROUROS = """
from frouros.detectors.data_drift import ChiSquareTest, KSTest
def columns(old, new):
    found = []
    for name in old.columns:
        number = pd.api.types.is_numeric_dtype(old[name])
        test = KSTest() if number else ChiSquareTest()
        test.fit(X=old[name].dropna().to_numpy())
        part = new[name].dropna().to_numpy()
        if len(part) and test.compare(X=part)[0].p_value < 0.01:
            found.append(name)
    return found
told(frouros=[[columns(old, new) for new in batches(all_new)] for old, all_new in pairs()])
"""
ALIBI = """
from alibi_detect.cd import TabularDrift
def numbers(old, frame):
    made = {}
    for name in old.columns:
        if pd.api.types.is_numeric_dtype(old[name]):
            made[name] = frame[name].fillna(old[name].median())
        else:
            made[name] = frame[name].map({v: i for i, v in enumerate(sorted(old[name].dropna().unique()))}).fillna(-1)
    return np.column_stack(list(made.values())).astype(float)
def columns(old, all_new):
    text = {i: None for i, name in enumerate(old.columns) if not pd.api.types.is_numeric_dtype(old[name])}
    test = TabularDrift(numbers(old, old), p_val=0.05, categories_per_feature=text or None)
    answers = [test.predict(numbers(old, new), drift_type="batch")["data"] for new in batches(all_new)]
    return [[n for n, p in zip(old.columns, one["p_val"]) if p < one["threshold"]] for one in answers]
told(alibi_detect=[columns(old, new) for old, new in pairs()])
"""
PEERS = {"nannyml": NANNYML, "frouros": FROUROS, "alibi": ALIBI, "evidently": EVIDENTLY}


def asked(folder: Path, rows: int, environments: Path | None) -> Iterator[tuple[str, Told]]:
    """What each peer says that has a virtual environment in `environments`, with its name."""
    for name, code in PEERS.items():
        python = None if environments is None else environments / name / "bin" / "python"
        if python is None or not python.exists():
            print(f"{name} is not installed", flush=True)
            continue
        command = [str(python), "-W", "ignore", "-c", HEAD + code, str(folder), str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("TOLD")]
        if not lines:
            print(f"{name} failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
            continue
        yield from json.loads(lines[0].removeprefix("TOLD")).items()

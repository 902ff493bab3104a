"""How far the metric that is estimated without labels is from the one that the labels tell, batch by batch.

python -m benchmarks.drift_estimates [--sets flights elec2 noaa] [--peers DIR]

Boosted trees learn from the first rows, the next ones are held: their labels tell what answers are worth. Then come
batches: of flights the months of June to December (January to April are learnt from, May is held), of the electricity
market and of the weather so many rows each. keepfit's estimate is by confidence (pipeline.drift.confidence); `as held`
says of every batch the metric of the held rows, which an estimate has to beat. NannyML's is its CBPE by default, in a
virtual environment in DIR, from the same answers. `within`: batches whose metric lies in the estimate's interval.
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
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.drift_truth import DATA, FLIGHTS
from pipeline import metrics
from pipeline.drift.confidence import Confidence
from pipeline.metrics import Metric

METRICS: tuple[Metric, ...] = ("auc", "log_loss")
NANNYML = """
import json, pathlib, sys
import pandas as pd, nannyml
folder = pathlib.Path(sys.argv[1])
told = []
made = nannyml.CBPE(y_pred_proba="p", y_pred="said", y_true="y", problem_type="classification_binary",
                    metrics=["roc_auc"], chunk_number=1).fit(pd.read_parquet(folder / "held.parquet"))
for path in sorted(folder.glob("0*.parquet")):
    found = made.estimate(pd.read_parquet(path)).filter(period="analysis").to_df()["roc_auc"].iloc[0]
    told.append([float(found[name]) for name in ("value", "lower_confidence_boundary", "upper_confidence_boundary")])
print("TOLD" + json.dumps(told))
"""


class Stream(NamedTuple):
    """Features, the label (N,) of 0 and 1, and the part of each row: 0 to learn from, 1 held, 2 and on the batches."""

    features: pl.DataFrame
    label: np.ndarray
    part: np.ndarray


class Told(NamedTuple):
    """An estimate and its interval."""

    value: float
    low: float
    high: float


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--sets", nargs="+", default=list(STREAMS), choices=list(STREAMS))
    options.add_argument("--peers", type=Path, default=None)
    chosen = options.parse_args()
    print(f"| stream | metric | who | batches | mean error, absolute | mean error | within |\n|{'---|' * 7}")
    for name in chosen.sets:
        parts = answered(STREAMS[name]())
        for metric in METRICS:
            truth = [measured(metric, *part) for part in parts[1:]]
            for who, told in estimates(metric, parts, chosen.peers).items():
                print(f"| {name} | {metric} | {who} | {len(truth)} | {' | '.join(figures(told, truth))} |", flush=True)


def flights() -> Stream:
    rows = pl.concat(
        pl.read_csv(path, null_values="NA", infer_schema=False) for path in sorted((DATA / "flights").glob("*.csv.gz"))
    ).drop_nulls("arr_delay")
    minutes = [(pl.col(name).cast(pl.Int32) // 100 * 60).alias(name) for name in ("sched_dep_time", "sched_arr_time")]
    texts = [pl.col(name).rank("dense").cast(pl.Float64) % 250 for name in ("carrier", "origin", "dest")]
    features = rows.select(*minutes, *texts, *[pl.col(name).cast(pl.Float64) for name in FLIGHTS if name != "dest"])
    label_N = rows["arr_delay"].cast(pl.Float64).to_numpy() > 15
    month_N = rows["month"].cast(pl.Int64).to_numpy()
    return Stream(features, label_N.astype(np.int64), np.maximum(month_N - 4, 0))


def elec2() -> Stream:
    return _of(DATA / "drift" / "elec2.csv", 1440)


def noaa() -> Stream:
    return _of(DATA / "drift" / "noaa_weather.csv", 365)


def _of(path: Path, batch: int) -> Stream:
    """A third to learn from, a sixth held, then whole batches."""
    rows = pl.read_csv(path)
    place_N = np.arange(rows.height)
    first, held = rows.height // 3, rows.height // 6
    rows = rows[: first + held + (rows.height - first - held) // batch * batch]
    part_N = np.where(place_N < first, 0, np.where(place_N < first + held, 1, 2 + (place_N - first - held) // batch))
    return Stream(rows.drop("target"), rows["target"].cast(pl.Int64).to_numpy(), part_N[: rows.height])


STREAMS: dict[str, Callable[[], Stream]] = {"flights": flights, "elec2": elec2, "noaa": noaa}


def answered(stream: Stream) -> list[tuple[np.ndarray, np.ndarray]]:
    """(label, probabilities (N, 2)) of the held rows, then of each batch."""
    x_NF = stream.features.to_numpy()
    first = stream.part == 0
    model = HistGradientBoostingClassifier(random_state=0).fit(x_NF[first], stream.label[first])
    parts = range(1, int(stream.part.max()) + 1)
    return [(stream.label[stream.part == part], model.predict_proba(x_NF[stream.part == part])) for part in parts]


def estimates(
    metric: Metric, parts: list[tuple[np.ndarray, np.ndarray]], environments: Path | None
) -> dict[str, list[Told]]:
    """By everyone, of each batch; the peer knows AUC alone."""
    held, batches = parts[0], parts[1:]
    known = measured(metric, *held)
    made = Confidence.learn(*held, kind="classes", metric=metric)
    found = [made.estimate(p_N2) for _, p_N2 in batches]
    told = {
        "as held": [Told(known, known, known)] * len(batches),
        "keepfit": [Told(each.value, each.low, each.high) for each in found],
    }
    return told | (nannyml(parts, environments) if metric == "auc" else {})


def nannyml(parts: list[tuple[np.ndarray, np.ndarray]], environments: Path | None) -> dict[str, list[Told]]:
    python = None if environments is None else environments / "nannyml" / "bin" / "python"
    if python is None or not python.exists():
        return {}
    with TemporaryDirectory() as folder:
        for place, (label_N, p_N2) in enumerate(parts):
            name = f"{place:03}.parquet" if place else "held.parquet"
            rows = pl.DataFrame({"p": p_N2[:, 1], "said": (p_N2[:, 1] >= 0.5).astype(np.int64), "y": label_N})
            rows.write_parquet(Path(folder) / name)
        command = [str(python), "-W", "ignore", "-c", NANNYML, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("TOLD")]
    if not lines:
        print(f"nannyml failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
        return {}
    return {"nannyml": [Told(*each) for each in json.loads(lines[0].removeprefix("TOLD"))]}


def measured(metric: Metric, label_N: np.ndarray, p_N2: np.ndarray) -> float:
    return float(metrics.OF["classes"].each[metric](label_N, p_N2, 0.5, np.ones((1, len(label_N))))[0])


def figures(told: list[Told], truth: list[float]) -> list[str]:
    """Mean absolute error, mean error, and batches whose metric is in the interval."""
    missed = np.array([each.value for each in told]) - np.array(truth)
    within = sum(each.low <= value <= each.high for each, value in zip(told, truth, strict=True))
    return [f"{np.abs(missed).mean():.4f}", f"{missed.mean():+.4f}", f"{within} of {len(truth)}"]


if __name__ == "__main__":
    main()

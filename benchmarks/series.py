"""Forecasts of ETTh1, all 7 series, beside what DLinear's paper publishes, the last value, and linear regression.

python -m benchmarks.series                                     horizons 96 to 720, 3 seeds: an hour on 2 cores
python -m benchmarks.series --horizons 96 --seeds 1             a part of it
python -m benchmarks.series --horizons 96 --kinds gru tcn       other networks than the plain choice
python -m benchmarks.series --horizons 96 --folds 3             walk-forward: three origins, each with its own training

The published split: 12, 4 and 4 months of 30 days, 336 steps back, every series in deviations of its own training rows
(Zhou et al. 2021, Informer). Rows are told apart by their series, which is the contract's group, so one network is
learnt for all 7, as DLinear's is. A row of val or test is where a forecast starts, and its first target the hour after
it: of each series one forecast fewer than the papers have, which start at the last row before val or test too.
keepfit goes its own way from typed rows (preprocessor.fit, train.shape, train.fit) with the settings that it has where
params.yaml says nothing, but for the linear backbone that `keepfit init --horizon` writes.

Published: Zeng et al. 2023, Are Transformers Effective for Time Series Forecasting? (https://arxiv.org/abs/2205.13504),
table 2, MSE and MAE of DLinear and of Repeat, which is persistence, on ETTh1.
"""

import argparse
import resource
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, get_args

import numpy as np
import pandera.polars as pa
import polars as pl
import torch

from pipeline.contract import Column, Contract
from pipeline.features import preprocessor
from pipeline.features.preprocessor import LABEL, Preprocessor
from pipeline.features.series import SeriesNetworkSettings, SeriesSettings, tail
from pipeline.features.targets.forecast import Forecast
from pipeline.metrics import forecasting
from pipeline.models import forecasts, network
from pipeline.stages import train
from pipeline.stages.normalize import NormalizeSettings

FILE = Path(__file__).parents[1].parent / "shared" / "data" / "series" / "ETTh1.csv"
WINDOW = 336
MONTH = timedelta(days=30)
MONTHS = (12, 4, 4)
KINDS = get_args(SeriesNetworkSettings.model_fields["kind"].annotation)
PUBLISHED = {  # horizon: MSE, MAE of DLinear, and of Repeat
    96: ((0.375, 0.399), (1.295, 0.713)),
    192: ((0.405, 0.416), (1.325, 0.733)),
    336: ((0.439, 0.443), (1.323, 0.744)),
    720: ((0.472, 0.490), (1.339, 0.756)),
}


class Borders(NamedTuple):
    """The first stamps of val, of test, and of what is no more looked at."""

    val: datetime
    test: datetime
    end: datetime


class Error(NamedTuple):
    """Of standardised series."""

    mse: float
    mae: float


def rows() -> pl.DataFrame:
    """One row a stamp and series."""
    wide = pl.read_csv(FILE, try_parse_dates=True)
    return wide.unpivot(index="date", variable_name="series", value_name="value").sort("date", "series")


def borders(first: datetime, folds: int) -> list[Borders]:
    """The published split; with several folds origins through its last 8 months, val and test 2 months each."""
    train_months, val_months, test_months = MONTHS
    if folds == 1:
        val = first + train_months * MONTH
        return [Borders(val, val + val_months * MONTH, val + (val_months + test_months) * MONTH)]
    last = first + sum(MONTHS) * MONTH
    step = (val_months + test_months - 4) * MONTH / (folds - 1)
    ends = [last - place * step for place in reversed(range(folds))]
    return [Borders(end - 4 * MONTH, end - 2 * MONTH, end) for end in ends]


def contract() -> Contract:
    """What `keepfit init` infers of these columns, with the series as the group."""
    known = {"nullable": False, "format": None}
    return Contract(
        file=Path("ETTh1.py"),
        schema=pa.DataFrameSchema({}),
        columns=(
            Column(name="date", dtype=pl.Datetime("us"), role="time", modality="timestamp", **known),  # type: ignore[arg-type]
            Column(name="series", dtype=pl.String(), role="group", modality=None, **known),  # type: ignore[arg-type]
            Column(name="value", dtype=pl.Float64(), role="label", modality="numeric", **known),  # type: ignore[arg-type]
        ),
        expectations=(),
    )


def parts(whole: pl.DataFrame, at: Borders) -> dict[str, pl.DataFrame]:
    """Train, val and test."""
    date = pl.col("date")
    return {
        "train": whole.filter(date < at.val),
        "val": whole.filter((date >= at.val) & (date < at.test)),
        "test": whole.filter((date >= at.test) & (date < at.end)),
    }


def tensors(fitted: Preprocessor, split: dict[str, pl.DataFrame]) -> dict[str, dict[str, object]]:
    """The samples of each part, which look back at those before it."""
    assert fitted.series is not None
    found: dict[str, dict[str, object]] = {}
    before: list[pl.DataFrame] = []
    for name, part in split.items():
        past = tail(pl.concat(before).lazy(), fitted.series) if before else None
        _, encoded = fitted.samples(part, past=past)
        found[name] = encoded.tensors()
        before.append(part)
    return found


def measured(split: dict[str, pl.DataFrame], horizon: int, kinds: Sequence[str], seeds: int) -> dict[str, list[Error]]:
    """Errors on test by model, one a seed; baselines are the same for all."""
    series = SeriesSettings(window=WINDOW, horizon=horizon)
    fitted = preprocessor.fit(
        split["train"].lazy(), contract(), {**NormalizeSettings().by_modality(), "series": series}
    )
    target, known = fitted.target, tensors(fitted, split)
    assert isinstance(target, Forecast)
    truth_NH = target.truth(known["test"][LABEL])  # type: ignore[arg-type] # windows
    seen = forecasts.label_of(known["test"], target)
    told = {name: answer(seen) for name, answer in forecasts.fit(known["train"], target).items()}
    found: dict[str, list[Error]] = {name: [_error(truth_NH, target.decode(a_NH))] for name, a_NH in told.items()}
    for kind in kinds:
        settings = train.TrainSettings(model="linear", series=SeriesNetworkSettings(kind=kind))
        shape = train.shape(fitted, settings, known["train"])
        for seed in range(seeds):
            with TemporaryDirectory() as folder:
                kept = train.fit(known, shape, target, settings, seed=seed, curves=Path(folder) / "curves")
            a_NH = network.answers(kept.network(), network.tensors(known["test"]), target)
            found.setdefault(f"keepfit, {kind}", []).append(_error(truth_NH, a_NH))
            print(f"{kind}, seed {seed}: {found[f'keepfit, {kind}'][-1]}", file=sys.stderr, flush=True)
    return found


def _error(truth_NH: np.ndarray, a_NH: np.ndarray) -> Error:
    one = np.ones((1, len(truth_NH)))
    return Error(*(float(forecasting.EACH[name](truth_NH, a_NH, 1.0, one)[0]) for name in ("mse", "mae")))


def line(name: str, horizon: int, errors: Sequence[Error]) -> str:
    """A row of the table: the mean over seeds, or folds, and how far they are apart."""
    mse, mae = np.array(errors).T
    apart = f" (from {mse.min():.3f} to {mse.max():.3f})" if len(mse) > 1 else ""
    return f"| {horizon} | {name} | {mse.mean():.3f}{apart} | {mae.mean():.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--horizons", nargs="+", type=int, default=list(PUBLISHED))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["dlinear"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=1, help="origins of a walk-forward evaluation")
    asked = parser.parse_args()
    if not FILE.is_file():
        sys.exit(f"{FILE} is not here: nothing to measure")
    whole = rows()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, GPU: {torch.cuda.is_available()}\n")
    print("| horizon | model | MSE on test | MAE |\n|---|---|---|---|")
    for horizon in asked.horizons:
        found: dict[str, list[Error]] = {}
        for at in borders(whole["date"].min(), asked.folds):  # type: ignore[arg-type] # a stamp
            for name, errors in measured(parts(whole, at), horizon, asked.kinds, asked.seeds).items():
                found.setdefault(name, []).extend(errors)
        if horizon in PUBLISHED and asked.folds == 1:
            linear, repeat = PUBLISHED[horizon]
            found |= {"DLinear, published": [Error(*linear)], "Repeat, published": [Error(*repeat)]}
        print("\n".join(line(name, horizon, errors) for name, errors in found.items()), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\n{sum(resource.getrusage(resource.RUSAGE_SELF)[:2]):,.0f} s of CPU, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()

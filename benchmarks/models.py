"""Tables: keepfit's backbones as they come, beside linear models and boosted trees, and what papers publish.

python -m benchmarks.models                                        every set and model, 3 seeds: some hours on 2 cores
python -m benchmarks.models --sets adult --rows 5000 --seeds 1     a part of it

Every model learns from the same rows of train and stops by the same fifth of them, left out as the papers do; keepfit
goes its own way from typed rows (preprocessor.fit, train.shape, train.fit) with the settings that it has where
params.yaml says nothing. The boosted trees take numbers with their gaps and categories as they are, the linear models
scaled numbers and one-hot categories. Seeds change a model and what it draws, not the split.

Adult: the published split. California: no file of the published split is here, so a fifth of the rows, drawn once, is
test and a fifth of the rest is val, of the sizes published, and the 8 columns are derived as in the published data.
Published figures: Gorishniy et al. 2021 (https://arxiv.org/abs/2106.11959), tables 2 and 4, and Gorishniy et al. 2025
(https://arxiv.org/abs/2410.24210), the tables of its appendix; tuned unless it says otherwise.
"""

import argparse
import math
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import pandas as pd
import pandera.polars as pa
import polars as pl
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipeline.contract import Column, Contract
from pipeline.features import preprocessor
from pipeline.models import network
from pipeline.models.choices.auto import BackboneName
from pipeline.stages import train
from pipeline.stages.normalize import NormalizeSettings

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "tables"
VAL_SHARE = TEST_SHARE = 0.2
SPLIT_SEED = 0
TREES, TREES_PATIENCE = 2_000, 50
NETWORKS = ("auto", *get_args(BackboneName))
BASELINES = ("linear model", "HistGradientBoosting", "LightGBM")
ADULT = (
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship"),
    *("race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income"),
)


@dataclass(frozen=True, kw_only=True)
class Set:
    """A table in three parts: its label is the last column, numbers are features of numbers, texts categories."""

    name: str
    train: pl.DataFrame
    val: pl.DataFrame
    test: pl.DataFrame
    metric: str
    published: Mapping[str, float]

    @property
    def label(self) -> str:
        return self.train.columns[-1]

    @property
    def classes(self) -> bool:
        return self.train[self.label].dtype == pl.String

    @property
    def numbers(self) -> list[str]:
        return [name for name, kind in self.train.schema.items() if kind.is_numeric() and name != self.label]

    @property
    def categories(self) -> list[str]:
        return [name for name in self.train.columns if name not in (*self.numbers, self.label)]

    def contract(self) -> Contract:
        """The contract of the table, as one would write it."""
        columns = [
            Column(
                name=name,
                dtype=kind,
                nullable=True,
                role="label" if name == self.label else "feature",
                modality="numeric" if kind.is_numeric() else "categorical",
            )
            for name, kind in self.train.schema.items()
        ]
        return Contract(
            file=Path(f"{self.name}.py"), schema=pa.DataFrameSchema({}), columns=tuple(columns), expectations=()
        )

    def score(self, answer_NK: np.ndarray) -> float:
        """Accuracy of (N, K) probabilities of sorted classes, or the root mean square error of (N, 1) values."""
        truth = self.test[self.label]
        if not self.classes:
            return float(np.sqrt(np.mean((answer_NK[:, 0] - truth.to_numpy()) ** 2)))
        classes = np.array(sorted(self.train[self.label].unique()))
        return float(np.mean(classes[answer_NK.argmax(axis=1)] == truth.to_numpy()))


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training: the score on test, seconds on the clock and of the processor, and what there is to add."""

    score: float
    seconds: float
    cpu_seconds: float
    note: str = ""


def adult(rows: int | None) -> Set:
    """48,842 people of the census of 1994: is the income over 50,000 $? Its gaps are marked `?`."""
    known, test = (_adult(DATA / "adult" / f"{part}.csv") for part in ("train", "test"))
    fitted, val = _left_out(known, VAL_SHARE, rows)
    published = {
        "MLP (2021)": 0.852,
        "FT-Transformer, default (2021)": 0.857,
        "XGBoost, default (2021)": 0.874,
        "MLP (2025)": 0.854,
        "MLP, periodic embedding (2025)": 0.869,
        "TabM-mini, piecewise-linear embedding (2025)": 0.870,
    }
    return Set(name="adult", train=fitted, val=val, test=test, metric="accuracy", published=published)


def _adult(file: Path) -> pl.DataFrame:
    rows = pl.read_csv(file, has_header=False, new_columns=list(ADULT), infer_schema_length=None)
    text = pl.col(pl.String).str.strip_chars().str.strip_suffix(".").replace("?", None)
    numbers = ["age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
    known = rows.filter(pl.col("income").is_not_null())  # the file ends with an empty line
    return known.with_columns(text).with_columns(pl.col(numbers).cast(pl.Float64))


def california(rows: int | None) -> Set:
    """20,640 districts of 1990: the median value of a house, in 100,000 $."""
    raw = pl.read_csv(DATA / "california" / "housing.csv")
    derived = raw.select(
        "median_income",
        "housing_median_age",
        rooms=pl.col("total_rooms") / pl.col("households"),
        bedrooms=pl.col("total_bedrooms") / pl.col("households"),
        population="population",
        occupants=pl.col("population") / pl.col("households"),
        latitude="latitude",
        longitude="longitude",
        value=pl.col("median_house_value") / 100_000,
    )
    known, test = _left_out(derived, TEST_SHARE, None)
    fitted, val = _left_out(known, VAL_SHARE, rows)
    published = {
        "MLP (2021)": 0.499,
        "FT-Transformer, default (2021)": 0.469,
        "CatBoost, default (2021)": 0.430,
        "MLP (2025)": 0.495,
        "MLP, piecewise-linear embedding (2025)": 0.453,
        "TabM (2025)": 0.441,
    }
    return Set(name="california", train=fitted, val=val, test=test, metric="RMSE", published=published)


SETS: Mapping[str, Callable[[int | None], Set]] = {"adult": adult, "california": california}


def _left_out(known: pl.DataFrame, share: float, rows: int | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(the rest, the share that is left out), both at random; with `rows`, so many of them together."""
    order = np.random.default_rng(SPLIT_SEED).permutation(known.height)[:rows]
    out = math.ceil(share * len(order))
    return known[order[out:]], known[order[:out]]


def keepfit(table: Set, model: str, seed: int, settings: Mapping[str, Any]) -> Run:
    """keepfit with nothing set but the backbone, and `settings` of the section train."""
    chosen = train.TrainSettings.model_validate({"model": model, **settings})
    with timed() as spent, TemporaryDirectory() as folder:
        fitted = preprocessor.fit(table.train.lazy(), table.contract(), NormalizeSettings().by_modality())
        parts = {"train": fitted.encode(table.train).tensors(), "val": fitted.encode(table.val).tensors()}
        shape = train.shape(fitted, chosen, parts["train"])
        kept = train.fit(parts, shape, fitted.target, chosen, seed=seed, curves=Path(folder) / "curves")
    made = kept.network()
    inputs = network.tensors(fitted.encode(table.test.drop(table.label)).inputs)
    weights = sum(parameter.numel() for parameter in made.parameters())
    best = kept.best.epoch if kept.best else 0
    note = f"{shape.backbone}, {weights:,} weights, best epoch {best} of {len(kept.history)}"
    return Run(
        score=table.score(network.answers(made, inputs, fitted.target)),
        note=note,
        seconds=spent.seconds,
        cpu_seconds=spent.cpu_seconds,
    )


def baseline(table: Set, name: str, seed: int) -> Run:
    """A model of scikit-learn or LightGBM on the raw columns."""
    with timed() as spent, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer_NK = {"linear model": linear, "HistGradientBoosting": boosted, "LightGBM": lightgbm}[name](table, seed)
    return Run(score=table.score(answer_NK), seconds=spent.seconds, cpu_seconds=spent.cpu_seconds)


def linear(table: Set, seed: int) -> np.ndarray:
    """Logistic or linear regression on scaled numbers and one-hot categories."""
    inputs = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), table.numbers),
        (OneHotEncoder(handle_unknown="ignore"), table.categories),
    )
    model = LogisticRegression(max_iter=1_000, random_state=seed) if table.classes else LinearRegression()
    return _answers(table, make_pipeline(inputs, model).fit(_features(table, "train"), table.train[table.label]))


def boosted(table: Set, seed: int) -> np.ndarray:
    """scikit-learn's boosted trees, as many as val says."""
    kind = HistGradientBoostingClassifier if table.classes else HistGradientBoostingRegressor
    model = kind(
        max_iter=TREES,
        early_stopping=True,
        n_iter_no_change=TREES_PATIENCE,
        random_state=seed,
        categorical_features=table.categories,
    )
    train_X, val_X = _features(table, "train"), _features(table, "val")
    return _answers(table, model.fit(train_X, table.train[table.label], X_val=val_X, y_val=table.val[table.label]))


def lightgbm(table: Set, seed: int) -> np.ndarray:
    """LightGBM, as many trees as val says."""
    from lightgbm import LGBMClassifier, LGBMRegressor, early_stopping

    kind = LGBMClassifier if table.classes else LGBMRegressor
    model = kind(n_estimators=TREES, random_state=seed, verbose=-1)
    label = table.label
    model.fit(
        _features(table, "train"),
        table.train[label].to_numpy(),
        eval_set=[(_features(table, "val"), table.val[label].to_numpy())],
        callbacks=[early_stopping(TREES_PATIENCE, verbose=False)],
    )
    return _answers(table, model)


def _features(table: Set, part: str) -> pd.DataFrame:
    """The features of a part, categories as such: what train does not have is missing."""
    rows: pl.DataFrame = getattr(table, part)
    known = {name: table.train[name].drop_nulls().unique().sort().to_list() for name in table.categories}
    columns: dict[str, Any] = {name: rows[name].to_numpy() for name in table.numbers}
    return pd.DataFrame(columns | {n: pd.Categorical(rows[n].to_list(), categories=known[n]) for n in known})


def _answers(table: Set, model: Any) -> np.ndarray:
    test_X = _features(table, "test")
    found: np.ndarray = model.predict_proba(test_X) if table.classes else model.predict(test_X)[:, None]
    return found


class timed:  # noqa: N801 # a context manager reads as a verb
    """Seconds on the clock and of this process's processors within the block."""

    def __enter__(self) -> "timed":
        self.started = time.perf_counter(), self._cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.started[0]
        self.cpu_seconds = self._cpu() - self.started[1]

    @staticmethod
    def _cpu() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def table_of(table: Set, runs: Mapping[str, Sequence[Run]]) -> str:
    """A Markdown table: each model's mean score and deviation over the seeds, and its time; then what is published."""
    better = "more" if table.classes else "less"
    lines = [
        f"{table.name}: {table.train.height:,} rows of train, {table.val.height:,} of val, {table.test.height:,} of "
        f"test; {table.metric}, {better} is better.",
        "",
        f"| model | {table.metric} | ± | seconds | of processors | |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in runs.items():
        scores, seconds, cpu = (np.array([getattr(r, k) for r in each]) for k in ("score", "seconds", "cpu_seconds"))
        spread = f"{scores.std(ddof=1):.4f}" if len(each) > 1 else ""
        figures = f"{scores.mean():.4f} | {spread} | {seconds.mean():.1f} | {cpu.mean():.1f}"
        lines.append(f"| {name} | {figures} | {each[0].note} |")
    lines += [f"| published: {name} | {score:.3f} | | | | |" for name, score in table.published.items()]
    return "\n".join(lines)


def measured(table: Set, models: Iterable[str], seeds: int, settings: Mapping[str, Any]) -> dict[str, list[Run]]:
    """Every model once for each seed, told as it comes."""
    runs: dict[str, list[Run]] = {}
    for model in models:
        for seed in range(seeds):
            run = baseline(table, model, seed) if model in BASELINES else keepfit(table, model, seed, settings)
            name = model if model in BASELINES else f"keepfit {model}"
            runs.setdefault(name, []).append(run)
            told = f"{table.name} {name} seed {seed}: {run.score:.4f} in {run.seconds:.1f} s {run.note}"
            print(told, file=sys.stderr, flush=True)
    return runs


def main() -> None:
    known = [*BASELINES, *NETWORKS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--models", nargs="+", choices=known, default=[*BASELINES, "auto", "mlp", "resnet", "tabm"])
    parser.add_argument("--rows", type=int, help="so many rows of train and val together; all test rows stay")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of the section train, in YAML")
    asked = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"{DATA} is not here: nothing to measure")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, GPU: {torch.cuda.is_available()}\n")
    for name in asked.sets:
        table = SETS[name](asked.rows)
        print(table_of(table, measured(table, asked.models, asked.seeds, _given(asked.set))), end="\n\n", flush=True)


def _given(pairs: Iterable[str]) -> dict[str, Any]:
    """`optimizer.learning_rate=0.002` → the nested settings."""
    import yaml

    found: dict[str, Any] = {}
    for pair in pairs:
        path, value = pair.split("=", 1)
        *groups, last = path.split(".")
        place = found
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = yaml.safe_load(value)
    return found


if __name__ == "__main__":
    main()

"""Wrong labels planted in real tables: 10% of the labels become another class, and who finds them?

Average precision of 1 - self-confidence beside random order and beside one model's own (plain logistic regression,
out of fold), then precision and recall of the rows that the check flags, beside those that the confident joint
(Northcutt, Jiang & Chuang 2021, equations 1 and 2) would flag from the same probabilities. The same tables with
their labels as published come last: there each flagged row is likely a false alarm.

python -m benchmarks.label_errors [DATA] (default: ../shared/data; scikit-learn's own tables need none)
"""

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandera.polars as pa
import polars as pl
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.checks.labels import LabelError, Opinions, opinions
from pipeline.contract import Column, Contract, Modality, Role
from pipeline.labels import confident
from pipeline.quality.findings import Hit, Table

SEED = 20130101
SHARE = 0.1
LABEL = "label"


def adult(data: Path) -> pl.DataFrame:
    rows = pl.read_csv(data / "tables/adult/train.csv", has_header=False, null_values=[" ?", "?"])
    rows = rows.rename({rows.columns[-1]: LABEL})
    return rows.drop_nulls(LABEL).with_columns(pl.col(LABEL).str.strip_chars())


def sms(data: Path) -> pl.DataFrame:
    return pl.read_csv(
        data / "text/sms.tsv", separator="\t", has_header=False, quote_char=None, new_columns=[LABEL, "text"]
    )


def fashion(data: Path) -> pl.DataFrame:
    with np.load(data / "demos/fashion_train_6000.npz") as held:
        pictures, labels = (held[name] for name in held.files)
    pixels = {f"pixel_{i}": column for i, column in enumerate(pictures.reshape(len(labels), -1).T.astype(np.float32))}
    return pl.DataFrame({**pixels, LABEL: labels.astype(str)})


def bundled(load: Callable[[], object]) -> Callable[[Path], pl.DataFrame]:
    def read(_: Path) -> pl.DataFrame:
        held = load()
        numbers = {f"x{i}": column for i, column in enumerate(held.data.T.astype(float))}  # type: ignore[attr-defined]
        return pl.DataFrame({**numbers, LABEL: held.target.astype(str)})  # type: ignore[attr-defined]

    return read


SETS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "wine": bundled(datasets.load_wine),
    "breast_cancer": bundled(datasets.load_breast_cancer),
    "digits": bundled(datasets.load_digits),
    "sms": sms,
    "fashion, 6,000": fashion,
    "adult": adult,
}


def table(rows: pl.DataFrame) -> Table:
    """The rows, `label` as the label, `text` as text, all else as numbers or categories."""
    columns = tuple(_column(name, dtype) for name, dtype in rows.schema.items())
    schema = pa.DataFrameSchema({column.name: pa.Column(column.dtype, nullable=True) for column in columns})
    numbered = rows.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("row_id"))
    return Table(
        contract=Contract(file=Path("bench.py"), schema=schema, columns=columns, expectations=()),
        partitions={"rows": numbered.lazy()},
        unparsed=pl.LazyFrame(schema={"row_id": pl.String, "column": pl.String, "raw": pl.String}),
        height=rows.height,
    )


def flipped(rows: pl.DataFrame, share: float) -> tuple[pl.DataFrame, np.ndarray]:
    """A share of the labels is another class, uniformly; which ones (N)."""
    random = np.random.default_rng(SEED)
    classes = sorted(rows[LABEL].unique().to_list())
    codes = rows[LABEL].replace_strict({c: i for i, c in enumerate(classes)}, return_dtype=pl.Int64).to_numpy()
    wrong_N = random.random(rows.height) < share
    steps = np.where(wrong_N, random.integers(1, len(classes), rows.height), 0)
    labels = pl.Series(LABEL, [classes[code] for code in (codes + steps) % len(classes)])
    return rows.with_columns(labels), wrong_N


def self_confidence(p_NK: np.ndarray, y_N: np.ndarray) -> np.ndarray:
    return p_NK[np.arange(len(y_N)), y_N]


def plain(found: Opinions) -> np.ndarray:
    """p_NK of logistic regression on standardised numbers or on words: what one writes in five lines."""
    names = [column.name for column in found.features]
    if names == ["text"]:
        return confident.probabilities(found.rows, found.features, found.y_N, np.arange(len(found.y_N)) % 5)
    x_NF = np.nan_to_num(confident.inputs(found.rows, found.features))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=50))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers: np.ndarray = cross_val_predict(model, x_NF, found.y_N, method="predict_proba")
    return answers


def joint(p_NK: np.ndarray, y_N: np.ndarray) -> np.ndarray:
    """The rows (N, bool) off the diagonal of the confident joint: thresholds are the classes' mean self-confidence."""
    t_K = np.array([p_NK[y_N == k, k].mean() for k in range(p_NK.shape[1])])
    over_NK = np.where(p_NK >= t_K, p_NK, -1.0)
    return (over_NK.max(axis=1) > 0) & (over_NK.argmax(axis=1) != y_N)


def found_of(flagged_N: np.ndarray, wrong_N: np.ndarray) -> str:
    if not flagged_N.any():
        return "none"
    hit = (flagged_N & wrong_N).sum()
    return f"{flagged_N.sum():,}: {hit / flagged_N.sum():.2f} / {hit / max(wrong_N.sum(), 1):.2f}"


def row(name: str, rows: pl.DataFrame, share: float) -> str:
    planted, wrong_N = flipped(rows, share)
    of = table(planted)
    began = time.perf_counter()
    hits = [said for said in LabelError().hits(of) if isinstance(said, Hit)]
    seconds = time.perf_counter() - began
    found = opinions(of)
    assert isinstance(found, Opinions)
    looked = found.rows["row_id"].cast(pl.Int64).to_numpy()
    wrong_N = wrong_N[looked]
    flags = {place for hit in hits if hit.flags is not None for place in hit.flags["row_id"].cast(pl.Int64)}
    flagged_N = np.isin(looked, list(flags))
    joint_N = joint(found.p_NK, found.y_N)
    if not share:
        severity = hits[0].severity if hits else ""
        return f"| {name} | {len(looked):,} | {flagged_N.sum():,} {severity} | {joint_N.sum():,} | {seconds:.1f} |"
    ours, theirs = (
        average_precision_score(wrong_N, 1 - self_confidence(p, found.y_N)) for p in (found.p_NK, plain(found))
    )
    return (
        f"| {name} | {len(looked):,} | {wrong_N.mean():.2f} | {theirs:.3f} | {ours:.3f} "
        f"| {found_of(flagged_N, wrong_N)} | {found_of(joint_N, wrong_N)} | {seconds:.1f} |"
    )


def main(data: Path) -> None:
    head = "| table | rows | random | plain | keepfit | flagged: precision / recall | joint: precision / recall | s |"
    print(f"{head}\n|---|---|---|---|---|---|---|---|")
    sets = {name: read(data) for name, read in SETS.items() if data.is_dir() or name in ("wine", "digits")}
    for name, rows in sets.items():
        print(row(name, rows, SHARE), flush=True)
    print("\n| labels as published | rows | flagged | joint | s |\n|---|---|---|---|---|")
    for name, rows in sets.items():
        print(row(name, rows, 0.0), flush=True)


def _column(name: str, dtype: pl.DataType) -> Column:
    modality: Modality = "text" if name == "text" else "numeric" if dtype.is_numeric() else "categorical"
    role: Role = "label" if name == LABEL else "feature"
    return Column(name=name, dtype=dtype, nullable=True, role=role, modality=modality if role == "feature" else None)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data"))

"""Published JSON as the stages write it, made up but life-like: deterministic, no clock, no randomness."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.workspace import Workspace

Json = dict[str, Any]
COLUMNS = [
    "temp", "dewp", "humid", "precip", "pressure", "visib", "wind_dir", "wind_gust", "wind_speed", "carrier",
    "dest", "engine", "flight", "manufacturer", "origin", "plane_type", "tailnum", "arrives_minute", "departs",
    "departs_minute", "distance", "plane_year", "seats", "month_day",
]  # fmt: skip
TIMES = {"temp": 1.0, "dewp": 0.95, "departs": 1.1, "humid": 0.3, "pressure": 0.4, "wind_gust": 0.25, "visib": 0.2}
METRICS = ("auc", "average_precision", "log_loss", "accuracy", "precision", "recall", "f1", "brier")
TESTED = {
    "candidate": (0.7481, 0.4712, 0.4531, 0.7812, 0.4405, 0.5713, 0.4974, 0.1432),
    "hist_gradient_boosting": (0.7406, 0.4598, 0.4607, 0.7764, 0.4321, 0.5688, 0.4911, 0.1457),
    "logistic_regression": (0.7174, 0.4252, 0.4792, 0.7603, 0.4058, 0.5512, 0.4675, 0.1523),
    "champion": (0.7302, 0.4443, 0.4688, 0.7688, 0.4196, 0.5634, 0.4810, 0.1489),
    "majority": (0.5, 0.2201, 0.5271, 0.7799, 0.2201, 1.0, 0.3608, 0.1717),
}


def scores(values: tuple[float, ...], spread: float | None = 0.008) -> Json:
    return {name: score(value, spread) for name, value in zip(METRICS, values, strict=True)}


def score(value: float, spread: float | None) -> Json:
    if spread is None:
        return {"value": value, "low": None, "high": None}
    return {"value": value, "low": max(value - spread, 0.0), "high": min(value + spread, 1.0)}


def finding(check: str, severity: str, column: str | None, rows: int, message: str, **more: Any) -> Json:
    return {
        "check": check,
        "severity": severity,
        "column": column,
        "rows": rows,
        "fraction": rows / 135_312,
        "observed": None,
        "threshold": None,
        "message": message,
        "suggestion": "look at the source, then decide",
        "examples": [],
        "policy": "warn",
        **more,
    }


def quality() -> Json:
    found = [
        finding(
            "missing_label",
            "warning",
            "late",
            4_203,
            "4,203 rows have no label `late`",
            policy="quarantine",
            suggestion="they are set aside with the reason; label them and ingest again to use them",
            examples=[f"2013-01.csv.gz#{n}" for n in (839, 840, 841, 842, 843)],
        ),
        finding(
            "schema_values",
            "error",
            "wind_dir",
            3,
            "wind_dir breaks in [0, 360] in 3 rows",
            policy="quarantine",
            examples=["2013-02.csv.gz#17: 400", "2013-02.csv.gz#18: 999"],
            observed=999.0,
            threshold=360.0,
        ),
        finding(
            "missing_values",
            "info",
            "wind_gust",
            102_941,
            "wind_gust is missing in 76.1% of the rows",
            observed=0.761,
            threshold=0.05,
        ),
        finding(
            "missing_values",
            "info",
            "plane_year",
            22_104,
            "plane_year is missing in 16.3% of the rows",
            observed=0.163,
            threshold=0.05,
        ),
        finding(
            "duplicate_rows_exact", "warning", None, 12, "12 rows equal an earlier row in every column", policy="repair"
        ),
        finding(
            "class_balance",
            "info",
            "late",
            0,
            "class true of late has 23.60% of the labelled rows",
            observed=0.236,
            threshold=0.3,
        ),
        finding(
            "time_gaps",
            "warning",
            "departs",
            0,
            "3 steps of 1h have no row, in 2 stretches",
            examples=["after 2013-02-09 01:00 until 2013-02-09 04:00"],
        ),
    ]
    profile: dict[str, Json] = {
        name: {
            "missing": int(
                135_312 * (0.76 if name == "wind_gust" else 0.16 if name.startswith("plane") else 0.004 * (i % 3))
            ),
            "distinct": 17 * (i + 1),
            **(
                {"min": None, "max": None, "mean": None}
                if name in COLUMNS[9:17]
                else {"min": -3.5 * i, "max": 40.0 + 31 * i, "mean": 9.0 + 11 * i}
            ),
        }
        for i, name in enumerate(COLUMNS)
    }
    profile["departs"] |= {"min": "2013-01-01T05:15:00", "max": "2013-05-31T23:59:00", "mean": "2013-03-18T02:11:00"}
    batches = [
        {
            "batch": f"2013-0{m}.csv.gz",
            "rows": 26_000 + 311 * m,
            "sampled_rows": None,
            "success": m != 2,
            "failed": ["wind_dir: values at most 360, got 999 in 3 rows"] if m == 2 else [],
            "expectations": 31,
            "page": f"batches/2013-0{m}.csv.gz/1.html",
        }
        for m in range(1, 6)
    ]
    return {"rows": 135_312, "columns": 40, "findings": found, "profile": profile, "batches": batches}


def ledger() -> Json:
    rows, merged, out, repaired = 135_312, 12, 4_206, 431
    kept = rows - merged - out
    reasons = {
        "missing_label: late": 4_203,
        "merged: equals an earlier row": merged,
        "schema_values: wind_dir": 3,
    }
    return {
        "rows_in": rows,
        "kept": kept,
        "repaired": repaired,
        "merged": merged,
        "quarantined": out,
        "stages": [
            {
                "stage": "ingest",
                "rows_in": rows,
                "kept": rows,
                "repaired": 0,
                "merged": 0,
                "quarantined": 0,
                "reasons": {},
            },
            {
                "stage": "clean",
                "rows_in": rows,
                "kept": kept,
                "repaired": repaired,
                "merged": merged,
                "quarantined": out,
                "reasons": reasons,
            },
        ],
    }


def evaluation() -> Json:
    tested = {model: {"test": scores(values)} for model, values in TESTED.items()}
    for split, gain in (("train", 0.021), ("val", 0.006)):
        own = tuple(
            v - gain if name in ("log_loss", "brier") else v + gain
            for name, v in zip(METRICS, TESTED["candidate"], strict=True)
        )
        tested["candidate"][split] = scores(own, None)
    power = {
        "candidate": 3.1,
        "hist_gradient_boosting": 2.95,
        "champion": 2.8,
        "logistic_regression": 2.6,
        "majority": 1.0,
    }
    grid = [i / 100 for i in range(101)]
    epochs = list(range(1, 9))
    return {
        "label": "late",
        "classes": ["false", "true"],
        "seed": 20130101,
        "candidate": "c0ffee123456",
        "champion": "v1",
        "rows": {"train": 112_804, "val": 9_146, "test": 9_144},
        "positive_share": {"train": 0.238, "val": 0.214, "test": 0.2201},
        "window": {"first": "2013-01-01T05:15:00", "last": "2013-07-31T23:59:00"},
        "thresholds": {"candidate": 0.31},
        "scores": tested,
        "paired": [
            {
                "model": model,
                "metric": name,
                "difference": gain,
                "low": gain - 0.0036,
                "high": gain + 0.0036,
                "resamples": 200,
            }
            for name in ("auc", "average_precision", "log_loss")
            for model, gain in (
                ("majority", 0.2481),
                ("logistic_regression", 0.0307),
                ("hist_gradient_boosting", 0.0025 if name != "auc" else 0.0075),
                ("champion", 0.0179),
            )
        ],
        "fit": {"word": "fits", "why": "AUC is 0.769 on train, 0.754 on val, 0.748 on test: the gap is within 0.05"},
        "roc": {m: [[x, 1 - (1 - x) ** p] for x in grid] for m, p in power.items()},
        "precision_recall": {m: [[x, 0.22 + (0.13 * p) * (1 - x) ** 1.6] for x in grid] for m, p in power.items()},
        "calibration": {
            m: [
                [0.03 + 0.07 * i, (0.03 + 0.07 * i) ** (1 + 0.03 * p) + 0.004 * math.sin(i * p), 914] for i in range(10)
            ]
            for m, p in power.items()
        },
        "confusion": [[5_871, 1_260], [863, 1_150]],
        "curves": {
            "epoch": epochs,
            "train_loss": [0.52 - 0.014 * e + 0.0006 * e * e for e in epochs],
            "val_loss": [0.505 - 0.016 * e + 0.0014 * e * e for e in epochs],
            "train_auc": [0.69 + 0.082 * (1 - math.exp(-e / 3)) for e in epochs],
            "val_auc": [0.70 + 0.056 * (1 - math.exp(-e / 2)) - 0.0012 * max(e - 6, 0) for e in epochs],
        },
        "best_epoch": 6,
    }


def estimation() -> Json:
    """An evaluation of a quantity: prices that are told the worse the higher they are."""
    tested = {"candidate": 696.0, "hist_gradient_boosting": 586.0, "ridge": 2_043.0, "mean": 3_999.0}
    truth = [350 + 45 * i for i in range(400)]
    off = [math.sin(7 * i) * 0.08 * price for i, price in enumerate(truth)]
    tenths = [600 + 1_250 * i for i in range(10)]
    return evaluation() | {
        "label": "price",
        "target": "quantity",
        "classes": [],
        "champion": None,
        "positive_share": {},
        "thresholds": {},
        "scores": {
            model: {
                part: quantities(rmse) for part in (("train", "val", "test") if model == "candidate" else ("test",))
            }
            for model, rmse in tested.items()
        },
        "paired": [
            {
                "model": model,
                "metric": "rmse",
                "difference": rmse - 696,
                "low": rmse - 716,
                "high": rmse - 676,
                "resamples": 200,
            }
            for model, rmse in tested.items()
            if model != "candidate"
        ],
        "fit": {"word": "fits", "why": "R² is 0.974 on train, 0.969 on val, 0.970 on test: the gap is within 0.05"},
        "roc": {},
        "precision_recall": {},
        "calibration": {},
        "confusion": [],
        "curves": {
            key: [3_000.0 / e if "rmse" in key else 1.0 / e if "loss" in key else e for e in range(1, 9)]
            for key in ("epoch", "train_loss", "train_rmse", "val_loss", "val_rmse")
        },
        "predicted": [[price, price + error] for price, error in zip(truth, off, strict=True)],
        "residuals": [
            {"rows": 688, "answer": at, "truth": at + 5, "low": -0.1 * at, "high": 0.1 * at, "absolute": 0.05 * at}
            for at in tenths
        ],
    }


def quantities(rmse: float) -> Json:
    """The scores of a model of that RMSE."""
    around = {"low": 0.95, "high": 1.05}
    scaled = {"rmse": rmse, "mae": rmse / 2, "median_absolute_error": rmse / 4}
    found = {n: {"value": v} | {end: v * factor for end, factor in around.items()} for n, v in scaled.items()}
    explained = {"value": 1 - (rmse / 4_000) ** 2, "low": 0.0, "high": 1.0}
    return found | {"r2": explained, "skill": explained}


def drift(column: str, effect: float, least: float = 0.2) -> Json:
    return {
        "column": column,
        "modality": "numeric" if column not in COLUMNS[9:17] else "categorical",
        "effect": effect,
        "statistic": "Kolmogorov-Smirnov" if column not in COLUMNS[9:17] else "Jensen-Shannon",
        "p": 1e-12 if effect > 0.02 else 0.4,
        "p_adjusted": 1e-11 if effect > 0.02 else 0.6,
        "drifted": effect >= least,
        "reference_missing": 0.002,
        "batch_missing": 0.004,
    }


def record(
    at: int, batch: str, version: str, own: float, first: float, promoted: str | None = None, *, retrain: bool = False
) -> Json:
    season = math.sin((at + 1.5) / 8 * math.pi)
    columns = [
        drift(name, min(0.03 + TIMES.get(name, 0.06) * (0.55 * season + 0.05 * (i % 3)), 1.0))
        for i, name in enumerate(COLUMNS)
    ]
    reasons = [
        "a share 0.33 of the features drifted (at least 0.3 counts): departs 0.63, temp 0.58",
        "26,874 labelled rows to learn from",
        f"live auc {own:.3f} against 0.745 at promotion: within the tolerated drop of 0.02",
    ]
    outcome = {
        "version": promoted,
        "promoted": promoted is not None,
        "reasons": [
            "beats logistic_regression: auc +0.0307 (95% interval +0.0271 to +0.0343, same test rows), gain asked 0"
        ],
        "batch_rows_in_training": 21_422,
    }
    return {
        "batch": batch,
        "sha256": "ab" * 32,
        "rows": 28_243 + 113 * at,
        "labelled": 27_110 + 97 * at,
        "champion": version,
        "monitored_at": f"2026-11-21T11:{20 + at}:05+00:00",
        "findings": [
            finding("missing_label", "warning", "late", 1_133, "1,133 rows have no label `late`", policy="quarantine")
        ],
        "ledger": [
            {
                "stage": "ingest",
                "rows_in": 28_243 + 113 * at,
                "kept": 28_243 + 113 * at,
                "repaired": 0,
                "merged": 0,
                "quarantined": 0,
                "reasons": {},
            },
            {
                "stage": "clean",
                "rows_in": 28_243 + 113 * at,
                "kept": 27_110 + 97 * at,
                "repaired": 0,
                "merged": 0,
                "quarantined": 1_133 + 16 * at,
                "reasons": {"missing_label: late": 1_133 + 16 * at},
            },
        ],
        "drift": {
            "columns": columns,
            "drifted_share": sum(c["drifted"] for c in columns) / len(columns),
            "prediction": drift("prediction", 0.03 + 0.12 * season, 0.1),
            "label": drift("late", 0.02 + 0.1 * season, 0.1),
        },
        "live": {
            "champion": scores((own, *TESTED["champion"][1:]), 0.007),
            "first": scores((first, *TESTED["champion" if own == first else "logistic_regression"][1:]), 0.007),
        },
        "reference": scores((0.745, *TESTED["candidate"][1:])),
        "decision": {
            "retrain": retrain,
            "reasons": reasons if retrain else reasons[2:],
            "evidence": {"metric": "auc", "rows": 28_243},
        },
        "outcome": outcome if retrain else None,
    }


def records() -> list[Json]:
    made = [
        record(0, "2013-06.csv.gz", "v1", 0.7386, 0.7386, "v2", retrain=True),
        record(1, "2013-07.csv.gz", "v2", 0.7441, 0.7297, "v3", retrain=True),
        record(2, "2013-08.csv.gz", "v3", 0.7214, 0.7003),
        record(3, "2013-09.csv.gz", "v3", 0.7018, 0.6722, None, retrain=True),
        record(4, "2013-10.csv.gz", "v3", 0.6907, 0.6511, "v4", retrain=True),
        record(5, "2013-11.csv.gz", "v4", 0.7022, 0.6604),
        record(6, "2013-12.csv.gz", "v4", 0.7255, 0.6981),
    ]
    return made


def published() -> dict[str, Json]:
    """Every file of a finished demo by its place in the workspace."""
    files = {
        "reports/quality.json": quality(),
        "reports/ledger.json": ledger(),
        "reports/evaluation.json": evaluation(),
        "models/champion.json": {
            "version": "v4",
            "identity": "c0ffee123456",
            "promoted_at": "2026-11-21T11:24:31+00:00",
            "previous": "v3",
        },
        "models/registry/v4/manifest.json": {"versions": {"keepfit": "0.1.0", "torch": "2.13.0", "polars": "2.1.0"}},
    }
    return files | {f"monitoring/{made['batch']}.json": made for made in records()}


@pytest.fixture
def files() -> dict[str, Json]:
    return published()


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[[dict[str, Json]], Workspace]:
    """Write files into a new workspace."""

    def make(files: dict[str, Json]) -> Workspace:
        (tmp_path / "params.yaml").write_text("dataset: flights\n", encoding="utf-8")
        (tmp_path / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
        for place, value in files.items():
            path = tmp_path / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value), encoding="utf-8")
        return Workspace.open(tmp_path)

    return make


@pytest.fixture
def estimated(files: dict[str, Json]) -> dict[str, Json]:
    """The files of a workspace whose label is a quantity; no batch has come yet."""
    kept = {place: value for place, value in files.items() if not place.startswith("monitoring/")}
    return kept | {"reports/evaluation.json": estimation()}

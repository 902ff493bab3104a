"""How long the scan-level profile and checks take beside hand-written queries of the same statistics, and other tools.

    python -m benchmarks.quality 1e6 [1e7 1e8] [--python PYTHON ...]

A tool that is not installed here, as few of them can be together, is looked for in the environments of these other
interpreters (which need numpy and polars besides). Each engine runs in a process of its own, one after the other, on
the same Parquet files (see benchmarks/made.py); its seconds are without imports, its memory is the peak of that
process. Near-duplicates, label errors and what else works on a sample are timed for themselves. A tool that is not
installed is left out, and said to be.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TIMEOUT_SECONDS = 1800
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
ON_SAMPLES = (  # beyond the scan: a model or pairs of rows, each on at most a sample
    "label_error",
    "ambiguous_label",
    "multivariate_outlier",
    "near_duplicate_rows",
    "overlap_near",
    "text_duplicates",
    "underperforming_group",
)


def table(rows: int, folder: Path, pythons: Sequence[str] = (sys.executable,)) -> str:
    """A Markdown table: seconds, ratio to the quicker hand-written query, and peak memory of each engine."""
    from benchmarks import made  # not by an engine's process, which says itself what it imports, and when

    data = folder / f"{rows}"
    if not data.is_dir():
        made.write(data, rows)
    results = {name: measured(name, data, pythons) for name in ENGINES}
    limit = min(results[name]["seconds"] for name in ("polars", "duckdb") if "seconds" in results[name])
    lines = ["| engine | seconds | ratio | peak memory, GB |", "|---|---|---|---|"]
    for name, result in results.items():
        if "seconds" in result:
            seconds, memory = result["seconds"], result["memory"] / 2**30
            lines.append(f"| {WORDS[name]} | {seconds:.2f} | {seconds / limit:.2f} | {memory:.2f} |")
        else:
            lines.append(f"| {WORDS[name]} | {result['why']} | | |")
    return "\n".join(lines)


def measured(name: str, data: Path, pythons: Sequence[str]) -> dict[str, Any]:
    """What the engine's own process printed: seconds and memory, or why there is nothing."""
    python = next((python for python in pythons if has(python, NEEDS.get(name, "polars"))), None)
    if python is None:
        return {"why": "not installed"}
    command = [python, "-m", "benchmarks.quality", "--engine", name, str(data)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"why": f"more than {TIMEOUT_SECONDS} s"}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"killed ({done.returncode})"]
        return {"why": last[0][:80]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def has(python: str, package: str) -> bool:
    """Whether the package is installed for that interpreter."""
    code = f"import sys, importlib.util as found; sys.exit(found.find_spec({package!r}) is None)"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def run(name: str, data: Path) -> None:
    """Run one engine in this process and print its figures as JSON."""
    import time

    prepare, work = ENGINES[name]
    ready = prepare(data)
    began = time.perf_counter()
    work(ready)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "memory": peak_memory()}))


def peak_memory() -> int:
    """The most bytes that this process held; `ru_maxrss` counts what its parent held when it was forked, too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _imported(data: Path) -> Path:
    """What the command does before it looks at the data."""
    from pipeline.runtime import memory

    memory.collect_seldom()
    memory.keep_freed()
    import sklearn.ensemble  # noqa: F401

    from pipeline.commands.check import examine  # noqa: F401

    return data


def _keepfit(data: Path) -> None:
    _examine(data, dict.fromkeys(ON_SAMPLES, "off"))


def _keepfit_with_samples(data: Path) -> None:
    _examine(data, {})


def _examine(data: Path, policies: dict[str, str]) -> None:
    from pipeline import checks
    from pipeline.commands.check import examine
    from pipeline.commands.reading import Question

    known = {name: policy for name, policy in policies.items() if name in checks.registered()}
    question = Question(paths=[str(data)], roles={"label": "label", "placed": "time"}, policies=known)
    with TemporaryDirectory() as scratch:
        examine.examine(question, Path(scratch))


def _polars(data: Path) -> None:
    """The same statistics of each column, exact copies and the label's shares, as one would write them by hand."""
    import polars as pl

    rows = pl.scan_parquet(data / "*.parquet")
    asked = [pl.len().alias("rows")]
    for name, dtype in rows.collect_schema().items():
        column = pl.col(name)
        asked += [column.null_count().alias(f"{name} null"), column.approx_n_unique().alias(f"{name} distinct")]
        if dtype.is_numeric():
            asked += [getattr(column, part)().alias(f"{name} {part}") for part in ("min", "max", "mean", "std")]
            asked += [column.quantile(share).alias(f"{name} {share}") for share in QUANTILES]
        elif dtype.is_temporal():
            asked += [getattr(column, part)().alias(f"{name} {part}") for part in ("min", "max")]
        elif dtype == pl.String:
            length = column.str.len_chars()
            asked += [getattr(length, part)().alias(f"{name} {part}") for part in ("min", "max", "mean")]
    rows.select(asked).collect(engine="streaming")
    for name, dtype in rows.collect_schema().items():
        if dtype in (pl.String, pl.Boolean):
            rows.group_by(name).len().top_k(1000, by="len").collect(engine="streaming")
    hashed = rows.select(pl.struct(pl.all()).hash().alias("hash"))
    hashed.group_by("hash").len().filter(pl.col("len") > 1).select(pl.len()).collect(engine="streaming")


def _duckdb(data: Path) -> None:
    """The same in SQL."""
    import duckdb

    source = f"read_parquet('{data}/*.parquet')"
    connection = duckdb.connect()
    described = connection.sql(f"describe select * from {source}").fetchall()
    asked = ["count(*)"]
    for name, dtype, *_ in described:
        asked += [f"count(*) - count({name})", f"approx_count_distinct({name})"]
        if dtype in ("DOUBLE", "BIGINT"):
            asked += [f"{part}({name})" for part in ("min", "max", "avg", "stddev_samp")]
            asked += [f"approx_quantile({name}, [{', '.join(map(str, QUANTILES))}])"]
        elif dtype.startswith("TIMESTAMP"):
            asked += [f"{part}({name})" for part in ("min", "max")]
        elif dtype == "VARCHAR":
            asked += [f"{part}(length({name}))" for part in ("min", "max", "avg")]
    connection.sql(f"select {', '.join(asked)} from {source}").fetchall()
    for name, dtype, *_ in described:
        if dtype in ("VARCHAR", "BOOLEAN"):
            query = f"select {name}, count(*) as rows from {source} group by 1 order by 2 desc limit 1000"
            connection.sql(query).fetchall()
    row = ", ".join(name for name, *_ in described)
    connection.sql(
        f"select count(*) from (select hash({row}) as h, count(*) as n from {source} group by 1) where n > 1"
    ).fetchall()


def _summarize(data: Path) -> None:
    import duckdb

    duckdb.connect().sql(f"summarize select * from read_parquet('{data}/*.parquet')").fetchall()


def _pandas(data: Path) -> object:
    import pandas as pd
    import polars as pl

    return pd.DataFrame({column.name: column.to_numpy() for column in pl.read_parquet(data / "*.parquet")})


def _evidently(frame: object) -> None:
    from evidently import Report
    from evidently.presets import DataSummaryPreset

    Report([DataSummaryPreset()]).run(frame, None)


def _great_expectations(frame: object) -> None:
    import great_expectations as gx
    import pandas as pd

    assert isinstance(frame, pd.DataFrame)
    context = gx.get_context(mode="ephemeral")
    batch = (
        context.data_sources.add_pandas("made").add_dataframe_asset("made").add_batch_definition_whole_dataframe("all")
    )
    suite = gx.ExpectationSuite(name="made")
    for name in frame.columns:
        suite.add_expectation(gx.expectations.ExpectColumnValuesToNotBeNull(column=name, mostly=0.5))  # type: ignore[attr-defined]
        if pd.api.types.is_float_dtype(frame[name]):
            suite.add_expectation(
                gx.expectations.ExpectColumnMeanToBeBetween(column=name, min_value=-1e9, max_value=1e9)  # type: ignore[attr-defined]
            )
            suite.add_expectation(
                gx.expectations.ExpectColumnValuesToBeBetween(column=name, min_value=-1e9, max_value=1e9)  # type: ignore[attr-defined]
            )
    batch.get_batch({"dataframe": frame}).validate(suite)


def _cuallee(frame: object) -> None:
    import polars as pl
    from cuallee import Check, CheckLevel

    assert isinstance(frame, pl.DataFrame)
    check = Check(CheckLevel.WARNING, "made")
    for name, dtype in frame.schema.items():
        check.is_complete(name, 0.5)
        if dtype.is_float():
            check.is_between(name, (-1e9, 1e9))
    check.validate(frame)


def _pointblank(frame: object) -> None:
    import pointblank
    import polars as pl

    assert isinstance(frame, pl.DataFrame)
    asked = pointblank.Validate(frame)
    for name, dtype in frame.schema.items():
        asked = asked.col_vals_not_null(name)
        if dtype.is_float():
            asked = asked.col_vals_between(name, -1e9, 1e9, na_pass=True)
    asked.interrogate()


def _tfdv(frame: object) -> None:
    import pandas as pd
    import tensorflow_data_validation as tfdv  # type: ignore[import-not-found]

    assert isinstance(frame, pd.DataFrame)
    tfdv.generate_statistics_from_dataframe(frame, n_jobs=2)


def _pandas_tfdv(data: Path) -> object:
    import tensorflow_data_validation  # noqa: F401

    return _pandas(data)


def _frame(data: Path) -> object:
    import polars as pl

    return pl.read_parquet(data / "*.parquet")


def _path(data: Path) -> Path:
    return data


ENGINES: dict[str, tuple[Callable[[Path], object], Callable[..., None]]] = {
    "keepfit": (_imported, _keepfit),
    "keepfit_all": (_imported, _keepfit_with_samples),
    "polars": (_path, _polars),
    "duckdb": (_path, _duckdb),
    "summarize": (_path, _summarize),
    "tfdv": (_pandas_tfdv, _tfdv),
    "evidently": (_pandas, _evidently),
    "great_expectations": (_pandas, _great_expectations),
    "cuallee": (_frame, _cuallee),
    "pointblank": (_frame, _pointblank),
}
WORDS = {
    "keepfit": "keepfit check: inference, profile and every scan-level check",
    "keepfit_all": "keepfit check: with the checks on samples (models, pairs)",
    "polars": "Polars, by hand",
    "duckdb": "DuckDB, by hand",
    "summarize": "DuckDB SUMMARIZE",
    "tfdv": "TFDV, statistics (frame in memory)",
    "evidently": "Evidently, data summary (frame in memory)",
    "great_expectations": "Great Expectations, rules alone (frame in memory)",
    "cuallee": "cuallee, rules alone (frame in memory)",
    "pointblank": "pointblank, rules alone (frame in memory)",
}
NEEDS = {
    "duckdb": "duckdb",
    "summarize": "duckdb",
    "tfdv": "tensorflow_data_validation",
    "evidently": "evidently",
    "great_expectations": "great_expectations",
    "cuallee": "cuallee",
    "pointblank": "pointblank",
}


def main() -> None:
    """One engine in this process, or a table for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=float)
    parser.add_argument("--python", action="append", default=[sys.executable])
    parser.add_argument("--data", type=Path, help="a folder of made data, by rows, to keep for another run")
    parser.add_argument("--engine", nargs=2, metavar=("NAME", "DIR"))
    chosen = parser.parse_args()
    if chosen.engine:
        return run(chosen.engine[0], Path(chosen.engine[1]))
    with TemporaryDirectory() as scratch:
        for rows in map(int, chosen.rows):
            print(f"\n{rows:,} rows\n\n{table(rows, chosen.data or Path(scratch), chosen.python)}", flush=True)


if __name__ == "__main__":
    main()

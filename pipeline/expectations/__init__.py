"""Batch-level expectations: Great Expectations judges each arriving file as a whole (validate, monitor).

What one row can break is the pandera model's business.
"""

import hashlib
import io
import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import ContractError
from pipeline.expectations import pages
from pipeline.expectations.outcome import BatchResult, Outcome, Spec, configuration, quiet

SAMPLE_ROWS = 200_000  # 30 expectations on a million rows took Great Expectations 17 s
ROW_COUNT = "expect_table_row_count"
ROW = "__row"


def check_expectations(expectations: Sequence[Spec], *, where: str = "EXPECTATIONS") -> None:
    """Raise ContractError for the first of `expectations` that Great Expectations could not run.

    Each is {"type": str, "kwargs": {...}, "notes": str}, notes are optional. Inside kwargs
    {"$from_name": regex} stands for the regex's first group in the batch's name, as a number if it is digits.
    """
    with quiet():
        from great_expectations.exceptions.exceptions import GreatExpectationsError

        for at, spec in enumerate(expectations):
            try:
                configuration(_resolved(spec, _stand_in)).to_domain_obj()
            except (GreatExpectationsError, ValueError, TypeError, AttributeError, re.error) as error:
                what, mend = f"cannot be used: {_one_line(error)}", "mend its type, kwargs or notes"
                raise ContractError(what, where=f"{where}[{at}]", fix=mend) from error


def validate_batches(
    batches: Iterable[tuple[str, pl.LazyFrame]],
    expectations: Sequence[Spec],
    *,
    docs: Path,
    seed: int,
    known: Sequence[Path] = (),
    private: Set[str] = frozenset(),
) -> list[BatchResult]:
    """Judge each (name, frame), add a page for each to the Data Docs in `docs`, and rewrite their index.

    A batch over SAMPLE_ROWS rows is judged on a uniform sample drawn by `seed`; its row count stays exact.
    Pages that are there stay: the same batch with the same outcome keeps its page, another outcome adds one.
    What `docs` or the Data Docs in `known` say of the very same rows and expectations is not asked again.
    What was seen in a `private` column is hidden.
    """
    check_expectations(expectations)
    judged = pages.judged((docs, *known))
    asked = partial(_validate, expectations=expectations, docs=docs, seed=seed, judged=judged, private=private)
    results = [asked(name, frame) for name, frame in batches]
    pages.write_index(docs)
    return results


def _validate(
    name: str,
    frame: pl.LazyFrame,
    *,
    expectations: Sequence[Spec],
    docs: Path,
    seed: int,
    judged: Mapping[str, list[Outcome]],
    private: Set[str],
) -> BatchResult:
    rows = frame.select(pl.len()).collect().item()
    sample = _sample(frame.select(_columns(frame, expectations)), rows, seed)
    asked = _fingerprint(sample, name, rows, list(expectations), sorted(private))
    said = judged[asked] if asked in judged else judge(name, sample, expectations, rows=rows)
    outcomes = [_hidden(one) if one.spec["kwargs"].get("column") in private else one for one in said]
    failed = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    sampled = SAMPLE_ROWS if rows > SAMPLE_ROWS else None
    counts = {"rows": rows, "sampled_rows": sampled, "expectations": len(outcomes)}
    result = BatchResult(batch=name, success=not failed, failed=failed, page="", **counts)
    return pages.publish(result, outcomes, docs, asked)


def _fingerprint(sample: pl.DataFrame, *asked: Any) -> str:
    """SHA-256 of all that the outcomes follow from; another engine's version asks anew."""
    cells = io.BytesIO()
    sample.rechunk().write_ipc(cells, compat_level=pl.CompatLevel.oldest())
    words = json.dumps([*asked, version("great_expectations")], default=str)
    return hashlib.sha256(words.encode() + cells.getvalue()).hexdigest()


def _hidden(outcome: Outcome) -> Outcome:
    """The outcome without the values that were seen; counts of rows may stay."""
    if outcome.failure is None or "element_count" in outcome.seen:
        seen = {key: "***" if key == "observed_value" else value for key, value in outcome.seen.items()}
        return replace(outcome, seen=seen)
    return _failed(outcome.spec, "got ***", {"observed_value": "***"})


def judge(name: str, frame: pl.DataFrame, expectations: Sequence[Spec], *, rows: int) -> list[Outcome]:
    """What each of `expectations` says of `frame`, in their order; `rows` is the whole batch's row count."""
    counted: dict[int, dict[str, Any]] = {}
    looked_at: dict[int, dict[str, Any]] = {}
    outcomes: dict[int, Outcome] = {}
    for at, spec in enumerate(expectations):
        try:
            counts_rows = spec["type"].startswith(ROW_COUNT)
            (counted if counts_rows else looked_at)[at] = _resolved(spec, partial(_from_name, name))
        except LookupError as error:
            outcomes[at] = _failed(_resolved(spec, str), f"but {error.args[0]}")
    outcomes |= _run(counted, _to_pandas(pl.DataFrame(height=rows)))
    outcomes |= _run(looked_at, _to_pandas(frame))
    return [outcomes[at] for at in sorted(outcomes)]


def _run(specs: dict[int, dict[str, Any]], frame: Any) -> dict[int, Outcome]:
    """Let Great Expectations judge `specs`; it answers in an order of its own, hence `at`."""
    with quiet():
        import great_expectations as gx
        from great_expectations.data_context.types import base
        from great_expectations.data_context.types.base import ProgressBarsConfig

        base.logger.setLevel(logging.WARNING)  # it raises its own level, and tells of each temporary folder
        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(enable=False)
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("keepfit").add_dataframe_asset("batch")
        batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
        rules = [configuration(spec, at=at).to_domain_obj() for at, spec in specs.items()]
        suite = gx.ExpectationSuite(name="expectations", expectations=rules)
        answers = batch.validate(suite, result_format="BASIC").to_json_dict()  # type: ignore[no-untyped-call]
    found = {answer["expectation_config"]["meta"]["at"]: answer for answer in answers["results"]}
    return {at: _outcome(spec, found.get(at), set(frame.columns)) for at, spec in specs.items()}


def _outcome(spec: dict[str, Any], answer: dict[str, Any] | None, columns: set[str]) -> Outcome:
    if "column" in spec["kwargs"] and spec["kwargs"]["column"] not in columns:
        return _failed(spec, "but the column is missing")
    trouble = "it gave no answer" if answer is None else _exception(answer["exception_info"])
    if answer is None or trouble is not None:
        return _failed(spec, f"but it could not be evaluated: {trouble}")
    seen = _seen(answer["result"])
    if answer["success"] is True:
        return Outcome(spec=spec, seen=seen, failure=None)
    return _failed(spec, f"got {_in_words(seen)}", seen)


def _failed(spec: dict[str, Any], because: str, seen: dict[str, Any] | None = None) -> Outcome:
    shown = {"observed_value": because.removeprefix("but ")} if seen is None else seen
    return Outcome(spec=spec, seen=shown, failure=f"{_rule(spec)}, {because}")


def _exception(info: Mapping[str, Any]) -> str | None:
    """The message of what an expectation raised; it stands at the top or under each metric's name."""
    if info.get("raised_exception"):
        return _one_line(info.get("exception_message") or "it raised an exception")
    nested = (_exception(value) for value in info.values() if isinstance(value, Mapping))
    return next((message for message in nested if message is not None), None)


def _seen(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the page and the record keep of an answer: counts or a value, no rows, no NaN."""
    if "element_count" in result:
        return {key: _finite(value) for key, value in result.items() if not key.startswith("partial_")}
    sets = [_listed(result, word, key) for word, key in (("missing", "missing"), ("not allowed", "unexpected"))]
    return {"observed_value": "; ".join(filter(None, sets)) or _finite(result.get("observed_value"))}


def _listed(result: Mapping[str, Any], word: str, key: str) -> str:
    """The values of a set; past 20 Great Expectations keeps some by their hashes: then only their number."""
    values = result.get(f"partial_{key}_list") or []
    total = result.get(f"{key}_count", len(values))
    if total > len(values):
        return f"{word}: {total} values"
    ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
    return f"{word}: {_plain(ordered)}" if values else ""


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    if not isinstance(value, float):
        return value
    return float(value) if math.isfinite(value) else None  # NumPy's floats break the renderer


def _in_words(seen: Mapping[str, Any]) -> str:
    if "element_count" in seen:
        return f"{seen['unexpected_count']:,} of {seen['element_count']:,} rows that break it"
    return _plain(seen["observed_value"])


def _rule(spec: Spec) -> str:
    """The place and the rule in one clause: `temp: mean must be between (min 7, max 14)`."""
    kwargs = {key: value for key, value in spec["kwargs"].items() if key != "column"}
    words = re.sub(r"^expect_(column_|table_)?", "", spec["type"]).replace("_", " ")
    limits = ", ".join(f"{key.removesuffix('_value')} {_plain(value)}" for key, value in kwargs.items())
    return f"{spec['kwargs'].get('column', 'batch')}: {words.replace(' to ', ' must ', 1)} ({limits})"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return _one_line(", ".join(_plain(part) for part in value))
    if isinstance(value, float):
        return f"{value:.6g}"
    return "nothing" if value is None else _one_line(value)


def _one_line(value: object) -> str:
    words = " ".join(str(value).split())
    return words if len(words) <= 200 else f"{words[:199]}…"


def _resolved(spec: Spec, fill: Callable[[str], str | int]) -> dict[str, Any]:
    """`spec` with `fill(regex)` in the place of each {"$from_name": regex} among its kwargs."""
    if not isinstance(spec, Mapping) or not {"type", "kwargs"} <= spec.keys() <= {"type", "kwargs", "notes"}:
        raise ValueError(f"must be {{type, kwargs, notes}}, got {_one_line(spec)}")
    return {**spec, "kwargs": {key: _filled(value, fill) for key, value in spec["kwargs"].items()}}


def _filled(value: Any, fill: Callable[[str], str | int]) -> Any:
    if isinstance(value, list):
        return [_filled(part, fill) for part in value]
    return fill(value["$from_name"]) if isinstance(value, Mapping) and "$from_name" in value else value


def _from_name(name: str, pattern: str) -> str | int:
    found = re.search(pattern, name)
    if found is None or found[1] is None:
        raise LookupError(f"the batch's name {name!r} does not match {pattern}")
    return int(found[1]) if found[1].isdecimal() else found[1]


def _stand_in(pattern: str) -> int:
    if re.compile(pattern).groups != 1:
        raise ValueError(f"$from_name must have one group, got {pattern!r}")
    return 0


def _columns(frame: pl.LazyFrame, expectations: Sequence[Spec]) -> list[str]:
    """The columns that the expectations name; all of them where one does not say which it reads."""
    present = frame.collect_schema().names()
    kwargs = [spec["kwargs"] for spec in expectations if not spec["type"].startswith(ROW_COUNT)]
    named = {one.get("column") if "row_condition" not in one else None for one in kwargs}
    return present if None in named else [column for column in present if column in named]


def _sample(frame: pl.LazyFrame, rows: int, seed: int) -> pl.DataFrame:
    """All of `frame`, or SAMPLE_ROWS of its rows, each choice of that many equally likely."""
    if rows <= SAMPLE_ROWS:
        return frame.collect()
    import numpy as np

    drawn = np.sort(np.random.default_rng(seed).choice(rows, SAMPLE_ROWS, replace=False))
    chosen = pl.LazyFrame({ROW: drawn.astype(np.uint32)})
    kept = frame.with_row_index(ROW).join(chosen, on=ROW, how="semi", maintain_order="left")
    return kept.drop(ROW).collect(engine="streaming")


def _to_pandas(frame: pl.DataFrame) -> Any:
    """`frame` for Great Expectations, without pyarrow: true is 1, false 0, and NaN counts as null."""
    import pandas as pd

    numbers = frame.cast({pl.Boolean: pl.Float64, pl.Decimal: pl.Float64})
    return pd.DataFrame({one.name: one.to_numpy() for one in numbers}, index=pd.RangeIndex(frame.height))

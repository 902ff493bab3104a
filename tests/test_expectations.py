import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline import expectations
from pipeline.errors import ContractError
from pipeline.expectations import check_expectations, judge, validate_batches
from pipeline.expectations.outcome import BatchResult

ROOT = Path(__file__).parents[1]
MEAN = {
    "type": "expect_column_mean_to_be_between",
    "kwargs": {"column": "wind", "min_value": 7, "max_value": 14},
}
ROWS = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 2, "max_value": 4}}
MONTH = {
    "type": "expect_column_distinct_values_to_equal_set",
    "kwargs": {"column": "month", "value_set": [{"$from_name": r"^\d{4}-(\d{2})"}]},
}
KNOWN = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "wind", "mostly": 0.5}}
AIRPORTS = {
    "type": "expect_column_distinct_values_to_contain_set",
    "kwargs": {"column": "origin", "value_set": ["EWR", "JFK"]},
    "notes": "both airports fly each month",
}
LATE = {
    "type": "expect_column_mean_to_be_between",
    "kwargs": {"column": "late", "min_value": 0.2, "max_value": 0.5},
}
SPECS: list[Mapping[str, Any]] = [ROWS, MONTH, KNOWN, MEAN, AIRPORTS, LATE]
CLEAN = pl.DataFrame(
    {
        "month": [6, 6, 6],
        "wind": [8.0, 12.0, None],
        "origin": ["EWR", "JFK", "EWR"],
        "late": [True, False, None],
        "unused": [[1], [2], []],
    },
    schema_overrides={"late": pl.Boolean},
)


def failures(frame: pl.DataFrame, *specs: Mapping[str, Any], name: str = "2013-06.csv") -> list[str]:
    outcomes = judge(name, frame, specs or SPECS, rows=frame.height)
    return [outcome.failure for outcome in outcomes if outcome.failure is not None]


def publish(docs: Path, frame: pl.DataFrame = CLEAN, name: str = "2013-06.csv") -> BatchResult:
    return validate_batches([(name, frame.lazy())], SPECS, docs=docs, seed=0)[0]


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_clean_batch_passes() -> None:
    assert failures(CLEAN) == []


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (pl.DataFrame.clear, "batch: row count must be between (min 2, max 4), got 0"),
        (lambda frame: frame.head(1), "batch: row count must be between (min 2, max 4), got 1"),
        (
            lambda frame: frame.with_columns(month=pl.lit(7)),
            "month: distinct values must equal set (value_set 6), got missing: 6; not allowed: 7",
        ),
        (
            lambda frame: frame.with_columns(month=pl.lit(None, pl.Int64)),
            "month: distinct values must equal set (value_set 6), got missing: 6",
        ),
        (
            lambda frame: frame.with_columns(origin=pl.lit("EWR")),
            "origin: distinct values must contain set (value_set EWR, JFK), got missing: JFK",
        ),
        (
            lambda frame: frame.with_columns(late=pl.lit(True)),
            "late: mean must be between (min 0.2, max 0.5), got 1",
        ),
        (
            lambda frame: frame.with_columns(wind=pl.lit(None, pl.Float64)),
            "wind: values must not be null (mostly 0.5), got 3 of 3 rows that break it",
        ),
        (
            lambda frame: frame.with_columns(wind=pl.lit(float("nan"))),
            "wind: mean must be between (min 7, max 14), got nothing",
        ),
        (
            lambda frame: frame.with_columns(wind=pl.col("wind") * 1.609),
            "wind: mean must be between (min 7, max 14), got 16.09",
        ),
        (
            lambda frame: frame.drop("wind"),
            "wind: mean must be between (min 7, max 14), but the column is missing",
        ),
    ],
)
def test_damage_is_told_in_one_line(damage: Callable[[pl.DataFrame], pl.DataFrame], line: str) -> None:
    assert line in failures(damage(CLEAN))


def test_expectation_that_errs_is_a_failure_in_one_line() -> None:
    (line,) = failures(CLEAN.with_columns(wind=pl.lit("calm")), MEAN)
    assert line.startswith("wind: mean must be between (min 7, max 14), but it could not be evaluated: ")
    assert "\n" not in line and "Traceback" not in line


def test_name_that_says_nothing_is_a_failure() -> None:
    (line,) = failures(CLEAN, name="june.csv")
    assert line.endswith(r", but the batch's name 'june.csv' does not match ^\d{4}-(\d{2})")


def test_long_sets_are_counted_not_cut_by_hash() -> None:
    spec = {**AIRPORTS, "kwargs": {"column": "origin", "value_set": [f"A{number}" for number in range(30)]}}
    assert failures(CLEAN, spec)[0].endswith("got missing: 30 values")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"type": "expect_column_meen", "kwargs": {}}, "expect_column_meen not found"),
        ({"type": "expect_column_mean_to_be_between", "kwargs": {"columm": "wind"}}, "field required"),
        ({**MEAN, "kwargs": {**MEAN["kwargs"], "min_value": "low"}}, "not a valid float"),  # type: ignore[dict-item]
        ({**MEAN, "mostly": 0.5}, "must be {type, kwargs, notes}"),
        ("expect_column_mean_to_be_between", "must be {type, kwargs, notes}"),
        ({**MEAN, "kwargs": "wind"}, "cannot be used"),
        ({**MONTH, "kwargs": {"column": "month", "value_set": [{"$from_name": "x"}]}}, "must have one group"),
        ({**MONTH, "kwargs": {"column": "month", "value_set": [{"$from_name": "("}]}}, "unterminated"),
    ],
)
def test_expectation_that_cannot_run_is_a_contract_error(spec: Any, says: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_expectations([MEAN, spec], where="schemas/flights.py: EXPECTATIONS")
    message = str(caught.value)
    assert says in message and message.startswith("schemas/flights.py: EXPECTATIONS[1]: ") and "\n" not in message


def test_same_batch_same_bytes_and_no_second_page(tmp_path: Path) -> None:
    first = publish(tmp_path / "a")
    before = hashes(tmp_path / "a")
    assert publish(tmp_path / "a") == first == publish(tmp_path / "b")
    assert hashes(tmp_path / "a") == before == hashes(tmp_path / "b")
    assert first.page == "batches/2013-06.csv/1.html" and first.expectations == 6 and first.success


def test_file_that_comes_again_otherwise_adds_a_page(tmp_path: Path) -> None:
    publish(tmp_path)
    again = publish(tmp_path, CLEAN.with_columns(late=pl.lit(True)))
    assert again.page == "batches/2013-06.csv/2.html" and not again.success
    assert publish(tmp_path).page == "batches/2013-06.csv/1.html"
    index = (tmp_path / "index.html").read_text()
    assert index.index("2013-06.csv/1.html") < index.index("2013-06.csv/2.html")
    assert "late: mean must be between (min 0.2, max 0.5), got 1" in index


def test_what_was_judged_once_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = publish(tmp_path / "arrived")
    asked: list[str] = []

    def counted(name: str, *args: Any, **kwargs: Any) -> list[Any]:
        asked.append(name)
        return judge(name, *args, **kwargs)

    monkeypatch.setattr("pipeline.expectations.judge", counted)

    def again(frame: pl.DataFrame, specs: list[Any]) -> BatchResult:
        docs, batches = tmp_path / "new", [("2013-06.csv", frame.lazy())]
        return validate_batches(batches, specs, docs=docs, seed=0, known=[tmp_path / "absent", tmp_path / "arrived"])[0]

    assert again(CLEAN, SPECS) == first and asked == []
    assert hashes(tmp_path / "new") == hashes(tmp_path / "arrived")
    again(CLEAN, SPECS[:-1])
    again(CLEAN.with_columns(late=pl.lit(True)), SPECS)
    assert asked == ["2013-06.csv"] * 2


def test_pages_load_nothing_and_escape_the_data(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    only = {**MONTH, "kwargs": {"column": "origin", "value_set": ["EWR"]}}
    frame = CLEAN.with_columns(origin=pl.lit(evil)).lazy()
    (result,) = validate_batches([(f"../{evil}.csv", frame)], [only], docs=tmp_path, seed=0)
    pages = [path.read_text() for path in (tmp_path / result.page, tmp_path / "index.html")]
    for page in pages:
        assert "not allowed: &lt;script&gt;" in page
        assert not any(word in page for word in ("<script", "http:", "https:", "<link", "<img"))
    assert len(result.page.split("/")) == 3 and ".." not in result.page.split("/")


def test_page_shows_notes_beside_their_own_row(tmp_path: Path) -> None:
    page = (tmp_path / publish(tmp_path).page).read_text()
    assert page.index("EWR") < page.index("both airports fly each month") < page.index("late\n")
    assert "sample" not in page and "0.5" in page


def test_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert publish(tmp_path).success


def test_large_batch_is_sampled_but_counted_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectations, "SAMPLE_ROWS", 50)
    frame = pl.LazyFrame({"wind": [10.0] * 300})
    counted = {**ROWS, "kwargs": {"min_value": 300, "max_value": 300}}
    (result,) = validate_batches([("big", frame)], [counted, KNOWN], docs=tmp_path, seed=0)
    assert (result.rows, result.sampled_rows, result.failed) == (300, 50, [])
    page = (tmp_path / result.page).read_text()
    assert "sample of\n50 rows" in page and "300 rows" in page


def test_sample_is_uniform_without_repeats_and_follows_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectations, "SAMPLE_ROWS", 1_000)
    frame = pl.LazyFrame({"number": range(10_000)})
    drawn = expectations._sample(frame, 10_000, 1)["number"]
    assert drawn.n_unique() == 1_000 and drawn.is_sorted()
    # The mean of 1,000 of 10,000 drawn without repeats has a standard error of 87 around 4,999.5.
    assert abs(drawn.mean() - 4_999.5) < 4 * 87  # type: ignore[operator]
    assert drawn.equals(expectations._sample(frame, 10_000, 1)["number"])
    assert not drawn.equals(expectations._sample(frame, 10_000, 2)["number"])


def test_importing_the_module_does_not_import_great_expectations() -> None:
    code = "import sys, pipeline.expectations; sys.exit('great_expectations' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def flights_expectations() -> list[dict[str, Any]]:
    path = ROOT / "schemas" / "flights.py"
    spec = importlib.util.spec_from_file_location("flights_contract", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[dict[str, Any]] = module.EXPECTATIONS
    return found


def month(number: int) -> pl.DataFrame:
    (path,) = (ROOT / "data").glob(f"*/flights/2013-{number:02}.csv.gz")
    read = pl.read_csv(path, null_values="NA", infer_schema_length=None)
    return read.with_columns(late=pl.col("arr_delay") > 15)


@pytest.mark.parametrize("number", range(1, 13))
def test_flights_expectations_hold_on_each_real_month(number: int) -> None:
    assert failures(month(number), *flights_expectations(), name=f"2013-{number:02}.csv.gz") == []


@pytest.mark.parametrize(
    ("damage", "columns"),
    [
        (lambda frame: frame.head(frame.height // 2), {"batch", "day", "time_hour"}),
        (lambda frame: frame.gather_every(2), {"batch"}),
        (lambda frame: pl.concat([frame, frame]), {"batch"}),
        (lambda frame: frame.filter(pl.col("origin") != "LGA"), {"batch", "origin"}),
        (lambda frame: frame.filter(pl.col("carrier") != "MQ"), {"carrier"}),
        (lambda frame: frame.with_columns(month=pl.lit(7)), {"month"}),
        (lambda frame: frame.with_columns(~pl.col("late")), {"late"}),
        (lambda frame: frame.with_columns(temp=pl.lit(None, pl.Float64)), {"temp"}),
        (lambda frame: frame.with_columns(temp=(pl.col("temp") - 32) / 1.8), {"temp"}),
        (
            lambda frame: frame.with_columns(pl.col("wind_speed", "wind_gust") / 2.237),
            {"wind_speed", "wind_gust"},
        ),
        (lambda frame: frame.with_columns(pl.col("wind_speed", "wind_gust") / 1.15078), {"wind_gust"}),
        (lambda frame: frame.with_columns(dewp="humid", humid="dewp", distance="seats"), {"distance"}),
        (
            lambda frame: frame.rename({"temp": "dewp", "dewp": "temp", "hour": "seats", "seats": "hour"}),
            {"seats"},
        ),
    ],
)
def test_flights_expectations_catch_real_damage(
    damage: Callable[[pl.DataFrame], pl.DataFrame], columns: set[str]
) -> None:
    lines = failures(damage(month(6)), *flights_expectations(), name="2013-06.csv.gz")
    assert {line.split(":")[0] for line in lines} == columns


def test_what_was_seen_in_a_private_column_is_hidden(tmp_path: Path) -> None:
    only = {"type": "expect_column_distinct_values_to_be_in_set", "kwargs": {"column": "name", "value_set": ["Ann"]}}
    frame = pl.LazyFrame({"name": ["Ann", "Zebedee"]})

    def said(private: set[str]) -> BatchResult:
        return validate_batches([("a.csv", frame)], [only], docs=tmp_path, seed=0, private=private)[0]

    open_one, hidden = said(set()), said({"name"})
    assert "Zebedee" in open_one.failed[0] and hidden.failed[0].endswith("got ***")
    assert "Zebedee" in (tmp_path / open_one.page).read_text()
    assert "Zebedee" not in (tmp_path / hidden.page).read_text()
    assert "Zebedee" not in (tmp_path / hidden.page).with_suffix(".json").read_text()

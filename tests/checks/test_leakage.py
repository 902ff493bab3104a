"""Leakage: a feature that tells the label alone, and one that is written down together with it."""

import dataclasses
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import contract
from pipeline.checks.leakage import FutureInformation, FutureTimestamp, IdentifierPredictsLabel, TargetLeak
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits
from pipeline.stages import ingest
from pipeline.workspace import Workspace

from .conftest import made

Make = Callable[..., Table]
ROOT = Path(__file__).parents[2]
AFTERWARDS = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")


def leaks(table: Table) -> list[str | None]:
    return [hit.column for hit in hits(TargetLeak(), table)]


def late(table: Table) -> list[str | None]:
    return [hit.column for hit in hits(FutureInformation(), table)]


def coins(rows: int, seed: int = 0) -> list[bool]:
    drawn: list[bool] = (np.random.default_rng(seed).random(rows) < 0.5).tolist()
    return drawn


def copied(parts: int) -> Table:
    y = coins(200)
    return made({"x": [3.0 if v else -1.0 for v in y], "noise": list(range(200)), "y": y}, parts=parts)


def sorted_rows(parts: int) -> Table:
    return made({"x": [i * 7 % 11 for i in range(200)], "y": ["no"] * 90 + ["yes"] * 110}, parts=parts)


def unlabelled(parts: int) -> Table:
    y = [None if i < 20 else v for i, v in enumerate(coins(200))]
    return made({"x": [None if i < 18 else 1.0 for i in range(200)], "y": y}, parts=parts)


def written_later(parts: int) -> Table:
    days = [datetime(2024, 1, 1) + timedelta(days=i) for i in range(40)]
    return made({"t": days, "settled": [day + timedelta(hours=3) for day in days], "y": coins(40)}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {
    "target_leak": copied,
    "identifier_predicts_label": sorted_rows,
    "leak_future_information": unlabelled,
    "leak_future_timestamp": written_later,
}


@pytest.mark.parametrize("parts", [1, 4])
def test_a_copy_of_the_label_leaks(make: Make, parts: int) -> None:
    y = coins(200)
    noise = np.random.default_rng(1).normal(size=200).tolist()
    table = make(
        {"number": [3.0 if v else -1.0 for v in y], "word": [str(v) for v in y], "noise": noise, "y": y}, parts=parts
    )

    assert leaks(table) == ["number", "word"]


def test_a_leak_that_is_not_monotone_is_found(make: Make) -> None:
    x = np.random.default_rng(0).normal(size=400)

    assert leaks(make({"x": x, "y": np.abs(x) > 0.7})) == ["x"]


def test_a_feature_of_which_every_value_is_its_own_is_no_leak(make: Make) -> None:
    y = coins(400)

    assert leaks(make({"name": [f"n{i}" for i in range(400)], "x": list(range(400)), "y": y})) == []


def test_missing_values_can_leak(make: Make) -> None:
    y = coins(200)

    assert leaks(make({"x": [None if v else i / 7 for i, v in enumerate(y)], "y": y})) == ["x"]


def test_each_class_of_several_is_judged(make: Make) -> None:
    third = [i % 3 for i in range(300)]
    table = make({"x": [1.0 if v == 2 else 0.0 for v in third], "y": [("a", "b", "c")[v] for v in third]})

    (hit,) = hits(TargetLeak(), table)

    assert "tells y = c" in hit.message


def test_a_class_of_a_few_rows_is_not_judged(make: Make) -> None:
    y = [i < 5 for i in range(400)]

    assert leaks(make({"x": [float(v) for v in y], "y": y})) == []


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, None])
def test_odd_numbers_do_not_break_the_bins(make: Make, value: float | None) -> None:
    y = coins(200)

    assert leaks(make({"x": [value if i % 2 else 1.0 for i in range(200)], "y": y})) == []


def test_constant_and_empty_columns_are_no_leaks(make: Make) -> None:
    columns = {"one": [1.0] * 100, "none": pl.Series([None] * 100, dtype=pl.Float64), "y": coins(100)}

    assert leaks(make(columns)) == []


def test_an_empty_table_has_no_leaks(make: Make) -> None:
    empty = make(pl.DataFrame(schema={"x": pl.Float64, "s": pl.String, "y": pl.Boolean}))

    assert leaks(empty) == late(empty) == []


def test_a_feature_or_label_may_have_any_name(make: Make) -> None:
    y = coins(200)

    assert leaks(make({"bin": [float(v) for v in y], "half": [1.0] * 200, "len": ["a"] * 200, "y": y})) == ["bin"]


def test_a_feature_that_is_missing_with_the_label_is_known_only_afterwards(make: Make) -> None:
    y = [None if i < 20 else v for i, v in enumerate(coins(200))]
    x = [None if i < 18 else 1.0 for i in range(200)]

    assert late(make({"x": x, "other": [None if i > 150 else 1.0 for i in range(200)], "y": y})) == ["x"]


def test_few_missing_labels_say_nothing(make: Make) -> None:
    y = [None if i < 9 else v for i, v in enumerate(coins(200))]

    assert late(make({"x": [None if i < 9 else 1.0 for i in range(200)], "y": y})) == []


def test_full_and_empty_columns_are_not_known_afterwards(make: Make) -> None:
    y = [None if i < 20 else v for i, v in enumerate(coins(200))]

    assert late(make({"full": [1.0] * 200, "none": pl.Series([None] * 200, dtype=pl.Float64), "y": y})) == []


def severities(table: Table) -> dict[str | None, str]:
    return {hit.column: hit.severity for hit in hits(TargetLeak(), table)}


def noisy(y: list[bool], spread: float, seed: int) -> list[float]:
    found: list[float] = (np.array(y) + spread * np.random.default_rng(seed).normal(size=len(y))).tolist()
    return found


def test_a_copy_is_an_error_and_a_feature_far_above_the_others_a_warning(make: Make) -> None:
    y = coins(4_000)
    weak = {f"weak{i}": noisy(y, 3.0, i) for i in range(6)}

    assert severities(make({**weak, "copy": y, "y": y})) == {"copy": "error"}
    assert severities(make({**weak, "strong": noisy(y, 0.45, 9), "y": y})) == {"strong": "warning"}


def test_of_few_rows_only_what_has_no_more_values_than_classes_is_a_copy(make: Make) -> None:
    y = coins(200)
    weak = {f"weak{i}": noisy(y, 3.0, i) for i in range(6)}

    assert severities(make({**weak, "apart": noisy(y, 0.05, 9), "y": y})) == {"apart": "warning"}
    assert severities(make({**weak, "copy": ["b" if each else "a" for each in y], "y": y})) == {"copy": "error"}


def test_an_easy_label_is_worth_knowing_and_told_once(make: Make) -> None:
    y = coins(4_000)
    table = make({**{f"x{i}": noisy(y, 0.3 + 0.1 * i, i) for i in range(8)}, "y": y})

    (hit,) = hits(TargetLeak(), table)

    assert (hit.column, hit.severity) == ("x0", "info")
    assert "other features come close" in hit.message


def test_a_measured_label_is_told_by_its_quarters(make: Make) -> None:
    random = np.random.default_rng(0)
    price = random.lognormal(size=4_000)
    table = make({"copy": price * 1.2, "noise": random.normal(size=4_000), "y": price})

    assert severities(table) == {"copy": "error"}


def test_a_sorted_file_tells_the_label_by_its_order() -> None:
    (hit,) = hits(IdentifierPredictsLabel(), sorted_rows(3))

    assert (hit.column, hit.severity) == (None, "info")
    assert hit.observed == 1.0


def test_an_id_that_is_given_by_the_label_is_told(make: Make) -> None:
    y = coins(400)
    table = make({"id": [i + 1000 * v for i, v in enumerate(y)], "y": y})

    (hit,) = hits(IdentifierPredictsLabel(), table)

    assert (hit.column, hit.severity) == ("id", "warning")


def test_counted_rows_in_mixed_order_say_nothing(make: Make) -> None:
    assert hits(IdentifierPredictsLabel(), make({"id": list(range(400)), "y": coins(400)})) == []


def test_files_of_a_folder_have_no_order_of_their_own(tmp_path: Path) -> None:
    assert hits(IdentifierPredictsLabel(), dataclasses.replace(sorted_rows(1), base=tmp_path)) == []


def test_the_order_is_time_where_there_is_a_time_axis(make: Make) -> None:
    days = [datetime(2024, 1, 1) + timedelta(days=i) for i in range(200)]

    assert hits(IdentifierPredictsLabel(), make({"t": days, "y": ["no"] * 90 + ["yes"] * 110})) == []


def test_the_auc_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    from pipeline.labels.shortcut import auc

    random = np.random.default_rng(0)
    place, y = random.integers(0, 30, 2_000), random.integers(0, 2, 2_000)
    counts = np.zeros((30, 2))
    np.add.at(counts, (place, y), 1)
    score = (counts[:, 1] + y.mean()) / (counts.sum(axis=1) + 1)

    assert auc(counts, counts, 1) == pytest.approx(roc_auc_score(y, score[place]))


def test_a_moment_after_the_rows_own_is_told() -> None:
    (hit,) = hits(FutureTimestamp(), written_later(3))

    assert (hit.column, hit.rows, hit.observed) == ("settled", 40, 1.0)


@pytest.mark.parametrize("hours", [0, -5])
def test_a_moment_before_is_not_told(make: Make, hours: int) -> None:
    days = [datetime(2024, 1, 1) + timedelta(days=i) for i in range(40)]

    assert hits(FutureTimestamp(), make({"t": days, "ordered": [d + timedelta(hours=hours) for d in days]})) == []


def test_dates_are_compared_by_the_day(make: Make) -> None:
    moments = [datetime(2024, 1, 1, 9) + timedelta(days=i) for i in range(28)]
    same, after = [date(2024, 1, 1 + i) for i in range(28)], [date(2024, 1, 2 + i) for i in range(28)]

    assert [hit.column for hit in hits(FutureTimestamp(), make({"t": moments, "a": same, "b": after}))] == ["b"]


def test_without_moments_or_a_time_axis_it_is_skipped(make: Make) -> None:
    for rows in ({"x": [1, 2], "y": [True, False]}, {"d": [date(2024, 1, 1)], "y": [True]}):
        (said,) = FutureTimestamp().hits(make(rows))
        assert isinstance(said, Skipped)


@pytest.fixture(scope="module")
def flights() -> Table:
    """January to May as ingested, in memory."""
    workspace = Workspace.open(ROOT)
    agreed, settings = contract.load(workspace.contract_file), workspace.section(ingest.IngestSettings)
    files = sorted(workspace.raw.glob("*.gz"))
    parts = {file.name: ingest.read(file, file.name, settings, agreed).typed for file in files}
    return Table(
        contract=agreed,
        partitions={name: rows.lazy() for name, rows in parts.items()},
        unparsed=pl.LazyFrame(schema=ingest.UNPARSED_SCHEMA),
        height=sum(rows.height for rows in parts.values()),
    )


def test_no_feature_of_the_flights_leaks(flights: Table) -> None:
    assert leaks(flights) == late(flights) == []


def test_what_is_known_after_the_flight_is_found_when_made_a_feature(flights: Table) -> None:
    changed = tuple(
        dataclasses.replace(column, role="feature", modality="numeric") if column.name in AFTERWARDS else column
        for column in flights.contract.columns
    )
    careless = dataclasses.replace(flights, contract=dataclasses.replace(flights.contract, columns=changed))

    assert {*leaks(careless), *late(careless)} == set(AFTERWARDS)


def test_missing_together_is_counted_the_same_each_time() -> None:
    y = [None if i % 3 == 0 else "yes" for i in range(200_000)]
    x = [None if i % 3 == 0 and i % 50 else 0.1 for i in range(200_000)]

    assert len({hits(FutureInformation(), made({"x": x, "y": y}, parts=5))[0].observed for _ in range(10)}) == 1

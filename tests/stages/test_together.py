"""Whether test follows train: twins of train's own rows that stand in test do not hide it."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from pipeline import contract
from pipeline.features.target import Classes
from pipeline.judgement.settings import EvaluateSettings
from pipeline.stages import together
from pipeline.stages.split import SplitRecord
from pipeline.workspace import Workspace

END = datetime(2024, 3, 1)


@pytest.mark.parametrize(("early", "by"), [(0, "time"), (2, "time"), (30, "rows"), (100, "rows")])
def test_a_few_early_rows_of_test_are_twins(
    tiny: Workspace, monkeypatch: pytest.MonkeyPatch, early: int, by: str
) -> None:
    moments = [END + timedelta(hours=hour - 24 * 40 * (hour < early) + 1) for hour in range(100)]
    tiny.split.mkdir(parents=True)
    names = contract.load(tiny.contract_file)
    told = {"row_id": [f"r{place}" for place in range(100)], "placed": moments}
    assert names.time == "placed"
    pl.DataFrame(told).write_parquet(tiny.split / "test.parquet")
    span = {"train": ("2024-01-01 00:00:00", str(END)), "test": (str(min(moments)), str(max(moments)))}
    monkeypatch.setattr(SplitRecord, "read", lambda path: SimpleNamespace(span=span))

    target = Classes(column="slow", classes=["false", "true"])

    assert together.units_of_test(tiny, target, EvaluateSettings(), 100).record.by == by

"""Speed and size: what is timed, and how it is said."""

import pytest

from pipeline.judgement.record import Diagnosis
from pipeline.judgement.speed import MANY, SpeedSettings, size_of, speed
from pipeline.reports.speed import size
from pipeline.workspace import Workspace
from tests.judgement.planted import planted


def test_times_are_of_single_rows_and_of_many(monkeypatch: pytest.MonkeyPatch, trained_once: Workspace) -> None:
    case = planted(monkeypatch, lambda a, b, shop: a)
    object.__setattr__(case.model, "folder", trained_once.candidate)

    found = speed(case, SpeedSettings(seconds=0.01))

    assert (found.one.rows, found.many.rows) == (1, MANY)
    for pace in (found.one, found.many):
        assert pace.calls >= 1
        assert pace.rows_per_second == pytest.approx(1000 / pace.ms_per_row)
        assert pace.slow_ms_per_row >= pace.ms_per_row > 0
    assert found.many.ms_per_row < found.one.ms_per_row
    assert found.size == size_of(trained_once.candidate)
    assert size_of(trained_once.candidate) > (trained_once.candidate / "weights.safetensors").stat().st_size


def test_the_weights_of_a_trained_model_are_counted(trained_once: Workspace) -> None:
    from pipeline.models import saved

    found = Diagnosis.read(trained_once.diagnosis).speed

    assert found is not None
    assert found.weights == sum(weight.numel() for weight in saved.load(trained_once.candidate).parameters())
    assert size(found.size).endswith("kB")

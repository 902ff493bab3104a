"""The finders: the loss's valley, the knee of the throughput, and nothing written."""

import numpy as np
import pytest

from pipeline import artefacts, cli
from pipeline.commands.tune import finders
from pipeline.commands.tune.finders import RangeTest, knee, smoothed, steepest_of, valley_of
from pipeline.workspace import Workspace

RATES = np.geomspace(1e-6, 1.0, 61)
LOSSES = 1 - 0.8 / (1 + np.exp(-(np.log10(RATES) + 3) * 4)) + 50 * np.maximum(0, np.log10(RATES) + 1) ** 2


def test_the_steepest_slope_and_the_valley_are_where_the_curve_has_them() -> None:
    assert steepest_of(RATES, LOSSES) == pytest.approx(1e-3, rel=0.3)  # the middle of the sigmoid
    assert 1e-3 < valley_of(RATES, LOSSES) < 1e-1  # after that, before it rises
    assert RATES[int(np.argmin(LOSSES))] > valley_of(RATES, LOSSES)


def test_a_curve_that_only_rises_has_no_valley_but_an_answer() -> None:
    assert valley_of(RATES, np.linspace(1, 2, len(RATES))) == RATES[0]


def test_the_mean_of_losses_has_no_bias_at_its_start() -> None:
    assert smoothed([3.0] * 5) == pytest.approx([3.0] * 5)


@pytest.mark.parametrize("losses", [[float("nan")], [1.0] * finders.STEPS, [*[1.0] * 30, *[1000.0] * 5]])
def test_the_range_test_ends(losses: list[float]) -> None:
    test = RangeTest()

    with pytest.raises(finders.EnoughError):
        for loss in losses:
            test._hear(loss)

    assert len(test.losses) <= finders.STEPS


def test_the_knee_is_the_smallest_that_is_nearly_as_quick() -> None:
    assert knee({16: 10.0, 32: 90.0, 64: 99.0, 128: 100.0}) == 32
    assert knee({16: 10.0}) == 16


@pytest.mark.parametrize("what", ["lr", "batch-size"])
def test_a_finder_writes_nothing_and_shows_a_difference(
    what: str, trained: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finders, "TIMED_SECONDS", 0.05)
    (trained.normalized / "test.safetensors").unlink()
    before = artefacts.sha256(trained.root)

    assert cli.main(["-w", str(trained.root), "find", what]) == 0

    said = capsys.readouterr().out
    assert "suggested: " in said
    assert "+++ params.yaml" in said or "batch_size: 64" in trained.params_file.read_text()
    assert artefacts.sha256(trained.root) == before

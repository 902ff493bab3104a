"""The gate of an export: a candidate that says the same as a file passes, with the largest difference seen."""

import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.export import bundle, gate
from pipeline.export.bundle import MODEL
from pipeline.export.fidelity import TOLERANCE
from pipeline.export.loader import WEIGHTS
from pipeline.stages import promote
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.gates import GateSettings
from pipeline.stages.promote import PromoteSettings
from pipeline.workspace import Workspace
from tests.export.conftest import Make

NO_FILE_IS_AS_NEAR = 1e-15


def test_it_is_asked_where_the_settings_ask_it_and_keeps_nothing(
    trained_once: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    evaluation = Evaluation.read(trained_once.evaluation)

    verdicts = []
    for tolerance in (TOLERANCE, NO_FILE_IS_AS_NEAR):
        asked = {"export": True, "export_tolerance": tolerance}
        settings = PromoteSettings.model_validate({"baseline": "majority", "gates": asked})
        verdicts.append(promote.judged(trained_once, evaluation, settings)[-1])
    unasked = promote.judged(trained_once, evaluation, PromoteSettings(baseline="majority"))

    assert [(one.name, one.verdict) for one in verdicts] == [("export", "passed"), ("export", "failed")]
    assert "off in probability, on 87 rows of val" in verdicts[0].found
    assert verdicts[0].asked == "at most 0.0001 from the model"
    assert "export" not in [one.name for one in unasked]
    assert [*tmp_path.iterdir()] == []


def test_the_file_that_is_farther_off_is_told(export_of: Make, tmp_path: Path) -> None:
    seen = bundle.both(export_of(), tmp_path)
    far = {**seen, WEIGHTS: seen[WEIGHTS].model_copy(update={"farthest": 0.3})}
    wrong = {**seen, MODEL: seen[MODEL].model_copy(update={"otherwise": 2})}

    assert gate.judged(seen, "near").verdict == "passed"
    assert gate.judged(far, "near").found.startswith("weights.safetensors at most 3.0e-01 off in probability, on ")
    assert gate.judged(wrong, "near").verdict == gate.judged(far, "near").verdict == "failed"
    assert "2 answers do not follow from it" in gate.judged(wrong, "near").found


def test_without_the_libraries_it_does_not_pass_and_says_what_to_install(
    trained_once: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    told = gate.gate(trained_once, TOLERANCE)

    assert told.verdict == "failed"
    assert told.found == "not measured, needs onnxruntime: pip install 'keepfit[export]'"


def test_it_is_off_as_it_takes_seconds_and_libraries() -> None:
    assert not GateSettings().export

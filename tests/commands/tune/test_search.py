"""The search: today's settings first, no look at test, nothing lost by a kill, honest counts."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline import artefacts, cli
from pipeline.commands.tune import background, proposals, running, search, space, study, words
from pipeline.commands.tune.material import Material
from pipeline.commands.tune.study import Study, Tried
from pipeline.errors import SettingsError, WorkspaceError
from pipeline.models import placement, saved
from pipeline.models.choices.tuning import TuneSettings
from pipeline.models.module import KeepBest
from pipeline.stages import train
from pipeline.stages.train import TrainSettings
from pipeline.versions import registry
from pipeline.workspace import Workspace


def tuned(workspace: Workspace, say: Callable[[str], None] = lambda _: None, **settings: Any) -> Study:
    tune = TuneSettings.model_validate({"trials": 3, **settings})
    return search.search(Material.of(Workspace.open(workspace.root), tune), say)


class KilledError(BaseException):
    """As SIGKILL: nobody takes note of it."""


def killed_after(trials: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die, as by SIGKILL, after the first epoch of the trial that follows so many."""
    hear = running.Running._hear

    def heard(self: running.Running, scores: list[float]) -> None:
        hear(self, scores)
        if self.trial.number == trials:
            raise KilledError

    monkeypatch.setattr(running.Running, "_hear", heard)


def told(found: Study) -> list[dict[str, Any]]:
    return [trial.model_dump(exclude={"seconds", "starts"}) for trial in found.trials]


def test_the_first_trial_is_of_the_settings_as_they_are(trained: Workspace) -> None:
    found = tuned(trained, trials=1)

    history = artefacts.read_json(trained.candidate / saved.HISTORY)
    assert found.trials[0].changed == {}
    assert found.trials[0].score == max(epoch["val_auc"] for epoch in history["epochs"])


def test_the_best_is_no_worse_than_the_settings_as_they_are_and_is_what_train_gives(trained: Workspace) -> None:
    found = tuned(trained, trials=4, pruning="none")

    assert found.best is not None and found.best.score is not None
    assert found.best.score >= max(trial.score or 0.0 for trial in found.trials)
    changed = found.trials[3].changed
    assert changed
    settings = space.settled(trained.params["train"], changed)
    fitted = train.read_preprocessor(trained, settings)
    tensors = {n: placement.read(trained.normalized / f"{n}.safetensors", None) for n in ("train", "val")}
    shape = train.shape(fitted, settings, tensors["train"])
    kept = train.fit(tensors, shape, fitted.target, settings, seed=trained.seed, curves=trained.root / "again")
    assert kept.best is not None
    assert kept.best.val_score == found.trials[3].score


def test_test_is_not_opened(trained: Workspace) -> None:
    before = told(tuned(trained))
    artefacts.remove(study.folder(trained))
    (trained.normalized / "test.safetensors").unlink()

    assert told(tuned(trained)) == before


def test_a_killed_search_goes_on_where_it_was(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tuned(trained, trials=4)
    artefacts.remove(study.folder(trained))
    with monkeypatch.context() as patched:
        killed_after(2, patched)
        with pytest.raises(KilledError):
            tuned(trained, trials=4)
    left = study.read(trained)
    assert left is not None
    assert [trial.state for trial in left.trials] == [*[t.state for t in whole.trials[:2]], "running"]

    again = tuned(trained, trials=4)

    assert told(again) == told(whole)
    assert again.trials[2].starts == 2
    assert {trial.starts for trial in again.trials if trial.number != 2} == {1}


def test_a_trial_that_is_killed_again_and_again_has_failed(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        killed_after(1, patched)
        for _ in range(search.MOST_STARTS):
            with pytest.raises(KilledError):
                tuned(trained)

    found = tuned(trained)

    assert [trial.state for trial in found.of_state("failed")] == ["failed"]
    assert found.trials[1].why == "killed 3 times"
    assert "3 of 3 trials: 2 whole, 0 ended early, 1 failed" in [*words.standing(found, None)]


def test_ctrl_c_is_no_fault_of_the_trial(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(running.Running, "_hear", interrupted)
        for _ in range(search.MOST_STARTS + 1):
            with pytest.raises(KeyboardInterrupt):
                tuned(trained)

    assert not tuned(trained).of_state("failed")


def test_other_data_or_settings_begin_anew_and_the_old_trials_are_kept(trained: Workspace) -> None:
    heard: list[str] = []
    first = tuned(trained)
    text = trained.params_file.read_text()
    trained.params_file.write_text(text.replace("epochs: 2", "epochs: 3"))

    second = tuned(trained, heard.append, trials=1)
    trained.params_file.write_text(text)
    third = tuned(trained, heard.append)

    assert second.key != first.key
    assert heard[0] == "data or settings are others than in the last search: the trials begin anew"
    assert heard[-1] == "data or settings are others than in the last search: 3 trials of them go on"
    assert told(third) == told(first)


def test_a_trial_that_diverges_ends_alone(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = train.fit

    def diverging(tensors: Any, shape: Any, target: Any, settings: TrainSettings, **others: Any) -> KeepBest:
        if settings.optimizer.learning_rate != 0.02:
            raise SettingsError("the loss is nan", where="params.yaml", fix="lower it")
        return fit(tensors, shape, target, settings, **others)

    monkeypatch.setattr(train, "fit", diverging)

    found = tuned(trained)

    assert [trial.state for trial in found.trials] == ["complete", "failed", "failed"]
    assert found.trials[1].why == "the loss is nan"
    assert found.best is not None and found.best.number == 0


def test_settings_that_do_not_work_as_they_are_are_said(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise SettingsError("no", where="here", fix="mend it")

    monkeypatch.setattr(train, "fit", refused)

    with pytest.raises(SettingsError, match="no"):
        tuned(trained)


def test_a_bad_trial_is_pruned_by_the_score_of_others(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "WARM_TRIALS", 1)
    text = trained.params_file.read_text().replace("epochs: 2", "epochs: 8, patience: 8")
    trained.params_file.write_text(text)
    space_ = {"optimizer.learning_rate": [1e-6], "batch_size": "off", "mlp.dropout": "off", "mlp.hidden": "off"}

    found = tuned(trained, trials=4, space={**space_, "optimizer.weight_decay": "off"})

    slow = [trial for trial in found.trials if trial.changed]
    assert slow
    assert {trial.state for trial in slow} == {"pruned"}
    assert all(len(trial.scores) < 8 for trial in slow)
    assert found.best is not None and found.best.number == 0


def test_minutes_end_the_search_and_the_next_run_goes_on(trained: Workspace) -> None:
    heard: list[str] = []

    found = tuned(trained, heard.append, minutes=1e-9)

    assert found.trials == []
    assert tuned(trained).trials[0].state == "complete"


def test_what_mattered_is_told_from_ten_whole_trials_on(trained: Workspace) -> None:
    material = Material.of(trained, TuneSettings(trials=10, pruning="none"))
    knobs = [knob.name for knob in material.knobs]
    today = {knob.name: knob.today for knob in material.knobs}
    rate = "optimizer.learning_rate"
    trials = [
        Tried(number=n, state="complete", values={**today, rate: 0.002 + 0.01 * n}, changed={}, scores=[n / 10])
        for n in range(10)
    ]
    found = Study(key="", metric="auc", seed=0, train={}, wanted=10, trials=trials)

    shares = proposals.importances(found, material)

    assert set(shares) == set(knobs)
    assert max(shares, key=lambda name: shares[name]) == rate
    assert proposals.importances(found.model_copy(update={"trials": trials[:9]}), material) == {}
    assert rate in next(iter(words.mattered(shares)))


def run(*arguments: str) -> int:
    return cli.main(arguments)


def test_the_command_tunes_tells_and_applies(trained: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    before = trained.params_file.read_text()
    root = str(trained.root)
    assert run("-w", root, "tune", "--status") == 0
    assert "nothing was tried yet" in capsys.readouterr().out
    assert run("-w", root, "tune", "--apply") == 2

    assert run("-w", root, "tune", "--trials", "1") == 0
    found = study.read(trained)
    assert found is not None
    better = Tried(number=1, state="complete", values={}, changed={"mlp.hidden": [9]}, scores=[1.0])
    found.having(better).write(study.file(trained))
    assert trained.params_file.read_text() == before
    capsys.readouterr()
    assert run("-w", root, "tune", "--status") == 0
    said = capsys.readouterr().out
    assert "trial 1 is the best: auc 1 on val" in said
    assert "partly luck" in said
    assert run("-w", root, "tune", "--apply") == 0

    assert "+train: {mlp: {hidden: [9]," in capsys.readouterr().out
    assert trained.params_file.read_text() == before.replace("hidden: [8]", "hidden: [9]")
    assert run("-w", root, "tune", "--apply") == 0
    assert "params.yaml has the best settings" in capsys.readouterr().out
    trained.params_file.write_text(before.replace("epochs: 2", "epochs: 5"))
    assert run("-w", root, "tune", "--apply") == 2
    assert "is another now than when it was tuned" in capsys.readouterr().err


def test_only_one_tunes_at_a_time(trained: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with search.alone(trained):
        for options in ([], ["--background"]):
            assert run("-w", str(trained.root), "tune", *options) == 2
            assert "tunes here already" in capsys.readouterr().err


def test_a_workspace_without_tensors_is_told_what_to_run(tiny: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="run `keepfit run` first"):
        tuned(tiny)


def test_a_quantity_is_tuned_for_a_lower_score(measured: Workspace) -> None:
    found = tuned(measured, trials=2, pruning="none")

    assert found.metric == "rmse"
    assert found.best is not None
    assert found.best.score == min(trial.score or 0.0 for trial in found.trials)


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")  # it outlives the command that started it
def test_a_search_in_the_background_is_seen_and_ended(trained: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    trained.params_file.write_text(
        trained.params_file.read_text().replace("epochs: 2", "epochs: 100000, patience: 100000")
    )
    root = str(trained.root)

    assert run("-w", root, "tune", "--background") == 0
    try:
        assert "tunes in the background" in capsys.readouterr().out
        assert run("-w", root, "tune", "--status") == 0
        assert f"process {background.working(trained)} tunes" in capsys.readouterr().out
        assert run("-w", root, "tune") == 2
    finally:
        assert run("-w", root, "tune", "--stop") == 0

    assert "ended process" in capsys.readouterr().out
    assert run("-w", root, "tune", "--stop") == 0
    assert "nobody tunes here" in capsys.readouterr().out


@pytest.mark.parametrize(("option", "value"), [("--trials", "0"), ("--minutes", "-1")])
def test_a_number_that_cannot_be_is_one_line(
    option: str, value: str, trained: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-w", str(trained.root), "tune", option, value) == 2

    said = capsys.readouterr().err
    assert f"tune.{option.removeprefix('--')}: Input should be greater than" in said
    assert said.count("\n") == 1


def test_a_trial_may_start_from_a_registered_model(trained: Workspace) -> None:
    registry.register(trained)
    plain = tuned(trained, trials=1)
    text = trained.params_file.read_text()
    trained.params_file.write_text(text.replace("epochs: 2,", "epochs: 2, init_from: v1,"))

    started = tuned(trained, trials=1)

    assert plain.trials[0].score != started.trials[0].score


def test_several_backbones_are_tried_each_with_its_own_settings(trained: Workspace) -> None:
    found = tuned(trained, trials=6, pruning="none", backbones=["mlp", "linear"])

    models = {trial.values["model"] for trial in found.trials}
    assert models == {"mlp", "linear"}
    for trial in found.trials:
        others = {"mlp", "linear"} - {trial.values["model"]}
        assert not any(name.endswith(f" of {other}") for other in others for name in trial.values)
    assert all(trial.state == "complete" for trial in found.trials)

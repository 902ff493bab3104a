"""What no replay can use again is removed; what it can is kept, and a kill leaves no folder that looks whole."""

from pathlib import Path

import pytest

from pipeline import artefacts
from pipeline.commands.backtest.sweeping import MadeOf, sweep

FILES = {"a.csv": "1", "b.csv": "2", "may.csv": "3"}


def place(home: Path, name: str, files: dict[str, str] | None, definition: str = "today") -> Path:
    artefacts.write_text(home / name / "models" / "weights", "w")
    if files is not None:
        MadeOf.note(home / name, files, definition)
    return home / name


def test_only_trainings_that_cannot_be_asked_for_again_are_removed(tmp_path: Path) -> None:
    kept = [place(tmp_path, "all", FILES), place(tmp_path, "first", {"a.csv": "1"})]
    place(tmp_path, "other settings", FILES, "yesterday")
    place(tmp_path, "changed file", {**FILES, "b.csv": "9"})
    place(tmp_path, "gone file", {**FILES, "june.csv": "4"})
    place(tmp_path, "nobody knows", None)

    assert sweep(tmp_path, FILES, "today") == 4
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert sweep(tmp_path, FILES, "today") == 0


def test_a_sweep_that_is_killed_leaves_nothing_under_the_old_name_and_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = place(tmp_path, "stale", FILES, "yesterday")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(artefacts, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            sweep(tmp_path, FILES, "today")
    assert not stale.exists()

    sweep(tmp_path, FILES, "today")

    assert list(tmp_path.iterdir()) == []


def test_what_is_noted_first_stays(tmp_path: Path) -> None:
    MadeOf.note(place(tmp_path, "one", FILES), {}, "another")

    assert MadeOf.read(tmp_path / "one" / "made_of.json").serves(FILES, "today")

"""`keepfit tune` and `keepfit find`: their options, and what they do."""

import argparse
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.errors import WorkspaceError

if TYPE_CHECKING:
    from pipeline.commands.tune.material import Material
    from pipeline.commands.tune.study import Study
    from pipeline.workspace import Workspace

Open = Callable[[argparse.Namespace], "Workspace"]
Say = Callable[[str], None]


def add(add: Callable[[str, object, str], argparse.ArgumentParser], opened: Open, say: Say) -> None:
    """Both commands; `opened` gives the workspace that was named, with its settings checked."""
    search = add("tune", lambda chosen: tune(chosen, opened(chosen), say), "search for better settings of the training")
    search.add_argument("--trials", type=int, metavar="N", help="how many, with those of an earlier run (default: 30)")
    search.add_argument("--minutes", type=float, metavar="M", help="end after so many; a later run goes on")
    ways = search.add_mutually_exclusive_group()
    ways.add_argument("--background", action="store_true", help="go on when the terminal is closed; see --status")
    ways.add_argument("--status", action="store_true", help="say how far the search is, and what is best so far")
    ways.add_argument("--stop", action="store_true", help="end the search after its step; the next one goes on")
    ways.add_argument("--apply", action="store_true", help="write the best of what was tried to params.yaml")
    finder = add("find", lambda chosen: find(chosen, opened(chosen), say), "suggest a learning rate or a batch size")
    finder.add_argument("what", choices=("lr", "batch-size"), help="of one short training each; nothing is written")


def tune(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit tune`."""
    from pipeline.commands.tune import background

    if chosen.status:
        return _status(workspace, say)
    if chosen.apply:
        return _apply(workspace, say)
    if chosen.stop:
        pid = background.stop(workspace)
        say(f"ended process {pid}; `keepfit tune` goes on" if pid else "nobody tunes here")
        return 0
    if chosen.background:
        pid = background.start(workspace, _options(chosen))
        say(f"process {pid} tunes in the background: `keepfit tune --status`, {background.log_file(workspace)}")
        return 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell gives its background jobs none
    return _tune(chosen, workspace, say)


def _tune(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    from pipeline.commands.tune import search, study, words
    from pipeline.commands.tune.material import Material
    from pipeline.models.choices.tuning import TuneSettings
    from pipeline.workspace import parse_section

    asked = {name: value for name in ("trials", "minutes") if (value := getattr(chosen, name)) is not None}
    settings = parse_section(TuneSettings, {**(workspace.params.get("tune") or {}), **asked})
    with search.alone(workspace):
        material = Material.of(workspace, settings)
        try:
            found = search.search(material, say)
        except KeyboardInterrupt:
            if (left := study.read(workspace)) is not None:
                for line in words.standing(left, None):
                    say(line)
            raise
    _show(found, material, say)
    return 0


def _show(found: "Study", material: "Material", say: Say) -> None:
    from pipeline.commands.tune import proposals, words

    words.show_trials(found)
    for line in (*words.mattered(proposals.importances(found, material)), *words.verdict(found)):
        say(line)
    difference = proposal(found, material.workspace)
    if difference:
        say(difference.rstrip("\n"))
        say("`keepfit tune --apply` writes that")


def _status(workspace: "Workspace", say: Say) -> int:
    from pipeline.commands.tune import background, study, words

    found, pid = study.read(workspace), background.working(workspace)
    if found is None:
        say(f"process {pid} tunes, and has not begun a trial" if pid else "nothing was tried yet: run `keepfit tune`")
        return 0
    for line in words.standing(found, pid):
        say(line)
    return 0


def _apply(workspace: "Workspace", say: Say) -> int:
    from pipeline import artefacts
    from pipeline.commands.tune import study

    found = study.read(workspace)
    if found is None or found.best is None:
        raise WorkspaceError("no trial has come to its end yet", where=str(workspace.root), fix="run `keepfit tune`")
    difference = proposal(found, workspace)
    if not difference:
        say("params.yaml has the best settings that were tried")
        return 0
    artefacts.write_text(workspace.params_file, _changed(found, workspace))
    say(difference.rstrip("\n"))
    say("written; now `dvc repro` or `keepfit run`")
    return 0


def proposal(found: "Study", workspace: "Workspace") -> str:
    """The best trial as a unified difference of params.yaml; empty where nothing is to be changed.

    Raises SettingsError where the section `train` is another now than when it was tuned.
    """
    from pipeline.commands.tune import difference

    return difference.unified(_text(workspace), _changed(found, workspace))


def _changed(found: "Study", workspace: "Workspace") -> str:
    from pipeline.commands.tune import difference, space

    best = found.best
    if best is None or not best.changed:
        return _text(workspace)
    changes = {f"train.{key}": value for key, value in best.changed.items()}
    space.require_as_tuned(workspace, found.train, best.changed)
    return difference.changed(_text(workspace), changes)


def _text(workspace: "Workspace") -> str:
    return workspace.params_file.read_bytes().decode("utf-8")  # with its line ends


def _options(chosen: argparse.Namespace) -> list[str]:
    named = {"--trials": chosen.trials, "--minutes": chosen.minutes}
    return [text for name, value in named.items() if value is not None for text in (name, str(value))]


def find(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit find`."""
    from pipeline.commands.tune import difference, finders

    found = finders.FINDERS[chosen.what](workspace, say)
    text = _text(workspace)
    for line in (*found.words, difference.unified(text, difference.changed(text, found.changes)).rstrip("\n")):
        say(line)
    return 0

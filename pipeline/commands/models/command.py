"""`keepfit models ...`: its options, and what it does."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pipeline.export import command as exporting

if TYPE_CHECKING:
    from pipeline.versions.registry import Champion
    from pipeline.workspace import Workspace

Open: TypeAlias = Callable[[argparse.Namespace], "Workspace"]
Say: TypeAlias = Callable[[str], None]
Run: TypeAlias = Callable[[argparse.Namespace, "Workspace", Say], int]
VERSION = "a version of the registry, such as v3, or champion"


def add(add: Callable[[str, object, str], argparse.ArgumentParser], opened: Open, say: Say) -> None:
    """The command with its actions; `opened` gives the workspace that was named, with its settings checked."""
    models = add("models", _command(list_all, opened, say), "list the versions of the model, and act on them")
    actions = models.add_subparsers(metavar="ACTION")

    def action(name: str, run: Run, words: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=words, description=words)
        made.set_defaults(command=_command(run, opened, say))
        return made

    action("list", list_all, "list the versions, their scores, and which is champion")
    show = action("show", show_one, "show where a version comes from, its scores and its promotions")
    show.add_argument("version", nargs="?", default="champion", help=f"{VERSION} (default: champion)")
    compare = action("compare", compare_two, "show how a version differs from another: what went in and what came out")
    compare.add_argument("first", help=VERSION)
    compare.add_argument("second", help=VERSION)
    promote = action("promote", promote_one, "promote the candidate if it passes, or a version by hand")
    promote.add_argument("version", nargs="?", help="a version of the registry (default: the candidate)")
    promote.add_argument("--why", metavar="WORDS", help="kept in the journal of promotions")
    rollback = action("rollback", roll_back, "make the champion before this one champion again")
    rollback.add_argument("--why", metavar="WORDS", help="kept in the journal of promotions")
    action("log", show_log, "show every promotion and rollback, and whether anything was altered since")
    reproduce = action("reproduce", make_anew, "train a version anew from its data and settings, and say what differs")
    reproduce.add_argument("version", help=VERSION)
    reproduce.add_argument("--into", type=Path, metavar="DIR", help="keep the workspace that it was made anew in")
    reproduce.add_argument("--json", type=Path, metavar="FILE.json", help="write what was found")
    exporting.add(action)


def _command(run: Run, opened: Open, say: Say) -> Callable[[argparse.Namespace], int]:
    return lambda chosen: run(chosen, opened(chosen), say)


def list_all(_: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit models` and `keepfit models list`."""
    from pipeline.commands import summary
    from pipeline.commands.models import logged
    from pipeline.versions import sealed

    summary.show_models(workspace)
    opened = sealed.seal(workspace)
    for line in ([sealed.words(opened)] if opened else []) + list(logged.faults(workspace)):
        say(line)
    return 0


def show_one(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit models show [V]`."""
    from pipeline.commands.models import shown
    from pipeline.commands.models.version import Version

    for line in shown.version(workspace, Version.read(workspace, chosen.version)):
        say(line)
    return 0


def compare_two(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit models compare A B`."""
    from pipeline.commands.models import compared
    from pipeline.commands.models.version import Version

    first, second = (Version.read(workspace, name) for name in (chosen.first, chosen.second))
    for line in compared.compared(first, second):
        say(line)
    compared.show_scores(first, second)
    return 0


def promote_one(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit models promote [V]`; exit code 1 when the candidate does not pass."""
    from pipeline.stages import gates, promote
    from pipeline.versions import dvc, registry

    dvc.prepare(workspace.root)
    with workspace.lock():
        if chosen.version:
            now = registry.champion(workspace)
            pointer = registry.point(workspace, chosen.version, why=_why(chosen), expected=now)
            return _moved(workspace, pointer, say)
        promotion = promote.run(workspace)
    for line in promotion.lines:
        say(line)
    return 0 if gates.passed(promotion.gates) else 1


def roll_back(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit models rollback`."""
    from pipeline.versions import dvc, registry

    dvc.prepare(workspace.root)
    with workspace.lock():
        return _moved(workspace, registry.rollback(workspace, why=_why(chosen)), say)


def _why(chosen: argparse.Namespace) -> list[str]:
    return [chosen.why] if chosen.why else []


def _moved(workspace: "Workspace", pointer: "Champion", say: Say) -> int:
    """Commit the pointer's move where promotions are committed, and say what it came to."""
    from pipeline.stages import promote

    tag = promote.commit_move(workspace, pointer)
    after = f", after {pointer.previous}" if pointer.previous else ""
    say(f"the champion is {pointer.version}{after}" + (f" ({tag})" if tag else ""))
    return 0


def show_log(_: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit models log`; exit code 1 where something was altered."""
    from pipeline.commands.models import logged

    for line in logged.log(workspace):
        say(line)
    return 1 if any(logged.faults(workspace)) else 0


def make_anew(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit models reproduce V`; exit code 1 where something came out otherwise."""
    from pipeline.commands.models import reproduced
    from pipeline.commands.models.version import Version

    version = Version.read(workspace, chosen.version)
    with reproduced.scratch(workspace, chosen.into) as folder:
        found = reproduced.reproduce(workspace, version, folder, say)
    if chosen.json:
        found.write(chosen.json)
    for line in reproduced.words(found):
        say(line)
    return 0 if found.same else 1

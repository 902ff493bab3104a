"""The search itself: a proposal, a training of it, and again; it goes on where a killed one was."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from pipeline.commands.tune import space, study
from pipeline.commands.tune.material import Material
from pipeline.commands.tune.proposals import Proposals
from pipeline.commands.tune.running import Running
from pipeline.commands.tune.study import Study, Tried
from pipeline.wording import count
from pipeline.workspace import Workspace

MOST_STARTS = 3  # a trial that was killed so often is not begun again
Say: TypeAlias = Callable[[str], None]


def begun(material: Material) -> tuple[Study, bool]:
    """The study that goes on, or that of other data or settings, where these are others now; and whether they are."""
    known, key = study.read(material.workspace), material.key
    anew = known is not None and known.key != key
    if known is not None and anew:
        known.write(study.earlier(material.workspace, known.key))
        before = study.earlier(material.workspace, key)
        known = Study.read(before) if before.is_file() else None
    if known is not None:
        return _given_up(known.model_copy(update={"wanted": material.tune.trials})), anew
    return material.fresh, anew


def search(material: Material, say: Say) -> Study:
    """Try until so many trials have ended, or the minutes are over; every trial is written as it goes.

    The first is of the settings as they are, so that the best is no worse than they on val.
    """
    found, anew = begun(material)
    if anew:
        earlier = f"{count(len(found.trials), 'trial')} of them go on" if found.trials else "the trials begin anew"
        say(f"data or settings are others than in the last search: {earlier}")
    until = None if material.tune.minutes is None else time.monotonic() + 60 * material.tune.minutes
    proposals = Proposals(material=material)
    while len(found.ended) < found.wanted and (until is None or time.monotonic() < until):
        trial = _next(found, proposals)
        say(_opening(trial, found))
        running = Running(material=material, found=found.having(trial), trial=trial, proposals=proposals, until=until)
        found = running.run()
        if (ended := running.trial).state == "running":
            say(f"trial {ended.number} is taken up by the next run")
            break
        say(_closing(ended, found))
    return found


def _next(found: Study, proposals: Proposals) -> Tried:
    """The trial that was running when the last run ended, or a new one."""
    for trial in found.of_state("running"):
        return trial.model_copy(update={"starts": trial.starts + 1})
    values = proposals.propose(found)
    material = proposals.material
    changed = space.changes(material.settings, material.knobs, values)
    return Tried(number=len(found.trials), state="running", values=values, changed=changed)


def _given_up(found: Study) -> Study:
    """The study in which a trial that was killed too often has failed."""
    for trial in found.of_state("running"):
        if trial.starts >= MOST_STARTS:
            why = f"killed {trial.starts} times"
            found = found.having(trial.model_copy(update={"state": "failed", "why": why}))
    return found


def _opening(trial: Tried, found: Study) -> str:
    again = ", taken up" if trial.starts > 1 else ""
    changed = ", ".join(f"{key} {value}" for key, value in trial.changed.items()) or "the settings as they are"
    return f"trial {trial.number} of {found.wanted}{again}: {changed}"


def _closing(trial: Tried, found: Study) -> str:
    best = found.best
    beside = "" if best is None or best.score is None else f"; best {best.score:.5g} of trial {best.number}"
    said = f"{trial.state}: {trial.why}" if trial.why else trial.state
    score = (
        ""
        if trial.score is None
        else f"{found.metric} {trial.score:.5g} on val after {count(len(trial.scores), 'epoch', 'epochs')}, "
    )
    return f"  {score}{said}{beside}"


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """Be the one that tunes here; raises WorkspaceError when another does."""
    with workspace.tune_lock():
        study.Process(pid=os.getpid()).write(study.folder(workspace) / "process.json")
        yield

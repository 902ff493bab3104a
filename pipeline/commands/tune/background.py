"""A search that goes on when the terminal is closed, and how it is ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.commands.tune import study
from pipeline.errors import WorkspaceError
from pipeline.runtime import processes
from pipeline.workspace import Workspace

START_SECONDS, STOP_SECONDS, LOOK_SECONDS = 60.0, 120.0, 0.1


def log_file(workspace: Workspace) -> Path:
    """What the search in the background has said."""
    return study.folder(workspace) / "log"


def working(workspace: Workspace) -> int | None:
    """The number of the process that tunes here, None where none does."""
    file = study.folder(workspace) / "process.json"
    if not file.is_file():
        return None
    pid = study.Process.read(file).pid
    return pid if processes.lives(pid, file.stat().st_mtime) else None


def start(workspace: Workspace, options: Sequence[str]) -> int:
    """Start `keepfit tune` with these options on its own; its number, once it is at work.

    Raises WorkspaceError when another tunes here, or the new one ends at once.
    """
    with workspace.tune_lock():  # or the one line about it would be in the log alone
        log = log_file(workspace)
        log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pipeline.cli", "-w", str(workspace.root), "tune", *options]
    with log.open("w", encoding="utf-8") as said:
        begun = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    until = time.monotonic() + START_SECONDS
    while working(workspace) != begun.pid and begun.poll() is None and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    if begun.poll():
        last = log.read_text(encoding="utf-8").strip().splitlines()
        raise WorkspaceError("the search ended at once", where=workspace.relative(log), fix=last[-1] if last else "-")
    return begun.pid


def stop(workspace: Workspace) -> int | None:
    """End the search that works here, as Ctrl-C does, and wait for that; its number, None where none works."""
    pid = working(workspace)
    if pid is None:
        return None
    os.kill(pid, signal.SIGINT)
    until = time.monotonic() + STOP_SECONDS
    while working(workspace) == pid:
        if time.monotonic() > until:
            fix = "wait for the end of its step, or kill it: the trial is taken up all the same"
            raise WorkspaceError(f"process {pid} was asked to end, and has not yet", where=str(workspace.root), fix=fix)
        time.sleep(LOOK_SECONDS)
    return pid

"""Which processes of this machine are at work: what a killed run left is told by it from what is being written."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def lives(pid: int, since: float) -> bool:
    """Whether the process of this number that wrote a file at `since` (seconds from 1970) is still there.

    A process that is younger than the file only has the number of one that has ended; a zombie writes no more.
    """
    import psutil  # type: ignore[import-untyped]

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return bool(process.create_time() <= since and process.status() != psutil.STATUS_ZOMBIE)
    return False


def holder(file: Path) -> str:
    """The process that has `file` open, in words: `process 4711`."""
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if any(opened.path == str(file) for opened in process.open_files()):
                return f"process {process.pid}"
    return "a process of another user"


def commands(root: Path) -> Iterator[tuple[int, str]]:
    """Number and stage of each process, but this one, that DVC started for a command of a stage of the repo at `root`.

    DVC says so in their environment; they outlive a DVC that is killed.
    """
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            environ = process.environ()
            if process.pid != os.getpid() and environ.get("DVC_STAGE") and environ.get("DVC_ROOT") == str(root):
                yield process.pid, environ["DVC_STAGE"]

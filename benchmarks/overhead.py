"""What Prefect and DVC add to a run, and how quickly the commands answer.

Wall seconds: the median of 2 to 5 runs, after one that is not counted.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli import STAGES
from pipeline.workspace import Workspace

BIN = Path(sys.executable).parent
STAGES_ALONE = """
import importlib, os, sys
from pathlib import Path
from pipeline.runtime import memory
from pipeline.workspace import Workspace
memory.collect_seldom()
memory.keep_freed()
workspace = Workspace.open(Path.cwd())
for name in sys.argv[1:]:
    importlib.import_module(f"pipeline.stages.{name}").run(workspace)
importlib.import_module("pipeline.reports.report").write(workspace)
os._exit(0)  # as the command ends
"""


def table(workspace: Workspace) -> str:
    """A Markdown table; `workspace` is a prepared copy that may be run over and over."""
    alone = seconds([sys.executable, "-c", STAGES_ALONE, *STAGES], workspace.root, runs=2)
    _command("keepfit", "run", cwd=workspace.root)
    forced = [_forced(workspace) for _ in range(2)]
    rows = {
        "`keepfit --help`": seconds([str(BIN / "keepfit"), "--help"], workspace.root, runs=5),
        "`dvc repro`, nothing to do": seconds([str(BIN / "dvc"), "repro"], workspace.root, runs=5),
        "`keepfit run`, nothing to do": seconds([str(BIN / "keepfit"), "run"], workspace.root, runs=3),
        "the seven stages and the report in one process, without Prefect and DVC": alone,
        "`keepfit run`, every stage run": statistics.median(forced),
        "Prefect and DVC add": statistics.median(forced) - alone,
    }
    return "\n".join(
        ["| what | seconds |", "|---|---|", *(f"| {name} | {value:.2f} |" for name, value in rows.items())]
    )


def seconds(command: Sequence[str], cwd: Path, *, runs: int) -> float:
    """The median wall time of `command`, after one run that is not counted."""
    took = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run(
            command, cwd=cwd, check=True, capture_output=True, env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
        )
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:])


def _forced(workspace: Workspace) -> float:
    """A full flow run: without dvc.lock and its run cache no stage is up to date."""
    (workspace.root / "dvc.lock").unlink()
    subprocess.run(["rm", "-rf", str(workspace.root / ".dvc" / "cache" / "runs")], check=True)
    began = time.perf_counter()
    _command("keepfit", "run", cwd=workspace.root)
    return time.perf_counter() - began


def _command(*words: str, cwd: Path) -> None:
    subprocess.run([str(BIN / words[0]), *words[1:]], cwd=cwd, check=True, capture_output=True)

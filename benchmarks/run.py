"""Run every benchmark on a fresh demo and write benchmarks/RESULTS.md.

python -m benchmarks.run             some 15 minutes on 2 cores
"""

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import june, overhead, rolling
from pipeline import artefacts, monitor
from pipeline.commands import demo
from pipeline.versions import registry
from pipeline.workspace import Workspace

HERE = Path(__file__).parent
NOTES = HERE / "NOTES.md"


def main() -> None:
    with TemporaryDirectory() as folder:
        target = Path(folder) / "demo"
        printed, seconds, peak = run_demo(target)
        workspace = Workspace.open(target)
        first = registry.folder(workspace, "v1")
        second = demo.prepare(HERE.parent, Path(folder) / "again")
        sections = [
            "# Results\n\nMade by `python -m benchmarks.run`.",
            f"Machine: {machine()}. Commit {commit()}, seed {workspace.seed}.",
            f"## make demo\n\nWall {seconds:.0f} s, peak memory of one process {peak:.2f} GB.\n\n```\n{printed}\n```",
            f"## Frozen against maintained\n\n{maintained(workspace)}",
            f"## Prefect, DVC and the command line\n\n{overhead.table(second)}",
            f"## The first candidate on later months\n\n{june.table(second, first)}",
            f"## The settings beside variants of them\n\n{rolling.__doc__}\n{rolling.table(second)}",
            NOTES.read_text(encoding="utf-8").strip(),
        ]
    results = HERE / "RESULTS.md"
    rest = results.read_text(encoding="utf-8").partition("\n## Data quality\n")  # what benchmarks.truth wrote
    artefacts.write_text(results, "\n\n".join(sections) + "\n" + "".join(rest[1:]))


def run_demo(target: Path) -> tuple[str, float, float]:
    """Run `keepfit demo`: the tables that it ends with, wall seconds, peak memory in GB."""
    command = [str(Path(sys.executable).parent / "keepfit"), "-w", str(HERE.parent), "demo", "--into", str(target)]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"COLUMNS": "160"})
    took = time.perf_counter() - began
    tables = done.stdout[done.stdout.index("Models on") :].replace(str(target), "demo").strip()
    return tables, took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


def maintained(workspace: Workspace) -> str:
    """A Markdown table: live AUC of the first model, frozen, and of the champion of the day."""
    lines = ["| batch | frozen v1 | champion | version | decision |", "|---|---|---|---|---|"]
    for record in monitor.records(workspace):
        scores = [record.live.first["auc"].value, record.live.champion["auc"].value] if record.live else [0.0, 0.0]
        decision = "retrain" if record.decision.retrain else "keep"
        lines.append(f"| {record.batch[:7]} | {scores[0]:.4f} | {scores[1]:.4f} | {record.champion} | {decision} |")
    return "\n".join(lines)


def machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}, no GPU"
    )


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()

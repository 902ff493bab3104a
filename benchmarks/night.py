"""A night of `keepfit serve` on a fast clock: schedules run, files arrive, processes are killed, and it goes on.

python -m benchmarks.night                        some 30 scheduled runs, a few minutes on 2 idle cores
python -m benchmarks.night --runs 200 --every 30  a longer one

The workspace is the flights of this repository, every 15th of them. Batches arrive one by one, the first half of each
before the rest, as a slow copy does. Meanwhile one run is killed, one server, and once the whole of `keepfit serve`.
At the end it must hold that every batch was watched, every drift answered, each killed run told as crashed, none under
way after Ctrl-C, none piled up, DVC at rest and the journal of promotions whole.
"""

import argparse
import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]
import yaml

from flows import environment

if TYPE_CHECKING:
    from pipeline.monitor import MonitoringRecord

HERE = Path(__file__).parents[1]
EACH = 15  # of so many rows one is taken
PORT = 4277
RETRAININGS = 6  # a scheduled retraining after so many monitorings
SOUND = {"dvc status": "up to date", "keepfit models log": "the journal is whole"}
SCALED = {
    "train": {
        "mlp": {"hidden": [32], "dropout": 0.1},
        "epochs": 6,
        "batch_size": 256,
        "optimizer": {"learning_rate": 0.003},
        "accelerator": "cpu",
    },
    "evaluate": {"resamples": 50},
    "promote": {"metric": "auc", "baseline": "majority", "tolerated_loss": 0.2},
    "monitor": {"min_labelled_rows": 100},
    "split": {"method": "time", "val_days": 10, "test_days": 10},
    "serve": {"port": PORT},
}


def main() -> int:
    options = _options()
    if options.serve:
        return serve(options.serve, options.every)
    from pipeline.versions import registry
    from pipeline.workspace import Workspace

    with TemporaryDirectory() as folder:
        root = options.root or Path(folder) / "night"
        batches = prepare(root)
        _keepfit(root, "run")
        if registry.champion(Workspace.open(root)).version is None:
            raise SystemExit("the first model was not promoted, so there is nothing to watch with")
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{PORT}/api"
        environment.prepare(root / ".keepfit" / "prefect", console_level="WARNING")
        seen = night(root, batches, options)
        print(report(root, seen, batches))
        return 1 if seen.faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=32, help="how many scheduled runs to wait for")
    parser.add_argument("--every", type=float, default=12.0, help="seconds from one scheduled monitoring to the next")
    parser.add_argument("--root", type=Path, help="where the workspace is made and left (default: a temporary folder)")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(root: Path) -> list[Path]:
    """Make the workspace; returns the batches that are to arrive, which lie beside it."""
    from pipeline.policy import window
    from pipeline.versions import registry
    from pipeline.workspace import Workspace

    params = yaml.safe_load((HERE / "params.yaml").read_text(encoding="utf-8"))
    for section, values in SCALED.items():
        params[section] = values
    params["checks"] |= {"batch_expectations": "warn", "near_duplicate_rows": "off"}  # they are of whole months
    (root / "schemas").mkdir(parents=True)
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    for name in ("schemas/flights.py", ".gitignore", ".dvcignore"):
        shutil.copyfile(HERE / name, root / name)
    (root / "dvc.yaml").write_text(_dag(), encoding="utf-8")
    for month in sorted((HERE / "data" / "raw" / "flights").glob("*.csv.gz")):
        _thin(month, root / "data" / "raw" / "flights" / month.name)
    aside = root.with_name(f"{root.name}-to-come")
    months = sorted((HERE / "data" / "incoming" / "flights").glob("*.csv.gz"))
    made = [_thin(month, aside / month.name) for month in months]
    workspace = Workspace.open(root)
    workspace.incoming.mkdir(parents=True)
    registry.ensure_pointer(workspace)
    window.ensure(workspace)
    return made


def _dag() -> str:
    """The repository's DAG without its code, which is not in the workspace."""
    dag = yaml.safe_load((HERE / "dvc.yaml").read_text(encoding="utf-8"))
    dag["vars"] = [{"keepfit": f'PATH="{Path(sys.executable).parent}:$PATH" keepfit'}]
    for stage in dag["stages"].values():
        stage["deps"] = [path for path in stage["deps"] if not path.startswith("pipeline/")]
    return str(yaml.safe_dump(dag, sort_keys=False))


def _thin(source: Path, target: Path) -> Path:
    lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(("\n".join([lines[0], *lines[1::EACH]]) + "\n").encode(), mtime=0))
    return target


def _keepfit(root: Path, *arguments: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    command = [sys.executable, "-m", "pipeline.cli", "-w", str(root), *arguments]
    subprocess.run(command, check=True, env=environ, cwd=HERE)


def serve(root: Path, every: float) -> int:
    """`keepfit serve`, by intervals of seconds in the place of cron lines."""
    from pipeline.workspace import Workspace

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell gives its background jobs none
    workspace = Workspace.open(root)
    with environment.connected(workspace, say=_say, dashboard_port=PORT):
        from prefect.schedules import Interval

        from flows.serving import serve_schedules

        slow = Interval(every * RETRAININGS, parameters={"scheduled": True})
        serve_schedules(workspace, slow, Interval(every), say=_say, poll_seconds=3.0)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def served(root: Path, every: float, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The served workspace as a process, ended as by Ctrl-C."""
    command = [sys.executable, "-m", "benchmarks.night", "--serve", str(root), "--every", str(every)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}  # as a user has it
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=HERE, env=environ)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass
class Seen:
    """What was done to the served workspace, and what was looked at meanwhile.

    `late`: the most runs at once whose time had passed. `memory`: MB of each server that was started, at its first look
    and at its last, by process.
    """

    killed: list[str] = field(default_factory=list)
    killed_runs: set[str] = field(default_factory=set)
    late: int = 0
    memory: dict[int, tuple[float, float]] = field(default_factory=dict)
    runs: list[tuple[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def kill(self, what: str, pid: int) -> bool:
        """Kill it, if it is at work; a run's number is kept."""
        process = _process(what, pid, {str(run.id) for _, run in self.runs if run.state.name == "Running"})
        if process is None:
            return False
        if what == "a run":
            self.killed_runs.add(process.environ()["PREFECT__FLOW_RUN_ID"])
        if what == "keepfit serve":
            self.killed_runs |= {str(run.id) for _, run in self.runs if run.state.name == "Running"}
        os.kill(process.pid, signal.SIGKILL)
        self.killed.append(what)
        return True

    def look(self, pid: int) -> None:
        """Ask the server for all runs, and the machine for the server's memory."""
        self.runs = _runs() or self.runs
        self.late = max(self.late, sum(map(_is_late, (run for _, run in self.runs))))
        server = _process("the server", pid, set())
        if server is not None:
            megabytes = server.memory_info().rss / 1e6
            self.memory[server.pid] = (self.memory.get(server.pid, (megabytes, 0.0))[0], megabytes)

    @property
    def done(self) -> int:
        """How many runs by schedule have ended, but those that another stands for."""
        ended = [run for _, run in self.runs if run.auto_scheduled and run.state.is_final()]
        return sum(run.state.name != "Missed" for run in ended)


def night(root: Path, batches: list[Path], options: argparse.Namespace) -> Seen:
    """Serve, let files arrive, kill, and wait for the scheduled runs."""
    log, began, seen = root.with_name(f"{root.name}-served.log"), time.monotonic(), Seen()
    waiting, plan = list(batches), [(0.15, "a run"), (0.3, "the server"), (0.45, "keepfit serve")]
    while seen.done < options.runs or waiting or plan:
        with served(root, options.every, log) as process:
            while process.poll() is None and (seen.done < options.runs or waiting or plan):
                time.sleep(2.0)
                seen.look(process.pid)
                if waiting and seen.done >= options.runs * 0.8 * (1 - len(waiting) / len(batches)):
                    _arrive(waiting.pop(0), root)
                if plan and seen.done >= options.runs * plan[0][0] and seen.kill(plan[0][1], process.pid):
                    plan.pop(0)
                    _say(f"{time.monotonic() - began:.0f} s, {seen.done} scheduled runs: killed {seen.killed[-1]}")
            if process.poll() is None:
                _quiet(root)
                seen.look(process.pid)
    seen.runs, seen.seconds = _afterwards(root), time.monotonic() - began
    seen.faults = _faults(root, batches, seen)
    return seen


def _process(what: str, pid: int, running: set[str]) -> psutil.Process | None:
    """The process of a run in its work, of the server, or of `keepfit serve` itself, which is `pid`."""
    if what == "keepfit serve":
        return psutil.Process(pid)
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if what == "the server" and any("server.py" in part for part in child.cmdline()):
                return child
            if what == "a run" and child.environ().get("PREFECT__FLOW_RUN_ID") in running:
                return child
    return None


def _arrive(batch: Path, root: Path) -> None:
    """Copy a batch into the folder as a slow copy does."""
    target, content = root / "data" / "incoming" / "flights" / batch.name, batch.read_bytes()
    target.write_bytes(content[: len(content) // 2])
    time.sleep(1.0)
    target.write_bytes(content)


def _runs() -> list[tuple[str, Any]]:
    """Flow and run, of all runs of the served deployments; none while the server is away."""
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException

    try:
        with get_client(sync_client=True) as client:
            found: list[Any] = []
            while len(page := client.read_flow_runs(limit=200, offset=len(found))) == 200:
                found += page
            flows = {flow.id: flow.name for flow in client.read_flows()}
            return [(flows[run.flow_id], run) for run in [*found, *page]]
    except (httpx.HTTPError, PrefectException):
        return []


def _is_late(run: Any) -> bool:
    """Whether the run's time has passed and nobody has begun it."""
    due = run.next_scheduled_start_time
    return bool(run.state.is_scheduled() and due and due.timestamp() < time.time() - 15)  # tending looks each 3 s


def _afterwards(root: Path) -> list[tuple[str, Any]]:
    """All runs as the database has them once nothing is served."""
    from pipeline.workspace import Workspace

    with environment.connected(Workspace.open(root), say=_say, dashboard_port=PORT):
        return _runs()


def _quiet(root: Path) -> None:
    """Wait until every batch was watched and every drift answered, for ten minutes at most."""
    from pipeline import monitor
    from pipeline.workspace import Workspace

    workspace = Workspace.open(root)
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and (monitor.pending(workspace) or monitor.drifted(workspace)):
        time.sleep(2.0)


def _faults(root: Path, batches: list[Path], seen: Seen) -> list[str]:
    """What did not hold."""
    from pipeline import monitor
    from pipeline.versions import registry
    from pipeline.workspace import Workspace

    workspace = Workspace.open(root)
    watched = {record.batch for record in monitor.records(workspace)}
    faults = [f"{batch.name} was not watched" for batch in batches if batch.name not in watched]
    faults += [f"the drift of {record.batch} was not answered" for record in monitor.drifted(workspace)]
    faults += [f"a {flow} run is {run.state.name}" for flow, run in seen.runs if _is_under_way(run)]
    lost = [run for _, run in seen.runs if str(run.id) in seen.killed_runs and run.state.name != "Crashed"]
    faults += [f"a killed run is {run.state.name}" for run in lost]
    faults += [f"{seen.late} runs were late at once"] if seen.late > 4 else []
    faults += [f"{path.name} is half-written" for path in root.rglob("*.tmp")]
    registry.champion_folder(workspace)
    return faults + [f"{words}: {said}" for words, said in _said(root).items() if SOUND[words] not in said]


def _is_under_way(run: Any) -> bool:
    return bool(run.state.is_running() or run.state.is_pending() or run.state.is_cancelling())


def _said(root: Path) -> dict[str, str]:
    """The last line of each of the commands that say whether all is well."""
    place = os.environ["PATH"]
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{place}", "PYTHONPATH": str(HERE)}
    done = {
        words: subprocess.run(words.split(), cwd=root, env=environ, capture_output=True, text=True, check=False)
        for words in SOUND
    }
    return {words: (told.stdout + told.stderr).strip().rpartition("\n")[2] for words, told in done.items()}


def report(root: Path, seen: Seen, batches: list[Path]) -> str:
    """Markdown."""
    from pipeline import monitor
    from pipeline.versions import registry
    from pipeline.workspace import Workspace

    workspace = Workspace.open(root)
    records = monitor.records(workspace)
    states = Counter((flow, run.state.name) for flow, run in seen.runs)
    ended = Counter(run.state.name for _, run in seen.runs if run.auto_scheduled and run.state.is_final())
    crashed = sum(str(run.id) in seen.killed_runs for _, run in seen.runs if run.state.name == "Crashed")
    memory = "; ".join(f"{first:.0f} → {last:.0f}" for first, last in seen.memory.values())
    rows = {
        "length": f"{seen.seconds / 60:.0f} minutes",
        "killed": ", ".join(seen.killed),
        "runs by schedule that were begun and ended": sum(ended.values()) - ended["Missed"],
        "of these completed": ended["Completed"],
        "runs killed in their work, and told as crashed": f"{len(seen.killed_runs)}, {crashed}",
        "runs that others stand for (`Missed`)": ended["Missed"],
        "runs late at once, at most": seen.late,
        "batches that came, and were judged": f"{len(batches)}, {len(records)}",
        "retrainings that drift asked for, and were answered": f"{sum(r.decision.retrain for r in records)}, "
        f"{sum(r.outcome is not None for r in records)}",
        "versions; the champion": f"{len(registry.versions(workspace))}; {registry.champion(workspace).version}",
        "memory of each server at its first look and its last, MB": memory,
        **{f"`{words}`": said for words, said in _said(root).items()},
        "faults": "; ".join(seen.faults) or "none",
    }
    lines = ["| what | seen |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    lines += ["", "| flow | state | runs |", "|---|---|---|"]
    lines += [f"| {flow} | {state} | {n} |" for (flow, state), n in sorted(states.items()) if state != "Scheduled"]
    return "\n".join([*lines, "", *_batches(records)])


def _batches(records: "list[MonitoringRecord]") -> list[str]:
    lines = ["| batch | champion | decision | outcome |", "|---|---|---|---|"]
    for record in records:
        decision = "retrain" if record.decision.retrain else "keep"
        outcome = "-" if record.outcome is None else record.outcome.version or "refused"
        lines.append(f"| {record.batch[:7]} | {record.champion} | {decision} | {outcome} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())

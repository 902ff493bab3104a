"""A night of `keepfit serve` on a fast clock: schedules run, files arrive, processes are killed, and it goes on.

python -m benchmarks.night                        some 30 scheduled runs, a few minutes on 2 idle cores
python -m benchmarks.night --runs 200 --every 30  a longer one

The workspace is the flights of this repository, every 40th of them. Batches arrive one by one, the first half of each
before the rest, as a slow copy does. Meanwhile one run is killed, one server, and once the whole of `keepfit serve`.
At the end it must hold that every batch was watched, every drift answered, no run is under way, none piled up.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil  # type: ignore[import-untyped]
import yaml

HERE = Path(__file__).parents[1]
EACH = 40  # of so many rows one is taken
PORT = 4277
RETRAININGS = 6  # a scheduled retraining after so many monitorings
SCALED = {
    "train": {"mlp": {"hidden": [32], "dropout": 0.1}, "epochs": 3, "batch_size": 512, "accelerator": "cpu"},
    "evaluate": {"resamples": 50},
    "promote": {"metric": "auc", "baseline": "majority", "tolerated_loss": 0.2},
    "monitor": {"min_labelled_rows": 100},
    "split": {"method": "time", "val_days": 20, "test_days": 20},
    "serve": {"port": PORT},
}


def main() -> int:
    options = _options()
    if options.serve:
        return serve(options.serve, options.every)
    with TemporaryDirectory() as folder:
        root = options.root or Path(folder) / "night"
        batches = prepare(root)
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{PORT}/api"
        _keepfit(root, "run")
        told = night(root, batches, options)
        print(report(root, told, batches))
        return 0 if not told["faults"] else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=32, help="how many scheduled runs to wait for")
    parser.add_argument("--every", type=float, default=12.0, help="seconds from one scheduled monitoring to the next")
    parser.add_argument("--root", type=Path, help="where the workspace is made and left (default: a temporary folder)")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(root: Path) -> list[Path]:
    """Make the workspace; returns the batches that are to arrive, which lie beside it."""
    from pipeline import registry
    from pipeline.policy import window
    from pipeline.workspace import Workspace

    params = yaml.safe_load((HERE / "params.yaml").read_text(encoding="utf-8"))
    for section, values in SCALED.items():
        params[section] = values
    params["checks"] |= {"batch_expectations": "warn", "near_duplicate_rows": "off"}  # they are of whole months
    (root / "schemas").mkdir(parents=True)
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    shutil.copyfile(HERE / "schemas" / "flights.py", root / "schemas" / "flights.py")
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
    from flows.environment import connected
    from pipeline.workspace import Workspace

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell gives its background jobs none
    workspace = Workspace.open(root)
    with connected(workspace, say=_say, dashboard_port=PORT):
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
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=HERE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()


def night(root: Path, batches: list[Path], options: argparse.Namespace) -> dict[str, Any]:
    """Serve, let files arrive, kill, and wait for the scheduled runs; what was seen and what was wrong."""
    log, began, killed = root.with_name(f"{root.name}.log"), time.monotonic(), list[str]()
    waiting = list(batches)
    plan: list[tuple[float, str, Callable[[int], bool]]] = [
        (0.2, "a run", _kill_run),
        (0.45, "the server", _kill_server),
        (0.7, "keepfit serve", _kill),
    ]
    done = 0
    while done < options.runs or waiting or plan:
        with served(root, options.every, log) as process:
            while process.poll() is None and (done < options.runs or waiting or plan):
                time.sleep(1.0)
                done = _scheduled(root) or done
                if waiting and done >= options.runs * 0.8 * (1 - len(waiting) / len(batches)):
                    _arrive(waiting.pop(0), root)
                if plan and done >= options.runs * plan[0][0] and plan[0][2](process.pid):
                    killed.append(plan.pop(0)[1])
                    _say(f"{time.monotonic() - began:.0f} s, {done} scheduled runs: killed {killed[-1]}")
            if process.poll() is None:
                _quiet(root)
                states, piled = _states(root)
    faults = _faults(root, batches, states, piled)
    return {"seconds": time.monotonic() - began, "states": states, "killed": killed, "faults": faults, "log": log}


def _arrive(batch: Path, root: Path) -> None:
    """Copy a batch into the folder as a slow copy does."""
    target, content = root / "data" / "incoming" / "flights" / batch.name, batch.read_bytes()
    target.write_bytes(content[: len(content) // 2])
    time.sleep(1.0)
    target.write_bytes(content)


def _kill(pid: int) -> bool:
    os.kill(pid, signal.SIGKILL)
    return True


def _kill_run(pid: int) -> bool:
    """Kill a flow run's process in its work; False while there is none."""
    return _kill_child(pid, "prefect.engine", 4.0)


def _kill_server(pid: int) -> bool:
    return _kill_child(pid, "server.py", 0.0)


def _kill_child(pid: int, name: str, seconds: float) -> bool:
    """Kill the child whose command has this name and that has worked for so many seconds of processor time."""
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if any(name in part for part in child.cmdline()) and child.cpu_times().user >= seconds:
                return _kill(child.pid)
        except psutil.NoSuchProcess:
            continue
    return False


def _runs(root: Path) -> list[tuple[str, Any]]:
    """Flow and run, of all runs of the served deployments; none while the server is away."""
    from flows import environment

    environment.prepare(root / ".keepfit" / "prefect", console_level="WARNING")
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException

    try:
        with get_client(sync_client=True) as client:
            found: list[Any] = []
            while len(page := client.read_flow_runs(limit=200, offset=len(found))) == 200:
                found += page
            flows = {flow.id: flow.name for flow in client.read_flows()}
            return [(flows[run.flow_id], run) for run in [*found, *page] if run.deployment_id]
    except (httpx.HTTPError, PrefectException):
        return []


def _scheduled(root: Path) -> int:
    """How many runs by schedule have ended."""
    ended = (run for _, run in _runs(root) if run.auto_scheduled and run.state.is_final())
    return sum(run.state.name != "Missed" for run in ended)


def _quiet(root: Path) -> None:
    """Wait until every batch was watched and every drift answered, for three minutes at most."""
    from pipeline import monitor
    from pipeline.workspace import Workspace

    workspace = Workspace.open(root)
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and (monitor.pending(workspace) or monitor.drifted(workspace)):
        time.sleep(2.0)


def _states(root: Path) -> tuple[Counter[tuple[str, str]], int]:
    """Runs by flow and state, those still to come left out; and how many are late."""
    told: Counter[tuple[str, str]] = Counter()
    late = 0
    for flow, run in _runs(root):
        name = run.state.name
        late += name == "Late"
        if name not in ("Scheduled", "Late"):
            told[flow, name] += 1
    return told, late


def _faults(root: Path, batches: list[Path], states: "Counter[tuple[str, str]]", late: int) -> list[str]:
    """What did not hold."""
    from pipeline import monitor, registry
    from pipeline.workspace import Workspace

    workspace = Workspace.open(root)
    watched = {record.batch for record in monitor.records(workspace)}
    faults = [f"{batch.name} was not watched" for batch in batches if batch.name not in watched]
    faults += [f"the drift of {record.batch} was not answered" for record in monitor.drifted(workspace)]
    faults += [f"{n} {flow} runs are {state}" for (flow, state), n in states.items() if state in ("Running", "Pending")]
    faults += [f"{late} runs are late"] if late > 2 else []
    faults += [f"{path.name} is half-written" for path in root.rglob("*.tmp")]
    registry.champion_folder(workspace)
    return faults


def report(root: Path, told: dict[str, Any], batches: list[Path]) -> str:
    """Markdown."""
    from pipeline import monitor, registry
    from pipeline.workspace import Workspace

    workspace = Workspace.open(root)
    lines = ["| flow | state | runs |", "|---|---|---|"]
    lines += [f"| {flow} | {state} | {n} |" for (flow, state), n in sorted(told["states"].items())]
    lines += ["", "| batch | champion | decision | outcome |", "|---|---|---|---|"]
    for record in monitor.records(workspace):
        decision = "retrain" if record.decision.retrain else "keep"
        outcome = "-" if record.outcome is None else record.outcome.version or "refused"
        lines.append(f"| {record.batch[:7]} | {record.champion} | {decision} | {outcome} |")
    killed = ", ".join(told["killed"])
    lines += ["", f"{told['seconds']:.0f} s; killed: {killed}; {len(batches)} batches; champion "
              f"{registry.champion(workspace).version}; faults: {'; '.join(told['faults']) or 'none'}."]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

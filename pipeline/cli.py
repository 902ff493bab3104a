"""The keepfit command. Heavy libraries are imported by the command that needs them, so that --help is quick."""

import argparse
import atexit
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import progress
from pipeline.commands import explain, options
from pipeline.commands.backtest import command as backtest
from pipeline.commands.drift import command as drift
from pipeline.commands.models import command as models
from pipeline.commands.predict import command as predict
from pipeline.commands.tune import command as tune
from pipeline.errors import KeepfitError
from pipeline.runtime import memory

if TYPE_CHECKING:
    from pipeline.stages.promote import Promotion
    from pipeline.workspace import Workspace

STAGES = ("ingest", "validate", "clean", "split", "normalize", "train", "evaluate")
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 for a failed gate, 2 for what a person must mend."""
    memory.collect_seldom()
    memory.keep_freed()
    chosen = parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", handlers=[PrintHandler()])
    for name in ("pipeline", "flows"):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        code: int = chosen.command(chosen)
        return code
    except KeepfitError as error:
        print(f"keepfit: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("keepfit: stopped; run again to carry on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder where a file is to be written
        where, why = error.filename2 or error.filename or "the system", error.strerror or str(error)
        print(f"keepfit: {where}: {why.lower()}; mend that, and run again", file=sys.stderr)
        return KeepfitError.exit_code


def parser() -> argparse.ArgumentParser:
    """All commands."""
    top = argparse.ArgumentParser(prog="keepfit", description="Train a network on checked data, and keep it good.")
    top.add_argument("-w", "--workspace", type=Path, default=Path(), metavar="DIR", help="the workspace (default: .)")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: object, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words)
        made.set_defaults(command=command)
        return made

    add("run", run, "run what is not up to date of the DAG, judge the candidate, promote it if it is better")
    stage = add("stage", run_stage, "run one stage, as `dvc repro` does")
    stage.add_argument("name", choices=STAGES)
    monitor = add("monitor", watch, "watch new batches, and retrain when it pays")
    monitor.add_argument(
        "batches", nargs="*", type=Path, help="files (default: those in data/incoming without a record)"
    )
    add("serve", serve, "serve scheduled retraining and monitoring, with the Prefect dashboard, on this machine")
    notify = add("notify", introduce, "keep an address for notices, and send it a trial")
    notify.add_argument("name", help="how params.yaml is to name it: small letters, digits, dashes")
    notify.add_argument("url", help="as Apprise writes it: mailto://name:password@host?to=you@example.org")
    add("report", report, "write reports/report.html from what is there")
    models.add(add, _open, _say)
    options.add_check(add("check", check, "say what is wrong with data files, in which rows, and what to do about it"))
    options.add_selftest(
        add("selftest", run_selftest, "plant defects in a copy of data, and say which of them are found")
    )
    add("checks", list_checks, "list the checks: what each asks, its defaults and where they come from")
    options.add_init(add("init", initialise, "make a workspace for a data set: contract, settings and DAG"))
    _add_row_commands(add)
    tune.add(add, _open, _say)
    backtest.add(add, _open, _say)
    drift.add(add, _say)
    predict.add(add, _open, _say)
    explain.add(add, _open, _say)
    demo = add("demo", run_demo, "run the whole way on a copy of the flights workspace")
    demo.add_argument(
        "--into", type=Path, default=Path("demo"), metavar="DIR", help="where the copy goes (default: demo)"
    )
    return top


def _add_row_commands(add: Callable[[str, object, str], argparse.ArgumentParser]) -> None:
    repairs = add("repairs", show_repairs, "show every change that repairs make or could make, and change nothing")
    repairs.add_argument("--write", action="store_true", help="write each changed cell to reports/repairs.parquet")
    ledger = add("ledger", show_ledger, "say where all rows went, or where one row went and why")
    ledger.add_argument("row", nargs="*", help="FILE ROW (counted from 0), or a row_id")
    aside = add("quarantine", mend_quarantine, "write the rows set aside to a file, or take them in again, mended")
    ways = aside.add_mutually_exclusive_group(required=True)
    ways.add_argument("--export", type=Path, metavar="FILE.csv", help="write them, with their reasons")
    ways.add_argument("--take-in", type=Path, metavar="FILE.csv", help="take in the mended file")


def _open(chosen: argparse.Namespace) -> "Workspace":
    from pipeline import settings

    workspace = _unchecked(chosen)
    settings.check(workspace)
    return workspace


def _unchecked(chosen: argparse.Namespace) -> "Workspace":
    from pipeline.workspace import Workspace

    return Workspace.open(chosen.workspace)


@contextmanager
def _flows(workspace: "Workspace", *, dashboard_port: int | None = None) -> Iterator[None]:
    """Connect the flows inside to a server; while that starts, check the settings and make git and DVC repositories."""
    from flows import environment

    def ready() -> None:
        from pipeline import settings
        from pipeline.policy import window
        from pipeline.versions import dvc, registry

        settings.check(workspace)
        settings.check_label(workspace)
        registry.ensure_pointer(workspace)
        window.ensure(workspace)
        dvc.prepare(workspace.root)

    with environment.connected(workspace, say=_say, dashboard_port=dashboard_port, meanwhile=ready), _progress():
        yield


def run(chosen: argparse.Namespace) -> int:
    """`keepfit run`."""
    workspace = _unchecked(chosen)
    with progress.lasting() as said:
        promotion = _settled(workspace) or _trained(workspace)
    for line in (*promotion.lines, f"report: {workspace.report}"):
        if line.strip() not in said:
            _say(line)
    return 0


def _settled(workspace: "Workspace") -> "Promotion | None":
    """What a run comes to that has nothing to do; None where it has, or where a dashboard is there to show it."""
    from flows import environment
    from pipeline.commands import up_to_date

    if environment.find(environment.DASHBOARD_PORT) is not None:
        return None
    promotion = up_to_date.settle(workspace)
    if promotion is not None:
        _say("nothing to do: every stage is up to date")
    return promotion


def _trained(workspace: "Workspace") -> "Promotion":
    with _flows(workspace):
        from flows.training import train_workspace

        return train_workspace(workspace)


def run_stage(chosen: argparse.Namespace) -> int:
    """`keepfit stage NAME`; no second stage writes beside it, not even one of a run that was killed."""
    from importlib import import_module

    workspace = _open(chosen)
    with workspace.stage_lock(), _progress():
        import_module(f"pipeline.stages.{chosen.name}").run(workspace)
    return 0


def watch(chosen: argparse.Namespace) -> int:
    """`keepfit monitor`."""
    from pipeline import monitor
    from pipeline.commands import summary

    workspace = _unchecked(chosen)
    records: list[monitor.MonitoringRecord] = []
    if chosen.batches or monitor.drifted(workspace) or monitor.pending(workspace):
        with _flows(workspace):
            from flows.monitoring import monitor_workspace

            records = monitor_workspace(workspace, [path.resolve() for path in chosen.batches])
    if not records:
        _say("no new batch")
    summary.show_batches(workspace)
    summary.show_errors(records)
    return 0


def serve(chosen: argparse.Namespace) -> int:
    """`keepfit serve`."""
    from pipeline.settings import ServeSettings

    workspace = _open(chosen)
    settings = workspace.section(ServeSettings)
    with _flows(workspace, dashboard_port=settings.port):
        from flows.serving import serve_workspace

        serve_workspace(workspace, retraining_cron=settings.retraining, monitoring_cron=settings.monitoring, say=_say)
    return 0


def introduce(chosen: argparse.Namespace) -> int:
    """`keepfit notify NAME URL`."""
    workspace = _unchecked(chosen)
    with _flows(workspace):
        from flows import notices

        name = notices.introduce(workspace, chosen.name, chosen.url)
    _say(f"a trial was sent; write `serve: {{notify: [{name}]}}` in params.yaml to be told")
    return 0


def report(chosen: argparse.Namespace) -> int:
    """`keepfit report`."""
    from pipeline.reports import report as page

    _say(str(page.write(_open(chosen))))
    return 0


def check(chosen: argparse.Namespace) -> int:
    """`keepfit check`; exit code 1 for findings at or over --fail-on."""
    from tempfile import TemporaryDirectory

    from pipeline import artefacts
    from pipeline.commands.check import examine, listing
    from pipeline.commands.reading import Question

    question = Question(
        paths=chosen.paths,
        contract=chosen.contract,
        roles=options.roles(chosen),
        reference=chosen.reference,
        query=chosen.sql,
        flagged=chosen.flags is not None,
        impact=chosen.impact,
    )
    with TemporaryDirectory(prefix="keepfit-check-") as scratch:
        examined = examine.examine(question, Path(scratch))
        if chosen.flags:
            artefacts.write_parquet(chosen.flags, examined.flags.lazy())
    if chosen.json:
        examined.answer.write(chosen.json)
    if chosen.html:
        from pipeline.reports import quality

        artefacts.write_text(chosen.html, quality.page(examined.answer))
    listing.show_examination(examined.answer)
    return 1 if examine.failing(examined.answer, chosen.fail_on) else 0


def run_selftest(chosen: argparse.Namespace) -> int:
    """`keepfit selftest`."""
    from tempfile import TemporaryDirectory

    from pipeline.commands import selftest
    from pipeline.commands.check import listing
    from pipeline.commands.selftest import words

    trial = selftest.Trial(
        paths=chosen.paths, roles=options.roles(chosen), rows=chosen.rows, seed=chosen.seed, thorough=chosen.thorough
    )
    with TemporaryDirectory(prefix="keepfit-selftest-") as scratch:
        tested = selftest.selftest(trial, Path(scratch))
    if chosen.json:
        tested.write(chosen.json)
    for line in words.lines(tested):
        listing.say(line)
    return 0


def list_checks(chosen: argparse.Namespace) -> int:
    """`keepfit checks`."""
    from pipeline.commands.check import listing

    listing.show_checks()
    return 0


def initialise(chosen: argparse.Namespace) -> int:
    """`keepfit init`."""
    from pipeline.commands import init

    roles = options.roles(chosen)
    workspace = init.initialise(
        chosen.directory, chosen.data, roles=roles, seed=chosen.seed, horizon=chosen.horizon, order=chosen.order
    )
    there = shlex.quote(str(chosen.directory))
    _say(f"made {workspace.root}: read its README.md, then run `cd {there}` and `dvc repro`")
    return 0


def show_repairs(chosen: argparse.Namespace) -> int:
    """`keepfit repairs`."""
    from pipeline.commands import repairs

    repairs.show(_open(chosen), write=chosen.write)
    return 0


def show_ledger(chosen: argparse.Namespace) -> int:
    """`keepfit ledger [FILE ROW | row_id]`."""
    from pipeline.commands import ledger

    ledger.show(_open(chosen), chosen.row)
    return 0


def mend_quarantine(chosen: argparse.Namespace) -> int:
    """`keepfit quarantine --export FILE | --take-in FILE`."""
    from pipeline.commands import quarantine

    workspace = _open(chosen)
    with workspace.lock():
        if chosen.export:
            rows = quarantine.export(workspace, chosen.export)
            _say(f"wrote {rows:,} rows to {chosen.export}: mend them and give the file to --take-in")
            return 0
        count, path = quarantine.take_in(workspace, chosen.take_in)
    _say(f"took in {count:,} mended rows" + (f" ({path}); now `keepfit run`" if path else ": none differs"))
    return 0


def run_demo(chosen: argparse.Namespace) -> int:
    """`keepfit demo`."""
    from pipeline.commands import demo, summary
    from pipeline.settings import ServeSettings

    workspace = demo.prepare(chosen.workspace, chosen.into)
    with _flows(workspace):
        from flows.monitoring import monitor_workspace
        from flows.training import train_workspace

        train_workspace(workspace)
        records = monitor_workspace(workspace)
    summary.show_scores(workspace)
    summary.show_batches(workspace)
    summary.show_errors(records)
    port = workspace.section(ServeSettings).port
    _say(f"report:    {workspace.report}")
    _say(f"dashboard: keepfit -w {shlex.quote(str(chosen.into))} serve, then open http://127.0.0.1:{port}")
    return 0


class PrintHandler(logging.Handler):
    """Log lines are printed, so that they go where a progress bar lets print go.

    Its name has no leading underscore: Prefect takes such handlers for nobody's, and replaces them.
    """

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), flush=True)


def _say(line: str) -> None:
    print(line, flush=True)


def _progress() -> AbstractContextManager[None]:
    return progress.shown(_say)


def program() -> None:
    """The console's `keepfit`: runs one command, and ends with its exit code.

    Python would take a second to take torch and Prefect apart, object by object. So the last thing that is done on
    the way out, after what everybody else asked to be done then, is to go.
    """
    ended: list[int] = []
    atexit.register(lambda: _leave(ended[0]) if ended else None)  # the first to be registered is the last to be called
    ended.append(main())


def _leave(code: int) -> None:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a pipe that nobody reads; a stream that is closed
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    program()

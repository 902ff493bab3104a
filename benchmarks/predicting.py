"""What it costs to answer a million rows: `keepfit predict` on the flights, repeated, by format and by part.

    python -m benchmarks.predicting demo [--rows 1e6] [--folder DIR]

`demo`: a workspace with a champion and its data, such as `make demo` leaves. Each prediction is a process of its own,
start-up included: CPU seconds of all its threads, wall seconds, and its peak of memory that is no file's (RssAnon of
Linux; pages of a file that is read come and go as the system likes). On a busy machine look at the CPU seconds. The
answers are compared, bit by bit, with those of the network asked about all distinct rows at once.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import polars as pl

KEEPFIT = Path(sys.executable).parent / "keepfit"
EVERY_SECONDS = 0.02
Write = Callable[[pl.DataFrame, Path], Any]
FORMATS: Mapping[str, Write] = {
    ".csv": pl.DataFrame.write_csv,
    ".csv.gz": lambda rows, path: rows.write_csv(path, compression="gzip"),
    ".parquet": lambda rows, path: rows.write_parquet(path, row_group_size=1 << 17),
}


def main() -> None:
    """Print both tables."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("workspace", type=Path)
    command.add_argument("--rows", type=float, default=1e6)
    command.add_argument("--folder", type=Path, help="where the rows are written (default: a temporary folder)")
    chosen = command.parse_args()
    with TemporaryDirectory(dir=chosen.folder) as folder:
        rows, every = int(chosen.rows), distinct(chosen.workspace)
        print("| input | rows | CPU s | wall s | peak MB | size MB |\n|---|---|---|---|---|---|", flush=True)
        for ending, count in (
            (".csv", 1),
            (".csv", rows),
            (".csv.gz", rows),
            (".parquet", rows),
            (".parquet", 3 * rows),
        ):
            path = Path(folder) / f"{count}{ending}"
            FORMATS[ending](repeated(every, count), path)
            print(line(chosen.workspace, path, count), flush=True)
        told = predicted(chosen.workspace, Path(folder) / f"{rows}.csv", Path(folder) / "told.parquet")
        print(f"\n{differing(chosen.workspace, every, told)}\n")
        took = parts(chosen.workspace, Path(folder) / f"{rows}.csv")
        print("\n| part | CPU s |\n|---|---|")
        print(*(f"| {part} | {seconds:.1f} |" for part, seconds in took.items()), sep="\n")


def distinct(workspace: Path) -> pl.DataFrame:
    """All rows of the workspace's raw and incoming data as text."""
    files = [path for kind in ("raw", "incoming") for path in sorted((workspace / "data" / kind).rglob("*.csv.gz"))]
    return pl.concat([pl.read_csv(path, infer_schema=False) for path in files])


def repeated(every: pl.DataFrame, rows: int) -> pl.DataFrame:
    """So many rows: all, one after the other, again and again."""
    return pl.concat([every] * -(-rows // every.height)).head(rows)


def line(workspace: Path, path: Path, rows: int) -> str:
    """What one prediction took, as a line of the table."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    words = [str(KEEPFIT), "-w", str(workspace), "predict", str(path), "--out", str(path.parent / "told.parquet")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, anonymous(process.pid))
        time.sleep(EVERY_SECONDS)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(process.returncode)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = path.stat().st_size / 1e6
    kind = "".join(path.suffixes)
    return f"| {kind} | {rows:,} | {cpu:.1f} | {wall:.1f} | {peak:,.0f} | {size:,.0f} |"


def anonymous(pid: int) -> float:
    """Megabytes of a process that are no file's; 0 where it has ended."""
    try:
        words = Path(f"/proc/{pid}/status").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    return int(words[words.index("RssAnon:") + 1]) / 1e3 if "RssAnon:" in words else 0.0


def predicted(workspace: Path, path: Path, out: Path) -> pl.DataFrame:
    """The answers to a file."""
    words = [str(KEEPFIT), "-w", str(workspace), "predict", str(path), "--out", str(out)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return pl.read_parquet(out)


def differing(root: Path, every: pl.DataFrame, told: pl.DataFrame) -> str:
    """How many answers differ from those to all distinct rows at once."""
    from pipeline import contract, monitor
    from pipeline.stages import ingest
    from pipeline.stages.ingest import IngestSettings
    from pipeline.workspace import Workspace

    workspace = Workspace.open(root)
    agreed, settings = contract.load(workspace.contract_file), workspace.section(IngestSettings)
    model = monitor.champion_of(workspace, agreed)
    cells = every.with_columns(pl.when(~pl.all().is_in(settings.null_values)).then(pl.all()))
    a_NK = model.answers(ingest.parse(cells, "all", settings.derive, agreed).typed)
    own = told.select(pl.col("^p: .*$")).to_numpy()
    whole = np.tile(a_NK, (-(-len(own) // len(a_NK)), 1))[: len(own)]
    count, most = int((own != whole).any(axis=1).sum()), float(np.abs(own - whole).max())
    return f"{count:,} of {len(own):,} answers differ from those to all rows at once, by {most:g} at most."


def parts(workspace: Path, path: Path) -> dict[str, float]:
    """CPU seconds of this process in each part of a prediction; what is read ahead counts where it happens to fall."""
    from pipeline import cli, monitor
    from pipeline.commands import reading
    from pipeline.commands.predict.answers import Asker, Parts
    from pipeline.commands.predict.sieve import Sieve
    from pipeline.features.preprocessor import Preprocessor
    from pipeline.models import network
    from pipeline.stages import ingest

    took: dict[str, float] = {}

    @contextmanager
    def timed(where: Any, name: str, part: str) -> Iterator[None]:
        inner = getattr(where, name)

        def outer(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            found = inner(*given, **named)
            took[part] = took.get(part, 0.0) + time.process_time() - began
            return found

        with mock.patch.object(where, name, outer):
            yield

    out = path.parent / "parts.parquet"
    with (
        timed(reading, "opened", "open: how it is written, is it even"),
        timed(monitor, "champion_of", "the champion"),
        timed(ingest, "parse", "parse and derive"),
        timed(Sieve, "sift", "sift: parse, repairs, contract"),
        timed(Preprocessor, "encode", "encode"),
        timed(network, "answers", "network"),
        timed(Asker, "_said", "answers as a table"),
        timed(Parts, "add", "write what is not whole yet"),
        timed(cli, "main", "all but start-up"),
    ):
        cli.main(["-w", str(workspace), "predict", str(path), "--out", str(out)])
    return took


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main()

"""Data quality against the truth and against the clock: the last part of RESULTS.md.

    python -m benchmarks.truth [1e6 1e7] [--python PYTHON ...]    as benchmarks/quality.py takes them; some 10 minutes

Wrong cells, duplicates and wrong labels are looked for without labels and with the defaults of every check, in sets
whose truth is known (they are not in this repository, see benchmarks/cells.py).
"""

import argparse
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import cells, label_errors, near_duplicates, quality
from benchmarks.run import commit, machine
from pipeline import artefacts

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = "## Data quality"
TEXTS = 200_000
DATA = cells.DATA.parent


def main(sizes: list[int], pythons: list[str]) -> None:
    before = RESULTS.read_text(encoding="utf-8").split(f"\n{HEAD}\n", maxsplit=1)[0].rstrip()
    parts = [
        f"{HEAD}\n\nMade by `python -m benchmarks.truth`. Machine: {machine()}. Commit {commit()}.",
        f"### Wrong cells\n\n{printed(lambda: cells.main(sorted(path.name for path in cells.DATA.iterdir())))}",
        f"### Near-duplicates\n\n{TEXTS:,} short texts\n\n{near_duplicates.texts_table(TEXTS)}"
        f"\n\n{near_duplicates.persons_table()}",
        f"### Wrong labels, a tenth of them flipped\n\n{printed(lambda: label_errors.main(DATA))}",
        *speed(sizes, pythons),
    ]
    artefacts.write_text(RESULTS, "\n\n".join([before, *parts]) + "\n")


def speed(sizes: list[int], pythons: list[str]) -> list[str]:
    """The tables of benchmarks/quality.py."""
    with TemporaryDirectory() as folder:
        tables = [(size, quality.table(size, Path(folder), pythons)) for size in sizes]
        return [f"### Speed: {size:,} rows of 22 columns\n\n{table}" for size, table in tables]


def printed(work: Callable[[], None]) -> str:
    """What a function prints."""
    with redirect_stdout(io.StringIO()) as output:
        work()
    return output.getvalue().strip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=float)
    parser.add_argument("--python", action="append", default=[sys.executable])
    chosen = parser.parse_args()
    main([int(rows) for rows in chosen.rows], chosen.python)

"""Data quality against the truth and against the clock: the last part of RESULTS.md.

    python -m benchmarks.truth [1e6 1e7]      some 10 minutes; the sizes are those of benchmarks/quality.py

Wrong cells, duplicates and wrong labels are looked for without labels and with the defaults of every check, in sets
whose truth is known (they are not in this repository, see benchmarks/cells.py).
"""

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


def main(sizes: list[int]) -> None:
    before = RESULTS.read_text(encoding="utf-8").split(f"\n{HEAD}\n", maxsplit=1)[0].rstrip()
    parts = [
        f"{HEAD}\n\nMade by `python -m benchmarks.truth`. Machine: {machine()}. Commit {commit()}.",
        f"### Wrong cells\n\n{printed(lambda: cells.main(sorted(path.name for path in cells.DATA.iterdir())))}",
        f"### Near-duplicates\n\n{TEXTS:,} short texts\n\n{near_duplicates.texts_table(TEXTS)}"
        f"\n\n{near_duplicates.persons_table()}",
        f"### Wrong labels, a tenth of them flipped\n\n{printed(lambda: label_errors.main(DATA))}",
        *speed(sizes),
    ]
    artefacts.write_text(RESULTS, "\n\n".join([before, *parts]) + "\n")


def speed(sizes: list[int]) -> list[str]:
    """The tables of benchmarks/quality.py."""
    with TemporaryDirectory() as folder:
        return [f"### Speed: {size:,} rows of 22 columns\n\n{quality.table(size, Path(folder))}" for size in sizes]


def printed(work: Callable[[], None]) -> str:
    """What a function prints."""
    with redirect_stdout(io.StringIO()) as output:
        work()
    return output.getvalue().strip()


if __name__ == "__main__":
    main([int(float(size)) for size in sys.argv[1:]])

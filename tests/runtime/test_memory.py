"""Freed memory is kept for the next array."""

import os
import subprocess
import sys

import pytest

from pipeline.runtime import memory

FAULTS = """
import resource, numpy as np
from pipeline.runtime import memory
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def spent():
    before = faults()
    for _ in range(50):
        [np.ones(1 << 17) for _ in range(8)]  # of 1 MB
    return faults() - before
memory.keep_freed()
spent()
print(spent())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told so")
def test_an_array_finds_the_pages_of_the_one_before() -> None:
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 2048  # the eight arrays have 2,048 pages, and were made 50 times


POLARS = """
from pipeline.runtime import memory
memory.keep_freed()
import resource, time, polars as pl
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
rows = pl.DataFrame({"x": range(1 << 19)})
def spent():
    before = faults()
    for _ in range(4):
        time.sleep(0.5)
        rows.select(pl.col("x") + 1)  # 4 MB: what is larger than 8 has no pages that are kept
    return faults() - before
spent()
print(spent())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is another one")
def test_polars_finds_the_pages_of_the_frame_before() -> None:
    told = memory.POLARS  # by Polars itself, where it was imported before
    alone = {name: value for name, value in os.environ.items() if name != told} | {"POLARS_MAX_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", POLARS], capture_output=True, text=True, check=True, env=alone)
    assert int(run.stdout) < 2048  # four columns have 4,096 pages

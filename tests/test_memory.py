"""Freed memory is kept for the next array, and what the user states of Polars holds."""

import os
import subprocess
import sys

import pytest

from pipeline import memory

FAULTS = """
import resource, numpy as np
from pipeline import memory
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def spent():
    before = faults()
    for _ in range(50):
        [np.ones(1 << 17) for _ in range(8)]  # of 1 MB
    return faults() - before
memory.economise()
spent()
print(spent())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told so")
def test_an_array_finds_the_pages_of_the_one_before() -> None:
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 2048  # the eight arrays have 2,048 pages, and were made 50 times


def test_what_the_environment_says_of_row_groups_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARS_ROW_GROUP_PREFETCH_SIZE", "5")
    memory.economise()
    assert os.environ["POLARS_ROW_GROUP_PREFETCH_SIZE"] == "5"

"""How this process deals with memory, where the libraries' own ways cost a scan time or space."""

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as malloc.h of glibc numbers them
KEPT = 1 << 29  # bytes that are not handed back
LARGEST = 1 << 25  # an array of at most so many bytes may lie in them: the most that glibc takes
ROW_GROUPS = "2"  # that Polars decodes ahead of a reader; by itself it takes eight, of some 60 MB each


def economise() -> None:
    """Let a scan hold fewer row groups of Parquet, and freed memory wait for the next array.

    Without it a quarter of a scan's time goes into pages that are new to the process. Only glibc is told to keep what
    is freed; a number of row groups that the user's environment states holds.
    """
    os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", ROW_GROUPS)
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(MMAP_THRESHOLD, LARGEST)

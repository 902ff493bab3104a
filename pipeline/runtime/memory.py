"""What is done with memory that is free, or may be: set once, by the command that begins."""

import ctypes
import gc
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as malloc.h of glibc numbers them
KEPT = 1 << 29  # bytes that are not handed back
LARGEST = 1 << 25  # an array of at most so many bytes may lie in them: the most that glibc takes
POLARS = "_RJEM_MALLOC_CONF"  # where the allocator of Polars looks for settings, once, as it is imported
DECAY = 10_000  # milliseconds for which it keeps freed pages
COLLECT_AFTER = 100_000  # new objects; by Python's default of 700 a third of the start is a search for garbage


def keep_freed() -> None:
    """Let freed memory wait for the next array: without it numpy spends a quarter of a scan on pages new to it.

    Only glibc is told so, and the allocator of Polars where that is yet to be imported.
    """
    os.environ.setdefault(POLARS, f"dirty_decay_ms:{DECAY},muzzy_decay_ms:{DECAY}")
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(MMAP_THRESHOLD, LARGEST)


def wait_asleep() -> None:
    """Let the threads of torch sleep while they have nothing to do: by themselves they try again and again for a while.

    Where cores are shared that costs as much as the work. Only to be said before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def collect_seldom() -> None:
    """Look for garbage after so many new objects that it costs nothing that is felt."""
    gc.set_threshold(COLLECT_AFTER)

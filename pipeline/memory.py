"""What the allocator does with memory that is freed."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as malloc.h of glibc numbers them
KEPT = 1 << 29  # bytes that are not handed back
LARGEST = 1 << 25  # an array of at most so many bytes may lie in them: the most that glibc takes


def keep_freed() -> None:
    """Let freed memory wait for the next array: without it numpy spends a quarter of a scan on pages new to it.

    Only glibc is told so; other allocators are left as they are.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(MMAP_THRESHOLD, LARGEST)

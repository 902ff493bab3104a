"""The filters of Python's warnings, which are the whole process's: who sets them does so alone."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

SETTING = RLock()


@contextmanager
def own_filters() -> Iterator[None]:
    """Set filters inside, and threads that are started there see them; at the end they are as they were.

    Another thread that wants its own waits. Two that set theirs at once, and do not end in the reverse order, leave
    the process those of the one, and take them from the other while it works.
    """
    with SETTING, warnings.catch_warnings():
        yield

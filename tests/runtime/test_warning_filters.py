"""Filters of warnings: checks run in two threads, and each thread's filters end with its work."""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import permutations
from threading import Event, Thread

import pytest

from pipeline.expectations.outcome import quiet
from pipeline.labels.confident import one_thread
from pipeline.media.pictures import bombs_refused

Working = Callable[[], AbstractContextManager[None]]


@pytest.mark.parametrize(("first", "second"), [*permutations([bombs_refused, one_thread, quiet], 2)])
def test_work_that_begins_meanwhile_and_ends_later_leaves_the_filters_as_they_were(
    first: Working, second: Working
) -> None:
    with first(), second():
        pass  # modules that are imported add filters
    begun, may_end = Event(), Event()

    def work() -> None:
        with second():
            begun.set()
            may_end.wait()

    with warnings.catch_warnings():
        before = list(warnings.filters)
        meanwhile = Thread(target=work)
        with first():
            within = list(warnings.filters)
            meanwhile.start()
            begun.wait(timeout=0.2)  # it waits for its turn
            still = list(warnings.filters)
        may_end.set()
        meanwhile.join()
        after = list(warnings.filters)

    assert still == within
    assert after == before

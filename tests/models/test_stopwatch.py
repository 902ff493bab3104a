"""The stopwatch: every moment is charged once, to what was done in it."""

from collections.abc import Iterator

import pytest

from pipeline.models.stopwatch import Awaited, Lap, Stopwatch, words


class Clock:
    """A clock that is told how late it is."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_inner_span_is_not_charged_to_the_outer_one() -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    clock.now = 1.0
    with watch.span("compute"):
        clock.now = 3.0
        with watch.span("rest"):
            clock.now = 7.0
        clock.now = 8.0
    clock.now = 8.5

    lap = watch.lap()
    assert (lap.compute, lap.rest, lap.data, lap.seconds) == (3.0, 5.5, 0.0, 8.5)
    assert watch.lap().seconds == 0.0
    assert len(watch.laps) == 2


def test_a_span_ends_though_it_raised() -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    with pytest.raises(KeyError), watch.span("validation"):
        clock.now = 2.0
        raise KeyError
    clock.now = 3.0

    assert watch.lap() == Lap(validation=2.0, rest=1.0)


def test_waiting_for_items_is_charged_to_data_and_what_is_done_with_them_is_not() -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    def slow() -> Iterator[int]:
        for item in range(3):
            clock.now += 2.0
            yield item

    found = []
    for item in Awaited(slow(), watch):
        clock.now += 5.0
        found.append(item)

    assert found == [0, 1, 2]
    assert watch.lap() == Lap(data=6.0, rest=15.0)


def test_joules_are_those_of_the_lap() -> None:
    meter = iter([10.0, 25.0, 27.0])
    watch = Stopwatch(Clock(), lambda: next(meter))

    assert [watch.lap().joules, watch.lap().joules] == [15.0, 2.0]


def test_where_the_machine_does_not_tell_nothing_is_said_of_energy() -> None:
    assert words([Lap(compute=1.0), Lap(compute=3.0)]) == "2.00 s an epoch (100% forward, backward and step)"
    assert words([]) == ""

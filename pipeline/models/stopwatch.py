"""Where the time of an epoch goes: waiting for data, computing, the look at val, all else; and its energy.

Wall times differ from run to run: they are said and shown, and kept where no artefact is, in `.keepfit/`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, Literal, TypeAlias, TypeVar

from pipeline.artefacts import Record
from pipeline.models.energy import Meter
from pipeline.wording import number, share

Span: TypeAlias = Literal["data", "compute", "validation", "rest"]
WORDS: dict[Span, str] = {
    "data": "waiting for data",
    "compute": "forward, backward and step",
    "validation": "val",
    "rest": "the rest",
}
Item = TypeVar("Item")


class Lap(Record):
    """Seconds of an epoch by what they were spent on; joules where the machine tells."""

    data: float = 0.0
    compute: float = 0.0
    validation: float = 0.0
    rest: float = 0.0
    joules: float | None = None

    @property
    def seconds(self) -> float:
        return self.data + self.compute + self.validation + self.rest


class Times(Record):
    """The epochs of one run of a training; `identity` is that of the model it ended with."""

    identity: str
    laps: list[Lap]


class Stopwatch:
    """Charges every moment to one span; all that is in none is `rest`.

    >>> clock = iter([0.0, 1.0, 3.0, 3.5])
    >>> watch = Stopwatch(clock=lambda: next(clock))
    >>> with watch.span("compute"):
    ...     pass
    >>> watch.lap()
    Lap(data=0.0, compute=2.0, validation=0.0, rest=1.5, joules=None)
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter, meter: Meter = lambda: None) -> None:
        self.clock, self.meter = clock, meter
        self.laps: list[Lap] = []
        self.running: Span = "rest"
        self.start()

    def start(self) -> None:
        """Begin anew: what was before is forgotten."""
        self.spent: dict[Span, float] = dict.fromkeys(WORDS, 0.0)
        self.since, self.joules = self.clock(), self.meter()

    @contextmanager
    def span(self, name: Span) -> Iterator[None]:
        """Charge the block to `name`, but for spans inside it."""
        outer = self._turn(name)
        try:
            yield
        finally:
            self._turn(outer)

    def _turn(self, name: Span) -> Span:
        now, outer = self.clock(), self.running
        self.spent[outer] += now - self.since
        self.since, self.running = now, name
        return outer

    def lap(self) -> Lap:
        """End an epoch, and begin the next."""
        self._turn(self.running)
        joules = self.meter()
        used = None if joules is None or self.joules is None else joules - self.joules
        self.laps.append(Lap(**self.spent, joules=used))
        self.spent, self.joules = dict.fromkeys(WORDS, 0.0), joules
        return self.laps[-1]


class Awaited(Generic[Item]):
    """The same items, and the time that each takes to come charged to `data`."""

    def __init__(self, items: Iterable[Item], watch: Stopwatch) -> None:
        self.items, self.watch = items, watch

    def __iter__(self) -> Iterator[Item]:
        with self.watch.span("data"):
            items = iter(self.items)
        while True:
            with self.watch.span("data"):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


def busy(laps: Sequence[Lap]) -> float:
    """The share of the time in which something is computed, on train or on val.

    >>> busy([Lap(data=1.0, compute=3.0), Lap(compute=3.0, validation=1.0)])
    0.875
    """
    whole = sum(lap.seconds for lap in laps)
    return sum(lap.compute + lap.validation for lap in laps) / whole if whole > 0 else 0.0


def words(laps: list[Lap]) -> str:
    """What an epoch took in the mean, and what of it for what.

    >>> words([Lap(compute=3.0, rest=1.0, joules=80.0)])
    '4.00 s an epoch (75% forward, backward and step, 25% the rest), 80.0 J'
    """
    whole = sum(lap.seconds for lap in laps)
    if not laps or whole <= 0:
        return ""
    shares = {name: sum(getattr(lap, name) for lap in laps) / whole for name in WORDS}
    parts = ", ".join(f"{share(round(part, 3))} {WORDS[name]}" for name, part in shares.items() if part >= 0.001)
    joules = [lap.joules for lap in laps if lap.joules is not None]
    energy = f", {number(sum(joules) / len(joules))} J" if len(joules) == len(laps) else ""
    return f"{number(whole / len(laps))} s an epoch ({parts}){energy}"

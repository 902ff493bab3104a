"""How far a long stage is, for whoever listens: the screen, the dashboard, or nobody."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[float, str], None]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def report(fraction: float, words: str) -> None:
    """Say that `fraction` (0..1) of the running stage is done; nothing happens when nobody listens.

    The first line of `words` is where it stands, and gives way to the next report; what is under it stays to be read.
    """
    listener = _listener.get()
    if listener is not None:
        listener(min(max(fraction, 0.0), 1.0), words)


@contextmanager
def muted() -> Iterator[None]:
    """Hand no report made in this thread inside the block to anybody."""
    token = _listener.set(None)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand every report made in this thread inside the block to `listener`, and to an outer one as well.

    >>> heard = []
    >>> with listening(lambda fraction, words: heard.append((fraction, words))):
    ...     report(0.5, "epoch 5 of 10")
    >>> heard
    [(0.5, 'epoch 5 of 10')]
    """
    outer = _listener.get()

    def tell(fraction: float, words: str) -> None:
        listener(fraction, words)
        if outer is not None:
            outer(fraction, words)

    token = _listener.set(tell)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def lasting() -> Iterator[list[str]]:
    """The lines of every report made inside the block that stay to be read.

    >>> with lasting() as said:
    ...     report(1.0, "epoch 5 of 5\\n  the loss jumped")
    >>> said
    ['the loss jumped']
    """
    said: list[str] = []
    with listening(lambda _, words: said.extend(line.strip() for line in words.split("\n")[1:])):
        yield said


@contextmanager
def shown(say: Callable[[str], None]) -> Iterator[None]:
    """Show every report made inside the block: by a Rich progress bar in a terminal, as plain lines in a log."""
    if not sys.stdout.isatty():
        with listening(lambda _, words: say("\n".join(f"  {line}" for line in words.split("\n")))):
            yield
        return
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(BarColumn(bar_width=20), TextColumn("{task.description}"), transient=True) as bar:
        task = bar.add_task("", total=1.0, visible=False)

        def show(fraction: float, words: str) -> None:
            now, *lasting = words.split("\n")
            for line in lasting:
                bar.console.print(line, markup=False, highlight=False)
            bar.update(task, completed=fraction, description=now, visible=fraction < 1)

        with listening(show):
            yield

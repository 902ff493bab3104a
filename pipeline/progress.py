"""How far a long stage is, for whoever listens: the screen, the dashboard, or nobody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[float, str], None]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def report(fraction: float, words: str) -> None:
    """Say that `fraction` (0..1) of the running stage is done; nothing happens when nobody listens."""
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

"""A signal asks for an orderly end: whatever was started is stopped again, Postgres last."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Remembers the signal that asked for the end, and how often one did."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.times = 0
        # The one queue that may be written while the same thread writes to it.
        self._asked: SimpleQueue[None] = SimpleQueue()

    def __call__(self, number: int, _frame: "FrameType | None") -> None:
        # This runs between any two steps of the main thread, also in the middle of a line of the log: it says nothing
        # and takes no lock, or what it interrupted would be written twice, not at all, or waited for for ever.
        self.signal = number
        self.times += 1
        self._asked.put(None)

    @property
    def requested(self) -> bool:
        return self.signal is not None

    def wait(self) -> None:
        self._asked.get()

    def wake(self) -> None:
        """Whoever waits need not wait any longer, though no signal came."""
        self._asked.put(None)


@contextlib.contextmanager
def stopped_by_signals(stop: Stop) -> Iterator[None]:
    previous = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def said_at_once(stop: Stop, say: Callable[[str], None]) -> Iterator[None]:
    """A thread says that the end was asked for, while the main thread is still busy with something else."""

    def listen() -> None:
        stop.wait()
        if stop.requested:
            say("Stopping.")

    voice = Thread(target=listen, name="tidemark-stopping", daemon=True)
    voice.start()
    try:
        yield
    finally:
        stop.wake()
        voice.join()

"""The first call of a process, which imports and compiles what all later ones use."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_begun: set[str] = set()


@contextmanager
def first_time(what: str) -> Iterator[None]:
    """What is imported and compiled lives as long as the process. To look through it for garbage again and again, and
    once more at the end, would take as long as a backtest does."""
    if what in _begun:
        yield
        return
    _begun.add(what)
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()

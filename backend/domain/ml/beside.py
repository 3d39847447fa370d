"""Work beside the trees: a library that learns with several threads leaves gaps, in which others can be at work."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")


class Beside(Protocol):
    """Starts some work; what comes back waits for it."""

    def __call__(self, work: Callable[[], T]) -> Callable[[], T]: ...


@contextmanager
def beside(threads: int) -> Iterator[Beside]:
    """In one thread more where several are allowed; else when the result is wanted."""
    if threads < 2:
        yield lambda work: work
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="beside")
    try:
        yield lambda work: pool.submit(work).result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

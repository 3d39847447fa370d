"""What was trained in this process, by what it was trained from."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Final

from backend.domain.ml.forecaster import Fitted

# A round takes some kilobytes.
_MOST_ROUNDS: Final = 20_000

Key = tuple[str, bytes]
Kept = Future[Fitted | None]


class Memory:
    """The longest unused are forgotten. Of several who ask for the same at once, one trains and the others wait."""

    def __init__(self, most_rounds: int = _MOST_ROUNDS) -> None:
        self._most_rounds = most_rounds
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key, fit: Callable[[], Fitted | None]) -> Fitted | None:
        with self._lock:
            is_new = key not in self._kept
            future = self._kept.setdefault(key, Future())
            self._kept.move_to_end(key)
        if is_new:
            self._fill(key, future, fit)
        return future.result()

    def _fill(self, key: Key, future: Kept, fit: Callable[[], Fitted | None]) -> None:
        try:
            future.set_result(fit())
        except BaseException as problem:
            with self._lock:
                del self._kept[key]
            future.set_exception(problem)
            raise
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        total = 0
        for key, future in reversed(list(self._kept.items())):
            fitted = future.result() if future.done() else None
            total += 0 if fitted is None else fitted.rounds
            if total > self._most_rounds and future.done():
                del self._kept[key]

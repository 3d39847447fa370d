"""Counts requests in this process's memory, in windows that move with time."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.domain.ports import Allowance, RateLimit

REMEMBERED_CALLERS = 100_000


@dataclass
class _Window:
    """When the requests of one caller were made, oldest first."""

    seconds: int
    taken: deque[float] = field(default_factory=deque)

    def forget_before(self, now: float) -> None:
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()


class MemoryRateLimiter:
    """A RateLimiter for one process. A request costs the same however many callers there are.

    The in-memory storage of the usual library sweeps over all callers at each request, which takes a whole core at a
    thousand of them; here two of the longest silent ones are looked at, and forgotten when their windows have passed.
    """

    def __init__(
        self, *, remembered: int = REMEMBERED_CALLERS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._remembered = remembered
        self._monotonic = monotonic
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()

    async def take(self, limit: RateLimit, who: str) -> Allowance:
        now, key = self._monotonic(), (limit.name, who)
        window = self._windows.setdefault(key, _Window(limit.window_seconds))
        self._windows.move_to_end(key)
        window.forget_before(now)
        is_allowed = len(window.taken) < limit.requests
        if is_allowed:
            window.taken.append(now)
        self._forget_the_silent(now)
        oldest = window.taken[0] if window.taken else now
        return Allowance(
            is_allowed=is_allowed,
            limit=limit.requests,
            remaining=limit.requests - len(window.taken),
            resets_in_seconds=max(1, math.ceil(oldest + window.seconds - now)),
        )

    def _forget_the_silent(self, now: float) -> None:
        for _ in range(2):
            key, window = next(iter(self._windows.items()))
            window.forget_before(now)
            if window.taken and len(self._windows) <= self._remembered:
                return
            del self._windows[key]
            if not self._windows:
                return

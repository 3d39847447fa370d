"""Counts requests in this process's memory, in windows that move with time."""

import math
import time

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from backend.domain.ports import Allowance, RateLimit


class MemoryRateLimiter:
    """A RateLimiter for one process; counts are forgotten as their windows pass."""

    def __init__(self) -> None:
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    async def take(self, limit: RateLimit, who: str) -> Allowance:
        item = RateLimitItemPerSecond(limit.requests, limit.window_seconds)
        is_allowed = await self._windows.hit(item, limit.name, who)
        stats = await self._windows.get_window_stats(item, limit.name, who)
        return Allowance(
            is_allowed=is_allowed,
            limit=limit.requests,
            remaining=max(0, stats.remaining),
            resets_in_seconds=max(1, math.ceil(stats.reset_time - time.time())),
        )

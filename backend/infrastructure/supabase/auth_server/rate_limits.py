"""Token buckets per network address, in this process's memory."""

import math
from collections.abc import Callable

from cachetools import TTLCache

from backend.infrastructure.supabase.auth_server import errors
from backend.infrastructure.supabase.auth_server.config import Bucket

ADDRESSES_REMEMBERED = 50_000


class RateLimiter:
    """Takes one token per request; an address that has none left waits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, TTLCache[str, tuple[float, float]]] = {}

    def take(self, purpose: str, bucket: Bucket | None, who: str) -> None:
        """Raise 429 when the bucket of this address is empty."""
        wait_seconds = self._take(purpose, bucket, who)
        if wait_seconds:
            raise errors.too_many_requests(wait_seconds)

    def take_mail(self, bucket: Bucket | None, who: str) -> None:
        wait_seconds = self._take("mails", bucket, who)
        if wait_seconds:
            raise errors.too_many_mails("email rate limit exceeded", wait_seconds)

    def _take(self, purpose: str, bucket: Bucket | None, who: str) -> int:
        if bucket is None:
            return 0
        levels = self._buckets.get(purpose)
        if levels is None:
            # A bucket untouched for a whole period is full again, so it need not be remembered.
            levels = TTLCache(ADDRESSES_REMEMBERED, ttl=bucket.period_seconds, timer=self._clock)
            self._buckets[purpose] = levels
        refill_per_second = bucket.capacity / bucket.period_seconds
        now = self._clock()
        level, since = levels.get(who, (float(bucket.capacity), now))
        level = min(float(bucket.capacity), level + (now - since) * refill_per_second)
        if level < 1:
            return max(1, math.ceil((1 - level) / refill_per_second))
        levels[who] = (level - 1, now)
        return 0

"""The contract of RateLimiter, kept by the fake and by the adapter."""

import asyncio
from abc import abstractmethod

import pytest

from backend.domain.ports import RateLimit, RateLimiter
from backend.infrastructure.rate_limits import MemoryRateLimiter
from tests.fakes import FakeRateLimiter

READS = RateLimit(name="reads", requests=3, window_seconds=60)
WRITES = RateLimit(name="writes", requests=1, window_seconds=60)


class RateLimiterContract:
    """What holds for every RateLimiter: override `limiter`."""

    @pytest.fixture
    @abstractmethod
    def limiter(self) -> RateLimiter: ...

    async def test_counts_down_then_refuses(self, limiter: RateLimiter) -> None:
        taken = [await limiter.take(READS, "ada") for _ in range(5)]
        assert [one.is_allowed for one in taken] == [True, True, True, False, False]
        assert [one.remaining for one in taken] == [2, 1, 0, 0, 0]
        assert all(one.limit == 3 and 0 < one.resets_in_seconds <= 60 for one in taken)

    async def test_counts_each_caller_apart(self, limiter: RateLimiter) -> None:
        for _ in range(4):
            await limiter.take(READS, "ada")
        assert (await limiter.take(READS, "eve")).is_allowed

    async def test_counts_each_limit_apart(self, limiter: RateLimiter) -> None:
        assert (await limiter.take(WRITES, "ada")).is_allowed
        assert not (await limiter.take(WRITES, "ada")).is_allowed
        assert (await limiter.take(READS, "ada")).is_allowed

    async def test_of_many_at_once_no_more_are_let_through(self, limiter: RateLimiter) -> None:
        taken = await asyncio.gather(*(limiter.take(READS, "ada") for _ in range(20)))
        assert sum(one.is_allowed for one in taken) == 3


class TestFakeRateLimiter(RateLimiterContract):
    @pytest.fixture
    def limiter(self) -> RateLimiter:
        return FakeRateLimiter()


class TestMemoryRateLimiter(RateLimiterContract):
    @pytest.fixture
    async def limiter(self) -> RateLimiter:
        return MemoryRateLimiter()

    async def test_window_moves_on(self) -> None:
        now = 0.0
        limiter = MemoryRateLimiter(monotonic=lambda: now)
        await limiter.take(READS, "ada")
        now = 20.0
        taken = [await limiter.take(READS, "ada") for _ in range(3)]
        assert [one.is_allowed for one in taken] == [True, True, False]
        assert taken[2].resets_in_seconds == 40
        now = 60.5
        taken = [await limiter.take(READS, "ada") for _ in range(2)]
        assert [one.is_allowed for one in taken] == [True, False]
        assert taken[1].resets_in_seconds == 20

    async def test_silent_callers_are_forgotten(self) -> None:
        now = 0.0
        limiter = MemoryRateLimiter(monotonic=lambda: now)
        for number in range(100):
            await limiter.take(READS, str(number))
        assert len(limiter._windows) == 100
        now = 61.0
        for _ in range(60):
            await limiter.take(WRITES, "ada")
        assert len(limiter._windows) == 1

    async def test_callers_are_remembered_up_to_a_bound(self) -> None:
        limiter = MemoryRateLimiter(remembered=10)
        for number in range(100):
            await limiter.take(READS, str(number))
        assert len(limiter._windows) == 10

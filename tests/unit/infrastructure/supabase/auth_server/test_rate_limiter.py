"""Token buckets: a burst, then an even refill, one per address and purpose."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.auth_server.config import AuthServerConfig, Bucket
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.house import AuthHouse
from backend.infrastructure.supabase.auth_server.rate_limits import RateLimiter

BUCKET = Bucket(capacity=3, period_seconds=30)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def is_taken(limiter: RateLimiter, who: str = "a", purpose: str = "x") -> bool:
    try:
        limiter.take(purpose, BUCKET, who)
    except AuthError:
        return False
    return True


def test_burst_then_refill() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    assert [is_taken(limiter) for _ in range(4)] == [True, True, True, False]
    clock.seconds = 9.9
    assert not is_taken(limiter)
    clock.seconds = 10.1
    assert is_taken(limiter)
    assert not is_taken(limiter)
    clock.seconds = 100
    assert [is_taken(limiter) for _ in range(4)] == [True, True, True, False]


def test_addresses_and_purposes_do_not_meet() -> None:
    limiter = RateLimiter(Clock())
    assert [is_taken(limiter) for _ in range(3)] == [True] * 3
    assert is_taken(limiter, who="b")
    assert is_taken(limiter, purpose="y")


def test_the_wait_is_told() -> None:
    limiter = RateLimiter(Clock())
    for _ in range(3):
        limiter.take("x", BUCKET, "a")
    with pytest.raises(AuthError) as refused:
        limiter.take("x", BUCKET, "a")
    assert refused.value.headers == {"Retry-After": "10"}


def test_no_bucket_is_no_limit() -> None:
    limiter = RateLimiter(Clock())
    for _ in range(1000):
        limiter.take("x", None, "a")


@given(st.lists(st.floats(0, 5), max_size=200))
def test_never_more_than_burst_and_refill(pauses: list[float]) -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    taken = 0
    for pause in pauses:
        clock.seconds += pause
        taken += is_taken(limiter)
        assert taken <= 3 + clock.seconds / 10 + 1e-6


def test_nobody_waits_for_a_clock_that_was_set_back() -> None:
    config = AuthServerConfig(dsn="postgresql://nowhere", issuer="http://x/auth/v1", site_url="http://x")
    shown = [datetime(2026, 11, 20, 10, tzinfo=UTC)]
    house = AuthHouse(config, AuthKeys.generate(), now=lambda: shown[0])
    assert is_taken(house.limiter)
    shown[0] -= timedelta(hours=1)
    assert is_taken(house.limiter)

"""Rate limits over HTTP: by address, by user, with headers that say what is left."""

from unittest.mock import patch

import httpx
import pytest

from backend.api import dependencies, limits
from backend.domain.ports import RateLimit
from backend.infrastructure.rate_limits import MemoryRateLimiter
from tests.api.conftest import Site, assert_problem

MINUTE = 60


def limited(name: str, requests: int) -> RateLimit:
    return RateLimit(name=name, requests=requests, window_seconds=MINUTE)


async def test_answers_say_what_is_left(site: Site) -> None:
    async with site.client(limiter=MemoryRateLimiter()) as client:
        first, second = await client.get("/api/config"), await client.get("/api/config")
    assert first.headers["ratelimit-limit"] == str(limits.ADDRESS_READS.requests)
    assert int(first.headers["ratelimit-remaining"]) == int(second.headers["ratelimit-remaining"]) + 1
    assert 0 < int(first.headers["ratelimit-reset"]) <= MINUTE


async def test_without_a_limiter_nothing_is_said(client: httpx.AsyncClient) -> None:
    assert "ratelimit-limit" not in (await client.get("/api/config")).headers


async def test_address_that_asks_too_often_is_refused(site: Site) -> None:
    with patch.object(limits, "ADDRESS_READS", limited("address_reads", 3)):
        async with site.client(limiter=MemoryRateLimiter()) as client:
            answers = [await client.get("/api/config") for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert_problem(answers[3], 429, "rate_limited")
            assert answers[3].headers["ratelimit-remaining"] == "0"
            assert 0 < int(answers[3].headers["retry-after"]) <= MINUTE
            assert (await client.post("/api/config")).status_code == 405  # writes are counted apart


async def test_user_is_limited_on_every_address(site: Site) -> None:
    ada, eve = await site.person(), await site.person()
    with patch.object(dependencies, "USER_READS", limited("user_reads", 2)):
        async with site.client(limiter=MemoryRateLimiter()) as client:
            answers = [await client.get("/api/me", headers=ada.headers) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
            assert answers[0].headers["ratelimit-limit"] == "2"
            assert_problem(answers[2], 429, "rate_limited")
            assert (await client.get("/api/me", headers=eve.headers)).status_code == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", "unknown"),
    ],
)
def test_household_of_ipv6_addresses_counts_as_one(address: str, network: str) -> None:
    assert limits.network_of(address) == network

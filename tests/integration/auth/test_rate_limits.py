"""Limits per address, and that work is bounded: hashing never keeps others waiting."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import httpx
import pytest

from backend.infrastructure.supabase.auth_server import RateLimits
from tests.cluster import FreshDatabase
from tests.integration.auth.running import PASSWORD, RunningAuth, new_email, running_auth

Ask = Callable[[RunningAuth], httpx.Response]

LIMITED: dict[str, tuple[int, float, Ask]] = {
    "sign_up": (30, 10, lambda auth: auth.ask("POST", "/signup", json={"email": "x", "password": "y"})),
    "token": (150, 2, lambda auth: auth.ask("POST", "/token?grant_type=x", json={})),
    "recover": (30, 10, lambda auth: auth.ask("POST", "/recover", json={})),
    "resend": (30, 10, lambda auth: auth.ask("POST", "/resend", json={})),
    "otp": (30, 10, lambda auth: auth.ask("POST", "/otp", json={})),
    "verify": (30, 10, lambda auth: auth.ask("POST", "/verify", json={})),
    "verify by link": (30, 10, lambda auth: auth.ask("GET", "/verify?token=x&type=signup")),
}


@pytest.mark.parametrize("name", LIMITED)
def test_a_burst_is_cut_and_refills_evenly(database: FreshDatabase, name: str) -> None:
    burst, refill_seconds, ask = LIMITED[name]
    with running_auth(database, rate_limits=RateLimits()) as auth:
        auth.watch.stop()
        assert all(ask(auth).status_code != 429 for _ in range(burst))
        refused = ask(auth)
        assert (refused.status_code, refused.json()["error_code"]) == (429, "over_request_rate_limit")
        assert refused.json()["msg"] == "Request rate limit reached"
        assert 1 <= int(refused.headers["retry-after"]) <= refill_seconds
        with auth.later(seconds=refill_seconds + 0.5):
            assert ask(auth).status_code != 429
            assert ask(auth).status_code == 429


def test_thirty_visitors_an_hour(database: FreshDatabase) -> None:
    with running_auth(database, rate_limits=RateLimits()) as auth:
        auth.watch.stop()
        answers = [auth.ask("POST", "/signup", json={}).status_code for _ in range(31)]
    assert answers == [200] * 30 + [429]


def test_thirty_mails_an_hour(database: FreshDatabase) -> None:
    from dataclasses import replace

    with running_auth(database, rate_limits=replace(RateLimits(), otp=None)) as auth:
        auth.watch.stop()
        answers = [auth.ask("POST", "/otp", json={"email": new_email()}) for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert answers[-1].json()["error_code"] == "over_email_send_rate_limit"


def test_forwarded_addresses_count_only_from_a_proxy_we_trust(database: FreshDatabase) -> None:
    def ask(auth: RunningAuth, forwarded: str) -> int:
        return auth.ask("POST", "/recover", json={}, headers={"X-Forwarded-For": forwarded}).status_code

    with running_auth(database, rate_limits=RateLimits()) as auth:
        auth.watch.stop()
        assert [ask(auth, f"203.0.113.{number}") for number in range(31)][-1] == 429
    with running_auth(database, rate_limits=RateLimits(), trusted_proxies=("127.0.0.0/8",)) as auth:
        auth.watch.stop()
        assert 429 not in [ask(auth, f"203.0.113.{number}") for number in range(40)]
        assert [ask(auth, f"198.51.100.{number}, 203.0.113.99") for number in range(31)][-1] == 429


def test_hashing_keeps_nobody_waiting(database: FreshDatabase) -> None:
    with running_auth(database) as auth, ThreadPoolExecutor(40) as pool:
        session = auth.sign_up()
        body = {"email": session["user"]["email"], "password": PASSWORD}
        hashing = [pool.submit(auth.ask, "POST", "/token?grant_type=password", json=body) for _ in range(40)]
        waits: list[float] = []
        while not all(work.done() for work in hashing) and len(waits) < 50:
            began = time.monotonic()
            assert auth.ask("GET", "/user", token=session["access_token"]).status_code == 200
            waits.append(time.monotonic() - began)
        assert {work.result().status_code for work in hashing} == {200}
        assert median(waits) < 1


def test_too_many_waiting_hashes_are_turned_away(database: FreshDatabase) -> None:
    with running_auth(database, concurrent_hashes=1, waiting_hashes=3) as auth, ThreadPoolExecutor(30) as pool:
        body = {"email": new_email(), "password": PASSWORD}
        answers = list(
            pool.map(lambda _: auth.ask("POST", "/token?grant_type=password", json=body).status_code, range(30))
        )
    assert set(answers) == {400, 429}


def test_known_and_unknown_addresses_take_as_long(auth: RunningAuth) -> None:
    """Both compare one bcrypt hash. Without that an unknown address would be answered many times faster."""
    known = new_email()
    auth.sign_up(known)

    def seconds(email: str) -> float:
        began = time.monotonic()
        auth.ask("POST", "/token?grant_type=password", json={"email": email, "password": "wrong password"})
        return time.monotonic() - began

    pairs = [(seconds(known), seconds(new_email())) for _ in range(9)]
    for_known, for_unknown = (median(times) for times in zip(*pairs, strict=True))
    assert 0.4 < for_unknown / for_known < 2.5

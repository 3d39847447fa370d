"""How vendors are read: time, tries, places, and what is told."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from backend.data.fetchers.reading import Denied, Failed, Outcome, Patience, VendorReader
from backend.data.fetchers.sessions import judge, retry_after_seconds
from backend.domain.market_errors import VendorBusy, VendorRefused, VendorUnavailable

QUICK = Patience(tries=3, try_seconds=0.2, total_seconds=5, first_wait_seconds=0.01, longest_wait_seconds=1)


def reader(patience: Patience = QUICK, **more: Any) -> VendorReader:
    return VendorReader("acme", patience=patience, next_step="Set ACME_KEY.", **more)


def failing(*errors: Exception) -> Any:
    left = list(errors)

    def ask() -> str:
        if left:
            raise left.pop(0)
        return "bars"

    return ask


def down(**more: Any) -> Failed:
    return Failed(Outcome.DOWN, "answered HTTP 500", **more)


async def test_what_passes_is_tried_again() -> None:
    assert await reader().read(failing(down(), down()), "bars") == "bars"


async def test_the_last_failure_is_told_with_how_often() -> None:
    with pytest.raises(VendorUnavailable, match=r"acme answered HTTP 500 when asked for bars, 3 times in 0 s\."):
        await reader().read(failing(*[down()] * 3), "bars")


async def test_waits_grow_until_the_total_time_is_over() -> None:
    patience = Patience(tries=50, total_seconds=0.5, first_wait_seconds=0.05, longest_wait_seconds=10)
    began = time.monotonic()
    with pytest.raises(VendorUnavailable, match=r"[345] times"):
        await reader(patience).read(failing(*[down()] * 50), "bars")
    assert time.monotonic() - began < 3


async def test_a_vendor_that_stays_busy_is_called_busy() -> None:
    busy = Failed(Outcome.BUSY, "limits us", retry_after_seconds=0.01)
    with pytest.raises(VendorBusy):
        await reader().read(failing(*[busy] * 3), "bars")


async def test_a_refusal_is_not_tried_again() -> None:
    with pytest.raises(VendorRefused, match=r"acme refused \(HTTP 403\)\. Set ACME_KEY\."):
        await reader().read(failing(Denied("refused (HTTP 403)")), "bars")


async def test_a_stumbling_library_is_a_senseless_answer() -> None:
    heard: list[Any] = []
    assert await reader(on_request=lambda *told: heard.append(told[1])).read(failing(KeyError("x")), "bars") == "bars"
    assert heard == [Outcome.GARBAGE, Outcome.OK]


async def test_only_so_many_ask_at_once_and_a_hanging_one_keeps_its_place() -> None:
    busy, most, hang = 0, 0, threading.Event()
    lock = threading.Lock()

    def ask() -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        hang.wait(0.3)
        with lock:
            busy -= 1

    both = reader(Patience(tries=1, try_seconds=0.1), at_once=2)
    found = await asyncio.gather(*(both.read(ask, "bars") for _ in range(6)), return_exceptions=True)
    assert [type(one) for one in found] == [VendorUnavailable] * 6
    assert most == 2


async def test_requests_keep_their_distance() -> None:
    starts: list[float] = []
    paced = reader(at_once=9, pace_seconds=0.05)
    began = time.monotonic()
    await asyncio.gather(*(paced.read(lambda: starts.append(time.monotonic()), "bars") for _ in range(4)))
    # A busy machine starts late, and never early.
    assert all(start - began > 0.045 * place for place, start in enumerate(sorted(starts)))


async def test_who_waits_for_a_place_can_be_cancelled() -> None:
    hang = threading.Event()
    one = reader(Patience(tries=1, try_seconds=5))
    first = asyncio.create_task(one.read(hang.wait, "bars"))
    second = asyncio.create_task(one.read(lambda: "bars", "bars"))
    await asyncio.sleep(0.05)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    hang.set()
    assert await first is True
    assert await one.read(lambda: "bars", "bars") == "bars"


def test_a_wait_can_be_seconds_or_a_date() -> None:
    assert retry_after_seconds({"retry-after": "12"}) == 12
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 55 < (retry_after_seconds({"retry-after": in_a_minute}) or 0) <= 60
    assert retry_after_seconds({"retry-after": "soon"}) is None
    assert retry_after_seconds({}) is None


def test_a_counter_that_begins_anew_counts_for_the_limit_alone() -> None:
    headers = {"x-ratelimit-reset": str(int(time.time()) + 40)}
    with pytest.raises(Failed) as busy:
        judge(429, headers)
    assert 35 < (busy.value.retry_after_seconds or 0) <= 40
    with pytest.raises(Failed) as failed:
        judge(503, headers)
    assert failed.value.retry_after_seconds is None
    judge(200, headers)
    judge(404, headers)

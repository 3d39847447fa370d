"""How a vendor is read: in threads, a few at a time, each try within a time limit, and again when that may help.

Only reads that can be repeated without harm belong here. An adapter hands in a blocking function that uses its vendor's
library over one of the sessions of `sessions.py`, and gets its result, or an error that a person can act on.
"""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from backend.domain.market_errors import (
    MarketDataError,
    VendorBusy,
    VendorError,
    VendorRefused,
    VendorUnavailable,
)

T = TypeVar("T")


class Outcome(StrEnum):
    """How a request to a vendor ended, for the monitor."""

    OK = "ok"
    BUSY = "busy"  # it asked us to wait
    TIMEOUT = "timeout"
    DOWN = "down"  # an error of its own, or no connection
    GARBAGE = "garbage"  # an answer that makes no sense
    REFUSED = "refused"
    UNKNOWN = "unknown"  # no such symbol, no such bars
    CANCELLED = "cancelled"


# Who hears of each request: the provider, how it ended, and how many bytes it brought.
OnRequest = Callable[[str, Outcome, int], None]


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long and how often a vendor may fail us."""

    tries: int = 4
    try_seconds: float = 20.0
    total_seconds: float = 90.0
    first_wait_seconds: float = 0.5  # doubled with each try, and shortened by up to a half at random
    longest_wait_seconds: float = 30.0  # a vendor that asks for more is called busy


class Failed(Exception):
    """One try that brought nothing, but another may."""

    def __init__(self, outcome: Outcome, reason: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.outcome, self.reason, self.retry_after_seconds = outcome, reason, retry_after_seconds


class Denied(Exception):
    """The vendor knows us not, or does not let us have this."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Rejected(Exception):
    """The vendor answered that it has no such thing; what it says is for the adapter to read."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.body = status, body


@dataclass(kw_only=True)
class Try:
    """One try, as the thread that makes it knows it."""

    seconds: float
    began: float = field(default_factory=time.monotonic)
    received_bytes: int = 0
    vendor_time: datetime | None = None  # when it answered, by its own clock
    is_abandoned: bool = False
    hang_up: Callable[[], None] | None = None  # while a vendor may speak, however slowly

    def seconds_left(self) -> float:
        """Raises Failed when there are none."""
        left = self.began + self.seconds - time.monotonic()
        if left <= 0 or self.is_abandoned:
            raise self.timed_out()
        return left

    def abandon(self) -> None:
        """Nobody waits for it any more; its thread shall end, and free its place."""
        self.is_abandoned = True
        if hang_up := self.hang_up:
            hang_up()

    def timed_out(self) -> Failed:
        return Failed(Outcome.TIMEOUT, f"gave no whole answer within {self.seconds:g} s")


_thread = threading.local()


def current_try() -> Try:
    """The try that this thread makes; sessions count bytes and seconds in it."""
    found: Try = _thread.current
    return found


class VendorReader:
    """Reads one vendor."""

    def __init__(
        self,
        provider: str,
        *,
        patience: Patience,
        next_step: str,
        on_request: OnRequest | None = None,
        at_once: int = 1,
        pace_seconds: float = 0.0,
    ) -> None:
        self._provider = provider
        self._patience = patience
        self._next_step = next_step  # what to do when it refuses
        self._on_request = on_request
        self._free = asyncio.Semaphore(at_once)
        self._pace_seconds = pace_seconds  # between the starts of two requests
        self._next_start = 0.0

    async def read(self, ask: Callable[[], T], what: str, *, seconds: float | None = None) -> T:
        """What `ask` returns. `what` says it in words, for errors; `seconds` is for one try, if not the usual."""
        began = time.monotonic()
        for number in range(1, self._patience.tries + 1):
            try:
                return await self._try(ask, Try(seconds=seconds or self._patience.try_seconds))
            except Failed as failed:
                wait = self._wait(failed, number)
                spent = time.monotonic() - began
                if wait is None or spent + wait > self._patience.total_seconds:
                    raise self._given_up(failed, what, number, spent) from failed
                await asyncio.sleep(wait)
        raise AssertionError("the last try always ends")  # pragma: no cover

    def _wait(self, failed: Failed, number: int) -> float | None:
        """How long until the next try; None when there shall be none."""
        if number == self._patience.tries:
            return None
        if failed.retry_after_seconds is not None:
            asked = failed.retry_after_seconds
            return asked if asked <= self._patience.longest_wait_seconds else None
        wait = self._patience.first_wait_seconds * 2.0 ** (number - 1)
        return float(min(wait, self._patience.longest_wait_seconds) * random.uniform(0.5, 1.0))  # noqa: S311

    def _given_up(self, failed: Failed, what: str, tries: int, seconds: float) -> VendorError:
        if failed.outcome is Outcome.BUSY:
            return VendorBusy(self._provider, failed.retry_after_seconds)
        often = "once" if tries == 1 else f"{tries} times in {seconds:.0f} s"
        return VendorUnavailable(f"{self._provider} {failed.reason} when asked for {what}, {often}. Try again later.")

    async def _try(self, ask: Callable[[], T], attempt: Try) -> T:
        outcome = Outcome.OK
        try:
            return await self._answer(ask, attempt)
        except Failed as failed:
            outcome = failed.outcome
            raise
        except Denied as denied:
            outcome = Outcome.REFUSED
            raise VendorRefused(f"{self._provider} {denied.how}. {self._next_step}") from denied
        except MarketDataError as error:
            outcome = Outcome.REFUSED if isinstance(error, VendorError) else Outcome.UNKNOWN
            raise
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            # Libraries stumble like this over answers that are not what they expect.
            outcome = Outcome.GARBAGE
            raise Failed(outcome, "gave an answer that makes no sense") from error
        except asyncio.CancelledError:
            outcome = Outcome.CANCELLED
            raise
        finally:
            attempt.abandon()
            if self._on_request is not None:
                self._on_request(self._provider, outcome, attempt.received_bytes)

    async def _answer(self, ask: Callable[[], T], attempt: Try) -> T:
        await self._free.acquire()
        try:
            await self._keep_pace()
            attempt.began = time.monotonic()
            answer = self._in_a_thread(ask, attempt)
        except BaseException:
            self._free.release()
            raise
        try:
            return await asyncio.wait_for(answer, attempt.seconds)
        except TimeoutError:
            raise attempt.timed_out() from None

    async def _keep_pace(self) -> None:
        now = time.monotonic()
        start = max(now, self._next_start)
        self._next_start = start + self._pace_seconds
        await asyncio.sleep(start - now)

    def _in_a_thread(self, ask: Callable[[], T], attempt: Try) -> "asyncio.Future[T]":
        """A thread of its own, which nobody waits for at the end: one that hangs must not hold up anything else.

        Its place is free again when it has really ended.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(how: Callable[[Any], None], value: Any) -> None:
            self._free.release()
            if not answer.done():
                how(value)

        def run() -> None:
            _thread.current = attempt
            try:
                how, value = answer.set_result, ask()
            except BaseException as error:  # noqa: BLE001  # whoever awaits the answer gets it
                how, value = answer.set_exception, error  # type: ignore[assignment]
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, how, value)

        threading.Thread(target=run, name=f"reads {self._provider}", daemon=True).start()
        return answer

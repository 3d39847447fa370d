"""Streams of events: 5,000 connections to one process, one event a second to each, beside the limit and two peers.

The limit is a bare protocol that writes the same bytes; the peers keep a queue for each client. They make their events
themselves. Ours is a real server with its tokens, limits, logs and Postgres. Its events come as rows of the table to 80
users with 63 streams each, and as progress over the bus to 5,000 users with one each.

`TIDEMARK_BENCH_MINUTES=10 ./scripts/bench events` listens so long to ours, both times, and tells how memory grew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import linear_regression
from typing import Any

import psutil

from scripts.benches.figures import OURS, Figure, at_most
from scripts.benches.listening.crowd import ID, SENT, Crowd, Heard
from scripts.benches.listening.rivals import serving_rival
from scripts.benches.listening.served import ADDRESSES, place

STREAMS = 5_000
FEW_USERS = 80
SECONDS = 20
# What is made at the first event is made before anything is measured.
WARM_STREAMS = 50
WARM_SECONDS = 3
# The last events may be on their way when no more are sent.
PATIENCE_SECONDS = 15.0
FILES = STREAMS + 1_000

MOST_P99_MS = 250
MOST_KIB = 20
# A real leak keeps something of every event, and there are sixty a minute.
MOST_GROWTH_KIB = 0.05
LIMIT = "limit: asyncio protocol"


@dataclass(frozen=True, kw_only=True)
class Told:
    """How many events everybody was told at least; and when each number was sent, unless it says so itself."""

    rounds: int
    sent: Mapping[int, int]


# For so many seconds.
Tell = Callable[[int], Coroutine[Any, Any, Told]]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A server, and how it is made to tell everybody something once a second."""

    name: str
    process: psutil.Process
    port: int
    requests: Sequence[tuple[str, str]]
    mark: bytes
    tell: Tell


@dataclass(frozen=True, kw_only=True)
class Measured:
    kib_each: float
    heard: Heard
    # Of one core, and by how much the server's memory grew for each connection and minute.
    cpu_share: float
    growth_kib: float


def run() -> list[Figure]:
    _allow_files()
    minutes = float(os.environ.get("TIDEMARK_BENCH_MINUTES", "0"))
    with _rival("limit") as stage:
        limit = _measured(stage, SECONDS)
    figures = _theirs(LIMIT, limit, limit)
    for rival, name in (("asgi", "raw ASGI on uvicorn"), ("sse_starlette", "sse-starlette")):
        with _rival(rival) as stage:
            figures += _theirs(name, _measured(stage, SECONDS), limit)
    for open_stage in (_events, _progress):
        with open_stage() as stage:
            measured = _measured(stage, int(minutes * 60) or SECONDS)
        figures += _ours(stage.name, measured, limit)
        if minutes:
            growth = f"growth in {minutes:g} min, {stage.name}"
            figures.append(at_most(growth, measured.growth_kib, "KiB each a minute", MOST_GROWTH_KIB))
    return figures


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise SystemExit(f"{STREAMS:,} connections need {FILES:,} open files, and {hard:,} are allowed (ulimit -Hn).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))


@contextlib.contextmanager
def _rival(name: str) -> Iterator[Stage]:
    async def wait(seconds: int) -> Told:
        await asyncio.sleep(seconds)
        return Told(rounds=seconds - 1, sent={})

    with serving_rival(name) as (process, port):
        request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        requests = [(f"127.0.{1 + number % ADDRESSES}.1", request) for number in range(STREAMS)]
        yield Stage(name=name, process=process, port=port, requests=requests, mark=SENT, tell=wait)


@contextlib.contextmanager
def _events() -> Iterator[Stage]:
    with place() as here:
        members = asyncio.run(here.members(FEW_USERS))

        async def tell(seconds: int) -> Told:
            return Told(rounds=seconds, sent=await here.tell_events(members, seconds))

        requests = here.requests(members, STREAMS)
        name = f"events to {FEW_USERS} users"
        yield Stage(name=name, process=here.process, port=here.port, requests=requests, mark=ID, tell=tell)


@contextlib.contextmanager
def _progress() -> Iterator[Stage]:
    with place() as here:
        members = asyncio.run(here.members(STREAMS))

        async def tell(seconds: int) -> Told:
            await here.tell_progress(members, seconds)
            return Told(rounds=seconds, sent={})

        requests = here.requests(members, STREAMS)
        name = f"progress to {STREAMS:,} users"
        yield Stage(name=name, process=here.process, port=here.port, requests=requests, mark=SENT, tell=tell)


def _measured(stage: Stage, seconds: int) -> Measured:
    with Crowd() as crowd:
        crowd.open(stage.port, stage.requests[:WARM_STREAMS])
        asyncio.run(stage.tell(WARM_SECONDS))
        before = stage.process.memory_info().rss
        took = crowd.open(stage.port, stage.requests[WARM_STREAMS:])
        asyncio.run(stage.tell(WARM_SECONDS))
        kib_each = (stage.process.memory_info().rss - before) / 1024 / (STREAMS - WARM_STREAMS)
        time.sleep(1)
        crowd.begin(stage.mark)
        cpu_before, began = _cpu_seconds(stage.process), time.perf_counter()
        told, growth_kib = asyncio.run(_watched(stage, seconds))
        cpu_share = (_cpu_seconds(stage.process) - cpu_before) / (time.perf_counter() - began)
        heard = _heard_by_all(crowd, told)
    print(
        f"{stage.name}: {STREAMS:,} opened in {took:.0f} s, {heard.count:,} events heard, the slowest after"
        f" {heard.longest_ms:,.0f} ms; the crowd took {heard.cpu_share:.0%} of a core; load {os.getloadavg()[0]:.1f}",
        file=sys.stderr,
    )
    return Measured(kib_each=kib_each, heard=heard, cpu_share=cpu_share, growth_kib=growth_kib)


async def _watched(stage: Stage, seconds: int) -> tuple[Told, float]:
    """What was told, and by how many KiB for each connection and minute the server grew meanwhile."""
    times: list[float] = []
    sizes: list[float] = []

    async def look() -> None:
        while True:
            times.append(time.monotonic() / 60)
            sizes.append(stage.process.memory_info().rss / 1024 / STREAMS)
            await asyncio.sleep(1)

    looking = asyncio.create_task(look())
    told = await stage.tell(seconds)
    looking.cancel()
    return told, linear_regression(times, sizes).slope


def _heard_by_all(crowd: Crowd, told: Told) -> Heard:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (count := crowd.count()) < told.rounds * STREAMS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"Of {told.rounds * STREAMS:,} events only {count:,} were heard.")
        time.sleep(0.2)
    heard = crowd.report(told.sent)
    if heard.lost:
        raise RuntimeError(f"{heard.lost:,} connections were lost.")
    return heard


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _theirs(name: str, measured: Measured, limit: Measured) -> list[Figure]:
    def figure(work: str, value: float, unit: str, of_limit: float) -> Figure:
        if measured is limit:
            return Figure(work=work, engine=name, value=value, unit=unit)
        return Figure(work=work, engine=name, value=value, unit=unit, ratio=value / of_limit, ratio_to="limit")

    return [
        figure("memory of a connection", measured.kib_each, "KiB", limit.kib_each),
        figure("delivery, p50", measured.heard.p50_ms, "ms", limit.heard.p50_ms),
        figure("delivery, p99", measured.heard.p99_ms, "ms", limit.heard.p99_ms),
        figure("share of a core", measured.cpu_share, "", limit.cpu_share),
    ]


def _ours(work: str, measured: Measured, limit: Measured) -> list[Figure]:
    def beside(value: float, of_limit: float) -> dict[str, Any]:
        return {"ratio": value / of_limit, "ratio_to": "limit"}

    heard, most = measured.heard, limit.heard
    compared = beside(measured.cpu_share, limit.cpu_share)
    return [
        at_most(
            f"memory of a connection, {work}",
            measured.kib_each,
            "KiB",
            MOST_KIB,
            **beside(measured.kib_each, limit.kib_each),
        ),
        Figure(
            work=f"delivery, p50, {work}",
            engine=OURS,
            value=heard.p50_ms,
            unit="ms",
            **beside(heard.p50_ms, most.p50_ms),
        ),
        at_most(f"delivery, p99, {work}", heard.p99_ms, "ms", MOST_P99_MS, **beside(heard.p99_ms, most.p99_ms)),
        Figure(work=f"share of a core, {work}", engine=OURS, value=measured.cpu_share, unit="", **compared),
    ]

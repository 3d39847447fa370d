"""Streams of events: 5,000 connections to one process, one event a second to each, beside the limit and two peers.

The limit is a bare protocol that writes the same bytes; the peers keep a queue for each client. They make their events
themselves. Ours is a real server with its tokens, limits, logs and Postgres. Its events come as rows of the table to 80
users with 63 streams each, and as progress over the bus to 5,000 users with one each.

`TIDEMARK_BENCH_MINUTES=10 ./scripts/bench events` listens so long to ours, both times, to see whether memory grows.
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
from typing import Any

import psutil

from scripts.benches.figures import Figure, at_most
from scripts.benches.listening.crowd import ID, SENT, Crowd, Heard
from scripts.benches.listening.rivals import RIVALS, serving_rival
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
# Over the longest soak, a fiftieth of what the connection takes; less is lost in the noise.
MOST_GROWTH_KIB = 0.1
LIMIT = "limit: asyncio protocol"
# Events for so many seconds; when each number was sent, unless the number says so itself.
Tell = Callable[[int], Coroutine[Any, Any, Mapping[int, int] | None]]


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
    seconds = int(float(os.environ.get("TIDEMARK_BENCH_MINUTES", "0")) * 60) or SECONDS
    with _rival("limit") as stage:
        limit = _measured(stage, SECONDS)
    figures = _theirs(LIMIT, limit, limit)
    for rival, name in (("asgi", "raw ASGI on uvicorn"), ("sse_starlette", "sse-starlette")):
        with _rival(rival) as stage:
            figures += _theirs(name, _measured(stage, SECONDS), limit)
    for open_stage in (_events, _progress):
        with open_stage() as stage:
            figures += _ours(stage.name, _measured(stage, seconds), limit)
    return figures


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise SystemExit(f"{STREAMS:,} connections need {FILES:,} open files, and {hard:,} are allowed (ulimit -Hn).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))


@contextlib.contextmanager
def _rival(name: str) -> Iterator[Stage]:
    async def wait(seconds: int) -> None:
        await asyncio.sleep(seconds)

    with serving_rival(name) as (process, port):
        request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        requests = [(f"127.0.{1 + number % ADDRESSES}.1", request) for number in range(STREAMS)]
        yield Stage(name=name, process=process, port=port, requests=requests, mark=SENT, tell=wait)


@contextlib.contextmanager
def _events() -> Iterator[Stage]:
    with place() as here:
        members = asyncio.run(here.members(FEW_USERS))

        async def tell(seconds: int) -> Mapping[int, int]:
            return await here.tell_events(members, seconds)

        requests = here.requests(members, STREAMS)
        yield Stage(
            name="events to 80 users", process=here.process, port=here.port, requests=requests, mark=ID, tell=tell
        )


@contextlib.contextmanager
def _progress() -> Iterator[Stage]:
    with place() as here:
        members = asyncio.run(here.members(STREAMS))

        async def tell(seconds: int) -> None:
            await here.tell_progress(members, seconds)

        requests = here.requests(members, STREAMS)
        yield Stage(
            name="progress to 5,000 users", process=here.process, port=here.port, requests=requests, mark=SENT, tell=tell
        )


def _measured(stage: Stage, seconds: int) -> Measured:
    with Crowd() as crowd:
        crowd.open(stage.port, stage.requests[:WARM_STREAMS])
        asyncio.run(stage.tell(WARM_SECONDS))
        before = stage.process.memory_info().rss
        took = crowd.open(stage.port, stage.requests[WARM_STREAMS:])
        asyncio.run(stage.tell(WARM_SECONDS))
        kib_each = (stage.process.memory_info().rss - before) / 1024 / (len(stage.requests) - WARM_STREAMS)
        time.sleep(1)
        crowd.begin(stage.mark)
        sent, cpu_share, growth_kib = asyncio.run(_watched(stage, seconds))
        heard = _until_all_is_heard(crowd, 0 if stage.process.children() == [] else seconds * STREAMS, sent)
    print(
        f"{stage.name}: {STREAMS:,} opened in {took:.0f} s; {heard.count:,} events heard, the slowest after"
        f" {heard.longest_ms:.0f} ms; the crowd took {heard.cpu_share:.0%} of a core, the load was {os.getloadavg()[0]:.1f}",
        file=sys.stderr,
    )
    return Measured(kib_each=kib_each, heard=heard, cpu_share=cpu_share, growth_kib=growth_kib)

"""What no queue beats here: a pipe to a warm process, and a durable row before work in the same process."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import asyncpg

from scripts.benches.figures import percentile

_STOP = -1
# So many are on their way at once where the throughput is measured.
IN_FLIGHT = 64


def pipe_start_ms(count: int = 2_000) -> float:
    """From sending a job to its first line in the other process, as a median."""
    with _warm_process() as line:
        waits = []
        for _ in range(count):
            sent = time.monotonic()
            line.send(0)
            waits.append(line.recv() - sent)
    return percentile(waits, 0.5) * 1e3


def pipe_jobs_a_second(count: int = 40_000) -> float:
    with _warm_process() as line:
        began = time.monotonic()
        for number in range(count):
            line.send(number)
            if number >= IN_FLIGHT:
                line.recv()
        for _ in range(IN_FLIGHT):
            line.recv()
        return count / (time.monotonic() - began)


async def durable_start_ms(dsn: str, count: int = 500) -> float:
    """From an insert that commits to the work that it announces, in this process."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        await _make_table(pool)
        begun: asyncio.Queue[float] = asyncio.Queue()
        waits = []
        for number in range(count):
            sent = time.monotonic()
            await _insert(pool, number)
            begun.put_nowait(time.monotonic())
            waits.append(await begun.get() - sent)
    return percentile(waits, 0.5) * 1e3


async def durable_jobs_a_second(dsn: str, count: int = 4_000, connections: int = 8) -> float:
    async with asyncpg.create_pool(dsn, min_size=connections, max_size=connections) as pool:
        await _make_table(pool)
        numbers = iter(range(count))

        async def insert_some() -> None:
            for number in numbers:
                await _insert(pool, number)

        began = time.monotonic()
        await asyncio.gather(*(insert_some() for _ in range(IN_FLIGHT)))
        return count / (time.monotonic() - began)


async def _make_table(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await pool.execute("create table if not exists public.bench_jobs (number integer, body text)")


async def _insert(pool: "asyncpg.Pool[asyncpg.Record]", number: int) -> None:
    await pool.execute("insert into public.bench_jobs values ($1, '{}')", number)


@contextmanager
def _warm_process() -> Iterator["Connection[int, float]"]:
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_answer, args=(theirs,))
    process.start()
    theirs.close()
    try:
        ours.send(0)
        ours.recv()
        yield ours
    finally:
        ours.send(_STOP)
        process.join()
        ours.close()


def _answer(line: "Connection[float, int]") -> None:
    while line.recv() != _STOP:
        line.send(time.monotonic())

"""The API: lists of 10,000 stored backtests beside the bare statement, run requests, and a crowd of users."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import uvloop

from backend.data.storage.backtests import list_statement
from backend.domain.backtests import BacktestFilter, BacktestOrder
from backend.infrastructure.supabase.auth_keys import AuthKeys
from scripts.benches.figures import Figure, at_least, at_most, percentile
from tests.serving import Running, data_folder, serving

STORED, CONNECTIONS, SECONDS, ROUNDS, PAGE = 10_000, 64, 3.0, 3, 20
LIST, RUN = f"list of {STORED:,} backtests, {PAGE} a page, {CONNECTIONS} connections", "a run request, one at a time"
BARE = "limit: the same statement and claims by bare asyncpg"
_BECOME = """
select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true),
       set_config('search_path', 'public, extensions', true), set_config('statement_timeout', '10s', true),
       private.user_is_active($2)
"""
_WANTED = {
    "strategy": "sma_cross",
    "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}],
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-02-01T00:00:00Z",
}
_SETTINGS = {"TIDEMARK_RATE_LIMITS": "off", "TIDEMARK_TASK_NICENESS": "10"}


def run() -> Sequence[Figure]:
    from scripts.benches import crowd  # noqa: PLC0415 - it asks as this one does

    figures: list[Figure] = []
    for measured in (_measured, crowd.measured):
        with (
            data_folder() as folder,
            serving(folder, **_SETTINGS) as running,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            figures += runner.run(measured(running))
    return figures


async def _measured(running: Running) -> list[Figure]:
    user = uuid4()
    keys = AuthKeys.load_or_create(Path(running.data_dir) / "secrets" / "auth.json")
    token = token_of(keys, running.url, user)
    _say(f"Storing {STORED:,} backtests")
    await fill(running.status["DB_URL"], user, STORED)
    port = int(running.url.rpartition(":")[2])
    head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    listing = f"GET /api/backtests?limit={PAGE} HTTP/1.1\r\n{head}\r\n".encode()
    ratios, bares, ours = [], [], []
    for _ in range(ROUNDS):
        _say("The bare statement, then ours")
        bares.append(await _bare(running, user))
        ours.append(await _rate(port, listing))
        ratios.append(ours[-1] / bares[-1])
    _say("Run requests")
    times = await _runs(port, head, 200)
    middle = ROUNDS // 2
    return [
        Figure(work=LIST, engine=BARE, value=sorted(bares)[middle], unit="/s"),
        Figure(work=LIST, engine="tidemark", value=sorted(ours)[middle], unit="/s"),
        at_least(f"{LIST}: share of the limit", sorted(ratios)[middle], "", 0.28),
        at_most(f"{RUN}, median", percentile(times, 0.5), "ms", 20),
        at_most(f"{RUN}, p95", percentile(times, 0.95), "ms", 20),
    ]


def token_of(keys: AuthKeys, url: str, user: UUID) -> str:
    now = int(time.time())
    return keys.sign(
        {
            "iss": f"{url}/auth/v1",
            "aud": "authenticated",
            "sub": str(user),
            "role": "authenticated",
            "session_id": str(uuid4()),
            "is_anonymous": False,
            "app_metadata": {"plan": "large"},
            "iat": now,
            "exp": now + 3600,
        }
    )


async def fill(dsn: str, user: UUID, count: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "insert into auth.users (id, email, aud, role, is_anonymous, raw_app_meta_data)"
            """ values ($1, $2, 'authenticated', 'authenticated', false, '{"plan": "large"}')""",
            user,
            f"{user}@example.com",
        )
        await connection.execute(
            """
            with made as (
                insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts,
                                          wall_limit_seconds, state, started_at, finished_at, created_at)
                select $1, 'backtest', '{}', 1, 1, 3, 60, 'completed', now(), now(), now() - make_interval(secs => n)
                from generate_series(1, $2) as n
                returning id, created_at
            )
            insert into public.backtests (id, user_id, kind, config, name, tags, created_at, total_return,
                                          sharpe_ratio, max_drawdown, trades, figures)
            select id, $1, 'backtest', $3, 'sma_cross on BTC/USDT, 1h', '{trend,bench}', created_at, random(), random(),
                   -random(), 87, jsonb_build_object('statistics', repeat('x', 8000))
            from made
            """,
            user,
            count,
            json.dumps(_WANTED),
        )
        await connection.execute("vacuum analyze public.backtests, public.tasks")
    finally:
        await connection.close()


async def _bare(running: Running, user: UUID) -> float:
    dsn = running.status["DB_URL"]
    statement, arguments = list_statement(BacktestOrder(), BacktestFilter(), None)
    claims = json.dumps({"sub": str(user), "role": "authenticated"})

    async def once(connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
        async with connection.transaction(readonly=True):
            await connection.fetchval(_BECOME, claims, user, column=4)
            await connection.fetch(statement, PAGE + 1, *arguments)

    async with asyncpg.create_pool(dsn, min_size=16, max_size=16) as pool:

        async def worker(until: float) -> int:
            count = 0
            while time.monotonic() < until:
                async with pool.acquire() as connection:
                    await once(connection)
                count += 1
            return count

        return await _a_second(worker)


async def _rate(port: int, request: bytes) -> float:
    async def worker(until: float) -> int:
        count = 0
        async with connected(port) as (reader, writer):
            while time.monotonic() < until:
                status, _ = await asked(reader, writer, request)
                if status != 200:
                    raise RuntimeError(f"the list answered {status}")
                count += 1
        return count

    return await _a_second(worker)


async def _a_second(worker: Callable[[float], Awaitable[int]]) -> float:
    began = time.monotonic()
    counts = await asyncio.gather(*(worker(began + SECONDS) for _ in range(CONNECTIONS)))
    return sum(counts) / (time.monotonic() - began)


async def _runs(port: int, head: str, count: int) -> list[float]:
    """In milliseconds, each after a while in which the queue empties."""
    body = json.dumps(_WANTED)
    head = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    request = f"POST /api/backtests/run HTTP/1.1\r\n{head}\r\n{body}".encode()
    times = []
    async with connected(port) as (reader, writer):
        for _ in range(count):
            began = time.perf_counter()
            status, content = await asked(reader, writer, request)
            times.append((time.perf_counter() - began) * 1e3)
            if status != 202:
                raise RuntimeError(f"a run answered {status}: {content[:300]!r}")
            await asyncio.sleep(0.1)
    return times


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        yield reader, writer
    finally:
        writer.close()


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status = int(head.split(" ", 2)[1])
    length = next(
        (int(line.partition(":")[2]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
    )
    return status, await reader.readexactly(length)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)

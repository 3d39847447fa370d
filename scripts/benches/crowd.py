"""200 users at once, one request a second each, one in twenty a run of 10,000 bars: what reads wait for meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from backend.infrastructure.supabase.auth_keys import AuthKeys
from scripts.benches.api import asked, connected, fill, token_of
from scripts.benches.figures import Figure, at_most, percentile
from tests.serving import Running

USERS, SECONDS, RUN_SHARE, STORED = 200, 60, 0.05, 50
WORK = f"{USERS} users, a request a second each, {RUN_SHARE:.0%} runs of 10,000 bars, {SECONDS} s"
# 10,000 hours of the simulated market.
_RUN = {
    "strategy": "sma_cross",
    "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}],
    "start": "2023-01-01T00:00:00Z",
    "end": "2024-02-21T16:00:00Z",
}
READS = (
    "/api/backtests?limit=20",
    "/api/backtests/{backtest}",
    "/api/system/tasks?limit=20",
    "/api/data/series",
    "/api/strategies",
    "/api/me",
)


@dataclass
class _Seen:
    """In milliseconds from when each was due, so that a request that waits for the one before it counts as late."""

    reads: list[float] = field(default_factory=list)
    runs: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def measured(running: Running) -> Sequence[Figure]:
    users = [uuid4() for _ in range(USERS)]
    for user in users:
        await fill(running.status["DB_URL"], user, STORED)
    backtests = await _one_each(running.status["DB_URL"])
    keys = AuthKeys.load_or_create(Path(running.data_dir) / "secrets" / "auth.json")
    port, seen, begin = int(running.url.rpartition(":")[2]), _Seen(), time.perf_counter() + 1
    print(f"{USERS} users for {SECONDS} s", file=sys.stderr, flush=True)
    await asyncio.gather(
        *(
            _user(port, token_of(keys, running.url, user), backtests[user], begin + place / USERS, seen)
            for place, user in enumerate(users)
        )
    )
    done = await _finished(running.status["DB_URL"])
    for error in seen.errors[:5]:
        print(error, file=sys.stderr)
    return [
        at_most(f"{WORK}: reads, p95", percentile(seen.reads, 0.95), "ms", 150),
        at_most(f"{WORK}: errors of {len(seen.reads) + len(seen.runs):,} requests", len(seen.errors), "", 0),
        Figure(work=f"{WORK}: reads, median", engine="tidemark", value=percentile(seen.reads, 0.5), unit="ms"),
        Figure(work=f"{WORK}: run requests, p95", engine="tidemark", value=percentile(seen.runs, 0.95), unit="ms"),
        Figure(work=f"{WORK}: runs finished meanwhile, of {len(seen.runs)}", engine="tidemark", value=done, unit=""),
    ]


async def _user(port: int, token: str, backtest: UUID, begin: float, seen: _Seen) -> None:
    dice = random.Random(str(backtest))  # noqa: S311 - nothing secret
    head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    body = json.dumps(_RUN)
    run = f"POST /api/backtests/run HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    async with connected(port) as (reader, writer):
        for second in range(SECONDS):
            due = begin + second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            is_run = dice.random() < RUN_SHARE
            path = dice.choice(READS).format(backtest=backtest)
            request = f"{run}\r\n{body}" if is_run else f"GET {path} HTTP/1.1\r\n{head}\r\n"
            try:
                status, content = await asked(reader, writer, request.encode())
            except (OSError, asyncio.IncompleteReadError) as problem:
                seen.errors.append(f"{path}: {problem!r}")
                return
            (seen.runs if is_run else seen.reads).append((time.perf_counter() - due) * 1e3)
            if status != (202 if is_run else 200):
                seen.errors.append(f"{'run' if is_run else path} answered {status}: {content[:200]!r}")


async def _one_each(dsn: str) -> dict[UUID, UUID]:
    async with _database(dsn) as connection:
        rows = await connection.fetch("select distinct on (user_id) user_id, id from public.backtests")
    return {row["user_id"]: row["id"] for row in rows}


async def _finished(dsn: str) -> int:
    async with _database(dsn) as connection:
        return int(
            await connection.fetchval(
                "select count(*) from public.tasks where kind = 'backtest' and state = 'completed' and payload <> '{}'"
            )
        )


@contextlib.asynccontextmanager
async def _database(dsn: str):  # type: ignore[no-untyped-def]  # a generator of a connection
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()

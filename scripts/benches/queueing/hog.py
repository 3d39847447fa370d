"""A served process while one of its jobs takes memory without end and is killed for it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx

from backend.bootstrap import read_settings
from backend.bootstrap_operator import describe_project
from scripts.benches.queueing.ours import add_user

LIMIT_BYTES = 1024**3
_START_SECONDS = 60
_HOGS = 3


@dataclass(frozen=True, kw_only=True)
class Hogged:
    """How the process answered meanwhile, and what the killed jobs' failures say."""

    healthz_ms: list[float]
    details: list[str]


async def health_while_hogged() -> Hogged:
    async with _serving() as (url, dsn):
        connection = await asyncpg.connect(dsn)
        try:
            owner = (await add_user(dsn)).user_id
            async with httpx.AsyncClient(base_url=url, timeout=10) as client:
                waits: list[float] = []
                details = [await _hog(connection, client, owner, waits) for _ in range(_HOGS)]
        finally:
            await connection.close()
    return Hogged(healthz_ms=waits, details=details)


async def _hog(
    connection: "asyncpg.Connection[asyncpg.Record]", client: httpx.AsyncClient, owner: UUID, waits: list[float]
) -> str:
    """Ask again and again how the process is until the job was killed; what is said about that."""
    # The owner of the table is nobody's user, and sees no row without this.
    await connection.execute("set role postgres")
    job_id = await connection.fetchval(
        "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " values ($1, 'sweep', '{}', 1, $2, 1, 60) returning id",
        owner,
        LIMIT_BYTES,
    )
    await connection.execute("set role service_role")
    while True:
        asked = time.monotonic()
        (await client.get("/healthz")).raise_for_status()
        waits.append((time.monotonic() - asked) * 1e3)
        failure = await connection.fetchval("select failure from public.tasks where id = $1", job_id)
        if failure is not None:
            facts = json.loads(failure)
            if facts["code"] != "memory_limit_reached":
                raise AssertionError(f"the hog ended for another reason: {facts['detail']}")
            return str(facts["detail"])
        await asyncio.sleep(0.002)


@asynccontextmanager
async def _serving() -> AsyncIterator[tuple[str, str]]:
    """The address of a server with our works, and the database's own."""
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        Path(folder).chmod(0o755)
        data, port = Path(folder) / "data", _free_port()
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    *(sys.executable, "-m", "scripts.benches.queueing.serve"),
                    *("serve", "--data-dir", str(data), "--port", str(port)),
                ],
                env={**os.environ, "TIDEMARK_LOG_FORMAT": "json"},
                stdout=log,
                stderr=log,
            )
        url = f"http://127.0.0.1:{port}"
        try:
            await _answers(url, server)
            yield url, describe_project(read_settings(data_dir=data), url)["DB_URL"]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


async def _answers(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    async with httpx.AsyncClient() as client:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if (await client.get(f"{url}/readyz")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise TimeoutError(f"the server was not ready within {_START_SECONDS} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

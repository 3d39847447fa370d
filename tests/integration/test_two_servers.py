"""Two real servers on one database: each job is claimed once, and either tells every client the same."""

import asyncio
import base64
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from tests.api.served import Listener, Told, listening
from tests.serving import Running, data_folder, serving

pytestmark = pytest.mark.timeout(180)
ENDED = ("completed", "failed", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Trader:
    """Somebody with an account at the project that both servers stand on."""

    user_id: UUID
    headers: dict[str, str]
    database: str

    async def add_jobs(self, count: int) -> list[str]:
        """In a transaction each. Nothing is done for them here, so each fails as soon as a runner has claimed it."""
        connection = await asyncpg.connect(self.database)
        try:
            return [
                str(
                    await connection.fetchval(
                        "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts,"
                        " wall_limit_seconds) values ($1, 'sweep', '{}', 1, 1, 3, 60) returning id",
                        self.user_id,
                    )
                )
                for _ in range(count)
            ]
        finally:
            await connection.close()

    async def last_id(self) -> int:
        """How many events there are, once every job has come to an end."""
        connection = await asyncpg.connect(self.database)
        try:
            await connection.execute("set role service_role")
            async with asyncio.timeout(60):
                while await connection.fetchval(  # noqa: ASYNC110 - another process moves them
                    "select count(*) from public.tasks where user_id = $1 and not state = any($2)", self.user_id, ENDED
                ):
                    await asyncio.sleep(0.05)
            return int(
                await connection.fetchval("select max(id) from public.task_events where user_id = $1", self.user_id)
            )
        finally:
            await connection.close()


@dataclass(frozen=True, kw_only=True)
class Town:
    """The project, and two servers that stand on it."""

    project: Running
    servers: tuple[Running, Running]

    @property
    def urls(self) -> list[str]:
        return [server.status["TIDEMARK_URL"] for server in self.servers]

    def trader(self) -> Trader:
        answer = httpx.post(
            f"{self.project.url}/auth/v1/signup",
            headers={"apikey": self.project.status["PUBLISHABLE_KEY"]},
            json={"email": f"{uuid4()}@example.com", "password": "a-long-password-7Qx"},
        ).json()
        return Trader(
            user_id=UUID(answer["user"]["id"]),
            headers={"Authorization": f"Bearer {answer['access_token']}"},
            database=self.project.status["DB_URL"],
        )


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with ExitStack() as stack:
        project = stack.enter_context(serving(stack.enter_context(data_folder())))
        settings = {
            "DATABASE_URL": project.status["DB_URL"],
            "SUPABASE_URL": project.url,
            "SUPABASE_ANON_KEY": project.status["ANON_KEY"],
            "SUPABASE_SERVICE_ROLE_KEY": project.status["SERVICE_ROLE_KEY"],
            "ENCRYPTION_KEY": base64.b64encode(bytes(32)).decode(),
            "TIDEMARK_RATE_LIMITS": "off",
        }
        folders = [stack.enter_context(data_folder()) for _ in range(2)]
        here, there = (stack.enter_context(serving(folder, **settings)) for folder in folders)
        yield Town(project=project, servers=(here, there))


async def test_jobs_moved_through_either_server_are_told_alike_by_both(town: Town) -> None:
    trader, chance = town.trader(), random.Random(11)
    async with followed(town.urls[0], trader) as one, followed(town.urls[1], trader) as other:
        jobs = await trader.add_jobs(25)
        async with httpx.AsyncClient(headers=trader.headers) as client:
            for _ in range(60):
                path = f"/api/system/tasks/{chance.choice(jobs)}/{chance.choice(('cancel', 'retry'))}"
                # What is over cannot be cancelled, what is not cannot be tried again.
                assert (await client.post(chance.choice(town.urls) + path)).status_code in (200, 202, 409)
        last_id = await trader.last_id()
        assert last_id >= 2 * len(jobs)
        heard = await one.until(last_id)
        assert heard == await other.until(last_id)
    assert [told.id for told in heard] == list(range(1, last_id + 1))
    runs = Counter((told.task["id"], told.task["attempts"], told.task["queued_at"]) for told in heard if _begins(told))
    assert set(runs.values()) == {1}


async def test_stream_that_changes_servers_at_each_event_loses_and_doubles_nothing(town: Town) -> None:
    trader, chance = town.trader(), random.Random(5)
    adding = asyncio.create_task(trader.add_jobs(40))
    heard: list[int | None] = []
    while len(heard) < 80:
        url = town.urls[len(heard) % 2]
        async with listening(url, trader.headers, after=len(heard)) as listener:
            told = [told.id async for told in _events(listener, chance.randint(1, 3))]
            heard += told
    await adding
    assert heard == list(range(1, len(heard) + 1))


async def test_client_of_a_killed_server_goes_on_at_the_other(town: Town) -> None:
    trader = town.trader()
    async with listening(town.urls[0], trader.headers) as listener:
        await listener.next()
        await trader.add_jobs(5)
        heard = [told.id async for told in _events(listener, 4)]
        town.servers[0].stop(signal.SIGKILL)
    await trader.add_jobs(5)
    last_id = await trader.last_id()
    async with listening(town.urls[1], trader.headers, after=heard[-1]) as listener:
        heard += [told.id async for told in _events(listener, last_id - len(heard))]
    assert heard == list(range(1, last_id + 1))


class Follower:
    """Notes everything that one server tells."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._heard: list[Told] = []

    async def until(self, last_id: int) -> list[Told]:
        while not self._heard or self._heard[-1].id != last_id:
            self._heard += [replace(told, comments=[]) async for told in _events(self._listener, 1)]
        return self._heard


@asynccontextmanager
async def followed(url: str, trader: Trader) -> AsyncIterator[Follower]:
    async with listening(url, trader.headers) as listener:
        await listener.next()
        yield Follower(listener)


async def _events(listener: Listener, count: int) -> AsyncIterator[Told]:
    """What the table holds: progress comes and goes."""
    while count:
        told = await listener.event()
        if told.id is not None:
            count -= 1
            yield told


def _begins(told: Told) -> bool:
    task: dict[str, Any] = told.task
    return told.type == "task_running" and task["cancel_requested_at"] is None

"""Streams in hard times: readers that stop reading, a Postgres that restarts, and two servers on one database."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from backend.api import lines, stream, streams
from backend.api.task_events import TASK_EVENTS_PATH
from backend.domain.events import PROGRESS_CHANNEL
from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, set_login_passwords
from tests.api.conftest import Person, Site, open_site
from tests.api.served import listening, served
from tests.api.test_task_events import add_tasks, ids_of
from tests.cluster import MIGRATIONS, FreshDatabase

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def site(database: FreshDatabase) -> AsyncIterator[Site]:
    async with open_site(database) as site:
        yield site


async def tell_progress(site: Site, person: Person, number: int) -> None:
    task = {"id": "0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a", "stage": str(number), "message": "x" * 7000}
    await site.house.bus.publish(PROGRESS_CHANNEL, json.dumps({"user_id": str(person.user_id), "task": task}))


async def test_reader_who_takes_nothing_is_dropped_and_the_others_are_not(site: Site) -> None:
    person = await site.person()
    async with served(site.house) as url, listening(url, person.headers) as listener:
        await listener.next()
        with _lazy_reader(url, person):
            while _closed_as(site, "too_slow") == 0:
                for number in range(20):
                    await tell_progress(site, person, number)
                    assert (await listener.event()).task["stage"] == str(number)
            assert _open_streams(site) == 1
        # What the lazy one did not see is there when it comes back.
        await add_tasks(person, 2)
        async with listening(url, person.headers, after=0) as resumed:
            assert await ids_of(resumed, 2) == [1, 2]


async def test_reader_who_is_stuck_is_dropped_though_little_waits_for_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_WAITING_FRAMES", 1_000_000)
    monkeypatch.setattr(streams, "STALLED_SECONDS", 1.0)
    person = await site.person()
    async with served(site.house) as url:
        with _lazy_reader(url, person):
            while _closed_as(site, "too_slow") == 0:
                await asyncio.gather(*(tell_progress(site, person, number) for number in range(20)))
                await asyncio.sleep(0.01)


async def test_burst_larger_than_all_buffers_reaches_a_reader_who_pauses_for_a_moment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "PATIENCE_SECONDS", 60.0)
    count = 9_000
    person = await site.person()
    async with served(site.house) as url:
        with _lazy_reader(url, person) as lazy:
            lazy.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=lazy)
            await reader.readuntil(b"id: 0\n\n")
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # what asyncio has here can
            await site.execute(
                "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts,"
                " wall_limit_seconds) select $1, 'sweep', '{}', 1, 1, 3, 60 from generate_series(1, $2::int)",
                person.user_id,
                count,
                role="postgres",
            )
            await asyncio.sleep(1)
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            heard = [0]
            while heard[-1] < count:
                line = await asyncio.wait_for(reader.readline(), 20)
                assert line, f"the stream ended after {heard[-1]}"
                heard += [int(line[4:])] if line.startswith(b"id: ") else []
            writer.close()
    assert heard == list(range(count + 1))
    assert _closed_as(site, "too_slow") == 0


async def test_restart_of_postgres_loses_and_doubles_nothing(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    address = await asyncio.to_thread(postgres.start)
    try:
        await migrate(address.dsn("postgres"), MIGRATIONS)
        await set_login_passwords(
            address.dsn("postgres"), {login: address.passwords[login] for login in ("app_api", "app_worker")}
        )
        async with open_site(FreshDatabase(name="postgres", address=address)) as site, served(site.house) as url:
            person = await site.person()
            async with listening(url, person.headers) as listener:
                await listener.next()
                await add_tasks(person, 3)
                assert await ids_of(listener, 3) == [1, 2, 3]
                await asyncio.to_thread(postgres.stop)
                await asyncio.sleep(1)
                await asyncio.to_thread(postgres.start)
                # The bus is likely not back yet: then only reading again can find these.
                await add_tasks(person, 2)
                assert await ids_of(listener, 2) == [4, 5]
                await add_tasks(person, 2)
                assert await ids_of(listener, 2) == [6, 7]
    finally:
        await asyncio.to_thread(postgres.stop)


async def test_two_servers_on_one_database_tell_the_same(database: FreshDatabase) -> None:
    async with open_site(database) as here, served(here.house) as url:
        person = await here.person()
        other_house = {"project": here.house.project, "verifier": here.house.verifier}
        async with open_site(database, **other_house) as there, served(there.house) as other_url:
            async with listening(url, person.headers) as one, listening(other_url, person.headers) as other:
                await one.next()
                await other.next()
                await add_tasks(person, 5)
                assert await ids_of(one, 5) == await ids_of(other, 5) == [1, 2, 3, 4, 5]
                await tell_progress(there, person, 1)
                assert (await one.event()).task["stage"] == "1"
            async with httpx.AsyncClient() as client:
                answer = await client.post(f"{url}/api/system/stream-ticket", headers=person.headers)
            async with listening(other_url, ticket=answer.json()["ticket"], last_event_id="3") as resumed:
                assert await ids_of(resumed, 2) == [4, 5]


@contextlib.contextmanager
def _lazy_reader(url: str, person: Person) -> Iterator[socket.socket]:
    """A client that opens a stream and then reads nothing."""
    address = httpx.URL(url)
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect((address.host, address.port))
        lazy.sendall(
            f"GET {TASK_EVENTS_PATH} HTTP/1.1\r\nHost: {address.host}\r\n"
            f"Authorization: {person.headers['Authorization']}\r\n\r\n".encode()
        )
        yield lazy


def _closed_as(site: Site, why: str) -> float:
    return site.house.monitor.registry.get_sample_value("tidemark_streams_closed_total", {"why": why}) or 0


def _open_streams(site: Site) -> float:
    return site.house.monitor.registry.get_sample_value("tidemark_streams") or 0

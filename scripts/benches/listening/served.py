"""A real server with thousands of users, and ways to make something happen to all of them at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import psutil

from backend.domain.events import PROGRESS_CHANNEL
from backend.infrastructure.supabase.auth_keys import AuthKeys
from tests.serving import Running, data_folder, serving

ADDRESSES = 100
TOKEN_SECONDS = 4 * 3600
PATH = "/api/system/task-events"


@dataclass(frozen=True, kw_only=True)
class Member:
    """A user with a job, whose every change of state is an event."""

    user_id: UUID
    job_id: UUID
    token: str


class Place:
    """A running server, its database and its users."""

    def __init__(self, running: Running) -> None:
        self.process = psutil.Process(running.process.pid)
        self.port = int(running.url.rpartition(":")[2])
        self._url = running.url
        self._dsn = running.status["DB_URL"]
        self._keys = AuthKeys.load_or_create(Path(running.data_dir) / "secrets" / "auth.json")

    async def members(self, count: int) -> list[Member]:
        found = [(uuid4(), uuid4()) for _ in range(count)]
        users, jobs = [user for user, _ in found], [job for _, job in found]
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(
                "insert into auth.users (id, email, aud, role, is_anonymous)"
                " select id, id || '@example.com', 'authenticated', 'authenticated', false"
                " from unnest($1::uuid[]) as id",
                users,
            )
            # Streams of a session that is not there end at once.
            await connection.execute(
                "insert into auth.sessions (id, user_id, created_at)"
                " select id, id, now() from unnest($1::uuid[]) as id",
                users,
            )
            await connection.execute(
                "insert into public.tasks (id, user_id, kind, payload, cores, memory_bytes, max_attempts,"
                " wall_limit_seconds, state, finished_at)"
                " select id, user_id, 'sweep', '{}', 1, 1, 3, 60, 'completed', now()"
                " from unnest($1::uuid[], $2::uuid[]) as member (id, user_id)",
                jobs,
                users,
            )
        finally:
            await connection.close()
        return [Member(user_id=user, job_id=job, token=self._token(user)) for user, job in found]

    def requests(self, members: Sequence[Member], streams: int) -> list[tuple[str, str]]:
        """So many streams in all, spread over these users, and over addresses that the rate limits let through."""
        return [
            (f"127.0.{1 + number % ADDRESSES}.1", self._request(members[number % len(members)]))
            for number in range(streams)
        ]

    def _request(self, member: Member) -> str:
        return (
            f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAccept: text/event-stream\r\n"
            f"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
            f"Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
            f"Cache-Control: no-cache\r\n"
            f"Authorization: Bearer {member.token}\r\n\r\n"
        )

    def _token(self, user_id: UUID) -> str:
        now = int(time.time())
        return self._keys.sign(
            {
                "iss": f"{self._url}/auth/v1",
                "aud": "authenticated",
                "sub": str(user_id),
                "role": "authenticated",
                "email": f"{user_id}@example.com",
                "phone": "",
                "session_id": str(user_id),  # each has the one of that id
                "aal": "aal1",
                "amr": [{"method": "password", "timestamp": now}],
                "is_anonymous": False,
                "app_metadata": {"provider": "email", "providers": ["email"]},
                "user_metadata": {"email": f"{user_id}@example.com", "email_verified": True, "sub": str(user_id)},
                "iat": now,
                "exp": now + TOKEN_SECONDS,
            }
        )

    async def tell_events(self, members: Sequence[Member], rounds: int) -> dict[int, int]:
        """Once a second a change of everybody's job, in one transaction; event ids and when each was committed."""
        sent = {}
        jobs = [member.job_id for member in members]
        connection = await asyncpg.connect(self._dsn)
        try:
            last_id = await connection.fetchval(
                "select last_id from private.task_event_counters where user_id = $1", members[0].user_id
            )
            started = time.monotonic()
            for number in range(1, rounds + 1):
                async with connection.transaction():
                    await connection.execute(
                        "update public.tasks"
                        " set state = case state when 'completed' then 'cancelled' else 'completed' end"
                        " where id = any($1::uuid[])",
                        jobs,
                    )
                    sent[last_id + number] = time.monotonic_ns()
                await asyncio.sleep(max(0.0, started + number - time.monotonic()))
        finally:
            await connection.close()
        return sent

    async def tell_progress(self, members: Sequence[Member], rounds: int) -> None:
        """Once a second the progress of everybody's job, over the bus alone."""
        connection = await asyncpg.connect(self._dsn)
        try:
            started = time.monotonic()
            for number in range(1, rounds + 1):
                payloads = [self._progress(member, number) for member in members]
                await connection.execute(
                    "select pg_notify($1, replace(payload, '{}', $3)) from unnest($2::text[]) as payload",
                    PROGRESS_CHANNEL,
                    payloads,
                    str(time.monotonic_ns()),
                )
                await asyncio.sleep(max(0.0, started + number - time.monotonic()))
        finally:
            await connection.close()

    @staticmethod
    def _progress(member: Member, number: int) -> str:
        task = {
            "id": str(member.job_id),
            "kind": "sweep",
            "stage": "Sweeping",
            "percent": number % 100,
            "message": f"{number * 100:,} of 10,000 combinations",
            "eta_seconds": 60.0,
            "sent": 0,
        }
        return json.dumps({"user_id": str(member.user_id), "task": task}).replace('"sent": 0', '"sent":{}')


@contextlib.contextmanager
def place() -> Iterator[Place]:
    with data_folder() as folder, serving(folder) as running:
        yield Place(running)

"""The contract of StreamTickets, kept by the fake and by the functions of a real Postgres."""

import secrets
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.tickets import TicketTable
from backend.domain.accounts import Identity
from backend.domain.ports import StreamTickets
from backend.infrastructure.database import Database
from backend.infrastructure.service_database import ServiceDatabase
from tests.cluster import FreshDatabase
from tests.fakes import FakeClock, FakeStreamTickets


@dataclass
class Counter:
    """Both sides of the counter where tickets are bought and spent."""

    buying: StreamTickets
    spending: StreamTickets
    wait: Callable[[timedelta], Awaitable[None]]
    now: Callable[[], datetime]


class StreamTicketsContract:
    """What holds for all StreamTickets: override `open`."""

    @abstractmethod
    def open(self, claims: dict[str, Any]) -> AbstractAsyncContextManager[Counter]: ...

    @pytest.fixture
    async def user_id(self) -> UUID:
        return uuid4()

    async def test_ticket_brings_the_claims_once(self, user_id: UUID) -> None:
        claims = _claims(user_id)
        async with self.open(claims) as counter:
            digest = secrets.token_bytes(32)
            await counter.buying.issue(digest)
            assert await counter.spending.redeem(digest) == claims
            assert await counter.spending.redeem(digest) is None

    async def test_unknown_ticket_brings_nothing(self, user_id: UUID) -> None:
        async with self.open(_claims(user_id)) as counter:
            assert await counter.spending.redeem(secrets.token_bytes(32)) is None

    async def test_ticket_is_good_for_a_minute(self, user_id: UUID) -> None:
        async with self.open(_claims(user_id)) as counter:
            digest = secrets.token_bytes(32)
            good_until = await counter.buying.issue(digest)
            assert timedelta(seconds=55) < good_until - counter.now() <= timedelta(seconds=61)
            await counter.wait(timedelta(seconds=61))
            assert await counter.spending.redeem(digest) is None

    async def test_ticket_ends_with_the_token(self, user_id: UUID) -> None:
        claims = _claims(user_id, seconds=20)
        async with self.open(claims) as counter:
            good_until = await counter.buying.issue(secrets.token_bytes(32))
            assert good_until.timestamp() == claims["exp"]

    async def test_many_tickets_stand_side_by_side(self, user_id: UUID) -> None:
        async with self.open(_claims(user_id)) as counter:
            digests = [secrets.token_bytes(32) for _ in range(3)]
            for digest in digests:
                await counter.buying.issue(digest)
            assert all([await counter.spending.redeem(digest) for digest in reversed(digests)])


class TestFakeStreamTickets(StreamTicketsContract):
    @asynccontextmanager
    async def open(self, claims: dict[str, Any]) -> AsyncIterator[Counter]:
        clock = FakeClock(datetime.now(UTC))

        async def wait(span: timedelta) -> None:
            clock.advance(seconds=span.total_seconds())

        tickets = FakeStreamTickets(claims, clock)
        yield Counter(tickets, tickets, wait, clock.now)


class _Buying:
    """Each ticket in a transaction of its own, as its user."""

    def __init__(self, database: Database, claims: dict[str, Any]) -> None:
        self._database = database
        self._identity = Identity(
            user_id=UUID(claims["sub"]),
            email=None,
            is_admin=False,
            is_anonymous=False,
            session_id=None,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            claims=claims,
        )

    async def issue(self, digest: bytes) -> datetime:
        async with self._database.acting_as(self._identity) as connection:
            return await TicketTable(connection).issue(digest)

    async def redeem(self, digest: bytes) -> None:
        async with self._database.acting_as(self._identity) as connection:
            await TicketTable(connection).redeem(digest)


class _Spending:
    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database

    async def issue(self, digest: bytes) -> datetime:
        async with self._database.acting_as_service() as connection:
            return await TicketTable(connection).issue(digest)

    async def redeem(self, digest: bytes) -> Any:
        async with self._database.acting_as_service() as connection:
            return await TicketTable(connection).redeem(digest)


class TestTicketTable(StreamTicketsContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @pytest.fixture
    async def user_id(self, database: FreshDatabase) -> UUID:
        return await database.add_user()

    @asynccontextmanager
    async def open(self, claims: dict[str, Any]) -> AsyncIterator[Counter]:
        users, service = Database(self.fresh.dsn("app_api")), ServiceDatabase(self.fresh.dsn("app_worker"))
        await users.open()
        await service.open()

        async def wait(span: timedelta) -> None:
            await self._execute("update private.stream_tickets set good_until = good_until - $1::interval", span)

        try:
            yield Counter(_Buying(users, claims), _Spending(service), wait, lambda: datetime.now(UTC))
        finally:
            await users.close()
            await service.close()

    async def test_only_digests_are_kept_and_what_nobody_used_is_cleared_away(self, user_id: UUID) -> None:
        async with self.open(_claims(user_id)) as counter:
            old, new = secrets.token_bytes(32), secrets.token_bytes(32)
            await counter.buying.issue(old)
            await counter.wait(timedelta(seconds=61))
            await counter.buying.issue(new)
            connection = await asyncpg.connect(self.fresh.dsn("postgres"))
            kept = await connection.fetch("select digest from private.stream_tickets where user_id = $1", user_id)
            await connection.close()
            assert [row["digest"] for row in kept] == [new]

    async def test_users_cannot_spend_tickets_and_the_service_cannot_buy_any(self, user_id: UUID) -> None:
        async with self.open(_claims(user_id)) as counter:
            digest = secrets.token_bytes(32)
            await counter.buying.issue(digest)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await counter.buying.redeem(digest)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await counter.spending.issue(secrets.token_bytes(32))

    async def _execute(self, statement: str, *arguments: object) -> None:
        connection = await asyncpg.connect(self.fresh.dsn("postgres"))
        await connection.execute(statement, *arguments)
        await connection.close()


def _claims(user_id: UUID, *, seconds: int = 3600) -> dict[str, Any]:
    return {"sub": str(user_id), "role": "authenticated", "exp": int(time.time()) + seconds, "app_metadata": {}}

"""The contracts of TokenRepository and TokenRecords, kept by one fake and by the table in a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.accounts import AccountStates
from backend.data.storage.housekeeping import HousekeepingTables
from backend.data.storage.tokens import TokenBook, TokenTable
from backend.domain.accounts import Identity
from backend.domain.errors import QuotaReached, SessionEnded
from backend.domain.pages import Page, Place
from backend.domain.ports import TokenRecords, TokenRepository
from backend.domain.tokens import MOST_LIVE_TOKENS, NewToken, PersonalToken, Scope, TokenUse, make_token, new_token
from backend.infrastructure.database import Database
from backend.infrastructure.service_database import ServiceDatabase
from tests.cluster import FreshDatabase
from tests.fake_tokens import FakeTokens
from tests.fakes import FakeClock


def fresh(name: str = "Script", *scopes: Scope, days: int = 30) -> NewToken:
    return new_token(make_token(), name=name, scopes=scopes or (Scope.READ,), days=days)


@dataclass(kw_only=True)
class Desk:
    """A user's tokens, what the house knows of them, and a way to let time pass for them."""

    mine: TokenRepository
    house: TokenRecords
    pass_time: Callable[[timedelta], Awaitable[None]]
    end_session: Callable[[], Awaitable[None]]


class TokensContract:
    """What holds for every pair of them: override `open`."""

    @abstractmethod
    def open(self, user_id: UUID) -> AbstractAsyncContextManager[Desk]: ...

    @pytest.fixture
    async def user_id(self) -> UUID:
        return uuid4()

    async def test_a_new_token_is_listed_with_all_but_its_digest(self, user_id: UUID) -> None:
        async with self.open(user_id) as desk:
            new = fresh("Nightly job", Scope.DATA, Scope.READ, days=90)
            made = await desk.mine.create(new)
            assert (made.name, made.hint, made.scopes) == ("Nightly job", new.hint, frozenset({Scope.READ, Scope.DATA}))
            assert made.expires_at - made.created_at == timedelta(days=90)
            assert (made.last_used_at, made.last_used_address, made.revoked_at) == (None, None, None)
            assert (await desk.mine.tokens(limit=10, after=None)).items == (made,)

    async def test_the_house_finds_its_holder_by_the_digest_alone(self, user_id: UUID) -> None:
        async with self.open(user_id) as desk:
            new = fresh("Job", Scope.RUN)
            made = await desk.mine.create(new)
            holder = await desk.house.holder(new.digest)
            assert holder is not None
            assert (holder.token_id, holder.user_id, holder.scopes) == (made.id, user_id, frozenset({Scope.RUN}))
            assert (holder.expires_at, holder.is_revoked, holder.is_anonymous) == (made.expires_at, False, False)
            assert await desk.house.holder(bytes(32)) is None

    async def test_a_token_is_revoked_once_and_stays_listed(self, user_id: UUID) -> None:
        async with self.open(user_id) as desk:
            new = fresh()
            made = await desk.mine.create(new)
            assert await desk.mine.revoke(made.id) is True
            assert await desk.mine.revoke(made.id) is False
            assert await desk.mine.revoke(uuid4()) is False
            [listed] = (await desk.mine.tokens(limit=10, after=None)).items
            assert listed.revoked_at is not None
            holder = await desk.house.holder(new.digest)
            assert holder is not None
            assert holder.is_revoked

    async def test_a_list_is_read_page_by_page_newest_first(self, user_id: UUID) -> None:
        async with self.open(user_id) as desk:
            made = [(await desk.mine.create(fresh(f"Script {number}"))).id for number in range(3)]
            first = await desk.mine.tokens(limit=2, after=None)
            assert [token.id for token in first.items] == [made[2], made[1]]
            second = await desk.mine.tokens(limit=2, after=first.next)
            assert ([token.id for token in second.items], second.next) == ([made[0]], None)

    async def test_so_many_may_live_and_a_revoked_one_makes_room(self, user_id: UUID) -> None:
        async with self.open(user_id) as desk:
            made = [await desk.mine.create(fresh()) for _ in range(MOST_LIVE_TOKENS)]
            with pytest.raises(QuotaReached) as refusal:
                await desk.mine.create(fresh())
            assert (refusal.value.limit, refusal.value.count) == (MOST_LIVE_TOKENS, MOST_LIVE_TOKENS)
            assert "Revoke some" in refusal.value.detail
            await desk.mine.revoke(made[0].id)
            await desk.mine.create(fresh())

    async def test_without_a_live_session_none_is_made(self, user_id: UUID) -> None:
        async with self.open(user_id) as desk:
            await desk.end_session()
            with pytest.raises(SessionEnded):
                await desk.mine.create(fresh())

    async def test_a_use_is_noted_once_an_hour(self, user_id: UUID) -> None:
        async with self.open(user_id) as desk:
            made = await desk.mine.create(fresh())
            await desk.house.note_uses([TokenUse(token_id=made.id, address="192.0.2.7")])
            [used] = (await desk.mine.tokens(limit=1, after=None)).items
            assert used.last_used_at is not None
            assert used.last_used_address == "192.0.2.7"
            await desk.house.note_uses([TokenUse(token_id=made.id, address="192.0.2.8")])
            assert (await desk.mine.tokens(limit=1, after=None)).items == (used,)
            await desk.pass_time(timedelta(minutes=61))
            await desk.house.note_uses([TokenUse(token_id=made.id, address=None)])
            [used_again] = (await desk.mine.tokens(limit=1, after=None)).items
            assert used_again.last_used_address is None


class TestFakeTokens(TokensContract):
    @asynccontextmanager
    async def open(self, user_id: UUID) -> AsyncIterator[Desk]:
        clock = FakeClock()
        tokens = FakeTokens(user_id, clock)

        async def pass_time(span: timedelta) -> None:
            clock.advance(seconds=span.total_seconds())

        async def end_session() -> None:
            tokens.has_session = False

        yield Desk(mine=tokens, house=tokens, pass_time=pass_time, end_session=end_session)


class _Mine:
    """Each call in a transaction of its own, as its user."""

    def __init__(self, database: Database, identity: Identity) -> None:
        self._database, self._identity = database, identity

    async def tokens(self, *, limit: int, after: Place | None) -> Page[PersonalToken]:
        async with self._database.acting_as(self._identity, readonly=True) as connection:
            return await TokenTable(connection).tokens(limit=limit, after=after)

    async def create(self, token: NewToken) -> PersonalToken:
        async with self._database.acting_as(self._identity) as connection:
            return await TokenTable(connection).create(token)

    async def revoke(self, token_id: UUID) -> bool:
        async with self._database.acting_as(self._identity) as connection:
            return await TokenTable(connection).revoke(token_id)


class TestTokenTable(TokensContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @pytest.fixture
    async def user_id(self, database: FreshDatabase) -> UUID:
        return await database.add_user()

    @asynccontextmanager
    async def open(self, user_id: UUID) -> AsyncIterator[Desk]:
        users, service = Database(self.fresh.dsn("app_api")), ServiceDatabase(self.fresh.dsn("app_worker"))
        await users.open()
        await service.open()
        session_id = uuid4()
        await self._execute(
            "supabase_auth_admin",
            "insert into auth.sessions (id, user_id, created_at, updated_at) values ($1, $2, now(), now())",
            session_id,
            user_id,
        )

        async def pass_time(span: timedelta) -> None:
            await self._execute(
                "postgres",
                "update public.personal_access_tokens set created_at = created_at - $2::interval,"
                " expires_at = expires_at - $2::interval, last_used_at = last_used_at - $2::interval,"
                " revoked_at = revoked_at - $2::interval where user_id = $1",
                user_id,
                span,
            )

        async def end_session() -> None:
            await self._execute("supabase_auth_admin", "delete from auth.sessions where id = $1", session_id)

        try:
            mine = _Mine(users, _identity(user_id, session_id))
            yield Desk(mine=mine, house=TokenBook(service), pass_time=pass_time, end_session=end_session)
        finally:
            await users.close()
            await service.close()

    async def test_what_ended_is_forgotten_after_30_days_and_what_lives_is_not(self, user_id: UUID) -> None:
        async with self.open(user_id) as desk:
            revoked, expired = await desk.mine.create(fresh()), await desk.mine.create(fresh(days=2))
            alive = await desk.mine.create(fresh(days=90))
            await desk.mine.revoke(revoked.id)
            service = ServiceDatabase(self.fresh.dsn("app_worker"), min_size=1, max_size=1)
            await service.open()
            try:
                await desk.pass_time(timedelta(days=29))
                assert await HousekeepingTables(service).forget_ended_tokens() == 0
                await desk.pass_time(timedelta(days=4))
                assert await HousekeepingTables(service).forget_ended_tokens() == 2
                asked = [revoked.id, expired.id, alive.id]
                assert await AccountStates(service).revoked(asked) == {revoked.id, expired.id}
            finally:
                await service.close()
            assert [token.id for token in (await desk.mine.tokens(limit=9, after=None)).items] == [alive.id]

    async def test_no_user_reads_a_digest_or_writes_past_the_functions(self, user_id: UUID) -> None:
        async with self.open(user_id) as desk:
            await desk.mine.create(fresh())
            database = Database(self.fresh.dsn("app_api"), min_size=1, max_size=1)
            await database.open()
            attacks = (
                "select digest from public.personal_access_tokens",
                "select * from public.personal_access_tokens",
                "update public.personal_access_tokens set revoked_at = null",
                "delete from public.personal_access_tokens",
                "select * from private.holder_of_token('\\x00')",
                "select private.note_token_uses('{}', '{}')",
                "select private.revoked_tokens('{}')",
            )
            try:
                for attack in attacks:
                    for who in (_identity(user_id, None), None):
                        with pytest.raises(asyncpg.InsufficientPrivilegeError):
                            async with database.acting_as(who) as connection:
                                await connection.execute(attack)
            finally:
                await database.close()

    async def test_another_user_neither_sees_nor_revokes_it(self, user_id: UUID) -> None:
        eve = await self.fresh.add_user()
        async with self.open(user_id) as ada_desk, self.open(eve) as eve_desk:
            made = await ada_desk.mine.create(fresh())
            assert (await eve_desk.mine.tokens(limit=9, after=None)).items == ()
            assert await eve_desk.mine.revoke(made.id) is False
            [still] = (await ada_desk.mine.tokens(limit=9, after=None)).items
            assert still == made

    async def _execute(self, login: str, statement: str, *arguments: object) -> None:
        connection = await asyncpg.connect(self.fresh.dsn(login))
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()


def _identity(user_id: UUID, session_id: UUID | None) -> Identity:
    return Identity(
        user_id=user_id,
        email=None,
        is_admin=False,
        is_anonymous=False,
        session_id=session_id,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        claims={"session_id": str(session_id)} if session_id else {},
    )

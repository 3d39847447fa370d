"""Exchange keys in a real Postgres: both locks, who may do what, the log that stays, and rotations under load."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.exchange_keys import KeyTable, KeyVaultTables
from backend.domain.accounts import Identity
from backend.domain.errors import VersionConflict
from backend.domain.exchange_keys import (
    Attempt,
    Credentials,
    ExchangeKey,
    KeyAction,
    KeyNotFound,
    KeyOutcome,
    KeyProvider,
    KeyUnreadable,
    Probe,
    SealedKey,
)
from backend.domain.market_errors import VendorError, VendorRefused, VendorUnavailable
from backend.infrastructure.database import Database
from backend.infrastructure.key_manager import KeyManager, MasterKey
from backend.infrastructure.service_database import ServiceDatabase
from backend.services.exchange_keys import ExchangeKeys, KeyDesk, KeyWanted, rewrap_all
from tests.cluster import FreshDatabase
from tests.fake_exchange_keys import FakeProber

KEY, SECRET = "vmPU-key-of-the-tests-A65z", "secret-of-the-tests-0123456789"


def credentials(number: int = 0) -> Credentials:
    return Credentials(key=KEY, secret=f"{SECRET}-{number}")


class Desk:
    """A user, the service, and the database's owner, over one database."""

    def __init__(self, database: FreshDatabase) -> None:
        self.fresh = database
        self.users = Database(database.dsn("app_api"), max_size=4)
        self.service = ServiceDatabase(database.dsn("app_worker"), max_size=3)
        self.vault = KeyVaultTables(self.service)
        self.masters = [MasterKey.generate()]
        self.locks = KeyManager(lambda: tuple(self.masters))
        self.keys = KeyDesk(FakeProber(), self.locks, self.vault)

    async def person(self) -> Identity:
        user_id, session_id = await self.fresh.add_user(), uuid4()
        await self.execute(
            "insert into auth.sessions (id, user_id, created_at, updated_at) values ($1, $2, now(), now())",
            session_id,
            user_id,
            login="supabase_auth_admin",
        )
        return Identity(
            user_id=user_id,
            email=None,
            is_admin=False,
            is_anonymous=False,
            session_id=session_id,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            claims={"session_id": str(session_id)},
        )

    @asynccontextmanager
    async def acting(self, identity: Identity) -> AsyncIterator[ExchangeKeys]:
        async with self.users.acting_as(identity) as connection:
            yield ExchangeKeys(identity, KeyTable(connection))

    async def add(self, identity: Identity, number: int = 0) -> ExchangeKey:
        wanted = KeyWanted(
            provider=KeyProvider.BINANCE, label="Mine", credentials=credentials(number), accept_withdrawals=None
        )
        return await self.keys.add(partial(self.acting, identity), wanted, address="192.0.2.7")

    async def rotate(self, identity: Identity, key_id: UUID, number: int) -> ExchangeKey:
        return await self.keys.rotate(
            partial(self.acting, identity),
            key_id,
            lambda _: credentials(number),
            accept_withdrawals=None,
            address=None,
        )

    async def execute(self, statement: str, *arguments: object, login: str = "postgres") -> str:
        connection = await asyncpg.connect(self.fresh.dsn(login))
        try:
            return str(await connection.execute(statement, *arguments))
        finally:
            await connection.close()

    async def value(self, statement: str, *arguments: object) -> object:
        connection = await asyncpg.connect(self.fresh.dsn("postgres"))
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()


@pytest.fixture
async def desk(database: FreshDatabase) -> AsyncIterator[Desk]:
    desk = Desk(database)
    await desk.users.open()
    await desk.service.open()
    await desk.execute("delete from public.api_keys")
    await desk.vault.set_master(desk.masters[0].fingerprint, only_if_free=True)
    yield desk
    await desk.users.close()
    await desk.service.close()


@pytest.fixture
async def ada(desk: Desk) -> Identity:
    return await desk.person()


async def test_a_secret_that_is_used_leaves_its_line_and_its_time(desk: Desk, ada: Identity) -> None:
    made = await desk.add(ada)
    assert await desk.keys.use(ada.user_id, made.id, reason="An order of the bot 'Tide'.") == credentials()
    async with desk.acting(ada) as mine:
        [used, created] = (await mine.events(limit=9)).items
        assert (await mine.key(made.id)).last_used_at is not None
    assert (used.action, used.actor, used.reason) == ("decrypt", "service", "An order of the bot 'Tide'.")
    assert (used.session_id, created.session_id) == (None, ada.session_id)
    assert (created.action, created.address, created.hint) == ("create", "192.0.2.7", "vmPU...A65z")


async def test_of_a_suspended_user_no_secret_is_opened(desk: Desk, ada: Identity) -> None:
    made = await desk.add(ada)
    await desk.execute(
        "update auth.users set banned_until = now() + interval '1 day' where id = $1",
        ada.user_id,
        login="supabase_auth_admin",
    )
    with pytest.raises(KeyNotFound):
        await desk.keys.use(ada.user_id, made.id, reason="An order.")


async def test_what_is_stored_needs_both_locks(desk: Desk, ada: Identity) -> None:
    made = await desk.add(ada)
    locked = await desk.value("select locked from public.api_keys where id = $1", made.id)
    taken = await desk.vault.take(ada.user_id, made.id, is_use=False, address=None, reason="To look.")
    assert taken is not None
    assert isinstance(locked, bytes)
    # The database's owner has what the service sealed at most; the service's key alone opens not what is stored.
    for stored in (locked, taken.sealed):
        assert SECRET.encode() not in stored
        assert KEY.encode() not in stored
    assert taken.sealed[:60] not in locked
    with pytest.raises(KeyUnreadable):
        desk.locks.open(replace(taken, sealed=locked))
    with pytest.raises(asyncpg.ExternalRoutineInvocationError):
        await desk.value("select extensions.pgp_sym_decrypt_bytea($1, 'a guess')", locked)


async def test_nobody_gets_at_a_secret_or_past_the_functions(desk: Desk, ada: Identity) -> None:
    made = await desk.add(ada)
    of_users = (
        "select locked from public.api_keys",
        "select * from public.api_keys",
        "update public.api_keys set label = 'x'",
        "delete from public.api_keys",
        "select * from private.api_key_locks",
        f"select private.decrypt_api_credential('{ada.user_id}', '{made.id}', false, null, 'x')",
        "select private.open_api_credential('')",
        "select private.set_api_key_master('0123456789abcdef', false)",
        "select * from private.api_keys_to_rewrap(1)",
        f"select private.rewrap_api_key('{made.id}', 1, '0123456789abcdef', '')",
        f"select private.note_api_key('{ada.user_id}', null, 'read', 'user', null, null, null, 'x')",
        "delete from public.api_key_audit_log",
        "update public.api_key_audit_log set reason = 'x'",
        "insert into public.api_key_audit_log (user_id, action, actor, reason) select auth.uid(), 'read', 'user', 'x'",
    )
    for attack in of_users:
        for who in (ada, None):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with desk.users.acting_as(who) as connection:
                    await connection.execute(attack)
    # The service opens them one by one, each with its line in the log, and in no other way.
    of_the_service = (
        "select locked from public.api_keys",
        "update public.api_keys set label = 'x'",
        "delete from public.api_keys",
        "select * from private.api_key_locks",
        "select private.open_api_credential('')",
        "delete from public.api_key_audit_log",
        "update public.api_key_audit_log set reason = 'x'",
        "truncate public.api_key_audit_log",
    )
    for attack in of_the_service:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await desk.service.fetch(attack)


async def test_the_log_is_only_added_to_by_anybody_and_goes_with_the_account(desk: Desk, ada: Identity) -> None:
    await desk.add(ada)
    for attack in (
        "update public.api_key_audit_log set reason = 'Nothing to see.'",
        "delete from public.api_key_audit_log",
        "truncate public.api_key_audit_log",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
            await desk.execute(attack)
    count = "select count(*) from public.api_key_audit_log where user_id = $1"
    assert await desk.value(count, ada.user_id) == 1
    await desk.execute("delete from auth.users where id = $1", ada.user_id, login="supabase_auth_admin")
    assert await desk.value(count, ada.user_id) == 0
    assert await desk.value("select count(*) from public.api_keys where user_id = $1", ada.user_id) == 0


async def test_of_two_rotations_at_once_one_is_told(desk: Desk, ada: Identity) -> None:
    made = await desk.add(ada)
    both = asyncio.Barrier(2)

    class Together(FakeProber):
        async def probe(self, provider: KeyProvider, credentials: Credentials) -> Probe:
            await both.wait()
            return await super().probe(provider, credentials)

    desk.keys = KeyDesk(Together(), desk.locks, desk.vault)
    ended = await asyncio.gather(*(desk.rotate(ada, made.id, one) for one in (1, 2)), return_exceptions=True)
    [refusal] = [one for one in ended if isinstance(one, Exception)]
    assert isinstance(refusal, VersionConflict)
    used = await desk.keys.use(ada.user_id, made.id, reason="To look.")
    assert used in (credentials(1), credentials(2))


async def test_a_secret_can_be_used_at_every_moment_of_a_rotation(desk: Desk, ada: Identity) -> None:
    made, seen = await desk.add(ada), []
    rotating = True

    async def use() -> None:
        while rotating:
            seen.append((await desk.keys.use(ada.user_id, made.id, reason="An order.")).secret)

    async def rotate() -> None:
        nonlocal rotating
        try:
            for number in range(1, 6):
                await desk.rotate(ada, made.id, number)
        finally:
            rotating = False

    await asyncio.gather(use(), rotate())
    # Whole each time, and never an older one after a newer one.
    numbers = [int(secret.rpartition("-")[2]) for secret in seen]
    assert numbers == sorted(numbers)


async def test_the_master_key_is_changed_while_keys_are_added_used_and_rotated(desk: Desk, ada: Identity) -> None:
    made = [await desk.add(ada, number) for number in range(6)]
    old, new = desk.masters[0], MasterKey.generate()
    desk.masters.append(new)

    async def live() -> None:
        for number in range(4):
            made.append(await desk.add(ada, 100 + number))
            await desk.rotate(ada, made[number].id, 200 + number)
            await desk.keys.use(ada.user_id, made[5].id, reason="An order.")

    rewrapped, _ = await asyncio.gather(rewrap_all(desk.vault, desk.locks, new.fingerprint), live())
    assert rewrapped.done <= 6
    assert rewrapped.damaged == {}
    assert await desk.vault.to_rewrap(1) == []
    # The old one can be thrown away now.
    alone = KeyDesk(FakeProber(), KeyManager(lambda: (new,)), desk.vault)
    secrets = [(await alone.use(ada.user_id, key.id, reason="To look.")).secret for key in made]
    expected = [200, 201, 202, 203, 4, 5, 100, 101, 102, 103]
    assert secrets == [credentials(number).secret for number in expected]
    again = await rewrap_all(desk.vault, KeyManager(lambda: (new,)), new.fingerprint)
    assert (again.done, again.damaged) == (0, {})
    assert old.fingerprint != new.fingerprint


async def test_a_change_of_the_master_key_that_was_cut_off_goes_on(desk: Desk, ada: Identity) -> None:
    made = [await desk.add(ada, number) for number in range(3)]
    new = MasterKey.generate()
    desk.masters.append(new)
    await desk.vault.set_master(new.fingerprint, only_if_free=False)
    [first, *_] = await desk.vault.to_rewrap(1)
    assert await desk.vault.rewrap(desk.locks.rewrapped(first, new.fingerprint), new.fingerprint)
    # Cut off here: both serve, and what is new is sealed under the new one.
    for number, key in enumerate(made):
        assert await desk.keys.use(ada.user_id, key.id, reason="An order.") == credentials(number)
    ended = await rewrap_all(desk.vault, desk.locks, new.fingerprint)
    assert (ended.done, ended.damaged) == (2, {})


async def test_damaged_secrets_are_named_and_left_and_the_others_go_on(desk: Desk, ada: Identity) -> None:
    made = [await desk.add(ada, number) for number in range(6)]
    opened = "private.open_api_credential(locked)"
    flipped = f"set_byte({opened}, $2, get_byte({opened}, $2) # 1)"
    flip = f"update public.api_keys set locked = private.encrypt_api_credential({flipped}) where id = $1"
    # In what the service sealed: the secret itself, the key that it is sealed with, and which master key wraps that.
    await desk.execute(flip, made[0].id, 150)
    await desk.execute(flip, made[1].id, 30)
    await desk.execute(flip, made[2].id, 3)
    # In what the database locked.
    await desk.execute(
        "update public.api_keys set locked = set_byte(locked, 90, get_byte(locked, 90) # 1) where id = $1", made[3].id
    )
    await desk.execute("update public.api_keys set locked = decode(repeat('00', 120), 'hex') where id = $1", made[4].id)
    for key in (made[0], made[1], made[3], made[4]):
        with pytest.raises(KeyUnreadable):
            await desk.keys.use(ada.user_id, key.id, reason="An order.")
    new = MasterKey.generate()
    desk.masters.append(new)
    for done in (2, 0):  # the secret itself is not opened, so that the first is wrapped anew
        rewrapped = await rewrap_all(desk.vault, desk.locks, new.fingerprint)
        assert rewrapped.done == done
        assert {one.key_id: why.partition(" ")[0] for one, why in rewrapped.damaged.items()} == {
            made[1].id: "it",
            made[2].id: "the",
            made[3].id: "it",
            made[4].id: "it",
        }
    assert await desk.keys.use(ada.user_id, made[5].id, reason="An order.") == credentials(5)


async def test_secrets_do_not_open_in_another_row(desk: Desk, ada: Identity) -> None:
    """Whoever may write the table still cannot have one user's secret used as another's."""
    eve = await desk.person()
    hers, theirs = await desk.add(ada), await desk.add(eve)
    await desk.execute(
        "update public.api_keys set locked = (select locked from public.api_keys where id = $1) where id = $2",
        hers.id,
        theirs.id,
    )
    with pytest.raises(KeyUnreadable):
        await desk.keys.use(eve.user_id, theirs.id, reason="An order.")


async def test_sealed_under_another_master_than_the_present_nothing_is_stored(desk: Desk, ada: Identity) -> None:
    made = await desk.add(ada)
    probe = await FakeProber().probe(KeyProvider.BINANCE, credentials())
    taken = await desk.vault.take(ada.user_id, made.id, is_use=False, address=None, reason="To look.")
    assert taken is not None
    stale = SealedKey(
        binding=replace(taken.binding, key_id=uuid4()),
        hint="aaaa...bbbb",
        probe=probe,
        master=hashlib.sha256(b"another").hexdigest()[:16],
        sealed=taken.sealed,
    )
    async with desk.acting(ada) as mine:
        assert await mine.repository.add(stale, label="Mine", address=None) is False
        assert len((await mine.repository.keys(limit=9, after=None)).items) == 1


async def make_due(desk: Desk) -> None:
    await desk.execute("update public.api_keys set next_check_at = now() - interval '1 minute'")


async def hours_to_next(desk: Desk, key_id: UUID) -> float:
    until = "select extract(epoch from next_check_at - now()) / 3600 from public.api_keys where id = $1"
    return float(str(await desk.value(until, key_id)))


async def test_keys_are_looked_at_again_about_once_a_day_by_the_service(desk: Desk, ada: Identity) -> None:
    made = [await desk.add(ada, number) for number in range(8)]
    assert await desk.vault.due(99) == []
    assert all([20 <= await hours_to_next(desk, key.id) <= 28 for key in made])
    await make_due(desk)
    checked = await desk.keys.check_due(lambda: False)
    assert (checked.keys, checked.failing) == (8, 0)
    assert await desk.vault.due(99) == []
    assert all([20 <= await hours_to_next(desk, key.id) <= 28 for key in made])
    async with desk.acting(ada) as mine:
        events = (await mine.events(limit=16)).items
        found = await mine.key(made[0].id)
    # Several at a time, so that one's lines stand between another's.
    assert Counter((event.action, event.actor, event.outcome, event.session_id, event.reason) for event in events) == {
        ("check", "service", "done", None, "Its daily check: works."): 8,
        ("decrypt", "service", "done", None, "For its daily check."): 8,
    }
    assert (found.last_used_at, found.failing_since) == (None, None)
    assert found.tested_at > made[0].tested_at


async def test_what_no_longer_works_is_marked_and_asked_about_ever_more_seldom(desk: Desk, ada: Identity) -> None:
    made = await desk.add(ada)
    prober = FakeProber()
    desk.keys = KeyDesk(prober, desk.locks, desk.vault)
    waits: list[float] = []
    since: datetime | None = None
    failures: tuple[tuple[VendorError, str], ...] = (
        (VendorUnavailable("No answer."), "unreachable"),
        (VendorUnavailable("No answer."), "unreachable"),
        (VendorRefused("Binance refused (HTTP 401)."), "refused"),
        (VendorRefused("Binance refused (HTTP 401)."), "refused"),
    )
    for failure, state in failures:
        prober.failures[KEY] = failure
        await make_due(desk)
        checked = await desk.keys.check_due(lambda: False)
        assert (checked.keys, checked.failing) == (1, 1)
        waits.append(await hours_to_next(desk, made.id))
        async with desk.acting(ada) as mine:
            found = await mine.key(made.id)
            event = (await mine.events(limit=1)).items[0]
        assert (found.health.state, event.outcome) == (state, state)
        assert found.permissions == made.permissions
        assert found.failing_since is not None
        assert since in (None, found.failing_since)
        since = found.failing_since
    for wait, expected in zip(waits, (1, 2, 4 * 24, 7 * 24), strict=True):
        assert 0.8 * expected <= wait <= 1.2 * expected
    # As soon as it works again, all is forgotten.
    prober.failures.clear()
    async with desk.acting(ada) as mine:
        await mine.repository.require_change()
    tested = await desk.keys.test(partial(desk.acting, ada), made.id, address=None)
    assert (tested.failing_since, 20 <= await hours_to_next(desk, made.id) <= 28) == (None, True)


async def test_a_damaged_key_is_marked_and_the_others_are_checked(desk: Desk, ada: Identity) -> None:
    made = [await desk.add(ada, number) for number in range(3)]
    await desk.execute("update public.api_keys set locked = decode(repeat('00', 120), 'hex') where id = $1", made[1].id)
    await make_due(desk)
    checked = await desk.keys.check_due(lambda: False)
    assert (checked.keys, checked.failing) == (3, 1)
    async with desk.acting(ada) as mine:
        states = [(await mine.key(key.id)).health.state for key in made]
    assert states == ["works", "unreadable", "works"]


async def test_keys_of_suspended_users_are_left_and_none_is_taken_by_two(desk: Desk, ada: Identity) -> None:
    eve = await desk.person()
    made = [await desk.add(ada, number) for number in range(4)]
    await desk.add(eve)
    await desk.execute(
        "update auth.users set banned_until = now() + interval '1 day' where id = $1",
        eve.user_id,
        login="supabase_auth_admin",
    )
    await make_due(desk)
    taken = await asyncio.gather(*(desk.vault.due(2) for _ in range(3)))
    assert sorted(key for some in taken for _, key in some) == sorted(key.id for key in made)


async def test_refused_keys_are_on_record_without_the_key_and_never_fill_the_log(desk: Desk, ada: Identity) -> None:
    made = await desk.add(ada)
    attempt = Attempt(action=KeyAction.CREATE, provider=KeyProvider.BINANCE, key_id=None, address="192.0.2.7")
    again = Attempt(action=KeyAction.ROTATE, provider=KeyProvider.BINANCE, key_id=made.id, address="192.0.2.7")
    for _ in range(3):
        for tried, outcome in (
            (attempt, KeyOutcome.REFUSED),
            (attempt, KeyOutcome.CAN_WITHDRAW),
            (again, KeyOutcome.REFUSED),
        ):
            async with desk.acting(ada) as mine:
                await mine.repository.note_refused(tried, outcome)
    async with desk.acting(ada) as mine:
        rotate, withdraw, refused, _ = (await mine.events(limit=9)).items
    assert (refused.action, refused.outcome, refused.actor, refused.hint) == ("create", "refused", "user", None)
    assert refused.reason == "The provider did not take it. Nothing was stored."
    assert (refused.address, refused.session_id) == ("192.0.2.7", ada.session_id)
    assert withdraw.outcome == "can_withdraw"
    assert (rotate.action, rotate.key_id, rotate.hint) == ("rotate", made.id, "vmPU...A65z")
    for number in range(60):
        async with desk.acting(ada) as mine:
            await mine.repository.note_refused(replace(attempt, address=f"192.0.2.{100 + number}"), KeyOutcome.REFUSED)
    async with desk.acting(ada) as mine:
        events = (await mine.events(limit=200)).items
    assert len(events) == 51
    assert events[0].reason.endswith("More of this day are not listed.")

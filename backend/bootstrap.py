"""The composition root: it reads settings and picks adapters, with bootstrap_market.py for market data.

Each adapter is imported inside the function that picks it, so that a command pays only for what it uses.
"""

import asyncio
import contextlib
import hashlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

from pydantic import SecretStr

from backend.domain.accounts import Identity
from backend.domain.errors import MigrationRefused, TokenRejected
from backend.domain.ports import (
    AccountAdmin,
    AccountWatch,
    Clock,
    Election,
    EventBus,
    EventFeed,
    Housekeeping,
    IdempotencyRepository,
    JobHints,
    JobQueue,
    JobRecords,
    RateLimiter,
    ResourceMonitor,
    StreamTickets,
)
from backend.services.accounts import Accounts
from backend.services.events import Events
from backend.services.exchange_keys import ExchangeKeys
from backend.services.foresight import Foresight
from backend.services.jobs import Jobs
from backend.services.tokens import Tokens
from backend.settings import REPOSITORY, Settings, given_names, read_settings, unknown_names

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from backend.bootstrap_keys import Rotated
    from backend.bootstrap_leaving import LeavingDesk
    from backend.bootstrap_market import BacktestDesk, Market
    from backend.bootstrap_models import ModelDesk
    from backend.domain.jobs import Plan
    from backend.domain.own_data_ports import OwnDataRepository
    from backend.infrastructure.database import Database
    from backend.infrastructure.monitoring import Monitor
    from backend.infrastructure.personal_tokens import PersonalTokens
    from backend.infrastructure.service_database import ServiceDatabase
    from backend.infrastructure.supabase.auth_keys import AuthKeys
    from backend.infrastructure.supabase.auth_server import AuthServer
    from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
    from backend.infrastructure.supabase.hosted import Check
    from backend.infrastructure.supabase.signing_keys import SigningKeys
    from backend.services.adoption import Adoption
    from backend.services.backtests import Backtests
    from backend.services.exchange_keys import KeyDesk
    from backend.services.market_data import MarketData
    from backend.services.models import Models
    from backend.services.shares import Openings, SharedResults, Shares
    from backend.services.strategies import Strategies

__all__ = [
    "REPOSITORY",
    "House",
    "Project",
    "Services",
    "Settings",
    "given_names",
    "open_house",
    "read_settings",
    "unknown_names",
]

MIGRATIONS = REPOSITORY / "supabase" / "migrations"
WEB_APP = REPOSITORY / "frontend" / "dist"
MAILBOX_PORT = 54324

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Project:
    """The Supabase project that Tidemark stands on, as clients need to know it."""

    mode: Literal["embedded", "supabase"]
    url: str
    publishable_key: str

    @property
    def issuer(self) -> str:
        return f"{self.url}/auth/v1"


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the acting user can do, inside one transaction."""

    accounts: Accounts
    backtests: "Backtests"
    events: Events
    exchange_keys: ExchangeKeys
    idempotency: IdempotencyRepository
    jobs: Jobs
    market_data: "MarketData"
    models: "Models"
    own_data: "OwnDataRepository"
    shares: "Shares"
    strategies: "Strategies"
    tickets: StreamTickets
    tokens: Tokens


@dataclass(frozen=True, kw_only=True)
class House:
    """Everything that a serving process holds: settings, adapters, and the way to act as a user."""

    settings: Settings
    address: str
    project: Project
    clock: Clock
    monitor: "Monitor"
    database: "Database"
    # The service, for what concerns no single user.
    worker_database: "ServiceDatabase"
    bus: EventBus
    feed: EventFeed
    queue: JobQueue
    hints: JobHints
    records: JobRecords
    foresight: Foresight
    # Under which this process takes jobs.
    runner_id: str
    resources: ResourceMonitor
    market: "Market"
    backtests: "BacktestDesk"
    models: "ModelDesk"
    adoption: "Adoption"
    housekeeping: Housekeeping
    election: Election
    account_watch: AccountWatch
    # Of sessions and of personal access tokens.
    verifier: "PersonalTokens"
    openings: "Openings"
    key_desk: "KeyDesk"
    leaving: "LeavingDesk"
    limiter: RateLimiter | None
    auth: "ASGIApp | None"
    mailbox_url: str | None
    owner_dsn: str

    @asynccontextmanager
    async def acting_as(self, identity: Identity, *, readonly: bool = False) -> AsyncIterator[Services]:
        """One transaction as this user, committed when the block ends well. Row level security sees to the rest."""
        from backend.data.storage.accounts import AccountTables
        from backend.data.storage.backtests import BacktestTable
        from backend.data.storage.exchange_keys import KeyTable
        from backend.data.storage.idempotency import IdempotencyTable
        from backend.data.storage.jobs import JobTable
        from backend.data.storage.models import ModelTable
        from backend.data.storage.own_data import OwnDataTables
        from backend.data.storage.predictions import PredictionTable
        from backend.data.storage.series import SeriesTable
        from backend.data.storage.shares import ShareTable
        from backend.data.storage.strategies import StrategyTables
        from backend.data.storage.tickets import TicketTable
        from backend.data.storage.tokens import TokenTable
        from backend.services.backtests import Backtests
        from backend.services.market_data import MarketData
        from backend.services.models import Models
        from backend.services.shares import Shares
        from backend.services.strategies import Strategies

        queued: list[UUID] = []
        revoked: list[UUID] = []

        def after_commit() -> None:
            self.hints.tell(queued)
            for token_id in revoked:
                self.verifier.forget(token_id)

        async with self.database.acting_as(identity, readonly=readonly, after_commit=after_commit) as connection:
            accounts = Accounts(identity, AccountTables(connection))
            job_table = JobTable(connection, queued)
            jobs = Jobs(job_table, self.resources, self.foresight.forecasts, runner_id=self.runner_id)
            backtests = Backtests(identity, BacktestTable(connection, identity.user_id), jobs)
            yield Services(
                accounts=accounts,
                backtests=backtests,
                events=Events(job_table),
                exchange_keys=ExchangeKeys(identity, KeyTable(connection)),
                idempotency=IdempotencyTable(connection),
                jobs=jobs,
                market_data=MarketData(identity, SeriesTable(connection), jobs),
                models=Models(ModelTable(connection, identity.user_id), PredictionTable(connection), jobs),
                own_data=OwnDataTables(connection),
                shares=Shares(backtests, ShareTable(connection)),
                strategies=Strategies(StrategyTables(connection)),
                tickets=TicketTable(connection),
                tokens=Tokens(accounts, TokenTable(connection), revoked.append),
            )

    @asynccontextmanager
    async def keys_of(self, identity: Identity) -> AsyncIterator[ExchangeKeys]:
        """One transaction for the exchange keys of this user."""
        async with self.acting_as(identity) as services:
            yield services.exchange_keys

    @asynccontextmanager
    async def own_data_of(self, identity: Identity) -> "AsyncIterator[OwnDataRepository]":
        """One transaction for all that is this user's own."""
        async with self.acting_as(identity) as services:
            yield services.own_data

    @asynccontextmanager
    async def visited(self) -> "AsyncIterator[SharedResults]":
        """One transaction as a visitor, who reads what was shared and nothing else."""
        from backend.data.storage.shares import SharedRunTables
        from backend.services.shares import SharedResults

        async with self.database.acting_as(None, readonly=True) as connection:
            yield SharedResults(SharedRunTables(connection))

    async def identity_of_ticket(self, ticket: str) -> Identity:
        """Who asked for this ticket, which is spent by it; raises TokenRejected."""
        from backend.data.storage.tickets import TicketTable
        from backend.infrastructure.personal_tokens import narrowed
        from backend.infrastructure.supabase.tokens import identity_of

        async with self.worker_database.acting_as_service() as connection:
            claims = await TicketTable(connection).redeem(digest_of(ticket))
        if claims is None:
            raise TokenRejected("the ticket was used before, or is older than a minute")
        return narrowed(identity_of(claims, now=self.clock.now()), claims)

    async def pending_migrations(self) -> list[str]:
        """What this version brings and the database lacks; asks the database, so call it seldom."""
        from backend.infrastructure.supabase.migrator import pending

        return await pending(self.owner_dsn, MIGRATIONS)


def digest_of(ticket: str) -> bytes:
    """What is kept of a ticket: enough to know it again, nothing to open a stream with."""
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).digest()


def start_logging(settings: Settings) -> None:
    from backend.infrastructure.monitoring import configure_logging

    configure_logging(level=settings.log_level, as_text=settings.logs_as_text)


@asynccontextmanager
async def open_house(settings: Settings, *, address: str, say: Say) -> AsyncIterator[House]:
    """Start what the settings ask for; stop it again, last started first. `address` is where the process answers."""
    from backend.bootstrap_keys import master_keys, open_key_desk
    from backend.bootstrap_leaving import open_leaving_desk
    from backend.bootstrap_market import open_backtest_desk, open_market
    from backend.bootstrap_models import open_model_desk
    from backend.data.storage.accounts import AccountStates
    from backend.data.storage.events import EventTable
    from backend.data.storage.housekeeping import HousekeepingTables
    from backend.data.storage.job_queue import JobQueueTable
    from backend.data.storage.job_records import JobRecordTable
    from backend.data.storage.series import SharedSeries
    from backend.data.storage.shares import ShareCounts
    from backend.data.storage.tokens import TokenBook
    from backend.infrastructure.clock import SystemClock
    from backend.infrastructure.job_hints import LocalJobHints
    from backend.infrastructure.monitoring import Monitor
    from backend.infrastructure.personal_tokens import PersonalTokens
    from backend.infrastructure.rate_limits import MemoryRateLimiter
    from backend.infrastructure.resource_manager import ResourceManager
    from backend.infrastructure.supabase.tokens import JwtVerifier
    from backend.services.adoption import Adoption
    from backend.services.shares import Openings

    masters = master_keys(settings)
    async with AsyncExitStack() as stack:
        clock, monitor, resources = SystemClock(), Monitor(), ResourceManager()
        monitor.watch_machine(resources.gauges)
        market = await stack.enter_async_context(open_market(settings, clock, monitor))
        monitor.watch_bars_disk(market.housekeeping.room)
        ground = await (_embedded if settings.embedded else _hosted)(settings, address, stack, say)
        await _migrate(ground, say)
        auth, mailbox_url = await _embedded_auth(settings, ground, stack) if ground.keys else (None, None)
        database = await _database(ground, monitor, stack)
        worker_database = await _worker_database(ground, stack)
        key_desk = await open_key_desk(worker_database, masters, say)
        stack.enter_context(_running(monitor.watch_event_loop()))
        records = JobRecordTable(worker_database)
        foresight = Foresight(records, monitor)
        await foresight.look()
        stack.enter_context(_running(foresight.keep_looking()))
        sessions = JwtVerifier(
            issuer=ground.project.issuer,
            keys=_signing_keys(ground, stack),
            clock=clock,
            shared_secret=settings.supabase_jwt_secret.get_secret_value() if settings.supabase_jwt_secret else None,
        )
        verifier = PersonalTokens(sessions, TokenBook(worker_database), clock)
        stack.enter_context(_running(verifier.keep_noting()))
        openings = Openings(ShareCounts(worker_database))
        stack.enter_context(_running(openings.keep_noting()))
        models = open_model_desk(settings, market, foresight.forecasts, clock, worker_database)
        yield House(
            settings=settings,
            address=settings.public_url or address,
            project=ground.project,
            clock=clock,
            monitor=monitor,
            database=database,
            worker_database=worker_database,
            bus=await _event_bus(ground, monitor, stack),
            feed=EventTable(worker_database),
            queue=JobQueueTable(worker_database, capacity=resources.capacity),
            hints=LocalJobHints(),
            records=records,
            foresight=foresight,
            runner_id=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
            resources=resources,
            market=market,
            backtests=open_backtest_desk(settings, market, foresight.forecasts, clock),
            models=models,
            adoption=Adoption(market.store, SharedSeries(worker_database)),
            housekeeping=HousekeepingTables(worker_database),
            election=_election(ground, stack),
            account_watch=AccountStates(worker_database),
            verifier=verifier,
            openings=openings,
            key_desk=key_desk,
            leaving=open_leaving_desk(market.cache_dir, clock, worker_database, models.files),
            limiter=MemoryRateLimiter() if settings.rate_limits == "on" else None,
            auth=auth,
            mailbox_url=mailbox_url,
            owner_dsn=ground.owner_dsn,
        )


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The project that the house is built on, embedded or hosted."""

    project: Project
    owner_dsn: str  # as `postgres`, for migrations
    api_dsn: str  # as `app_api`, which is nobody until it becomes a user
    # To Postgres itself, not through a pooler:
    worker_dsn: str  # as `app_worker`, which becomes the service for as long as a session lasts
    direct_dsn: str  # as `app_api`, for notifications and locks
    login_passwords: dict[str, str]
    through_pooler: bool = False
    keys: "AuthKeys | None" = None
    auth_dsn: str | None = None


async def _embedded(settings: Settings, address: str, stack: AsyncExitStack, say: Say) -> Ground:
    postgres = _embedded_postgres(settings, say)
    found = postgres.start()
    stack.callback(postgres.stop)
    keys = _auth_keys(settings)
    return Ground(
        project=Project(mode="embedded", url=settings.public_url or address, publishable_key=keys.publishable_key),
        owner_dsn=found.dsn("postgres"),
        api_dsn=found.dsn("app_api"),
        worker_dsn=found.dsn("app_worker"),
        direct_dsn=found.dsn("app_api"),
        login_passwords={login: found.passwords[login] for login in ("app_api", "app_worker")},
        keys=keys,
        auth_dsn=found.dsn("supabase_auth_admin"),
    )


async def _hosted(settings: Settings, address: str, stack: AsyncExitStack, say: Say) -> Ground:
    from backend.infrastructure.supabase.hosted import login_dsn, login_password

    if settings.database_url is None or settings.supabase_url is None or settings.supabase_publishable_key is None:
        raise RuntimeError("read_settings lets no half-set project through")
    owner = settings.database_url.get_secret_value()
    served = settings.database_pooler_url.get_secret_value() if settings.database_pooler_url else owner
    passwords = {login: login_password(owner, login) for login in ("app_api", "app_worker")}
    say(f"Using the Supabase project at {settings.supabase_url}.")
    return Ground(
        project=Project(
            mode="supabase",
            url=settings.supabase_url,
            publishable_key=settings.supabase_publishable_key.get_secret_value(),
        ),
        owner_dsn=owner,
        api_dsn=login_dsn(served, "app_api", passwords["app_api"]),
        worker_dsn=login_dsn(owner, "app_worker", passwords["app_worker"]),
        direct_dsn=login_dsn(owner, "app_api", passwords["app_api"]),
        login_passwords=passwords,
        through_pooler=settings.database_pooler_url is not None,
    )


async def _migrate(ground: Ground, say: Say) -> None:
    from backend.infrastructure.supabase.migrator import migrate, set_login_passwords

    applied = await migrate(ground.owner_dsn, MIGRATIONS)
    if applied:
        say(f"Applied {len(applied)} migration{'s' if len(applied) > 1 else ''}, the last one {applied[-1]}.")
    await set_login_passwords(ground.owner_dsn, ground.login_passwords)


async def _database(ground: Ground, monitor: "Monitor", stack: AsyncExitStack) -> "Database":
    from backend.infrastructure.database import Database

    database = Database(ground.api_dsn, statement_cache=not ground.through_pooler, on_wait=monitor.pool_waited)
    await database.open()
    stack.push_async_callback(database.close)
    monitor.watch_pool(lambda: database.size, lambda: database.idle)
    return database


async def _worker_database(ground: Ground, stack: AsyncExitStack) -> "ServiceDatabase":
    from backend.infrastructure.service_database import ServiceDatabase

    database = ServiceDatabase(ground.worker_dsn)
    await database.open()
    stack.push_async_callback(database.close)
    return database


async def _event_bus(ground: Ground, monitor: "Monitor", stack: AsyncExitStack) -> EventBus:
    from backend.infrastructure.event_bus import PostgresEventBus

    bus = PostgresEventBus(ground.direct_dsn)
    await bus.open()
    stack.push_async_callback(bus.close)
    monitor.watch_bus(lambda: bus.is_connected)
    return bus


def _election(ground: Ground, stack: AsyncExitStack) -> Election:
    from backend.infrastructure.election import AdvisoryLockElection

    election = AdvisoryLockElection(ground.direct_dsn, "tidemark scheduler")
    stack.push_async_callback(election.close)
    return election


@contextlib.contextmanager
def _running(background: Coroutine[Any, Any, None]) -> Iterator[None]:
    task = asyncio.create_task(background)
    try:
        yield
    finally:
        task.cancel()


def _embedded_postgres(settings: Settings, say: Say) -> "EmbeddedPostgres":
    from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres

    return EmbeddedPostgres(settings.data_dir, say=say)


def _auth_keys(settings: Settings) -> "AuthKeys":
    from backend.infrastructure.supabase.auth_keys import AuthKeys

    return AuthKeys.load_or_create(settings.data_dir / "secrets" / "auth.json")


def describe_project(settings: Settings, url: str) -> dict[str, str]:
    """Addresses and keys under the names that `supabase status -o env` uses."""
    if not settings.embedded:
        hosted = {
            "API_URL": settings.supabase_url or "",
            "DB_URL": _secret(settings.database_url),
            "PUBLISHABLE_KEY": _secret(settings.supabase_publishable_key),
            "SECRET_KEY": _secret(settings.supabase_secret_key),
        }
        return {**hosted, "TIDEMARK_URL": url}
    from backend.infrastructure.supabase.postgres.address import load_or_create

    keys = _auth_keys(settings)
    address = load_or_create(settings.data_dir / "secrets" / "postgres.json", preferred_port=0)
    return {
        "API_URL": url,
        "DB_URL": address.dsn("postgres"),
        "ANON_KEY": keys.anon_key,
        "SERVICE_ROLE_KEY": keys.service_role_key,
        "PUBLISHABLE_KEY": keys.publishable_key,
        "SECRET_KEY": keys.secret_key,
        "JWT_SECRET": keys.jwt_secret,
        "TIDEMARK_URL": url,
    }


async def migrate_database(settings: Settings, *, is_running: bool, dry_run: bool, say: Say) -> list[str]:
    """Apply what is pending, or only name it; the embedded Postgres is started for it when it does not run."""
    from backend.infrastructure.supabase.migrator import migrate, pending

    with contextlib.ExitStack() as stack:
        if not settings.embedded:
            owner_dsn = _secret(settings.database_url)
        elif is_running:
            owner_dsn = describe_project(settings, "")["DB_URL"]
        else:
            postgres = _embedded_postgres(settings, say)
            owner_dsn = postgres.start().dsn("postgres")
            stack.callback(postgres.stop)
        return await (pending if dry_run else migrate)(owner_dsn, MIGRATIONS)


@contextlib.contextmanager
def open_database(settings: Settings, say: Say) -> Iterator[str]:
    """The embedded Postgres alone, by the address of its owner."""
    postgres = _embedded_postgres(settings, say)
    try:
        yield postgres.start().dsn("postgres")
    finally:
        postgres.stop()


def rotate_signing_key(settings: Settings) -> str:
    """Sign with a new key from the next start on, and return its id. Older tokens stay good until they expire."""
    path = settings.data_dir / "secrets" / "auth.json"
    keys = _auth_keys(settings).rotated(now=int(time.time()))
    keys.save(path)
    return keys.signing_key.kid


async def delete_account(settings: Settings, user_id: UUID, reason: str) -> bool:
    """Delete an account with all that is its own, beside a server that runs; False when there is none."""
    from backend.bootstrap_leaving import delete_account
    from backend.infrastructure.supabase.hosted import login_dsn, login_password
    from backend.infrastructure.supabase.postgres.address import load_or_create

    if settings.embedded:
        worker = load_or_create(settings.data_dir / "secrets" / "postgres.json", preferred_port=0).dsn("app_worker")
    else:
        owner = _secret(settings.database_url)
        worker = login_dsn(owner, "app_worker", login_password(owner, "app_worker"))
    return await delete_account(settings, worker, user_id, reason)


async def rotate_master_key(settings: Settings, *, is_running: bool, say: Say) -> "Rotated":
    """Seal all exchange keys under a new master key, with or without a running server."""
    from backend.bootstrap_keys import rotate
    from backend.infrastructure.supabase.hosted import login_dsn, login_password
    from backend.infrastructure.supabase.migrator import pending
    from backend.infrastructure.supabase.postgres.address import load_or_create

    with contextlib.ExitStack() as stack:
        if not settings.embedded:
            owner = _secret(settings.database_url)
            worker = login_dsn(owner, "app_worker", login_password(owner, "app_worker"))
        else:
            if is_running:
                address = load_or_create(settings.data_dir / "secrets" / "postgres.json", preferred_port=0)
            else:
                postgres = _embedded_postgres(settings, say)
                address = postgres.start()
                stack.callback(postgres.stop)
            owner, worker = address.dsn("postgres"), address.dsn("app_worker")
        if await pending(owner, MIGRATIONS):
            raise MigrationRefused("The database is older than this version. Run `tidemark migrate` first.")
        return await rotate(settings, worker)


def open_auth_admin(settings: Settings, url: str | None) -> AccountAdmin:
    """Accounts as an operator manages them: by the admin API of the embedded project at `url`, or of the hosted one."""
    from backend.infrastructure.supabase.auth_admin import AuthAdmin

    if url is not None:
        return AuthAdmin(url, _auth_keys(settings).secret_key)
    return AuthAdmin(settings.supabase_url or "", _secret(settings.supabase_secret_key))


async def read_plans(settings: Settings) -> "Sequence[Plan]":
    """The plans in the database, which must answer: the hosted one, or the embedded one of a running instance."""
    from backend.data.storage.plans import read_plans

    return await read_plans(describe_project(settings, "")["DB_URL"])


async def examine_project(settings: Settings) -> "list[Check]":
    from backend.infrastructure.supabase.hosted import examine

    return await examine(
        url=settings.supabase_url or "",
        publishable_key=_secret(settings.supabase_publishable_key),
        secret_key=_secret(settings.supabase_secret_key),
        has_shared_secret=settings.supabase_jwt_secret is not None,
        database_url=_secret(settings.database_url),
    )


def embedded_postgres_is_installed() -> bool:
    from backend.infrastructure.supabase.postgres.binaries import PostgresBinariesMissing, find_package

    try:
        find_package()
    except PostgresBinariesMissing:
        return False
    return True


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


async def _embedded_auth(settings: Settings, ground: Ground, stack: AsyncExitStack) -> "tuple[AuthServer, str | None]":
    """Supabase Auth for the app to mount, and the address of the mailbox where one may be shown."""
    from backend.infrastructure.supabase.auth_server import (
        AuthServerConfig,
        RateLimits,
        create_auth_app,
        create_mailbox_app,
    )

    if ground.keys is None or ground.auth_dsn is None:
        raise RuntimeError("only the embedded project brings its own Supabase Auth")
    auth = create_auth_app(
        AuthServerConfig(
            dsn=ground.auth_dsn,
            issuer=ground.project.issuer,
            site_url=ground.project.url,
            redirect_urls=settings.redirect_urls,
            smtp_url=_secret(settings.smtp_url) or None,
            mailbox=settings.shows_mailbox,
            # Who cannot be sent a mail cannot confirm one.
            autoconfirm=settings.smtp_url is None,
            rate_limits=RateLimits() if settings.rate_limits == "on" else RateLimits.off(),
            trusted_proxies=settings.trusted_proxies,
        ),
        ground.keys,
    )
    await auth.open()
    stack.push_async_callback(auth.close)
    if not settings.shows_mailbox:
        return auth, None
    from backend.infrastructure.loopback import serving_on_loopback

    mailbox = serving_on_loopback(create_mailbox_app(auth), preferred_port=MAILBOX_PORT)
    return auth, await stack.enter_async_context(mailbox)


def _signing_keys(ground: Ground, stack: AsyncExitStack) -> "SigningKeys":
    from backend.infrastructure.supabase.signing_keys import HostedSigningKeys, LocalSigningKeys

    if ground.keys is not None:
        return LocalSigningKeys(ground.keys.jwks())
    keys = HostedSigningKeys(ground.project.url)
    stack.push_async_callback(keys.close)
    return keys

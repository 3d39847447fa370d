"""The composition root: it reads settings, picks adapters and opens the house of a serving process.

Each adapter is imported inside the function that picks it, so that a command pays only for what it uses.
"""

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from backend.bootstrap_ground import (
    MIGRATIONS,
    Ground,
    Project,
    Say,
    embedded_ground,
    hosted_ground,
    migrate_ground,
    open_election,
    open_embedded_auth,
    open_event_bus,
    open_user_database,
    open_worker_database,
    secret_of,
    signing_keys,
)
from backend.domain.accounts import Identity
from backend.domain.errors import TokenRejected
from backend.domain.job_ports import (
    Election,
    EventBus,
    EventFeed,
    Housekeeping,
    JobHints,
    JobQueue,
    JobRecords,
    Notices,
    ResourceMonitor,
)
from backend.domain.ports import AccountWatch, Clock, RateLimiter
from backend.services.exchange_keys import ExchangeKeys
from backend.services.foresight import Foresight
from backend.services.jobs import Jobs
from backend.settings import REPOSITORY, Settings, given_names, read_settings, unknown_names

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from backend.bootstrap_leaving import LeavingDesk
    from backend.bootstrap_market import BacktestDesk, Market
    from backend.bootstrap_models import ModelDesk
    from backend.bootstrap_services import Services
    from backend.domain.own_data_ports import OwnDataRepository
    from backend.infrastructure.database import Database
    from backend.infrastructure.monitoring import Monitor
    from backend.infrastructure.personal_tokens import PersonalTokens
    from backend.infrastructure.service_database import ServiceDatabase
    from backend.services.adoption import Adoption
    from backend.services.exchange_keys import KeyDesk
    from backend.services.shares import Openings, SharedResults

__all__ = [
    "REPOSITORY",
    "House",
    "Project",
    "Settings",
    "given_names",
    "open_house",
    "read_settings",
    "unknown_names",
]

WEB_APP = REPOSITORY / "frontend" / "dist"


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
    notices: Notices
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
    async def acting_as(self, identity: Identity, *, readonly: bool = False) -> "AsyncIterator[Services]":
        """One transaction as this user, committed when the block ends well. Row level security sees to the rest."""
        from backend.bootstrap_services import services_on

        queued: list[UUID] = []
        revoked: list[UUID] = []

        def after_commit() -> None:
            if queued:
                self.hints.tell(queued)
                self.notices.tell(queued=queued, users=[identity.user_id])
            for token_id in revoked:
                self.verifier.forget(token_id)

        async with self.database.acting_as(identity, readonly=readonly, after_commit=after_commit) as connection:
            yield services_on(
                connection,
                identity,
                partial(Jobs, machine=self.resources, forecasts=self.foresight.forecasts, runner_id=self.runner_id),
                queued=queued,
                on_revoked=revoked.append,
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
    from backend.infrastructure.clock import SystemClock
    from backend.infrastructure.job_hints import LocalJobHints
    from backend.infrastructure.monitoring import Monitor
    from backend.infrastructure.notices import CommitNotices
    from backend.infrastructure.rate_limits import MemoryRateLimiter
    from backend.infrastructure.resource_manager import ResourceManager
    from backend.services.adoption import Adoption
    from backend.services.shares import Openings

    masters = master_keys(settings)
    async with AsyncExitStack() as stack:
        clock, monitor, resources = SystemClock(), Monitor(), ResourceManager()
        monitor.watch_machine(resources.gauges)
        market = await stack.enter_async_context(open_market(settings, clock, monitor))
        monitor.watch_bars_disk(market.housekeeping.room)
        ground = await (embedded_ground if settings.embedded else hosted_ground)(settings, address, stack, say)
        await migrate_ground(ground, say)
        auth, mailbox_url = await open_embedded_auth(settings, ground, stack) if ground.keys else (None, None)
        database = await open_user_database(ground, monitor, stack)
        worker_database = await open_worker_database(ground, stack)
        key_desk = await open_key_desk(worker_database, masters, say)
        stack.enter_context(_running(monitor.watch_event_loop()))
        records = JobRecordTable(worker_database)
        foresight = Foresight(records, monitor)
        await foresight.look()
        stack.enter_context(_running(foresight.keep_looking()))
        verifier = _open_verifier(settings, ground, clock, worker_database, stack)
        openings = Openings(ShareCounts(worker_database))
        stack.enter_context(_running(openings.keep_noting()))
        bus = await open_event_bus(ground, monitor, stack)
        notices = CommitNotices(bus)
        notices.open()
        stack.push_async_callback(notices.close)
        models = open_model_desk(settings, market, foresight.forecasts, clock, worker_database)
        yield House(
            settings=settings,
            address=settings.public_url or address,
            project=ground.project,
            clock=clock,
            monitor=monitor,
            database=database,
            worker_database=worker_database,
            bus=bus,
            feed=EventTable(worker_database),
            queue=JobQueueTable(worker_database, capacity=resources.capacity, notices=notices),
            hints=LocalJobHints(),
            notices=notices,
            records=records,
            foresight=foresight,
            runner_id=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
            resources=resources,
            market=market,
            backtests=open_backtest_desk(settings, market, foresight.forecasts, clock),
            models=models,
            adoption=Adoption(market.store, SharedSeries(worker_database)),
            housekeeping=HousekeepingTables(worker_database),
            election=open_election(ground, stack),
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


def _open_verifier(
    settings: Settings, ground: Ground, clock: Clock, worker_database: "ServiceDatabase", stack: AsyncExitStack
) -> "PersonalTokens":
    """Of sessions and of personal access tokens, whose last use it notes down meanwhile."""
    from backend.data.storage.tokens import TokenBook
    from backend.infrastructure.personal_tokens import PersonalTokens
    from backend.infrastructure.supabase.tokens import JwtVerifier

    sessions = JwtVerifier(
        issuer=ground.project.issuer,
        keys=signing_keys(ground, stack),
        clock=clock,
        shared_secret=secret_of(settings.supabase_jwt_secret) or None,
    )
    verifier = PersonalTokens(sessions, TokenBook(worker_database), clock)
    stack.enter_context(_running(verifier.keep_noting()))
    return verifier


@contextlib.contextmanager
def _running(background: Coroutine[Any, Any, None]) -> Iterator[None]:
    task = asyncio.create_task(background)
    try:
        yield
    finally:
        task.cancel()

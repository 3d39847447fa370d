"""The real app over a real Postgres, in this process: what differs from `tidemark serve` is only the socket."""

import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from backend.api.app import create_app
from backend.bootstrap import House
from backend.bootstrap_ground import MIGRATIONS, Project
from backend.bootstrap_keys import open_key_desk
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
from backend.infrastructure.database import Database
from backend.infrastructure.election import AdvisoryLockElection
from backend.infrastructure.event_bus import PostgresEventBus
from backend.infrastructure.job_hints import LocalJobHints
from backend.infrastructure.key_manager import MasterKey
from backend.infrastructure.monitoring import Monitor
from backend.infrastructure.notices import CommitNotices
from backend.infrastructure.personal_tokens import PersonalTokens
from backend.infrastructure.service_database import ServiceDatabase
from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.signing_keys import LocalSigningKeys
from backend.infrastructure.supabase.tokens import JwtVerifier
from backend.services.adoption import Adoption
from backend.services.foresight import Foresight
from backend.services.shares import Openings
from backend.settings import Settings
from tests.cluster import AUTH_ADMIN, FreshDatabase, cluster, database
from tests.fake_exchange_keys import FakeProber
from tests.fake_jobs import FakeMachine

__all__ = ["cluster", "database"]

ADDRESS = "http://127.0.0.1:8000"


@dataclass(frozen=True, kw_only=True)
class Site:
    """The app, and what is needed to make people who use it."""

    house: House
    keys: AuthKeys
    database: FreshDatabase

    def client(self, **changes: Any) -> httpx.AsyncClient:
        """A client of the app over this house, or over one that differs in the given parts."""
        web_app = changes.pop("web_app", Path("/nowhere"))
        app = create_app(replace(self.house, **changes), web_app=web_app)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url=ADDRESS)

    async def person(self, email: str | None = None, **claims: Any) -> "Person":
        """A user with a session and a token for it."""
        user_id = await self.database.add_user(email)
        session_id = await self.session_of(user_id)
        person = Person(user_id=user_id, session_id=session_id, email=email or f"{user_id}@example.com", site=self)
        return replace(person, claims=claims)

    async def administrator(self, **claims: Any) -> "Person":
        """By the account. The token says nothing of it, as one that is older than the role would not."""
        person = await self.person(**claims)
        await self.execute(
            'update auth.users set raw_app_meta_data = \'{"role": "admin"}\', email_confirmed_at = now() where id = $1',
            person.user_id,
        )
        return person

    async def session_of(self, user_id: UUID) -> UUID:
        session_id = uuid4()
        await self.execute(
            "insert into auth.sessions (id, user_id, created_at, updated_at, user_agent, ip)"
            " values ($1, $2, now(), now(), 'tests', '192.0.2.7')",
            session_id,
            user_id,
        )
        return session_id

    async def execute(self, statement: str, *arguments: object, role: str = AUTH_ADMIN) -> None:
        if role == AUTH_ADMIN:
            await self.database.execute_as_auth(statement, *arguments)
            return
        connection = await asyncpg.connect(self.database.dsn(role))
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()


@dataclass(frozen=True, kw_only=True)
class Person:
    user_id: UUID
    session_id: UUID
    email: str
    site: Site = field(repr=False)
    claims: dict[str, Any] = field(default_factory=dict)

    @property
    def token(self) -> str:
        now = int(time.time())
        return self.site.keys.sign(
            {
                "iss": self.site.house.project.issuer,
                "aud": "authenticated",
                "sub": str(self.user_id),
                "role": "authenticated",
                "email": self.email,
                "session_id": str(self.session_id),
                "is_anonymous": False,
                "app_metadata": {},
                "user_metadata": {},
                "iat": now,
                "exp": now + 3600,
                **self.claims,
            }
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@asynccontextmanager
async def open_site(database: FreshDatabase, **changes: Any) -> AsyncIterator[Site]:
    """The house over this database, with fresh keys and without what only a server needs."""
    keys, clock = AuthKeys.generate(), SystemClock()
    project = Project(mode="embedded", url=ADDRESS, publishable_key=keys.publishable_key)
    pool = Database(database.dsn("app_api"), max_size=8)
    worker = ServiceDatabase(database.dsn("app_worker"), max_size=4)
    machine = FakeMachine()
    bus = PostgresEventBus(database.dsn("app_worker"))
    await pool.open()
    await worker.open()
    await bus.open()
    stack = AsyncExitStack()
    notices = CommitNotices(bus)
    notices.open()
    stack.push_async_callback(notices.close)
    database = await stack.enter_async_context(database.with_auth_tables())
    cache_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidemark-bars-")))
    settings = Settings(_env_file=None, data_dir=MIGRATIONS.parent, cache_dir=cache_dir, crypto_exchanges=())
    market = await stack.enter_async_context(open_market(settings, clock))
    records, monitor = JobRecordTable(worker), Monitor()
    master_keys = (MasterKey.generate(),)
    foresight = Foresight(records, monitor)
    models = open_model_desk(settings, market, foresight.forecasts, clock, worker)
    house = House(
        settings=settings,
        market=market,
        backtests=open_backtest_desk(settings, market, foresight.forecasts, clock),
        models=models,
        adoption=Adoption(market.store, SharedSeries(worker)),
        address=ADDRESS,
        project=project,
        clock=clock,
        monitor=monitor,
        database=pool,
        worker_database=worker,
        queue=JobQueueTable(worker, capacity=machine.capacity, notices=notices),
        hints=LocalJobHints(),
        notices=notices,
        records=records,
        foresight=foresight,
        runner_id="tests",
        feed=EventTable(worker),
        bus=bus,
        resources=machine,
        account_watch=AccountStates(worker),
        housekeeping=HousekeepingTables(worker),
        election=AdvisoryLockElection(database.dsn("app_worker"), "tests"),
        verifier=PersonalTokens(
            JwtVerifier(issuer=project.issuer, keys=LocalSigningKeys(keys.jwks()), clock=clock),
            TokenBook(worker),
            clock,
        ),
        openings=Openings(ShareCounts(worker)),
        key_desk=await open_key_desk(worker, lambda: master_keys, print, FakeProber()),
        leaving=open_leaving_desk(cache_dir, clock, worker, models.files),
        limiter=None,
        auth=None,
        mailbox_url=None,
        owner_dsn=database.dsn("postgres"),
    )
    try:
        yield Site(house=replace(house, **changes), keys=keys, database=database)
    finally:
        await stack.aclose()
        await bus.close()
        await worker.close()
        await pool.close()


@pytest.fixture(scope="module")
async def site(database: FreshDatabase) -> AsyncIterator[Site]:
    async with open_site(database) as site:
        yield site


@pytest.fixture(scope="module")
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.client() as client:
        yield client


@pytest.fixture
async def ada(site: Site) -> Person:
    return await site.person()


@pytest.fixture
def web_app(tmp_path: Path) -> Path:
    """A small build of a web app, as the bundler leaves one."""
    (tmp_path / "assets").mkdir()
    (tmp_path / ".vite").mkdir()
    (tmp_path / ".vite" / "manifest.json").write_text("{}")
    (tmp_path / "index.html").write_text("<!doctype html><title>Tidemark</title>")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "index-DMp7cu6z.js").write_text("console.log(1)")
    (tmp_path / "assets" / "index-DMp7cu6z.js.br").write_bytes(b"brotli")
    (tmp_path / "assets" / "index-DMp7cu6z.js.gz").write_bytes(b"gzip")
    return tmp_path


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is this error, as RFC 9457 wants it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"} <= set(body)
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems/{code}")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    return body

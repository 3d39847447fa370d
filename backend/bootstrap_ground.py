"""The ground that a house stands on: the Supabase project, embedded or hosted, and the connections to it."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr

from backend.domain.job_ports import Election, EventBus
from backend.settings import REPOSITORY, Settings

if TYPE_CHECKING:
    from backend.infrastructure.database import Database
    from backend.infrastructure.monitoring import Monitor
    from backend.infrastructure.service_database import ServiceDatabase
    from backend.infrastructure.supabase.auth_keys import AuthKeys
    from backend.infrastructure.supabase.auth_server import AuthServer
    from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
    from backend.infrastructure.supabase.signing_keys import SigningKeys


MIGRATIONS = REPOSITORY / "supabase" / "migrations"
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


async def embedded_ground(settings: Settings, address: str, stack: AsyncExitStack, say: Say) -> Ground:
    postgres = embedded_postgres(settings, say)
    found = postgres.start()
    stack.callback(postgres.stop)
    keys = auth_keys(settings)
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


async def hosted_ground(settings: Settings, address: str, stack: AsyncExitStack, say: Say) -> Ground:
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


async def migrate_ground(ground: Ground, say: Say) -> None:
    from backend.infrastructure.supabase.migrator import migrate, set_login_passwords

    applied = await migrate(ground.owner_dsn, MIGRATIONS)
    if applied:
        say(f"Applied {len(applied)} migration{'s' if len(applied) > 1 else ''}, the last one {applied[-1]}.")
    await set_login_passwords(ground.owner_dsn, ground.login_passwords)


async def open_user_database(ground: Ground, monitor: "Monitor", stack: AsyncExitStack) -> "Database":
    from backend.infrastructure.database import Database

    database = Database(ground.api_dsn, statement_cache=not ground.through_pooler, on_wait=monitor.pool_waited)
    await database.open()
    stack.push_async_callback(database.close)
    monitor.watch_pool(lambda: database.size, lambda: database.idle)
    return database


async def open_worker_database(ground: Ground, stack: AsyncExitStack) -> "ServiceDatabase":
    from backend.infrastructure.service_database import ServiceDatabase

    database = ServiceDatabase(ground.worker_dsn)
    await database.open()
    stack.push_async_callback(database.close)
    return database


async def open_event_bus(ground: Ground, monitor: "Monitor", stack: AsyncExitStack) -> EventBus:
    from backend.infrastructure.event_bus import PostgresEventBus

    bus = PostgresEventBus(ground.direct_dsn)
    await bus.open()
    stack.push_async_callback(bus.close)
    monitor.watch_bus(lambda: bus.is_connected)
    return bus


def open_election(ground: Ground, stack: AsyncExitStack) -> Election:
    from backend.infrastructure.election import AdvisoryLockElection

    election = AdvisoryLockElection(ground.direct_dsn, "tidemark scheduler")
    stack.push_async_callback(election.close)
    return election


def embedded_postgres(settings: Settings, say: Say) -> "EmbeddedPostgres":
    from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres

    return EmbeddedPostgres(settings.data_dir, say=say)


def auth_keys(settings: Settings) -> "AuthKeys":
    from backend.infrastructure.supabase.auth_keys import AuthKeys

    return AuthKeys.load_or_create(settings.data_dir / "secrets" / "auth.json")


async def open_embedded_auth(
    settings: Settings, ground: Ground, stack: AsyncExitStack
) -> "tuple[AuthServer, str | None]":
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
            smtp_url=secret_of(settings.smtp_url) or None,
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


def signing_keys(ground: Ground, stack: AsyncExitStack) -> "SigningKeys":
    from backend.infrastructure.supabase.signing_keys import HostedSigningKeys, LocalSigningKeys

    if ground.keys is not None:
        return LocalSigningKeys(ground.keys.jwks())
    keys = HostedSigningKeys(ground.project.url)
    stack.push_async_callback(keys.close)
    return keys


def secret_of(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""

"""What every handler stands on: the pool, the keys, the limits, the mailer, and one transaction at a time."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
from cachetools import TTLCache

from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.auth_server import errors
from backend.infrastructure.supabase.auth_server.access_tokens import AccessTokens
from backend.infrastructure.supabase.auth_server.config import AuthServerConfig
from backend.infrastructure.supabase.auth_server.mailer import MailboxMailer, Mailer, NoMailer, SmtpAddress, SmtpMailer
from backend.infrastructure.supabase.auth_server.mails import Mail
from backend.infrastructure.supabase.auth_server.one_time import Guesses
from backend.infrastructure.supabase.auth_server.passwords import PasswordHasher
from backend.infrastructure.supabase.auth_server.rate_limits import RateLimiter
from backend.infrastructure.supabase.auth_server.reading import OriginReader
from backend.infrastructure.supabase.auth_server.redirects import Redirects
from backend.infrastructure.supabase.auth_server.sessions import RefreshTokens
from backend.infrastructure.supabase.auth_server.user import Connection

if TYPE_CHECKING:
    from asyncpg.pool import Pool

Now = Callable[[], datetime]
ADDRESSES_REMEMBERED = 50_000


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """One database transaction and the mails that leave once it has committed."""

    connection: Connection
    mailer: Mailer
    outbox: list[Callable[[], None]] = field(default_factory=list)

    async def mail(self, mail: Mail) -> None:
        self.outbox.append(await self.mailer.take(self.connection, mail))


class AuthHouse:
    """The auth server's own composition; nothing in it is shared with the rest of Tidemark."""

    def __init__(
        self,
        config: AuthServerConfig,
        keys: AuthKeys,
        *,
        now: Now | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.keys = keys
        self.now: Now = now or _utc_now
        self.redirects = Redirects(config.site_url, config.redirect_urls)
        self.origins = OriginReader(config.trusted_proxies)
        # By a clock that nobody sets back: an address would have to wait until its time comes again.
        self.limiter = RateLimiter(monotonic)
        self.hasher = PasswordHasher(at_once=config.concurrent_hashes, waiting=config.waiting_hashes)
        self.access_tokens = AccessTokens(keys, config.issuer, config.jwt_expiry_seconds)
        self.refresh_tokens = RefreshTokens(keys.jwt_secret)
        self.guesses = Guesses(config.wrong_codes_allowed)
        self.mailer = _mailer(config)
        self._asked: TTLCache[tuple[str, str], datetime] = TTLCache(
            ADDRESSES_REMEMBERED, ttl=config.rate_limits.between_mails.total_seconds() or 1
        )
        self._pool: Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(
            self.config.dsn,
            min_size=1,
            max_size=self.config.pool_size,
            init=_speak_json,
            command_timeout=15,
            server_settings={
                "application_name": "tidemark-auth",
                "search_path": "",
                "statement_timeout": "10s",
                "lock_timeout": "5s",
                "timezone": "UTC",
            },
        )
        await self.hasher.prepare(self.pool)

    async def close(self) -> None:
        await self.mailer.close()
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    @property
    def pool(self) -> "Pool[asyncpg.Record]":
        if self._pool is None:
            raise errors.database_away()
        return self._pool

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with self.pool.acquire() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commits when the block ends well; only then do its mails leave."""
        async with self.pool.acquire() as connection:
            async with connection.transaction():
                transaction = Transaction(connection=connection, mailer=self.mailer)
                yield transaction
            for send in transaction.outbox:
                send()

    def ask_once(self, purpose: str, email: str) -> None:
        """The pause between mails, kept for every address alike, so that it does not tell which ones are known."""
        pause = self.config.rate_limits.between_mails
        now = self.now()
        last = self._asked.get((purpose, email))
        if last is not None and last + pause > now:
            raise too_soon((last + pause - now).total_seconds())
        self._asked[purpose, email] = now


def too_soon(wait_seconds: float) -> errors.AuthError:
    seconds = max(1, int(wait_seconds))
    return errors.too_many_mails(f"For security purposes, you can only request this after {seconds} seconds.", seconds)


def _mailer(config: AuthServerConfig) -> Mailer:
    if config.smtp_url:
        return SmtpMailer(SmtpAddress.parse(config.smtp_url, config.site_url))
    return MailboxMailer("Tidemark <no-reply@tidemark.localhost>") if config.mailbox else NoMailer()


async def _speak_json(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads, format="text"
        )


def _utc_now() -> datetime:
    return datetime.now(UTC)

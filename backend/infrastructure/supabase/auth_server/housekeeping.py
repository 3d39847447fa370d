"""Forgets what has had its time: demo users, spent tokens, old flows, ended sessions."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
from loguru import logger

if TYPE_CHECKING:
    from backend.infrastructure.supabase.auth_server.house import AuthHouse

EVERY_SECONDS = 3600
AUDIT_KEPT = timedelta(days=90)
SPENT_TOKENS_KEPT = timedelta(days=30)  # so long a stolen token is recognised
FLOWS_KEPT = timedelta(days=1)
AT_ONCE = 1000


async def keep_tidy(house: "AuthHouse") -> None:
    """Once at the start and then every hour, until cancelled."""
    while True:
        try:
            await tidy(house)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
            logger.warning("Tidying up after old sign-ins failed and will be tried again: {}", type(problem).__name__)
        await asyncio.sleep(EVERY_SECONDS)


async def tidy(house: "AuthHouse") -> None:
    now = house.now()
    async with house.reading() as connection:
        await connection.execute(
            "delete from auth.users where id in (select id from auth.users where is_anonymous and created_at < $1"
            " limit $2)",
            now - house.config.anonymous_lifetime,
            AT_ONCE,
        )
        await connection.execute("delete from auth.one_time_tokens where expires_at < $1", now - FLOWS_KEPT)
        await connection.execute("delete from auth.flow_state where created_at < $1", now - FLOWS_KEPT)
        await connection.execute("delete from auth.sessions where not_after < $1", now - SPENT_TOKENS_KEPT)
        await connection.execute(
            "delete from auth.refresh_tokens where revoked and updated_at < $1 and updated_at > 'epoch'",
            now - SPENT_TOKENS_KEPT,
        )
        await connection.execute("delete from auth.audit_log_entries where created_at < $1", now - AUDIT_KEPT)

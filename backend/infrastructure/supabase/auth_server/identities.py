"""The rows of auth.identities: how a user proves who they are. Here that is always an email address."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from backend.infrastructure.supabase.auth_server.user import Connection, Metadata


async def of_users(connection: Connection, user_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    return await connection.fetch(
        "select * from auth.identities where user_id = any($1::uuid[]) order by created_at, id", user_ids
    )


async def add(connection: Connection, user_id: UUID, data: Metadata, now: datetime) -> None:
    await connection.execute(
        "insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at,"
        " updated_at) values ($1, $2, $3, 'email', $4, $4, $4) on conflict (provider_id, provider) do nothing",
        str(user_id),
        user_id,
        data,
        now,
    )


async def change(connection: Connection, user_id: UUID, changes: Metadata, now: datetime) -> bool:
    """Merge into the data of the email identity; False when the user has none."""
    status = await connection.execute(
        "update auth.identities set identity_data = identity_data || $2, updated_at = $3"
        " where user_id = $1 and provider = 'email'",
        user_id,
        changes,
        now,
    )
    return bool(status != "UPDATE 0")

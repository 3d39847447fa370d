"""Users, identities and sessions as clients see them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from backend.infrastructure.supabase.auth_server import identities
from backend.infrastructure.supabase.auth_server.user import Connection, Metadata, User


async def user_shape(connection: Connection, user: User) -> dict[str, Any]:
    return shape(user, await identities.of_users(connection, [user.id]))


async def user_shapes(connection: Connection, users: Sequence[User]) -> list[dict[str, Any]]:
    rows = await identities.of_users(connection, [user.id for user in users])
    of_each: dict[UUID, list[asyncpg.Record]] = {user.id: [] for user in users}
    for row in rows:
        of_each[row["user_id"]].append(row)
    return [shape(user, of_each[user.id]) for user in users]


def shape(user: User, identity_rows: Sequence[asyncpg.Record]) -> dict[str, Any]:
    moments = {
        "email_confirmed_at": user.email_confirmed_at,
        "invited_at": user.invited_at,
        "phone_confirmed_at": user.phone_confirmed_at,
        "confirmation_sent_at": user.confirmation_sent_at,
        "confirmed_at": user.confirmed_at,
        "recovery_sent_at": user.recovery_sent_at,
        "email_change_sent_at": user.email_change_sent_at,
        "reauthentication_sent_at": user.reauthentication_sent_at,
        "last_sign_in_at": user.last_sign_in_at,
        "banned_until": user.banned_until,
        "deleted_at": user.deleted_at,
    }
    return {
        "id": str(user.id),
        "aud": user.aud,
        "role": user.role,
        "email": user.email,
        "phone": user.phone,
        **({"new_email": user.email_change} if user.email_change else {}),
        **{name: moment(value) for name, value in moments.items() if value is not None},
        "app_metadata": user.app_metadata,
        "user_metadata": user.user_metadata,
        "identities": [_identity(row) for row in identity_rows],
        "created_at": moment(user.created_at),
        "updated_at": moment(user.updated_at),
        "is_anonymous": user.is_anonymous,
    }


def stranger(email: str, metadata: Metadata, now: datetime) -> dict[str, Any]:
    """What a sign-up with a known address is told: it looks like a new user, and is nobody."""
    return {
        "id": str(uuid4()),
        "aud": "authenticated",
        "role": "",
        "email": email,
        "phone": "",
        "confirmation_sent_at": moment(now),
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": metadata,
        "identities": [],
        "created_at": moment(now),
        "updated_at": moment(now),
        "is_anonymous": False,
    }


def moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _identity(row: asyncpg.Record) -> dict[str, Any]:
    email = row["email"]
    last_sign_in_at = row["last_sign_in_at"]
    return {
        "identity_id": str(row["id"]),
        "id": row["provider_id"],
        "user_id": str(row["user_id"]),
        "identity_data": row["identity_data"],
        "provider": row["provider"],
        **({"last_sign_in_at": moment(last_sign_in_at)} if last_sign_in_at else {}),
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        **({"email": email} if email else {}),
    }

"""The audit log: who did what to which account, and from where."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from backend.infrastructure.supabase.auth_server.reading import Origin
from backend.infrastructure.supabase.auth_server.user import Connection, User

KINDS = {
    "login": "account",
    "logout": "account",
    "invite_accepted": "account",
    "user_signedup": "team",
    "user_invited": "team",
    "user_deleted": "team",
    "user_modified": "user",
    "user_recovery_requested": "user",
    "user_reauthenticate_requested": "user",
    "user_confirmation_requested": "user",
    "user_repeated_signup": "user",
    "user_updated_password": "user",
    "token_refreshed": "token",
    "token_revoked": "token",
}


async def record(
    connection: Connection, action: str, actor: User | None, origin: Origin, now: datetime, **traits: Any
) -> None:
    """`actor` is None when the operator acts, with the service role."""
    payload: dict[str, Any] = {
        "actor_id": str(actor.id) if actor else str(UUID(int=0)),
        "actor_username": actor.email if actor else "service_role",
        "actor_via_sso": False,
        "action": action,
        "log_type": KINDS[action],
    }
    if traits:
        payload["traits"] = traits
    await connection.execute(
        "insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)"
        " values ('00000000-0000-0000-0000-000000000000', $1, $2, $3, $4)",
        uuid4(),
        payload,
        now,
        origin.ip or "",
    )


async def page(connection: Connection, *, limit: int, offset: int) -> tuple[list[asyncpg.Record], int]:
    total = await connection.fetchval("select count(*) from auth.audit_log_entries")
    rows = await connection.fetch(
        "select id, payload, created_at, ip_address from auth.audit_log_entries order by created_at desc, id"
        " limit $1 offset $2",
        limit,
        offset,
    )
    return rows, total

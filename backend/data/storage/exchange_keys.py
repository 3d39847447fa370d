"""Exchange keys in Postgres: their owner's as that user, who cannot read what is locked, and the service's vault."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backend.domain.errors import SessionEnded, VersionConflict
from backend.domain.exchange_keys import (
    Attempt,
    Binding,
    ExchangeKey,
    KeyAction,
    KeyEvent,
    KeyHealth,
    KeyOutcome,
    KeyProvider,
    KeyState,
    Permission,
    Probe,
    SealedKey,
    StoredSecret,
)
from backend.domain.pages import Page, Place

if TYPE_CHECKING:
    import asyncpg

    from backend.infrastructure.service_database import ServiceDatabase

_BY_USER = "By its owner, in a session."
_WITH_WITHDRAWALS = "By its owner, in a session, who accepted in words that it can withdraw."

# The one with this id, else a page of them.
_READ = """
select id, provider, label, hint, permissions, health, secret_version, created_at, rotated_at, tested_at, last_used_at,
       failing_since
from public.api_keys
where ($4::uuid is null or id = $4) and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
order by created_at desc, id desc
limit $1
"""
_EVENTS = """
select id, at, action, outcome, actor, key_id, session_id, host(address) as address, provider, hint, reason
from public.api_key_audit_log
where $2::timestamptz is null or (at, id) < ($2, $3::uuid)
order by at desc, id desc
limit $1
"""


class KeyTable:
    """A KeyRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def keys(self, *, limit: int, after: Place | None) -> Page[ExchangeKey]:
        rows = await self._connection.fetch(_READ, limit + 1, after and after.at, after and after.id, None)
        keys = tuple(_key(row) for row in rows[:limit])
        there_is_more = len(rows) > limit
        return Page(items=keys, next=Place(at=keys[-1].created_at, id=keys[-1].id) if there_is_more else None)

    async def key(self, key_id: UUID) -> ExchangeKey | None:
        row = await self._connection.fetchrow(_READ, 1, None, None, key_id)
        return None if row is None else _key(row)

    async def note_read(self, address: str | None) -> None:
        await self._connection.execute("select private.note_my_api_keys_read($1, $2)", address, _BY_USER)

    async def note_refused(self, attempt: Attempt, outcome: KeyOutcome) -> None:
        await self._connection.execute(
            "select private.note_my_api_key_refused($1, $2, $3, $4, $5)",
            attempt.action,
            attempt.key_id,
            attempt.provider,
            outcome,
            attempt.address,
        )

    async def require_room(self) -> None:
        if not await self._connection.fetchval("select private.require_room_for_my_api_key()"):
            raise SessionEnded

    async def require_change(self) -> None:
        if not await self._connection.fetchval("select private.may_change_my_api_keys()"):
            raise SessionEnded

    async def master(self) -> str | None:
        master: str | None = await self._connection.fetchval("select private.api_key_master()")
        return master

    async def add(self, key: SealedKey, *, label: str, address: str | None) -> bool:
        done = await self._connection.fetchval(
            "select private.create_my_api_key($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            key.binding.key_id,
            key.binding.provider,
            label,
            *_judged(key),
            address,
            _reason(key),
        )
        return _is_stored(done)

    async def replace(self, key: SealedKey, *, address: str | None) -> bool:
        done = await self._connection.fetchval(
            "select private.rotate_my_api_key($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            key.binding.key_id,
            key.binding.secret_version,
            *_judged(key),
            address,
            _reason(key),
        )
        return _is_stored(done)

    async def label(self, key_id: UUID, label: str, *, address: str | None) -> bool:
        done = await self._connection.fetchval(
            "select private.label_my_api_key($1, $2, $3, $4)", key_id, label, address, _BY_USER
        )
        return _is_stored(done)

    async def delete(self, key_id: UUID, *, address: str | None) -> bool:
        done = await self._connection.fetchval(
            "select private.delete_my_api_key($1, $2, $3)", key_id, address, _BY_USER
        )
        return _is_stored(done)

    async def events(self, *, limit: int, after: Place | None) -> Page[KeyEvent]:
        rows = await self._connection.fetch(_EVENTS, limit + 1, after and after.at, after and after.id)
        events = tuple(
            KeyEvent(**{**row, "action": KeyAction(row["action"]), "outcome": KeyOutcome(row["outcome"])})
            for row in rows[:limit]
        )
        there_is_more = len(rows) > limit
        return Page(items=events, next=Place(at=events[-1].at, id=events[-1].id) if there_is_more else None)


class KeyVaultTables:
    """A KeyVault over the database, as the service."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def take(
        self, user_id: UUID, key_id: UUID, *, is_use: bool, address: str | None, reason: str
    ) -> StoredSecret | None:
        row = await self._database.fetchrow(
            "select * from private.decrypt_api_credential($1, $2, $3, $4, $5)",
            user_id,
            key_id,
            is_use,
            address,
            reason,
        )
        return None if row is None else _secret({**row, "id": key_id, "user_id": user_id})

    async def due(self, most: int) -> Sequence[tuple[UUID, UUID]]:
        rows = await self._database.fetch("select * from private.api_keys_to_check($1)", most)
        return [(UUID(str(row["user_id"])), UUID(str(row["id"]))) for row in rows]

    async def note_test(self, binding: Binding, probe: Probe, *, is_asked: bool, address: str | None) -> bool:
        return bool(
            await self._database.fetchval(
                "select private.note_api_key_test($1, $2, $3, $4, $5, $6, $7, $8)",
                binding.user_id,
                binding.key_id,
                binding.secret_version,
                sorted(probe.permissions) if probe.works else None,
                json.dumps(asdict(probe.health)),
                address,
                f"{'It was tested' if is_asked else 'Its daily check'}: {probe.health.state}.",
                is_asked,
            )
        )

    async def master(self) -> str | None:
        master: str | None = await self._database.fetchval("select private.api_key_master()")
        return master

    async def set_master(self, master: str, *, only_if_free: bool) -> str:
        return str(await self._database.fetchval("select private.set_api_key_master($1, $2)", master, only_if_free))

    async def to_rewrap(self, most: int) -> Sequence[StoredSecret]:
        rows = await self._database.fetch("select * from private.api_keys_to_rewrap($1)", most)
        return [_secret(dict(row)) for row in rows]

    async def rewrap(self, secret: StoredSecret, master: str) -> bool:
        return bool(
            await self._database.fetchval(
                "select private.rewrap_api_key($1, $2, $3, $4)",
                secret.binding.key_id,
                secret.binding.secret_version,
                master,
                secret.sealed,
            )
        )


def _judged(key: SealedKey) -> tuple[object, ...]:
    health = json.dumps(asdict(key.probe.health))
    return key.hint, sorted(key.probe.permissions), health, key.master, key.sealed


def _reason(key: SealedKey) -> str:
    return _WITH_WITHDRAWALS if Permission.WITHDRAW in key.probe.permissions else _BY_USER


def _is_stored(done: str) -> bool:
    """What our functions say: stored, or why not."""
    if done == "session":
        raise SessionEnded
    if done == "version":
        raise VersionConflict("It was rotated or deleted since you read it. Look at it again.")
    return done == "stored"


def _key(row: "asyncpg.Record") -> ExchangeKey:
    health = json.loads(row["health"])
    return ExchangeKey(
        **{
            **row,
            "provider": KeyProvider(row["provider"]),
            "permissions": frozenset(Permission(name) for name in row["permissions"]),
            "health": KeyHealth(**{**health, "state": KeyState(health["state"])}),
        }
    )


def _secret(row: dict[str, Any]) -> StoredSecret:
    binding = Binding(
        key_id=UUID(str(row["id"])),
        user_id=UUID(str(row["user_id"])),
        provider=KeyProvider(str(row["provider"])),
        secret_version=int(str(row["secret_version"])),
    )
    return StoredSecret(binding=binding, sealed=bytes(row["sealed"] or b""))

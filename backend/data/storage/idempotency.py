"""Answers kept for 24 hours, so that a request that is sent twice is done once."""

import json
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from backend.domain.errors import IdempotencyKeyReused, RequestInProgress
from backend.domain.ports import KeptAnswer, RequestFingerprint

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


class IdempotencyTable:
    """An IdempotencyRepository on the connection, and in the transaction, of the work itself."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def claim(self, user_id: UUID, key: str, request: RequestFingerprint) -> KeptAnswer | None:
        await self._forget_old(user_id)
        if await self._insert(user_id, key, request):
            return None
        row = await self._connection.fetchrow(
            "select method, path, body_hash, status, headers, body from public.idempotency_keys"
            " where user_id = $1 and key = $2",
            user_id,
            key,
        )
        if row is None or row["status"] is None:
            raise RequestInProgress
        if RequestFingerprint(method=row["method"], path=row["path"], body_hash=row["body_hash"]) != request:
            raise IdempotencyKeyReused
        return KeptAnswer(status=row["status"], headers=json.loads(row["headers"]), body=row["body"])

    async def keep(self, user_id: UUID, key: str, answer: KeptAnswer) -> None:
        await self._connection.execute(
            "update public.idempotency_keys set status = $3, headers = $4, body = $5 where user_id = $1 and key = $2",
            user_id,
            key,
            answer.status,
            json.dumps(dict(answer.headers)),
            answer.body,
        )

    async def _insert(self, user_id: UUID, key: str, request: RequestFingerprint) -> bool:
        try:
            # The same key in an open transaction makes this wait until that one ends.
            return bool(
                await self._connection.fetchval(
                    """
                    insert into public.idempotency_keys (user_id, key, method, path, body_hash)
                    values ($1, $2, $3, $4, $5) on conflict (user_id, key) do nothing returning true
                    """,
                    user_id,
                    key,
                    request.method,
                    request.path,
                    request.body_hash,
                )
            )
        except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
            raise RequestInProgress from None

    async def _forget_old(self, user_id: UUID) -> None:
        await self._connection.execute(
            "delete from public.idempotency_keys where user_id = $1 and created_at < now() - interval '24 hours'",
            user_id,
        )

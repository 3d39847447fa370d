"""Tickets that open a stream, kept as digests where nobody can read them: two functions are the only way in."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg


class TicketTable:
    """StreamTickets on one connection: issued as the user, redeemed as the service."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def issue(self, digest: bytes) -> datetime:
        good_until: datetime = await self._connection.fetchval("select private.issue_stream_ticket($1)", digest)
        return good_until

    async def redeem(self, digest: bytes) -> Mapping[str, Any] | None:
        claims: str | None = await self._connection.fetchval("select private.redeem_stream_ticket($1)", digest)
        return None if claims is None else json.loads(claims)

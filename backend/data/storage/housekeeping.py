"""Rows whose time is over, deleted as the service."""

from typing import TYPE_CHECKING

from backend.domain.backtests import DELETED_ARE_KEPT_FOR
from backend.domain.events import EVENTS_ARE_KEPT_FOR
from backend.domain.jobs import HOUSEKEEPING_IS_KEPT_FOR
from backend.domain.models import DELETED_ARE_KEPT_FOR as MODELS_ARE_KEPT_FOR
from backend.domain.ports import ANSWERS_ARE_KEPT_FOR
from backend.domain.tokens import ENDED_ARE_KEPT_FOR

if TYPE_CHECKING:
    from backend.infrastructure.service_database import ServiceDatabase

PURGED_AT_ONCE = 200


class HousekeepingTables:
    """Housekeeping over the database."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def forget_old_events(self) -> int:
        async with self._database.acting_as_service() as connection:
            done = await connection.execute(
                "delete from public.task_events where at < now() - $1::interval", EVENTS_ARE_KEPT_FOR
            )
        return _count(done)

    async def forget_old_answers(self) -> int:
        async with self._database.acting_as_service() as connection:
            done = await connection.execute(
                "delete from public.idempotency_keys where created_at < now() - $1::interval", ANSWERS_ARE_KEPT_FOR
            )
        return _count(done)

    async def forget_ended_tokens(self) -> int:
        async with self._database.acting_as_service() as connection:
            done = await connection.execute(
                "delete from public.personal_access_tokens where least(revoked_at, expires_at) < now() - $1::interval",
                ENDED_ARE_KEPT_FOR,
            )
        return _count(done)

    async def forget_ended_shares(self) -> int:
        async with self._database.acting_as_service() as connection:
            done = await connection.execute(
                "delete from public.shares where least(revoked_at, expires_at) < now() - $1::interval",
                ENDED_ARE_KEPT_FOR,
            )
        return _count(done)

    async def forget_deleted_backtests(self) -> int:
        gone = 0
        while True:
            # A few at a time: each takes its tables with it, and nobody shall wait for that.
            async with self._database.acting_as_service() as connection:
                some = await connection.fetchval(
                    "select private.purge_backtests($1, $2)", DELETED_ARE_KEPT_FOR, PURGED_AT_ONCE
                )
            gone += int(some)
            if some < PURGED_AT_ONCE:
                return gone

    async def forget_deleted_models(self) -> int:
        async with self._database.acting_as_service() as connection:
            gone = await connection.fetchval("select private.purge_models($1, $2)", MODELS_ARE_KEPT_FOR, PURGED_AT_ONCE)
        return int(gone)

    async def forget_old_housekeeping(self) -> int:
        async with self._database.acting_as_service() as connection:
            gone = await connection.fetchval("select private.purge_housekeeping($1)", HOUSEKEEPING_IS_KEPT_FOR)
        return int(gone)


def _count(done: str) -> int:
    """Postgres answers 'DELETE 5'."""
    return int(done.rpartition(" ")[2])

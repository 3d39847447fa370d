"""Events of jobs in Postgres: a row as an event, and the feed of all users for who tells them on."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from backend.domain.events import EventType, FeedPlace, TaskEvent

if TYPE_CHECKING:
    import asyncpg

    from backend.infrastructure.service_database import ServiceDatabase


class EventTable:
    """An EventFeed over the database, as the service."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def of_users(self, after: Mapping[UUID, int], *, limit: int) -> Sequence[TaskEvent]:
        rows = await self._database.fetch(
            """
            select event.user_id, event.id, event.type, event.at, event.task
            from unnest($1::uuid[], $2::bigint[]) as reader (user_id, after)
            cross join lateral (
                select * from public.task_events
                where user_id = reader.user_id and id > reader.after order by id limit $3
            ) as event
            order by event.user_id, event.id
            """,
            list(after),
            list(after.values()),
            limit,
        )
        return [event_of(row) for row in rows]

    async def since(self, place: FeedPlace | None, *, limit: int) -> tuple[Sequence[TaskEvent], FeedPlace]:
        async with self._database.acting_as_service() as connection:
            if place is None:
                return [], await self._now(connection)
            rows = await connection.fetch(
                """
                select user_id, id, type, at, task, transaction::text::bigint as transaction from public.task_events
                where transaction < pg_snapshot_xmin(pg_current_snapshot())
                  and (transaction, user_id, id) > ($1::text::xid8, $2::uuid, $3::bigint)
                order by transaction, user_id, id
                limit $4
                """,
                str(place.transaction),
                place.user_id,
                place.event_id,
                limit,
            )
        if rows:
            last = rows[-1]
            place = FeedPlace(transaction=last["transaction"], user_id=last["user_id"], event_id=last["id"])
        return [event_of(row) for row in rows], place

    async def _now(self, connection: "asyncpg.Connection[asyncpg.Record]") -> FeedPlace:
        """Before the oldest open transaction, so that what it will have written is still ahead."""
        oldest = await connection.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return FeedPlace(transaction=oldest - 1, user_id=UUID(int=2**128 - 1), event_id=2**63 - 1)


def event_of(row: "asyncpg.Record") -> TaskEvent:
    return TaskEvent(
        id=row["id"],
        user_id=row["user_id"],
        type=EventType(row["type"]),
        at=row["at"],
        task=json.loads(row["task"]),
    )

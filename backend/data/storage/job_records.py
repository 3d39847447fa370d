"""What the jobs of all users together tell about jobs, from the table itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from backend.domain.forecast import CompletedRun
from backend.domain.jobs import JobKind, RunningNow

if TYPE_CHECKING:
    from backend.infrastructure.service_database import ServiceDatabase


class JobRecordTable:
    """A JobRecords over the database, as the service."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def completed(self, *, since: datetime | None, most: int) -> Sequence[CompletedRun]:
        async with self._database.acting_as_service() as connection:
            rows = await connection.fetch(
                """
                select run.id as job_id, wanted.kind, run.work_units, run.finished_at as ended_at,
                       greatest(extract(epoch from run.finished_at - run.started_at), 0)::double precision as seconds
                from unnest($1::text[]) as wanted (kind)
                cross join lateral (
                    select id, work_units, started_at, finished_at from public.tasks
                    where kind = wanted.kind and state = 'completed' and not is_partial
                      and finished_at > coalesce($2::timestamptz, '-infinity')
                    order by finished_at desc
                    limit $3
                ) as run
                """,
                list(JobKind),
                since,
                most,
            )
        return [CompletedRun(**{**row, "kind": JobKind(row["kind"])}) for row in rows]

    async def running(self) -> Sequence[RunningNow]:
        async with self._database.acting_as_service() as connection:
            rows = await connection.fetch(
                "select kind, count(*) from public.tasks where state = 'running' group by kind order by kind"
            )
        return [RunningNow(kind=JobKind(row["kind"]), count=row["count"]) for row in rows]

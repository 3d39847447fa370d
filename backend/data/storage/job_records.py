"""What the jobs of all users together tell about jobs, from the table itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend.domain.jobs import JobKind, RunningNow

if TYPE_CHECKING:
    from backend.infrastructure.database import Database


class JobRecordTable:
    """A JobRecords over the database, as the service."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    async def running(self) -> Sequence[RunningNow]:
        async with self._database.acting_as_service() as connection:
            rows = await connection.fetch(
                "select kind, count(*) from public.tasks where state = 'running' group by kind order by kind"
            )
        return [RunningNow(kind=JobKind(row["kind"]), count=row["count"]) for row in rows]

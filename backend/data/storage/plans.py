"""The plans that an operator gives to accounts, read and written as the owner of the tables."""

from collections.abc import Sequence

import asyncpg

from backend.domain.errors import DatabaseUnavailable
from backend.domain.jobs import Plan, Quota


async def read_plans(owner_dsn: str) -> Sequence[Plan]:
    """All of them, the smallest first, with the number of accounts that have each."""
    try:
        connection = await asyncpg.connect(owner_dsn)
    except (OSError, asyncpg.PostgresError) as error:
        raise DatabaseUnavailable() from error
    try:
        rows = await connection.fetch(
            """
            with accounts as (
                select (private.plan_of(id)).name as plan, count(*) from auth.users where deleted_at is null group by 1
            )
            select plans.name, most_queued, most_running, most_backtests, most_models,
                   coalesce(accounts.count, 0) as users
            from private.plans left join accounts on accounts.plan = plans.name
            order by most_running, most_queued, name
            """
        )
    finally:
        await connection.close()
    return [
        Plan(
            quota=Quota(plan=row["name"], queued=row["most_queued"], running=row["most_running"]),
            backtests=row["most_backtests"],
            models=row["most_models"],
            accounts=row["users"],
        )
        for row in rows
    ]

"""Adds tasks for somebody to a running Tidemark, as long as no page can submit one; prints their ids as JSON.

echo '[{"kind": "backtest", "payload": {"steps": 5}}]' | python -m tests.e2e.add_tasks DB_URL EMAIL
"""

import asyncio
import json
import sys
from typing import Any
from uuid import UUID

import asyncpg

from backend.domain.jobs import KINDS, JobKind


async def add(db_url: str, email: str, tasks: list[dict[str, Any]]) -> list[str]:
    connection = await asyncpg.connect(db_url)
    try:
        user_id = await connection.fetchval("select id from auth.users where email = $1", email)
        assert user_id is not None, f"nobody has the address {email}"
        # Row level security is forced, and the owner of the table is nobody's user.
        await connection.execute("set role service_role")
        return [str(await _insert(connection, user_id, task)) for task in tasks]
    finally:
        await connection.close()


async def _insert(connection: "asyncpg.Connection[Any]", user_id: UUID, task: dict[str, Any]) -> UUID:
    rules = KINDS[JobKind(task["kind"])]
    added: UUID = await connection.fetchval(
        "insert into public.tasks"
        " (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " values ($1, $2, $3, $4, $5, $6, $7) returning id",
        user_id,
        task["kind"],
        json.dumps(task["payload"]),
        task.get("cores", rules.demand.cores),
        task.get("memory_bytes", rules.demand.memory_bytes),
        task.get("max_attempts", rules.max_attempts),
        rules.wall_limit_seconds,
    )
    return added


if __name__ == "__main__":
    print(json.dumps(asyncio.run(add(sys.argv[1], sys.argv[2], json.load(sys.stdin)))))  # noqa: T201 - the test reads it

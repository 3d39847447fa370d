"""A server in small: starts the embedded Postgres, writes numbers, and prints each one that Postgres acknowledged.

It goes on through a restart of Postgres. Whoever kills it holds it to what it printed.
"""

import asyncio
import sys
from pathlib import Path

import asyncpg

from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def write(dsn: str) -> None:
    while True:
        try:
            connection = await asyncpg.connect(dsn, timeout=5)
            await connection.execute("create table if not exists public.acknowledged (number bigint primary key)")
            number = 1 + await connection.fetchval("select coalesce(max(number), 0) from public.acknowledged")
            while True:
                await connection.execute("insert into public.acknowledged values ($1)", number)
                say(number)
                number += 1
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    postgres = EmbeddedPostgres(Path(sys.argv[1]), preferred_port=0)
    say(f"up on {postgres.start().port}")
    asyncio.run(write(postgres.address.dsn("postgres")))

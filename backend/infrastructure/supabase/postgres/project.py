"""Makes the fresh cluster look like a Supabase project: runs `supabase/embedded/*.sql`, then sets the passwords."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from .address import scram_verifier, verifier_fits
from .binaries import EMBEDDED_FOLDER

T = TypeVar("T")

_RECORD = """
create schema if not exists embedded;
create table if not exists embedded.files (
    name text primary key, sha256 text not null, run_at timestamptz not null default now()
);
"""


async def build_project(dsn: str, passwords: Mapping[str, str], say: Callable[[str], None]) -> None:
    """All or nothing, in one transaction; what ran before with the same text is left out."""
    connection = await asyncpg.connect(dsn, timeout=60, statement_cache_size=0)
    try:
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(hashtext('tidemark.build_project'))")
            await connection.execute(_RECORD)
            rows = await connection.fetch("select name, sha256 from embedded.files")
            ran = {row["name"]: row["sha256"] for row in rows}
            for file in project_files(EMBEDDED_FOLDER):
                text = file.read_text()
                fingerprint = hashlib.sha256(text.encode()).hexdigest()
                if ran.get(file.name) == fingerprint:
                    continue
                say(f"Supabase project: {file.stem}")
                await connection.execute(text)
                await connection.execute("reset role")
                await connection.execute(
                    "insert into embedded.files (name, sha256) values ($1, $2)"
                    " on conflict (name) do update set sha256 = excluded.sha256, run_at = now()",
                    file.name,
                    fingerprint,
                )
            await _set_passwords(connection, passwords)
    finally:
        await connection.close()


def project_files(folder: Path) -> list[Path]:
    """Numbered files first, in their order, then the auth schema, which needs the roles."""
    return sorted(folder.glob("*.sql"), key=lambda file: (not file.name[0].isdigit(), file.name))


async def _set_passwords(connection: asyncpg.Connection, passwords: Mapping[str, str]) -> None:
    rows = await connection.fetch("select rolname, rolpassword from pg_authid where rolname = any($1)", list(passwords))
    for row in rows:
        password = passwords[row["rolname"]]
        if not verifier_fits(row["rolpassword"], password):
            # The name is one of ours and a verifier holds no quotes, so this can be written out.
            await connection.execute(f"alter role {row['rolname']} password '{scram_verifier(password)}'")


def run_in_own_loop(work: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine from code that is not async, even when this thread already runs a loop."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001  # raised again by the waiting thread
            failure.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]

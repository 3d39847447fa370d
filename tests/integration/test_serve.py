"""`tidemark serve` as a person meets it: real processes that are started twice, interrupted, killed and asked again."""

import asyncio
import base64
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from tests.serving import START_SECONDS, TIDEMARK, Running, data_folder, environment, serving, start, tidemark


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder) as running:
        yield running


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


def test_answers_and_is_ready(running: Running) -> None:
    answer = httpx.get(f"{running.url}/readyz")
    assert answer.status_code == 200, answer.text


def test_second_start_on_the_same_data_says_so_and_harms_nothing(running: Running) -> None:
    second = serve_until_it_ends("--data-dir", str(running.data_dir), "--port", "0")
    assert second.returncode == 3
    assert f"already runs on {running.data_dir} at {running.url} (process {running.process.pid})" in second.stderr
    assert httpx.get(f"{running.url}/readyz").status_code == 200


def test_a_taken_port_that_was_asked_for_is_an_error(running: Running, data_dir: Path) -> None:
    port = running.url.rpartition(":")[2]
    second = serve_until_it_ends("--data-dir", str(data_dir), "--port", port)
    assert second.returncode == 3
    assert f"Port {port} on 127.0.0.1 is taken" in second.stderr


def test_the_next_port_is_used_and_named_when_8000_is_taken(data_dir: Path) -> None:
    with socket.socket() as occupier:
        occupier.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            occupier.bind(("127.0.0.1", 8000))
            occupier.listen()
        except OSError:
            pass  # something else has it, which is just as good
        log = data_dir.parent / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [TIDEMARK, "serve", "--data-dir", data_dir], env=environment(), stdout=out, stderr=out
            )
        try:
            wait_for(lambda: "answers at" in log.read_text(), "the start")
        finally:
            process.terminate()
            process.wait(30)
    assert "Port 8000 is taken, so Tidemark uses 80" in log.read_text()


def test_an_address_of_another_machine_is_refused(data_dir: Path) -> None:
    ended = serve_until_it_ends("--data-dir", str(data_dir), "--host", "192.0.2.1")
    assert ended.returncode == 3
    assert "192.0.2.1 cannot be bound" in ended.stderr


def test_half_a_project_is_refused_with_the_names_of_what_is_missing(data_dir: Path) -> None:
    ended = serve_until_it_ends(
        "--data-dir", str(data_dir), DATABASE_URL="postgresql://postgres:secret@127.0.0.1:1/postgres"
    )
    assert ended.returncode == 3
    for name in ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"):
        assert name in ended.stderr
    assert "secret@" not in ended.stderr
    assert not (data_dir).exists()


def test_a_project_without_a_master_key_for_exchange_keys_is_refused_with_how_to_make_one(data_dir: Path) -> None:
    ended = serve_until_it_ends(
        "--data-dir",
        str(data_dir),
        DATABASE_URL="postgresql://postgres:secret@127.0.0.1:1/postgres",
        SUPABASE_URL="http://127.0.0.1:1",
        SUPABASE_ANON_KEY="anon",
        SUPABASE_SERVICE_ROLE_KEY="service",
    )
    assert ended.returncode == 3
    assert "ENCRYPTION_KEY" in ended.stderr
    assert "openssl rand -base64 32" in ended.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_stop_ends_everything_that_was_started(data_dir: Path, number: int, code: int) -> None:
    running = start(data_dir)
    family = psutil.Process(running.process.pid).children(recursive=True)
    assert any("postgres" in member.name() for member in family)
    assert any("backend.worker.process" in member.cmdline() for member in family)
    assert running.stop(number) == code
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    assert tidemark("status", data_dir=running.data_dir).returncode == 1


@pytest.mark.timeout(240)
def test_what_was_acknowledged_survives_every_kill(data_dir: Path) -> None:
    """Kill the server, the postmaster or both while rows are written; the next start lacks none.

    test_killed_postgres.py kills in more ways, without the rest of a server around.
    """
    acknowledged = 0
    for turn in range(4):
        running = start(data_dir)
        victims = [postmaster(running)] if turn % 3 != 0 else []
        victims += [running.process.pid] if turn % 3 != 1 else []
        acknowledged = asyncio.run(
            write_and_kill(running.status["DB_URL"], acknowledged, victims, after=20 * (turn + 1))
        )
        running.process.kill()
        running.process.wait()
    with serving(data_dir) as running:
        found = asyncio.run(rows(running.status["DB_URL"]))
        assert found[:acknowledged] == list(range(1, acknowledged + 1))
    assert acknowledged >= 20 + 40 + 60 + 80


def test_a_postmaster_that_dies_comes_back_while_the_server_lives(data_dir: Path) -> None:
    with serving(data_dir) as running:
        psutil.Process(postmaster(running)).kill()
        wait_for(lambda: httpx.get(f"{running.url}/readyz").status_code == 200, "the database", after=0.5)
        assert running.process.poll() is None


def test_the_same_code_serves_a_project_elsewhere(running: Running, data_dir: Path) -> None:
    """The embedded project of one process plays the hosted project of another."""
    project = {
        "DATABASE_URL": running.status["DB_URL"],
        "SUPABASE_URL": running.url,
        "SUPABASE_ANON_KEY": running.status["ANON_KEY"],
        "SUPABASE_SERVICE_ROLE_KEY": running.status["SERVICE_ROLE_KEY"],
        "ENCRYPTION_KEY": base64.b64encode(bytes(32)).decode(),
    }
    with serving(data_dir, **project) as tenant:
        assert tenant.url == running.url  # the project's address, under the name that Supabase gives it
        own = tenant.status["TIDEMARK_URL"]
        config = httpx.get(f"{own}/api/config").json()
        assert (config["mode"], config["supabase_url"]) == ("supabase", running.url)
        session = httpx.post(
            f"{running.url}/auth/v1/signup",
            headers={"apikey": running.status["PUBLISHABLE_KEY"]},
            json={"email": "hosted@example.com", "password": "correct horse battery"},
        ).json()
        me = httpx.get(f"{own}/api/me", headers={"Authorization": f"Bearer {session['access_token']}"})
        assert me.status_code == 200, me.text
        assert httpx.get(f"{own}/auth/v1/health").status_code == 404
        examined = tidemark("doctor", "--json", data_dir=data_dir, **project)
        assert examined.returncode == 0, examined.stdout
        states = {finding["name"]: finding["state"] for finding in json.loads(examined.stdout)["findings"]}
        assert states["secret key"] == states["publishable key"] == states["signing keys"] == states["database"] == "ok"
        assert not (data_dir / "postgres").exists()


def serve_until_it_ends(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TIDEMARK, "serve", *arguments],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def wait_for(condition: object, what: str, *, after: float = 0.0, seconds: float = START_SECONDS) -> None:
    time.sleep(after)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if callable(condition) and condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds} s")


def postmaster(running: Running) -> int:
    return int((running.data_dir / "postgres" / "17" / "postmaster.pid").read_text().splitlines()[0])


async def write_and_kill(dsn: str, acknowledged: int, victims: list[int], *, after: int) -> int:
    """Insert rows, and kill while the one after so many is on its way; the last number that Postgres acknowledged."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table if not exists private.kills (number bigint primary key)")
    # A row whose acknowledgement was lost with the connection may be there too.
    acknowledged = max(acknowledged, await connection.fetchval("select coalesce(max(number), 0) from private.kills"))
    enough = acknowledged + after
    try:
        while True:
            if acknowledged == enough:
                asyncio.get_running_loop().call_soon(kill, victims)
            await connection.execute("insert into private.kills values ($1)", acknowledged + 1)
            acknowledged += 1
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        connection.terminate()
        return acknowledged


def kill(victims: list[int]) -> None:
    for pid in victims:
        psutil.Process(pid).kill()


async def rows(dsn: str) -> list[int]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["number"] for row in await connection.fetch("select number from private.kills order by number")]
    finally:
        await connection.close()

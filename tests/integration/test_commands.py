"""The operator's commands, typed against a running Tidemark and against a stopped one."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.serving import ROOT, Running, data_folder, environment, serving, tidemark

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder) as running:
        yield running


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


def create(running: Running, email: str, *options: str) -> None:
    answer = tidemark("user", "create", email, "--password-stdin", *options, data_dir=running.data_dir, stdin=PASSWORD)
    assert answer.returncode == 0, answer.stderr


def users(running: Running) -> dict[str, dict[str, Any]]:
    answer = tidemark("user", "list", "--json", data_dir=running.data_dir)
    return {row["email"]: row for row in json.loads(answer.stdout)}


def sign_in(running: Running, email: str) -> httpx.Response:
    return httpx.post(
        f"{running.url}/auth/v1/token?grant_type=password",
        headers={"apikey": running.status["PUBLISHABLE_KEY"]},
        json={"email": email, "password": PASSWORD},
    )


def me(running: Running, token: str) -> httpx.Response:
    return httpx.get(f"{running.url}/api/me", headers={"Authorization": f"Bearer {token}"})


def test_a_created_user_can_sign_in(running: Running) -> None:
    create(running, "Ada@example.com")
    assert users(running)["ada@example.com"]["role"] == "user"
    assert sign_in(running, "ada@example.com").status_code == 200


def test_creating_a_user_twice_is_refused_in_words(running: Running) -> None:
    create(running, "twice@example.com")
    again = tidemark(
        "user", "create", "twice@example.com", "--password-stdin", data_dir=running.data_dir, stdin=PASSWORD
    )
    assert again.returncode == 2
    assert "There is an account with this address already" in again.stderr


def test_what_is_no_address_is_refused_in_words(running: Running) -> None:
    answer = tidemark("user", "create", "ada", "--generate", data_dir=running.data_dir)
    assert answer.returncode == 2
    assert "should look like ada@example.com" in answer.stderr


def test_without_a_terminal_no_password_is_asked_for(running: Running) -> None:
    for options in ([], ["--generate", "--password-stdin"]):
        answer = tidemark("user", "create", "mute@example.com", *options, data_dir=running.data_dir)
        assert answer.returncode == 2
        assert "--password-stdin" in answer.stderr
    assert "mute@example.com" not in users(running)


def test_the_list_for_programs_has_whole_times_and_nulls(running: Running) -> None:
    create(running, "fresh@example.com")
    row = users(running)["fresh@example.com"]
    assert datetime.fromisoformat(row["created_at"]).tzinfo is not None
    assert (row["last_sign_in_at"], row["suspended_until"], row["is_demo"]) == (None, None, False)


def test_a_short_password_is_refused_with_its_length(running: Running) -> None:
    answer = tidemark("user", "create", "a@example.com", "--password-stdin", data_dir=running.data_dir, stdin="short")
    assert answer.returncode == 2
    assert "has 5 characters; at least 8" in answer.stderr


def test_a_generated_password_is_shown_once_and_works(running: Running) -> None:
    answer = tidemark("user", "create", "made@example.com", "--generate", data_dir=running.data_dir)
    password = answer.stdout.rpartition("Password: ")[2].strip()
    signed_in = httpx.post(
        f"{running.url}/auth/v1/token?grant_type=password",
        headers={"apikey": running.status["PUBLISHABLE_KEY"]},
        json={"email": "made@example.com", "password": password},
    )
    assert signed_in.status_code == 200
    assert password not in running.log.read_text()


def test_an_administrator_is_made_and_unmade(running: Running) -> None:
    create(running, "boss@example.com", "--admin")
    assert users(running)["boss@example.com"]["role"] == "admin"
    assert sign_in(running, "boss@example.com").json()["user"]["app_metadata"]["role"] == "admin"
    assert tidemark("user", "promote", "boss@example.com", "--revoke", data_dir=running.data_dir).returncode == 0
    assert users(running)["boss@example.com"]["role"] == "user"
    assert tidemark("user", "promote", "boss@example.com", data_dir=running.data_dir).returncode == 0
    assert users(running)["boss@example.com"]["role"] == "admin"
    assert audited(running, "boss@example.com") == ["user.promote", "user.demote", "user.promote"]


def test_a_suspension_holds_at_once_and_can_be_lifted(running: Running) -> None:
    create(running, "rogue@example.com")
    token = sign_in(running, "rogue@example.com").json()["access_token"]
    assert me(running, token).status_code == 200
    assert tidemark("user", "suspend", "rogue@example.com", data_dir=running.data_dir).returncode == 0
    refused = me(running, token)
    assert (refused.status_code, refused.json()["code"]) == (403, "account_suspended")
    assert sign_in(running, "rogue@example.com").status_code == 400
    assert users(running)["rogue@example.com"]["state"] == "suspended"
    assert tidemark("user", "suspend", "rogue@example.com", "--lift", data_dir=running.data_dir).returncode == 0
    assert sign_in(running, "rogue@example.com").status_code == 200
    assert audited(running, "rogue@example.com") == ["user.suspend", "user.restore"]


def test_a_plan_holds_at_once_and_is_listed(running: Running) -> None:
    create(running, "quant@example.com", "--admin")
    token = sign_in(running, "quant@example.com").json()["access_token"]
    assert quota(running, token) == {
        "plan": "standard",
        "queued": {"limit": 1000, "count": 0},
        "running": {"limit": 16, "count": 0},
    }
    given = tidemark("user", "plan", "quant@example.com", "large", data_dir=running.data_dir)
    assert "10,000 tasks may wait, 64 run at once, 200,000 backtests and 2,000 models are kept" in given.stdout
    assert quota(running, token)["running"] == {"limit": 64, "count": 0}
    assert users(running)["quant@example.com"]["plan"] == "large"
    assert users(running)["quant@example.com"]["role"] == "admin"
    assert audited(running, "quant@example.com") == ["user.promote", "user.plan"]
    listed = {plan["plan"]: plan for plan in json.loads(plans(running, "--json"))}
    kept = {"backtests": 200000, "models": 2000}
    assert listed["large"] == {"queued": 10000, "running": 64, "plan": "large", **kept, "users": 1}
    assert set(listed) == {"small", "standard", "large"}
    assert re.split(r"\s{2,}", plans(running).splitlines()[0]) == [
        "plan",
        "may wait",
        "run at once",
        "backtests kept",
        "models kept",
        "users",
    ]


def test_a_plan_that_is_none_is_refused_with_those_there_are(running: Running) -> None:
    create(running, "golden@example.com")
    answer = tidemark("user", "plan", "golden@example.com", "gold", data_dir=running.data_dir)
    assert answer.returncode == 4
    assert "There is no plan gold. There are: small, standard, large." in answer.stderr
    assert users(running)["golden@example.com"]["plan"] == "standard"


def test_plans_of_an_instance_that_does_not_run_are_not_listed(data_dir: Path) -> None:
    answer = tidemark("user", "plans", data_dir=data_dir)
    assert answer.returncode == 1
    assert "not running" in answer.stderr


def audited(running: Running, email: str) -> list[str]:
    """What the dashboard shows of what the operator did to this account, the oldest first."""

    async def ask() -> list[str]:
        connection = await asyncpg.connect(running.status["DB_URL"])
        try:
            rows = await connection.fetch(
                "select action from administration.audit_log where subject_email = $1 and actor = 'operator'"
                " order by at",
                email,
            )
        finally:
            await connection.close()
        return [row["action"] for row in rows]

    return asyncio.run(ask())


def plans(running: Running, *options: str) -> str:
    answer = tidemark("user", "plans", *options, data_dir=running.data_dir)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def quota(running: Running, token: str) -> dict[str, Any]:
    answer = httpx.get(f"{running.url}/api/system/resources", headers={"Authorization": f"Bearer {token}"})
    found: dict[str, Any] = answer.json()["quota"]
    return found


def test_a_deleted_user_is_gone_with_their_files(running: Running) -> None:
    create(running, "leaving@example.com")
    user_id = users(running)["leaving@example.com"]["id"]
    session = sign_in(running, "leaving@example.com").json()
    uploaded = httpx.post(
        f"{running.url}/api/data/uploads",
        params={"name": "a.csv"},
        content=b"a,b\n1,2\n",
        headers={"Authorization": f"Bearer {session['access_token']}"},
    )
    assert uploaded.status_code == 201, uploaded.text
    asked = tidemark("user", "delete", "leaving@example.com", data_dir=running.data_dir)
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert me(running, session["access_token"]).status_code == 200
    answer = tidemark("user", "delete", "leaving@example.com", "--yes", data_dir=running.data_dir)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"leaving@example.com ({user_id}) is deleted with everything that was theirs.\n"
    assert me(running, session["access_token"]).status_code == 403
    assert sign_in(running, "leaving@example.com").json()["code"] in (400, "invalid_credentials")
    assert "leaving@example.com" not in users(running)
    again = tidemark("user", "delete", "leaving@example.com", "--yes", data_dir=running.data_dir)
    assert again.returncode == 4
    assert "There is no user with the address leaving@example.com" in again.stderr


def test_an_unknown_user_is_named(running: Running) -> None:
    answer = tidemark("user", "promote", "nobody@example.com", data_dir=running.data_dir)
    assert answer.returncode == 4
    assert "nobody@example.com" in answer.stderr


def test_status_hides_secrets_from_a_terminal_and_gives_them_to_a_script(running: Running) -> None:
    secret = running.status["SECRET_KEY"]
    assert secret.startswith("sb_secret_")
    assert secret not in tidemark("status", data_dir=running.data_dir).stdout
    lines = tidemark("status", "-o", "env", data_dir=running.data_dir).stdout.splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert values["SECRET_KEY"] == f'"{secret}"'
    expected = {"API_URL", "DB_URL", "ANON_KEY", "SERVICE_ROLE_KEY", "PUBLISHABLE_KEY", "JWT_SECRET", "MAILPIT_URL"}
    assert expected <= set(values)


def test_doctor_finds_a_running_instance_well(running: Running) -> None:
    answer = tidemark("doctor", "--json", data_dir=running.data_dir)
    findings = {finding["name"]: finding for finding in json.loads(answer.stdout)["findings"]}
    assert findings["server"]["detail"].endswith("It is ready.")
    assert all(finding["state"] == "ok" or finding["remedy"] for finding in findings.values())


def test_doctor_explains_bad_settings(data_dir: Path) -> None:
    answer = tidemark("doctor", data_dir=data_dir, SUPABASE_URL="https://a.example.com", TIDEMARK_PROT="1")
    assert answer.returncode == 3
    assert "DATABASE_URL" in answer.stdout
    assert "did you mean TIDEMARK_PORT?" in answer.stdout


def test_doctor_names_a_secret_that_others_can_read(data_dir: Path) -> None:
    (data_dir / "secrets").mkdir(parents=True)
    (data_dir / "secrets" / "auth.json").write_text("{}")
    (data_dir / "secrets" / "auth.json").chmod(0o644)
    answer = tidemark("doctor", data_dir=data_dir)
    assert answer.returncode == 3
    assert "chmod 600" in answer.stdout


@pytest.mark.parametrize("command", [("status",), ("serve",), ("migrate",), ("user", "list")])
def test_a_file_in_the_place_of_the_data_directory_is_named(data_dir: Path, command: tuple[str, ...]) -> None:
    data_dir.touch()
    answer = tidemark(*command, data_dir=data_dir)
    assert (answer.returncode, "Traceback" in answer.stderr) == (3, False)
    assert f"{data_dir} cannot be used: a file is in its place" in answer.stderr


def test_doctor_names_a_file_in_the_place_of_the_data_directory(data_dir: Path) -> None:
    data_dir.touch()
    answer = tidemark("doctor", data_dir=data_dir)
    assert answer.returncode == 3
    assert f"{data_dir} is a file, not a folder." in answer.stdout


def test_migrate_works_with_and_without_a_running_server(running: Running, data_dir: Path) -> None:
    assert "up to date" in tidemark("migrate", data_dir=running.data_dir).stdout
    pending = tidemark("migrate", "--dry-run", data_dir=data_dir).stdout.split()
    assert pending.count("pending") > 0
    assert tidemark("migrate", data_dir=data_dir).stdout.split().count("applied") == pending.count("pending")
    assert "up to date" in tidemark("migrate", data_dir=data_dir).stdout


async def test_the_database_runs_alone_for_repairs(data_dir: Path) -> None:
    command = (sys.executable, "-m", "backend.cli.main", "database", "--data-dir", str(data_dir))
    alone = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE)
    assert alone.stdout is not None
    line = (await alone.stdout.readline()).decode()
    dsn = line.strip().removeprefix('DB_URL="').removesuffix('"')
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("select current_user") == "postgres"
    assert await connection.fetchval("select to_regclass('public.profiles')") is None
    await connection.close()
    refused = await asyncio.to_thread(tidemark, "serve", data_dir=data_dir)
    assert (refused.returncode, "its database runs alone" in refused.stderr) == (3, True)
    alone.terminate()
    assert await alone.wait() == 0
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncpg.connect(dsn)


def test_the_database_of_a_hosted_project_is_not_run_here(data_dir: Path) -> None:
    hosted = {
        "DATABASE_URL": "postgresql://postgres:secret@127.0.0.1:1/postgres",
        "SUPABASE_URL": "https://example.supabase.co",
        "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
        "SUPABASE_SECRET_KEY": "sb_secret_x",
    }
    answer = tidemark("database", data_dir=data_dir, **hosted)
    assert (answer.returncode, "runs elsewhere" in answer.stderr) == (3, True)


def test_commands_that_need_a_server_say_how_to_start_it(data_dir: Path) -> None:
    for command in (("status",), ("user", "list")):
        answer = tidemark(*command, data_dir=data_dir)
        assert answer.returncode == 1
        assert "./scripts/run" in answer.stderr
        assert not data_dir.exists()


def test_a_new_signing_key_signs_nobody_out(data_dir: Path) -> None:
    with serving(data_dir) as first:
        create(first, "rotated@example.com")
        token = sign_in(first, "rotated@example.com").json()["access_token"]
        refused = tidemark("keys", "rotate-signing", data_dir=data_dir)
        assert (refused.returncode, "already runs" in refused.stderr) == (3, True)
        port = first.url.rpartition(":")[2]
    assert tidemark("keys", "rotate-signing", data_dir=data_dir).returncode == 0
    with serving(data_dir, "--port", port) as second:
        assert me(second, token).status_code == 200
        published = httpx.get(f"{second.url}/auth/v1/.well-known/jwks.json").json()["keys"]
        assert len(published) == 2
        assert sign_in(second, "rotated@example.com").status_code == 200


def test_a_forgotten_password_is_replaced_and_ends_every_session(running: Running) -> None:
    create(running, "forgot@example.com")
    session = sign_in(running, "forgot@example.com").json()
    answer = tidemark(
        "user",
        "password",
        "forgot@example.com",
        "--password-stdin",
        data_dir=running.data_dir,
        stdin="a new quiet harbour",
    )
    assert answer.returncode == 0, answer.stderr
    assert sign_in(running, "forgot@example.com").status_code == 400
    refreshed = httpx.post(
        f"{running.url}/auth/v1/token?grant_type=refresh_token",
        headers={"apikey": running.status["PUBLISHABLE_KEY"]},
        json={"refresh_token": session["refresh_token"]},
    )
    assert refreshed.status_code == 400

"""`tidemark login` and `logout` against a running server: what is kept, how it is renewed, and who may read it."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.serving import ROOT, TIDEMARK, Running, data_folder, environment, serving, tidemark
from tests.terminal import at_terminal

PASSWORD = "a quiet harbour at dusk"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder, TIDEMARK_RATE_LIMITS="off") as running:
        yield running


@pytest.fixture
def email(running: Running) -> str:
    return sign_up(running)["user"]["email"]  # type: ignore[no-any-return]


def sign_up(running: Running) -> Any:
    answer = httpx.post(
        f"{running.url}/auth/v1/signup",
        headers={"apikey": running.status["PUBLISHABLE_KEY"]},
        json={"email": f"{uuid4()}@example.com", "password": PASSWORD},
    )
    return answer.json()


class Person:
    """One user of a machine, with a folder for settings of their own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.settings = {"XDG_CONFIG_HOME": str(folder), **settings}
        self.file = folder / "tidemark" / "login.json"

    def types(self, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        answer = tidemark(*arguments, data_dir=None, stdin=stdin, **{**self.settings, **settings})
        assert "Traceback" not in answer.stderr
        return answer

    def logs_in(self, running: Running, email: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
        return self.types("login", "--server", running.url, "--email", email, "--password-stdin", stdin=f"{password}\n")

    def change(self, **facts: Any) -> None:
        self.file.write_text(json.dumps({**self.kept, **facts}))

    @property
    def kept(self) -> Any:
        return json.loads(self.file.read_text())


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "settings")


@pytest.fixture
def signed_in(running: Running, person: Person, email: str) -> Person:
    answer = person.logs_in(running, email)
    assert answer.returncode == 0, answer.stderr
    return person


def test_a_login_is_kept_for_its_user_alone_and_then_needs_no_address(
    running: Running, person: Person, email: str
) -> None:
    answer = person.logs_in(running, email.upper())
    assert answer.stdout == f"Signed in to {running.url} as {email}.\n"
    assert stat.S_IMODE(person.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(person.file.parent.stat().st_mode) == 0o700
    assert PASSWORD not in person.file.read_text()
    assert person.types("tasks", "list").returncode == 0


def test_a_person_at_a_terminal_is_asked_for_what_is_missing(running: Running, person: Person, email: str) -> None:
    command = (TIDEMARK, "login", "--server", running.url)
    with at_terminal(command, folder=ROOT, environment=environment(**person.settings)) as terminal:
        terminal.wait_for("Email: ")
        terminal.type(email)
        terminal.wait_for("Password: ")
        terminal.type(PASSWORD)
        terminal.wait_for(f"as {email}.")
        assert terminal.wait() == 0
        assert PASSWORD not in terminal.shown


def test_ctrl_c_at_a_prompt_ends_it_quietly(running: Running, person: Person) -> None:
    command = (TIDEMARK, "login", "--server", running.url)
    with at_terminal(command, folder=ROOT, environment=environment(**person.settings)) as terminal:
        terminal.wait_for("Email: ")
        terminal.type("\x03")
        assert (terminal.wait(), "Traceback" in terminal.shown) == (130, False)
    assert not person.file.exists()


def test_without_a_terminal_the_input_must_be_announced(running: Running, person: Person) -> None:
    for options in (["--email", "ada@example.com"], ["--password-stdin"]):
        answer = person.types("login", "--server", running.url, *options)
        assert (answer.returncode, "--password-stdin" in answer.stderr) == (2, True)


def test_a_wrong_password_is_told_in_words_and_changes_nothing(running: Running, signed_in: Person) -> None:
    before = signed_in.kept
    answer = signed_in.logs_in(running, before["email"], "not the password")
    assert answer.returncode == 3
    assert "Email or password is wrong." in answer.stderr
    assert "(code: invalid_credentials)" in answer.stderr
    assert signed_in.kept == before


def test_nobody_who_is_not_signed_in_gets_anywhere(running: Running, person: Person) -> None:
    answer = person.types("tasks", "list", "--server", running.url)
    assert answer.returncode == 3
    assert f"tidemark login --server {running.url}" in answer.stderr
    assert "(code: not_signed_in)" in answer.stderr


def test_a_login_is_shown_to_no_other_server(signed_in: Person) -> None:
    answer = signed_in.types("tasks", "list", "--server", "http://127.0.0.1:1")
    assert answer.returncode == 3
    assert "You are not signed in to http://127.0.0.1:1" in answer.stderr


def test_the_server_of_this_machine_is_found_and_named_when_it_is_missing(
    running: Running, person: Person, email: str, tmp_path: Path
) -> None:
    options = ("--email", email, "--password-stdin")
    here = {"TIDEMARK_DATA_DIR": str(running.data_dir)}
    assert person.types("login", *options, stdin=PASSWORD, **here).returncode == 0
    nowhere = Person(tmp_path / "other").types("tasks", "list", TIDEMARK_DATA_DIR=str(tmp_path / "none"))
    assert nowhere.returncode == 1
    assert "./scripts/run" in nowhere.stderr


def test_the_environment_names_a_server_and_an_option_another(running: Running, signed_in: Person) -> None:
    assert signed_in.types("tasks", "list", TIDEMARK_SERVER="http://127.0.0.1:1").returncode == 3
    assert signed_in.types("tasks", "list", "--server", f"{running.url}/", TIDEMARK_SERVER="http://x").returncode == 0


def test_a_given_token_goes_before_the_login_and_is_not_kept(running: Running, person: Person, email: str) -> None:
    token = sign_up(running)["access_token"]
    answer = person.types("tasks", "list", "--server", running.url, TIDEMARK_TOKEN=token)
    assert answer.returncode == 0
    assert not person.file.exists()
    for useless in ("nonsense", "two words", "line\nbreak"):
        refused = person.types("tasks", "list", "--server", running.url, TIDEMARK_TOKEN=useless)
        assert (refused.returncode, "TIDEMARK_TOKEN" in refused.stderr) == (3, True)


async def test_commands_that_need_a_new_token_at_once_spend_one_refresh_token(
    running: Running, signed_in: Person
) -> None:
    before = signed_in.kept
    issued = await refresh_tokens(running, before["email"])
    signed_in.change(expires_at=0)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: signed_in.types("tasks", "list"), range(4)))
    assert [answer.returncode for answer in answers] == [0] * 4, answers
    after = signed_in.kept
    assert after["refresh_token"] != before["refresh_token"]
    assert stat.S_IMODE(signed_in.file.stat().st_mode) == 0o600
    assert await refresh_tokens(running, before["email"]) == issued + 1


def test_a_token_that_the_server_refuses_is_renewed_though_the_clock_says_it_is_good(signed_in: Person) -> None:
    signed_in.change(access_token="ey.not.good")
    assert signed_in.types("tasks", "list").returncode == 0
    assert signed_in.kept["access_token"] != "ey.not.good"


async def test_a_session_that_was_ended_elsewhere_says_so(running: Running, signed_in: Person) -> None:
    await ask(
        running,
        "delete from auth.sessions where user_id = (select id from auth.users where email = $1)",
        signed_in.kept["email"],
    )
    signed_in.change(expires_at=0)
    answer = signed_in.types("tasks", "list")
    assert answer.returncode == 3
    assert "Your session has ended" in answer.stderr
    assert "tidemark login" in answer.stderr


async def test_logout_ends_the_session_at_the_server_and_removes_the_file(running: Running, signed_in: Person) -> None:
    kept = signed_in.kept
    before = await sessions(running, kept["email"])
    answer = signed_in.types("logout")
    assert (answer.returncode, answer.stdout) == (0, f"Signed out from {running.url}.\n")
    assert not signed_in.file.exists()
    assert await sessions(running, kept["email"]) == before - 1
    again = signed_in.types("logout")
    assert (again.returncode, again.stdout) == (0, "Nobody is signed in here.\n")


async def test_a_new_login_ends_the_one_before(running: Running, signed_in: Person) -> None:
    former = signed_in.kept["email"]
    before = await sessions(running, former)
    assert signed_in.logs_in(running, sign_up(running)["user"]["email"]).returncode == 0
    assert await sessions(running, former) == before - 1


def test_logout_from_a_server_that_is_away_forgets_and_says_what_is_left_to_do(signed_in: Person) -> None:
    signed_in.change(auth_url="http://127.0.0.1:1")
    answer = signed_in.types("logout")
    assert answer.returncode == 1
    assert "The session lives on there" in answer.stderr
    assert not signed_in.file.exists()


def test_a_login_that_others_can_read_is_not_used(signed_in: Person) -> None:
    signed_in.file.chmod(0o644)
    answer = signed_in.types("tasks", "list")
    assert answer.returncode == 3
    assert f"chmod 600 {signed_in.file}" in answer.stderr


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"server": 1'])
def test_a_damaged_login_is_named_and_can_be_replaced(
    running: Running, signed_in: Person, email: str, content: str
) -> None:
    signed_in.file.write_text(content)
    answer = signed_in.types("tasks", "list")
    assert answer.returncode == 3
    assert f"{signed_in.file} is damaged" in answer.stderr
    assert signed_in.logs_in(running, email).returncode == 0
    assert signed_in.types("tasks", "list").returncode == 0


def test_a_folder_that_cannot_be_written_is_an_error_in_words(running: Running, email: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = Person(tmp_path / "file").logs_in(running, email)
    assert answer.returncode == 3
    assert "cannot be written" in answer.stderr


def test_a_command_that_is_killed_while_it_holds_the_login_locks_nobody_out(signed_in: Person) -> None:
    hold = (
        "import time; from backend.cli.credentials import locked\nwith locked(): print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], cwd=ROOT, env=environment(**signed_in.settings), stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"1\n"
        signed_in.change(expires_at=0)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(signed_in.types, "tasks", "list")
            with pytest.raises(TimeoutError):
                answer.result(timeout=2)
            holder.kill()
            assert answer.result(timeout=30).returncode == 0


async def sessions(running: Running, email: str) -> int:
    found = await ask(
        running, "select count(*) from auth.sessions s join auth.users u on u.id = s.user_id where u.email = $1", email
    )
    return int(found)


async def refresh_tokens(running: Running, email: str) -> int:
    found = await ask(
        running,
        "select count(*) from auth.refresh_tokens t join auth.users u on u.id = t.user_id::uuid where u.email = $1",
        email,
    )
    return int(found)


async def ask(running: Running, statement: str, *arguments: object) -> Any:
    """As the auth server's own login, whose tables these are."""
    secrets = json.loads((running.data_dir / "secrets" / "postgres.json").read_text())
    dsn = httpx.URL(running.status["DB_URL"]).copy_with(
        username="supabase_auth_admin", password=secrets["passwords"]["supabase_auth_admin"]
    )
    connection = await asyncpg.connect(str(dsn))
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()

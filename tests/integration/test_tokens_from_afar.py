"""Personal access tokens at a running server: from the command line, and as the how-to shows."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from backend.domain.tokens import SENTENCES
from tests.finished_backtests import finished_backtest
from tests.serving import ROOT, Running, data_folder, environment, serving, tidemark

HOW_TO = ROOT / "docs" / "how-to" / "use-the-api.md"
PASSWORD = "a quiet harbour at dusk"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder, TIDEMARK_RATE_LIMITS="off") as running:
        yield running


class Person:
    """Somebody with an account and a folder for settings of their own, who is signed in at the command line."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self.settings = {"XDG_CONFIG_HOME": str(folder)}
        self.email = f"{uuid4()}@example.com"
        signed_up = httpx.post(
            f"{running.url}/auth/v1/signup",
            headers={"apikey": running.status["PUBLISHABLE_KEY"]},
            json={"email": self.email, "password": PASSWORD},
        )
        assert signed_up.status_code == 200
        options = ("--server", running.url, "--email", self.email, "--password-stdin")
        assert self.types("login", *options, stdin=PASSWORD).returncode == 0

    def types(self, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        answer = tidemark(*arguments, data_dir=None, stdin=stdin, **{**self.settings, **more})
        assert "Traceback" not in answer.stderr
        return answer

    def token(self, *scopes: str) -> str:
        chosen = [word for scope in scopes for word in ("--scope", scope)]
        made = self.types("tokens", "create", "Script", *chosen)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()


@pytest.fixture
def person(running: Running, tmp_path: Path) -> Person:
    return Person(running, tmp_path / "settings")


def test_tokens_are_made_listed_and_revoked_at_the_terminal(person: Person) -> None:
    made = person.types("tokens", "create", "Nightly job", "--scope", "read", "--scope", "data", "--days", "7")
    assert re.fullmatch(r"tdm_[A-Za-z0-9_-]{49}\n", made.stdout)
    assert "Nothing shows it again" in made.stderr
    listed = person.types("tokens", "list").stdout
    assert "Nightly job" in listed
    assert made.stdout.strip() not in listed
    [token] = json.loads(person.types("tokens", "list", "--json").stdout)["items"]
    assert (token["scopes"], token["state"]) == (["read", "data"], "live")
    assert person.types("tokens", "revoke", token["id"][:8]).returncode == 0
    again = person.types("tokens", "revoke", token["id"])
    assert (again.returncode, "(code: token_not_found)" in again.stderr) == (4, True)
    refused = person.types("tasks", "list", TIDEMARK_TOKEN=made.stdout.strip(), TIDEMARK_SERVER=person.running.url)
    assert (refused.returncode, "it was revoked" in refused.stderr) == (3, True)


def test_no_token_makes_another(person: Person) -> None:
    token = person.token("read", "run", "data", "share")
    answer = person.types("tokens", "list", TIDEMARK_TOKEN=token, TIDEMARK_SERVER=person.running.url)
    assert (answer.returncode, "(code: session_needed)" in answer.stderr) == (3, True)
    assert "TIDEMARK_TOKEN unset" in answer.stderr


def test_a_token_is_kept_as_a_login_and_forgotten(person: Person, tmp_path: Path) -> None:
    token = person.token("read")
    elsewhere = {"XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}
    kept = person.types("login", "--server", person.running.url, "--token", "-", stdin=f"{token}\n", **elsewhere)
    assert (kept.returncode, kept.stdout) == (0, f"Keeping a token of {person.email} for {person.running.url}.\n")
    assert token not in kept.stderr
    assert person.types("tasks", "list", **elsewhere).returncode == 0
    missing = person.types("tasks", "cancel", str(uuid4()), **elsewhere)
    assert (missing.returncode, "the scope 'run'" in missing.stderr) == (3, True)
    forgotten = person.types("logout", **elsewhere)
    assert (forgotten.returncode, "still opens" in forgotten.stdout) == (0, True)
    assert person.types("tasks", "list", "--server", person.running.url, **elsewhere).returncode == 3


def test_a_token_of_the_environment_can_be_kept_and_a_bad_one_is_not(person: Person, tmp_path: Path) -> None:
    token = person.token("read")
    elsewhere = {"XDG_CONFIG_HOME": str(tmp_path / "elsewhere"), "TIDEMARK_SERVER": person.running.url}
    for options, stdin, code in (
        (("--token", token), "", 2),
        (("--token", "-"), "", 2),
        (("--token", "-", "--email", "ada@example.com"), token, 2),
        (("--token", "-"), f"{token[:-2]}xx", 3),
    ):
        answer = person.types("login", *options, stdin=stdin, **elsewhere)
        assert answer.returncode == code, answer.stderr
    assert not (tmp_path / "elsewhere" / "tidemark" / "login.json").exists()
    assert person.types("login", "--token", "-", TIDEMARK_TOKEN=token, **elsewhere).returncode == 0
    assert person.types("tasks", "list", **elsewhere).returncode == 0


def test_the_how_to_works_as_it_stands(person: Person, tmp_path: Path) -> None:
    token, page = person.token("read", "data"), HOW_TO.read_text()
    me, fetch, keep, _ = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    assert typed(person, me, token)["email"] == person.email
    started = typed(person, fetch, token)
    [script] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(TIDEMARK_SERVER=person.running.url, TIDEMARK_TOKEN=token),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith(started["task_id"])
    assert keep.strip().endswith("tidemark login --token -")
    rows = dict(re.findall(r"\| `(\w+)` \| (.*?) \|", page))
    assert rows == {scope.value: said for scope, said in SENTENCES.items()}


def test_links_are_listed_and_revoked_at_the_terminal(person: Person) -> None:
    token = person.token("read", "share")
    asked = {"TIDEMARK_TOKEN": token, "TIDEMARK_SERVER": person.running.url}
    with httpx.Client(base_url=person.running.url, headers={"Authorization": f"Bearer {token}"}) as client:
        user_id = UUID(client.get("/api/me").json()["user_id"])
        backtest_id = asyncio.run(finished_backtest(person.running.status["DB_URL"], user_id))
        wanted = {"backtest_id": str(backtest_id), "title": "Slow cross", "expires_in_days": 7}
        made = client.post("/api/shares", json=wanted).json()
    assert "You share nothing" not in person.types("shares", "list", **asked).stderr
    [listed] = json.loads(person.types("shares", "list", "--json", **asked).stdout)["items"]
    assert (listed["id"], listed["title"], "token" in listed) == (made["id"], "Slow cross", False)
    assert httpx.get(f"{person.running.url}/api/shares/{made['token']}").json()["title"] == "Slow cross"
    revoked = person.types("shares", "revoke", made["id"][:8], **asked)
    assert (revoked.returncode, revoked.stdout) == (0, "The link to Slow cross is revoked.\n")
    assert httpx.get(f"{person.running.url}/api/shares/{made['token']}").status_code == 404
    again = person.types("shares", "revoke", made["id"], **asked)
    assert (again.returncode, "(code: share_not_found)" in again.stderr) == (4, True)


def typed(person: Person, command: str, token: str) -> Any:
    """What the server answers to a command in a shell."""
    command = command.replace("http://127.0.0.1:8000", person.running.url)
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("curl ", "curl --silent --show-error --noproxy '*' ", 1)],
        env=environment(TIDEMARK_TOKEN=token),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)

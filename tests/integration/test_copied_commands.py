"""Every command that the web app copies runs, and the command line, Python and curl come to the same as the page.

The golden file is what the pages copy: a test of the web app compares them.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.trader import until
from tests.serving import ROOT, Running, data_folder, environment, serving, tidemark
from tests.vendors.key_vendors import KEY, PASSPHRASE, SECRET

TESTING = ROOT / "frontend" / "src" / "testing"
COPIED: dict[str, dict[str, str]] = json.loads((TESTING / "copied.golden.json").read_text())
# What stands in the golden file for what a test makes.
IDS = dict(re.findall(r"(\w+): '([0-9a-f]{8}-[0-9a-f-]{27})'", (TESTING / "copied.test.ts").read_text()))
ORIGIN = "http://localhost:3000"
SOMEBODY = "o'neill+$x@example.com"
HOSTILE = 'It\'s "$HOME" `id` \\n 100% #1; ~*'
PASSWORD = "a quiet harbour at dusk"
WITH_KEYS = (sys.executable, "-m", "tests.serve_with_key_vendors")


class Page:
    """Somebody in front of the web app, with a terminal beside it: signed in there, and with a token of each kind."""

    def __init__(self, running: Running, folder: Path, cache: Path) -> None:
        self.url, self.folder, self.status = running.url, folder, running.status
        self.settings = {
            "XDG_CONFIG_HOME": str(folder / "settings"),
            "TIDEMARK_DATA_DIR": str(running.data_dir),
            "TIDEMARK_CACHE_DIR": str(cache),
        }
        shim = folder / "bin" / "tidemark"
        shim.parent.mkdir()
        shim.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\" > typed\n")
        shim.chmod(0o755)
        email = f"{uuid4()}@example.com"
        self.session = self.sign_up(email)
        self.http = httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {self.session}"}, timeout=60)
        login = ("login", "--server", running.url, "--email", email, "--password-stdin")
        assert tidemark(*login, stdin=PASSWORD, **self.settings).returncode == 0
        scopes = ("--scope", "read", "--scope", "run", "--scope", "data", "--scope", "share")
        self.token = tidemark("tokens", "create", "Script", *scopes, **self.settings).stdout.strip()
        self.made: dict[str, str] = {}

    def sign_up(self, email: str) -> str:
        answer = httpx.post(
            f"{self.url}/auth/v1/signup",
            headers={"apikey": self.status["PUBLISHABLE_KEY"]},
            json={"email": email, "password": PASSWORD},
        )
        return str(answer.json()["access_token"])

    def text(self, action: str, kind: str) -> str:
        """As it would be copied on this server, about what was made there."""
        text = COPIED[action][kind].replace(ORIGIN, self.url)
        for thing, made in self.made.items():
            text = text.replace(IDS[thing], made).replace(IDS[thing][:8], made[:8])
        return text

    def curl(self, action: str, token: str | None = None) -> Any:
        """What the server answers; nothing where it answers nothing."""
        text = re.sub(r"\bcurl ", "curl --silent --show-error --noproxy '*' ", self.text(action, "curl"))
        names = {"KEY": KEY, "SECRET": SECRET, "PASSPHRASE": PASSPHRASE}
        said = self.shell(text, TIDEMARK_TOKEN=token or self.token, **names)
        return json.loads(said) if said else None

    def types(self, action: str, *more: str) -> subprocess.CompletedProcess[str]:
        """A shell takes the text apart, and a process that has loaded everything runs it."""
        self.shell(self.text(action, "cli"))
        words = (self.folder / "typed").read_text().split("\0")[:-1]
        here = [str(self.folder / word) if (self.folder / word).is_file() else word for word in words]
        return tidemark(*here[:2], *more, *here[2:], **self.settings)

    def command(self, action: str) -> Any:
        done = self.types(action, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def shell(self, text: str, **names: str) -> str:
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
        done = subprocess.run(
            ["/bin/sh", "-euc", text],
            cwd=self.folder,
            env={**environment(**self.settings, **names), "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
        return done.stdout

    def finished(self, address: str) -> Any:
        """What is there once the task of that name has ended."""
        task = f"/api/system/tasks/{address.rpartition('/')[2]}"
        until(lambda: self.http.get(task).json()["state"] not in ("queued", "running"), seconds=120)
        found = self.http.get(task).json()
        assert found["state"] == "completed", found["failure"]
        return self.http.get(address).json()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("page")
    with data_folder() as data:
        settings = {"TIDEMARK_RATE_LIMITS": "off", "TIDEMARK_CACHE_DIR": str(data.parent / "cache")}
        with serving(data, command=WITH_KEYS, **settings) as running:
            yield Page(running, folder, data.parent / "cache")


@pytest.fixture(scope="module")
def in_python(page: Page) -> Mapping[str, Any]:
    """What each copied snippet comes to: one process runs them all."""
    snippets = {action: page.text(action, "python") for action, kinds in COPIED.items() if "python" in kinds}
    done = subprocess.run(
        [sys.executable, "-m", "tests.copied_python"],
        input=json.dumps(snippets),
        cwd=ROOT,
        env=environment(**page.settings),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_run_is_the_same_from_everywhere(page: Page, in_python: Mapping[str, Any]) -> None:
    for action, thing in (("run a backtest", "backtest"), ("run rules", "other")):
        page.made[thing] = page.curl(action)["id"]
        shown = page.finished(f"/api/backtests/{page.made[thing]}")
        typed, snippet = page.command(action), in_python[action]
        assert snippet["statistics"] == typed["statistics"]["values"], action
        _same_numbers(typed["statistics"]["values"], shown["figures"]["statistics"])
        for part in ("outcome", "parameters"):
            assert typed["manifest"][part] == snippet["manifest"][part] == shown["manifest"][part], action
        assert shown["manifest"]["outcome"]["trades"] > 0
        hashes = [[one["content_hash"] for one in each["manifest"]["data"]] for each in (typed, snippet, shown)]
        assert hashes[0] == hashes[1] == hashes[2]
        assert _config(typed["config"]) == _config(shown["config"])


def _same_numbers(typed: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
    both = typed.keys() & shown.keys()
    assert len(both) > 20
    assert {name: typed[name] for name in both} == {name: shown[name] for name in both}


def _config(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Without where it came from; left out is the same as null."""
    return {name: _given(value) for name, value in stored.items() if name in ("strategy", "series", "trading", "seed")}


def _given(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _given(each) for name, each in value.items() if each is not None}
    return [_given(each) for each in value] if isinstance(value, list | tuple) else value


def test_a_hostile_name_arrives_as_it_is(page: Page, in_python: Mapping[str, Any]) -> None:
    action = "run what is not there"
    assert HOSTILE in in_python[action]["error"]
    assert HOSTILE in page.curl(action)["detail"]
    assert HOSTILE in " ".join(page.types(action).stderr.split())


@pytest.mark.parametrize("action", ["sweep", "optimize", "walk forward"])
def test_a_study_is_the_same_from_everywhere(page: Page, in_python: Mapping[str, Any], action: str) -> None:
    shown = page.finished(f"/api/backtests/{page.curl(action)['id']}")["figures"]
    typed, snippet = page.command(action), in_python[action]
    for part in ("judgement", "winner", "folds"):
        assert typed.get(part) == snippet.get(part) == shown.get(part), part


def test_a_model_is_the_same_from_everywhere(page: Page, in_python: Mapping[str, Any]) -> None:
    page.made["model"] = page.curl("train a model")["id"]
    shown = page.finished(f"/api/models/{page.made['model']}")["card"]
    typed, snippet = page.command("train a model"), in_python["train a model"]
    for part in ("spec", "pooled", "verdict"):
        assert typed[part] == snippet[part] == shown[part], part
    assert typed["data"]["content_hash"] == snippet["data"]["content_hash"] == shown["data"]["content_hash"]
    assert typed["file"]["sha256"] == snippet["file"]["sha256"] == shown["file"]["sha256"]



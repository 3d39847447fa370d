"""Every command that the web app copies runs, and the command line, Python and curl come to the same as the page.

The golden file is what the pages copy: a test of the web app compares them.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
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
        assert tidemark(*login, data_dir=None, stdin=PASSWORD, **self.settings).returncode == 0
        scopes = ("--scope", "read", "--scope", "run", "--scope", "data", "--scope", "share")
        self.token = tidemark("tokens", "create", "Script", *scopes, data_dir=None, **self.settings).stdout.strip()
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
        said = self.curled(action, token)
        return json.loads(said) if said else None

    def curled(self, action: str, token: str | None = None) -> str:
        """The answers of all its lines."""
        text = re.sub(r"\bcurl ", "curl --silent --show-error --noproxy '*' ", self.text(action, "curl"))
        names = {"KEY": KEY, "SECRET": SECRET, "PASSPHRASE": PASSPHRASE}
        return self.shell(text, TIDEMARK_TOKEN=token or self.token, **names)

    def types(self, action: str, *more: str) -> subprocess.CompletedProcess[str]:
        """A shell takes the text apart, and a process that has loaded everything runs it."""
        self.shell(self.text(action, "cli"))
        words = (self.folder / "typed").read_text().split("\0")[:-1]
        here = [str(self.folder / word) if (self.folder / word).is_file() else word for word in words]
        return tidemark(*here[:2], *more, *here[2:], data_dir=None, **self.settings)

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
            page = Page(running, folder, data.parent / "cache")
            with page.http:
                yield page


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
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    failed = {action: one["error"] for action, one in found.items() if "error" in one}
    assert failed.keys() == {"run what is not there"}, failed
    return found


def test_a_run_is_the_same_from_everywhere(page: Page, in_python: Mapping[str, Any]) -> None:
    for action, thing in (("run a backtest", "backtest"), ("run rules", "other")):
        page.made[thing] = page.curl(action)["id"]
        shown = page.finished(f"/api/backtests/{page.made[thing]}")
        typed, snippet = page.command(action), in_python[action]
        assert snippet["statistics"] == typed["statistics"], action
        _same_numbers(typed["statistics"], shown["figures"]["statistics"])
        for part in ("outcome", "parameters"):
            assert typed["manifest"][part] == snippet["manifest"][part] == shown["manifest"][part], action
        assert shown["manifest"]["outcome"]["trades"] > 0
        assert _checks(typed["trust"]) == _checks(shown["trust"])
        hashes = [[one["content_hash"] for one in each["manifest"]["data"]] for each in (typed, snippet, shown)]
        assert hashes[0] == hashes[1] == hashes[2]
        assert _config(typed["config"]) == _config(shown["config"])


def _checks(trust: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """But those that count what was tried before, on this machine or by this user."""
    asked = {check["code"]: (check["verdict"], check["sentence"]) for check in trust["checks"]}
    return {code: said for code, said in asked.items() if code not in ("deflated", "length")}


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


@pytest.mark.parametrize("action", ["sweep", "optimize", "walk forward", "walk forward again"])
def test_a_study_is_the_same_from_everywhere(page: Page, in_python: Mapping[str, Any], action: str) -> None:
    shown = page.finished(f"/api/backtests/{page.curl(action)['id']}")["figures"]
    typed, snippet = page.command(action), in_python[action]
    shown = shown.get("study", shown)
    assert typed.get("winner") == snippet.get("winner") == shown.get("winner")
    folds = [[_in_brief(fold) for fold in each.get("folds", ())] for each in (typed, snippet, shown)]
    assert folds[0] == folds[1] == folds[2]
    judged = [_without_history(each["judgement"]["values"]) for each in (typed, snippet, shown)]
    assert judged[0] == judged[1] == judged[2]


def _in_brief(fold: Mapping[str, Any]) -> dict[str, Any]:
    """The server keeps fewer figures of each."""
    values = {name: (fold[name] or {}).get("value") for name in ("in_sample", "out_of_sample")}
    return {name: fold[name] for name in ("number", "train", "test", "parameters")} | values


def _without_history(judgement: Mapping[str, Any]) -> dict[str, Any]:
    """Each ledger counts what was tried before, on this machine or by this user."""
    return {name: value for name, value in judgement.items() if name not in ("trials_in_family", "deflated_sharpe")}


def test_a_model_is_the_same_from_everywhere(page: Page, in_python: Mapping[str, Any]) -> None:
    page.made["model"] = page.curl("train a model")["id"]
    shown = page.finished(f"/api/models/{page.made['model']}")["card"]
    typed, snippet = page.command("train a model")["card"], in_python["train a model"]
    for part in ("spec", "pooled", "verdict"):
        assert typed[part] == snippet[part] == shown[part], part
    assert typed["data"]["content_hash"] == snippet["data"]["content_hash"] == shown["data"]["content_hash"]
    assert typed["file"]["sha256"] == snippet["file"]["sha256"] == shown["file"]["sha256"]

    # The two ask the newest bar each, which may be another after the full hour.
    said, answered = page.command("predict"), page.curl("predict")
    assert said["question"] == in_python["predict"]["question"] == shown["question"]
    assert answered.get("kind") == "train" or answered["question"] == said["question"]
    assert page.curl("predict by a model")["model_id"] == page.made["model"]
    assert page.made["model"] in [one["id"] for one in page.curl("list models")["items"]]
    assert page.curl("read a track record")["predictions"] >= 1
    assert "psi" in page.curl("read the drift")
    assert page.curl("promote a model")["state"] == "champion"
    assert page.curl("roll a model back")["code"] == "model_not_usable"
    assert page.curl("delete a model") is None
    assert page.made["model"] not in [one["id"] for one in page.curl("list models")["items"]]


def test_bars_are_the_same_from_everywhere(page: Page, in_python: Mapping[str, Any]) -> None:
    started = page.curl("fetch bars")
    page.made |= {"task": started["task_id"], "series": started["series_id"]}
    page.finished(f"/api/system/tasks/{started['task_id']}")
    stored = page.curl("read a series")["stored"]
    assert page.command("fetch bars")["fetched"] == 0, "the page had fetched them"
    listed = [
        one for one in page.command("list series")["items"] if one["timeframe"] == "1h" and one["symbol"] == "BTC/USDT"
    ]
    assert in_python["fetch bars"]["rows"] <= stored["rows"] == listed[0]["rows"]
    assert stored["content_hash"] == listed[0]["content_hash"]
    one_provider = page.curl("list the series of a provider")["items"]
    assert one_provider == page.curl("list series")["items"] != []
    assert page.curl("repair a series")["code"] == "no_bars"
    assert page.curl("delete a series")["code"] == "not_allowed"


def test_tasks_are_the_same_from_everywhere(page: Page) -> None:
    page.made["task"] = page.curl("fetch bars")["task_id"]
    shown = page.finished(f"/api/system/tasks/{page.made['task']}")
    assert page.command("show a task")["id"] == page.curl("show a task")["id"] == shown["id"]
    ids = [[one["id"] for one in listed["items"]] for listed in (page.command("list tasks"), page.curl("list tasks"))]
    assert ids[0] == ids[1]
    assert shown["id"] in ids[0]
    assert page.curl("cancel a task")["state"] == page.command("cancel a task")["state"] == "completed"
    assert page.curl("retry a task")["code"] == "job_not_retryable"
    assert "(code: job_not_retryable)" in page.types("retry a task").stderr
    assert page.curl("read the machine")["capacity"]["cores"] >= 1
    assert page.curl("read the services")["checks"]
    assert page.curl("ask whether it is ready")["checks"]
    assert page.curl("try a token")["user_id"] == page.http.get("/api/me").json()["user_id"]


def test_a_result_is_listed_compared_replayed_exported_and_shared(page: Page) -> None:
    for thing, action in (("backtest", "run a backtest"), ("other", "run rules")):
        if thing not in page.made:
            page.made[thing] = page.curl(action)["id"]
            page.finished(f"/api/backtests/{page.made[thing]}")
    assert page.curl("list backtests")["items"] == []
    assert len(page.curl("compare backtests")["runs"]) == 2
    again = page.finished(f"/api/backtests/{page.curl('replay a backtest')['id']}")
    assert again["parent_id"] == page.made["backtest"]
    assert page.shell(page.text("export a report", "curl"), TIDEMARK_TOKEN=page.token) == ""
    [report] = page.folder.glob("*.html")
    assert report.read_text().startswith("<!doctype html>")
    shared = page.curl("share a result")
    page.made["share"] = shared["id"]
    assert shared["title"] == HOSTILE
    assert page.types("revoke a link").returncode == 0
    assert page.curl("revoke a link")["code"] == "share_not_found"


def test_a_result_is_starred_tagged_archived_and_deleted(page: Page) -> None:
    for thing, action in (("backtest", "run a backtest"), ("other", "run rules")):
        page.made[thing] = page.curl(action)["id"]
        page.finished(f"/api/backtests/{page.made[thing]}")
    assert page.curl("star a backtest")["is_starred"] is True
    assert page.curl("tag a backtest")["tags"] == [HOSTILE, "keep"]
    done = page.curl("archive a backtest")
    assert (done["is_starred"], done["archived_at"] is None) == (True, False)
    page.curled("archive backtests")
    listed = [one["id"] for one in page.http.get("/api/backtests").json()["items"]]
    assert not {page.made["backtest"], page.made["other"]} & {*listed}
    other = f"/api/backtests/{page.made['other']}"
    assert page.curl("delete a backtest") is None
    assert page.http.get(other).json()["deleted_at"] is not None
    page.curl("bring a backtest back")
    found = page.http.get(other).json()
    assert (found["deleted_at"], found["archived_at"] is None) == (None, False)


def test_a_preset_is_kept_and_forgotten(page: Page) -> None:
    kept = page.curl("keep a preset")
    page.made["preset"] = kept["id"]
    [found] = page.http.get("/api/backtests/presets").json()["items"]
    assert (found["name"], found["form"]["parameters"]) == (HOSTILE, {"fast": 10, "slow": 30})
    assert page.curl("forget a preset") is None
    assert page.http.get("/api/backtests/presets").json()["items"] == []


def test_rules_are_checked_saved_and_deleted(page: Page) -> None:
    assert page.command("validate rules")["valid"] is page.curl("validate rules")["is_valid"] is True
    saved = page.curl("save rules")
    page.made["strategy"] = saved["name"]
    assert (saved["title"], saved["description"], saved["note"]) == (HOSTILE, f"{HOSTILE}\n{HOSTILE}", HOSTILE)
    assert page.curl("save a version")["version"] == 2
    names = {one["name"] for one in page.curl("list strategies")["items"]}
    assert names - {one["name"] for one in page.command("list strategies")["items"]} == {saved["name"]}
    assert page.curl("delete a strategy") is None


def test_tokens_and_keys_take_a_session(page: Page) -> None:
    made = page.types("make a token")
    assert made.returncode == 0, made.stderr
    listed = page.http.get("/api/me/tokens").json()["items"]
    [page.made["token"]] = [one["id"] for one in listed if one["name"] == f"-{HOSTILE}"]
    assert page.types("revoke a token").returncode == 0
    key = page.curl("add a key", page.session)
    page.made["key"] = key["id"]
    assert (key["label"], key["provider"]) == (HOSTILE, "crypto:okx")
    assert [one["id"] for one in page.curl("list keys", page.session)["items"]] == [key["id"]]
    assert page.curl("test a key", page.session)["id"] == key["id"]
    assert page.curl("delete a key", page.session) is None
    assert page.curl("read the audit of keys", page.session)["items"]
    assert page.curl("list keys")["code"] == "session_needed"


def test_users_are_looked_after_at_the_terminal(page: Page) -> None:
    page.sign_up(SOMEBODY)

    def state() -> dict[str, Any]:
        return next(one for one in page.command("list users") if one["email"] == SOMEBODY)

    plans = page.command("list plans")
    for action, holds in (
        ("make an administrator", lambda one: one["role"] == "admin"),
        ("take the role back", lambda one: one["role"] == "user"),
        ("suspend", lambda one: one["suspended_until"] is not None),
        ("lift the suspension", lambda one: one["suspended_until"] is None),
    ):
        done = page.types(action)
        assert done.returncode == 0, done.stderr
        assert holds(state()), action
    done = page.types("set a plan")
    assert done.returncode == (0 if "large" in [plan["plan"] for plan in plans] else 4), done.stderr


def test_what_the_how_tos_tell_works_as_it_stands(page: Page) -> None:
    """Those that no other test covers."""
    names = {"TIDEMARK_TOKEN": page.session, "TOKEN": page.session, "KEY": KEY, "SECRET": SECRET}
    [keep] = _blocks("keep-exchange-keys")
    assert json.loads(page.shell(_here(page, keep), **names))["label"] == "Research"
    [share] = _blocks("share-a-result")
    shared = page.shell(_here(page, share).replace(IDS["backtest"], page.made["backtest"]), **names)
    assert json.loads(shared)["title"] == "Slow cross, 2023"
    take, leave = _blocks("leave-or-take-your-data")
    assert "tidemark" in page.shell(_here(page, take), **names).lower()
    assert page.shell(_here(page, leave).replace('"..."', json.dumps(PASSWORD)), **names) == ""
    assert page.http.get("/api/me").status_code == 403


def _blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text()
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def _here(page: Page, text: str) -> str:
    quiet = re.sub(r"\bcurl ", "curl --silent --show-error --noproxy '*' ", text)
    return quiet.replace("http://127.0.0.1:8000", page.url)

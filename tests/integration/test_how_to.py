"""What the how-tos tell people to run works as it stands there, on a real `tidemark serve`, and nothing leaks."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from backend.research import load_bars
from tests.finished_backtests import finished_backtest
from tests.integration.trader import until
from tests.serving import ROOT, Running, data_folder, environment, serving

PAGES = ROOT / "docs" / "how-to"
ADD = PAGES / "add-a-strategy.md"
API = PAGES / "use-the-api.md"
BRING = PAGES / "bring-your-own-data.md"
LEAVE = PAGES / "leave-or-take-your-data.md"
OPTIMISE = PAGES / "optimise-a-strategy.md"
RULES = PAGES / "write-rules.md"
SHARE = PAGES / "share-a-result.md"
WATCH = PAGES / "watch-backtests-by-websocket.md"
PASSWORD = "a-long-password-7Qx"


@pytest.fixture
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder, TIDEMARK_LOG_LEVEL="debug") as running:
        yield running


def test_backtest_is_watched_to_its_end(running: Running, tmp_path: Path) -> None:
    user_id, token = _sign_up(running)
    backtest_id = asyncio.run(_submit(running, user_id))
    script = tmp_path / "watch.py"
    [snippet] = re.findall(r"```python\n(.*?)```", WATCH.read_text(), re.DOTALL)
    script.write_text(snippet)
    watched = subprocess.run(
        [sys.executable, script, str(backtest_id)],
        env=environment(TIDEMARK_URL=running.url, TIDEMARK_TOKEN=token),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert watched.returncode == 0, watched.stderr
    told = [line.partition(" ") for line in watched.stdout.splitlines()]
    assert [event for event, _, _ in told][:2] == ["authenticated", "backtest:subscribed"]
    event, _, data = told[-1]
    # Its payload names no strategy and no bars, and that is what it says.
    assert event == "backtest:error", watched.stdout
    assert json.loads(data)["backtestId"] == str(backtest_id)
    assert json.loads(data)["error"]


def test_stop_of_the_server_is_said_and_no_token_is_logged(running: Running) -> None:
    user_id, token = _sign_up(running)
    with connect(f"ws{running.url.removeprefix('http')}/ws", proxy=None) as socket:
        socket.send(json.dumps({"event": "authenticate", "data": {"token": token}}))
        assert json.loads(socket.recv(10)) == {"event": "authenticated", "data": {"userId": user_id}}
        assert "tidemark_sockets 1.0" in httpx.get(f"{running.url}/metrics").text
        running.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert running.process.wait(30) == 0
    log = running.log.read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    [end] = [line for line in lines if line["message"] == "A socket ended"]
    assert (end["user_id"], end["ended"], end["code"]) == (user_id, "stopping", 1012)
    assert len(end["request_id"]) == 32
    assert [line for line in lines if line["level"] in ("error", "critical")] == []
    assert token.split(".")[2] not in log


def test_own_data_are_brought_at_the_terminal(tmp_path: Path) -> None:
    done = _typed(BRING, "tidemark data fetch", tmp_path)
    assert "Imported 182 bars" in done
    assert "import MINE 1d: 182 bars" in done


def test_own_data_are_brought_over_http(running: Running, tmp_path: Path) -> None:
    _, token = _sign_up(running)
    days = "".join(f"2025-01-{day:02},10{day}.5,110{day},9{day}.25,10{day}.75,{day}000\n" for day in range(10, 29))
    (tmp_path / "mine.csv").write_text("Date,Open,High,Low,Close,Volume\n" + days)
    kept = json.loads(_typed(BRING, "curl", tmp_path, TIDEMARK_TOKEN=token, **{"http://127.0.0.1:8000": running.url}))
    with httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {token}"}) as client:
        shown = client.post("/api/data/import/preview", json={"upload_id": kept["upload_id"]}).json()
        [wanted] = re.findall(r"```json\n(.*?)```", BRING.read_text(), re.DOTALL)
        asked = {**json.loads(wanted), "upload_id": kept["upload_id"], "reading": shown["reading"]}
        started = client.post("/api/data/import", json=asked).json()
        until(lambda: client.get(f"/api/system/tasks/{started['task_id']}").json()["state"] == "completed")
        exported = client.get("/api/data/export", params={"series_id": started["series_id"], "format": "csv"})
        assert exported.text.count("\n") == 20


def test_strategies_are_added_and_run_at_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "dip.json").write_text(_blocks(ADD, "json")[0])
    (tmp_path / "far_below.py").write_text(_blocks(ADD, "python")[0])
    assert "Enter long: the close price > SMA (50)" in _typed(ADD, "tidemark strategies validate dip.json", tmp_path)
    done = _typed(ADD, "tidemark strategies validate far_below.py", tmp_path)
    assert "Good: far_below." in done
    assert "far_below on BTC/USDT, 1d" in done


def test_rules_are_run_and_swept_at_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(_blocks(RULES, "json")[0])
    done = _typed(RULES, "tidemark strategies validate", tmp_path)
    assert "Enter long: EMA (20) crosses above EMA (50)" in done
    assert "rules on BTC/USDT, 1h" in done
    assert "Sweep of rules on BTC/USDT by Sharpe" in _typed(RULES, "tidemark backtest sweep", tmp_path)


def test_parameters_are_tried_at_the_terminal(tmp_path: Path) -> None:
    load_bars("demo", "BTC/USDT", "1h", "2024", "2024-07").frame.to_csv(tmp_path / "mine.csv", index=False)
    done = _typed(OPTIMISE, "tidemark backtest sweep", tmp_path)
    for head in ("Sweep of sma_cross on mine", "Search of sma_cross on mine by Calmar", "Walk forward of sma_cross"):
        assert head in done


def test_a_session_shares_a_result_takes_its_data_along_and_leaves(running: Running, tmp_path: Path) -> None:
    user_id, token = _sign_up(running)
    here = {"http://127.0.0.1:8000": running.url}
    email = httpx.get(f"{running.url}/api/me", headers={"Authorization": f"Bearer {token}"}).json()["email"]
    [script] = _blocks(API, "python session.py")
    names = environment(TIDEMARK_SERVER=running.url, EMAIL=email, PASSWORD=PASSWORD)
    signed_in = subprocess.run([sys.executable, "-c", script], env=names, capture_output=True, text=True, check=True)
    session = signed_in.stdout.strip()
    backtest_id = asyncio.run(finished_backtest(running.status["DB_URL"], UUID(user_id)))
    [example] = re.findall(r'"backtest_id":"([^"]+)"', SHARE.read_text())
    shared = _typed(SHARE, "curl", tmp_path, TIDEMARK_TOKEN=session, **here, **{example: str(backtest_id)})
    seen = httpx.get(f"{running.url}/api/shares/{json.loads(shared)['token']}")
    assert seen.json()["title"] == "Slow cross, 2023"
    assert "Your data from Tidemark" in _typed(LEAVE, "curl -fH", tmp_path, TIDEMARK_TOKEN=session, **here)
    told = set(re.findall(r"`(\w+\.(?:json|txt|csv|jsonl))`", LEAVE.read_text()))
    # Trials come of studies, and there was none.
    assert told - {"trials.jsonl"} == {path.name for path in (tmp_path / "tidemark").iterdir()}
    words = {'"..."': f'"{PASSWORD}"'}
    assert _typed(LEAVE, "curl -X DELETE", tmp_path, TIDEMARK_TOKEN=session, **here, **words) == ""
    gone = httpx.get(f"{running.url}/api/me", headers={"Authorization": f"Bearer {session}"})
    assert gone.is_client_error


def _blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page.read_text(), re.DOTALL)


def _typed(page: Path, first: str, folder: Path, **changes: str) -> str:
    """What a shell says to the block of the page that begins so; `changes` are its environment and other addresses."""
    [block] = [text for text in _blocks(page, "sh") if text.startswith(first)]
    names = {name: value for name, value in changes.items() if name.isupper()}
    for name, value in changes.items():
        block = block.replace(name, value) if name not in names else block
    done = subprocess.run(
        ["/bin/sh", "-euc", block],
        cwd=folder,
        env={
            **environment(TIDEMARK_CACHE_DIR=str(folder / "cache"), **names),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_codes_and_events_are_all_explained() -> None:
    page = WATCH.read_text()
    sources = "".join((ROOT / "backend" / "api" / f"{name}.py").read_text() for name in ("messages", "conversation"))
    sources += (ROOT / "backend" / "api" / "backtest_messages.py").read_text()
    sources += (ROOT / "backend" / "api" / "watching.py").read_text()
    events = set(re.findall(r'"(backtest:[a-z]+)"', sources)) | {"authenticated", "authenticate", "error"}
    assert [event for event in events if f"`{event}`" not in page] == []
    codes = set(re.findall(r"Farewell\((\d{4}),", sources)) - {"1001"}
    assert [code for code in codes if code not in page] == []


def _sign_up(running: Running) -> tuple[str, str]:
    answer = httpx.post(
        f"{running.url}/auth/v1/signup",
        headers={"apikey": running.status["PUBLISHABLE_KEY"]},
        json={"email": f"{uuid4()}@example.com", "password": PASSWORD},
    ).json()
    return answer["user"]["id"], answer["access_token"]


async def _submit(running: Running, user_id: str) -> UUID:
    backtest_id = uuid4()
    connection = await asyncpg.connect(running.status["DB_URL"])
    await connection.execute(
        "insert into public.tasks (id, user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " values ($1, $2, 'backtest', '{}', 1, 1, 3, 60)",
        backtest_id,
        UUID(user_id),
    )
    await connection.close()
    return backtest_id

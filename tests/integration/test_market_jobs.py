"""Market data through a served Tidemark: fetched as a job, cancelled, resumed, killed in the middle, imported."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Running, data_folder, serving, start, tidemark

PASSWORD = "correct horse battery staple"
HOURS = {
    "provider": "demo",
    "symbol": "BTC/USDT",
    "timeframe": "1h",
    "start": "2024-01-01T00:00:00Z",
    "end": "2024-03-01T00:00:00Z",
}
MINUTES = {**HOURS, "timeframe": "1m", "start": "2021-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}
FINAL = ("completed", "failed", "cancelled")


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with data_folder() as data:
        yield data


@contextmanager
def signed_in(running: Running, email: str) -> Iterator[httpx.Client]:
    tidemark("user", "create", email, "--password-stdin", data_dir=running.data_dir, stdin=f"{PASSWORD}\n")
    with httpx.Client(base_url=running.url, timeout=30) as client:
        answer = client.post(
            "/auth/v1/token?grant_type=password",
            json={"email": email, "password": PASSWORD},
            headers={"apikey": running.status["PUBLISHABLE_KEY"]},
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def ended(client: httpx.Client, task: str, *, seconds: float = 60) -> dict[str, Any]:
    return until(client, task, lambda found: found["state"] in FINAL, seconds=seconds)


def until(client: httpx.Client, task: str, holds: Any, *, seconds: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.get(f"/api/system/tasks/{task}").json()
        if holds(found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come to that: {found}")


def rows_of(client: httpx.Client, series_id: str) -> int:
    stored = client.get(f"/api/data/series/{series_id}").json()["stored"]
    return 0 if stored is None else int(stored["rows"])


def rows_reach(client: httpx.Client, series_id: str, rows: int) -> int:
    deadline = time.monotonic() + 60
    while (found := rows_of(client, series_id)) < rows:
        assert time.monotonic() < deadline, f"only {found} rows came"
        time.sleep(0.05)
    return found


@pytest.mark.timeout(240)
def test_fetch_cancel_resume_kill_and_import(data: Path) -> None:
    cache = str(data.parent / "cache")
    terminal = tidemark(
        *("data", "fetch", "--symbol", "ETH/USDT", "--timeframe", "1d", "--start", "2024-01-01"),
        TIDEMARK_CACHE_DIR=cache,
    )
    assert terminal.returncode == 0, terminal.stderr
    running = start(data, TIDEMARK_CACHE_DIR=cache)
    try:
        with signed_in(running, "ada@example.com") as ada:
            assert [one["symbol"] for one in ada.get("/api/data/series").json()["items"]] == ["ETH/USDT"]
            check_fetch(ada)
            check_import(ada)
            series_id = check_cancel(ada)
            task = ada.post("/api/data/fetch", json=MINUTES).json()["task_id"]
            held = rows_reach(ada, series_id, rows_of(ada, series_id) + 1)
        running.process.send_signal(signal.SIGKILL)
        running.process.wait(10)
        with serving(data, TIDEMARK_CACHE_DIR=cache) as again, signed_in(again, "ada@example.com") as ada:
            done = ended(ada, task, seconds=110)
            assert (done["state"], done["attempts"]) == ("completed", 2), done
            expected = 1826 * 1440
            # Nothing twice: this attempt only brought what was missing.
            assert done["result"]["bars"] <= expected - held
            assert rows_of(ada, series_id) == expected
            assert ada.get("/api/data/coverage", params={"series_id": series_id}).json()["missing"] == 0
    finally:
        if running.process.poll() is None:
            running.stop()


def check_fetch(ada: httpx.Client) -> None:
    planned = ada.post("/api/data/fetch/estimate", json=HOURS).json()
    assert planned["bars"] == 60 * 24
    begun = ada.post("/api/data/fetch", json=HOURS)
    assert begun.status_code == 202
    assert ended(ada, begun.json()["task_id"])["result"] == {"bars": 60 * 24, "percent": 100.0}
    assert ada.post("/api/data/fetch/estimate", json=HOURS).json()["bars"] == 0
    series_id = begun.json()["series_id"]
    page = ada.get("/api/data/bars", params={"series_id": series_id, "limit": 1000}).json()
    rest = ada.get("/api/data/bars", params={"series_id": series_id, "start": page["next_start"]}).json()
    assert (len(page["ts"]), len(rest["ts"]), rest["next_start"]) == (1000, 440, None)
    assert ada.delete(f"/api/data/series/{series_id}").status_code == 403
    again = ada.post("/api/data/repair", json={"series_id": series_id})
    assert again.json()["code"] == "no_bars"
    gaps = [{"start": "2024-01-10T00:00:00Z", "end": "2024-01-11T00:00:00Z"}]
    mended = ada.post("/api/data/repair", json={"series_id": series_id, "gaps": gaps})
    assert ended(ada, mended.json()["task_id"])["result"]["bars"] == 24


def check_import(ada: httpx.Client) -> None:
    rows = "".join(f"2024-01-{day:02},1,2,0.5,1.5,10\n" for day in range(1, 32))
    name = {"name": "mine.csv"}
    upload = ada.post("/api/data/uploads", params=name, content=f"Date,Open,High,Low,Close,Volume\n{rows}").json()
    shown = ada.post("/api/data/import/preview", json={"upload_id": upload["upload_id"]}).json()
    wanted = {
        "upload_id": upload["upload_id"],
        "symbol": "MINE",
        "timeframe": "1d",
        "reading": shown["reading"],
    }
    begun = ada.post("/api/data/import", json=wanted)
    done = ended(ada, begun.json()["task_id"])
    assert (done["state"], done["result"]) == ("completed", {"rows": 31, "bad_rows": 0}), done
    assert rows_of(ada, begun.json()["series_id"]) == 31


def check_cancel(ada: httpx.Client) -> str:
    begun = ada.post("/api/data/fetch", json=MINUTES).json()
    rows_reach(ada, begun["series_id"], 1)
    ada.post(f"/api/system/tasks/{begun['task_id']}/cancel")
    done = ended(ada, begun["task_id"], seconds=10)
    assert (done["state"], done["is_partial"]) == ("cancelled", True), done
    kept = rows_of(ada, begun["series_id"])
    assert kept >= done["result"]["bars"] > 0
    series_id: str = begun["series_id"]
    return series_id

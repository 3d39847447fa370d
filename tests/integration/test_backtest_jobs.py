"""Backtests through a served Tidemark, in real processes: watched, cancelled, killed, compared, exported."""

import csv
import io
import json
import re
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pandas as pd
import psutil
import pytest

from tests.integration.test_market_jobs import ended, signed_in, until
from tests.serving import Running, data_folder, serving

WANTED: dict[str, Any] = {
    "strategy": "sma_cross",
    "parameters": {"fast": 20, "slow": 50},
    "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}],
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-07-01T00:00:00Z",
    "trading": {"cash": 10_000, "costs": {"taker_bps": 10, "slippage_bps": 5}},
}
LONG = {
    **WANTED,
    "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1m"}],
    "start": "2020-01-01T00:00:00Z",
    "end": "2024-01-01T00:00:00Z",
}
SLOW = {**WANTED, "strategy": "slow_one", "parameters": {}, "end": "2023-02-01T00:00:00Z"}
# An operator's own, which thinks for as long as a file is there.
SLOW_ONE = '''
import pathlib
import time

import numpy as np

from backend.domain.signals import KEEP, LONG, Signals
from backend.domain.strategies.base import TradingStrategy


class SlowOne(TradingStrategy):
    """Thinks before it buys."""

    name = "slow_one"

    def generate_signals(self, market):
        while pathlib.Path("{gate}").exists():
            time.sleep(0.02)
        bar = np.arange(len(market))
        return Signals.of(np.where(bar == 10, LONG, KEEP), bars=len(market))
'''


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gate") / "closed"


@pytest.fixture(scope="module")
def running(gate: Path) -> Iterator[Running]:
    with data_folder() as data:
        strategies = data.parent / "strategies"
        strategies.mkdir()
        (strategies / "slow_one.py").write_text(SLOW_ONE.replace("{gate}", str(gate)))
        settings = {"TIDEMARK_RATE_LIMITS": "off", "TIDEMARK_STRATEGIES_DIR": str(strategies)}
        with serving(data, **settings) as running:
            yield running


@pytest.fixture(scope="module")
def ada(running: Running) -> Iterator[httpx.Client]:
    with signed_in(running, "ada@example.com") as client:
        yield client


@pytest.fixture(scope="module")
def bob(running: Running) -> Iterator[httpx.Client]:
    with signed_in(running, "bob@example.com") as client:
        yield client


@pytest.fixture(scope="module")
def done(ada: httpx.Client) -> str:
    """A finished backtest."""
    return finished(ada, WANTED)


def started(client: httpx.Client, wanted: dict[str, Any], path: str = "run") -> str:
    answer = client.post(f"/api/backtests/{path}", json=wanted)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"].endswith(answer.json()["id"])
    return str(answer.json()["id"])


def finished(client: httpx.Client, wanted: dict[str, Any], path: str = "run") -> str:
    backtest = started(client, wanted, path)
    task = ended(client, backtest)
    assert task["state"] == "completed", task
    return backtest


def read(client: httpx.Client, backtest: str, place: str = "") -> Any:
    answer = client.get(f"/api/backtests/{backtest}{place}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def children_of(running: Running) -> list[psutil.Process]:
    processes = psutil.Process(running.process.pid).children(recursive=True)
    return [one for one in processes if "backend.worker.process" in " ".join(one.cmdline())]


def followed(client: httpx.Client, form: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """A run, and what the stream told of it until its end."""
    told: list[dict[str, Any]] = []
    with client.stream("GET", "/api/system/task-events", timeout=60) as stream:
        backtest = started(client, form)
        kind = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and backtest in line:
                told.append({"event": kind, **json.loads(line.removeprefix("data: "))["task"]})
                if kind in ("task_completed", "task_failed"):
                    break
    return backtest, told


def test_a_run_is_followed_to_its_result(ada: httpx.Client) -> None:
    backtest, told = followed(ada, LONG)
    assert told[-1]["event"] == "task_completed"
    progress = [one for one in told if one["event"] == "task_progress"]
    assert progress[0]["stage"] == "bars"
    curves = [one for one in progress if one.get("curve")]
    assert curves
    assert re.fullmatch(r"202\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", curves[-1]["current_date"])
    found = read(ada, backtest)
    assert found["state"] == "completed"
    assert found["figures"]["bars"] == 2_103_840
    assert found["summary"]["trades"] == found["figures"]["statistics"]["trades"] > 0
    assert read(ada, backtest, "/equity?points=100")["total"] < found["figures"]["bars"]


def test_the_same_form_gives_the_same_result_and_the_engine_does_not_mind_being_watched(
    ada: httpx.Client, done: str
) -> None:
    answer = ada.post(f"/api/backtests/{done}/replay")
    assert ended(ada, answer.json()["id"])["state"] == "completed"
    first, again = (read(ada, one)["manifest"]["outcome"] for one in (done, answer.json()["id"]))
    assert first == again


def test_exports_hold_the_same_numbers_in_every_format(ada: httpx.Client, done: str) -> None:
    trades = read(ada, done, "/trades?limit=50000")["columns"]
    document = ada.get(f"/api/backtests/{done}/export?format=json").json()
    assert [one["pnl"] for one in document["trades"]] == trades["pnl"]
    for kind in ("csv", "parquet"):
        answer = ada.get(f"/api/backtests/{done}/export?format={kind}")
        assert "attachment" in answer.headers["content-disposition"]
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        (name,) = (one for one in archive.namelist() if one.endswith(f"-trades.{kind}"))
        content = archive.read(name)
        if kind == "csv":
            pnl = [float(row["pnl"]) for row in csv.DictReader(io.StringIO(content.decode()))]
        else:
            pnl = pd.read_parquet(io.BytesIO(content))["pnl"].tolist()
        assert pnl == trades["pnl"], kind
    page = ada.get(f"/api/backtests/{done}/export?format=html")
    assert page.headers["content-security-policy"].startswith("sandbox;")
    assert "attachment" in page.headers["content-disposition"]


def test_a_trade_is_explained_by_what_the_strategy_saw(ada: httpx.Client, done: str) -> None:
    told = read(ada, done, "/trades/0")
    moments = {one["what"]: one for one in told["moments"]}
    assert list(moments) == ["entry_signal", "entry_fill", "exit_signal", "exit_fill"]
    seen = {one["name"]: one["values"]["sma"] for one in moments["entry_signal"]["indicators"]}
    is_above = seen["SMA 20"] > seen["SMA 50"]
    assert is_above == (told["trade"]["side"] == "long")
    assert [one["rule"] for one in told["orders"]] == ["market order", "signal"]
    assert told["orders"][0]["worse_than_open_bps"] == pytest.approx(5, abs=0.1)
    costs = {one["name"]: one["money"] for one in told["costs"]["parts"]}
    assert told["costs"]["pnl_before_costs"] == pytest.approx(told["trade"]["pnl"] + costs["total"])
    assert told["notes"] == []
    assert ada.get(f"/api/backtests/{done}/trades/9999").status_code == 404


def test_runs_are_compared(ada: httpx.Client, done: str) -> None:
    other = finished(ada, {**WANTED, "parameters": {"fast": 10, "slow": 60}, "parent_id": done})
    told = ada.post("/api/backtests/compare", json={"ids": [done, other]}).json()
    assert {one["path"] for one in told["config"]} == {"parameters.fast", "parameters.slow"}
    returns = next(one for one in told["metrics"] if one["name"] == "total_return")
    assert returns["values"] == [read(ada, one)["summary"]["total_return"] for one in (done, other)]
    assert told["curves"]["equity"][0][-1] == pytest.approx(100 * (1 + returns["values"][0]))
    assert told["differences"][0]["sharpe"]["low"] <= told["differences"][0]["sharpe"]["high"]
    assert ada.get(f"/api/backtests?parent={done}&limit=1").json()["items"][0]["id"] == other


def test_studies_keep_their_trials_and_are_held_against_later_runs(ada: httpx.Client) -> None:
    wanted = {**WANTED, "series": [{**WANTED["series"][0], "symbol": "ETH/USDT"}]}
    space = {"fast": [5, 10], "slow": [20, 40, 80]}
    study = finished(ada, {**wanted, "space": space}, "sweep")
    found = read(ada, study)
    assert (found["kind"], found["figures"]["study"]["trials"]) == ("sweep", 6)
    trials = read(ada, study, "/trials")
    assert trials["total"] == 6
    values = trials["columns"]["value"]
    assert values == sorted(values, reverse=True)
    best = {name: trials["columns"][f"parameter.{name}"][0] for name in space}
    opened = read(ada, finished(ada, {**wanted, "parameters": best, "parent_id": study}))
    assert opened["summary"]["sharpe_ratio"] == pytest.approx(found["summary"]["sharpe_ratio"])
    luck = next(one for one in opened["trust"]["checks"] if one["code"] == "deflated")
    assert luck["facts"]["trials"] == opened["trials_now"] == 7


def test_a_result_says_how_much_was_tried_since_luck_was_judged(ada: httpx.Client) -> None:
    wanted = {**WANTED, "series": [{**WANTED["series"][0], "symbol": "SOL/USDT"}]}
    first = finished(ada, wanted)
    assert read(ada, first)["trials_now"] == 1
    held = ada.get(f"/api/backtests/{first}").headers["etag"]
    finished(ada, {**wanted, "parameters": {"fast": 7, "slow": 33}})
    again = ada.get(f"/api/backtests/{first}", headers={"If-None-Match": held})
    assert again.status_code == 200
    luck = next(one for one in again.json()["trust"]["checks"] if one["code"] == "deflated")
    assert (luck["facts"]["trials"], again.json()["trials_now"]) == (1, 2)


def test_nothing_of_it_is_there_for_anybody_else(ada: httpx.Client, bob: httpx.Client, done: str) -> None:
    for place in ("", "/trades", "/trades/0", "/equity", "/chart", "/export", "/trials"):
        assert bob.get(f"/api/backtests/{done}{place}").status_code == 404, place
    for verb, place in (("POST", "/replay"), ("POST", "/guard"), ("POST", "/restore"), ("DELETE", "")):
        assert bob.request(verb, f"/api/backtests/{done}{place}").status_code == 404, place
    assert bob.post("/api/backtests/run", json={**WANTED, "parent_id": done}).status_code == 404
    assert bob.post("/api/backtests/compare", json={"ids": [done, str(uuid4())]}).status_code == 404
    assert bob.get("/api/backtests").json()["items"] == []
    assert read(ada, done)["deleted_at"] is None


def test_a_run_that_still_thinks_is_cancelled_and_so_is_one_that_is_deleted(ada: httpx.Client, gate: Path) -> None:
    gate.touch()
    try:
        cancelled, deleted = started(ada, SLOW), started(ada, SLOW)
        until(ada, cancelled, lambda found: (found.get("progress") or {}).get("stage") == "signals")
        unfinished = ada.get(f"/api/backtests/{cancelled}/trades")
        assert (unfinished.status_code, unfinished.json()["code"]) == (409, "backtest_not_finished")
        assert ada.post(f"/api/system/tasks/{cancelled}/cancel").status_code == 200
        assert ada.delete(f"/api/backtests/{deleted}").status_code == 204
        assert ended(ada, cancelled)["state"] == ended(ada, deleted)["state"] == "cancelled"
    finally:
        gate.unlink()
    assert read(ada, deleted)["deleted_at"] is not None
    assert read(ada, cancelled)["figures"] is None
    ada.post(f"/api/system/tasks/{cancelled}/retry")
    assert ended(ada, cancelled)["state"] == "completed"
    assert read(ada, cancelled, "/trades")["total"] == 1


def test_a_run_whose_worker_is_killed_has_one_result(running: Running, ada: httpx.Client, gate: Path) -> None:
    gate.touch()
    try:
        backtest = started(ada, SLOW)
        until(ada, backtest, lambda found: (found.get("progress") or {}).get("stage") == "signals")
        for child in children_of(running):
            child.send_signal(signal.SIGKILL)
    finally:
        gate.unlink()
    task = ended(ada, backtest)
    assert (task["state"], task["attempts"]) == ("completed", 2)
    assert read(ada, backtest, "/trades")["total"] == 1


def test_bars_of_ones_own_are_backtested_by_their_owner_alone(ada: httpx.Client, bob: httpx.Client) -> None:
    rows = [f"2024-01-{day:02},{day},{day + 1},{day - 0.5},{day + 0.5},10" for day in range(1, 32)]
    content = "\n".join(["Date,Open,High,Low,Close,Volume", *rows])
    upload = ada.post("/api/data/uploads", params={"name": "mine.csv"}, content=content).json()
    shown = ada.post("/api/data/import/preview", json={"upload_id": upload["upload_id"]}).json()
    wanted = {"upload_id": upload["upload_id"], "symbol": "MINE", "reading": shown["reading"], "timeframe": "1d"}
    task = ada.post("/api/data/import", json=wanted).json()["task_id"]
    assert ended(ada, task)["state"] == "completed"
    series = [{"provider": "import", "symbol": "MINE", "timeframe": "1d"}]
    own = {**WANTED, "series": series, "start": None, "end": None}
    found = read(ada, finished(ada, {**own, "parameters": {"fast": 2, "slow": 5}}))
    assert found["figures"]["bars"] == len(rows)
    refused = bob.post("/api/backtests/run", json=own)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/series/0")

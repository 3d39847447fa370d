"""Models through a served Tidemark, in real processes: trained in a child, asked, measured when the time has come."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from backend.data.fetchers.demo import simulated_bars
from tests.integration.test_market_jobs import signed_in
from tests.integration.trader import until
from tests.serving import Running, data_folder, serving

SERIES = {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}
SPEC = {"horizon": 12, "folds": 2, "rounds": 30, "patience": 10}
ASKED = {"series": SERIES, "spec": SPEC}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as data, serving(data, TIDEMARK_RATE_LIMITS="off") as running:
        yield running


@pytest.fixture(scope="module")
def ada(running: Running) -> Iterator[httpx.Client]:
    with signed_in(running, "ada@example.com") as client:
        yield client


def read(client: httpx.Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def as_owner(running: Running, *statements: tuple[str, tuple[object, ...]]) -> None:
    connection = await asyncpg.connect(running.status["DB_URL"])
    try:
        async with connection.transaction():
            for statement, arguments in statements:
                await connection.execute(statement, *arguments)
    finally:
        await connection.close()


def pass_time(running: Running, prediction: str, by: timedelta) -> None:
    """Nobody can wait for so long; the owner of the tables alone can move a prediction, with the rule set aside."""
    moved = as_owner(
        running,
        ("alter table public.predictions disable trigger predictions_keep", ()),
        (
            "update public.predictions set as_of = as_of - $2::interval, entry_at = entry_at - $2::interval,"
            " due_at = due_at - $2::interval, made_at = made_at - $2::interval where id = $1::text::uuid",
            (prediction, by),
        ),
        ("alter table public.predictions enable trigger predictions_keep", ()),
        (
            "insert into public.tasks (kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
            " values ('score', '{}', 1, 1, 3, 60)"
            " on conflict (kind) where user_id is null and state in ('queued', 'running') do nothing",
            (),
        ),
    )
    asyncio.run(moved)


def told_of(task: str, stream: httpx.Response) -> Iterator[dict[str, Any]]:
    """What the stream tells of a task until it has ended."""
    for line in stream.iter_lines():
        if line.startswith("data: ") and task in line:
            event = json.loads(line.removeprefix("data: "))
            yield event["task"]
            if event["type"] in {"task_completed", "task_failed", "task_cancelled"}:
                return


def test_a_question_becomes_a_model_a_prediction_and_an_outcome(running: Running, ada: httpx.Client) -> None:
    with ada.stream("GET", "/api/system/task-events", timeout=120) as stream:
        answer = ada.post("/api/predictions", json=ASKED)
        assert answer.status_code == 202, answer.text
        model_id = answer.json()["id"]
        assert ada.post("/api/predictions", json=ASKED).json()["id"] == model_id
        *_, last = told_of(model_id, stream)
    assert last["state"] == "completed", last

    model = read(ada, f"/api/models/{model_id}")
    assert (model["state"], model["origin"], model["predictions"]) == ("champion", "prediction", 1)
    assert model["card"]["data"]["is_simulated"]
    (said,) = read(ada, f"/api/predictions?model_id={model_id}")["items"]
    assert read(ada, f"/api/system/tasks/{model_id}")["result"]["prediction_id"] == said["id"]

    pass_time(running, said["id"], timedelta(hours=30))
    until(lambda: read(ada, f"/api/predictions/{said['id']}")["outcome"] is not None)
    scored = read(ada, f"/api/predictions/{said['id']}")
    entry, due = (datetime.fromisoformat(scored[name]) for name in ("entry_at", "due_at"))
    opens = simulated_bars("BTC/USDT", "1h", entry, due + timedelta(hours=1))["open"]
    outcome = scored["outcome"]
    assert outcome["realised_return"] == pytest.approx(opens.iloc[-1] / opens.iloc[0] - 1)
    assert outcome["went_up"] is (outcome["realised_return"] > 0)
    assert outcome["is_inside"] is (scored["low"] <= outcome["realised_return"] <= scored["high"])
    assert scored["waiting"] is None
    record = read(ada, f"/api/models/{model_id}/track-record")
    assert (record["predictions"], record["scored"], record["open"]) == (1, 1, 0)
    assert record["log_loss"] == pytest.approx(outcome["log_loss"])
    # What was said before its time cannot be said again.
    assert {name: scored[name] for name in ("probability_up", "low", "high")} == {
        name: said[name] for name in ("probability_up", "low", "high")
    }


def test_a_training_tells_how_it_learns_until_it_is_cancelled(ada: httpx.Client) -> None:
    """So long a one is seen on the quickest machine: each fold learns for more than five hundred rounds."""
    long = {"series": SERIES, "start": "2020-01-01T00:00:00Z", "spec": {**SPEC, "rounds": 2000, "patience": 500}}
    with ada.stream("GET", "/api/system/task-events", timeout=120) as stream:
        model_id = ada.post("/api/models/train", json=long).json()["id"]
        told = told_of(model_id, stream)
        learns = next(one for one in told if one.get("curve") and one["stage"] == "folds")
        assert ada.post(f"/api/system/tasks/{model_id}/cancel").status_code == 200
        *_, last = told
    assert last["state"] == "cancelled"
    round_, loss, stop_loss = learns["curve"][-1]
    assert learns["round"] == round_ >= 1
    assert (learns["loss"], learns["stop_loss"]) == pytest.approx((loss, stop_loss), rel=1e-5)
    assert 0 < loss < 1
    assert 0 < stop_loss < 1
    assert {fold: curve[-1][0] for fold, curve in learns["curves"]}[learns["fold"]] == round_
    model = read(ada, f"/api/models/{model_id}")
    assert (model["state"], model["task_state"], model["card"]) == ("training", "cancelled", None)
    assert ada.post(f"/api/models/{model_id}/promote").status_code == 409
    assert ada.delete(f"/api/models/{model_id}").status_code == 204

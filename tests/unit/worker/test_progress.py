"""Progress as it is told: seldom, whole, bounded, and with the lines that were printed last."""

import asyncio
import json
import math
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.domain.events import PROGRESS_CHANNEL
from backend.domain.forecast import Forecasts
from backend.domain.jobs import Progress
from backend.worker.progress import Telling
from tests.fake_jobs import FakeTasks
from tests.fakes import FakeEventBus
from tests.job_tables import BACKTEST


async def tell(progress: list[Progress], *, pause: float = 0.0, user_id: UUID | None = None) -> list[dict[str, Any]]:
    bus = FakeEventBus()
    messages = bus.subscribe(PROGRESS_CHANNEL)
    await anext(messages)
    heard = []

    async def listen() -> None:
        async for message in messages:
            heard.append(json.loads(message.payload or ""))

    listening = asyncio.create_task(listen())
    job = FakeTasks().add(user_id or uuid4(), BACKTEST)
    telling = Telling(job, bus, Forecasts(), lambda: 0.0)
    for one in progress:
        telling.tell(one)
        await asyncio.sleep(pause)
    await asyncio.sleep(0.3)
    telling.stop()
    listening.cancel()
    return heard


async def test_many_reports_become_few_and_the_last_one_is_told() -> None:
    heard = await tell([Progress(stage="bars", percent=float(number)) for number in range(100)], pause=0.005)
    # At most ten a second, and a busy machine takes some seconds for them.
    assert 2 <= len(heard) <= 30
    assert heard[-1]["task"]["percent"] == 99.0


async def test_the_curve_of_a_stage_that_was_over_before_it_was_told_comes_with_the_next() -> None:
    told = await tell(
        [
            Progress(stage="bars"),
            Progress(stage="trading", curve=((1, 2.0),), current_date="2024-01-01T00:00:00Z"),
            Progress(stage="figures"),
        ]
    )
    last = told[-1]["task"]
    assert (last["stage"], last["curve"], last["current_date"]) == ("figures", [[1, 2.0]], "2024-01-01T00:00:00Z")


async def test_the_curves_of_all_folds_are_bounded_and_stay_when_nothing_learns_any_more() -> None:
    points = tuple((number, 0.6931471805599453, 0.6931471805599453) for number in range(1, 2_001))
    learns = Progress(
        stage="🌊" * 100, message="🌊" * 1000, curve=points, curves=tuple((fold, points) for fold in range(21))
    )
    heard = await tell([learns, Progress(stage="contest", percent=93.0)], pause=0.3)
    first, last = heard[0]["task"], heard[-1]["task"]
    assert [fold for fold, _ in first["curves"]] == list(range(21))
    assert sum(len(curve) for _, curve in first["curves"]) <= 100
    assert len(json.dumps(heard[0], ensure_ascii=False).encode()) <= 7_999
    assert "curve" not in last
    assert last["curves"] == first["curves"]


async def test_long_words_fit_on_the_bus() -> None:
    (heard,) = await tell([Progress(stage="🌊" * 1000, percent=1e9, message="🌊" * 10_000)])
    assert heard["task"]["percent"] == 100.0
    assert len(json.dumps(heard, ensure_ascii=False).encode()) <= 7_999


async def test_a_job_that_is_over_has_no_progress() -> None:
    bus = FakeEventBus()
    messages = bus.subscribe(PROGRESS_CHANNEL)
    await anext(messages)
    telling = Telling(FakeTasks().add(uuid4(), BACKTEST), bus, Forecasts(), lambda: 0.0)
    telling.tell(Progress(stage="bars"))
    telling.stop()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(messages), 0.05)


@pytest.mark.parametrize("letter", ["a", '"', "\\", "\n", "\t", "é", "€", "🌊", "\x01", "\ud800"])
async def test_whatever_was_printed_fits_on_the_bus(letter: str) -> None:
    long = letter * 10_000
    (heard,) = await tell([Progress(stage=long, message=long, log_tail=long.replace("\ud800", "?") + "\nthe end")])
    assert len(json.dumps(heard, ensure_ascii=False).encode()) <= 7_999
    assert heard["task"]["log_tail"].endswith("the end")
    assert "\ud800" not in heard["task"]["message"]
    assert "\x01" not in heard["task"]["message"]


async def test_log_is_told_first_and_when_it_changes() -> None:
    reports = [
        Progress(stage="bars"),
        Progress(stage="bars", log_tail="one"),
        Progress(stage="bars", log_tail="one", percent=5.0),
        Progress(stage="bars", log_tail="one\ntwo"),
    ]
    heard = [one["task"] for one in await tell(reports, pause=0.25)]
    assert [task.get("log_tail", "as before") for task in heard] == [None, "one", "as before", "one\ntwo"]


async def test_numbers_that_are_none_are_not_told() -> None:
    (heard,) = await tell([Progress(stage="bars", percent=math.nan, eta_seconds=math.inf)])
    assert (heard["task"]["percent"], heard["task"]["eta_seconds"]) == (None, None)

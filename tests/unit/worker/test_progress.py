"""Progress as it is told: seldom, whole, bounded, and with a time to go that learns."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.domain.events import PROGRESS_CHANNEL
from backend.domain.jobs import JobKind, Progress
from backend.worker.progress import Durations, Telling
from tests.fake_jobs import FakeTasks
from tests.fakes import FakeEventBus
from tests.job_tables import BACKTEST

KIND = JobKind.BACKTEST


def test_without_history_the_pace_tells() -> None:
    assert Durations().eta(KIND, elapsed=10.0, percent=25.0) == 30.0


@pytest.mark.parametrize("percent", [None, 0.0, 1.0])
def test_without_history_and_pace_nothing_is_told(percent: float | None) -> None:
    assert Durations().eta(KIND, elapsed=10.0, percent=percent) is None


def test_before_there_is_a_pace_history_tells() -> None:
    durations = Durations()
    for seconds in (50.0, 60.0, 1000.0):
        durations.completed(KIND, seconds)
    assert durations.eta(KIND, elapsed=10.0, percent=None) == 50.0
    assert durations.eta(KIND, elapsed=90.0, percent=None) == 0.0


def test_the_pace_counts_more_the_further_the_job_is() -> None:
    durations = Durations()
    durations.completed(KIND, 100.0)
    # By history 60 s are left, by its pace 40 s.
    assert durations.eta(KIND, elapsed=40.0, percent=50.0) == pytest.approx(50.0)
    assert durations.eta(KIND, elapsed=90.0, percent=90.0) == pytest.approx(10.0)


def test_the_error_of_what_was_foreseen_is_measured() -> None:
    durations = Durations()
    assert durations.error(KIND) is None
    for seconds in (100.0, 100.0, 80.0, 125.0):
        durations.completed(KIND, seconds)
    assert durations.error(KIND) == pytest.approx(0.2)
    assert durations.error(JobKind.SWEEP) is None


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
    telling = Telling(job, bus, Durations(), lambda: 0.0)
    for one in progress:
        telling.tell(one)
        await asyncio.sleep(pause)
    await asyncio.sleep(0.3)
    telling.stop()
    listening.cancel()
    return heard


async def test_many_reports_become_few_and_the_last_one_is_told() -> None:
    heard = await tell([Progress(stage="bars", percent=float(number)) for number in range(100)], pause=0.005)
    assert 2 <= len(heard) <= 6
    assert heard[-1]["task"]["percent"] == 99.0


async def test_long_words_fit_on_the_bus() -> None:
    (heard,) = await tell([Progress(stage="🌊" * 1000, percent=1e9, message="🌊" * 10_000)])
    assert heard["task"]["percent"] == 100.0
    assert len(json.dumps(heard)) < 7_999


async def test_a_job_that_is_over_has_no_progress() -> None:
    bus = FakeEventBus()
    messages = bus.subscribe(PROGRESS_CHANNEL)
    await anext(messages)
    telling = Telling(FakeTasks().add(uuid4(), BACKTEST), bus, Durations(), lambda: 0.0)
    telling.tell(Progress(stage="bars"))
    telling.stop()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(messages), 0.05)

"""What a socket is told of the backtests it watches, whatever order frames and looks at the table come in."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from backend.api.streams import MOST_WAITING_FRAMES, Frame, Stream, Streams
from backend.api.watching import Watching
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.errors import BacktestNotFound
from backend.domain.events import PROGRESS_CHANNEL
from backend.domain.forecast import Forecasts
from backend.domain.jobs import Demand, Job, JobKind, JobState, NewJob
from backend.services.events import Events
from backend.services.jobs import Jobs
from tests.fake_jobs import FakeEventFeed, FakeJobs, FakeMachine, FakeTasks
from tests.fakes import START, FakeAccountWatch, FakeClock, FakeEventBus, FakeMeter

NEW = NewJob(kind=JobKind.BACKTEST, payload={}, demand=Demand(cores=1, memory_bytes=1))
ADA = Identity(
    user_id=uuid4(),
    email=None,
    is_admin=False,
    is_anonymous=False,
    session_id=None,
    expires_at=START + timedelta(hours=1),
    claims={"role": "authenticated"},
)


@dataclass
class Booth:
    """One socket's watching over fakes, with all that it was told."""

    tasks: FakeTasks
    bus: FakeEventBus
    streams: Streams
    stream: Stream
    told: list[tuple[str, Any]] = field(default_factory=list)
    # Held by a test to keep a look at the table from returning.
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()
        self.watching = Watching(cast(House, self), self.streams, self.stream, self._say)

    @asynccontextmanager
    async def acting_as(self, who: Identity, *, readonly: bool) -> AsyncIterator[SimpleNamespace]:
        jobs = FakeJobs(who.user_id, self.tasks)
        yield SimpleNamespace(events=Events(jobs), jobs=Jobs(jobs, FakeMachine(), Forecasts(), runner_id="here"))
        await self.may_answer.wait()

    async def _say(self, text: str) -> None:
        message = json.loads(text)
        self.told.append((message["event"].removeprefix("backtest:"), message["data"]))

    def events(self) -> list[str]:
        """What was told since this was last asked; of progress how far it is."""
        told, self.told = self.told, []
        return [f"{data['progress']} %" if event == "progress" else event for event, data in told]

    async def progresses(self, job: Job, percent: int, attempt: int = 1) -> Frame:
        """A frame as the stream has it, which all know of from now on."""
        task = {"id": str(job.id), "attempt": attempt, "percent": percent}
        told = json.dumps({"user_id": str(ADA.user_id), "task": task})
        await self.bus.publish(PROGRESS_CHANNEL, told)
        async with asyncio.timeout(5):
            while True:
                known = self.streams.progress_of(ADA.user_id, [job.id])
                if known and known[0].task == task:
                    return known[0]
                await asyncio.sleep(0)

    def becomes(self, job: Job, state: JobState, **changes: Any) -> Frame:
        job = self.tasks.jobs[job.id]
        if state.is_final:
            changes["finished_at"] = START
        self.tasks.change(job, state=state, **changes)
        return self.last_event()

    def last_event(self) -> Frame:
        event = self.tasks.events[-1]
        job = next(job for job in self.tasks.jobs.values() if str(job.id) == event.task["id"])
        times = {"queued_at": None, "started_at": None, "finished_at": START.isoformat()}
        return Frame(event.type, {**event.task, "attempts": job.attempts, **times}, id_=event.id)


@pytest.fixture
async def booth() -> AsyncIterator[Booth]:
    tasks, bus, clock = FakeTasks(), FakeEventBus(), FakeClock()
    streams = Streams(
        bus=bus, feed=FakeEventFeed(tasks), accounts=FakeAccountWatch(), clock=clock, meter=FakeMeter.fresh()
    )
    streams.open()
    await asyncio.sleep(0)
    stream = streams.enter(ADA)
    stream.is_catching_up = False
    yield Booth(tasks, bus, streams, stream)
    await streams.close()


def running(booth: Booth) -> Job:
    job = booth.tasks.add(ADA.user_id, NEW)
    booth.becomes(job, JobState.RUNNING, attempts=1)
    return booth.tasks.jobs[job.id]


async def test_what_the_look_has_seen_is_not_told_again(booth: Booth) -> None:
    job = booth.tasks.add(ADA.user_id, NEW)
    queued = booth.last_event()
    started = booth.becomes(job, JobState.RUNNING, attempts=1)
    await booth.watching.subscribe(job.id)
    assert booth.events() == ["subscribed", "started"]
    ended = booth.becomes(job, JobState.COMPLETED)
    await booth.watching.tell([queued, None, started, ended, started])
    assert booth.events() == ["complete"]


async def test_what_comes_while_the_table_is_looked_at_is_told_after_it(booth: Booth) -> None:
    job = booth.tasks.add(ADA.user_id, NEW)
    booth.may_answer.clear()
    subscribing = asyncio.create_task(booth.watching.subscribe(job.id))
    await asyncio.sleep(0)
    telling = asyncio.create_task(booth.watching.tell([booth.becomes(job, JobState.RUNNING, attempts=1)]))
    await asyncio.sleep(0)
    booth.may_answer.set()
    await asyncio.gather(subscribing, telling)
    assert booth.events() == ["subscribed", "queued", "started"]


async def test_request_to_stop_is_an_event_but_no_news(booth: Booth) -> None:
    job = running(booth)
    await booth.watching.subscribe(job.id)
    booth.events()
    await booth.watching.tell([booth.becomes(job, JobState.RUNNING, cancel_requested_at=START)])
    assert booth.events() == []
    await booth.watching.tell([booth.becomes(job, JobState.CANCELLED)])
    assert booth.events() == ["complete"]


async def test_run_that_was_handed_back_is_told_to_begin_again(booth: Booth) -> None:
    job = running(booth)
    await booth.watching.subscribe(job.id)
    booth.events()
    # At a shutdown the attempt does not count, so the next has the same number.
    await booth.watching.tell([booth.becomes(job, JobState.QUEUED, attempts=0)])
    await booth.watching.tell([booth.becomes(job, JobState.RUNNING, attempts=1)])
    assert booth.events() == ["queued", "started"]


async def test_only_the_latest_progress_is_told_and_that_once(booth: Booth) -> None:
    job = running(booth)
    old = await booth.progresses(job, 10)
    latest = await booth.progresses(job, 20)
    await booth.watching.subscribe(job.id)
    assert booth.events() == ["subscribed", "started", "20 %"]
    await booth.watching.tell([old, latest])
    assert booth.events() == []
    await booth.watching.tell([await booth.progresses(job, 30)])
    assert booth.events() == ["30 %"]


async def test_progress_that_found_no_place_is_told_when_the_rest_was(booth: Booth) -> None:
    job, other = running(booth), running(booth)
    await booth.watching.subscribe(job.id)
    booth.events()
    noise = await booth.progresses(other, 1)
    while not booth.stream.has_missed:
        booth.stream.offer(noise)
    await booth.progresses(job, 99)
    frames = await booth.stream.take()
    assert len(frames) == MOST_WAITING_FRAMES
    booth.stream.is_catching_up = True  # as whoever follows it says, since something is missing
    await booth.watching.tell(frames)
    assert booth.events() == ["99 %"]


async def test_progress_counts_only_while_the_same_attempt_runs(booth: Booth) -> None:
    job = running(booth)
    await booth.watching.subscribe(job.id)
    await booth.watching.tell([await booth.progresses(job, 50)])
    await booth.watching.tell([booth.becomes(job, JobState.FAILED), await booth.progresses(job, 60)])
    await booth.watching.tell([booth.becomes(job, JobState.QUEUED), await booth.progresses(job, 70)])
    await booth.watching.tell([booth.becomes(job, JobState.RUNNING, attempts=2), await booth.progresses(job, 80)])
    await booth.watching.subscribe(job.id)
    await booth.watching.tell([await booth.progresses(job, 5, attempt=2)])
    assert booth.events() == [
        *("subscribed", "started", "50 %"),
        *("error", "queued", "started"),
        *("subscribed", "started", "5 %"),
    ]


async def test_result_of_a_later_run_is_not_taken_for_that_of_an_earlier(booth: Booth) -> None:
    job = running(booth)
    await booth.watching.subscribe(job.id)
    frames = [
        booth.becomes(job, JobState.CANCELLED, result={"total_return": 1}),
        booth.becomes(job, JobState.QUEUED, result=None, finished_at=None),
        booth.becomes(job, JobState.RUNNING, attempts=2),
        booth.becomes(job, JobState.COMPLETED, result={"total_return": 2}),
    ]
    await booth.watching.tell(frames)
    ends = [(data["status"], data["resultId"]) for event, data in booth.told if event == "complete"]
    assert ends == [("cancelled", None), ("completed", str(job.id))]
    assert booth.events() == ["subscribed", "started", "complete", "queued", "started", "complete"]


async def test_tasks_of_other_kinds_and_of_nobody_are_no_backtests(booth: Booth) -> None:
    train = booth.tasks.add(ADA.user_id, NewJob(kind=JobKind.TRAIN, payload={}, demand=NEW.demand))
    anothers = booth.tasks.add(uuid4(), NEW)
    for unknown in (train.id, anothers.id, uuid4()):
        with pytest.raises(BacktestNotFound):
            await booth.watching.subscribe(unknown)
    assert booth.events() == []

"""What the runner carries for a training: the champion before it, the model after it, whatever happens meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

import pytest

from backend.domain.errors import ServiceUnavailable
from backend.domain.jobs import Demand, JobFailure, JobKind, JobState, NewJob, Outcome
from backend.domain.market_errors import StorageFailed
from backend.domain.model_errors import ModelDamaged
from backend.worker.child import Child
from backend.worker.endings import Assignment, Ending, How
from backend.worker.errands import CarryModels
from backend.worker.running import Return, Running, Verdict
from tests.fake_jobs import FakeJobQueue, FakeTasks
from tests.job_tables import ROOM

ADA = UUID(int=1)
TRAINED = {"file": {"sha256": "b" * 64, "bytes": 5}}


class Courier:
    """Notes what it carries; raises what it was given, and waits where it is told to."""

    def __init__(self, *, trouble: Exception | None = None, on: str = "") -> None:
        self.carried: list[tuple[str, UUID, str]] = []
        self._trouble, self._on = trouble, on

    def fetch(self, owner: UUID, sha256: str) -> None:
        self._carry("fetch", owner, sha256)

    def deliver(self, owner: UUID, sha256: str) -> None:
        self._carry("deliver", owner, sha256)

    def _carry(self, what: str, owner: UUID, sha256: str) -> None:
        self.carried.append((what, owner, sha256))
        if self._trouble is not None and what == self._on:
            raise self._trouble


class Hand:
    """A child whose job ends when the test says so."""

    answers, resident_bytes = True, 0

    def __init__(self) -> None:
        self.begun: asyncio.Future[Assignment] = asyncio.get_running_loop().create_future()
        self.killed: list[How] = []
        self.end: Callable[[Ending], None] = lambda ending: None

    def begin(self, assignment: Assignment, on_progress: object, on_end: Callable[[Ending], None]) -> None:
        self.end = on_end
        self.begun.set_result(assignment)

    def kill(self, how: How) -> None:
        self.killed.append(how)


class Training:
    """One leased training, its child and what became of it."""

    def __init__(self, running: Running, verdict: "asyncio.Future[Verdict]") -> None:
        self.running, self.verdict, self.child = running, verdict, Hand()

    def begin(self, courier: Courier) -> None:
        errand = CarryModels(courier)
        self.running.begin_in(cast(Child, self.child), "a:work", lambda progress: None, errand)


async def training(champion: str | None = "a" * 64) -> Training:
    tasks = FakeTasks()
    payload: dict[str, Any] = {"champion": champion and {"sha256": champion}, "user_id": str(UUID(int=9))}
    tasks.add(ADA, NewJob(kind=JobKind.TRAIN, payload=payload, demand=Demand(cores=1, memory_bytes=1)))
    (lease,) = await FakeJobQueue(tasks).claim("runner", ROOM)
    verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    return Training(Running(lease, lambda _, came: verdict.set_result(came)), verdict)


async def test_the_champion_is_there_before_and_the_model_is_delivered_before_it_is_told() -> None:
    one, courier = await training(), Courier()
    one.begin(courier)
    await one.child.begun
    assert courier.carried == [("fetch", ADA, "a" * 64)]

    one.child.end(Ending(how=How.RETURNED, result=TRAINED, seconds=1.0))
    assert await one.verdict == Outcome.completed(TRAINED)
    assert courier.carried[1:] == [("deliver", ADA, "b" * 64)]
    assert one.running.worked_seconds == 1.0


async def test_without_a_champion_there_is_nothing_to_fetch() -> None:
    one, courier = await training(champion=None), Courier()
    one.begin(courier)
    await one.child.begun
    assert courier.carried == []


async def test_a_champion_that_is_gone_is_for_the_training_to_tell() -> None:
    one = await training()
    one.begin(Courier(trouble=ModelDamaged("gone"), on="fetch"))
    await one.child.begun


@pytest.mark.parametrize("way", ["fetch", "deliver"])
async def test_a_place_that_is_away_costs_an_attempt(way: str) -> None:
    one = await training()
    one.begin(Courier(trouble=ServiceUnavailable("away"), on=way))
    if way == "deliver":
        await one.child.begun
        one.child.end(Ending(how=How.RETURNED, result=TRAINED))
    verdict = await one.verdict
    assert isinstance(verdict, JobFailure)
    assert verdict.detail == "away"


async def test_a_model_that_cannot_be_kept_fails_its_training() -> None:
    one = await training()
    one.begin(Courier(trouble=StorageFailed("too large"), on="deliver"))
    await one.child.begun
    one.child.end(Ending(how=How.RETURNED, result=TRAINED))
    verdict = await one.verdict
    assert isinstance(verdict, Outcome)
    assert verdict.state is JobState.FAILED
    assert verdict.failure is not None
    assert verdict.failure.detail == "too large"


async def test_a_training_that_died_delivers_nothing() -> None:
    one, courier = await training(), Courier()
    one.begin(courier)
    await one.child.begun
    failure = JobFailure(code="worker_died", title="It died", detail="by a test")
    one.child.end(Ending(how=How.DIED, failure=failure))
    assert await one.verdict == failure
    assert [what for what, _, _ in courier.carried] == ["fetch"]


async def test_a_cancel_before_the_child_has_it_ends_it_there() -> None:
    one = await training()
    one.begin(Courier())
    one.running.cancel()
    assert await one.verdict == Outcome.cancelled()
    assert not one.child.begun.done()


async def test_a_server_that_stops_hands_it_back_also_on_the_way() -> None:
    one = await training()
    one.begin(Courier())
    await asyncio.sleep(0)
    one.running.stop()
    assert await one.verdict is Return.HANDED_BACK

"""The scheduler: adds what is due, when it is the chosen one, and never two of a kind."""

from backend.domain.jobs import JobKind, JobState
from backend.worker.scheduler import Scheduler
from tests.fake_jobs import FakeJobQueue, FakeTasks


class FakeElection:
    def __init__(self, *, is_won: bool = True) -> None:
        self.won = is_won

    async def is_won(self) -> bool:
        return self.won


class Installation:
    def __init__(self, *, is_won: bool = True) -> None:
        self.tasks, self.election, self.now = FakeTasks(), FakeElection(is_won=is_won), 1000.0
        self.scheduler = Scheduler(
            FakeJobQueue(self.tasks), self.election, {JobKind.MAINTAIN: 3600.0}, clock=lambda: self.now
        )

    async def look(self, *, later: float = 0.0) -> list[JobKind]:
        self.now += later
        return await self.scheduler.look()


async def test_everything_is_due_at_the_start_and_then_in_its_turn() -> None:
    installation = Installation()
    assert await installation.look() == [JobKind.MAINTAIN]
    assert await installation.look(later=3599) == []
    assert await installation.look(later=1) == [JobKind.MAINTAIN]


async def test_who_is_not_chosen_adds_nothing_until_it_is() -> None:
    installation = Installation(is_won=False)
    assert await installation.look(later=9999) == []
    installation.election.won = True
    assert await installation.look() == [JobKind.MAINTAIN]


async def test_what_still_waits_is_not_added_again() -> None:
    installation = Installation()
    await installation.look()
    await installation.look(later=3600)
    (job,) = installation.tasks.in_state(JobState.QUEUED)
    assert (job.user_id, job.kind, job.priority) == (None, JobKind.MAINTAIN, -5)


async def test_a_kind_that_has_nothing_to_do_is_looked_at_again_in_its_turn() -> None:
    tasks, now, is_any_due = FakeTasks(), 1000.0, False

    async def look() -> bool:
        return is_any_due

    scheduler = Scheduler(
        FakeJobQueue(tasks),
        FakeElection(),
        {JobKind.SCORE: 60.0},
        only_when={JobKind.SCORE: look},
        clock=lambda: now,
    )
    assert await scheduler.look() == []
    is_any_due = True
    assert await scheduler.look() == []
    now += 60
    assert await scheduler.look() == [JobKind.SCORE]
    assert await scheduler.look() == []

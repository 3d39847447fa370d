"""Who is next among leased jobs that wait for a child, and how many may be leased before there is room."""

from uuid import UUID, uuid4

import pytest

from backend.domain.jobs import NOTHING_AHEAD, JobKind, Lease, NewJob
from backend.worker.line import AHEAD_JOBS, LATEST_JOBS, Line, Pace
from backend.worker.running import Return, Running, Verdict
from tests.fake_jobs import FakeJobQueue, FakeTasks
from tests.job_tables import BACKTEST, ROOM

ADA, EVE = UUID(int=1), UUID(int=2)


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def leased(user_id: UUID = ADA, job: NewJob = BACKTEST) -> Running:
    tasks = FakeTasks()
    tasks.add(user_id, job)
    (lease,) = await FakeJobQueue(tasks).claim("runner", ROOM)
    return running(lease)


def running(lease: Lease) -> Running:
    return Running(lease, lambda one, verdict: None)


async def test_who_has_the_fewest_at_work_goes_first_then_who_came_first() -> None:
    line = Line()
    at_work = await leased(ADA)
    first, second, other = await leased(ADA), await leased(ADA), await leased(EVE)
    for one in (first, second, other):
        line.add(one)
    assert line.next([at_work]) is other
    line.remove(other)
    assert line.next([at_work]) is first
    line.remove(first)
    assert line.next([]) is second
    line.remove(second)
    assert line.next([]) is None
    assert len(line) == 0


async def test_what_waits_for_a_quarter_of_a_second_has_waited_too_long() -> None:
    clock = Hand()
    line = Line(clock)
    early, late = await leased(), await leased()
    line.add(early)
    clock.now += 0.2
    line.add(late)
    assert line.waited_too_long() == []
    clock.now += 0.1
    assert line.waited_too_long() == [early]


async def test_waiting_job_that_is_given_up_ends_at_once_and_says_so_once() -> None:
    told: list[Verdict] = []
    one = Running((await leased()).lease, lambda _, verdict: told.append(verdict))
    one.stop()
    one.stop()
    one.cancel()
    assert told == [Return.HANDED_BACK]


async def test_nothing_is_leased_ahead_before_a_kind_is_known_to_be_brief() -> None:
    pace, clock = paced()
    for _ in range(LATEST_JOBS - 1):
        await work(pace, clock, 0.001)
    assert pace.ahead(2, 0) == NOTHING_AHEAD
    await work(pace, clock, 0.001)
    assert pace.ahead(2, 0).kinds == {JobKind.BACKTEST}
    assert pace.ahead(2, 0).count == 2 * AHEAD_JOBS


async def test_what_is_leased_ahead_is_some_milliseconds_of_work() -> None:
    pace, clock = paced()
    for _ in range(LATEST_JOBS):
        await work(pace, clock, 0.004)
    assert pace.ahead(2, 0).count == 2 * 2


async def test_one_long_job_ends_leasing_ahead_for_a_while() -> None:
    pace, clock = paced()
    for _ in range(LATEST_JOBS):
        await work(pace, clock, 0.001)
    await work(pace, clock, 3.0)
    assert pace.ahead(2, 0) == NOTHING_AHEAD
    for _ in range(LATEST_JOBS):
        await work(pace, clock, 0.001)
    assert pace.ahead(2, 0).count > 0


async def test_a_place_that_is_at_one_job_for_long_gets_nothing_ahead() -> None:
    pace, clock = paced()
    for _ in range(LATEST_JOBS):
        await work(pace, clock, 0.001)
    long = await leased()
    pace.begins(long)
    assert pace.ahead(2, 0).count == 2 * AHEAD_JOBS
    clock.now += 0.1
    assert pace.ahead(2, 0).count == AHEAD_JOBS
    assert pace.ahead(1, 0).count == 0


async def test_the_line_is_filled_again_when_half_of_it_is_gone() -> None:
    pace, clock = paced()
    for _ in range(LATEST_JOBS):
        await work(pace, clock, 0.001)
    assert pace.ahead(2, AHEAD_JOBS + 1) == NOTHING_AHEAD
    assert pace.ahead(2, AHEAD_JOBS).count == AHEAD_JOBS


async def test_jobs_that_no_child_did_say_nothing_about_their_kind() -> None:
    pace, _ = paced()
    for _ in range(LATEST_JOBS):
        one = await leased()
        pace.begins(one)
        assert pace.ends(one) == 0
    assert pace.ahead(2, 0) == NOTHING_AHEAD


async def test_a_job_is_as_brief_as_its_child_says_and_as_long_as_it_took_when_the_child_says_nothing() -> None:
    pace, clock = paced()
    for _ in range(LATEST_JOBS):
        await work(pace, clock, 0.1, by_its_own_clock=0.001)
    assert pace.ahead(2, 0).count == 2 * AHEAD_JOBS
    await work(pace, clock, 0.2)
    assert pace.ahead(2, 0) == NOTHING_AHEAD


def paced() -> tuple[Pace, Hand]:
    clock = Hand()
    return Pace(clock), clock


async def work(pace: Pace, clock: Hand, seconds: float, *, by_its_own_clock: float | None = None) -> None:
    one = await leased(uuid4())
    one.was_sent, one.worked_seconds = True, by_its_own_clock
    pace.begins(one)
    clock.now += seconds
    assert pace.ends(one) == pytest.approx(seconds)

"""Why jobs wait and for how long: by room, by turn, by limit; honest where it cannot be known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.forecast import CompletedRun, Forecasts
from backend.domain.jobs import Demand, JobKind
from backend.domain.queue_play import ME, MOST_STARTS, BusyJob, QueueAround, WaitingJobs
from backend.domain.waiting import Wait, waits

MIB = 1024**2
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ONE = Demand(cores=1, memory_bytes=100 * MIB)
MACHINE = Demand(cores=2, memory_bytes=1000 * MIB)
FULL = Demand(cores=0, memory_bytes=800 * MIB)
MINE = WaitingJobs(
    owner=ME,
    kind=JobKind.BACKTEST,
    demand=ONE,
    work_units=None,
    turn_seconds=5.0,
    last_turn_seconds=5.0,
    waited_seconds=5.0,
    job_id=UUID(int=1),
    place=1,
)
THEIRS = replace(MINE, owner=1, job_id=None, place=None, turn_seconds=50.0, last_turn_seconds=50.0, waited_seconds=50.0)
BUSY = BusyJob(owner=-1, is_here=True, kind=JobKind.BACKTEST, demand=ONE, work_units=None, elapsed=0.0)


def knowing(**seconds: float) -> Forecasts:
    """Of each kind one job that took so long."""
    forecasts = Forecasts()
    forecasts.learn(
        CompletedRun(
            job_id=uuid4(),
            kind=JobKind(kind),
            work_units=1.0,
            seconds=took,
            ended_at=NOON,
        )
        for kind, took in seconds.items()
    )
    return forecasts


def around(
    waiting: Sequence[WaitingJobs], running: Sequence[BusyJob] = (), *, limit: int = 16, is_cut: bool = False
) -> QueueAround:
    owners = {jobs.owner for jobs in waiting}
    return QueueAround(
        waiting=waiting, running=running, most_running=dict.fromkeys(owners, 16) | {ME: limit}, is_cut=is_cut
    )


def foreseen(found: QueueAround, *, room: Demand = FULL, forecasts: Forecasts | None = None) -> Mapping[UUID, Wait]:
    return waits(
        found,
        forecasts or knowing(backtest=10.0),
        room=room,
        capacity=MACHINE,
        lacks=lambda demand: None if demand.fits(room) else "Lacks room.",
    )


def queue_of_mine(count: int, **changes: Any) -> list[WaitingJobs]:
    return [replace(MINE, job_id=UUID(int=place), place=place, **changes) for place in range(1, count + 1)]


def test_job_with_room_and_nobody_ahead_does_not_wait() -> None:
    assert foreseen(around([MINE]), room=MACHINE) == {}


def test_first_job_waits_for_what_runs_to_end() -> None:
    (wait,) = foreseen(around([MINE], [replace(BUSY, elapsed=4.0), replace(BUSY, elapsed=1.0)])).values()
    assert wait == Wait(reason="Lacks room.", seconds=6.0)


def test_each_place_in_the_queue_waits_for_those_before_it() -> None:
    found = foreseen(around(queue_of_mine(5), [replace(BUSY, elapsed=4.0), replace(BUSY, elapsed=1.0)]))
    assert [found[UUID(int=place)].seconds for place in range(1, 6)] == [6.0, 9.0, 16.0, 19.0, 26.0]
    assert found[UUID(int=2)].reason == "Lacks room. 1 task is ahead of it, yours."
    assert found[UUID(int=5)].reason == "Lacks room. 4 tasks are ahead of it, all of them yours."


def test_jobs_that_fit_now_are_counted_off_before_others_wait_for_their_turn() -> None:
    found = foreseen(around(queue_of_mine(3)), room=MACHINE)
    assert list(found) == [UUID(int=3)]
    assert found[UUID(int=3)].reason == "Waits for its turn. 2 tasks are ahead of it, all of them yours."
    assert found[UUID(int=3)].seconds == 10.0


def test_flood_of_another_delays_the_first_job_by_one_of_theirs_at_most() -> None:
    flood = replace(THEIRS, count=64, is_cut=True)
    running = [replace(BUSY, owner=1, elapsed=5.0), replace(BUSY, owner=1)]
    found = foreseen(around([*queue_of_mine(2), flood], running))
    assert found[UUID(int=1)] == Wait(reason="Lacks room.", seconds=5.0)
    # Then each of us has one running, and the other has been waiting longer.
    assert found[UUID(int=2)].reason == "Lacks room. 2 tasks are ahead of it, 1 of them yours."
    assert found[UUID(int=2)].seconds == 15.0


def test_limit_of_running_jobs_is_named_with_its_numbers() -> None:
    running = [replace(BUSY, owner=ME, elapsed=4.0)]
    found = foreseen(around(queue_of_mine(2), running, limit=1), room=ONE)
    assert found[UUID(int=1)] == Wait(reason="Waits for one of your tasks to end: 1 of at most 1 run.", seconds=6.0)
    assert found[UUID(int=2)].seconds == 16.0


def test_limit_that_jobs_ahead_will_reach_is_named() -> None:
    found = foreseen(around(queue_of_mine(2), limit=1), room=MACHINE)
    assert found[UUID(int=2)] == Wait(
        reason="Waits for your other tasks: at most 1 of yours run at once. 1 task is ahead of it, yours.", seconds=10.0
    )


def test_work_of_what_is_ahead_counts() -> None:
    ahead = replace(THEIRS, work_units=7.0)
    (wait,) = foreseen(around([MINE, ahead], [replace(BUSY, demand=MACHINE)], limit=1), room=FULL).values()
    assert wait.seconds == 10.0
    (wait,) = foreseen(around([MINE, replace(ahead, demand=MACHINE)]), room=MACHINE).values()
    assert wait.seconds == 70.0


def test_small_job_does_not_pass_a_large_one_that_was_patient() -> None:
    large = replace(THEIRS, demand=MACHINE, turn_seconds=70.0, waited_seconds=70.0)
    running = [replace(BUSY, elapsed=4.0)]
    room = Demand(cores=1, memory_bytes=900 * MIB)
    (wait,) = foreseen(around([MINE, large], running), room=room).values()
    assert wait == Wait(reason="Waits for its turn. 1 task is ahead of it.", seconds=16.0)
    impatient = replace(large, waited_seconds=10.0)
    assert foreseen(around([MINE, impatient], running), room=room) == {}


def test_job_larger_than_the_machine_waits_for_no_time_that_is_known() -> None:
    first, second = queue_of_mine(2)
    found = foreseen(around([replace(first, demand=Demand(cores=3, memory_bytes=1)), second]))
    assert found[UUID(int=1)] == Wait(reason="Lacks room.", seconds=None)
    assert found[UUID(int=2)].seconds is None
    assert found[UUID(int=2)].reason.endswith("nothing runs here that would make room.")


def test_kind_that_was_never_completed_is_named_in_place_of_a_guess() -> None:
    running = [replace(BUSY, kind=JobKind.WALK_FORWARD)]
    (wait,) = foreseen(around([MINE], running)).values()
    assert wait.seconds is None
    assert wait.reason.endswith("How long is not known: no task of the kind walk forward has been completed yet.")


def test_unknown_job_does_not_hide_that_another_ends_before() -> None:
    running = [replace(BUSY, kind=JobKind.TRAIN), replace(BUSY, elapsed=3.0)]
    (wait,) = foreseen(around([MINE], running)).values()
    assert wait.seconds == 7.0


def test_room_of_other_servers_is_not_guessed() -> None:
    (wait,) = foreseen(around([MINE], [BUSY, replace(BUSY, is_here=False)])).values()
    assert wait.seconds is None
    assert wait.reason.endswith("other servers take tasks too, and how much room they have is not known here.")


def test_more_users_than_were_looked_at_make_it_unknown() -> None:
    (wait,) = foreseen(around([MINE], [BUSY], is_cut=True)).values()
    assert (wait.seconds, wait.reason) == (None, "Lacks room. How long is not known: too many people wait.")


def test_far_places_are_reckoned_from_the_pace_so_far() -> None:
    near, far = queue_of_mine(256), replace(MINE, job_id=UUID(int=5000), place=5000)
    found = foreseen(around([*near, far], [BUSY, BUSY]))
    assert found[UUID(int=5000)].seconds == pytest.approx(25_000, rel=0.01)
    assert found[UUID(int=5000)].reason == "Lacks room. At least 4,999 tasks are ahead of it, all of them yours."


def test_play_is_bounded_however_much_waits() -> None:
    flood = [
        replace(THEIRS, owner=owner, count=64, is_cut=True, kind=kind, turn_seconds=float(owner))
        for owner in range(1, 201)
        for kind in (JobKind.BACKTEST, JobKind.SWEEP)
    ]
    found = foreseen(around([*queue_of_mine(256), *flood], [BUSY, BUSY]), forecasts=knowing(backtest=10.0, sweep=20.0))
    assert len(found) == 256
    assert found[UUID(int=256)].reason.startswith(f"Lacks room. At least {MOST_STARTS:,} tasks are ahead of it")
    assert found[UUID(int=256)].reason.endswith("How long is not known: too much is ahead of it.")


WAITING = st.builds(
    replace,
    st.just(THEIRS),
    owner=st.integers(1, 4),
    kind=st.sampled_from([JobKind.BACKTEST, JobKind.SWEEP, JobKind.TRAIN]),
    demand=st.builds(Demand, cores=st.integers(1, 3), memory_bytes=st.integers(1, 1200 * MIB)),
    count=st.integers(1, 30),
    turn_seconds=st.floats(-10, 1000),
    waited_seconds=st.floats(0, 1000),
)
RUNNING = st.builds(
    replace,
    st.just(BUSY),
    owner=st.integers(-1, 4),
    kind=st.sampled_from([JobKind.BACKTEST, JobKind.SWEEP, JobKind.TRAIN]),
    elapsed=st.floats(0, 1e6),
)


@given(st.lists(WAITING, max_size=8), st.lists(RUNNING, max_size=4), st.integers(1, 30), st.integers(1, 4))
def test_waits_are_never_negative_and_grow_with_the_place(
    theirs: list[WaitingJobs], running: list[BusyJob], count: int, limit: int
) -> None:
    found = foreseen(
        around([*queue_of_mine(count), *theirs], running, limit=limit),
        room=Demand(cores=max(2 - len(running), 0), memory_bytes=700 * MIB),
        forecasts=knowing(backtest=10.0, sweep=0.5),
    )
    waited = [found.get(UUID(int=place)) for place in range(1, count + 1)]
    known = [0.0 if wait is None else wait.seconds for wait in waited]
    seconds = [one for one in known if one is not None]
    assert known[: len(seconds)] == seconds, "what is behind an unknown wait is unknown"
    assert seconds == sorted(seconds)
    assert all(math.isfinite(one) and one >= 0 for one in seconds)
    assert all(wait.reason.endswith(".") for wait in found.values())

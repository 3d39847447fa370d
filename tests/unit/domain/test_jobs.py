"""The states of a job and the rules of each kind."""

import pytest

from backend.domain.events import EventLog
from backend.domain.jobs import HEARTBEAT_SECONDS, KINDS, LEASE_SECONDS, Demand, JobKind, JobState, Workplace

QUEUED, RUNNING = JobState.QUEUED, JobState.RUNNING
COMPLETED, FAILED, CANCELLED = JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED


@pytest.mark.parametrize(
    ("state", "following"),
    [
        (QUEUED, {RUNNING, CANCELLED}),
        (RUNNING, {QUEUED, COMPLETED, FAILED, CANCELLED}),
        (COMPLETED, set()),
        (FAILED, {QUEUED}),
        (CANCELLED, {QUEUED}),
    ],
)
def test_moves_of_a_job(state: JobState, following: set[JobState]) -> None:
    assert {other for other in JobState if state.can_become(other)} == following


def test_states_that_last() -> None:
    assert {state for state in JobState if state.is_final} == {COMPLETED, FAILED, CANCELLED}


def test_every_kind_has_rules() -> None:
    assert set(KINDS) == set(JobKind)
    assert {kind for kind, rules in KINDS.items() if rules.workplace == Workplace.RUNNER} == {
        JobKind.FETCH,
        JobKind.MAINTAIN,
        JobKind.SCORE,
    }


def test_lease_outlives_missed_heartbeats() -> None:
    assert LEASE_SECONDS >= 5 * HEARTBEAT_SECONDS


@pytest.mark.parametrize(("cores", "memory", "fits"), [(2, 100, True), (1, 1, True), (3, 100, False), (2, 101, False)])
def test_demand_fits_in_cores_and_in_memory(cores: int, memory: int, fits: bool) -> None:
    assert Demand(cores=cores, memory_bytes=memory).fits(Demand(cores=2, memory_bytes=100)) is fits


@pytest.mark.parametrize(("after", "continues"), [(3, False), (4, True), (9, True), (10, False), (-1, False)])
def test_log_continues_where_nothing_was_deleted(after: int, continues: bool) -> None:
    assert EventLog(events=(), first_kept_id=5, last_id=9).continues(after) is continues

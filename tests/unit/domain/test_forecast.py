"""How long jobs take: by their kind, by how much work they are, by how far they are; robust, and never absurd."""

import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.forecast import LATEST_COMMIT, REMEMBERED_RUNS, CompletedRun, Forecasts, Pace
from backend.domain.jobs import JobKind

KIND = JobKind.SWEEP
START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
Duration = Callable[[float, random.Random], float]


def run(seconds: float, *, work: float | None = None, after: float = 0.0, kind: JobKind = KIND) -> CompletedRun:
    return CompletedRun(
        job_id=uuid4(), kind=kind, work_units=work, seconds=seconds, ended_at=START + timedelta(seconds=after)
    )


def after(*seconds: float) -> Forecasts:
    forecasts = Forecasts()
    forecasts.learn([run(took, after=number) for number, took in enumerate(seconds)])
    return forecasts


def test_nothing_is_known_before_the_first_job() -> None:
    forecasts = Forecasts()
    assert forecasts.expected(KIND, 10.0) is None
    assert forecasts.remaining(KIND, elapsed=5.0) is None
    assert forecasts.error(KIND) is None
    assert forecasts.history() == []


def test_jobs_of_unknown_size_take_what_such_jobs_usually_take() -> None:
    assert after(50.0, 60.0, 1000.0).expected(KIND) == 60.0
    assert after(50.0, 60.0, 1000.0).expected(KIND, 7.0) == 60.0
    assert after(50.0).expected(JobKind.TRAIN) is None


def test_more_work_takes_longer_by_the_seconds_that_a_unit_took() -> None:
    forecasts = Forecasts()
    forecasts.learn([run(10.0, work=100.0), run(22.0, work=200.0, after=1), run(30.0, work=300.0, after=2)])
    assert forecasts.expected(KIND, 1000.0) == pytest.approx(100.0)
    assert forecasts.expected(KIND) == 22.0


def test_fixed_part_is_found_once_there_are_enough_runs() -> None:
    pace = Pace.of([(work, 5.0 + 0.1 * work) for work in (10.0, 20.0, 30.0, 50.0, 70.0, 90.0, 100.0)])
    assert pace.fixed_seconds == pytest.approx(5.0)
    assert pace.seconds_per_unit == pytest.approx(0.1)


def test_where_work_says_nothing_it_is_not_believed() -> None:
    takes = [5.0, 5.2, 4.9, 5.1, 5.0, 4.8]
    pace = Pace.of(list(zip([10.0, 1000.0, 100.0, 20.0, 500.0, 70.0], takes, strict=True)))
    assert pace.seconds(1.0) == pytest.approx(pace.seconds(10_000.0), rel=0.1)


def test_few_runs_that_stood_still_change_little() -> None:
    runs = [(float(work), 0.1 * work) for work in range(10, 110, 10)]
    disturbed = [(work, seconds * (50 if work in (30.0, 80.0) else 1)) for work, seconds in runs]
    assert Pace.of(disturbed).seconds(50.0) == pytest.approx(5.0, rel=0.1)


def test_what_is_over_time_still_takes_a_share_of_its_time() -> None:
    forecasts = after(50.0)
    assert forecasts.remaining(KIND, elapsed=20.0) == 30.0
    assert forecasts.remaining(KIND, elapsed=200.0) == pytest.approx(20.0)


def test_without_history_the_pace_tells() -> None:
    assert Forecasts().eta(KIND, elapsed=10.0, percent=25.0) == 30.0


@pytest.mark.parametrize("percent", [None, 0.0, 1.0, math.nan])
def test_without_history_and_pace_nothing_is_told(percent: float | None) -> None:
    assert Forecasts().eta(KIND, elapsed=10.0, percent=percent) is None


def test_the_pace_counts_more_the_further_the_job_is() -> None:
    # By history 60 s are left, by its pace 40 s.
    assert after(100.0).eta(KIND, elapsed=40.0, percent=50.0) == pytest.approx((40.0 * 60.0) ** 0.5)
    assert after(100.0).eta(KIND, elapsed=90.0, percent=90.0) == pytest.approx(10.0)


def test_the_error_of_what_was_foreseen_is_measured() -> None:
    forecasts = after(100.0, 100.0, 80.0, 125.0)
    assert forecasts.error(KIND) == pytest.approx(0.2)
    (history,) = forecasts.history()
    assert (history.kind, history.jobs, history.typical_seconds) == (KIND, 4, 100.0)
    assert history.eta_error == pytest.approx(0.2)


def test_learning_again_changes_nothing_and_the_order_of_the_ends_counts() -> None:
    runs = [run(10.0 + number, after=number) for number in range(5)]
    once, again = Forecasts(), Forecasts()
    once.learn(runs)
    again.learn(reversed(runs))
    again.learn(runs)
    assert again.history() == once.history()
    assert again.learned_until == START + timedelta(seconds=4)


def test_what_was_committed_late_is_taken_in() -> None:
    forecasts = after(10.0)
    forecasts.learn([run(30.0, after=-LATEST_COMMIT.total_seconds() / 2)])
    assert forecasts.expected(KIND) == 20.0


def test_only_the_latest_runs_count() -> None:
    assert after(*[1000.0] * 20, *[10.0] * REMEMBERED_RUNS).expected(KIND) == 10.0


AMOUNTS = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
SECONDS = st.floats(min_value=0, max_value=1e7)
RUNS = st.lists(st.tuples(st.none() | AMOUNTS, SECONDS), min_size=1, max_size=60)


def learned(runs: Sequence[tuple[float | None, float]]) -> Forecasts:
    forecasts = Forecasts()
    forecasts.learn([run(seconds, work=work, after=number) for number, (work, seconds) in enumerate(runs)])
    return forecasts


@given(RUNS, AMOUNTS, AMOUNTS)
def test_more_work_never_takes_less_time(runs: list[tuple[float | None, float]], one: float, other: float) -> None:
    forecasts = learned(runs)
    less, more = (forecasts.expected(KIND, work) for work in sorted((one, other)))
    assert less is not None
    assert more is not None
    assert less <= more


@given(RUNS, st.none() | AMOUNTS, st.floats(min_value=0, max_value=1e8), st.none() | st.floats())
def test_forecasts_are_finite_and_never_negative(
    runs: list[tuple[float | None, float]], work: float | None, elapsed: float, percent: float | None
) -> None:
    forecasts = learned(runs)
    (history,) = forecasts.history()
    for told in (
        forecasts.expected(KIND, work),
        forecasts.remaining(KIND, work, elapsed=elapsed),
        forecasts.eta(KIND, work, elapsed=elapsed, percent=percent),
        history.typical_seconds,
        history.eta_error or 0.0,
    ):
        assert told is not None
        assert math.isfinite(told)
        assert told >= 0


@pytest.mark.parametrize(
    "took",
    [
        pytest.param(lambda work, noise: 1e-5 * work * noise.lognormvariate(0, 0.25), id="in proportion"),
        pytest.param(lambda work, noise: (3 + 1e-5 * work) * noise.lognormvariate(0, 0.25), id="with a start"),
        pytest.param(lambda work, noise: 5 * noise.lognormvariate(0, 0.25), id="whatever the work"),
        pytest.param(
            lambda work, noise: 1e-5 * work * noise.lognormvariate(0, 0.2) * (5 if noise.random() < 0.15 else 1),
            id="on a machine that is busy at times",
        ),
        pytest.param(lambda work, noise: 1e-6 * work * math.log(work) * noise.lognormvariate(0, 0.2), id="by sorting"),
    ],
)
def test_after_twenty_jobs_half_of_them_are_foreseen_within_thirty_percent(took: Duration) -> None:
    """Sizes differ by ten times, and durations are as noisy as a shared machine's."""
    for seed in range(20):
        noise, forecasts, missed = random.Random(seed), Forecasts(), []
        for number in range(100):
            work = 1e5 * 10 ** noise.random()
            seconds = took(work, noise)
            expected = forecasts.expected(KIND, work)
            if expected is not None and number >= 20:
                missed.append(abs(expected - seconds) / seconds)
            forecasts.learn([run(seconds, work=work, after=number)])
        assert median(missed) <= 0.30, seed
        error = forecasts.error(KIND)
        assert error is not None
        assert error <= 0.30, seed

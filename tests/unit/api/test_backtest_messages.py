"""From tasks to what sockets are told of backtests: the figures that are there, and null for those that are not."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from backend.api.backtest_messages import in_brief, progress, standing
from backend.domain.jobs import Demand, JobFailure, JobKind, JobState, NewJob
from tests.fake_jobs import FakeTasks
from tests.fakes import START

USER = UUID("7d1f0a52-3f0e-4a52-9d3c-2b1a0f9e8d7c")
TASK = "0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a"
ABOUT = {"backtestId": TASK, "userId": str(USER)}
NOTHING = {"totalReturn": None, "sharpeRatio": None, "maxDrawdown": None}
# As Postgres writes it, without the zeros at the end.
MOMENT, IN_FULL = "2026-11-20T09:30:00.5+00:00", "2026-11-20T09:30:00.500000+00:00"
FAILURE = {"code": "out_of_memory", "title": "Too much", "detail": "402 of 384 MiB.", "remedy": "Choose less."}


def task(state: str, **more: Any) -> dict[str, Any]:
    times = {"queued_at": MOMENT, "started_at": MOMENT, "finished_at": MOMENT}
    return {"id": TASK, "state": state, "attempts": 2, "failure": None, **times, **more}


@pytest.mark.parametrize(
    ("brief", "event", "data"),
    [
        (task("queued"), "backtest:queued", {"timestamp": IN_FULL}),
        (task("running"), "backtest:started", {"attempt": 2, "timestamp": IN_FULL}),
        (task("running", started_at=None), "backtest:started", {"attempt": 2, "timestamp": None}),
        (
            task("failed", failure=FAILURE),
            "backtest:error",
            {"error": "402 of 384 MiB.", "code": "out_of_memory", "remedy": "Choose less.", "timestamp": IN_FULL},
        ),
        (
            task("failed"),
            "backtest:error",
            {
                "error": "It failed, and nothing is known of why.",
                "code": None,
                "remedy": None,
                "timestamp": IN_FULL,
            },
        ),
        (task("completed"), "backtest:complete", {"status": "completed", "resultId": None, "summary": NOTHING}),
        (task("cancelled"), "backtest:complete", {"status": "cancelled", "resultId": None, "summary": NOTHING}),
    ],
)
def test_each_state_has_its_message(brief: dict[str, Any], event: str, data: dict[str, Any]) -> None:
    assert standing(USER, brief) == (event, {**ABOUT, **data})


@pytest.mark.parametrize(
    ("result", "result_id", "summary"),
    [
        ({}, TASK, NOTHING),
        ({"result_id": "r-1"}, "r-1", NOTHING),
        ({"result_id": 7}, TASK, NOTHING),
        ({"total_return": 0.1}, TASK, {**NOTHING, "totalReturn": 0.1}),
        ({"summary": {"sharpe_ratio": 2}}, TASK, {**NOTHING, "sharpeRatio": 2}),
        ({"summary": {}, "sharpe_ratio": 2}, TASK, NOTHING),
        ({"summary": "good", "max_drawdown": -0.2}, TASK, {**NOTHING, "maxDrawdown": -0.2}),
        ({"total_return": "0.1", "sharpe_ratio": True, "max_drawdown": float("nan")}, TASK, NOTHING),
        ({"total_return": float("inf"), "sharpe_ratio": 10**400}, TASK, NOTHING),
    ],
)
def test_summary_holds_the_figures_of_the_result_and_makes_none_up(
    result: dict[str, Any], result_id: str, summary: dict[str, Any]
) -> None:
    _, data = standing(USER, task("completed"), result)
    assert (data["resultId"], data["summary"]) == (result_id, summary)


@pytest.mark.parametrize(
    ("told", "data"),
    [
        ({}, (None, None, None)),
        ({"percent": 40.5, "stage": "Testing"}, (40.5, "Testing", None)),
        ({"percent": None, "stage": "Testing", "message": None}, (None, "Testing", None)),
        ({"percent": 0, "stage": "Testing", "message": "Bar 4"}, (0, "Bar 4", None)),
        ({"percent": "40", "current_date": "2025-03-31"}, (None, None, "2025-03-31")),
        ({"current_date": 20250331, "log_tail": "secret"}, (None, None, None)),
    ],
)
def test_progress_says_what_the_task_says(told: dict[str, Any], data: tuple[object, object, object]) -> None:
    names = ("progress", "message", "currentDate")
    expected = {**ABOUT, **dict(zip(names, data, strict=True))}
    assert progress(USER, {"id": TASK, **told}) == ("backtest:progress", expected)


def test_job_of_the_table_is_told_like_an_event_without_its_log() -> None:
    job = FakeTasks().add(USER, NewJob(kind=JobKind.BACKTEST, payload={}, demand=Demand(cores=1, memory_bytes=1)))
    event, data = standing(USER, in_brief(job))
    assert (event, data["backtestId"]) == ("backtest:queued", str(job.id))
    failure = JobFailure(code="broken", title="It broke", detail="By 3 of 5.", log_tail="a password")
    failed = replace(job, state=JobState.FAILED, finished_at=START, failure=failure)
    event, data = standing(USER, in_brief(failed))
    assert (event, data["error"], data["remedy"]) == ("backtest:error", "By 3 of 5.", None)
    assert data["timestamp"] == START.isoformat()
    assert "password" not in str(in_brief(failed))

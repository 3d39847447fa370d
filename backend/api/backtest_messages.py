"""What a socket is told of a backtest, made from its task. Grows with backtests; nothing is made up meanwhile."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from backend.domain.jobs import Job, JobKind, JobState

# Tasks that can be watched; the id of a backtest is that of its task.
KINDS = frozenset({JobKind.BACKTEST, JobKind.SWEEP, JobKind.OPTIMIZE, JobKind.WALK_FORWARD})
SUMMARY = {"totalReturn": "total_return", "sharpeRatio": "sharpe_ratio", "maxDrawdown": "max_drawdown"}

Facts = Mapping[str, Any]
Told = tuple[str, dict[str, Any]]


def standing(user_id: UUID, task: Facts, result: Facts | None = None) -> Told:
    """The message that says where the task stands. Its result counts only when it is over."""
    about = {"backtestId": task["id"], "userId": str(user_id)}
    match JobState(task["state"]):
        case JobState.QUEUED:
            return "backtest:queued", {**about, "timestamp": _time(task["queued_at"])}
        case JobState.RUNNING:
            return "backtest:started", {**about, "attempt": task["attempts"], "timestamp": _time(task["started_at"])}
        case JobState.FAILED:
            return "backtest:error", {
                **about,
                **_error(task.get("failure") or {}),
                "timestamp": _time(task["finished_at"]),
            }
        case ended:
            return "backtest:complete", {**about, "status": ended.value, **_outcome(task["id"], result)}


def progress(user_id: UUID, task: Facts) -> Told:
    """How far it is. The date is that of the bar it works on, when the task says so."""
    date = task.get("current_date")
    return "backtest:progress", {
        "backtestId": task["id"],
        "userId": str(user_id),
        "progress": _number(task.get("percent")),
        "message": task.get("message") or task.get("stage"),
        "currentDate": date if isinstance(date, str) else None,
    }


def in_brief(job: Job) -> Facts:
    """A job in the words of the events that tell of it."""
    failure = job.failure
    return {
        "id": str(job.id),
        "state": job.state,
        "attempts": job.attempts,
        "queued_at": job.queued_at.isoformat(),
        "started_at": job.started_at and job.started_at.isoformat(),
        "finished_at": job.finished_at and job.finished_at.isoformat(),
        "failure": failure
        and {"code": failure.code, "title": failure.title, "detail": failure.detail, "remedy": failure.remedy},
    }


def _error(failure: Facts) -> dict[str, Any]:
    return {
        "error": failure.get("detail") or failure.get("title") or "It failed, and nothing is known of why.",
        "code": failure.get("code"),
        "remedy": failure.get("remedy"),
    }


def _outcome(task_id: str, result: Facts | None) -> dict[str, Any]:
    """A result names the place where it is kept, or is kept with its task."""
    if result is None:
        return {"resultId": None, "summary": dict.fromkeys(SUMMARY)}
    named, summary = result.get("result_id"), result.get("summary")
    figures = summary if isinstance(summary, Mapping) else result
    return {
        "resultId": named if isinstance(named, str) else task_id,
        "summary": {name: _number(figures.get(figure)) for name, figure in SUMMARY.items()},
    }


def _time(text: str | None) -> str | None:
    """In one form, whoever wrote it: Postgres leaves out the zeros at the end."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC).isoformat()


def _number(value: object) -> float | None:
    """What is no number, or none that JSON knows, is none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return value
    return None

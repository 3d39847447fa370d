"""How a job in a child can end, and what is said about it: the cause, the numbers, and what to do."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backend.domain.job_data import LARGEST_RESULT_BYTES, readable
from backend.domain.jobs import JobFailure


class How(StrEnum):
    """How a job in a child came to its end."""

    RETURNED = "returned"
    RAISED = "raised"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    DIED = "died"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The end of a job in a child, whatever became of the child."""

    how: How
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    failure: JobFailure | None = None
    log_tail: str | None = field(default=None, repr=False)
    # How long the work took by the child's own clock, where it came to its end.
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What a child is told to do, and what it may take."""

    work: str  # "package.module:function"
    payload: Mapping[str, Any] = field(repr=False)
    cores: int
    memory_bytes: int
    wall_limit_seconds: float


def failure_of(
    how: How,
    assignment: Assignment,
    *,
    held_bytes: int,
    exit_code: int | None,
    was_silent: bool,
    raised: Mapping[str, Any] | None,
    log_tail: str | None,
) -> JobFailure | None:
    """None for what is no failure: a result, a cancel, the end of the server."""
    match how:
        case How.RAISED if raised is not None:
            words = {name: readable(raised[name]) for name in ("code", "title", "detail")}
            return JobFailure(**words, log_tail=log_tail)
        case How.OUT_OF_MEMORY:
            return JobFailure(
                code="memory_limit_reached",
                title="The task needed more memory than it was given",
                detail=f"It held {_mib(held_bytes)} of memory; {_mib(assignment.memory_bytes)} were set aside for it.",
                remedy="Choose a smaller input: fewer bars, fewer combinations or a longer timeframe.",
                log_tail=log_tail,
            )
        case How.TIMED_OUT:
            return JobFailure(
                code="time_limit_reached",
                title="The task took too long",
                detail=f"It was not done after {assignment.wall_limit_seconds:,.0f} s, the limit for its kind.",
                remedy="Choose a smaller input, or split it into several tasks.",
                log_tail=log_tail,
            )
        case How.DIED:
            return JobFailure(
                code="worker_died",
                title="The process that ran the task died",
                detail=_cause_of_death(exit_code, held_bytes=held_bytes, was_silent=was_silent),
                remedy="Run it again. If it dies again, the last lines of its log say where.",
                log_tail=log_tail,
            )
    return None


def result_too_large(size_bytes: int) -> JobFailure:
    return JobFailure(
        code="result_too_large",
        title="The result is too large to be kept",
        detail=f"It has {size_bytes:,} bytes; at most {LARGEST_RESULT_BYTES:,} are kept.",
        remedy="Choose a smaller input: fewer bars, fewer combinations or a longer timeframe.",
    )


def _cause_of_death(exit_code: int | None, *, held_bytes: int, was_silent: bool) -> str:
    if was_silent:
        return "It stopped answering and was ended."
    if exit_code is None or exit_code >= 0:
        return f"It ended by itself with exit code {exit_code}."
    # What the kernel kills when memory runs out looks like this, too.
    held = f" It held {_mib(held_bytes)} of memory." if exit_code == -signal.SIGKILL and held_bytes else ""
    return f"It was ended by signal {-exit_code} ({_name_of(-exit_code)}).{held}"


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"


def _mib(count: int) -> str:
    return f"{count / 1024**2:,.0f} MiB"

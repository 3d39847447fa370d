"""A task of the API in words, for the list, the page of one task, and the lines of its events."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from backend.cli.terminal import clean
from backend.domain import format as write

Task = Mapping[str, Any]

SHORT_ID = 8
FINAL = frozenset({"completed", "failed", "cancelled"})
STATE_STYLES = {
    "queued": "dim",
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
}
COLUMNS = ("id", "kind", "state", "submitted", "took", "detail")


def row(task: Task, now: datetime, *, is_plain: bool) -> tuple[str, ...]:
    """A line of the list. Programs get whole ids and times."""
    submitted = task["created_at"]
    return (
        task["id"] if is_plain else short(task),
        clean(task["kind"]),
        state(task),
        write.iso_utc(submitted) if is_plain else write.relative_time(submitted, now),
        took(task, now),
        clean(detail(task)).replace("\n", " "),
    )


def short(task: Task) -> str:
    """So much of the id as commands need."""
    return str(task["id"])[:SHORT_ID]


def state(task: Task) -> str:
    is_stopping = task["state"] == "running" and task.get("cancel_requested_at") is not None
    return "stopping" if is_stopping else clean(str(task["state"]))


def took(task: Task, now: datetime) -> str:
    """From its start to its end, or to now."""
    began, ended = _instant(task.get("started_at")), _instant(task.get("finished_at")) or now
    if began is None or (task["state"] == "queued"):
        return write.MISSING
    seconds = max((ended - began).total_seconds(), 0.0)
    return write.duration(round(seconds, 1) if seconds >= 1 else seconds)


def detail(task: Task) -> str:
    """The one thing to know about it now."""
    match task["state"]:
        case "queued":
            return _waiting(task)
        case "running":
            return progress(task["progress"]) if task.get("progress") else ""
        case "failed":
            return str((task.get("failure") or {}).get("title", ""))
        case _:
            return "partial result" if task.get("is_partial") else ""


def progress(told: Mapping[str, Any]) -> str:
    """`40%, 2 min 10 s to go, Sweeping: 4,000 of 10,000 pairs`, so that a narrow terminal cuts off the least."""
    percent = told.get("percent")
    parts = [
        write.percent(percent / 100, 0) if percent is not None else "",
        to_go(told.get("eta_seconds")),
        str(told.get("stage") or ""),
    ]
    words = ", ".join(part for part in parts if part)
    message = told.get("message")
    return f"{words}: {message}" if message else words


def to_go(eta_seconds: float | None) -> str:
    return "" if eta_seconds is None else f"{write.duration(_rounded(eta_seconds))} to go"


def event_line(type_: str, task: Task, at: datetime) -> str:
    """One event on one line, for a log."""
    what = "progress" if type_ == "task_progress" else state(task)
    more = progress(task) if type_ == "task_progress" else ending(task)
    line = f"{write.iso_utc(at)}  {short(task)}  {clean(str(task.get('kind', '')))}  {what}  {clean(more)}"
    return line.replace("\n", " ").rstrip()


def ending(task: Task) -> str:
    """How it ended: how long it took, or why it failed."""
    failure = task.get("failure")
    if task["state"] == "failed" and failure:
        return f"{failure['title']}: {failure['detail']}"
    if task["state"] not in FINAL:
        return detail(task)
    facts = (f"in {took(task, datetime.now(UTC))}" if task.get("started_at") else "", detail(task))
    return ", ".join(fact for fact in facts if fact)


def page(task: Task, now: datetime) -> Iterator[tuple[str, str]]:
    """Everything about one task: headings, names and texts, in the order in which a person asks."""
    yield "heading", f"Task {task['id']}"
    yield "text", ""
    for name, value in _facts(task, now):
        yield "fact", f"{name:<11} {clean(value)}"
    if task.get("failure"):
        yield from _failure(task, task["failure"])
    if log := task.get("log_tail") or (task.get("failure") or {}).get("log_tail"):
        yield "text", ""
        yield "heading", "The last lines that it wrote"
        yield from (("log", f"  {clean(line)}") for line in str(log).splitlines())
    for name in ("payload", "result"):
        if task.get(name) is not None:
            yield "text", ""
            yield "heading", name.capitalize() + (" (partial)" if name == "result" and task.get("is_partial") else "")
            yield "text", clean(json.dumps(task[name], indent=2, ensure_ascii=False))


def _facts(task: Task, now: datetime) -> Iterator[tuple[str, str]]:
    yield "kind", task["kind"]
    if task.get("about"):
        yield "about", task["about"]
    yield "state", state(task) + (f": {words}" if (words := detail(task)) and task["state"] != "failed" else "")
    for name, key in (("submitted", "created_at"), ("started", "started_at"), ("finished", "finished_at")):
        if task.get(key):
            yield name, f"{write.date_time(task[key])} ({write.relative_time(task[key], now)})"
    if task.get("queued_at") not in (None, task["created_at"]):
        yield "queued", f"{write.date_time(task['queued_at'])}, again"
    yield "took", took(task, now)
    yield "attempts", f"{task['attempts']} of at most {task['max_attempts']}"
    cores = f"{task['cores']} {'core' if task['cores'] == 1 else 'cores'}"
    limit = write.duration(task["wall_limit_seconds"])
    yield "needs", f"{cores}, {write.bytes_(task['memory_bytes'])} of memory, at most {limit}"
    if task["priority"]:
        yield "priority", f"{task['priority']:+d}"


def _failure(task: Task, failure: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "text", ""
    yield "failure", f"{clean(failure['title'])} (code: {clean(failure['code'])})"
    yield "text", clean(failure["detail"])
    if failure.get("remedy"):
        yield "text", clean(failure["remedy"])
    if task["state"] == "failed":
        yield "text", f"Run it again: tidemark tasks retry {short(task)}"


def _waiting(task: Task) -> str:
    """Why it waits, and for how long by what is known."""
    reason, seconds = task.get("waits_for"), task.get("waits_seconds")
    about = "" if seconds is None else f"about {write.duration(_rounded(seconds))} to wait"
    return f"{str(reason).rstrip('.')} ({about})" if reason and about else str(reason or about)


def _rounded(seconds: float) -> float:
    return round(seconds) if seconds >= 1 else round(seconds, 1)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

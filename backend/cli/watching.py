"""Following tasks: what is there first, then every event, as a live view, as lines, or as JSON."""

import json
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from backend.cli import task_words, terminal
from backend.cli.remote import Remote
from backend.cli.task_events import TaskEvents, Told
from backend.domain.jobs import JobState

PATH = "/api/system/tasks"
LARGEST_PAGE = 200


class View(Protocol):
    """Where events are shown."""

    def show(self, told: Told) -> None: ...

    def say(self, text: str) -> None:
        """About the connection, not about a task."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


def follow_one(there: Remote, task_id: str, *, as_json: bool) -> JobState:
    """One task until it ends; how it ended."""
    with _view(as_json=as_json) as view:
        for told in TaskEvents(there, view.say):
            if told.type in ("begun", "reset"):
                # What happened before the stream began, or got lost, is in the task itself.
                news = _as_told(there.read(f"{PATH}/{task_id}"))
            elif told.task.get("id") == task_id:
                news = told
            else:
                continue
            view.show(news)
            if news.type != "task_progress" and news.task["state"] in task_words.FINAL:
                return JobState(news.task["state"])
    raise AssertionError("a stream of events has no end")


def follow_all(there: Remote, *, as_json: bool) -> None:
    """All tasks of the caller, until somebody interrupts it."""
    with _view(as_json=as_json) as view:
        for told in TaskEvents(there, view.say):
            if told.type == "reset":
                view.say("Some events are gone. What waits or runs now:")
            if told.type not in ("begun", "reset"):
                view.show(told)
                continue
            for page in there.pages(PATH, {"state": ["queued", "running"], "limit": LARGEST_PAGE}):
                for task in page["items"]:
                    view.show(_as_told(task))


def _as_told(task: dict[str, Any]) -> Told:
    """A task that was read, as its latest event would tell it: without what went in and what came out."""
    brief = {name: value for name, value in task.items() if name not in ("payload", "result", "log_tail")}
    if task["failure"] is not None:
        brief["failure"] = {name: value for name, value in task["failure"].items() if name != "log_tail"}
    return Told(type=f"task_{task['state']}", task=brief)


def _view(*, as_json: bool) -> View:
    if as_json:
        return JsonLines()
    if terminal.is_plain():
        return Lines()
    from backend.cli.live_tasks import LiveTasks

    return LiveTasks()


class Lines:
    """One line per event, for a log or a pipe."""

    def show(self, told: Told) -> None:
        print(task_words.event_line(told.type, told.task, datetime.now(UTC)), flush=True)

    def say(self, text: str) -> None:
        terminal.say(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""


class JsonLines(Lines):
    """One JSON object per event. Progress, and what was read rather than told, has no id."""

    def show(self, told: Told) -> None:
        print(json.dumps({"id": told.id, "type": told.type, "task": told.task}), flush=True)

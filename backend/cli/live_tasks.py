"""The live view of tasks at a terminal: a line for each that waits or runs, and above them how the others ended."""

import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from backend.cli import task_words, terminal
from backend.cli.task_events import Told

FRAMES_A_SECOND = 8
BAR_WIDTH, NARROW_BAR_WIDTH = 24, 10
# Where there are fewer columns than this, words are worth more than a long bar.
NARROW_COLUMNS = 110
# Left free for the prompt, the notes and the line that counts the rest.
SPARE_LINES = 4
LOG_LINES = 5


class LiveTasks:
    """Draws again by itself, so that the time to go runs down between two reports."""

    def __init__(self) -> None:
        self._tasks: dict[str, dict[str, Any]] = {}
        # The last progress of each, and when it was told.
        self._progress: dict[str, tuple[dict[str, Any], float]] = {}
        self._note: str | None = None
        self._console = terminal.console()
        self._nothing = Spinner("dots", Text("Nothing waits or runs. Ctrl-C ends this.", style="dim"))
        self._live = Live(
            console=self._console, get_renderable=self._draw, refresh_per_second=FRAMES_A_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        # Its cursor is hidden meanwhile, and must come back however the command ends.
        signal.signal(signal.SIGTERM, _leave)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def say(self, text: str) -> None:
        self._note = terminal.clean(text)

    def show(self, told: Told) -> None:
        task, id_ = told.task, str(told.task.get("id"))
        self._note = None
        if told.type == "task_progress":
            self._progress[id_] = (task, time.monotonic())
            return
        if task.get("progress") is not None:
            self._progress[id_] = (task["progress"], time.monotonic())
        if task["state"] != "running":
            self._progress.pop(id_, None)
        if task["state"] in task_words.FINAL:
            self._tasks.pop(id_, None)
            self._console.print(self._ended(task))
        else:
            self._tasks[id_] = task

    def _ended(self, task: dict[str, Any]) -> Text:
        words = f"{task_words.short(task)}  {task['kind']}  {task['state']}  {task_words.ending(task)}"
        lines = [words.rstrip()]
        failure = task.get("failure")
        if task["state"] == "failed" and failure:
            lines += [failure["remedy"]] if failure.get("remedy") else []
            lines.append(f"What it wrote: tidemark tasks show {task_words.short(task)}")
        return Text(terminal.clean("\n  ".join(lines)), style=task_words.STATE_STYLES[task["state"]])

    def _draw(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for cells in self._rows():
            table.add_row(*cells)
        left_out = len(self._tasks) - self._most_rows()
        parts: list[RenderableType] = [table]
        if left_out > 0:
            parts.append(Text(f"and {left_out} more", style="dim"))
        if not self._tasks:
            parts = [self._nothing]
        elif len(self._tasks) == 1:
            parts += [Text(f"  {line}", style="dim", overflow="ellipsis", no_wrap=True) for line in self._log_tail()]
        if self._note:
            parts.append(Text(self._note, style="yellow"))
        return Group(*parts)

    def _rows(self) -> Iterator[tuple[RenderableType, ...]]:
        """Those that run first, the longest at it above."""
        tasks = sorted(
            self._tasks.values(),
            key=lambda task: (task["state"] != "running", task.get("started_at") or task["queued_at"]),
        )
        for task in tasks[: self._most_rows()]:
            told, at = self._progress.get(str(task["id"]), (None, 0.0))
            yield (
                Text(task_words.short(task), style="bold"),
                Text(terminal.clean(task["kind"])),
                Text(task_words.state(task), style=task_words.STATE_STYLES.get(task["state"], "")),
                _bar(task, told, BAR_WIDTH if self._console.width >= NARROW_COLUMNS else NARROW_BAR_WIDTH),
                Text(task_words.took(task, datetime.now(UTC)), justify="right"),
                Text(terminal.clean(_words(task, told, time.monotonic() - at)), overflow="ellipsis", no_wrap=True),
            )

    def _log_tail(self) -> list[str]:
        """What the only task that is shown wrote last."""
        told, _ = self._progress.get(next(iter(self._tasks)), ({}, 0.0))
        return [terminal.clean(line) for line in str(told.get("log_tail") or "").splitlines()[-LOG_LINES:]]

    def _most_rows(self) -> int:
        return max(self._console.height - SPARE_LINES, 1)


def _bar(task: dict[str, Any], told: dict[str, Any] | None, width: int) -> RenderableType:
    if task["state"] != "running":
        return Text("")
    percent = None if told is None else told.get("percent")
    return ProgressBar(total=100, completed=percent or 0, width=width, pulse=percent is None)


def _words(task: dict[str, Any], told: dict[str, Any] | None, age: float) -> str:
    if told is None:
        return task_words.detail(task)
    eta = told.get("eta_seconds")
    return task_words.progress({**told, "eta_seconds": None if eta is None else max(eta - age, 0.0)})


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)

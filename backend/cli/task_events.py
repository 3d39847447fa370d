"""Following the events of one's tasks from a terminal: resumed where it broke off, with nothing lost or doubled."""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from backend.cli.failures import CommandFailed
from backend.cli.remote import Remote

PATH = "/api/system/task-events"
PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
# A server that was stopped for so long is not just being restarted.
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a stream told. `begun`: all that happens from here on will be told. `reset`: some of it is lost."""

    type: str
    id: int | None = None
    task: dict[str, Any] = field(default_factory=dict)


class TaskEvents:
    """Every event from now on, over cuts of the line and restarts of the server."""

    def __init__(
        self, remote: Remote, say: Callable[[str], None], *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._remote = remote
        self._say = say
        self._patience_seconds = patience_seconds
        # The last event that we have; none before the first greeting.
        self._place: int | None = None
        self._cut_at: float | None = None
        self._pause = PAUSE_SECONDS

    def __iter__(self) -> Iterator[Told]:
        while True:
            try:
                yield from self._once()
                # The server ended it: it stops, or the token ran out. The next one begins with a fresh token.
                time.sleep(PAUSE_SECONDS)
            except CommandFailed as problem:
                self._bear(problem)

    def _once(self) -> Iterator[Told]:
        resume = {} if self._place is None else {"Last-Event-ID": str(self._place)}
        with self._remote.stream(PATH, resume) as pieces:
            for told in events_of(pieces):
                self._heard()
                is_first = self._place is None
                if told.id is not None:
                    if told.type not in ("begun", "reset") and self._place is not None and told.id <= self._place:
                        continue
                    self._place = told.id
                if told.type != "begun" or is_first:
                    yield told

    def _heard(self) -> None:
        if self._cut_at is not None:
            self._say("Connected again.")
        self._cut_at = None
        self._pause = PAUSE_SECONDS

    def _bear(self, problem: CommandFailed) -> None:
        """Wait for what passes by itself; the rest, a refusal or a first attempt that fails, is for the caller."""
        now = time.monotonic()
        is_too_long = self._cut_at is not None and now - self._cut_at > self._patience_seconds
        if self._place is None or not problem.is_passing or is_too_long:
            raise problem
        if self._cut_at is None:
            self._cut_at = now
            self._say(f"The stream broke off: {problem.title}. Trying to connect again.")
        time.sleep(max(self._pause * random.uniform(0.75, 1.0), problem.retry_after or 0.0))  # noqa: S311 - no secret
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)


def events_of(pieces: Iterable[bytes]) -> Iterator[Told]:
    """Server-sent events as the server frames them: fields by lines, an empty line ends each event."""
    type_: str | None = None
    id_: int | None = None
    data = ""
    for line in _lines(pieces):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if type_ is not None or id_ is not None:
                yield Told(type=type_ or "begun", id=id_, task=_task(data))
            type_, id_, data = None, None, ""
        elif name == "event":
            type_ = value
        elif name == "id" and value.isascii() and value.isdigit():
            id_ = int(value)
        elif name == "data":
            data += value


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Not `str.splitlines`: it breaks at more than the ends of lines."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")


def _task(data: str) -> dict[str, Any]:
    try:
        said = json.loads(data) if data else {}
    except ValueError:
        said = {}
    task = said.get("task") if isinstance(said, dict) else None
    return task if isinstance(task, dict) else {}

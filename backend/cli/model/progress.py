"""How far a training is, on standard error."""

import sys
import time
from typing import Any

from backend.domain import format as say

_EVERY_SECONDS = 0.2


class Progress:
    """A line on a terminal that is written over; into a pipe a line for each part."""

    def __init__(self) -> None:
        from backend.cli.terminal import is_plain

        self._is_plain = is_plain(sys.stderr)
        self._said, self._said_at, self._length = "", 0.0, 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._length:
            print(f"\r{' ' * self._length}\r", end="", file=sys.stderr, flush=True)

    def __call__(self, stage: str, percent: float | None = None, message: str = "", **more: Any) -> None:
        part = f"{stage}: {message}" if message else stage
        if self._is_plain:
            if part != self._said:
                print(part, file=sys.stderr, flush=True)
            self._said = part
            return
        now = time.monotonic()
        if part == self._said and now - self._said_at < _EVERY_SECONDS:
            return
        self._said, self._said_at = part, now
        words = part if percent is None else f"{percent:3.0f} %  {part}"
        if "round" in more:
            loss, later = say.fixed(more["loss"], 4), say.fixed(more["stop_loss"], 4)
            words += f", round {more['round']:,}, loss {loss}, later bars {later}"
        print(f"\r{words:<{self._length}}", end="", file=sys.stderr, flush=True)
        self._length = len(words)

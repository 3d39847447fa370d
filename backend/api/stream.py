"""One client's stream of events: what is told, and what waits for the client within bounds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pydantic_core import to_json

from backend.api.wire import chunk
from backend.domain.accounts import Identity

MOST_WAITING_FRAMES = 64


class End(StrEnum):
    """Why a stream ended."""

    LEFT = "left"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    # The personal access token that opened it was.
    REVOKED = "revoked"
    # The session that opened it was.
    SIGNED_OUT = "signed_out"
    TOO_SLOW = "too_slow"
    UNAVAILABLE = "unavailable"
    # What comes next for this client is gone from the table; beginning again, it is told so.
    OUTDATED = "outdated"
    STOPPING = "stopping"


class Frame:
    """One thing to tell, with its encoding made when first needed and shared by all streams."""

    __slots__ = ("_sse_chunk", "at", "id", "task", "type")

    def __init__(self, type_: str, task: Mapping[str, Any], *, id_: int | None = None, at: datetime | None = None):
        self.type, self.task, self.id, self.at = type_, task, id_, at
        self._sse_chunk: bytes | None = None

    @property
    def sse(self) -> bytes:
        id_line = b"" if self.id is None else b"id: %d\n" % self.id
        data = to_json({"type": self.type, "task": self.task})
        return b"event: %b\n%bdata: %b\n\n" % (self.type.encode(), id_line, data)

    @property
    def sse_chunk(self) -> bytes:
        """As HTTP/1.1 carries it."""
        if self._sse_chunk is None:
            self._sse_chunk = chunk(self.sse)
        return self._sse_chunk


class Ear(Protocol):
    """A client who is in step, and takes what it is told at once."""

    def hear(self, frame: Frame | None) -> None: ...


class Stream:
    """What waits for one client, who may leave, be too slow, or be told to go."""

    __slots__ = (
        "_frames",
        "_waiter",
        "ear",
        "end",
        "has_missed",
        "identity",
        "is_catching_up",
        "on_end",
        "patience_seconds",
        "quiet_since",
        "sending_since",
    )

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.end: End | None = None
        # Called when the stream ends.
        self.on_end: Callable[[], None] | None = None
        # While there is one, nothing waits.
        self.ear: Ear | None = None
        # While it reads from the table, what fits no more is left there.
        self.is_catching_up = True
        self.has_missed = False
        self.quiet_since = time.monotonic()
        self.sending_since: float | None = None
        # A send may be stuck so long, and what fits no more is still left to the table.
        self.patience_seconds = 0.0
        self._frames: list[Frame | None] = []
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, frame: Frame | None) -> None:
        """None is the sign of life. What fits no more is left to the table, unless it is the client who takes nothing.

        Such a client is dropped, and resumes where it was.
        """
        if self.ear is not None:
            self.quiet_since = time.monotonic()
            self.ear.hear(frame)
        elif self.end is not None:
            return
        elif len(self._frames) < MOST_WAITING_FRAMES:
            self._frames.append(frame)
            self._wake()
        elif self.is_catching_up or not self._is_stuck():
            self.has_missed = True
        else:
            self.close(End.TOO_SLOW)

    async def take(self) -> Sequence[Frame | None]:
        """Everything that waits, as soon as there is something; nothing once the stream ended."""
        while not self._frames and self.end is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.take_now()

    def take_now(self) -> Sequence[Frame | None]:
        """What waits at this moment."""
        frames = tuple(self._frames)
        self._frames.clear()
        if frames:
            self.quiet_since = time.monotonic()
        return frames

    async def sending(self, send: Awaitable[None]) -> None:
        """Send within sight of the sweeper, who ends what is stuck."""
        self.sending_since = time.monotonic()
        await send
        self.sending_since = None

    def close(self, end: End) -> None:
        if self.end is not None:
            return
        self.end = end
        self.ear = None
        self._frames.clear()
        self._wake()
        if self.on_end is not None:
            self.on_end()

    def _is_stuck(self) -> bool:
        since = self.sending_since
        return since is not None and time.monotonic() - since >= self.patience_seconds

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

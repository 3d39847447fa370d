"""The last of what a child prints, as it comes out of the pipe that is its output."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from functools import cached_property

from backend.domain.job_data import LOG_TAIL_BYTES, as_printed, last_lines

# More than is told in the end: escape sequences go, and of a line that was cut off at its beginning the rest.
_KEPT_BYTES = 2 * LOG_TAIL_BYTES
# A pipe holds 64 KiB, and somebody may go on printing.
_PIPES_FULL = 16


class LogTail(asyncio.Protocol):
    """Listens at the reading end of the pipe, and forgets all but the end of what it heard."""

    def __init__(self, descriptor: int) -> None:
        self.ended = asyncio.Event()
        self.on_growth: Callable[[], None] = lambda: None
        self._descriptor = descriptor
        self._bytes = b""
        self._is_cut = False
        self._transport: asyncio.BaseTransport | None = None

    @cached_property
    def text(self) -> str | None:
        """Its last lines; None when nothing was printed."""
        whole_lines = self._bytes.partition(b"\n")[2] if self._is_cut else b""
        return last_lines(as_printed(whole_lines or self._bytes))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._take(data)
        self.on_growth()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    def catch_up(self) -> None:
        """Take what was printed before a word on another line, should it not have come to us yet."""
        with contextlib.suppress(OSError):
            for _ in range(_PIPES_FULL):
                # Once it is closed, its number may be that of something else.
                if self._transport is None or self._transport.is_closing() or self.ended.is_set():
                    return
                if not (data := os.read(self._descriptor, 1 << 16)):
                    return
                self._take(data)

    def clear(self) -> None:
        self._bytes, self._is_cut = b"", False
        self.__dict__.pop("text", None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _take(self, data: bytes) -> None:
        heard = self._bytes + data
        self._is_cut = self._is_cut or len(heard) > _KEPT_BYTES
        self._bytes = heard[-_KEPT_BYTES:]
        self.__dict__.pop("text", None)

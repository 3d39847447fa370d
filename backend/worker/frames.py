"""Messages of a child as they come off a socket: taken apart at once, with no task in between."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from loguru import logger

from backend.worker.process import LARGEST_FRAME_BYTES, frame, length_of

_HEAD_BYTES = 4


class Frames(asyncio.Protocol):
    """One socket to a child. What nobody understands breaks it, as does the end of the child."""

    def __init__(self, heard: Callable[[Mapping[str, Any]], None], broken: Callable[[], None]) -> None:
        self._heard = heard
        self._broken = broken
        self._bytes = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def say(self, message: Mapping[str, Any]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(dict(message)))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of a socket it can be written to, whatever loop made it.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        try:
            while (body := self._next()) is not None:
                self._heard(json.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            logger.error("A worker process says what nobody understands, so it is ended: {!r}", error)
            self._bytes.clear()
            # Told before the socket closes, so that it is ended for this, not seen to end by itself.
            self._broken()
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._broken()

    def _next(self) -> bytes | None:
        if len(self._bytes) < _HEAD_BYTES:
            return None
        end = _HEAD_BYTES + length_of(bytes(self._bytes[:_HEAD_BYTES]))
        if end > _HEAD_BYTES + LARGEST_FRAME_BYTES:
            raise ValueError(f"a message of {end:,} bytes")
        if len(self._bytes) < end:
            return None
        body = bytes(self._bytes[_HEAD_BYTES:end])
        del self._bytes[:end]
        return body

"""The end of a stream of events that leads to one client: what is told goes straight to its connection, or waits."""

import asyncio
import time
from collections.abc import Sequence

from loguru import logger

from backend.api.following import Following
from backend.api.stream import End, Frame, Stream
from backend.api.streams import Streams
from backend.api.wire import Line, chunk

SIGN_OF_LIFE = b": \n\n"
# A burst fills the line of a good reader for a moment; it need not begin again for that.
PATIENCE_SECONDS = 2.0
_SIGN_OF_LIFE_CHUNK = chunk(SIGN_OF_LIFE)


class EventLine(Line):
    """Tells one client, without a task of its own as long as the client is in step and takes what it is told.

    Else frames wait in the stream until the client takes more, and what found no place is read from the table.
    """

    __slots__ = ("_began", "_following", "_reading", "_request_id", "_stream", "_streams")

    def __init__(self, streams: Streams, stream: Stream, following: Following, request_id: str) -> None:
        super().__init__()
        self._streams = streams
        self._stream = stream
        self._following = following
        self._request_id = request_id
        self._reading: asyncio.Task[None] | None = None
        self._began = time.monotonic()

    def begin(self) -> None:
        """From here on, the stream's end is the connection's."""
        self._stream.on_end = self._end
        self._stream.patience_seconds = PATIENCE_SECONDS
        if self._stream.end is not None:
            self._end()
        elif self.is_full:
            self.pause_writing()
        else:
            self._go_on()

    def hear(self, frame: Frame | None) -> None:
        if frame is None:
            self.transport.write(_SIGN_OF_LIFE_CHUNK if self.is_chunked else SIGN_OF_LIFE)
        elif self._following.advance(frame):
            self.transport.write(frame.sse_chunk if self.is_chunked else frame.sse)
        elif self._following.is_behind:
            self._go_on()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stream.ear = None
        self._stream.sending_since = time.monotonic()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stream.sending_since = None
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._reading is not None:
            self._reading.cancel()
        self._streams.leave(self._stream, End.LEFT)
        self._stream.on_end = None  # it leads back here
        logger.bind(
            facts={"request_id": self._request_id, "user_id": str(self._stream.identity.user_id)},
            ended=self._stream.end,
            seconds=round(time.monotonic() - self._began, 1),
        ).info("A stream of events ended")

    def _go_on(self) -> None:
        """Tell what waited. Then the client is in step, or needs what only the table has."""
        self._stream.ear = None
        self._tell(self._following.waiting())
        if self.is_full or self._stream.end is not None:
            return
        if not self._following.is_behind:
            self._stream.ear = self
        elif self._reading is None:
            self._reading = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        try:
            missed = await self._following.catch_up()
        except Exception:  # noqa: BLE001 - nobody else would notice, and the client would wait for ever
            logger.exception("A stream of events could not be read on")
            self._stream.close(End.UNAVAILABLE)
            return
        finally:
            self._reading = None
        if self._stream.end is None:
            self._tell(missed)
            if not self.is_full:
                self._go_on()

    def _tell(self, frames: Sequence[Frame | None]) -> None:
        if not frames:
            return
        if self.is_chunked:
            chunks = (_SIGN_OF_LIFE_CHUNK if frame is None else frame.sse_chunk for frame in frames)
            self.transport.write(b"".join(chunks))
        else:
            self.transport.write(encoded(frames))

    def _end(self) -> None:
        """What a client does not take can't be followed by a farewell."""
        if self.is_full or self._stream.end is End.TOO_SLOW:
            self.hang_up()
        elif self._stream.end is not End.LEFT:
            self.finish(f": ended, {self._stream.end}\n\n".encode())


def encoded(frames: Sequence[Frame | None]) -> bytes:
    return b"".join(SIGN_OF_LIFE if frame is None else frame.sse for frame in frames)

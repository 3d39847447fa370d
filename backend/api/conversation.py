"""What one socket and its client say to each other: who it is, what it wants to watch, and why it ends."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn

from loguru import logger
from starlette.types import Message, Receive, Scope, Send

from backend.api.context import RequestContext, context_of
from backend.api.dependencies import identity_by
from backend.api.errors import NotReady
from backend.api.following import Following
from backend.api.limits import USER_READS, take
from backend.api.messages import MessageNotUnderstood, Parting, Said, complaint, farewell, told, understood
from backend.api.scopes import Reach, require_scope
from backend.api.sockets import FAREWELL_SECONDS
from backend.api.streams import End, Stream, Streams
from backend.api.watching import Watching
from backend.api.wire import HANG_UP
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.errors import (
    AccountSuspended,
    NotSignedIn,
    QuotaReached,
    RateLimited,
    ScopeMissing,
    ServiceUnavailable,
    SignInNeeded,
    TidemarkError,
)
from backend.domain.ports import RateLimit

AUTHENTICATE_SECONDS = 10.0
MOST_MISTAKES = 5
USER_MESSAGES = RateLimit(name="user_messages", requests=600, window_seconds=60)


class Ended(Exception):
    """The conversation is over: why, and what the client is told besides."""

    def __init__(self, why: str, error: TidemarkError | None = None, said: Said | None = None) -> None:
        super().__init__(why)
        self.why, self.error, self.said = why, error, said


# What is raised in the middle of a conversation, and why it is over then; anything else is only complained about.
_ENDS: Mapping[type[TidemarkError], str] = {
    SignInNeeded: Parting.NOT_SIGNED_IN,
    AccountSuspended: End.SUSPENDED,
    ScopeMissing: Parting.NOT_ALLOWED,
    RateLimited: Parting.RATE_LIMITED,
    QuotaReached: Parting.TOO_MANY,
    NotReady: End.STOPPING,
    ServiceUnavailable: End.UNAVAILABLE,
}


class Conversation:
    """Learns from a client who it is, and lets it watch that user's backtests for as long as they may."""

    def __init__(self, house: House, streams: Streams, socket: "Socket") -> None:
        self._house = house
        self._streams = streams
        self._socket = socket
        self._patience = asyncio.timeout(AUTHENTICATE_SECONDS)
        self._is_stopping = False

    async def hold(self) -> str:
        """Talk until the end, and tell why it came."""
        try:
            await self._talk(await self._caller())
        except Ended as ended:
            await self._socket.part(ended.why, ended.error, ended.said)
            return ended.why
        except OSError:  # it went while something was said to it
            return self._socket.end or End.LEFT
        except Exception:  # noqa: BLE001 - the last place that can tell the client; logged here and only here
            self._house.monitor.unexpected_error()
            logger.bind(**self._socket.context.facts).exception("Unexpected error in a socket")
            await self._socket.part(Parting.FAILED)
            return Parting.FAILED

    def stop_waiting(self) -> None:
        """The server stops: who has not said who they are need not do so any more."""
        self._is_stopping = True
        with contextlib.suppress(RuntimeError):  # it does not wait now
            self._patience.reschedule(asyncio.get_running_loop().time())

    async def _caller(self) -> Identity:
        """By the access token or the ticket that the first message brings; there is no second try."""
        said = await self._first_message()
        with _ending(said):
            identity = await identity_by(self._house, self._identity(said), self._socket.scope)
            require_scope(identity, Reach.READ)
            await self._count(USER_READS)
        return identity

    async def _first_message(self) -> Said:
        try:
            async with self._patience:
                if self._is_stopping:
                    raise Ended(End.STOPPING)
                return await self._socket.hear()
        except TimeoutError:
            raise Ended(End.STOPPING if self._is_stopping else Parting.LATE) from None
        except MessageNotUnderstood as error:
            raise Ended(Parting.NOT_SIGNED_IN, error) from None

    async def _identity(self, said: Said) -> Identity:
        token, ticket = said.data.get("token"), said.data.get("ticket")
        if said.event != "authenticate":
            raise NotSignedIn('The first message must be {"event": "authenticate", "data": {"token": "..."}}.')
        if isinstance(token, str) and token:
            return await self._house.verifier.verify(token)
        if isinstance(ticket, str) and ticket:
            return await self._house.identity_of_ticket(ticket)
        raise NotSignedIn("Send an access token as 'token', or a ticket as 'ticket'.")

    async def _talk(self, identity: Identity) -> NoReturn:
        """Tell what happens, and hear what is asked for meanwhile, until one of them ends."""
        with _ending():
            stream = self._streams.enter(identity)
        self._socket.belongs_to(stream)
        following = Following(self._house, self._streams, stream, after=None)
        watching = Watching(self._house, self._streams, stream, self._socket.say)
        hearing: asyncio.Task[None] | None = None
        try:
            with _ending():
                await following.begin()
                await self._socket.say(told("authenticated", {"userId": str(identity.user_id)}))
                hearing = asyncio.create_task(self._hear(watching))
                hearing.add_done_callback(lambda _: stream.close(End.LEFT))
                while frames := await following.more():
                    await watching.tell(frames)
            if hearing.done():
                hearing.result()
            raise Ended(stream.end or End.LEFT)
        finally:
            if hearing is not None:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)
            self._streams.leave(stream, End.LEFT)

    async def _hear(self, watching: Watching) -> None:
        mistakes = 0
        while True:
            said: Said | None = None
            try:
                said = await self._socket.hear()
                with _ending(said, (AccountSuspended, RateLimited)):
                    await self._count(USER_MESSAGES)
                    await self._do(said, watching)
            except TidemarkError as error:
                mistakes += isinstance(error, MessageNotUnderstood)
                if mistakes == MOST_MISTAKES:
                    raise Ended(Parting.NOT_UNDERSTOOD, error, said) from None
                await self._socket.complain(error, said)

    async def _do(self, said: Said, watching: Watching) -> None:
        match said.event:
            case "backtest:subscribe":
                await watching.subscribe(said.backtest_id())
            case "backtest:unsubscribe":
                await watching.unsubscribe(said.backtest_id())
            case "authenticate":
                raise MessageNotUnderstood("This socket is authenticated already. Open another for another user.")
            case _:
                raise MessageNotUnderstood("There are backtest:subscribe and backtest:unsubscribe, and no such event.")

    async def _count(self, limit: RateLimit) -> None:
        context = self._socket.context
        if self._house.limiter is not None:
            await take(self._house.limiter, limit, context.facts["user_id"], context, self._house.monitor)


class Socket:
    """One client behind its socket."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.context: RequestContext = context_of(scope)
        self._hang_up: Callable[[], None] = scope.get("extensions", {}).get(HANG_UP, {}).get("call", lambda: None)
        self._receive = receive
        self._send = send
        self._stream: Stream | None = None
        self._began = time.monotonic()
        self._code: int | None = None

    @property
    def end(self) -> End | None:
        return None if self._stream is None else self._stream.end

    def belongs_to(self, stream: Stream) -> None:
        """From now on it ends with this stream, also when it takes nothing of what is sent."""
        self._stream = stream

        def on_end() -> None:
            if stream.sending_since is not None or stream.end is End.TOO_SLOW:
                self._hang_up()

        stream.on_end = on_end

    async def hear(self) -> Said:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._code = message.get("code")
            raise Ended(End.LEFT)
        return understood(message)

    async def say(self, text: str) -> None:
        sending = self._send({"type": "websocket.send", "text": text})
        await (sending if self._stream is None else self._stream.sending(sending))

    async def complain(self, error: TidemarkError, said: Said | None) -> None:
        await self.say(complaint(error, self.context.request_id, said))

    async def part(self, why: str, error: TidemarkError | None = None, said: Said | None = None) -> None:
        """Say why, and close. What a client does not take is not waited for."""
        if why in (End.LEFT, End.TOO_SLOW):
            return
        self._code, reason = farewell(why)
        last: Message = {"type": "websocket.close", "code": self._code, "reason": reason}
        with contextlib.suppress(OSError):
            try:
                async with asyncio.timeout(FAREWELL_SECONDS):
                    if error is not None:
                        await self.complain(error, said)
                    await self._send(last)
            except TimeoutError:
                self._hang_up()

    def log_end(self, why: str) -> None:
        seconds = round(time.monotonic() - self._began, 1)
        logger.bind(**self.context.facts, ended=why, code=self._code, seconds=seconds).info("A socket ended")


@contextlib.contextmanager
def _ending(said: Said | None = None, kinds: tuple[type[TidemarkError], ...] = tuple(_ENDS)) -> Iterator[None]:
    """Make an error of one of these kinds the end of the conversation."""
    try:
        yield
    except kinds as error:
        why = next(_ENDS[kind] for kind in type(error).__mro__ if kind in _ENDS)
        raise Ended(why, error, said) from None

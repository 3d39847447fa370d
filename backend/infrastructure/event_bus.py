"""Hints between processes over Postgres LISTEN and NOTIFY, on one connection that comes back by itself.

Nothing here is the record: whoever listens is told to read again whenever a hint may have been missed.
"""

import asyncio
import random
import weakref
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager

import asyncpg
from loguru import logger

from backend.domain.events import BusMessage

# Postgres takes no more than 7,999 bytes.
LARGEST_PAYLOAD_BYTES = 7_999
MOST_WAITING_MESSAGES = 10_000

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_CLOSE_SECONDS = 2.0
# A connection can be dead without a word; asking now and then finds out.
_PROBE_SECONDS = 10.0
# Also lets Postgres drop the notices that everybody has read. Where they filled their queue nothing else does: it is a
# commit with a notice that would, and each of those is refused.
_PROBE = "select pg_notification_queue_usage()"
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 3.0
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class PostgresEventBus:
    """An EventBus. `dsn` must lead to Postgres itself: a transaction pooler passes no notifications on."""

    def __init__(self, dsn: str, *, probe_seconds: float = _PROBE_SECONDS) -> None:
        self._dsn = dsn
        self._probe_seconds = probe_seconds
        # A reader who lets go of its iterator is gone.
        self._subscriptions: weakref.WeakSet[_Subscription] = weakref.WeakSet()
        # The same by channel: thousands of messages a second are given out.
        self._readers: dict[str, list[weakref.ref[_Subscription]]] = defaultdict(list)
        self._connection: asyncpg.Connection | None = None
        self._listening_to: set[str] = set()
        # Set when there is something for the keeper to do: a new channel, or a connection that broke.
        self._stir = asyncio.Event()
        # One connection answers one question at a time.
        self._asking = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to connect, and go on trying for as long as the bus is open; nobody has to wait for it."""
        self._keeper = asyncio.create_task(self._keep_connected())

    async def close(self) -> None:
        """Every subscription ends."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        for subscription in tuple(self._subscriptions):
            subscription.end()

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def publish(self, channel: str, payload: str) -> bool:
        """Tell whoever listens now. While Postgres is away or full of hints it is lost, and that is said."""
        if len(payload.encode()) > LARGEST_PAYLOAD_BYTES:
            raise ValueError(f"A payload has at most {LARGEST_PAYLOAD_BYTES:,} bytes.")
        async with self._asking:
            if self._connection is None:
                return False
            try:
                await self._connection.execute("select pg_notify($1, $2)", channel, payload, timeout=_ANSWER_SECONDS)
                return True
            except asyncpg.ProgramLimitExceededError:
                pass  # no room for more notices; the connection is well, and to lose a hint is no loss
            except _LOST as error:
                self._connection = None
                self._stir.set()
                logger.warning("The event bus lost its connection: {!r}", error)
        return False

    def subscribe(self, *channels: str) -> AsyncIterator[BusMessage]:
        """What comes over these channels from now on; a message without payload says on each when to read again."""
        subscription = _Subscription(frozenset(channels))
        self._subscriptions.add(subscription)
        for channel in channels:
            readers = self._readers[channel]
            readers.append(weakref.ref(subscription, readers.remove))
        subscription.read_again(self._listening_to)
        self._stir.set()
        return subscription

    async def _keep_connected(self) -> None:
        pauses = _pauses()
        while True:
            try:
                async with self._connected() as connection:
                    while self._connection is connection:
                        await self._listen(connection)
                        pauses = _pauses()
                        await self._watch(connection)
            except _LOST as error:
                logger.warning("The event bus has no connection: {!r}", error)
            await asyncio.sleep(next(pauses))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self._dsn, timeout=_CONNECT_SECONDS)
        try:
            connection.add_termination_listener(self._broken)
            self._connection = connection
            yield connection
        finally:
            self._connection, self._listening_to = None, set()
            await _close(connection)

    async def _listen(self, connection: asyncpg.Connection) -> None:
        """Listen to what nobody listened to yet; everybody concerned then reads once what is there."""
        self._stir.clear()
        wanted = {channel for subscription in self._subscriptions for channel in subscription.channels}
        fresh = wanted - self._listening_to
        async with self._asking:
            for channel in sorted(fresh):
                await asyncio.wait_for(connection.add_listener(channel, self._heard), _ANSWER_SECONDS)
        self._listening_to |= fresh
        for subscription in tuple(self._subscriptions):
            subscription.read_again(fresh)

    async def _watch(self, connection: asyncpg.Connection) -> None:
        """Until there is something to do; now and then see whether the connection still answers."""
        try:
            await asyncio.wait_for(self._stir.wait(), self._probe_seconds)
        except TimeoutError:
            async with self._asking:
                await connection.execute(_PROBE, timeout=_ANSWER_SECONDS)

    def _broken(self, connection: object) -> None:
        if connection is self._connection:
            self._connection = None
            self._stir.set()

    def _heard(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        message = BusMessage(channel=channel, payload=str(payload))
        for reader in tuple(self._readers[channel]):
            subscription = reader()
            if subscription is not None:
                subscription.put(message)


class _Subscription:
    """What waits for one reader: bounded, since whoever falls behind can read again."""

    def __init__(self, channels: frozenset[str]) -> None:
        self.channels = channels
        self._waiting: deque[BusMessage] = deque()
        self._wake = asyncio.Event()
        self._has_ended = False

    def put(self, message: BusMessage) -> None:
        if len(self._waiting) >= MOST_WAITING_MESSAGES:
            self._waiting.clear()
            self.read_again(self.channels)
        else:
            self._waiting.append(message)
            self._wake.set()

    def read_again(self, channels: Collection[str]) -> None:
        self._waiting.extend(BusMessage(channel=name, payload=None) for name in sorted(self.channels & set(channels)))
        self._wake.set()

    def end(self) -> None:
        self._has_ended = True
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[BusMessage]:
        return self

    async def __anext__(self) -> BusMessage:
        while not self._waiting:
            if self._has_ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()


def _pauses() -> Iterator[float]:
    """Longer and longer, and never two processes in step."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=_CLOSE_SECONDS)
    except _LOST:
        connection.terminate()

"""The contract of EventBus, kept by the fake and over LISTEN and NOTIFY of a real Postgres."""

import asyncio
import gc
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import asyncpg
import pytest

from backend.domain.events import BusMessage
from backend.domain.job_ports import EventBus
from backend.infrastructure.event_bus import LARGEST_PAYLOAD_BYTES, MOST_WAITING_MESSAGES, PostgresEventBus
from tests.cluster import FreshDatabase
from tests.fakes import FakeEventBus


class BreakableBus(EventBus, Protocol):
    """A bus as the tests have it: `interrupt` loses its connection for a moment."""

    async def interrupt(self) -> None: ...


class EventBusContract:
    """What holds for every EventBus: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[BreakableBus]: ...

    async def test_listener_first_hears_that_it_should_read(self) -> None:
        async with self.open() as bus:
            messages = bus.subscribe("one", "two")
            assert [await _next(messages), await _next(messages)] == [_read_again("one"), _read_again("two")]

    async def test_listeners_hear_what_is_told_in_order(self) -> None:
        async with self.open() as bus:
            first, second = await _listening(bus, "one"), await _listening(bus, "one")
            for number in range(20):
                await bus.publish("one", f"number {number}")
            told = [BusMessage(channel="one", payload=f"number {number}") for number in range(20)]
            assert [await _next(first) for _ in told] == told
            assert [await _next(second) for _ in told] == told

    async def test_listener_hears_its_own_channels_only(self) -> None:
        async with self.open() as bus:
            messages = await _listening(bus, "one")
            await bus.publish("two", "not for us")
            await bus.publish("one", "for us")
            assert await _next(messages) == BusMessage(channel="one", payload="for us")

    async def test_payload_is_handed_on_as_it_is(self) -> None:
        text = "it's “quoted”; drop table tasks --\n\t$1 \U0001f40b"
        async with self.open() as bus:
            messages = await _listening(bus, "one")
            await bus.publish("one", text)
            assert await _next(messages) == BusMessage(channel="one", payload=text)

    async def test_largest_payload_arrives_and_a_larger_one_is_refused(self) -> None:
        async with self.open() as bus:
            messages = await _listening(bus, "one")
            await bus.publish("one", "x" * LARGEST_PAYLOAD_BYTES)
            assert await _next(messages) == BusMessage(channel="one", payload="x" * LARGEST_PAYLOAD_BYTES)
            with pytest.raises(ValueError, match="7,999"):
                await bus.publish("one", "ä" * (LARGEST_PAYLOAD_BYTES // 2 + 1))

    async def test_lost_connection_comes_back_and_says_read_again_on_each_channel(self) -> None:
        async with self.open() as bus:
            messages = await _listening(bus, "one", "two")
            await bus.interrupt()
            assert {await _next(messages), await _next(messages)} == {_read_again("one"), _read_again("two")}
            await bus.publish("one", "after")
            assert await _next(messages) == BusMessage(channel="one", payload="after")

    async def test_listener_who_falls_behind_is_told_to_read_again(self) -> None:
        async with self.open() as bus:
            messages = await _listening(bus, "one")
            await asyncio.gather(*(bus.publish("one", str(number)) for number in range(MOST_WAITING_MESSAGES + 1)))
            other = await _listening(bus, "one")
            await bus.publish("one", "last")
            assert await _next(other) == BusMessage(channel="one", payload="last")
            assert [await _next(messages), await _next(messages)] == [
                _read_again("one"),
                BusMessage(channel="one", payload="last"),
            ]


class TestFakeEventBus(EventBusContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[BreakableBus]:
        yield FakeEventBus()


class _Interruptible(PostgresEventBus):
    def __init__(self, database: FreshDatabase) -> None:
        super().__init__(database.dsn("app_api"))
        self._database = database

    async def interrupt(self) -> None:
        operator = await asyncpg.connect(self._database.dsn("supabase_admin"))
        await operator.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and usename = 'app_api'"
        )
        await operator.close()


class TestPostgresEventBus(EventBusContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[BreakableBus]:
        bus = _Interruptible(self.fresh)
        await bus.open()
        try:
            yield bus
        finally:
            await bus.close()

    async def test_two_processes_hear_each_other(self) -> None:
        async with self.open() as one, self.open() as other:
            messages = await _listening(other, "one")
            await one.subscribe("ready").__anext__()
            await one.publish("one", "across")
            assert await _next(messages) == BusMessage(channel="one", payload="across")

    async def test_what_a_transaction_tells_is_heard_when_it_commits(self) -> None:
        async with self.open() as bus:
            messages = await _listening(bus, "one")
            writer = await asyncpg.connect(self.fresh.dsn("app_api"))
            async with writer.transaction():
                await writer.execute("select pg_notify('one', 'committed')")
                await bus.publish("one", "before")
            await writer.close()
            assert [(await _next(messages)).payload, (await _next(messages)).payload] == ["before", "committed"]

    async def test_subscription_ends_with_the_bus(self) -> None:
        async with self.open() as bus:
            messages = await _listening(bus, "one")
        assert [message async for message in messages] == []

    async def test_listener_who_lets_go_is_forgotten(self) -> None:
        async with self.open() as bus:
            messages = await _listening(bus, "one")
            del messages
            gc.collect()
            assert isinstance(bus, PostgresEventBus)
            assert len(bus._subscriptions) == 0

    async def test_bus_opens_without_a_database_and_goes_on_trying(self, unused_tcp_port: int) -> None:
        bus = PostgresEventBus(f"postgresql://app_api:x@127.0.0.1:{unused_tcp_port}/postgres")
        await bus.open()
        await bus.publish("one", "nobody hears it")
        assert not bus.is_connected
        await bus.close()


async def _next(messages: AsyncIterator[BusMessage]) -> BusMessage:
    return await asyncio.wait_for(anext(messages), 15)


async def _listening(bus: EventBus, *channels: str) -> AsyncIterator[BusMessage]:
    """A subscription that has been told to read already."""
    messages = bus.subscribe(*channels)
    for _ in channels:
        assert (await _next(messages)).payload is None
    return messages


def _read_again(channel: str) -> BusMessage:
    return BusMessage(channel=channel, payload=None)

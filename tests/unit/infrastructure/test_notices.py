"""What was committed is told to every process: all of it, each once, and much of it together."""

import asyncio
import json
from uuid import uuid4

import pytest

from backend.domain.events import TOLD_CHANNEL
from backend.infrastructure import notices as told_later
from backend.infrastructure.notices import CommitNotices
from tests.fakes import FakeEventBus


async def test_thousands_are_told_in_few_notices_and_each_once() -> None:
    bus = FakeEventBus()
    told, notices = bus.subscribe(TOLD_CHANNEL), CommitNotices(bus)
    jobs, users = [uuid4() for _ in range(1_000)], [uuid4() for _ in range(400)]
    for _ in range(2):
        notices.tell(queued=jobs, users=users)
    notices.open()
    assert (await anext(told)).payload is None
    queued: list[str] = []
    heard: list[str] = []
    while len(queued) + len(heard) < 1_400:
        message = json.loads((await asyncio.wait_for(anext(told), 5)).payload or "")
        assert 0 < len(message["queued"]) + len(message["users"]) <= 150
        queued += message["queued"]
        heard += message["users"]
    assert queued == [str(one) for one in jobs]
    assert heard == [str(one) for one in users]
    notices.tell(users=users[:1])
    assert json.loads((await asyncio.wait_for(anext(told), 5)).payload or "") == {
        "queued": [],
        "users": [str(users[0])],
    }
    await notices.close()


async def test_news_of_users_wait_for_a_bus_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told_later, "RETRY_SECONDS", 0.01)
    bus, ada = AwayAtFirst(), uuid4()
    told, notices = bus.subscribe(TOLD_CHANNEL), CommitNotices(bus)
    notices.open()
    assert (await anext(told)).payload is None
    notices.tell(queued=[uuid4()], users=[ada])
    words = json.loads((await asyncio.wait_for(anext(told), 5)).payload or "")
    assert words == {"queued": [], "users": [str(ada)]}  # jobs were looked for meanwhile
    await notices.close()


async def test_what_is_left_at_the_end_is_told() -> None:
    bus, ada, job = FakeEventBus(), uuid4(), uuid4()
    told, notices = bus.subscribe(TOLD_CHANNEL), CommitNotices(bus)
    notices.open()
    assert (await anext(told)).payload is None
    notices.tell(queued=[job], users=[ada])
    await notices.close()
    words = json.loads((await asyncio.wait_for(anext(told), 5)).payload or "")
    assert words == {"queued": [str(job)], "users": [str(ada)]}


class AwayAtFirst(FakeEventBus):
    """Takes the third word and those after it."""

    refused = 0

    async def publish(self, channel: str, payload: str) -> bool:
        if self.refused < 2:
            self.refused += 1
            return False
        return await super().publish(channel, payload)

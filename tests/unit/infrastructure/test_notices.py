"""What was committed is told to every process: all of it, each once, and much of it together."""

import asyncio
import json
from uuid import uuid4

from backend.domain.events import TOLD_CHANNEL
from backend.infrastructure.notices import CommitNotices
from tests.fakes import FakeEventBus


async def test_thousands_are_told_in_few_notices_and_each_once() -> None:
    bus = FakeEventBus()
    told, notices = bus.subscribe(TOLD_CHANNEL), CommitNotices(bus)
    jobs, users = [uuid4() for _ in range(1_000)], [uuid4() for _ in range(400)]
    for _ in range(2):
        notices.tell(queued=jobs, users=users)
    telling = asyncio.create_task(notices.keep_telling())
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
    telling.cancel()

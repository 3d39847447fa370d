"""The contract of EventFeed, kept by the fake and by the table in a real Postgres."""

from collections.abc import Sequence
from uuid import uuid4

from backend.domain.events import TaskEvent
from tests.job_sides import OnFakes, OnTables, OpensSides
from tests.job_tables import BACKTEST, Sides


def ids(events: Sequence[TaskEvent]) -> list[int]:
    return [event.id for event in events]


class EventFeedContract(OpensSides):
    """What holds for every EventFeed."""

    async def test_users_are_told_what_they_lack(self, sides: Sides) -> None:
        mine, others = (await sides.mine.submit(BACKTEST)).user_id, (await sides.others.submit(BACKTEST)).user_id
        assert mine is not None
        assert others is not None
        await sides.mine.submit(BACKTEST)
        assert ids(await sides.feed.of_users({mine: 0}, limit=9)) == [1, 2]
        assert ids(await sides.feed.of_users({mine: 1}, limit=9)) == [2]
        assert ids(await sides.feed.of_users({mine: 2}, limit=9)) == []
        assert ids(await sides.feed.of_users({mine: 0, others: 0}, limit=1)) == [1, 1]
        assert await sides.feed.of_users({}, limit=9) == []
        assert await sides.feed.of_users({uuid4(): 0}, limit=9) == []

    async def test_everybody_is_read_from_now_on(self, sides: Sides) -> None:
        await sides.mine.submit(BACKTEST)
        events, place = await sides.feed.since(None, limit=9)
        assert events == []
        first, second = await sides.others.submit(BACKTEST), await sides.mine.submit(BACKTEST)
        events, place = await sides.feed.since(place, limit=9)
        assert [event.task["id"] for event in events] == [str(first.id), str(second.id)]
        assert await sides.feed.since(place, limit=9) == ([], place)

    async def test_everybody_is_read_a_few_at_a_time(self, sides: Sides) -> None:
        _, place = await sides.feed.since(None, limit=9)
        for _ in range(5):
            await sides.mine.submit(BACKTEST)
        seen: list[int] = []
        for expected in (2, 2, 1, 0):
            events, place = await sides.feed.since(place, limit=2)
            assert len(events) == expected
            seen += ids(events)
        assert seen == [1, 2, 3, 4, 5]


class TestFakeEventFeed(OnFakes, EventFeedContract):
    """In memory."""


class TestEventTable(OnTables, EventFeedContract):
    """In Postgres."""

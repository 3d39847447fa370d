"""Nobody takes all places of long work, and what is over frees its place."""

import asyncio
from uuid import UUID

import pytest

from backend.domain.errors import QuotaReached
from backend.infrastructure.places import Places

ADA, EVE = UUID(int=1), UUID(int=2)


async def test_one_user_has_so_many_and_all_wait_for_each_other() -> None:
    places, order, turn = Places("looks", of_one=2, at_once=1), list[str](), asyncio.Event()

    async def work(who: UUID, name: str) -> None:
        async with places.of(who):
            order.append(name)
            await turn.wait()

    tasks = [asyncio.create_task(work(*one)) for one in ((ADA, "a"), (ADA, "b"), (EVE, "c"))]
    await asyncio.sleep(0)
    assert order == ["a"]
    with pytest.raises(QuotaReached) as reached:
        await work(ADA, "d")
    assert (reached.value.limit, reached.value.count) == (2, 2)
    turn.set()
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]
    await work(ADA, "d")


async def test_what_fails_or_is_given_up_frees_its_place() -> None:
    places = Places("looks", of_one=1, at_once=1)
    with pytest.raises(ZeroDivisionError):
        async with places.of(ADA):
            raise ZeroDivisionError
    async with places.of(ADA):
        waiting = asyncio.create_task(_enter(places, EVE))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await _enter(places, EVE)


async def _enter(places: Places, who: UUID) -> None:
    async with places.of(who):
        pass

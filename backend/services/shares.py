"""Links to results: made and revoked by their owner, opened by whoever has them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from loguru import logger

from backend.domain.backtests import Part
from backend.domain.errors import InputError, InvalidInput, ServiceUnavailable, ShareNotFound
from backend.domain.jobs import JobKind
from backend.domain.pages import Page, Place
from backend.domain.shares import (
    Share,
    ShareCounter,
    SharedRun,
    SharedRuns,
    ShareRepository,
    digest_of_link,
    make_link,
    new_share,
)
from backend.services.backtests import Backtests

WHOLE_TABLE = 2**31 - 1
NOTED_EVERY_SECONDS = 5.0


class Shares:
    """The shares of the one who is acting."""

    def __init__(self, backtests: Backtests, repository: ShareRepository) -> None:
        self._backtests = backtests
        self._repository = repository

    async def shares(self, *, limit: int, after: Place | None = None, backtest_id: UUID | None = None) -> Page[Share]:
        return await self._repository.shares(limit=limit, after=after, backtest_id=backtest_id)

    async def create(self, backtest_id: UUID, *, title: str | None, days: int) -> tuple[Share, str]:
        """The share, and its link, which is nowhere else. Without a title it has the name of the backtest."""
        found = await self._backtests.finished(backtest_id)
        if found.kind is not JobKind.BACKTEST:
            raise InvalidInput([InputError(pointer="/backtest_id", detail="Share one of its runs: this is a study.")])
        link = make_link()
        fresh = new_share(link, backtest_id=backtest_id, title=found.name if title is None else title, days=days)
        made = await self._repository.create(fresh)
        if made is None:
            raise ShareNotFound("A deleted backtest cannot be shared. Bring it back first.")
        return made, link

    async def revoke(self, share_id: UUID) -> None:
        if not await self._repository.revoke(share_id):
            raise ShareNotFound(f"You have no link {share_id} that could be revoked; it may be revoked already.")


class SharedResults:
    """What a visitor reads with a link."""

    def __init__(self, runs: SharedRuns) -> None:
        self._runs = runs

    async def run(self, link: str) -> SharedRun:
        found = await self._runs.run(digest_of_link(link))
        if found is None:
            raise ShareNotFound
        return found

    async def table(
        self, link: str, name: str, *, first: int = 0, last: int = WHOLE_TABLE
    ) -> tuple[SharedRun, Sequence[Part]]:
        found = await self.run(link)
        return found, await self._runs.parts(digest_of_link(link), name, first=first, last=last)


class Openings:
    """Counts how often links are opened, and writes it down apart from the visits."""

    def __init__(self, counter: ShareCounter) -> None:
        self._counter = counter
        self._opened: Counter[UUID] = Counter()

    def note(self, share_id: UUID) -> None:
        self._opened[share_id] += 1

    async def keep_noting(self) -> None:
        while True:
            await asyncio.sleep(NOTED_EVERY_SECONDS)
            try:
                await self.write()
            except Exception:  # noqa: BLE001 - one count that cannot be written must not be the last one
                logger.exception("Openings of links could not be counted")

    async def write(self) -> None:
        opened, self._opened = self._opened, Counter()
        if not opened:
            return
        try:
            await self._counter.note(opened)
        except ServiceUnavailable as error:
            self._opened.update(opened)
            logger.debug("Openings of links wait for the database: {}", error.detail)

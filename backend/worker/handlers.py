"""What is done for each kind of job: in a child by the path of a pure function, or here by a handler."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.domain.jobs import Job, JobKind, Progress
from backend.domain.ports import Housekeeping, JobHandler
from backend.worker.fetching import Fetch

if TYPE_CHECKING:
    from backend.bootstrap import House
    from backend.bootstrap_market import Market
    from backend.services.adoption import Adoption

# "package.module:function" of a `run(payload, report, is_cancelled) -> dict` that needs nothing but its payload and
# what Children tell their environment.
WORKS: Mapping[JobKind, str] = MappingProxyType({JobKind.IMPORT: "backend.worker.importing:run"})


def handlers_of(house: "House") -> Mapping[JobKind, JobHandler]:
    """What the runner does itself, with the adapters of this house."""
    return {
        JobKind.FETCH: Fetch(house.market.markets, house.market.store),
        JobKind.MAINTAIN: Maintain(house.housekeeping, house.market, house.adoption),
    }


class Maintain:
    """Deletes what is kept for a while only."""

    def __init__(self, housekeeping: Housekeeping, market: "Market", adoption: "Adoption") -> None:
        self._housekeeping = housekeeping
        self._market = market
        self._adoption = adoption

    async def run(
        self, job: Job, report: Callable[[Progress], None], is_cancelled: Callable[[], bool]
    ) -> Mapping[str, Any]:
        report(Progress(stage="events", percent=0.0))
        events = await self._housekeeping.forget_old_events()
        report(Progress(stage="answers", percent=25.0))
        answers = await self._housekeeping.forget_old_answers()
        report(Progress(stage="uploads", percent=50.0))
        uploads = await asyncio.to_thread(self._market.uploads.forget_old)
        report(Progress(stage="bars", percent=75.0))
        swept = await asyncio.to_thread(self._market.housekeeping.sweep)
        return {
            "events_deleted": events,
            "answers_deleted": answers,
            "uploads_deleted": uploads,
            "swept_bytes": swept,
            "series_adopted": await self._adoption.look(),
        }

"""What is done for each kind of job: in a child by the path of a pure function, or here by a handler."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.domain.jobs import Job, JobKind, Progress
from backend.domain.ports import Housekeeping, JobHandler
from backend.worker.fetching import Fetch

if TYPE_CHECKING:
    from backend.bootstrap import House

# "package.module:function" of a `run(payload, report, is_cancelled) -> dict` that needs nothing but its payload.
WORKS: Mapping[JobKind, str] = MappingProxyType({})


def handlers_of(house: "House") -> Mapping[JobKind, JobHandler]:
    """What the runner does itself, with the adapters of this house."""
    return {
        JobKind.FETCH: Fetch(house.market.markets, house.market.store),
        JobKind.MAINTAIN: Maintain(house.housekeeping),
    }


class Maintain:
    """Deletes what is kept for a while only."""

    def __init__(self, housekeeping: Housekeeping) -> None:
        self._housekeeping = housekeeping

    async def run(
        self, job: Job, report: Callable[[Progress], None], is_cancelled: Callable[[], bool]
    ) -> Mapping[str, Any]:
        report(Progress(stage="events", percent=0.0))
        events = await self._housekeeping.forget_old_events()
        report(Progress(stage="answers", percent=50.0))
        answers = await self._housekeeping.forget_old_answers()
        return {"events_deleted": events, "answers_deleted": answers}

"""What is done for each kind of job: in a child by the path of a pure function, or here by a handler."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from loguru import logger

from backend.domain.exchange_keys import MasterKeyMissing
from backend.domain.format import bytes_
from backend.domain.job_ports import Housekeeping, JobHandler
from backend.domain.jobs import Job, JobKind, Progress
from backend.services.key_checks import Checked
from backend.worker.errands import CarryModels, Errand
from backend.worker.fetching import Fetch
from backend.worker.scoring import Score

if TYPE_CHECKING:
    from backend.bootstrap import House
    from backend.bootstrap_market import Market
    from backend.bootstrap_models import ModelDesk
    from backend.services.adoption import Adoption
    from backend.services.exchange_keys import KeyDesk
    from backend.services.leaving import Leaving

# "package.module:function" of a `run(payload, report, is_cancelled) -> dict` that needs nothing but its payload and
# what Children tell their environment.
WORKS: Mapping[JobKind, str] = MappingProxyType(
    {
        JobKind.IMPORT: "backend.worker.importing:run",
        JobKind.BACKTEST: "backend.worker.backtesting:run",
        JobKind.GUARD: "backend.worker.backtesting:guard",
        JobKind.SWEEP: "backend.worker.backtesting:sweep",
        JobKind.OPTIMIZE: "backend.worker.backtesting:optimize",
        JobKind.WALK_FORWARD: "backend.worker.backtesting:walk_forward",
        JobKind.TRAIN: "backend.worker.learning:train",
    }
)


def handlers_of(house: "House") -> Mapping[JobKind, JobHandler]:
    """What the runner does itself, with the adapters of this house."""
    return {
        JobKind.FETCH: Fetch(house.market.markets, house.market.store),
        JobKind.MAINTAIN: Maintain(
            house.housekeeping,
            house.market,
            adoption=house.adoption,
            models=house.models,
            keys=house.key_desk,
            leaving=house.leaving.leaving,
            cache_bytes=house.settings.cache_bytes,
        ),
        JobKind.SCORE: Score(house.models.book, house.models.bars),
    }


def errands_of(house: "House") -> Mapping[JobKind, Errand]:
    """What is to be done around the work of children: nothing, where their folder is the place of models."""
    courier = house.models.courier
    return {} if courier is None else {JobKind.TRAIN: CarryModels(courier)}


class Maintain:
    """Deletes what is kept for a while only, and series that can be fetched again when all take too much room.

    Exchange keys whose daily check is due are looked at as the last thing: their providers may take their time.
    """

    def __init__(
        self,
        housekeeping: Housekeeping,
        market: "Market",
        *,
        adoption: "Adoption",
        models: "ModelDesk",
        keys: "KeyDesk",
        leaving: "Leaving",
        cache_bytes: int,
    ) -> None:
        self._housekeeping = housekeeping
        self._market = market
        self._adoption = adoption
        self._models = models
        self._keys = keys
        self._leaving = leaving
        self._cache_bytes = cache_bytes

    async def run(
        self, job: Job, report: Callable[[Progress], None], is_cancelled: Callable[[], bool]
    ) -> Mapping[str, Any]:
        report(Progress(stage="departures", percent=0.0))
        departures = await self._leaving.go_on()
        report(Progress(stage="events", percent=10.0))
        events = await self._housekeeping.forget_old_events()
        report(Progress(stage="answers", percent=25.0))
        answers = await self._housekeeping.forget_old_answers()
        tokens = await self._housekeeping.forget_ended_tokens()
        shares = await self._housekeeping.forget_ended_shares()
        backtests = await self._housekeeping.forget_deleted_backtests()
        models = await self._housekeeping.forget_deleted_models()
        tasks = await self._housekeeping.forget_old_housekeeping()
        model_files = await asyncio.to_thread(self._models.files.sweep, await self._models.kept.files())
        report(Progress(stage="uploads", percent=50.0))
        uploads = await asyncio.to_thread(self._market.uploads.forget_old)
        report(Progress(stage="bars", percent=75.0))
        swept = await asyncio.to_thread(self._market.housekeeping.sweep)
        evicted = await asyncio.to_thread(self._market.housekeeping.evict, self._cache_bytes)
        await asyncio.to_thread(self._warn_of_a_low_disk)
        adopted = await self._adoption.look()
        report(Progress(stage="keys", percent=90.0))
        keys = await self._checked_keys(is_cancelled)
        return {
            "departures_finished": departures,
            "events_deleted": events,
            "answers_deleted": answers,
            "tokens_deleted": tokens,
            "shares_deleted": shares,
            "backtests_deleted": backtests,
            "models_deleted": models,
            "model_files_deleted": model_files,
            "tasks_deleted": tasks,
            "uploads_deleted": uploads,
            "swept_bytes": swept,
            "series_evicted": len(evicted),
            "evicted_bytes": sum(one.size_bytes for one in evicted),
            "series_adopted": adopted,
            "keys_checked": keys.keys,
            "keys_failing": keys.failing,
        }

    async def _checked_keys(self, is_cancelled: Callable[[], bool]) -> Checked:
        try:
            return await self._keys.check_due(is_cancelled)
        except MasterKeyMissing as missing:
            logger.warning("Exchange keys are not checked: {}", missing.detail)
            return Checked(keys=0, failing=0)

    def _warn_of_a_low_disk(self) -> None:
        room = self._market.housekeeping.room()
        if room.is_low:
            logger.warning(
                "The disk of market data is nearly full: {} of {} are free. Make room, or lower TIDEMARK_CACHE_GIB.",
                bytes_(room.free_bytes),
                bytes_(room.total_bytes),
            )

"""The part of the composition root that opens models: plans before a training, files, and asking them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from backend.bootstrap_market import Market
    from backend.domain.forecast import Forecasts
    from backend.domain.ml.learned import LearnedModel
    from backend.domain.model_ports import KeptModels, ModelCourier, ModelFiles, PredictionBook
    from backend.domain.ports import Clock
    from backend.infrastructure.service_database import ServiceDatabase
    from backend.services.latest_bars import LatestBars
    from backend.services.model_plans import TrainingPlanner
    from backend.services.model_predicting import Predictor
    from backend.services.model_training import School
    from backend.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ModelDesk:
    """What the API and the runner need around models besides a user's transaction."""

    planner: "TrainingPlanner"
    predictor: "Predictor"
    files: "ModelFiles"
    # None where children keep models at once where they belong.
    courier: "ModelCourier | None"
    kept: "KeptModels"
    bars: "LatestBars"
    book: "PredictionBook"

    async def judged(self, judge: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Beside the event loop: it computes."""
        return await asyncio.to_thread(judge, *arguments, **named)


def open_model_desk(
    settings: "Settings", market: "Market", forecasts: "Forecasts", clock: "Clock", database: "ServiceDatabase"
) -> ModelDesk:
    """The database as the service, which writes what models say and scores it."""
    from backend.data.research_bars import CacheBars
    from backend.data.storage.models import KeptModelTable
    from backend.data.storage.predictions import PredictionBookTable
    from backend.services.bars_at_hand import BarsAtHand
    from backend.services.latest_bars import LatestBars
    from backend.services.model_plans import TrainingPlanner
    from backend.services.model_predicting import LoadedModels, Predictor

    at_hand = BarsAtHand(market.markets, market.store, market.library, clock)
    bars = LatestBars(
        CacheBars(market.cache_dir), market.store, market.calendar, clock, is_simulated=at_hand.is_simulated
    )
    files, courier = model_files_of(settings, clock)
    book = PredictionBookTable(database)
    return ModelDesk(
        planner=TrainingPlanner(at_hand, forecasts=forecasts, clock=clock, quotas=market.quotas),
        predictor=Predictor(LoadedModels(files, _read), bars, book, clock),
        files=files,
        courier=courier,
        kept=KeptModelTable(database),
        bars=bars,
        book=book,
    )


def model_files_of(settings: "Settings", clock: "Clock") -> "tuple[ModelFiles, ModelCourier | None]":
    """Where models are kept, and who carries them there and back if children cannot."""
    from backend.data.model_files import FolderModelFiles

    folder = FolderModelFiles(settings.cache_dir, clock)
    if settings.model_files == "folder":
        return folder, None
    from backend.data.model_bucket import BucketModelFiles

    if settings.supabase_url is None or settings.supabase_secret_key is None:
        raise RuntimeError("read_settings lets no Storage without a project through")
    key = settings.supabase_secret_key.get_secret_value()
    bucket = BucketModelFiles(settings.supabase_url, key, settings.models_bucket, folder, clock)
    return bucket, bucket


@cache
def open_school(cache_dir: str, user_disk_bytes: int) -> "School":
    """What a child trains models with."""
    from backend.bootstrap_market import open_forecaster
    from backend.data.calendars import TradingCalendars
    from backend.data.model_files import FolderModelFiles
    from backend.data.research_bars import DEMO, CacheBars
    from backend.data.storage.bars import ParquetBarStore
    from backend.data.storage.quotas import FolderQuotas
    from backend.infrastructure.clock import SystemClock
    from backend.services.latest_bars import LatestBars
    from backend.services.model_training import School

    folder, clock = Path(cache_dir), SystemClock()
    bars, store = CacheBars(folder), ParquetBarStore(folder, clock)
    return School(
        bars=bars,
        latest=LatestBars(bars, store, TradingCalendars(), clock, is_simulated=lambda provider: provider == DEMO),
        files=FolderModelFiles(folder, clock),
        quotas=FolderQuotas(folder, user_disk_bytes),
        forecaster=open_forecaster(),
        read=_read,
        clock=clock,
    )


def school_of(environment: Mapping[str, str]) -> "School":
    """The school that such an environment tells of."""
    from backend.bootstrap_market import CACHE_DIR_NAME, USER_DISK_NAME

    return open_school(environment[CACHE_DIR_NAME], int(environment[USER_DISK_NAME]))


def _read(content: bytes) -> "LearnedModel":
    from backend.bootstrap_market import open_forecaster
    from backend.domain.ml.learned import LearnedModel

    return LearnedModel.read(content, open_forecaster())

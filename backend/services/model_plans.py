"""What a training will take, and whether it can be done at all, before it is queued. No transaction is open."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from backend.domain.config import SeriesConfig
from backend.domain.errors import InputError, InvalidInput
from backend.domain.forecast import Forecasts
from backend.domain.jobs import KINDS, Demand, JobKind
from backend.domain.market import Timeframe
from backend.domain.market_ports import DiskQuotas
from backend.domain.ml.spec import ModelSpec
from backend.domain.model_errors import TooFewBars
from backend.domain.models import TrainingPlan
from backend.domain.ports import Clock
from backend.services.bars_at_hand import AtHand, BarsAtHand
from backend.services.machine_pace import machine_pace

MOST_BARS: Final = 5_000_000
# Two years of hours: what a model of a simulated market, or one that a prediction waits for, is trained on.
USUAL_BARS: Final = 17_520
# A handful of trees; how large a model really is, is known once it is trained.
_SMALLEST_MODEL_BYTES: Final = 16 * 1024
# Measured, of trainings of 3,000 to 400,000 bars: bars, features, bins, and what is predicted out of fold.
_BYTES_A_BAR: Final = 1_100
# Work is measured in bars that a hundred trees are grown on. Each bar takes as much as so many besides, for features
# and for judging what was predicted; so many minutes of a simulated market are made in the time of one.
_BESIDES_TREES: Final = 8
_MINUTES_A_UNIT: Final = 20
# Before any training was completed here, on a machine of pace 1; then the installation learns from its own.
_FIRST_SECONDS: Final = 0.4
_SECONDS_A_UNIT: Final = 5.3e-6


class TrainingPlanner:
    """One per process."""

    def __init__(
        self,
        at_hand: BarsAtHand,
        *,
        forecasts: Forecasts,
        clock: Clock,
        quotas: DiskQuotas,
        pace: Callable[[], float] = machine_pace,
    ) -> None:
        self._at_hand = at_hand
        self._forecasts = forecasts
        self._clock = clock
        self._quotas = quotas
        self._pace = pace

    async def plan(
        self,
        series: SeriesConfig,
        spec: ModelSpec,
        owner: UUID,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        threads: int = 1,
        is_brief: bool = False,
    ) -> TrainingPlan:
        """Raises what `estimate` raises, TooFewBars with the number that is needed, and DataTooLarge when the owner's
        disk is full: the model could not be kept.
        """
        plan = await self.estimate(series, spec, owner, start=start, end=end, threads=threads, is_brief=is_brief)
        if not plan.is_enough:
            raise TooFewBars(plan.bars, plan.needed, _asked(spec))
        await asyncio.to_thread(self._quotas.require, owner, _SMALLEST_MODEL_BYTES)
        return plan

    async def estimate(
        self,
        series: SeriesConfig,
        spec: ModelSpec,
        owner: UUID,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        threads: int = 1,
        is_brief: bool = False,
    ) -> TrainingPlan:
        """Raises InvalidInput with a pointer to the field that is wrong, BarsMissing where bars must be fetched first.

        `is_brief`: somebody waits for it, so of a long history the latest part is enough.
        """
        start = start or self._usual_start(series, end)
        found = await self._at_hand.find(series, owner, start, end, pointer="/series")
        needed = await asyncio.to_thread(_needed, spec)
        if is_brief and found.bars > max(USUAL_BARS, 2 * needed):
            share = max(USUAL_BARS, 2 * needed) / found.bars
            start = found.span.end - (found.span.end - found.span.start) * share
            found = await self._at_hand.find(series, owner, start, end, pointer="/series")
        if found.bars > MOST_BARS:
            detail = f"That is {found.bars:,} bars; one training takes at most {MOST_BARS:,}. Choose a shorter range."
            raise InvalidInput([InputError(pointer="/start", detail=detail)])
        work = _work(found, spec)
        usual = KINDS[JobKind.TRAIN].demand
        return TrainingPlan(
            series=series,
            spec=spec,
            first=found.span.start,
            last=found.span.end,
            bars=found.bars,
            needed=needed,
            demand=Demand(cores=threads, memory_bytes=usual.memory_bytes + _BYTES_A_BAR * found.bars),
            seconds=await self._seconds(work, threads),
            work_units=work,
            notes=(f"{series.symbol} is simulated.",) if found.instrument.is_simulated else (),
        )

    async def _seconds(self, work: float, threads: int) -> float:
        """From the trainings of this installation; before the first one, from the pace of the machine."""
        learned = self._forecasts.expected(JobKind.TRAIN, work)
        if learned is not None:
            return learned
        # The trees of a fold are grown in parallel, what is around them is not.
        seconds = _FIRST_SECONDS + _SECONDS_A_UNIT * work / min(threads, 4) ** 0.7
        return float(await asyncio.to_thread(self._pace) * seconds)

    def _usual_start(self, series: SeriesConfig, end: datetime | None) -> datetime | None:
        """Of a simulated market there is always more."""
        if not self._at_hand.is_simulated(series.provider):
            return None
        back = USUAL_BARS if series.timeframe.is_intraday else USUAL_BARS // 4
        return _back(series.timeframe, back, end or self._clock.now())


def _back(timeframe: Timeframe, bars: int, moment: datetime) -> datetime:
    longest = timedelta(days=365 * 20)
    return timeframe.floor(moment - min(timeframe.length * bars, longest))


def _needed(spec: ModelSpec) -> int:
    from backend.domain.ml.features import WARM_UP  # noqa: PLC0415 - it compiles; loaded by who trains
    from backend.domain.ml.splits import bars_needed  # noqa: PLC0415

    return bars_needed(spec, WARM_UP)


def _work(found: AtHand, spec: ModelSpec) -> float:
    """It learns once a fold, once for the control, and once more for the model that is kept."""
    grown = found.bars * (spec.folds + 2) * spec.rounds / 100
    return float(grown + _BESIDES_TREES * found.bars + found.made_minutes // _MINUTES_A_UNIT)


def _asked(spec: ModelSpec) -> str:
    return f"predicting {spec.horizon:,} bars ahead with {spec.folds} folds"

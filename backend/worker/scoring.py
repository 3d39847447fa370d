"""Predictions whose time has come are measured here, in the runner: it may read the bars, and write as the service."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from loguru import logger

from backend.domain.errors import ServiceUnavailable
from backend.domain.jobs import Job, Progress
from backend.domain.model_ports import PredictionBook
from backend.domain.models import DuePrediction, NewWait
from backend.services.latest_bars import LatestBars
from backend.services.model_scoring import measured

# Of one series in one go; what is left comes a minute later.
MOST_AT_ONCE: Final = 2_000


class Score:
    """Does the jobs of the kind `score`: as often as they are run, each prediction has one outcome."""

    def __init__(self, book: PredictionBook, bars: LatestBars) -> None:
        self._book = book
        self._bars = bars

    async def run(
        self, job: Job, report: Callable[[Progress], None], is_cancelled: Callable[[], bool]
    ) -> Mapping[str, Any]:
        due = await self._book.due(most=MOST_AT_ONCE)
        scored = done = 0
        for _, group in groupby(due, key=_whose):
            if is_cancelled():
                break
            some = list(group)
            scored += await self._scored(some)
            done += len(some)
            report(Progress(stage="scoring", percent=100.0 * done / len(due)))
        return {"due": len(due), "scored": scored, "waiting": done - scored}

    async def _scored(self, due: Sequence[DuePrediction]) -> int:
        """What is wrong with one series is no reason for the others to wait."""
        try:
            came = await asyncio.to_thread(measured, due, self._bars)
            if came.waits:
                await self._book.wait(came.waits)
            return await self._book.score(came.outcomes) if came.outcomes else 0
        except ServiceUnavailable:
            raise
        except Exception:  # noqa: BLE001 - logged, and tried again with the next look
            logger.exception("Predictions of {} cannot be scored", due[0].series.symbol)
            await self._book.wait([_broken(one) for one in due])
            return 0


def _broken(one: DuePrediction) -> NewWait:
    return NewWait(
        user_id=one.user_id, prediction_id=one.id, why="Measuring it failed; the operator's log has the reason."
    )


def _whose(one: DuePrediction) -> tuple[object, ...]:
    return one.user_id, one.series

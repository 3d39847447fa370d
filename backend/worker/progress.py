"""How far jobs are, told often enough to be watched and seldom enough to cost nothing, with the time still to go."""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backend.domain.events import PROGRESS_CHANNEL
from backend.domain.forecast import Forecasts
from backend.domain.job_data import last_lines, readable
from backend.domain.job_ports import EventBus
from backend.domain.jobs import LEARNING, Job, Progress

SECONDS_BETWEEN_TELLINGS = 0.2
LONGEST_STAGE = 80
LONGEST_MESSAGE = 400
MOST_CURVE_POINTS = 100
MOST_CURVES = 60
# What Postgres notifies in one piece.
LARGEST_WORDS_BYTES = 7_999


class Telling:
    """Tells one job's progress over the bus, at most five times a second, the latest word always in the end."""

    def __init__(self, job: Job, bus: EventBus, forecasts: Forecasts, clock: Callable[[], float]) -> None:
        self._job = job
        self._bus = bus
        self._forecasts = forecasts
        self._clock = clock
        self._began = clock()
        self._untold: Progress | None = None
        # Stages in which nothing learns tell no curves; those that were told stay true.
        self._curves: tuple[tuple[int, tuple[tuple[float, ...], ...]], ...] = ()
        # Of a new attempt the first telling says also that nothing was printed yet.
        self._told_log: str | None = ""
        self._teller: asyncio.Task[None] | None = None

    def tell(self, progress: Progress) -> None:
        """Called by the job as often as it likes. Housekeeping has nobody to be told to."""
        if self._job.user_id is None:
            return
        self._curves = progress.curves or self._curves
        self._untold = _with_curve(progress, self._untold)
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell())

    def stop(self) -> None:
        """The job is over, so its progress is no news any more. What is on its way to the bus is let through."""
        self._untold = None

    async def _tell(self) -> None:
        while self._untold is not None:
            progress, self._untold = self._untold, None
            await self._bus.publish(PROGRESS_CHANNEL, self._words(progress))
            self._told_log = progress.log_tail
            await asyncio.sleep(SECONDS_BETWEEN_TELLINGS)

    def _words(self, progress: Progress) -> str:
        percent = _number(progress.percent)
        percent = None if percent is None else min(max(percent, 0.0), 100.0)
        eta = self._eta(percent)
        task = {
            "id": str(self._job.id),
            "kind": self._job.kind,
            "attempt": self._job.attempts,
            "stage": readable(progress.stage)[:LONGEST_STAGE],
            "percent": percent,
            "message": None if progress.message is None else readable(progress.message)[:LONGEST_MESSAGE],
            "eta_seconds": _number(progress.eta_seconds if eta is None else eta),
        }
        if progress.current_date is not None:
            task["current_date"] = readable(progress.current_date)[:LONGEST_STAGE]
        if progress.curve:
            task["curve"] = _brief(progress.curve, MOST_CURVE_POINTS, digits=6)
        if self._curves:
            share = MOST_CURVE_POINTS // len(self._curves[:MOST_CURVES])
            task["curves"] = [
                [fold, _brief(curve, max(share, 2), digits=5)] for fold, curve in self._curves[:MOST_CURVES]
            ]
        task |= {name: value for name in LEARNING if (value := getattr(progress, name)) is not None}
        if progress.log_tail != self._told_log:
            task["log_tail"] = None
            room = LARGEST_WORDS_BYTES - len(self._encoded(task))
            task["log_tail"] = progress.log_tail and last_lines(progress.log_tail, most_bytes=room, size=_size_in_json)
        return self._encoded(task).decode()

    def _encoded(self, task: dict[str, Any]) -> bytes:
        return json.dumps({"user_id": str(self._job.user_id), "task": task}, ensure_ascii=False).encode()

    def _eta(self, percent: float | None) -> float | None:
        job, elapsed = self._job, self._clock() - self._began
        return self._forecasts.eta(job.kind, job.work_units, elapsed=elapsed, percent=percent)


def _with_curve(progress: Progress, untold: Progress | None) -> Progress:
    """A short run goes from stage to stage between two tellings; what was seen of its equity is told all the same.

    Not the loss of a training: it belongs to its round.
    """
    if untold is None or not untold.curve or progress.curve or untold.round is not None:
        return progress
    return replace(progress, curve=untold.curve, current_date=untold.current_date)


def _brief(curve: tuple[tuple[float, ...], ...], most: int, *, digits: int) -> list[list[float]]:
    return [[at, *(float(f"{value:.{digits}g}") for value in values)] for at, *values in curve[:most]]


def _size_in_json(part: str) -> int:
    return len(json.dumps(part, ensure_ascii=False).encode()) - len('""')


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 1)

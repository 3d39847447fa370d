"""How far jobs are, told often enough to be watched and seldom enough to cost nothing, with the time still to go."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from backend.domain.events import PROGRESS_CHANNEL
from backend.domain.jobs import Job, JobKind, Progress
from backend.domain.ports import EventBus

SECONDS_BETWEEN_TELLINGS = 0.2
# The bus takes 7,999 bytes, and a character can take twelve of them in JSON.
LONGEST_STAGE = 80
LONGEST_MESSAGE = 400
REMEMBERED_JOBS = 50
# Before this the pace of a job says little about its end.
FIRST_TELLING_PERCENT = 2.0


class Durations:
    """How long jobs of each kind took here, and how well that was foreseen."""

    def __init__(self) -> None:
        self._seconds: dict[JobKind, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED_JOBS))
        self._errors: dict[JobKind, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED_JOBS))

    def expected(self, kind: JobKind) -> float | None:
        """The median of the latest jobs of this kind; None before the first."""
        return median(self._seconds[kind]) if self._seconds[kind] else None

    def error(self, kind: JobKind) -> float | None:
        """By what share of their length jobs of this kind missed what was foreseen at their start, as a median."""
        return median(self._errors[kind]) if self._errors[kind] else None

    def eta(self, kind: JobKind, *, elapsed: float, percent: float | None) -> float | None:
        """Seconds to go: from what such jobs took before, giving way to the job's own pace as it moves on."""
        expected = self.expected(kind)
        from_history = None if expected is None else max(expected - elapsed, 0.0)
        if percent is None or percent < FIRST_TELLING_PERCENT:
            return from_history
        from_pace = elapsed * (100 - percent) / percent
        if from_history is None:
            return from_pace
        return (from_pace * percent + from_history * (100 - percent)) / 100

    def completed(self, kind: JobKind, seconds: float) -> None:
        expected = self.expected(kind)
        if expected is not None and seconds > 0:
            self._errors[kind].append(abs(expected - seconds) / seconds)
        self._seconds[kind].append(seconds)


class Telling:
    """Tells one job's progress over the bus, at most five times a second, the latest word always in the end."""

    def __init__(self, job: Job, bus: EventBus, durations: Durations, clock: Callable[[], float]) -> None:
        self._job = job
        self._bus = bus
        self._durations = durations
        self._clock = clock
        self._began = clock()
        self._untold: Progress | None = None
        self._teller: asyncio.Task[None] | None = None

    def tell(self, progress: Progress) -> None:
        """Called by the job as often as it likes. Housekeeping has nobody to be told to."""
        if self._job.user_id is None:
            return
        self._untold = progress
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell())

    def stop(self) -> None:
        """The job is over, so its progress is no news any more. What is on its way to the bus is let through."""
        self._untold = None

    async def _tell(self) -> None:
        while self._untold is not None:
            progress, self._untold = self._untold, None
            await self._bus.publish(PROGRESS_CHANNEL, self._words(progress))
            await asyncio.sleep(SECONDS_BETWEEN_TELLINGS)

    def _words(self, progress: Progress) -> str:
        percent = None if progress.percent is None else round(min(max(progress.percent, 0.0), 100.0), 1)
        eta = self._durations.eta(self._job.kind, elapsed=self._clock() - self._began, percent=percent)
        told = replace(progress, percent=percent, eta_seconds=progress.eta_seconds if eta is None else eta)
        return json.dumps(
            {
                "user_id": str(self._job.user_id),
                "task": {
                    "id": str(self._job.id),
                    "kind": self._job.kind,
                    "attempt": self._job.attempts,
                    "stage": told.stage[:LONGEST_STAGE],
                    "percent": told.percent,
                    "message": None if told.message is None else told.message[:LONGEST_MESSAGE],
                    "eta_seconds": None if told.eta_seconds is None else round(told.eta_seconds, 1),
                },
            }
        )

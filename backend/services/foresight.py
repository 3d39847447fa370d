"""Keeps what is known of how long jobs take in step with the table, which every process on the database reads."""

import asyncio
from collections.abc import Sequence

from loguru import logger

from backend.domain.errors import ServiceUnavailable
from backend.domain.forecast import LATEST_COMMIT, REMEMBERED_RUNS, Forecasts, KindHistory
from backend.domain.job_ports import JobMeter, JobRecords

SECONDS_BETWEEN_LOOKS = 5.0


class Foresight:
    """The forecasts of this process, made anew from the table at its start."""

    def __init__(self, records: JobRecords, meter: JobMeter) -> None:
        self.forecasts = Forecasts()
        self._records = records
        self._meter = meter

    async def look(self) -> None:
        """Learn from what was completed since the last look, whoever ran it."""
        until = self.forecasts.learned_until
        since = None if until is None else until - LATEST_COMMIT
        self.forecasts.learn(await self._records.completed(since=since, most=REMEMBERED_RUNS))
        for known in self.forecasts.history():
            self._meter.eta_missed(known.kind, known.eta_error)

    async def keep_looking(self) -> None:
        """Until cancelled. While the database is away nothing is completed that could be learned from."""
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            try:
                await self.look()
            except ServiceUnavailable:
                continue
            except Exception:  # noqa: BLE001 - one bad look must not end all later ones
                logger.exception("What was completed could not be learned from")

    def history(self) -> Sequence[KindHistory]:
        return self.forecasts.history()

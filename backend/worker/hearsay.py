"""What the runner heard of jobs that wait. Most of it comes twice: from who queued the job here, and over the bus."""

import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from uuid import UUID

# The second word of a job comes within milliseconds. What comes later is news: the job was queued again.
SECOND_WORD_SECONDS = 2.0
MOST_WORDS = 1_000


class _Source(Enum):
    HERE = "here"
    BUS = "bus"


class Hearsay:
    """Jobs to look at. Which of the two words of a job comes first is left open; the second one is no news."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: dict[UUID, None] = {}
        self._words: OrderedDict[UUID, tuple[_Source, float]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def from_here(self, job_id: UUID) -> bool:
        """Whether that is news."""
        return self._hear(job_id, _Source.HERE)

    def from_bus(self, job_id: UUID) -> bool:
        return self._hear(job_id, _Source.BUS)

    def take(self) -> list[UUID]:
        """All that was heard since the last time, the earliest first. So many may be there that some were left out."""
        jobs, self._jobs = list(self._jobs), {}
        return jobs

    def forget(self) -> None:
        """Words may have been lost, so none is expected any more."""
        self._words.clear()

    def _hear(self, job_id: UUID, source: _Source) -> bool:
        first, at = self._words.pop(job_id, (source, 0.0))
        if first is not source and self._clock() - at < SECOND_WORD_SECONDS:
            return False
        self._words[job_id] = (source, self._clock())
        if len(self._words) > MOST_WORDS:
            self._words.popitem(last=False)
        if len(self._jobs) < MOST_WORDS:
            self._jobs[job_id] = None
        return True

"""Leased jobs that wait for a child: bounded, so that what is leased before there is room for it waits no longer than
a moment, and whoever comes next is not kept waiting by it.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from uuid import UUID

from backend.domain.jobs import NOTHING_AHEAD, Ahead, JobKind
from backend.worker.running import Running

# A kind is brief while its latest jobs took no more than this on average.
BRIEF_SECONDS = 0.005
LATEST_JOBS = 20
# So much work, and so many jobs, may wait for each place.
AHEAD_SECONDS = 0.01
AHEAD_JOBS = 8
# A place that has been at one job for so long gets nothing ahead.
BUSY_SECONDS = 0.05
# What waits longer goes back to the queue, for whoever can do it.
LONGEST_WAIT_SECONDS = 0.25


class Line:
    """Who runs the fewest jobs here goes first, then who came first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: deque[tuple[float, Running]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, running: Running) -> None:
        self._waiting.append((self._clock(), running))

    def remove(self, running: Running) -> None:
        self._waiting = deque(entry for entry in self._waiting if entry[1] is not running)

    def next(self, at_work: Iterable[Running]) -> Running | None:
        if not self._waiting:
            return None
        busy: Counter[UUID | None] = Counter(running.lease.job.user_id for running in at_work)
        return min((running for _, running in self._waiting), key=lambda running: busy[running.lease.job.user_id])

    def waited_too_long(self) -> list[Running]:
        latest = self._clock() - LONGEST_WAIT_SECONDS
        return [running for since, running in self._waiting if since <= latest]


class Pace:
    """Which kinds of jobs children are done with before anybody would notice, as measured here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: dict[JobKind, deque[float]] = defaultdict(lambda: deque(maxlen=LATEST_JOBS))
        self._begun: dict[Running, float] = {}

    def begins(self, running: Running) -> None:
        self._begun[running] = self._clock()

    def ends(self, running: Running) -> float:
        """How long it took. By the child's own clock a brief job is brief also where everything waits for a core."""
        seconds = self._clock() - self._begun.pop(running, self._clock())
        if running.was_sent:
            worked = running.worked_seconds
            self._seconds[running.lease.job.kind].append(seconds if worked is None else worked)
        return seconds

    @property
    def at_work(self) -> Iterable[Running]:
        return self._begun

    def ahead(self, places: int, waiting: int) -> Ahead:
        """What may be leased before there is room for it, where so many wait already. Seldom, and then many at once."""
        means = {kind: sum(taken) / LATEST_JOBS for kind, taken in self._seconds.items() if len(taken) == LATEST_JOBS}
        brief = {kind: mean for kind, mean in means.items() if mean <= BRIEF_SECONDS}
        if not brief:
            return NOTHING_AHEAD
        busy_since = self._clock() - BUSY_SECONDS
        lively = places - sum(began < busy_since for began in self._begun.values())
        most = lively * min(AHEAD_JOBS, int(AHEAD_SECONDS / max(*brief.values(), 1e-6)))
        return Ahead(count=most - waiting, kinds=frozenset(brief)) if waiting <= most // 2 else NOTHING_AHEAD

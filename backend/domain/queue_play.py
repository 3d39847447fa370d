"""The queue as it goes on from now: whose turn it is, what fits, and when it gives its room back, played through."""

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from backend.domain.forecast import Forecasts
from backend.domain.jobs import PATIENCE_SECONDS, Demand, JobKind

ME = 0
# Other users with waiting jobs who are looked at.
MOST_USERS_AROUND = 200
# So many starts are played through; what is further away is reckoned from the pace until then.
MOST_STARTS = 1_000
# How far into a user's queue the claim looks for something smaller than what is first.
_LOOKS_AT = 32


@dataclass(frozen=True, kw_only=True)
class WaitingJobs:
    """Jobs of one user that are alike; of the one who asks, each by itself with its place in the user's own queue."""

    owner: int
    kind: JobKind
    demand: Demand
    work_units: float | None
    # Since the turn of the first and of the last, where a step of priority counts as a minute; since the first waits.
    turn_seconds: float
    last_turn_seconds: float
    waited_seconds: float
    count: int = 1
    # There are more behind them than were looked at.
    is_cut: bool = False
    job_id: UUID | None = None
    place: int | None = None


@dataclass(frozen=True, kw_only=True)
class BusyJob:
    """A job that runs, in this process or in another one."""

    owner: int
    is_here: bool
    kind: JobKind
    demand: Demand
    work_units: float | None
    elapsed: float


@dataclass(frozen=True, kw_only=True)
class QueueAround:
    """What a user's waiting jobs stand among. Others are numbers: nothing says who they are."""

    waiting: Sequence[WaitingJobs]
    running: Sequence[BusyJob]
    most_running: Mapping[int, int]
    # More users wait than were looked at.
    is_cut: bool = False

    @property
    def mine(self) -> Sequence[WaitingJobs]:
        return sorted((jobs for jobs in self.waiting if jobs.owner == ME), key=lambda jobs: jobs.place or 0)

    def in_order(self) -> Iterator[WaitingJobs]:
        """What waits, each user's own in its order. Of mine, those before the first gap, which opens far behind."""
        yield from (jobs for number, jobs in enumerate(self.mine, 1) if jobs.place == number)
        yield from sorted((jobs for jobs in self.waiting if jobs.owner != ME), key=lambda jobs: -jobs.turn_seconds)


@dataclass(frozen=True, kw_only=True)
class Start:
    """When a job of mine would start, and how many would before it."""

    seconds: float
    ahead: int
    ahead_of_mine: int


@dataclass
class _Alike:
    """Jobs that are alike, as they are taken one by one."""

    jobs: WaitingJobs
    taken: int = 0

    @property
    def turn_seconds(self) -> float:
        """Of the next one, as if their turns came evenly."""
        first, last = self.jobs.turn_seconds, self.jobs.last_turn_seconds
        return first + (last - first) * self.taken / max(self.jobs.count - 1, 1)

    @property
    def is_empty(self) -> bool:
        return self.taken >= self.jobs.count and not self.jobs.is_cut


@dataclass
class _Queue:
    """One user's queue and how much of it runs, as the play goes on."""

    owner: int
    most_running: int
    waiting: list[_Alike] = field(default_factory=list)
    running: int = 0

    @property
    def rank(self) -> tuple[int, float, int]:
        """Whose turn it is: who has the fewest running, then who has been waiting longest."""
        return self.running, -self.waiting[0].turn_seconds, self.owner

    def next(self, room: Demand, now: float) -> _Alike | None:
        """Those of which one fits; None when none does. Raises _KeptBack when room is kept for one that does not."""
        for alike in self.waiting[:_LOOKS_AT]:
            if alike.jobs.demand.fits(room):
                return alike
            if alike.jobs.waited_seconds + now > PATIENCE_SECONDS:
                raise _KeptBack
        return None

    def take(self, alike: _Alike) -> WaitingJobs:
        alike.taken += 1
        if alike.is_empty:
            self.waiting.remove(alike)
        if self.owner != ME:
            self.waiting.sort(key=lambda one: -one.turn_seconds)
        self.running += 1
        return alike.jobs


class _KeptBack(Exception):
    """A job that is too large for the room there is has waited long enough for others to wait for it."""


class Play:
    """Whoever is next starts where there is room, and gives it back when its time is over."""

    def __init__(self, around: QueueAround, forecasts: Forecasts, *, room: Demand, capacity: Demand) -> None:
        self.starts: dict[UUID, Start] = {}
        self.unknown_kinds: list[JobKind] = []
        self.ran_dry = False
        self.ahead = 0
        self._ahead_of_mine = 0
        self._forecasts = forecasts
        self._cores, self._memory = room.cores, room.memory_bytes
        self._now = 0.0
        self._ends: list[tuple[float, int, int, Demand]] = []
        self._numbers = count()
        self._queues: dict[int, _Queue] = {}
        for jobs in around.in_order():
            if jobs.demand.fits(capacity):
                self._add(jobs, around.most_running)
        for job in around.running:
            self._is_running(job)
        self._ranks = [(queue.rank, owner) for owner, queue in self._queues.items()]
        heapq.heapify(self._ranks)

    def through(self) -> None:
        """Until all of mine have started, nothing can be known any more, or it was enough."""
        while self._goes_on():
            while self._goes_on() and self._start_next():
                pass
            if not self._ends or math.isinf(self._ends[0][0]):
                self.ran_dry = self._goes_on()
                return
            if self._goes_on():
                self._end_next()

    def _add(self, jobs: WaitingJobs, most_running: Mapping[int, int]) -> None:
        queue = self._queues.setdefault(jobs.owner, _Queue(jobs.owner, most_running.get(jobs.owner, 1)))
        queue.waiting.append(_Alike(jobs))

    def _is_running(self, job: BusyJob) -> None:
        if job.owner in self._queues:
            self._queues[job.owner].running += 1
        # What ends elsewhere makes room elsewhere, but it makes its user wait less.
        gives_back = job.demand if job.is_here else Demand(cores=0, memory_bytes=0)
        self._will_end(
            job.owner, gives_back, job.kind, self._forecasts.remaining(job.kind, job.work_units, elapsed=job.elapsed)
        )

    def _will_end(self, owner: int, demand: Demand, kind: JobKind, seconds: float | None) -> None:
        if seconds is None:
            self.unknown_kinds.append(kind)
        end = math.inf if seconds is None else self._now + seconds
        heapq.heappush(self._ends, (end, next(self._numbers), owner, demand))

    def _goes_on(self) -> bool:
        return ME in self._queues and bool(self._queues[ME].waiting) and self.ahead < MOST_STARTS

    def _start_next(self) -> bool:
        """Start what the queue would; False when nothing can start at this moment."""
        passed: list[tuple[tuple[int, float, int], int]] = []
        try:
            while self._ranks and self._cores > 0:
                rank, owner = heapq.heappop(self._ranks)
                queue = self._queues[owner]
                if not queue.waiting or queue.rank != rank or queue.running >= queue.most_running:
                    continue
                alike = queue.next(Demand(cores=self._cores, memory_bytes=self._memory), self._now)
                if alike is not None:
                    self._start(queue, alike)
                    return True
                passed.append((rank, owner))
        except _KeptBack:
            passed.append((rank, owner))
        finally:
            for one in passed:
                heapq.heappush(self._ranks, one)
        return False

    def _start(self, queue: _Queue, alike: _Alike) -> None:
        jobs = queue.take(alike)
        if jobs.job_id is not None:
            self.starts[jobs.job_id] = Start(seconds=self._now, ahead=self.ahead, ahead_of_mine=self._ahead_of_mine)
            self._ahead_of_mine += 1
        self.ahead += 1
        self._cores -= jobs.demand.cores
        self._memory -= jobs.demand.memory_bytes
        self._will_end(queue.owner, jobs.demand, jobs.kind, self._forecasts.expected(jobs.kind, jobs.work_units))
        self._rank_anew(queue)

    def _end_next(self) -> None:
        self._now, _, owner, demand = heapq.heappop(self._ends)
        self._cores += demand.cores
        self._memory += demand.memory_bytes
        if owner in self._queues:
            self._queues[owner].running -= 1
            self._rank_anew(self._queues[owner])

    def _rank_anew(self, queue: _Queue) -> None:
        """An older rank of it may still be there, and is passed over."""
        if queue.waiting:
            heapq.heappush(self._ranks, (queue.rank, queue.owner))

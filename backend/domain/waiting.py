"""Why a job waits, and for about how long, in words and numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from backend.domain.forecast import Forecasts
from backend.domain.jobs import Demand
from backend.domain.queue_play import ME, Play, QueueAround, Start, WaitingJobs


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Why a job waits, in sentences with their numbers, and about how long; None when nobody can know."""

    reason: str
    seconds: float | None


def waits(
    around: QueueAround, forecasts: Forecasts, *, room: Demand, capacity: Demand, lacks: Callable[[Demand], str | None]
) -> Mapping[UUID, Wait]:
    """Of each of the user's own jobs that cannot start at once.

    `room` is free here now, `capacity` the most there ever is; `lacks` says what a demand lacks of it, in words.
    """
    play = Play(around, forecasts, room=room, capacity=capacity)
    play.through()
    words = _Words(around, play, capacity, lacks)
    return {jobs.job_id: wait for jobs in around.mine if jobs.job_id and (wait := words.wait(jobs))}


class _Words:
    """What the play says about each job."""

    def __init__(
        self, around: QueueAround, play: Play, capacity: Demand, lacks: Callable[[Demand], str | None]
    ) -> None:
        self._around = around
        self._play = play
        self._capacity = capacity
        self._lacks = lacks
        self._limit = around.most_running.get(ME, 1)
        self._running = sum(job.owner == ME for job in around.running)
        # The pace of the user's own starts, for those that are further away than was played.
        self._last = max(play.starts.values(), key=lambda start: start.ahead_of_mine, default=None)

    def wait(self, jobs: WaitingJobs) -> Wait | None:
        if not jobs.demand.fits(self._capacity):
            return Wait(reason=self._lacks(jobs.demand) or "It is larger than this machine.", seconds=None)
        start = self._play.starts.get(jobs.job_id) if jobs.job_id else None
        if start is not None and start.seconds == 0:
            return None
        seconds, unknown = self._seconds(jobs, start)
        sentences = (self._cause(jobs, start), self._ahead(jobs, start), unknown)
        return Wait(reason=" ".join(sentence for sentence in sentences if sentence), seconds=seconds)

    def _cause(self, jobs: WaitingJobs, start: Start | None) -> str:
        if self._running >= self._limit:
            return f"Waits for one of your tasks to end: {self._running:,} of at most {self._limit:,} run."
        if lacking := self._lacks(jobs.demand):
            return lacking
        if self._running + _ahead_of_mine(jobs, start) >= self._limit:
            return f"Waits for your other tasks: at most {self._limit:,} of yours run at once."
        return "Waits for its turn." if self._play.ahead else "Waits for its turn: room is kept for a larger task."

    def _ahead(self, jobs: WaitingJobs, start: Start | None) -> str:
        mine = _ahead_of_mine(jobs, start)
        total = start.ahead if start is not None else max(self._play.ahead, mine)
        if total == 0:
            return ""
        are = "1 task is" if total == 1 else f"{total:,} tasks are"
        counted = are if start is not None else f"At least {are}"
        if mine == total:
            return f"{counted} ahead of it, {'yours' if total == 1 else 'all of them yours'}."
        return f"{counted} ahead of it{f', {mine:,} of them yours' if mine else ''}."

    def _seconds(self, jobs: WaitingJobs, start: Start | None) -> tuple[float | None, str]:
        """About how long; else why that is not known."""
        if why := self._unknown(start):
            return None, f"How long is not known: {why}."
        if start is not None:
            return start.seconds, ""
        pace = 0.0 if self._last is None else self._last.seconds / (self._last.ahead_of_mine + 1)
        return pace * (_ahead_of_mine(jobs, None) + 1), ""

    def _unknown(self, start: Start | None) -> str | None:
        if not all(job.is_here for job in self._around.running):
            return "other servers take tasks too, and how much room they have is not known here"
        if self._around.is_cut:
            return "too many people wait"
        if start is not None:
            return None
        if not self._play.ran_dry:
            return None if self._last else "too much is ahead of it"
        if self._play.unknown_kinds:
            return f"no task of the kind {self._play.unknown_kinds[0].replace('_', ' ')} has been completed yet"
        return "nothing runs here that would make room"


def _ahead_of_mine(jobs: WaitingJobs, start: Start | None) -> int:
    return start.ahead_of_mine if start is not None else (jobs.place or 1) - 1

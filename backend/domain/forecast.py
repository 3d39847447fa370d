"""How long jobs take, learned from those that were completed: by kind, and by how much work each of them is."""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from statistics import fmean, median
from uuid import UUID

from backend.domain.jobs import JobKind

REMEMBERED_RUNS = 50
# Fewer runs would follow a line with a fixed part by chance.
FEWEST_FOR_A_FIXED_PART = 6
# Before this the pace of a job says little about its end.
FIRST_TELLING_PERCENT = 2.0
# What should have ended by now still takes a share of the time that it took already.
OVERDUE_SHARE = 0.1
# So long after a newer one a run may still be committed.
LATEST_COMMIT = timedelta(minutes=2)
_SHORTEST_SECONDS = 0.001
_LONGEST_SECONDS = 1e9


@dataclass(frozen=True, kw_only=True)
class CompletedRun:
    """What a completed job took. How much work it was is in its kind's own measure: bars, rows, bars x combinations."""

    job_id: UUID
    kind: JobKind
    work_units: float | None
    seconds: float
    ended_at: datetime


@dataclass(frozen=True, kw_only=True)
class KindHistory:
    """How long the latest jobs of a kind took, and by what share of their length that was missed at their start."""

    kind: JobKind
    jobs: int
    typical_seconds: float
    eta_error: float | None


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long so much work takes. Neither part is negative, so more work never takes less time."""

    fixed_seconds: float
    seconds_per_unit: float

    @classmethod
    def of(cls, runs: Sequence[tuple[float, float]]) -> "Pace":
        """Of (work, seconds) of at least one run: the simplest line that misses them least, whatever a few of them do.

        Seconds per unit alone, or none of them, or both parts.
        """
        lines = [
            cls(fixed_seconds=0.0, seconds_per_unit=median(seconds / work for work, seconds in runs)),
            cls(fixed_seconds=median(seconds for _, seconds in runs), seconds_per_unit=0.0),
        ]
        if len(runs) >= FEWEST_FOR_A_FIXED_PART:
            lines.append(cls._with_both_parts(sorted(runs)))
        return min(lines, key=lambda line: line._misses(runs))

    @classmethod
    def _with_both_parts(cls, by_work: Sequence[tuple[float, float]]) -> "Pace":
        """The slope between small and large runs, then what small ones take beyond it, then the slope above that."""
        half = len(by_work) // 2
        slopes = [
            (large[1] - small[1]) / (large[0] - small[0])
            for small, large in zip(by_work[:half], by_work[-half:], strict=True)
            if large[0] > small[0]
        ]
        slope = max(median(slopes), 0.0) if slopes else 0.0
        fixed = max(median(seconds - slope * work for work, seconds in by_work[:half]), 0.0)
        above = max(median((seconds - fixed) / work for work, seconds in by_work), 0.0)
        return cls(fixed_seconds=fixed, seconds_per_unit=above)

    def seconds(self, work_units: float) -> float:
        return min(self.fixed_seconds + self.seconds_per_unit * work_units, _LONGEST_SECONDS)

    def _misses(self, runs: Sequence[tuple[float, float]]) -> float:
        """Twice as long counts as much as half as long, of a short run as of a long one."""
        return fmean(
            abs(math.log(max(self.seconds(work), _SHORTEST_SECONDS) / max(seconds, _SHORTEST_SECONDS)))
            for work, seconds in runs
        )


class Forecasts:
    """What is known of all kinds by now. It is fed with what was completed, in order, and remembers the latest."""

    def __init__(self) -> None:
        self._kinds: dict[JobKind, _Kind] = defaultdict(_Kind)
        self._known: dict[UUID, datetime] = {}
        self.learned_until: datetime | None = None

    def learn(self, runs: Iterable[CompletedRun]) -> None:
        """Take in what is not known yet, the oldest first."""
        for run in sorted(runs, key=lambda run: (run.ended_at, run.job_id)):
            if run.job_id not in self._known:
                self._known[run.job_id] = run.ended_at
                self.learned_until = max(run.ended_at, self.learned_until or run.ended_at)
                self._kinds[run.kind].completed(run)
        if self.learned_until is not None:
            forget = self.learned_until - 2 * LATEST_COMMIT
            self._known = {job_id: ended_at for job_id, ended_at in self._known.items() if ended_at > forget}

    def expected(self, kind: JobKind, work_units: float | None = None) -> float | None:
        """How long so much work takes, else what such jobs usually take; None before the first."""
        return self._kinds[kind].expected(work_units) if kind in self._kinds else None

    def remaining(self, kind: JobKind, work_units: float | None = None, *, elapsed: float) -> float | None:
        """How long a job still runs that has been running for so long."""
        expected = self.expected(kind, work_units)
        return None if expected is None else max(expected - elapsed, OVERDUE_SHARE * elapsed, 0.0)

    def eta(
        self, kind: JobKind, work_units: float | None = None, *, elapsed: float, percent: float | None
    ) -> float | None:
        """Seconds to go: from what such jobs took before, giving way to the job's own pace as it moves on.

        By factors, since what is foreseen from few jobs may be many times too long.
        """
        elapsed = max(elapsed, 0.0)
        from_history = self.remaining(kind, work_units, elapsed=elapsed)
        if percent is None or not percent >= FIRST_TELLING_PERCENT:
            return from_history
        done = min(percent, 100.0)
        from_pace = elapsed * (100 - done) / done
        if from_history is None:
            return from_pace
        return math.pow(from_pace, done / 100) * math.pow(from_history, 1 - done / 100)

    def error(self, kind: JobKind) -> float | None:
        """By what share of their length jobs of this kind missed what was foreseen at their start, as a median."""
        return self._kinds[kind].error if kind in self._kinds else None

    def history(self) -> Sequence[KindHistory]:
        return [
            KindHistory(kind=kind, jobs=len(known.runs), typical_seconds=known.typical, eta_error=known.error)
            for kind, known in sorted(self._kinds.items())
        ]


class _Kind:
    """The latest runs of one kind, and how well each was foreseen."""

    def __init__(self) -> None:
        self.runs: deque[CompletedRun] = deque(maxlen=REMEMBERED_RUNS)
        self._errors: deque[float] = deque(maxlen=REMEMBERED_RUNS)

    def completed(self, run: CompletedRun) -> None:
        if self.runs:
            missed = abs(self.expected(run.work_units) - run.seconds)
            self._errors.append(missed / max(run.seconds, _SHORTEST_SECONDS))
        self.runs.append(run)
        for learned in ("typical", "_pace"):
            self.__dict__.pop(learned, None)

    def expected(self, work_units: float | None) -> float:
        if work_units is None or self._pace is None:
            return self.typical
        return self._pace.seconds(work_units)

    @property
    def error(self) -> float | None:
        return median(self._errors) if self._errors else None

    @cached_property
    def typical(self) -> float:
        return median(run.seconds for run in self.runs)

    @cached_property
    def _pace(self) -> Pace | None:
        measured = [(run.work_units, run.seconds) for run in self.runs if run.work_units is not None]
        return Pace.of(measured) if measured else None

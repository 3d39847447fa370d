"""One child process as its parent sees it: started, given a job, listened to, watched, and ended."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import psutil

from backend.domain.jobs import LEARNING, JobFailure, Progress
from backend.worker.endings import Assignment, Ending, How, failure_of
from backend.worker.frames import Frames
from backend.worker.log_tail import LogTail

# Asked to stop, told to stop, made to stop: gone within 5 s whatever it does.
COOPERATION_SECONDS = 3.0
TERMINATION_SECONDS = 1.0
# Pings come every 2 s. One that leaves this many unanswered counts as gone, then is.
UNANSWERED_IS_SILENT = 3
UNANSWERED_IS_DEAD = 8
SECONDS_BETWEEN_LOGS = 0.2
# What a process holds that has loaded nothing yet.
BARE_BYTES = 16 * 1024**2
_LOG_SECONDS = 0.5
# All that a child inherits. No secret is among them, and a new one can't slip in.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV")


class Child:
    """A process that waits for a job, does it, and waits for the next."""

    def __init__(self, process: subprocess.Popen[bytes], log: LogTail, cpus: Sequence[int]) -> None:
        """`cpus` are the processors that it may use, the first ones first."""
        self._process = process
        # Jobs go over the line, pings and cancels over the leash, which another thread of it holds.
        self._line = Frames(self._heard, self._broke)
        self._leash = Frames(self._heard, self._broke)
        self._log = log
        self._watched = psutil.Process(process.pid)
        self._cpus = list(cpus)
        self._ready = asyncio.Event()
        self._buried = asyncio.Event()
        self._unanswered = 0
        self._was_signalled = False
        self._job: RunningAssignment | None = None
        self._jobs = 0
        self._burying: asyncio.Task[None] | None = None
        self._telling_log: asyncio.TimerHandle | None = None
        log.on_growth = self._log_grew

    @classmethod
    async def start(cls, cpus: Sequence[int] = (), environment: Mapping[str, str] = MappingProxyType({})) -> "Child":
        """Start one on this thread, with whose end the kernel would end it, so it must be the main one."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            sockets = []
            for _ in range(2):
                near, far = socket.socketpair()
                sockets.append((ours.enter_context(near), theirs.enter_context(far)))
            log_reads, log_writes = os.pipe()
            theirs.callback(os.close, log_writes)
            log_end = ours.enter_context(os.fdopen(log_reads, "rb", 0))
            log = LogTail(log_reads)
            process = _launch([far.fileno() for _, far in sockets], log_writes, environment)
            ours.callback(process.wait)
            ours.callback(process.kill)
            child = cls(process, log, cpus)
            await loop.connect_read_pipe(lambda: log, log_end)
            ours.callback(log.close)
            for (near, _), frames in zip(sockets, (child._line, child._leash), strict=True):
                await loop.create_unix_connection(partial(_itself, frames), sock=near)
                ours.callback(frames.close)
            # From here on they are the child's to end.
            ours.pop_all()
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return not self._buried.is_set() and self._process.returncode is None

    @property
    def is_fit(self) -> bool:
        """Whether it can take another job."""
        return self._ready.is_set() and self.is_alive and not self._was_signalled

    @property
    def answers(self) -> bool:
        """Whether it answered one of the latest pings."""
        return self.is_alive and self._unanswered < UNANSWERED_IS_SILENT

    @property
    def resident_bytes(self) -> int:
        """What its job held in memory at the latest look; 0 between jobs."""
        return self._job.resident_bytes if self._job is not None else 0

    def held_bytes(self) -> int:
        """What the whole process holds now; 0 when it is gone."""
        with contextlib.suppress(psutil.Error):
            return int(self._watched.memory_info().rss)
        return 0

    @property
    def last_words(self) -> str:
        return self._log.text or ""

    async def ready(self) -> bool:
        """Wait until it is warm; False when it died before."""
        first = [asyncio.create_task(event.wait()) for event in (self._ready, self._buried)]
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in first:
                waiting.cancel()
        return self.is_fit

    async def gone(self) -> None:
        await self._buried.wait()

    async def run(self, assignment: Assignment, on_progress: Callable[[Progress], None]) -> Ending:
        """Do one job to its end. Whatever the job does, this returns: with its result, or with why there is none."""
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

        def on_end(ending: Ending) -> None:
            if not ended.done():
                ended.set_result(ending)

        self.begin(assignment, on_progress, on_end)
        try:
            return await ended
        except asyncio.CancelledError:
            self.kill()
            raise

    def begin(
        self, assignment: Assignment, on_progress: Callable[[Progress], None], on_end: Callable[[Ending], None]
    ) -> None:
        """Give it a job, and hear of its end, whatever becomes of it: by then the child is free for the next."""
        self._jobs += 1
        self._line.say(
            {
                "do": "run",
                "number": self._jobs,
                "work": assignment.work,
                "payload": assignment.payload,
                "threads": assignment.cores,
                "cpus": self._cpus[: assignment.cores],
            }
        )
        too_late = asyncio.get_running_loop().call_later(
            assignment.wall_limit_seconds, self.end_job_soon, How.TIMED_OUT
        )
        self._job = RunningAssignment(self._jobs, assignment, on_progress, on_end, too_late)
        self._log.clear()
        if not self.is_alive:
            self._end_job(How.DIED, self._failure(How.DIED))

    def end_job_soon(self, reason: How = How.CANCELLED) -> None:
        """Ask the job to stop; after a while terminate, then kill."""
        job = self._job
        if job is None or job.ending_soon is not None:
            return
        job.reason = reason
        self._leash.say({"do": "cancel", "number": job.number})
        job.ending_soon = asyncio.create_task(self._escalate())

    def kill(self, reason: How = How.STOPPED) -> None:
        """End the process at once, and with it the job that it does."""
        if self._job is not None and self._job.reason is None:
            self._job.reason = reason
        self._signal(signal.SIGKILL)

    def ping(self) -> None:
        """Ask whether it is there; kill it when it has not answered for long."""
        if self._has_died():
            self._broke()
        elif self._unanswered >= UNANSWERED_IS_DEAD:
            self.kill(How.DIED)
        elif self._ready.is_set():
            self._unanswered += 1
            self._leash.say({"do": "ping"})

    def _has_died(self) -> bool:
        """Its lines do not say so while a process that its job forked holds them as well."""
        try:
            return bool(self._watched.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    def look_at_memory(self) -> None:
        """Kill it when its job holds more memory than it was given."""
        job = self._job
        if job is None:
            return
        with contextlib.suppress(psutil.Error):
            # One that was just killed holds nothing any more; what it held before is what matters.
            job.resident_bytes = self._watched.memory_info().rss or job.resident_bytes
            if job.is_taken and job.own_bytes > job.assignment.memory_bytes:
                self.kill(How.OUT_OF_MEMORY)

    async def _escalate(self) -> None:
        await asyncio.sleep(COOPERATION_SECONDS)
        self._signal(signal.SIGTERM)
        await asyncio.sleep(TERMINATION_SECONDS)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        self._was_signalled = True
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter is said of the dead by macOS
            if number == signal.SIGKILL and self._process.returncode is None:
                # Its session is its own: what its job forked goes with it, and with that its hold on our lines.
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def _heard(self, message: Mapping[str, Any]) -> None:
        match message["say"]:
            case "ready":
                self._ready.set()
            case "pong":
                self._unanswered = 0
            case "took" if self._job is not None:
                self._job.take(held_bytes=message["held"] or self.held_bytes())
            case "progress" if self._job is not None:
                self._job.tell(
                    Progress(
                        stage=message["stage"],
                        percent=message["percent"],
                        message=message["message"],
                        current_date=message.get("current_date"),
                        curve=_points(message.get("curve", ())),
                        curves=tuple((int(fold), _points(curve)) for fold, curve in message.get("curves", ())),
                        **{name: message.get(name) for name in LEARNING},
                        log_tail=self._log.text,
                    )
                )
            case "done":
                self._log.catch_up()
                self._returned(message)
            case "raised" if self._job is not None:
                self._log.catch_up()
                reason = self._job.reason or How.RAISED
                self._end_job(reason, self._failure(reason, message))

    def _returned(self, message: Mapping[str, Any]) -> None:
        reason = self._job.reason if self._job is not None and message["is_partial"] else None
        self._end_job(
            reason or How.RETURNED,
            self._failure(reason) if reason else None,
            result=dict(message["result"]),
            seconds=float(message["seconds"]),
        )

    def _broke(self) -> None:
        if self._burying is None:
            self._signal(signal.SIGKILL)
            self._burying = asyncio.ensure_future(self._bury())

    async def _bury(self) -> None:
        """A line broke: see that the process is gone, take its last words, and tell what became of its job."""
        await asyncio.to_thread(self._process.wait)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._log.ended.wait(), _LOG_SECONDS)
        for line in (self._line, self._leash, self._log):
            line.close()
        self._buried.set()
        if self._job is not None:
            reason = self._job.reason or How.DIED
            self._end_job(reason, self._failure(reason))

    def _log_grew(self) -> None:
        """Told also of a job that prints and reports nothing, at most five times a second."""
        if self._job is not None and self._telling_log is None:
            self._telling_log = asyncio.get_running_loop().call_later(SECONDS_BETWEEN_LOGS, self._tell_log)

    def _tell_log(self) -> None:
        self._telling_log = None
        if self._job is not None:
            self._job.tell(replace(self._job.latest, log_tail=self._log.text))

    def _end_job(
        self,
        how: How,
        failure: JobFailure | None,
        *,
        result: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.end(Ending(how=how, failure=failure, result=result, log_tail=self._log.text, seconds=seconds))

    def _failure(self, how: How, raised: Mapping[str, Any] | None = None) -> JobFailure | None:
        if self._job is None:
            return None
        return failure_of(
            how,
            self._job.assignment,
            held_bytes=self._job.own_bytes,
            exit_code=self._process.returncode,
            was_silent=self._unanswered >= UNANSWERED_IS_DEAD,
            raised=raised,
            log_tail=self._log.text,
        )


class RunningAssignment:
    """The job that a child does now."""

    def __init__(
        self,
        number: int,
        assignment: Assignment,
        on_progress: Callable[[Progress], None],
        on_end: Callable[[Ending], None],
        too_late: asyncio.TimerHandle,
    ) -> None:
        self.number = number
        self.assignment = assignment
        self.ending_soon: asyncio.Task[None] | None = None
        self.reason: How | None = None
        self.resident_bytes = 0
        # A child loads what is needed later while nothing comes; what it had loaded when it took the job.
        self.found_bytes = 0
        self.is_taken = False
        self.latest = Progress(stage="running")
        self._on_progress = on_progress
        self._on_end = on_end
        self._too_late = too_late

    @property
    def own_bytes(self) -> int:
        """As if it had been given a fresh process: what the jobs before it left is not held against it."""
        return max(self.resident_bytes - self.found_bytes, 0)

    def take(self, *, held_bytes: int) -> None:
        self.found_bytes = max(held_bytes - BARE_BYTES, 0)
        self.is_taken = True

    def tell(self, progress: Progress) -> None:
        self.latest = progress
        self._on_progress(progress)

    def end(self, ending: Ending) -> None:
        self._too_late.cancel()
        if self.ending_soon is not None:
            self.ending_soon.cancel()
        self._on_end(ending)


def _itself(frames: Frames) -> Frames:
    return frames


def _launch(lines: Sequence[int], log: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        [sys.executable, "-P", "-m", "backend.worker.process", *map(str, lines), str(os.getpid())],
        pass_fds=lines,
        env={**child_environment(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C is for the parent, which ends its children in order
    )


def child_environment() -> dict[str, str]:
    """Where to find Python's modules and the ways of the place; nothing else of ours."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONUNBUFFERED": "1"}


def _points(curve: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(point) for point in curve)

"""One child process as its parent sees it: started, given a job, listened to, watched, and ended."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import psutil
from loguru import logger

from backend.domain.jobs import JobFailure, Progress
from backend.worker.endings import Assignment, Ending, How, failure_of
from backend.worker.log_tail import LogTail
from backend.worker.process import LARGEST_FRAME_BYTES, frame, length_of

# Asked to stop, told to stop, made to stop: gone within 5 s whatever it does.
COOPERATION_SECONDS = 3.0
TERMINATION_SECONDS = 1.0
# Pings come every 2 s. One that leaves this many unanswered counts as gone, then is.
UNANSWERED_IS_SILENT = 3
UNANSWERED_IS_DEAD = 8
SECONDS_BETWEEN_LOGS = 0.2
_LOG_SECONDS = 0.5
# All that a child inherits. No secret is among them, and a new one can't slip in.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV")


class Child:
    """A process that waits for a job, does it, and waits for the next."""

    def __init__(
        self, process: subprocess.Popen[bytes], connection: asyncio.StreamWriter, log: LogTail, cpus: Sequence[int]
    ) -> None:
        """`cpus` are the processors that it may use, the first ones first."""
        self._process = process
        self._connection = connection
        self._log = log
        self._watched = psutil.Process(process.pid)
        self._cpus = list(cpus)
        self._ready = asyncio.Event()
        self._buried = asyncio.Event()
        self._unanswered = 0
        self._was_signalled = False
        self._job: RunningAssignment | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._telling_log: asyncio.TimerHandle | None = None
        log.on_growth = self._log_grew

    @classmethod
    async def start(cls, cpus: Sequence[int] = (), environment: Mapping[str, str] = MappingProxyType({})) -> "Child":
        """Start one on this thread, with whose end the kernel would end it, so it must be the main one."""
        ours, theirs = socket.socketpair()
        log_reads, log_writes = os.pipe()
        log_end = os.fdopen(log_reads, "rb", 0)
        try:
            process = _launch(theirs.fileno(), log_writes, environment)
        except BaseException:
            ours.close()
            log_end.close()
            raise
        finally:
            theirs.close()
            os.close(log_writes)
        log = LogTail(log_reads)
        try:
            await asyncio.get_running_loop().connect_read_pipe(lambda: log, log_end)
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            process.kill()
            process.wait()
            log.close()
            log_end.close()
            ours.close()
            raise
        child = cls(process, writer, log, cpus)
        child._hearing = asyncio.create_task(child._hear(reader))
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
        job = self._job = RunningAssignment(assignment, on_progress)
        self._log.clear()
        if not self.is_alive:
            self._end_job(How.DIED, self._failure(How.DIED))
        self._say(
            {
                "do": "run",
                "work": assignment.work,
                "payload": assignment.payload,
                "threads": assignment.cores,
                "cpus": self._cpus[: assignment.cores],
            }
        )
        too_late = asyncio.get_running_loop().call_later(
            assignment.wall_limit_seconds, self.end_job_soon, How.TIMED_OUT
        )
        try:
            return await job.ended
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            too_late.cancel()
            job.leave_in_peace()
            self._job = None

    def end_job_soon(self, reason: How = How.CANCELLED) -> None:
        """Ask the job to stop; after a while terminate, then kill."""
        job = self._job
        if job is None or job.ending_soon is not None:
            return
        job.reason = reason
        self._say({"do": "cancel"})
        job.ending_soon = asyncio.create_task(self._escalate())

    def kill(self, reason: How = How.STOPPED) -> None:
        """End the process at once, and with it the job that it does."""
        if self._job is not None and self._job.reason is None:
            self._job.reason = reason
        self._signal(signal.SIGKILL)

    def ping(self) -> None:
        """Ask whether it is there; kill it when it has not answered for long."""
        if self._unanswered >= UNANSWERED_IS_DEAD:
            self.kill(How.DIED)
        elif self._ready.is_set():
            self._unanswered += 1
            self._say({"do": "ping"})

    def look_at_memory(self) -> None:
        """Kill it when its job holds more memory than it was given."""
        job = self._job
        if job is None:
            return
        with contextlib.suppress(psutil.Error):
            job.resident_bytes = self._watched.memory_info().rss
            if job.resident_bytes > job.assignment.memory_bytes:
                self.kill(How.OUT_OF_MEMORY)

    async def _escalate(self) -> None:
        await asyncio.sleep(COOPERATION_SECONDS)
        self._signal(signal.SIGTERM)
        await asyncio.sleep(TERMINATION_SECONDS)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        self._was_signalled = True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _say(self, message: Mapping[str, Any]) -> None:
        if not self._connection.is_closing():
            self._connection.write(frame(dict(message)))

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                length = length_of(await reader.readexactly(4))
                if length > LARGEST_FRAME_BYTES:
                    break
                self._heard(json.loads(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            pass  # it is gone
        except (ValueError, KeyError, TypeError) as error:
            logger.error("A worker process says what nobody understands, so it is ended: {!r}", error)
        finally:
            await self._bury()

    def _heard(self, message: Mapping[str, Any]) -> None:
        match message["say"]:
            case "ready":
                self._ready.set()
            case "pong":
                self._unanswered = 0
            case "progress" if self._job is not None:
                self._job.tell(
                    Progress(
                        stage=message["stage"],
                        percent=message["percent"],
                        message=message["message"],
                        log_tail=self._log.text,
                    )
                )
            case "done":
                self._log.catch_up()
                self._returned(message["result"], is_partial=message["is_partial"])
            case "raised" if self._job is not None:
                self._log.catch_up()
                reason = self._job.reason or How.RAISED
                self._end_job(reason, self._failure(reason, message))

    def _returned(self, result: Mapping[str, Any], *, is_partial: bool) -> None:
        reason = self._job.reason if self._job is not None and is_partial else None
        self._end_job(reason or How.RETURNED, self._failure(reason) if reason else None, result)

    async def _bury(self) -> None:
        """The line broke: see that the process is gone, take its last words, and tell what became of its job."""
        self._signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._log.ended.wait(), _LOG_SECONDS)
        self._connection.close()
        self._log.close()
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
        if self._job is not None and not self._job.ended.done():
            self._job.tell(replace(self._job.latest, log_tail=self._log.text))

    def _end_job(self, how: How, failure: JobFailure | None, result: Mapping[str, Any] | None = None) -> None:
        if self._job is not None and not self._job.ended.done():
            ending = Ending(how=how, failure=failure, result=result, log_tail=self._log.text)
            self._job.ended.set_result(ending)

    def _failure(self, how: How, raised: Mapping[str, Any] | None = None) -> JobFailure | None:
        if self._job is None:
            return None
        return failure_of(
            how,
            self._job.assignment,
            held_bytes=self._job.resident_bytes,
            exit_code=self._process.returncode,
            was_silent=self._unanswered >= UNANSWERED_IS_DEAD,
            raised=raised,
            log_tail=self._log.text,
        )


class RunningAssignment:
    """The job that a child does now."""

    def __init__(self, assignment: Assignment, on_progress: Callable[[Progress], None]) -> None:
        self.assignment = assignment
        self.on_progress = on_progress
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.ending_soon: asyncio.Task[None] | None = None
        self.reason: How | None = None
        self.resident_bytes = 0
        self.latest = Progress(stage="running")

    def tell(self, progress: Progress) -> None:
        self.latest = progress
        self.on_progress(progress)

    def leave_in_peace(self) -> None:
        if self.ending_soon is not None:
            self.ending_soon.cancel()


def _launch(line: int, log: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        [sys.executable, "-P", "-m", "backend.worker.process", str(line), str(os.getpid())],
        pass_fds=(line,),
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

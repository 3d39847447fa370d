"""One postmaster and the thread that keeps it: started, waited for, started again should it die under us."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from backend.domain.errors import ConfigurationError

from .address import belong_to_owner_of_folder
from .leftovers import end_leftovers

STOP_SECONDS = 8.0
LOG_LIMIT_BYTES = 8 * 1024 * 1024
_READY_SECONDS = 180.0
_HOUSEKEEPING_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 30.0


class PostgresWillNotStart(ConfigurationError):
    """The postmaster ended before it was ready."""

    code = "postgres_will_not_start"
    title = "The embedded Postgres does not start"

    @property
    def port_was_taken(self) -> bool:
        return "could not bind IPv4 address" in self.detail or "could not create any TCP/IP sockets" in self.detail


class Postmaster:
    """Linux ends a tied child when the *thread* that started it ends, so one thread lives as long as the postmaster."""

    def __init__(self, command: Sequence[str], *, cluster: Path, log: Path, say: Callable[[str], None]) -> None:
        self._command = list(command)
        self._cluster = cluster
        self._log = log
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: Exception | None = None
        self._is_ready = False
        self._first_try_over = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="postmaster", daemon=True)

    @property
    def is_running(self) -> bool:
        process = self._process
        return self._is_ready and process is not None and process.poll() is None

    def start(self) -> None:
        """Return when Postgres takes connections; raise PostgresWillNotStart when it does not."""
        self._thread.start()
        self._first_try_over.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything acknowledged is on disk already."""
        self._stopping.set()
        process = self._process
        _end(process)
        self._thread.join(timeout=STOP_SECONDS)
        if self._process is not process:  # it was being started again just then
            _end(self._process)

    def _keep(self) -> None:
        try:
            self._launch()
        except Exception as error:  # noqa: BLE001  # handed to the thread that waits in start()
            self._failure = error
            return
        finally:
            self._first_try_over.set()
        pause = 0.2
        while not self._stopping.is_set():
            started = time.monotonic()
            self._wait_for_the_end()
            self._is_ready = False
            if self._stopping.is_set():
                return
            pause = (
                0.2 if time.monotonic() - started > _LONGEST_PAUSE_SECONDS else min(pause * 2, _LONGEST_PAUSE_SECONDS)
            )
            self._say("Postgres ended unexpectedly and is started again")
            self._stopping.wait(pause)
            self._relaunch()

    def _relaunch(self) -> None:
        if self._stopping.is_set():
            return
        try:
            self._launch()
        except (ConfigurationError, OSError, psutil.Error) as error:
            self._say(f"Postgres does not start again yet: {error}")

    def _launch(self) -> None:
        end_leftovers(self._cluster)
        bound_size(self._log)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
            belong_to_owner_of_folder(self._log)
            begin = log.tell()
            process = subprocess.Popen(  # noqa: S603  # our own binaries, no shell
                self._command,
                cwd="/",
                env={"LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Away from the terminal's process group: Ctrl-C must reach us first.
                start_new_session=True,
            )
        self._process = process
        self._wait_until_ready(process, begin)
        self._is_ready = True

    def _wait_until_ready(self, process: subprocess.Popen[bytes], log_begin: int) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        tell_at = time.monotonic() + 3
        while not self._says_ready(process.pid):
            if process.poll() is not None:
                raise PostgresWillNotStart(
                    f"Postgres did not start. Its log {self._log} says:\n{self._tail(log_begin)}"
                )
            now = time.monotonic()
            if now > deadline or self._stopping.is_set():
                _end(process)
                raise PostgresWillNotStart(f"Postgres was not ready after {_READY_SECONDS:.0f} s; see {self._log}.")
            if now > tell_at:
                self._say("Postgres is recovering what was not yet in place")
                tell_at = now + 10
            time.sleep(0.02)

    def _says_ready(self, pid: int) -> bool:
        """The eighth line of postmaster.pid is what pg_ctl reads, too."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _wait_for_the_end(self) -> None:
        process = self._process
        while process is not None and not _ended(process, _HOUSEKEEPING_SECONDS):
            bound_size(self._log)

    def _tail(self, begin: int) -> str:
        with self._log.open("rb") as log:
            log.seek(max(begin, log.seek(0, os.SEEK_END) - 2000))
            return log.read().decode(errors="replace").strip() or "(nothing)"


def bound_size(log: Path) -> None:
    """Keep one older part, if there is room for it. Postgres appends, so cutting the file under it is safe."""
    with contextlib.suppress(OSError):
        if log.stat().st_size <= LOG_LIMIT_BYTES:
            return
        older = log.with_suffix(".log.1")
        older.unlink(missing_ok=True)
        try:
            shutil.copyfile(log, older)
            older.chmod(0o600)
        finally:
            os.truncate(log, 0)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """Fast shutdown, then harder: an immediate one is mended by recovery at the next start."""
    if process is None:
        return
    for signal_number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0)):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    if sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(process.pid)
            try:
                select.select([descriptor], [], [], seconds)
            finally:
                os.close(descriptor)
    else:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    return process.poll() is not None

"""Processes that an earlier, killed Tidemark left on a cluster. They are ended before a new postmaster starts."""

import contextlib
import hashlib
import os
import signal
import time
from pathlib import Path

import psutil

from backend.domain.errors import DataDirectoryInUse

_POLITE_SECONDS = 4.0
_FIRM_SECONDS = 1.0
_KILLED_SECONDS = 2.0


def cluster_name(cluster: Path) -> str:
    """Postgres shows it in the title of each of its processes, where any user may read it."""
    return "tidemark_" + hashlib.sha256(os.path.realpath(cluster).encode()).hexdigest()[:16]


def end_leftovers(cluster: Path) -> None:
    """Fast shutdown of an orphaned postmaster, or the end of backends that outlived theirs."""
    leftovers = processes_of(cluster)
    if leftovers:
        postmasters = [process for process in leftovers if _is_postmaster(process, cluster)]
        # A postmaster ends its backends itself. Without one, SIGQUIT makes a backend leave at once.
        remaining = _end(postmasters, signal.SIGINT, _POLITE_SECONDS) if postmasters else leftovers
        if remaining or processes_of(cluster):
            _end(processes_of(cluster), signal.SIGQUIT, _FIRM_SECONDS)
            _end(processes_of(cluster), signal.SIGKILL, _KILLED_SECONDS)
        if processes_of(cluster):
            raise DataDirectoryInUse(f"Processes {[p.pid for p in processes_of(cluster)]} still use {cluster}.")
    _forget_reused_pid(cluster)


def processes_of(cluster: Path) -> list[psutil.Process]:
    """All living Postgres processes of this cluster, told by their titles."""
    owner = cluster.stat().st_uid
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == owner and process.status() != psutil.STATUS_ZOMBIE and _belongs(process, cluster):
                found.append(process)
    return found


def _belongs(process: psutil.Process, cluster: Path) -> bool:
    title = " ".join(process.cmdline())
    return title.startswith(f"postgres: {cluster_name(cluster)}:") or _is_postmaster(process, cluster)


def _is_postmaster(process: psutil.Process, cluster: Path) -> bool:
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        return command[1:3] == ["-D", str(cluster)] and os.path.basename(command[0]) == "postgres"
    return False


def _end(processes: list[psutil.Process], signal_number: int, seconds: float) -> list[psutil.Process]:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal_number)
            process.resume()  # a stopped process would never hear it
    deadline = time.monotonic() + seconds
    while alive := [process for process in processes if _lives(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _forget_reused_pid(cluster: Path) -> None:
    """Postgres clears a stale postmaster.pid, unless its number now belongs to somebody else: then we do."""
    pid_file = cluster / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        if psutil.pid_exists(int(pid_file.read_text().splitlines()[0])):
            pid_file.unlink()

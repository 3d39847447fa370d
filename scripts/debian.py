"""Debian's package manager, which lets only one of us in at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / ".setup" / "apt.lock"
QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def is_ours() -> bool:
    """Whether packages can be brought: on Debian and Ubuntu, and by root."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


@contextmanager
def fresh_lists() -> Iterator[None]:
    """The lists of packages as they are now, and nobody else of ours at work on them."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        apt_get("update")
        yield


def apt_get(*arguments: str, cwd: Path | None = None, stderr: int | None = None) -> None:
    """Whoever asked looks for itself whether it has helped."""
    subprocess.run(
        ("apt-get", "-qq", *arguments),
        cwd=cwd,
        env={**os.environ, **QUIET},
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )

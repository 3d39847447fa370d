"""The acknowledging writer as a process of its own, to be killed, and the postmaster under it."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

import psutil

from tests.cluster import ROOT

UP_AGAIN_SECONDS = 45


class Writer:
    """The small server in a process of its own, and what it said."""

    all: ClassVar[list["Writer"]] = []

    @classmethod
    def of(cls, data_dir: Path) -> list["Writer"]:
        return [writer for writer in cls.all if writer.data_dir == data_dir]

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.all.append(self)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.acknowledging_writer", str(data_dir)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.seconds_to_up: float | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def acknowledged(self) -> list[int]:
        return [int(line) for line in self.lines[1:] if line.endswith("\n")]

    def wait_for(self, count: int, seconds: float = UP_AGAIN_SECONDS) -> None:
        """Until so many more rows are acknowledged."""
        goal, deadline = len(self.lines) + count, time.monotonic() + seconds
        while len(self.lines) < goal:
            assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
            assert time.monotonic() < deadline, f"{goal - len(self.lines)} rows are missing after {seconds} s"
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not self.lines:
                self.seconds_to_up = time.monotonic() - self.started
            self.lines.append(line)


def postmaster_of(data_dir: Path) -> psutil.Process:
    """The living one: after a kill, the file may still name the dead."""
    deadline = time.monotonic() + UP_AGAIN_SECONDS
    while True:
        try:
            lines = (data_dir / "postgres" / "17" / "postmaster.pid").read_text().split()
            process = psutil.Process(int(lines[0]))
            if process.status() != psutil.STATUS_ZOMBIE:
                return process
        except (FileNotFoundError, IndexError, psutil.NoSuchProcess):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)

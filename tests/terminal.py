"""A command at a terminal: what it prints there, and what a person types."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 30.0


class Terminal:
    """One command on a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], line: int) -> None:
        self.process = process
        self._line = line
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._line, f"{text}\n".encode())

    def wait_for(self, text: str) -> None:
        """Until it is on the screen, counted from the beginning."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} did not come:\n{self.shown}"
            if not self._read(0.2) and self.process.poll() is not None:
                raise AssertionError(f"{text!r} did not come, it ended:\n{self.shown}")

    def wait(self) -> int:
        """Its exit code, once it ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end:\n{self.shown}"
            self._read(0.1)
        while self._read(0.1):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        if not select.select([self._line], [], [], seconds)[0]:
            return False
        with contextlib.suppress(OSError):  # the other end is closed
            if part := os.read(self._line, 65536):
                self.shown += part.decode(errors="replace")
                return True
        return False


@contextmanager
def at_terminal(
    command: Sequence[str | Path], *, folder: Path, environment: Mapping[str, str], columns: int = 120
) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    # How wide the terminal is says the terminal, not what was set where the tests run.
    inherited = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**inherited, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # A password is asked for at the terminal of the session, whatever the standard input is.
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads here
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)

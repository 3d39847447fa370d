"""The command line without its loading: one process has loaded everything, and each command is a fork of it.

A command is a process of its own as ever, with its own environment, streams and exit code. Only the second of processor
time is saved that it takes to load the libraries, some hundred times in a run.
"""

import atexit
import contextlib
import functools
import gc
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOADED = ("backend.cli", "backend.services", "backend.data", "backend.infrastructure", "backend.backtesting")
REQUEST_BYTES = 1024**2
START_SECONDS = 60


def run(
    arguments: Sequence[str], *, env: Mapping[str, str], stdin: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` would."""
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as errors,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line,
    ):
        given.write(stdin.encode())
        given.seek(0)
        line.settimeout(timeout)
        line.connect(address())
        request = json.dumps({"arguments": list(arguments), "env": dict(env)}).encode()
        socket.send_fds(line, [request], [given.fileno(), out.fileno(), errors.fileno()])
        pid = int(line.recv(64))
        try:
            code = int(line.recv(64))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout) from None
        for file in (out, errors):
            file.seek(0)
        return subprocess.CompletedProcess(list(arguments), code, out.read().decode(), errors.read().decode())


def put_on_path(folder: Path) -> dict[str, str]:
    """A `tidemark` in this folder for shells, and what their environment needs for it."""
    program = folder / "tidemark"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {ROOT}/tests/warm_tidemark.py "$@"\n')
    program.chmod(0o755)
    return {"WARM_COMMANDS": address()}


@functools.cache
def address() -> str:
    """Of the loaded process, which ends with this one."""
    folder = tempfile.mkdtemp(prefix="tidemark-commands-")
    found = f"{folder}/socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.warm_commands", found],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("TIDEMARK_", "SUPABASE_"))},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    atexit.register(_end, process, Path(folder))
    deadline = time.monotonic() + START_SECONDS
    while not os.path.exists(found):
        assert process.poll() is None, "the process that commands are forked from ended while it loaded"
        assert time.monotonic() < deadline, f"it did not load within {START_SECONDS} s"
        time.sleep(0.02)
    return found


def _end(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    process.kill()
    process.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def _load() -> None:
    for package in LOADED:
        module = import_module(package)
        for found in pkgutil.walk_packages(module.__path__, f"{package}."):
            import_module(found.name)
    # Forks share what the collector leaves alone, and none looks through it when it ends.
    gc.collect()
    gc.freeze()


def _serve(address: str) -> list[str]:
    """Returns in each fork that is to be a command: its arguments."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{address}.new")
    listener.listen(64)
    os.rename(f"{address}.new", address)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:  # whoever started this one is gone, however it ended
            shutil.rmtree(Path(address).parent, ignore_errors=True)
            os._exit(0)
        line, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _attend(line)
        line.close()
        _bury()


def _bury() -> None:
    """Those that have ended meanwhile."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass


def _attend(line: socket.socket) -> list[str]:
    """Forks the command, waits for it and tells its exit code; returns in the command."""
    message, streams, _, _ = socket.recv_fds(line, REQUEST_BYTES, 3)
    request = json.loads(message)
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(request["env"], streams)
        arguments: list[str] = request["arguments"]
        return arguments
    with contextlib.suppress(OSError):  # nobody waits for it any more
        line.send(str(pid).encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        line.send(str(code).encode())
    os._exit(0)


def _become(env: Mapping[str, str], streams: Sequence[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()


def main() -> None:
    _load()
    arguments = _serve(sys.argv[1])
    from backend.cli.main import main as command

    sys.argv = ["tidemark", *arguments]
    # Otherwise the help would call it `python -m tests.tidemark`.
    sys.modules["__main__"].__package__ = None
    command()


if __name__ == "__main__":
    main()

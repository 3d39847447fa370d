"""Starts a real `tidemark serve` for tests: a process of its own on a data directory and a port of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.audit.leaks import find
from tests import warm_commands

ROOT = Path(__file__).resolve().parent.parent
TIDEMARK = ROOT / ".venv" / "bin" / "tidemark"
# The same, with jobs that do what tests/integration/works.py says.
WITH_WORKS = (sys.executable, "-m", "tests.serve_with_works")
START_SECONDS = 100


@dataclass(frozen=True, kw_only=True)
class Running:
    """A Tidemark that answers, with what `tidemark status` says of it."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path
    status: dict[str, str]

    @property
    def url(self) -> str:
        return self.status["API_URL"]

    def stop(self, number: int = signal.SIGTERM, *, timeout: float = 30) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout)


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """Where a data directory can be made that Postgres, which never runs as root, can reach; pytest's own is closed."""
    with tempfile.TemporaryDirectory(prefix="tidemark-serving-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"
        require_no_secrets(Path(folder))


def require_no_secrets(folder: Path) -> None:
    """In no log that a server wrote below the folder, neither by shape nor as one of its own."""
    own = {f"{path.parent.parent.name}'s {name}": value for path, name, value in secrets_below(folder)}
    logs = [path for path in folder.rglob("*.log") if path.is_file()]
    found = [leak for path in logs for leak in find(path.read_text(errors="replace"), path.name, values=own)]
    assert not found, "a log shows secrets:\n" + "\n".join(map(str, found))


def secrets_below(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """What the files of data directories keep to themselves; publishable keys are for everybody."""
    for path in folder.glob("*/secrets/*.json"):
        for name, value in _texts(json.loads(path.read_text()), path.stem):
            if not name.endswith(("publishable_key", "anon_key", "kid", "id", "at", "state")):
                yield path, name, value


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield name, value
        case dict():
            for key, inner in value.items():
                yield from _texts(inner, f"{name}.{key}")
        case list():
            for inner in value:
                yield from _texts(inner, name)


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without anything that would change what is tested."""
    foreign = ("TIDEMARK_", "SUPABASE_", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "TIDEMARK_ENV_FILE": "",
        "TIDEMARK_LOG_FORMAT": "json",
        # Lanes that run beside it are no users to step back for.
        "TIDEMARK_TASK_NICENESS": "5",
        # Nobody's own login; a test that signs in brings a folder.
        "XDG_CONFIG_HOME": "/nowhere",
        **settings,
    }


def start(data_dir: Path, *arguments: str, command: Sequence[str | Path] = (TIDEMARK,), **settings: str) -> Running:
    """Start it and wait until it answers; on failure the error holds what it printed."""
    log = data_dir.parent / f"{data_dir.name}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*command, "serve", "--data-dir", data_dir, "--port", "0", *arguments],
            cwd=ROOT,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + START_SECONDS
    while not _announced(data_dir, process.pid):
        if process.poll() is not None:
            raise AssertionError(f"tidemark serve ended with {process.returncode}:\n{log.read_text()[-4000:]}")
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise AssertionError(f"tidemark serve did not answer within {START_SECONDS} s:\n{log.read_text()[-4000:]}")
        time.sleep(0.05)
    answer = tidemark("status", "--output", "json", data_dir=data_dir, **settings)
    assert answer.returncode == 0, answer.stderr
    return Running(process=process, data_dir=data_dir, log=log, status=json.loads(answer.stdout))


def _announced(data_dir: Path, pid: int) -> bool:
    """What a command would find out, without the half second of processor time that a command takes to load."""
    try:
        return bool(json.loads((data_dir / "running.json").read_text())["pid"] == pid)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def serving(
    data_dir: Path, *arguments: str, command: Sequence[str | Path] = (TIDEMARK,), **settings: str
) -> Iterator[Running]:
    running = start(data_dir, *arguments, command=command, **settings)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def tidemark(
    *arguments: str, data_dir: Path | None = None, stdin: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run one command of the command line to its end."""
    place = () if data_dir is None else ("--data-dir", str(data_dir))
    return warm_commands.run([*arguments, *place], env=environment(**settings), stdin=stdin, timeout=120)

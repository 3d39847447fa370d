"""The child that computes: a process of its own that does one job at a time and knows nothing but the job.

It has no database, no secrets and no framework, and can be killed at any moment. It speaks frames of JSON with its
parent over two sockets. Jobs come over the line, which the main thread listens to between them, so that none is handed
from thread to thread. Pings and cancels come over the leash to a second thread, so native code must let go of the
interpreter while it computes (numba: `nogil=True`), or the child looks dead.

What it will need it loads while nothing comes, step by step, so that nobody's first job waits for it; what a job has
taken and let go it gives back before it says that it is done.

    python -m backend.worker.process <descriptor of the line> <descriptor of the leash> <parent's pid>
"""

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import math
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from backend.domain.job_data import LARGEST_RESULT_BYTES

PR_SET_PDEATHSIG = 1
# A result, and the few words around it.
LARGEST_FRAME_BYTES = LARGEST_RESULT_BYTES + 1024
# The server must answer while jobs compute, and when memory runs out it is a job that the kernel should end.
NICENESS_NAME = "TIDEMARK_TASK_NICENESS"
OOM_SCORE = 800
SECONDS_BETWEEN_REPORTS = 0.1
# "package.module:function" of a generator that loads a little at each step.
PREPARES_NAME = "TIDEMARK_WORKER_PREPARES"
# A server that has just started has better things to do.
SECONDS_BEFORE_PREPARING = 1.0
# One that has grown by this much looks for what nobody needs any more.
WORTH_TIDYING_BYTES = 48 * 1024**2
# An exception can carry a whole table.
LONGEST_WORDS = 2_000
THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

Message = dict[str, Any]
Report = Callable[..., None]

_LENGTH = struct.Struct(">I")


class ResultTooLarge(Exception):
    """What the job returned is more than is kept."""

    code = "result_too_large"
    title = "The result is too large to be kept"

    def __init__(self, size_bytes: int) -> None:
        self.detail = (
            f"It has {size_bytes:,} bytes; at most {LARGEST_RESULT_BYTES:,} are kept."
            " Choose fewer bars, fewer combinations or a longer timeframe."
        )
        super().__init__(self.detail)


def frame(message: Message) -> bytes:
    """One message as it travels: its length, then JSON. Refuses NaN, which is no JSON and no result."""
    body = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    if len(body) > LARGEST_FRAME_BYTES:
        raise ResultTooLarge(len(body))
    return _LENGTH.pack(len(body)) + body


def length_of(head: bytes) -> int:
    """How many bytes of JSON follow the first four."""
    (length,) = _LENGTH.unpack(head)
    return int(length)


def main(line_descriptor: int, leash_descriptor: int, parent: int) -> None:
    tie_to(parent)
    _step_back()
    faulthandler.enable()
    line, leash = (Line(socket.socket(fileno=number)) for number in (line_descriptor, leash_descriptor))
    ear = Ear(leash)
    threading.Thread(target=ear.listen, name="ear", daemon=True).start()
    line.say({"say": "ready"})
    steps = _steps_to_prepare()
    while True:
        _prepare_until(line.has_more, steps)
        job = RunningJob(line.hear(), line, ear)
        ear.latest = job
        job.do()


class Line:
    """A socket to the parent. When it breaks the parent is gone, and so is the child."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._heard = bytearray()

    def say(self, message: Message) -> None:
        self.send(frame(message))

    def send(self, data: bytes) -> None:
        with self._lock:
            try:
                self._connection.sendall(data)
            except OSError:
                os._exit(0)

    def hear(self) -> Message:
        message: Message = json.loads(self._take(length_of(self._take(_LENGTH.size))))
        return message

    def has_more(self, seconds: float) -> bool:
        """Whether something came, or comes within this time."""
        return bool(self._heard) or bool(select.select([self._connection], [], [], seconds)[0])

    def _take(self, count: int) -> bytes:
        while len(self._heard) < count:
            try:
                part = self._connection.recv(1 << 16)
            except OSError:
                part = b""
            if not part:
                os._exit(0)
            self._heard += part
        taken = bytes(self._heard[:count])
        del self._heard[:count]
        return taken


class Ear:
    """Listens to the parent while the main thread computes."""

    def __init__(self, leash: Line) -> None:
        self._leash = leash
        # Jobs are numbered: a cancel may come before its job, and must not hit the next.
        self._cancelled = 0
        self.latest: RunningJob | None = None

    def heard_cancel_of(self, number: int) -> bool:
        return self._cancelled >= number

    def listen(self) -> None:
        while True:
            message = self._leash.hear()
            match message["do"]:
                case "cancel":
                    self._cancelled = message["number"]
                case "ping":
                    if self.latest is not None:
                        self.latest.tell_what_is_left()
                    self._leash.say({"say": "pong"})


class RunningJob:
    """One job from its message to its last word."""

    def __init__(self, message: Message, line: Line, ear: Ear) -> None:
        self._message = message
        self._line = line
        self._ear = ear
        self._lock = threading.Lock()
        self._untold: Message | None = None
        self._told_at = float("-inf")
        self._stage: str | None = None
        self._knows_of_cancel = False
        self._is_over = False

    def do(self) -> None:
        began, held = time.monotonic(), _resident_bytes()
        self._line.say({"say": "took", "held": held})
        try:
            _limit_threads(self._message["threads"], self._message["cpus"])
            result = _find(self._message["work"])(self._message["payload"], self.report, self.is_cancelled)
            if not isinstance(result, dict):
                raise TypeError(f"{self._message['work']} returned a {type(result).__name__}, where a dict was due")
            last_word = frame(
                {
                    "say": "done",
                    "result": result,
                    "is_partial": self._knows_of_cancel,
                    "seconds": time.monotonic() - began,
                }
            )
        except BaseException as error:  # noqa: BLE001 - whatever a job raises, also SystemExit, is told to the parent
            traceback.print_exc()
            last_word = frame({"say": "raised", **_described(error)})
        sys.stdout.flush()
        sys.stderr.flush()
        if _resident_bytes() - held > WORTH_TIDYING_BYTES:
            _tidy()
        with self._lock:
            self._is_over = True
        self._line.send(last_word)

    def is_cancelled(self) -> bool:
        """What a job asks between its steps. Once it was told yes, what it returns is partial."""
        self._knows_of_cancel = self._knows_of_cancel or self._ear.heard_cancel_of(self._message["number"])
        return self._knows_of_cancel

    def report(self, stage: str, percent: float | None = None, message: str = "", **more: Any) -> None:
        """Say how far the job is. As cheap as a job in a tight loop needs it: most reports replace one another.

        Beside that it may tell its `current_date`, a `curve` of pairs or triples of numbers, and how learning goes,
        with the `curves` of all its lessons.
        """
        with self._lock:
            self._untold = {
                "say": "progress",
                "stage": str(stage)[:LONGEST_WORDS],
                "percent": float(percent) if percent is not None and math.isfinite(percent) else None,
                "message": str(message)[:LONGEST_WORDS],
                **more,
            }
            if self._untold["stage"] == self._stage and time.monotonic() - self._told_at < SECONDS_BETWEEN_REPORTS:
                return
            self._tell()

    def tell_what_is_left(self) -> None:
        with self._lock:
            if self._untold is not None and not self._is_over:
                self._tell()

    def _tell(self) -> None:
        if self._untold is not None:
            self._stage, self._told_at = self._untold["stage"], time.monotonic()
            self._line.say(self._untold)
            self._untold = None


def _find(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _steps_to_prepare() -> Iterator[None]:
    path = os.environ.get(PREPARES_NAME)
    if path:
        os.environ.update(dict.fromkeys(THREAD_SETTINGS, "1"))
        try:
            yield from _find(path)()
        except Exception:  # noqa: BLE001 - the job that needs it will say it again
            traceback.print_exc()


def _prepare_until(something_came: Callable[[float], bool], steps: Iterator[None]) -> None:
    pause = SECONDS_BEFORE_PREPARING
    while not something_came(pause) and next(steps, steps) is not steps:
        pause = 0.0


def _resident_bytes() -> int:
    """0 where the system does not tell."""
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize()
    return 0


def _tidy() -> None:
    """What is free inside of us is of no use to others, and would be held against the next job."""
    gc.collect()
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _described(error: BaseException) -> Message:
    """Errors of the domain speak for themselves; anything else is told by its name."""
    code, title, detail = (getattr(error, name, None) for name in ("code", "title", "detail"))
    if isinstance(code, str) and isinstance(title, str) and isinstance(detail, str):
        return {"code": code, "title": title, "detail": detail[:LONGEST_WORDS]}
    reason = traceback.format_exception_only(type(error), error)[-1].strip()[:LONGEST_WORDS]
    if isinstance(error, MemoryError):
        return {"code": "out_of_memory", "title": "The job ran out of memory", "detail": reason}
    return {"code": "unexpected_error", "title": "The job failed", "detail": reason}


def _limit_threads(threads: int, cpus: list[int]) -> None:
    """Libraries that are loaded by the job read these names; the affinity holds for all of them."""
    os.environ.update(dict.fromkeys(THREAD_SETTINGS, str(threads)))
    # Threads inherit it, so where the main one has it from the job before, the others do, too.
    if cpus and sys.platform == "linux" and os.sched_getaffinity(0) != set(cpus):
        # From outside a machine may take a processor away at any time.
        with contextlib.suppress(OSError):
            for thread in os.listdir("/proc/self/task"):
                os.sched_setaffinity(int(thread), cpus)


def tie_to(parent: int) -> None:
    """Die with the parent: by the kernel on Linux, elsewhere when the socket breaks."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent was gone before the start")


def _step_back() -> None:
    os.nice(int(os.environ.get(NICENESS_NAME, "10")))
    # A dump of a job's memory would be large and somebody's.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(str(OOM_SCORE))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))

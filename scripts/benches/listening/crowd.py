"""Thousands of listeners in one cheap process: they look for one number in what they hear, and note when it came.

Orders come on stdin, one JSON document a line, each answered by one on stdout. The number is the moment at which the
event was sent, in nanoseconds of the machine's monotonic clock, or the event's id, whose moment `report` is told.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from scripts.benches.figures import percentile

ROOT = Path(__file__).resolve().parents[3]
# In what an event says, the number follows one of these.
ID = b"\nid: "
SENT = b'"sent":'
HEARD_FIRST = b"200 OK"
OPENING_AT_ONCE = 64
OPENING_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What the crowd has heard since it began to note it down."""

    count: int
    lost: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    cpu_share: float


class Crowd:
    """The process of the listeners, as the benchmark sees it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.benches.listening.crowd"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def open(self, port: int, requests: Sequence[tuple[str, str]]) -> float:
        """Open a stream for each (own address, request); how many seconds it took."""
        return float(self._ask({"do": "open", "port": port, "requests": requests}))

    def begin(self, mark: bytes) -> None:
        """Note from now on when the number behind this mark comes."""
        self._ask({"do": "begin", "mark": mark.decode()})

    def count(self) -> int:
        """How much was noted so far."""
        return int(self._ask({"do": "count"}))

    def report(self, sent: Mapping[int, int] | None = None) -> Heard:
        """What was heard; `sent` tells the moment of each number that is none itself."""
        return Heard(**self._ask({"do": "report", "sent": list((sent or {}).items())}))

    def _ask(self, order: Mapping[str, Any]) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("both are pipes")
        stdin.write(json.dumps(order).encode() + b"\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError("the crowd has gone")
        return json.loads(answer)


class Notes:
    """Which number came when."""

    def __init__(self) -> None:
        self.mark = b""
        self.began = time.perf_counter()
        self.cpu_before = time.process_time()
        self.lost = 0
        self.numbers, self.times = array("q"), array("q")

    def begin(self, mark: bytes) -> None:
        self.__init__()  # type: ignore[misc]  # all anew, where every listener finds it
        self.mark = mark

    def heard(self, sent: Mapping[int, int]) -> Heard:
        pairs = zip(self.numbers, self.times, strict=True)
        delays = [(came - sent.get(number, number)) / 1e6 for number, came in pairs if not sent or number in sent]
        return Heard(
            count=len(delays),
            lost=self.lost,
            p50_ms=percentile(delays, 0.5) if delays else 0.0,
            p99_ms=percentile(delays, 0.99) if delays else 0.0,
            longest_ms=max(delays, default=0.0),
            cpu_share=(time.process_time() - self.cpu_before) / (time.perf_counter() - self.began),
        )


class Listener(asyncio.Protocol):
    __slots__ = ("_answered", "_notes", "_request", "_transport")

    def __init__(self, request: bytes, answered: asyncio.Future[None], notes: Notes) -> None:
        self._request, self._answered, self._notes = request, answered, notes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as asyncio calls it
        self._transport = transport
        transport.write(self._request)
        self._request = b""

    def data_received(self, data: bytes) -> None:
        if not self._answered.done():
            self._answer(data)
        notes = self._notes
        if not notes.mark:
            return
        at = data.find(notes.mark)
        while at >= 0:
            at += len(notes.mark)
            end = at
            while 48 <= data[end] <= 57:
                end += 1
            notes.numbers.append(int(data[at:end]))
            notes.times.append(time.monotonic_ns())
            at = data.find(notes.mark, end)

    def connection_lost(self, exc: Exception | None) -> None:
        self._notes.lost += 1
        if not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("hung up before it answered"))

    def _answer(self, data: bytes) -> None:
        if HEARD_FIRST in data[:40]:
            self._answered.set_result(None)
        else:
            self._answered.set_exception(ConnectionRefusedError(data[:600].decode()))


async def open_all(port: int, requests: Sequence[tuple[str, str]], notes: Notes) -> float:
    began, places = time.perf_counter(), asyncio.Semaphore(OPENING_AT_ONCE)
    loop = asyncio.get_running_loop()

    async def open_one(address: str, request: str) -> None:
        async with places:
            answered: asyncio.Future[None] = loop.create_future()
            await loop.create_connection(
                lambda: Listener(request.encode(), answered, notes), "127.0.0.1", port, local_addr=(address, 0)
            )
            await answered

    async with asyncio.timeout(OPENING_SECONDS), asyncio.TaskGroup() as group:
        for address, request in requests:
            group.create_task(open_one(address, request))
    return time.perf_counter() - began


async def main() -> None:
    notes, loop = Notes(), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        order = json.loads(line)
        answer: Any = None
        match order["do"]:
            case "open":
                answer = await open_all(order["port"], order["requests"], notes)
            case "begin":
                notes.begin(order["mark"].encode())
            case "count":
                answer = len(notes.numbers)
            case "report":
                answer = asdict(notes.heard(dict(order["sent"])))
                notes.mark = b""
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())

"""The children of a runner: so many, warm, watched, and replaced when they die."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from loguru import logger

from backend.domain.format import bytes_
from backend.worker.child import Child

PING_SECONDS = 2.0
# A job can fill gigabytes in a second, so look often; a look costs some microseconds.
LOOK_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 30.0
# One with all that backtests need holds about 310 MiB. What holds more keeps it from other jobs.
MOST_IDLE_BYTES = 416 * 1024**2


class Children:
    """A place for each core that jobs may use, and a child in each place."""

    def __init__(
        self,
        count: int,
        *,
        environment: Mapping[str, str] = MappingProxyType({}),
        on_restart: Callable[[], None] = lambda: None,
        most_idle_bytes: int = MOST_IDLE_BYTES,
    ) -> None:
        """`environment` is what they are told beside the ways of the place; no secret belongs there.

        A child that holds more than `most_idle_bytes` after a job is replaced.
        """
        self._count = count
        self._environment = environment
        self._on_restart = on_restart
        self._most_idle_bytes = most_idle_bytes
        # Called whenever one is there to be taken.
        self.on_idle: Callable[[], None] = lambda: None
        self._alive: set[Child] = set()
        # Those that were ended because they had grown.
        self._retired: set[Child] = set()
        # The one that worked last has the warmest caches.
        self._idle: list[Child] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Start them all; they become warm by themselves."""
        cpus = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
        for place in range(self._count):
            # Each place begins with another processor, so that jobs of one core don't meet on one.
            first = place % max(len(cpus), 1)
            self._tasks.append(asyncio.create_task(self._keep(cpus[first:] + cpus[:first])))
        self._tasks += [asyncio.create_task(self._ping()), asyncio.create_task(self._look())]

    async def close(self) -> None:
        """End them at once; whoever wants their jobs done waits before."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for child in self._alive:
            child.kill()
        await asyncio.gather(*(child.gone() for child in self._alive))
        self._alive.clear()

    @property
    def count(self) -> int:
        return self._count

    @property
    def fit(self) -> int:
        """How many can work or do."""
        return sum(child.is_fit and child.answers for child in self._alive)

    @property
    def idle(self) -> int:
        """How many wait for a job."""
        return sum(child.is_fit for child in self._idle)

    def take(self) -> Child | None:
        """A warm child for one job, if one waits; whoever takes it gives it back."""
        while self._idle:
            child = self._idle.pop()
            if child.is_fit:
                return child
        return None

    def give_back(self, child: Child) -> None:
        """One that is not fit any more is replaced by itself, one that has grown too large is ended."""
        if child.is_fit and (held := child.held_bytes()) > self._most_idle_bytes:
            logger.info("A worker process holds {} after its job and is replaced.", bytes_(held))
            self._retired.add(child)
            child.kill()
        if child.is_fit:
            self._idle.append(child)
            self.on_idle()

    async def _keep(self, cpus: list[int]) -> None:
        pause = 0.0
        while True:
            was_warm = has_grown = False
            try:
                was_warm, has_grown = await self._live(cpus)
            except OSError as error:
                logger.error("A worker process does not start: {}", error)
            # One that dies before it is warm will hardly do better at once.
            pause = 0.0 if was_warm else min(max(pause * 2, 0.1), _LONGEST_PAUSE_SECONDS)
            if not has_grown:
                self._on_restart()
            await asyncio.sleep(pause)

    async def _live(self, cpus: list[int]) -> tuple[bool, bool]:
        """One child from its start to its end; whether it ever got warm, and whether it was ended for its size."""
        child = await Child.start(cpus, self._environment)
        self._alive.add(child)
        is_warm = await child.ready()
        if is_warm:
            self.give_back(child)
        else:
            logger.error("A worker process ended before it was warm: {}", child.last_words)
        await child.gone()
        self._alive.discard(child)
        has_grown = child in self._retired
        self._retired.discard(child)
        return is_warm, has_grown

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            for child in self._alive:
                child.ping()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for child in self._alive:
                child.look_at_memory()

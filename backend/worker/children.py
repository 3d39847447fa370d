"""The children of a runner: so many, warm, watched, and replaced when they die."""

import asyncio
import os
import sys
from collections.abc import Callable

from loguru import logger

from backend.worker.child import Child

PING_SECONDS = 2.0
# A job can fill gigabytes in a second, so look often; a look costs some microseconds.
LOOK_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 30.0


class Children:
    """A place for each core that jobs may use, and a child in each place."""

    def __init__(self, count: int, *, on_restart: Callable[[], None] = lambda: None) -> None:
        self._count = count
        self._on_restart = on_restart
        # Called whenever one is there to be taken.
        self.on_idle: Callable[[], None] = lambda: None
        self._alive: set[Child] = set()
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
        """One that is not fit any more is replaced by itself."""
        if child.is_fit:
            self._idle.append(child)
            self.on_idle()

    async def _keep(self, cpus: list[int]) -> None:
        pause = 0.0
        while True:
            was_warm = False
            try:
                was_warm = await self._live(cpus)
            except OSError as error:
                logger.error("A worker process does not start: {}", error)
            # One that dies before it is warm will hardly do better at once.
            pause = 0.0 if was_warm else min(max(pause * 2, 0.1), _LONGEST_PAUSE_SECONDS)
            self._on_restart()
            await asyncio.sleep(pause)

    async def _live(self, cpus: list[int]) -> bool:
        """One child from its start to its end; whether it ever got warm."""
        child = await Child.start(cpus)
        self._alive.add(child)
        is_warm = await child.ready()
        if is_warm:
            self.give_back(child)
        else:
            logger.error("A worker process ended before it was warm: {}", child.last_words)
        await child.gone()
        self._alive.discard(child)
        return is_warm

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

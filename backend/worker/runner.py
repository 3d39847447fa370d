"""Takes jobs from the queue as the machine has room, keeps their leases while they run, and says how they ended."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from loguru import logger

from backend.bootstrap_market import CACHE_DIR_NAME
from backend.domain.errors import ServiceUnavailable, TidemarkError
from backend.domain.events import JOB_CANCEL_CHANNEL, JOB_QUEUED_CHANNEL
from backend.domain.forecast import Forecasts
from backend.domain.jobs import HEARTBEAT_SECONDS, JobFailure, Lease, Outcome
from backend.domain.ports import EventBus, JobMeter, JobQueue, Readiness, ResourceMonitor
from backend.worker.children import Children
from backend.worker.handlers import WORKS, handlers_of
from backend.worker.progress import Telling
from backend.worker.running import Return, Running, Verdict, Workshop, log_failure

if TYPE_CHECKING:
    from backend.bootstrap import House

# A hint can be lost; then a job waits no longer than this.
POLL_SECONDS = 1.0
GRACE_SECONDS = 5.0
# How long the rest of the shutdown may take: killing children, and writing down what became of their jobs.
LAST_WORDS_SECONDS = 3.0
_PAUSE_SECONDS = 0.5
_MOST_HINTS = 1_000


class Runner:
    """One per process. The queue decides what is next; the machine decides when."""

    def __init__(
        self,
        *,
        queue: JobQueue,
        bus: EventBus,
        resources: ResourceMonitor,
        workshop: Workshop,
        meter: JobMeter,
        forecasts: Forecasts | None = None,
        runner_id: str | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.id = runner_id or uuid4().hex
        self.forecasts = forecasts or Forecasts()
        self._queue = queue
        self._bus = bus
        self._resources = resources
        self._workshop = workshop
        self._meter = meter
        self._heartbeat_seconds = heartbeat_seconds
        self._grace_seconds = grace_seconds
        self._running: dict[UUID, Running] = {}
        self._at_work: set[asyncio.Task[None]] = set()
        self._hints: deque[UUID] = deque()
        # True while we know of nothing that waits, so that a hint may be claimed without asking whose turn it is.
        self._nothing_waits = False
        self._wake = asyncio.Event()
        self._pulse = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._last_beat = time.monotonic()
        self._is_closing = self._has_closed = False

    async def open(self) -> None:
        await self._workshop.children.open()
        self._loops = [
            asyncio.create_task(_for_ever(self._listen)),
            asyncio.create_task(_for_ever(self._take_what_waits, until=lambda: self._is_closing)),
            asyncio.create_task(_for_ever(self._beat)),
        ]

    async def close(self) -> None:
        """Take nothing more, let running jobs finish for a while, give the rest back to the queue."""
        self._is_closing = True
        self._wake.set()
        listener, taker, beat = self._loops
        await _cancelled([listener])
        # Not in the middle of a claim: its job would wait until the lease is over.
        await asyncio.wait([taker], timeout=LAST_WORDS_SECONDS)
        await self._settled(self._grace_seconds)
        for running in self._running.values():
            running.stop()
        await self._settled(LAST_WORDS_SECONDS)
        self._has_closed = True
        await _cancelled([taker, beat, *self._at_work])
        await self._workshop.children.close()

    def readiness(self) -> Readiness:
        """For /readyz: whether jobs that are submitted now will be run."""
        children = self._workshop.children
        silence = time.monotonic() - self._last_beat
        if silence > 4 * self._heartbeat_seconds:
            return Readiness(is_ready=False, detail=f"The runner has not reached the queue for {silence:.0f} s.")
        if children.fit == 0:
            return Readiness(is_ready=False, detail=f"None of {children.count} worker processes answers.")
        return Readiness(is_ready=True, detail=f"{children.fit} of {children.count} worker processes answer.")

    async def _listen(self) -> None:
        async for message in self._bus.subscribe(JOB_QUEUED_CHANNEL, JOB_CANCEL_CHANNEL):
            if message.payload is None:
                self._nothing_waits = False
                self._wake.set()
                self._pulse.set()
            elif message.channel == JOB_QUEUED_CHANNEL:
                self._hear_of(UUID(message.payload))
            elif running := self._running.get(UUID(message.payload)):
                running.cancel()

    def _hear_of(self, job_id: UUID) -> None:
        if len(self._hints) < _MOST_HINTS:
            self._hints.append(job_id)
        self._wake.set()

    async def _take_what_waits(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        self._wake.clear()
        while not self._is_closing and await self._take_one():
            pass

    async def _take_one(self) -> bool:
        """Claim one job if there is room; False when there is nothing more to do for now."""
        room = self._resources.room()
        if room.cores < 1:
            return False
        hint = self._hint(room.cores)
        was_idle = not self._running
        lease = await self._queue.claim(hint, self.id, room)
        if lease is not None:
            self._start(lease)
        elif hint is None:
            self._nothing_waits = was_idle
            return False
        return True

    def _hint(self, cores: int) -> UUID | None:
        """The job that we just heard of, when there is room for all of those; else the queue says whose turn it is."""
        if self._nothing_waits and 0 < len(self._hints) <= cores:
            return self._hints.popleft()
        if self._hints:
            self._nothing_waits = False
            self._hints.clear()
        return None

    def _start(self, lease: Lease) -> None:
        running = self._running[lease.job.id] = Running(lease)
        waited = (lease.job.started_at or lease.job.queued_at) - lease.job.queued_at
        self._meter.job_started(lease.job.kind, waited_seconds=waited.total_seconds())
        # From this moment on, not only when its task begins: the next claim looks at the room before that.
        taken = contextlib.ExitStack()
        taken.enter_context(self._resources.hold(lease.job.demand, lambda: running.used_bytes))
        task = asyncio.create_task(self._run(running, taken))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _run(self, running: Running, taken: contextlib.ExitStack) -> None:
        job, began = running.lease.job, time.monotonic()
        telling = Telling(job, self._bus, self.forecasts, time.monotonic)
        try:
            with taken:
                verdict = await self._do(running, telling)
            telling.stop()
            self._wake.set()
            self._remember(running, verdict, time.monotonic() - began)
            await self._settle(running, verdict)
        finally:
            telling.stop()
            # Under a lost lease the same job may be here a second time already.
            if self._running.get(job.id) is running:
                del self._running[job.id]
            self._wake.set()

    async def _do(self, running: Running, telling: Telling) -> Verdict:
        try:
            return await running.do(self._workshop, telling.tell)
        except Exception as error:  # noqa: BLE001 - whatever it was, the job must end
            logger.exception("A task of the kind {} could not be run", running.lease.job.kind)
            return Outcome.failed(
                JobFailure(
                    code="unexpected_error",
                    title="The task could not be run",
                    detail=f"{type(error).__name__} in the runner; the operator's log has more.",
                )
            )

    def _remember(self, running: Running, verdict: Verdict, seconds: float) -> None:
        kind = running.lease.job.kind
        log_failure(running.lease.job, verdict)
        match verdict:
            case Outcome(state=state):
                self._meter.job_ended(kind, state, seconds)
            case JobFailure():
                self._meter.job_ended(kind, "lost", seconds)
            case Return():
                self._meter.job_ended(kind, "handed back", seconds)

    async def _settle(self, running: Running, verdict: Verdict) -> None:
        """Write down what became of the job, however long the database is away, unless the lease is lost."""
        while not (running.is_lost or self._has_closed):
            try:
                if not await self._write(running.lease, verdict):
                    logger.warning("A lease was lost before its job was written down")
                return
            except ServiceUnavailable:
                await asyncio.sleep(_PAUSE_SECONDS)
            except Exception:  # noqa: BLE001 - a result that cannot be stored must not be tried for ever
                logger.exception("What became of a task cannot be stored")
                if isinstance(verdict, Outcome) and verdict.failure == NOT_STORABLE:
                    return
                verdict = Outcome.failed(NOT_STORABLE)

    async def _write(self, lease: Lease, verdict: Verdict) -> bool:
        match verdict:
            case Outcome():
                return await self._queue.finish(lease, verdict)
            case JobFailure():
                return await self._queue.lose(lease, verdict) is not None
            case Return.HANDED_BACK:
                return await self._queue.hand_back(lease)

    async def _beat(self) -> None:
        """Renew what is alive, hear what was lost or is to stop, and return to the queue what others left behind."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._heartbeat_seconds):
                await self._pulse.wait()
        self._pulse.clear()
        held = {id: running for id, running in self._running.items() if running.answers and not running.is_lost}
        if held:
            renewal = await self._queue.renew([running.lease for running in held.values()])
            for job_id in renewal.cancel_requested & held.keys():
                held[job_id].cancel()
            # What ended meanwhile is not lost but done.
            for job_id in renewal.lost & held.keys():
                if self._running.get(job_id) is held[job_id]:
                    logger.warning("A lease was lost, so its job is stopped here")
                    held[job_id].lose()
        self._meter.leases_expired(await self._queue.reap())
        self._meter.jobs_wait(await self._queue.waiting())
        self._last_beat = time.monotonic()

    async def _settled(self, seconds: float) -> None:
        if self._at_work:
            await asyncio.wait(set(self._at_work), timeout=seconds)


NOT_STORABLE = JobFailure(
    code="result_not_storable",
    title="The result cannot be stored",
    detail="The database refused what the task returned.",
    remedy="This is a defect of Tidemark; the operator's log has the reason.",
)


@asynccontextmanager
async def open_runner(house: "House") -> AsyncIterator[Runner]:
    """The runner of a serving process, from the first job to the last word."""
    children = Children(
        house.resources.capacity().cores,
        environment={CACHE_DIR_NAME: str(house.market.cache_dir)},
        on_restart=house.monitor.worker_restarted,
    )
    house.monitor.watch_workers(lambda: children.count, lambda: children.fit)
    runner = Runner(
        queue=house.queue,
        bus=house.bus,
        resources=house.resources,
        workshop=Workshop(children=children, works=WORKS, handlers=handlers_of(house)),
        meter=house.monitor,
        forecasts=house.foresight.forecasts,
        runner_id=house.runner_id,
    )
    await runner.open()
    try:
        yield runner
    finally:
        await runner.close()


async def _for_ever(step: Callable[[], Awaitable[None]], *, until: Callable[[], bool] = lambda: False) -> None:
    """One step after the other, whatever goes wrong. A trouble is told when it comes, not while it lasts."""
    is_well = True
    while not until():
        try:
            await step()
            is_well = True
        except TidemarkError as error:
            if is_well:
                logger.warning("The runner waits: {}", error.detail)
            is_well = False
            await asyncio.sleep(_PAUSE_SECONDS)
        except Exception:  # noqa: BLE001 - one bad step must not end the runner; it is logged and tried again
            logger.exception("The runner met an error that nobody expected")
            await asyncio.sleep(_PAUSE_SECONDS)


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

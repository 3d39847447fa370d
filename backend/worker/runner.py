"""Takes jobs from the queue as the machine has room, keeps their leases while they run, and says how they ended."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from loguru import logger

from backend.bootstrap_market import desk_environment
from backend.domain.errors import ServiceUnavailable, TidemarkError
from backend.domain.events import JOB_CANCEL_CHANNEL, JOB_QUEUED_CHANNEL, TOLD_CHANNEL
from backend.domain.forecast import Forecasts
from backend.domain.job_ports import EventBus, JobHints, JobMeter, JobQueue, Readiness, ResourceMonitor
from backend.domain.jobs import HEARTBEAT_SECONDS, Ahead, Demand, JobFailure, JobKind, Lease, Outcome, Progress
from backend.worker.backtesting import PREPARES
from backend.worker.books import Books
from backend.worker.child import Child
from backend.worker.children import Children
from backend.worker.handlers import WORKS, errands_of, handlers_of
from backend.worker.hearsay import Hearsay
from backend.worker.line import LONGEST_WAIT_SECONDS, Line, Pace
from backend.worker.orphans import RUNNER_NAME, end_orphans
from backend.worker.process import NICENESS_NAME, PREPARES_NAME
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
        hints: JobHints | None = None,
        forecasts: Forecasts | None = None,
        runner_id: str | None = None,
        gone: str | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.id = runner_id or uuid4().hex
        # The one before us, which was killed: what it had is ours to give back.
        self._gone = gone
        self.forecasts = forecasts or Forecasts()
        self._queue = queue
        self._bus = bus
        self._resources = resources
        self._workshop = workshop
        self._meter = meter
        self._hints = hints
        self._heartbeat_seconds = heartbeat_seconds
        self._grace_seconds = grace_seconds
        # By job, each under the latest lease that this runner had of it.
        self._running: dict[UUID, Running] = {}
        # All of which something is still to be written.
        self._held: set[Running] = set()
        self._line = Line()
        self._pace = Pace()
        self._books = Books(queue, self._written)
        self._hearsay = Hearsay()
        # True while we know of nothing that waits: then there is nothing to ask for but what we hear of, and no need to
        # ask whose turn it is.
        self._nothing_waits = False
        # When to ask again whose turn it is, by the clock of the loop, whatever was heard until then.
        self._ask_at = 0.0
        # Running jobs that were to stop, heard of while a claim was on its way: they may be among what it leases.
        self._to_stop: set[UUID] = set()
        # True when a claim may have leased jobs that we never heard of.
        self._has_strays = False
        self._wake = asyncio.Event()
        self._pulse = asyncio.Event()
        self._settling = asyncio.Event()
        self._tidying: asyncio.TimerHandle | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._stop_listening: Callable[[], None] = lambda: None
        self._last_beat = time.monotonic()
        self._is_closing = False

    async def open(self) -> None:
        if self._gone is not None:
            self._pulse.set()
        children = self._workshop.children
        children.on_idle = self._has_idle_child
        await children.open()
        if self._hints is not None:
            self._stop_listening = self._hints.listen(self._told_here)
        self._loops = [
            asyncio.create_task(_for_ever(self._listen)),
            asyncio.create_task(_for_ever(self._take_what_waits, until=lambda: self._is_closing)),
            asyncio.create_task(_for_ever(self._beat)),
            asyncio.create_task(_for_ever(self._books.keep)),
        ]

    async def close(self) -> None:
        """Take nothing more, let running jobs finish for a while, give the rest back to the queue."""
        self._is_closing = True
        self._wake.set()
        self._stop_listening()
        listener, taker, beat, books = self._loops
        await _cancelled([listener])
        # Not in the middle of a claim: its job would wait until the lease is over.
        await asyncio.wait([taker], timeout=LAST_WORDS_SECONDS)
        for running in [one for one in self._held if one.is_waiting]:
            running.stop()
        await self._settled(self._grace_seconds)
        for running in tuple(self._held):
            running.stop()
        await self._settled(LAST_WORDS_SECONDS)
        await _cancelled([taker, beat, books])
        await asyncio.gather(*(running.abandoned() for running in self._held))
        if self._tidying is not None:
            self._tidying.cancel()
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
        async for message in self._bus.subscribe(JOB_QUEUED_CHANNEL, JOB_CANCEL_CHANNEL, TOLD_CHANNEL):
            if message.payload is None:
                self._hearsay.forget()
                self._nothing_waits = False
                self._wake.set()
                self._pulse.set()
            elif message.channel == JOB_CANCEL_CHANNEL:
                self._told_to_stop(UUID(message.payload))
            else:
                self._told_over_bus(message.channel, message.payload)

    def _told_here(self, job_id: UUID) -> None:
        if self._hearsay.from_here(job_id):
            self._wake.set()

    def _told_to_stop(self, job_id: UUID) -> None:
        if running := self._running.get(job_id):
            running.cancel()
        else:
            self._to_stop.add(job_id)

    def _told_over_bus(self, channel: str, payload: str) -> None:
        queued = [payload] if channel == JOB_QUEUED_CHANNEL else json.loads(payload)["queued"]
        news = [job_id for job_id in queued if self._hearsay.from_bus(UUID(job_id))]
        if news:
            self._wake.set()

    async def _take_what_waits(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._ask_at):
                await self._wake.wait()
        self._wake.clear()
        while not self._is_closing and await self._take():
            pass

    async def _take(self) -> bool:
        """Claim as many jobs as there is room for; False when there is nothing more to do for now."""
        if (now := asyncio.get_running_loop().time()) >= self._ask_at:
            # Also of what nobody told, however much is told of others.
            self._nothing_waits, self._ask_at = False, now + POLL_SECONDS
        if self._nothing_waits and not self._hearsay:
            return False
        room = self._room()
        ahead = self._pace.ahead(self._workshop.children.count, len(self._line))
        if room.cores < 1 and ahead.count < 1:
            return False
        if self._has_strays:
            await self._queue.recall(self.id, list(self._running))
            self._has_strays = False
        wanted = self._wanted(room.cores + ahead.count)
        was_idle = not self._running
        self._to_stop.clear()
        leases = await self._claim(room, wanted, ahead)
        for lease in leases:
            self._accept(lease)
        self._go_on()
        if wanted is not None:
            self._nothing_waits = len(leases) == len(wanted)
            return bool(self._hearsay) or not self._nothing_waits
        if not leases:
            self._nothing_waits = was_idle
        return bool(leases)

    async def _claim(self, room: Demand, job_ids: list[UUID] | None, ahead: Ahead) -> Sequence[Lease]:
        try:
            return await self._queue.claim(self.id, room, job_ids=job_ids, ahead=ahead)
        except ServiceUnavailable:
            # It may have been done, and only its answer lost.
            self._has_strays, self._nothing_waits = True, False
            raise

    def _room(self) -> Demand:
        """What jobs could begin with at once: each that waits here already is to have a child before they come."""
        free = self._resources.room()
        idle = 0 if self._line else self._workshop.children.idle
        return Demand(cores=min(free.cores, idle), memory_bytes=free.memory_bytes)

    def _wanted(self, most: int) -> list[UUID] | None:
        """The jobs that we just heard of, when there is room for them all; else the queue says whose turn it is."""
        if not self._hearsay:
            return None
        job_ids = self._hearsay.take()
        if self._nothing_waits and len(job_ids) <= most:
            return job_ids
        self._nothing_waits = False
        return None

    def _accept(self, lease: Lease) -> None:
        job = lease.job
        running = self._running[job.id] = Running(lease, self._ended)
        self._held.add(running)
        waited = (job.started_at or job.queued_at) - job.queued_at
        self._meter.job_started(job.kind, waited_seconds=waited.total_seconds())
        if job.id in self._to_stop:
            self._pulse.set()  # the row says whether it is this run that was meant
        if job.cancel_requested_at is not None:
            running.cancel()
        elif (handler := self._workshop.handler(job.kind)) is not None:
            running.begin_here(handler, self._begins(running))
        elif job.kind in self._workshop.works:
            self._line.add(running)
        else:
            running.end(Outcome.failed(_not_available(job.kind)))

    def _has_idle_child(self) -> None:
        self._go_on()
        self._wake.set()

    def _go_on(self) -> None:
        """Give what waits here to children, as far as there are some and the machine has room."""
        children = self._workshop.children
        while children.idle and (running := self._line.next(self._pace.at_work)) is not None:
            if not running.lease.job.demand.fits(self._resources.room()):
                break
            self._line.remove(running)
            if (child := children.take()) is not None:
                running.taken.callback(children.give_back, child)
                self._send(running, child)
        if self._line and self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(LONGEST_WAIT_SECONDS, self._tidy)

    def _send(self, running: Running, child: Child) -> None:
        job = running.lease.job
        try:
            errand = self._workshop.errands.get(job.kind)
            running.begin_in(child, self._workshop.works[job.kind], self._begins(running), errand)
        except Exception as error:  # noqa: BLE001 - whatever it was, the job must end
            logger.exception("A task of the kind {} could not be run", job.kind)
            running.end(Outcome.failed(_not_run(error)))

    def _begins(self, running: Running) -> Callable[[Progress], None]:
        """From here on it takes its room, and its progress is told."""
        telling = Telling(running.lease.job, self._bus, self.forecasts, time.monotonic)
        running.taken.callback(telling.stop)
        running.taken.enter_context(self._resources.hold(running.lease.job.demand, lambda: running.used_bytes))
        self._pace.begins(running)
        return telling.tell

    def _tidy(self) -> None:
        self._tidying = None
        for running in self._line.waited_too_long():
            running.stop()
        self._go_on()

    def _ended(self, running: Running, verdict: Verdict) -> None:
        kind = running.lease.job.kind
        log_failure(running.lease.job, verdict)
        self._line.remove(running)
        seconds = self._pace.ends(running)
        match verdict:
            case Outcome(state=state):
                self._meter.job_ended(kind, state, seconds)
            case JobFailure():
                self._meter.job_ended(kind, "lost", seconds)
            case Return():
                self._meter.job_ended(kind, "handed back", seconds)
        self._books.put(running, verdict)
        # The child goes to the next one that waits here, before anything is written down.
        running.taken.close()

    def _written(self, running: Running) -> None:
        # Under a lost lease the same job may be here a second time already.
        if self._running.get(running.lease.job.id) is running:
            del self._running[running.lease.job.id]
        self._held.discard(running)
        self._settling.set()
        self._wake.set()

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
            for job_id in renewal.lost & held.keys():
                # What is being written down, or was meanwhile, is not lost but done.
                if self._running.get(job_id) is held[job_id] and not held[job_id].is_over:
                    logger.warning("A lease was lost, so its job is stopped here")
                    held[job_id].lose()
        self._meter.leases_expired(await self._queue.reap(gone=self._gone))
        self._gone = None
        self._meter.jobs_wait(await self._queue.waiting())
        self._last_beat = time.monotonic()

    async def _settled(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._held:
                    self._settling.clear()
                    await self._settling.wait()


def _not_available(kind: JobKind) -> JobFailure:
    return JobFailure(
        code="kind_not_available",
        title="This installation cannot do such tasks",
        detail=f"Nothing here does tasks of the kind {kind}.",
        remedy="Ask the operator whether all servers run the same version.",
    )


def _not_run(error: Exception) -> JobFailure:
    return JobFailure(
        code="unexpected_error",
        title="The task could not be run",
        detail=f"{type(error).__name__} in the runner; the operator's log has more.",
    )


@asynccontextmanager
async def open_runner(house: "House", *, gone: str | None = None) -> AsyncIterator[Runner]:
    """The runner of a serving process, from the first job to the last word. `gone` is the one that it comes after."""
    if gone is not None:
        await asyncio.to_thread(end_orphans, gone)
    children = Children(
        house.resources.capacity().cores,
        environment={
            **desk_environment(house.settings),
            PREPARES_NAME: PREPARES,
            NICENESS_NAME: str(house.settings.task_niceness),
            RUNNER_NAME: house.runner_id,
        },
        on_restart=house.monitor.worker_restarted,
    )
    house.monitor.watch_workers(lambda: children.count, lambda: children.fit)
    runner = Runner(
        queue=house.queue,
        bus=house.bus,
        resources=house.resources,
        workshop=Workshop(children=children, works=WORKS, handlers=handlers_of(house), errands=errands_of(house)),
        meter=house.monitor,
        hints=house.hints,
        forecasts=house.foresight.forecasts,
        runner_id=house.runner_id,
        gone=gone,
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

"""A runner in a process of its own, for tests that kill it; it can kill itself at a named step of its first job.

python -m tests.integration.runner_process <app_worker's dsn> <app_api's dsn> [claimed|computed|written]
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from backend.data.storage.job_queue import JobQueueTable
from backend.domain.jobs import NOTHING_AHEAD, Ahead, Demand, Lease, Outcome, Renewal
from backend.infrastructure.event_bus import PostgresEventBus
from backend.infrastructure.monitoring import Monitor
from backend.infrastructure.resource_manager import Memory, ResourceManager
from backend.infrastructure.service_database import ServiceDatabase
from backend.worker.children import Children
from backend.worker.runner import Runner
from backend.worker.running import Workshop
from tests.integration.works import WORKS

GIB = 1024**3


class Deadly(JobQueueTable):
    """A queue whose runner dies at a step."""

    def __init__(self, database: ServiceDatabase, step: str) -> None:
        super().__init__(database, capacity=lambda: Demand(cores=4, memory_bytes=8 * GIB))
        self._step = step

    async def claim(
        self, runner_id: str, room: Demand, *, job_ids: Sequence[UUID] | None = None, ahead: Ahead = NOTHING_AHEAD
    ) -> Sequence[Lease]:
        leases = await super().claim(runner_id, room, job_ids=job_ids, ahead=ahead)
        for lease in leases:
            print("claimed", lease.job.id, flush=True)  # noqa: T201 - the test reads it
            self._die_at("claimed")
        return leases

    async def finish(self, endings: Sequence[tuple[Lease, Outcome]]) -> frozenset[UUID]:
        self._die_at("computed")
        written = await super().finish(endings)
        for lease, _ in endings:
            word = "written" if lease.job.id in written else "refused"
            print(word, lease.job.id, flush=True)  # noqa: T201 - the test reads it
        self._die_at("written")
        return written

    async def renew(self, leases: Sequence[Lease]) -> Renewal:
        renewal = await super().renew(leases)
        for job_id in renewal.lost:
            print("lost", job_id, flush=True)  # noqa: T201 - the test reads it
        return renewal

    def _die_at(self, step: str) -> None:
        if step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)


async def main(worker_dsn: str, api_dsn: str, step: str = "") -> None:
    database, bus = ServiceDatabase(worker_dsn), PostgresEventBus(api_dsn)
    machine = ResourceManager(cores=2, memory=lambda: Memory(total_bytes=4 * GIB, available_bytes=4 * GIB))
    await database.open()
    await bus.open()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runner = Runner(
        queue=Deadly(database, step),
        bus=bus,
        resources=machine,
        workshop=Workshop(children=Children(2), works=WORKS, handlers={}),
        meter=Monitor(),
        heartbeat_seconds=0.3,
    )
    await runner.open()
    print("open", flush=True)  # noqa: T201 - the test reads it
    await stop.wait()
    await runner.close()
    await bus.close()
    await database.close()


if __name__ == "__main__":
    arguments: list[Any] = sys.argv[1:]
    asyncio.run(main(*arguments))

"""A client of the WebSocket, and a person's backtests as a runner would move them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from backend.api.rooms import ROOMS_PATH
from backend.domain.events import PROGRESS_CHANNEL
from backend.domain.jobs import Demand, Job, JobKind, Lease, Outcome
from tests.api.conftest import Person
from tests.api.served import PATIENCE_SECONDS

ROOM = Demand(cores=1000, memory_bytes=2**50)


class Talker:
    """The client's end of a socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, event: str, **data: Any) -> None:
        await self.socket.send(json.dumps({"event": event, "data": data}))

    async def subscribe(self, backtest_id: UUID) -> None:
        await self.say("backtest:subscribe", backtestId=str(backtest_id))

    async def hear(self) -> tuple[str, dict[str, Any]]:
        message = json.loads(await asyncio.wait_for(self.socket.recv(decode=True), PATIENCE_SECONDS))
        assert set(message) == {"event", "data"}
        return message["event"], message["data"]

    async def events(self, count: int) -> list[str]:
        return [(await self.hear())[0] for _ in range(count)]

    async def error(self) -> dict[str, Any]:
        event, data = await self.hear()
        assert event == "error", (event, data)
        assert data["detail"]
        assert data["requestId"]
        return data

    async def silence(self) -> None:
        """Whatever was on its way before this is here now: an answer overtakes nothing."""
        nowhere = UUID(int=0)
        await self.say("backtest:unsubscribe", backtestId=str(nowhere))
        assert await self.hear() == ("backtest:unsubscribed", {"backtestId": str(nowhere)})

    async def parting(self) -> tuple[int, str]:
        """The code and reason of the close, which must come next."""
        try:
            said = await asyncio.wait_for(self.socket.recv(), PATIENCE_SECONDS)
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd is not None else (1006, "")
        raise AssertionError(f"the socket goes on: {said!r}")


@asynccontextmanager
async def talking(url: str, person: Person | None = None, **options: Any) -> AsyncIterator[Talker]:
    """Open a socket; with a person, authenticate too."""
    async with connect(socket_address(url), proxy=None, **options) as socket:
        talker = Talker(socket)
        if person is not None:
            await talker.say("authenticate", token=person.token)
            assert await talker.hear() == ("authenticated", {"userId": str(person.user_id)})
        yield talker


def socket_address(url: str, path: str = ROOMS_PATH) -> str:
    return f"ws{url.removeprefix('http')}{path}"


async def buy_ticket(url: str, person: Person) -> str:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.post("/api/system/stream-ticket", headers=person.headers)
    ticket: str = answer.json()["ticket"]
    return ticket


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Submits and runs the backtests of one person, a step at a time."""

    person: Person

    async def submit(self, kind: JobKind = JobKind.BACKTEST) -> Job:
        house = self.person.site.house
        identity = await house.verifier.verify(self.person.token)
        async with house.acting_as(identity) as services:
            return await services.jobs.submit(kind, {})

    async def start(self, job: Job) -> Lease:
        (lease,) = await self.person.site.house.queue.claim("runner", ROOM, job_ids=[job.id])
        return lease

    async def running(self, kind: JobKind = JobKind.BACKTEST) -> Lease:
        return await self.start(await self.submit(kind))

    async def finish(self, lease: Lease, outcome: Outcome) -> None:
        assert await self.person.site.house.queue.finish([(lease, outcome)])

    async def completed(self, **result: Any) -> Job:
        lease = await self.running()
        await self.finish(lease, Outcome.completed(result))
        return lease.job

    async def cancel(self, job: Job) -> None:
        house = self.person.site.house
        async with house.acting_as(await house.verifier.verify(self.person.token)) as services:
            await services.jobs.cancel(job.id)

    async def retry(self, job: Job) -> None:
        house = self.person.site.house
        async with house.acting_as(await house.verifier.verify(self.person.token)) as services:
            await services.jobs.retry(job.id)

    async def progress(self, lease: Lease, percent: float | None, **more: Any) -> None:
        task = {"id": str(lease.job.id), "attempt": lease.job.attempts, "stage": "Testing", "percent": percent, **more}
        told = {"user_id": str(self.person.user_id), "task": task}
        await self.person.site.house.bus.publish(PROGRESS_CHANNEL, json.dumps(told))

"""What the runner does around a job that a child does: children have neither the network nor a key."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from backend.domain.jobs import Job
from backend.domain.model_errors import ModelDamaged
from backend.domain.model_ports import ModelCourier


class Errand(Protocol):
    """Both may raise as a handler does; then the job ends as a handler's would."""

    async def before(self, job: Job) -> None: ...

    async def after(self, job: Job, result: Mapping[str, Any]) -> None: ...


class CarryModels:
    """Brings the champion to where a training reads it, and the trained model to where models are kept."""

    def __init__(self, courier: ModelCourier) -> None:
        self._courier = courier

    async def before(self, job: Job) -> None:
        champion = job.payload.get("champion")
        # One that is gone or damaged gives way; the training finds that out and says so.
        with contextlib.suppress(ModelDamaged):
            if champion is not None:
                await asyncio.to_thread(self._courier.fetch, _owner(job), champion["sha256"])

    async def after(self, job: Job, result: Mapping[str, Any]) -> None:
        if file := result.get("file"):
            await asyncio.to_thread(self._courier.deliver, _owner(job), file["sha256"])


def _owner(job: Job) -> UUID:
    """By the row of the job, never by its payload."""
    if job.user_id is None:
        raise RuntimeError("a training belongs to a person")
    return job.user_id

"""Whether the process is alive, whether it is ready for requests, and its metrics."""

import asyncio
import contextlib
import hmac
import ipaddress
import shutil
import time
from typing import Literal

from fastapi import APIRouter, Request
from loguru import logger
from pydantic import BaseModel
from starlette.responses import Response

from backend.api.context import client_address
from backend.api.dependencies import Caller, TheHouse
from backend.api.documentation import SIGNED_IN, problems, shows
from backend.api.errors import NotReady, problem
from backend.api.scopes import Reach, needs
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.errors import NotAllowed, ServiceUnavailable, TidemarkError
from backend.domain.format import bytes_
from backend.version import VERSION

router = APIRouter(tags=["Health"])

CHECK_SECONDS = 3.0
# Migrations are asked of the database over a connection of its own, so not at every probe.
MIGRATIONS_FRESH_SECONDS = 60.0
# Postgres writes ahead in files of 16 MiB, and ends when it cannot make the next one.
LEAST_FREE_BYTES = 64 * 1024**2
NO_STORE = {"Cache-Control": "no-store"}


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"
    version: str = VERSION


class Check(BaseModel):
    """One thing that requests need."""

    name: str
    ok: bool
    detail: str


class Ready(BaseModel):
    """Everything that requests need is there."""

    status: Literal["ready"] = "ready"
    checks: list[Check]


class Health(BaseModel):
    """How the parts of the service are, also when some are not well."""

    status: Literal["well", "unwell"]
    version: str = VERSION
    checks: list[Check]


READY = Ready(
    checks=[
        Check(name="database", ok=True, detail="Answers."),
        Check(name="migrations", ok=True, detail="All are applied."),
        Check(name="disk", ok=True, detail="Has room."),
        Check(name="workers", ok=True, detail="2 of 2 worker processes answer."),
    ]
)


@router.get(
    "/healthz",
    operation_id="read_liveness",
    openapi_extra=needs(Reach.OPEN),
    summary="Ask whether the process is alive",
    responses={**shows(Alive, Alive(), "It is."), **problems("/healthz")},
)
async def read_liveness() -> Response:
    """Answers as long as the process can answer at all; it asks nothing of anyone else."""
    return Response(Alive().model_dump_json(), media_type="application/json", headers=NO_STORE)


@router.get(
    "/readyz",
    operation_id="read_readiness",
    openapi_extra=needs(Reach.OPEN),
    summary="Ask whether requests can be served",
    responses={
        **shows(Ready, READY, "They can."),
        **problems("/readyz", NotReady("database: The database does not answer.")),
    },
)
async def read_readiness(request: Request, house: TheHouse) -> Response:
    """Each part that requests need, by name. 503 with the same list in `checks` when one is missing."""
    checks = await _checks(request, house)
    if all(check.ok for check in checks):
        return Response(Ready(checks=checks).model_dump_json(), media_type="application/json", headers=NO_STORE)
    missing = " ".join(f"{check.name}: {check.detail}" for check in checks if not check.ok)
    return problem(NotReady(missing), request.scope, more={"checks": [check.model_dump() for check in checks]})


@router.get(
    "/api/system/health",
    operation_id="read_system_health",
    openapi_extra=needs(Reach.READ),
    summary="Read how the parts of the service are",
    responses={
        **shows(Health, Health(status="well", checks=READY.checks), "Each part by name."),
        **problems("/api/system/health", *SIGNED_IN),
    },
)
async def read_system_health(request: Request, house: TheHouse, caller: Caller) -> Response:
    """The checks of readiness for people to read: an answer, whether all is well or not."""
    await _require_active(house, caller)
    checks = await _checks(request, house)
    health = Health(status="well" if all(check.ok for check in checks) else "unwell", checks=checks)
    return Response(health.model_dump_json(), media_type="application/json", headers=NO_STORE)


@router.get(
    "/metrics",
    operation_id="read_metrics",
    openapi_extra=needs(Reach.OPEN),
    summary="Read the metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Metrics as Prometheus reads them.",
            "content": {
                "text/plain": {"schema": {"type": "string"}, "example": "tidemark_http_requests_in_flight 1.0\n"}
            },
        },
        **problems("/metrics", NotAllowed("Metrics are for this machine, or for who holds TIDEMARK_METRICS_TOKEN.")),
    },
)
async def read_metrics(request: Request, house: TheHouse) -> Response:
    """For Prometheus: from this machine itself, or with the token of TIDEMARK_METRICS_TOKEN as bearer."""
    if not (_is_this_machine(request, house) or _holds_token(request, house)):
        raise NotAllowed("Metrics are for this machine, or for who holds TIDEMARK_METRICS_TOKEN.")
    checks = await _checks(request, house)
    house.monitor.readiness_checked({check.name: check.ok for check in checks})
    content, media_type = house.monitor.exposition()
    return Response(content, headers={"Content-Type": media_type, **NO_STORE})


async def _require_active(house: House, caller: Identity) -> None:
    """A suspension holds here as well. Where the database does not say, that is what people are here to read."""
    with contextlib.suppress(ServiceUnavailable, TimeoutError):
        async with asyncio.timeout(CHECK_SECONDS), house.acting_as(caller, readonly=True):
            pass


async def _checks(request: Request, house: House) -> list[Check]:
    database, migrations = await asyncio.gather(_database(house), _migrations(request, house))
    return [database, migrations, *_disk(house), *_workers(request)]


async def _database(house: House) -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await house.database.check()
    except (TidemarkError, TimeoutError) as error:
        return Check(name="database", ok=False, detail=getattr(error, "detail", "It does not answer in time."))
    return Check(name="database", ok=True, detail="Answers.")


def _disk(house: House) -> list[Check]:
    """Of the database that we bring along; of any other, whoever runs it knows."""
    if not house.settings.embedded:
        return []
    try:
        free = shutil.disk_usage(house.settings.data_dir).free
    except OSError:
        return [Check(name="disk", ok=False, detail="The data directory is not there.")]
    if free < LEAST_FREE_BYTES:
        detail = f"{bytes_(free)} free on the disk of the database, which needs {bytes_(LEAST_FREE_BYTES)} to go on."
        return [Check(name="disk", ok=False, detail=detail)]
    return [Check(name="disk", ok=True, detail="Has room.")]


async def _migrations(request: Request, house: House) -> Check:
    state = request.app.state
    if time.monotonic() - getattr(state, "migrations_checked_at", float("-inf")) < MIGRATIONS_FRESH_SECONDS:
        return Check(name="migrations", ok=True, detail="All are applied.")
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            pending = await house.pending_migrations()
    except TidemarkError as error:
        return Check(name="migrations", ok=False, detail=error.detail)
    except (OSError, TimeoutError):
        return Check(name="migrations", ok=False, detail="The database does not say.")
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, a probe must be answered
        logger.warning("The migrations could not be checked: {}", type(error).__name__)
        return Check(name="migrations", ok=False, detail="The database does not say.")
    if pending:
        return Check(name="migrations", ok=False, detail=f"{len(pending)} wait to be applied: tidemark migrate.")
    state.migrations_checked_at = time.monotonic()
    return Check(name="migrations", ok=True, detail="All are applied.")


def _workers(request: Request) -> list[Check]:
    """Nothing to check where another process runs the jobs."""
    ask = request.app.state.workers
    if ask is None:
        return []
    found = ask()
    return [Check(name="workers", ok=found.is_ready, detail=found.detail)]


def _is_this_machine(request: Request, house: House) -> bool:
    # Behind a proxy on this machine everyone looks like this machine.
    if house.settings.trusted_proxies or any(
        name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip")
    ):
        return False
    try:
        return ipaddress.ip_address(client_address(request.scope)).is_loopback
    except ValueError:
        return False


def _holds_token(request: Request, house: House) -> bool:
    token = house.settings.metrics_token
    offered = request.headers.get("authorization", "")
    return token is not None and hmac.compare_digest(offered.encode(), f"Bearer {token.get_secret_value()}".encode())

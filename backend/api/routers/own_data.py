"""One's own data: how much there is, all of it as one archive, and the end of the account."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from backend.api.context import client_address
from backend.api.dependencies import Caller, Reading, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, IfNoneMatch, tagged
from backend.domain.errors import QuotaReached, SessionEnded
from backend.domain.own_data import (
    CONFIRMATION,
    MOST_EXPORTS_A_DAY,
    NOUNS,
    LastAdmin,
    PasswordUnreadable,
    PasswordWrong,
    TooManyExports,
    TooManyTries,
)

router = APIRouter(prefix="/api/me", tags=["Account"])

MEDIA_TYPE = "application/zip"


class OwnKind(BaseModel):
    """One kind of thing that the caller has."""

    name: str
    count: int
    file: str = Field(description="Where it is in the export.")
    about: str


class OwnData(BaseModel):
    """How much the caller has of everything: what an export takes along, and a deletion destroys."""

    items: list[OwnKind]
    disk_bytes: int = Field(description="What imported series, uploads and models take on the disk of the server.")
    has_password: bool = Field(description="Whether a deletion asks for it.")
    most_exports_a_day: int


class Leaving(BaseModel):
    """Words that nobody sends by accident, and the password of an account that has one."""

    model_config = ConfigDict(extra="forbid")

    confirm: Literal["delete my account"] = Field(description=f"'{CONFIRMATION}', as it stands here.")
    password: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="Of an account that has one; a demo account has none."
    )


OWN = OwnData(
    items=[OwnKind(name=NOUNS[0].name, count=1, file=NOUNS[0].file, about=NOUNS[0].about)],
    disk_bytes=1_048_576,
    has_password=True,
    most_exports_a_day=MOST_EXPORTS_A_DAY,
)


@router.get(
    "/data",
    operation_id="read_my_data",
    openapi_extra=needs(Reach.SESSION),
    summary="Read how much one has of everything",
    responses={
        **shows(OwnData, OWN, "By kind.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/me/data", *SIGNED_IN),
    },
)
async def read_my_data(
    request: Request, house: TheHouse, caller: Caller, services: Reading, _: IfNoneMatch = None
) -> Response:
    """What `GET /api/me/export` takes along, and `DELETE /api/me` destroys."""
    found = await services.own_data.belongings()
    disk_bytes = await house.leaving.used_bytes(caller.user_id)
    items = [OwnKind(name=noun.name, count=found.counts[noun.name], file=noun.file, about=noun.about) for noun in NOUNS]
    own = OwnData(
        items=items,
        disk_bytes=disk_bytes,
        has_password=found.has_password,
        most_exports_a_day=MOST_EXPORTS_A_DAY,
    )
    return tagged(request, own)


@router.get(
    "/export",
    operation_id="export_my_data",
    openapi_extra=needs(Reach.SESSION),
    summary="Take all of one's own data along",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A ZIP archive. README.txt in it says what each file holds, manifest.json how much.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}, "example": "PK"}},
        },
        **problems(
            "/api/me/export",
            *SIGNED_IN,
            SessionEnded(),
            QuotaReached("exports at once", limit=1, count=1),
            TooManyExports(3600),
        ),
    },
)
async def export_my_data(request: Request, house: TheHouse, caller: Caller) -> Response:
    """Profile, sessions, tokens and keys without their secrets, tasks, backtests with their tables, strategies, models,
    predictions, shares and imported series, as JSON, CSV and Parquet.

    The archive is made while it is read, so its size is not known before; one that breaks off cannot be opened. It is
    for sessions that are alive, one at a time, a few times a day, and each is a line in the audit log.
    """
    pieces = house.leaving.exported(partial(house.own_data_of, caller), caller, client_address(request.scope))
    # Whatever refuses it is raised here, before the answer begins.
    first = await anext(pieces)
    name = f"tidemark-{house.clock.now():%Y-%m-%d}.zip"
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_with(first, pieces), media_type=MEDIA_TYPE, headers=headers)


@router.delete(
    "",
    operation_id="delete_my_account",
    openapi_extra={**needs(Reach.SESSION), **takes({"confirm": CONFIRMATION, "password": "correct horse"})},
    summary="Delete one's own account for good",
    status_code=204,
    responses={
        204: {"description": "The account and all that was its own are gone."},
        **problems(
            "/api/me",
            *SIGNED_IN,
            *WITH_BODY,
            SessionEnded(),
            PasswordWrong(),
            PasswordUnreadable(),
            LastAdmin(),
            TooManyTries(900),
            invalid("/confirm", "Input should be 'delete my account'."),
        ),
    },
)
async def delete_my_account(request: Request, wanted: Leaving, house: TheHouse, caller: Caller) -> Response:
    """There is no way back. Sessions and tokens end at once, streams within 5 s, tasks are stopped; then all rows and
    files go. What cannot be removed at once goes with the next hourly housekeeping.

    Kept are the lines of the audit log that name the account by its id, without its address, and bars that everybody
    shares, whoever downloaded them first. Backups of the operator hold what they held until they are replaced.
    The only administrator has to make somebody else one first. Of wrong passwords five count within 15 minutes.
    """
    acting = partial(house.own_data_of, caller)
    await house.leaving.leave(acting, caller.user_id, wanted.password, client_address(request.scope))
    return Response(status_code=204)


async def _with(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece

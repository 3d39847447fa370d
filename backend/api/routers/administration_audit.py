"""The audit log, for administrators: read page by page, or taken elsewhere as a file."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from backend.api.context import known_address
from backend.api.dependencies import Administering, Caller, TheHouse
from backend.api.documentation import NOT_MODIFIED, invalid, problems, shows
from backend.api.moments import Moment
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers.administration_shapes import ADMIN, LINE, USER_ID, AuditLine
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, IfNoneMatch, tagged
from backend.bootstrap import House
from backend.bootstrap_admin import administering, audit_file
from backend.domain import administration as domain
from backend.domain import pages as lists
from backend.domain.accounts import Identity
from backend.domain.admin_ports import AuditFile
from backend.domain.errors import InvalidCursor

router = APIRouter(prefix="/api/admin/audit", tags=["Administration"])

AUDIT = "audit"
LINES_AT_ONCE = 1_000
_MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json", "parquet": "application/vnd.apache.parquet"}
_BAD_TIME = invalid("/query/since", "Input should have timezone info.")


async def wanted_lines(
    *,
    actor_id: Annotated[UUID | None, Query(description="Only what this user did.", examples=[str(USER_ID)])] = None,
    subject_id: Annotated[
        UUID | None, Query(description="Only what was done to this user's data.", examples=[str(USER_ID)])
    ] = None,
    action: Annotated[domain.AuditAction | None, Query(description="Only this.")] = None,
    since: Annotated[Moment | None, Query(description="Only from then on.", examples=["2026-11-01T00:00:00Z"])] = None,
    until: Annotated[Moment | None, Query(description="Only before then.", examples=["2026-12-01T00:00:00Z"])] = None,
) -> domain.AuditFilter:
    return domain.AuditFilter(actor_id=actor_id, subject_id=subject_id, action=action, since=since, until=until)


Wanted = Annotated[domain.AuditFilter, Depends(wanted_lines)]


@router.get(
    "",
    operation_id="list_audit_lines",
    openapi_extra=needs(Reach.ADMIN),
    summary="Read the audit log",
    responses={
        **shows(Page[AuditLine], Page[AuditLine](items=[LINE], next_cursor=None), "Newest first.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems("/api/admin/audit", *ADMIN, InvalidCursor(), _BAD_TIME),
    },
)
async def list_audit_lines(
    *,
    request: Request,
    administration: Administering,
    wanted: Wanted,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """What administrators, the operator and people with their whole accounts did. The look is a line itself."""
    found = await administration.audit(wanted, limit=limit, after=from_cursor(AUDIT, cursor))
    following = to_cursor(AUDIT, found.next) if found.next else None
    page = Page[AuditLine](items=[AuditLine.model_validate(line) for line in found.items], next_cursor=following)
    answer = tagged(request, page)
    filters = {name: [str(value)] for name, value in vars(wanted).items() if value is not None}
    answer.headers.update(link_to_next(request.url.path, limit, following, **filters))
    return answer


@router.get(
    "/export",
    operation_id="export_audit_lines",
    openapi_extra=needs(Reach.ADMIN),
    summary="Take the audit log elsewhere",
    response_class=Response,
    responses={
        200: {
            "description": "All lines that are wanted, newest first, as one file.",
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": '"id","at","actor"\n'},
                "application/json": {
                    "schema": {"type": "array", "items": {"type": "object"}},
                    "example": [LINE.model_dump(mode="json")],
                },
                "application/vnd.apache.parquet": {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "PAR1",
                },
            },
        },
        **problems("/api/admin/audit/export", *ADMIN, invalid("/query/format", "Input should be 'csv'."), _BAD_TIME),
    },
)
async def export_audit_lines(
    *,
    request: Request,
    house: TheHouse,
    caller: Caller,
    administration: Administering,
    wanted: Wanted,
    file_format: Annotated[
        Literal["csv", "json", "parquet"], Query(alias="format", description="Of the file.")
    ] = "csv",
) -> Response:
    """Streamed, however long the log is. In CSV no cell is one that a spreadsheet would run. It is a line itself."""
    until = house.clock.now() if wanted.until is None else wanted.until
    asked = replace(wanted, until=until)
    first = await administration.exported_audit(asked, limit=LINES_AT_ONCE, after=None, file_format=file_format)
    lines = _parts(house, caller, known_address(request.scope), asked, first)
    name = f"audit-{until:%Y-%m-%d}.{file_format}"
    return StreamingResponse(
        _file(audit_file(file_format), lines),
        media_type=_MEDIA[file_format],
        headers={**PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _parts(
    house: House,
    caller: Identity,
    address: str | None,
    wanted: domain.AuditFilter,
    part: lists.Page[domain.AuditLine],
) -> AsyncIterator[tuple[domain.AuditLine, ...]]:
    """Each in a transaction of its own: a slow reader holds no connection."""
    yield part.items
    while part.next is not None:
        async with administering(house.database, house.market.quotas, caller, address=address) as administration:
            part = await administration.exported_audit(wanted, limit=LINES_AT_ONCE, after=part.next, file_format=None)
        yield part.items


async def _file(file: AuditFile, parts: AsyncIterator[tuple[domain.AuditLine, ...]]) -> AsyncIterator[bytes]:
    async for lines in parts:
        yield file.add(lines)
    yield file.end()

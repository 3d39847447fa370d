"""Everybody's accounts, for administrators: found, looked at, promoted, given plans, suspended and signed out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from backend.api.dependencies import Administering
from backend.api.documentation import NOT_MODIFIED, WITH_BODY, invalid, problems, shows, takes
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers.administration_shapes import (
    ADMIN,
    BECAUSE,
    CHANGE,
    SUSPENSION,
    USER,
    USER_DETAILS,
    USER_ID,
    AdminUser,
    AdminUserChange,
    AdminUserDetails,
    Because,
    Suspension,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import IfNoneMatch, tagged, untagged
from backend.domain import administration as domain
from backend.domain.errors import InvalidCursor
from backend.domain.exchange_keys import MOST_KEYS

router = APIRouter(prefix="/api/admin/users", tags=["Administration"])

USERS = "admin users"
_PATH = f"/api/admin/users/{USER_ID}"
_NO_USER = domain.UserNotFound(USER_ID)
_BAD_REASON = invalid("/reason", "A reason has 1 to 200 characters.")
_SUSPENDED = USER_DETAILS.model_copy(update={"state": domain.AccountState.SUSPENDED})

UserId = Annotated[UUID, Path(description="The user's id.", examples=[str(USER_ID)])]


@router.get(
    "",
    operation_id="list_users",
    openapi_extra=needs(Reach.ADMIN),
    summary="List everybody's accounts",
    responses={
        **shows(Page[AdminUser], Page[AdminUser](items=[USER], next_cursor=None), "Newest first.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems(
            "/api/admin/users", *ADMIN, InvalidCursor(), invalid("/query/role", "Input should be 'user' or 'admin'.")
        ),
    },
)
async def list_users(
    *,
    request: Request,
    administration: Administering,
    search: Annotated[
        str | None,
        Query(max_length=domain.SEARCH_MAX_LENGTH, description="A part of the address or the name, or the whole id."),
    ] = None,
    role: Annotated[domain.AccountRole | None, Query(description="Only those of this role.")] = None,
    state: Annotated[domain.AccountState | None, Query(description="Only those in this state.")] = None,
    plan: Annotated[
        str | None, Query(pattern=domain.PLAN_NAME_FORM, description="Only those that have this plan.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """All accounts of the installation, demo accounts among them. The look is a line of the audit log."""
    wanted = domain.UserFilter(search=search, role=role, state=state, plan=plan)
    found = await administration.users(wanted, limit=limit, after=from_cursor(USERS, cursor))
    following = to_cursor(USERS, found.next) if found.next else None
    page = Page[AdminUser](items=[AdminUser.model_validate(user) for user in found.items], next_cursor=following)
    answer = tagged(request, page)
    filters = {name: [value] for name, value in vars(wanted).items() if value is not None}
    answer.headers.update(link_to_next(request.url.path, limit, following, **filters))
    return answer


@router.get(
    "/{user_id:uuid}",
    operation_id="read_user",
    openapi_extra=needs(Reach.ADMIN),
    summary="Read anybody's account",
    responses={
        **shows(AdminUserDetails, USER_DETAILS, "The account, what it uses and what it may use.", "ETag"),
        **NOT_MODIFIED,
        **problems(_PATH, *ADMIN, _NO_USER),
    },
)
async def read_user(
    request: Request, administration: Administering, user_id: UserId, _: IfNoneMatch = None
) -> Response:
    """One account, without its password, its exchange keys or what it researches. It is a line of the audit log."""
    return tagged(request, _details(await administration.user(user_id)))


@router.patch(
    "/{user_id:uuid}",
    operation_id="change_user",
    openapi_extra={**takes(CHANGE), **needs(Reach.ADMIN)},
    summary="Change the role or the plan of an account",
    responses={
        **shows(AdminUserDetails, USER_DETAILS, "The account as it is now."),
        **problems(
            _PATH,
            *ADMIN,
            *WITH_BODY,
            _NO_USER,
            domain.PlanNotFound("huge"),
            domain.NotOneself("take the role of an administrator from yourself"),
            domain.DemoAccount(),
            _BAD_REASON,
        ),
    },
)
async def change_user(change: AdminUserChange, administration: Administering, user_id: UserId) -> Response:
    """At once, whatever the tokens of the account say. Nobody takes the role from themselves, so one always stays."""
    given = change.model_fields_set
    if not given & {"role", "plan"}:
        raise invalid("", "Name at least one thing to change: a role or a plan.")
    changed = await administration.change_user(
        user_id,
        role=change.role if "role" in given else None,
        plan=change.plan if "plan" in given else None,
        reason=change.reason,
    )
    return _answer(changed)


@router.post(
    "/{user_id:uuid}/suspend",
    operation_id="suspend_user",
    openapi_extra={**takes(SUSPENSION), **needs(Reach.ADMIN)},
    summary="Suspend an account",
    responses={
        **shows(AdminUserDetails, _SUSPENDED, "The account as it is now."),
        **problems(_PATH, *ADMIN, *WITH_BODY, _NO_USER, domain.NotOneself("suspend yourself"), _BAD_REASON),
    },
)
async def suspend_user(suspension: Suspension, administration: Administering, user_id: UserId) -> Response:
    """Its requests are refused at once, its streams end within 5 s, and its tasks end: those that wait, those that run.

    Nothing of it is deleted. A suspension that holds already is replaced by this one.
    """
    return _answer(await administration.suspend(user_id, hours=suspension.hours, reason=suspension.reason))


@router.post(
    "/{user_id:uuid}/restore",
    operation_id="restore_user",
    openapi_extra={**takes(BECAUSE), **needs(Reach.ADMIN)},
    summary="End the suspension of an account",
    responses={
        **shows(AdminUserDetails, USER_DETAILS, "The account as it is now."),
        **problems(_PATH, *ADMIN, *WITH_BODY, _NO_USER, _BAD_REASON),
    },
)
async def restore_user(because: Because, administration: Administering, user_id: UserId) -> Response:
    """What was cancelled stays cancelled; its owner can run it again."""
    return _answer(await administration.restore(user_id, reason=because.reason))


@router.post(
    "/{user_id:uuid}/end-sessions",
    operation_id="end_sessions_of_user",
    openapi_extra={**takes(BECAUSE), **needs(Reach.ADMIN)},
    summary="Sign an account out everywhere",
    status_code=204,
    responses={
        204: {"description": "Every session of the account has ended, and no refresh token of it works."},
        **problems(_PATH, *ADMIN, *WITH_BODY, _NO_USER, _BAD_REASON),
    },
)
async def end_sessions_of_user(because: Because, administration: Administering, user_id: UserId) -> Response:
    """Its owner can sign in again. Personal access tokens are no sessions, and stay."""
    await administration.end_sessions(user_id, reason=because.reason)
    return Response(status_code=204)


def _details(user: domain.UserDetails) -> AdminUserDetails:
    return AdminUserDetails.of(user, most_exchange_keys=MOST_KEYS)


def _answer(user: domain.UserDetails) -> Response:
    return untagged(_details(user))

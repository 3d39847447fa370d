"""One's own profile, preferences and sessions."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from starlette.responses import Response

from backend.api.dependencies import Caller, Changing, Reading
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows
from backend.api.idempotency import IdempotencyKey, once
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.scopes import Reach, needs
from backend.api.versions import IfMatch, IfNoneMatch, required_version, tagged
from backend.bootstrap_services import Services
from backend.domain import accounts as domain
from backend.domain.errors import (
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InvalidCursor,
    RequestInProgress,
    SessionEnded,
    SessionNotFound,
    VersionConflict,
    VersionRequired,
)

router = APIRouter(prefix="/api/me", tags=["Account"])

SESSIONS = "sessions"
MOST_MEMBERS = 50


def _without_default(schema: JsonDict) -> None:
    schema.pop("default", None)


class Preferences(BaseModel):
    """How the web app looks and behaves for one person, on every device."""

    theme: domain.Theme
    palette: domain.Palette
    density: domain.Density
    timezone: str = Field(description="An IANA name.", examples=["Europe/Berlin"])
    single_key_shortcuts: bool


class Profile(BaseModel):
    """Who is signed in, and what they prefer."""

    user_id: UUID
    email: str | None = Field(description="Null for a demo account.")
    display_name: str
    preferences: Preferences
    is_demo: bool = Field(description="Signed in without an email address; the account can be upgraded.")
    is_admin: bool = Field(description="By the account as it is now, and in a session; a token is never one.")
    version: int = Field(description="Grows with every change.")
    created_at: datetime
    updated_at: datetime


class Change(BaseModel):
    """Names at least one thing, and nothing that does not exist."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    @model_validator(mode="before")
    @classmethod
    def _names_no_crowd(cls, given: object) -> object:
        """Each unknown name is an error of its own; a megabyte of them would hold everybody up for half a second."""
        if isinstance(given, dict) and len(given) > MOST_MEMBERS:
            raise ValueError(f"Name at most {MOST_MEMBERS} things.")
        return given

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("Name at least one thing to change.")
        return self


class PreferencesChange(Change):
    """The preferences to change; what is left out stays as it is."""

    # The defaults only mean "not given": what is given is never null.
    theme: domain.Theme = Field(default=domain.Theme.SYSTEM, json_schema_extra=_without_default)
    palette: domain.Palette = Field(default=domain.Palette.DEFAULT, json_schema_extra=_without_default)
    density: domain.Density = Field(default=domain.Density.COMFORTABLE, json_schema_extra=_without_default)
    timezone: str = Field(
        default="",
        min_length=1,
        max_length=64,
        description="An IANA name.",
        examples=["Europe/Berlin"],
        json_schema_extra=_without_default,
    )
    single_key_shortcuts: bool = Field(default=True, strict=True, json_schema_extra=_without_default)

    @classmethod
    def unchanged(cls) -> "PreferencesChange":
        return cls.model_construct()


class ProfileChange(Change):
    """What to change; what is left out stays as it is."""

    display_name: str = Field(
        default="",
        min_length=1,
        max_length=domain.DISPLAY_NAME_MAX_LENGTH,
        description="One line of visible characters.",
        examples=["Ada Lovelace"],
        json_schema_extra=_without_default,
    )
    preferences: PreferencesChange = Field(
        default_factory=PreferencesChange.unchanged, json_schema_extra=_without_default
    )


class Session(BaseModel):
    """One sign-in on one device."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    user_agent: str | None
    ip: str | None
    is_current: bool = Field(description="Whether this request belongs to it.")


_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_USER = UUID("5b3a3c1e-3f0e-4d43-9a0f-6a2b8c7d1e2f")
_SESSION = UUID("0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a")
PROFILE = Profile(
    user_id=_USER,
    email="ada@example.com",
    display_name="Ada Lovelace",
    preferences=Preferences(
        theme=domain.Theme.DARK,
        palette=domain.Palette.DEFAULT,
        density=domain.Density.COMPACT,
        timezone="Europe/London",
        single_key_shortcuts=True,
    ),
    is_demo=False,
    is_admin=False,
    version=3,
    created_at=_NOW,
    updated_at=_NOW,
)
SESSION = Session(
    id=_SESSION, created_at=_NOW, last_seen_at=_NOW, user_agent="Firefox/150.0", ip="192.0.2.7", is_current=True
)
CHANGE = {"display_name": "Ada", "preferences": {"theme": "dark", "timezone": "Europe/London"}}


@router.get(
    "",
    operation_id="read_my_profile",
    openapi_extra=needs(Reach.READ),
    summary="Read one's own profile",
    responses={
        **shows(Profile, PROFILE, "Who is signed in.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/me", *SIGNED_IN),
    },
)
async def read_my_profile(request: Request, caller: Caller, services: Changing, _: IfNoneMatch = None) -> Response:
    """The profile and preferences of the caller, with the ETag that a change must name."""
    return await _answer(request, caller, services, await services.accounts.profile())


@router.patch(
    "",
    operation_id="change_my_profile",
    summary="Change one's own profile",
    responses={
        **shows(Profile, PROFILE, "The profile as it is now.", "ETag", "Idempotency-Replayed"),
        **problems(
            "/api/me",
            *SIGNED_IN,
            *WITH_BODY,
            RequestInProgress(),
            VersionConflict(),
            invalid("/preferences/theme", "Input should be 'system', 'light' or 'dark'."),
            IdempotencyKeyInvalid(),
            IdempotencyKeyReused(),
            VersionRequired(),
        ),
    },
    openapi_extra={**needs(Reach.SESSION), "requestBody": {"content": {"application/json": {"example": CHANGE}}}},
)
async def change_my_profile(
    *,
    request: Request,
    change: ProfileChange,
    caller: Caller,
    services: Changing,
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Change what is named and leave the rest. If-Match must hold the ETag of the profile that was read."""
    wanted, version = _wanted(change), required_version(if_match)

    async def work() -> Response:
        changed = await services.accounts.change_profile(wanted, version=version)
        return await _answer(request, caller, services, changed)

    return await once(request, key, caller, services.idempotency, work)


@router.get(
    "/sessions",
    operation_id="list_my_sessions",
    openapi_extra=needs(Reach.SESSION),
    summary="List one's own sessions",
    responses={
        **shows(Page[Session], Page[Session](items=[SESSION], next_cursor=None), "Newest first.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems(
            "/api/me/sessions", *SIGNED_IN, InvalidCursor(), invalid("/query/limit", "Input should be at most 200.")
        ),
    },
)
async def list_my_sessions(
    request: Request, services: Reading, limit: Limit = 50, cursor: Cursor = None, _: IfNoneMatch = None
) -> Response:
    """Every device on which the caller is signed in."""
    found = await services.accounts.sessions(limit=limit, after=from_cursor(SESSIONS, cursor))
    following = to_cursor(SESSIONS, found.next) if found.next else None
    page = Page[Session](items=[Session.model_validate(session) for session in found.items], next_cursor=following)
    answer = tagged(request, page)
    answer.headers.update(link_to_next(request.url.path, limit, following))
    return answer


@router.delete(
    "/sessions",
    operation_id="end_my_sessions",
    openapi_extra=needs(Reach.SESSION),
    summary="End all of one's own sessions",
    status_code=204,
    responses={
        204: {"description": "The devices are signed out."},
        **problems(
            "/api/me/sessions",
            *SIGNED_IN,
            SessionEnded(),
            invalid("/query/others", "Input should be a valid boolean, unable to interpret input."),
        ),
    },
)
async def end_my_sessions(
    services: Changing,
    others: Annotated[bool, Query(description="Keep the session that asks; else it ends as well.")] = False,
) -> Response:
    """Sign every device out, at once; streams end within 5 s. Personal access tokens are no sessions, and stay."""
    await services.accounts.end_sessions(only_others=others)
    return Response(status_code=204)


@router.delete(
    "/sessions/{session_id}",
    operation_id="end_my_session",
    openapi_extra=needs(Reach.SESSION),
    summary="End one of one's own sessions",
    status_code=204,
    responses={
        204: {"description": "The device is signed out."},
        **problems(
            "/api/me/sessions/0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a",
            *SIGNED_IN,
            SessionEnded(),
            SessionNotFound(_SESSION),
            invalid("/path/session_id", "Input should be a valid UUID."),
        ),
    },
)
async def end_my_session(
    services: Changing, session_id: Annotated[UUID, Path(description="The session's id.", examples=[str(_SESSION)])]
) -> Response:
    """Sign one device out, at once; its streams end within 5 s. The session that asks must still be alive itself."""
    await services.accounts.end_session(session_id)
    return Response(status_code=204)


async def _answer(request: Request, caller: domain.Identity, services: Services, profile: domain.Profile) -> Response:
    preferences = profile.preferences
    body = Profile(
        user_id=profile.user_id,
        email=caller.email,
        display_name=profile.display_name,
        preferences=Preferences(
            theme=preferences.theme,
            palette=preferences.palette,
            density=preferences.density,
            timezone=preferences.timezone,
            single_key_shortcuts=preferences.single_key_shortcuts,
        ),
        is_demo=profile.is_demo,
        is_admin=await services.accounts.is_admin(),
        version=profile.version,
        created_at=profile.created_at,
        updated_at=profile.updated_at,
    )
    return tagged(request, body, version=profile.version)


def _wanted(change: ProfileChange) -> domain.ProfileChange:
    given = change.model_dump(exclude_unset=True)
    preferences = domain.PreferencesChange(**given.pop("preferences", {}))
    return domain.ProfileChange(**given, preferences=preferences)

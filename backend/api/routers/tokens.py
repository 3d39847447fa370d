"""One's own personal access tokens: what scripts and other programs show in place of a session."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from loguru import logger
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from backend.api.context import context_of
from backend.api.dependencies import Changing, Reading, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.scopes import Reach, needs
from backend.api.versions import IfNoneMatch, tagged
from backend.domain import tokens as domain
from backend.domain.errors import InvalidCursor, QuotaReached, SessionEnded, TokenNotFound

router = APIRouter(prefix="/api/me/tokens", tags=["Account"])

TOKENS = "tokens"


class TokenState(StrEnum):
    """Whether a token still opens anything."""

    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


class PersonalToken(BaseModel):
    """A token as its owner sees it: everything but the token."""

    id: UUID
    name: str
    hint: str = Field(description="How it begins and ends.")
    scopes: list[domain.Scope]
    state: TokenState
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="To the hour.")
    last_used_address: str | None
    revoked_at: datetime | None


class FreshToken(PersonalToken):
    """A token that was just made."""

    token: str = Field(description="Nothing shows it again.")


class TokenWanted(BaseModel):
    """What a new token may do, and for how long."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1,
        max_length=domain.NAME_MAX_LENGTH,
        description="To know it again: where it is used, or for what.",
        examples=["Nightly data job"],
    )
    scopes: list[domain.Scope] = Field(
        min_length=1,
        max_length=len(domain.Scope),
        description=" ".join(f"`{scope}`: {said}" for scope, said in domain.SENTENCES.items()),
    )
    expires_in_days: int = Field(ge=1, le=domain.LONGEST_LIFE_DAYS, strict=True)


_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_ID = UUID("7c0de4a1-52b6-4c3e-9d57-3f9f2b1a8e60")
TOKEN = PersonalToken(
    id=_ID,
    name="Nightly data job",
    hint="tdm_Zk3f...9wQA",
    scopes=[domain.Scope.READ, domain.Scope.DATA],
    state=TokenState.LIVE,
    created_at=_NOW,
    expires_at=_NOW + timedelta(days=90),
    last_used_at=_NOW,
    last_used_address="192.0.2.7",
    revoked_at=None,
)
# Made up: its checksum is wrong.
FRESH = FreshToken.model_validate(
    {
        **TOKEN.model_dump(),
        "last_used_at": None,
        "last_used_address": None,
        "token": "tdm_Zk3fEXAMPLEexampleEXAMPLEexampleEXAMPLEexamp9wQA",
    }
)
WANTED = {"name": "Nightly data job", "scopes": ["read", "data"], "expires_in_days": 90}


@router.get(
    "",
    operation_id="list_my_tokens",
    openapi_extra=needs(Reach.SESSION),
    summary="List one's own personal access tokens",
    responses={
        **shows(
            Page[PersonalToken], Page[PersonalToken](items=[TOKEN], next_cursor=None), "Newest first.", "ETag", "Link"
        ),
        **NOT_MODIFIED,
        **problems(
            "/api/me/tokens", *SIGNED_IN, InvalidCursor(), invalid("/query/limit", "Input should be at most 200.")
        ),
    },
)
async def list_my_tokens(
    *,
    request: Request,
    house: TheHouse,
    services: Reading,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """Those that live, and for 30 days those that expired or were revoked."""
    found = await services.tokens.tokens(limit=limit, after=from_cursor(TOKENS, cursor))
    following = to_cursor(TOKENS, found.next) if found.next else None
    now = house.clock.now()
    page = Page[PersonalToken](items=[_shown(token, now) for token in found.items], next_cursor=following)
    answer = tagged(request, page)
    answer.headers.update(link_to_next(request.url.path, limit, following))
    return answer


@router.post(
    "",
    operation_id="create_my_token",
    openapi_extra={**takes(WANTED), **needs(Reach.SESSION)},
    summary="Make a personal access token",
    status_code=201,
    responses={
        **shows(FreshToken, FRESH, "The token. Nothing shows it again.", status=201),
        **problems(
            "/api/me/tokens",
            *SIGNED_IN,
            *WITH_BODY,
            SessionEnded(),
            QuotaReached("live tokens", limit=domain.MOST_LIVE_TOKENS, count=50, remedy="Revoke some."),
            invalid("/expires_in_days", "Input should be less than or equal to 365."),
        ),
    },
)
async def create_my_token(request: Request, wanted: TokenWanted, house: TheHouse, services: Changing) -> Response:
    """It is shown this once and kept as a digest alone, so no Idempotency-Key keeps the answer either.

    Whoever holds it may do what its scopes say until it expires or is revoked. The session that asks must be alive.
    """
    made, text = await services.tokens.create(name=wanted.name, scopes=wanted.scopes, days=wanted.expires_in_days)
    _log(request, made.id, "made", scopes=[scope.value for scope in _in_order(made)], expires_at=str(made.expires_at))
    body = FreshToken(**_shown(made, house.clock.now()).model_dump(), token=text)
    return Response(
        body.model_dump_json(), status_code=201, media_type="application/json", headers={"Cache-Control": "no-store"}
    )


@router.delete(
    "/{token_id}",
    operation_id="revoke_my_token",
    openapi_extra=needs(Reach.SESSION),
    summary="Revoke a personal access token",
    status_code=204,
    responses={
        204: {"description": "It opens nothing any more, and what it has open ends within 5 s."},
        **problems(
            f"/api/me/tokens/{_ID}",
            *SIGNED_IN,
            SessionEnded(),
            TokenNotFound(_ID),
            invalid("/path/token_id", "Input should be a valid UUID."),
        ),
    },
)
async def revoke_my_token(
    request: Request,
    services: Changing,
    token_id: Annotated[UUID, Path(description="The token's id.", examples=[str(_ID)])],
) -> Response:
    """At once in the process that is asked, within 3 s in others. It cannot be taken back."""
    await services.tokens.revoke(token_id)
    _log(request, token_id, "revoked")
    return Response(status_code=204)


def _shown(token: domain.PersonalToken, now: datetime) -> PersonalToken:
    state = TokenState.LIVE if token.expires_at > now else TokenState.EXPIRED
    return PersonalToken(
        **{**vars(token), "scopes": _in_order(token)},
        state=TokenState.REVOKED if token.revoked_at is not None else state,
    )


def _in_order(token: domain.PersonalToken) -> list[domain.Scope]:
    return [scope for scope in domain.Scope if scope in token.scopes]


def _log(request: Request, token_id: UUID, what: str, **facts: object) -> None:
    """Who it is for is among the facts of the request."""
    known = {**context_of(request.scope).facts, "personal_token": str(token_id), **facts}
    logger.bind(**known).info("A personal access token was {}", what)

"""Keys of exchanges and brokers: taken once, judged by their provider, shown by their hint alone."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from loguru import logger
from starlette.responses import Response

from backend.api.context import client_address, context_of
from backend.api.dependencies import Caller, Changing, Reading, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.limits import KEY_TRIES, take
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers.exchange_key_shapes import (
    EVENT,
    ID,
    KEY,
    REPLACEMENT,
    WANTED,
    ExchangeKey,
    KeyChange,
    KeyEvent,
    KeyWanted,
    Secrets,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import IfNoneMatch, tagged
from backend.bootstrap import House
from backend.domain import exchange_keys as domain
from backend.domain.accounts import Identity
from backend.domain.errors import InvalidCursor, QuotaReached, SessionEnded, TidemarkError, VersionConflict
from backend.domain.market_errors import VendorBusy, VendorUnavailable
from backend.services.exchange_keys import KeyWanted as Wanted

router = APIRouter(prefix="/api/keys", tags=["Exchange keys"])

KEYS, EVENTS = "keys", "key_events"
_BAD_LIMIT = invalid("/query/limit", "Input should be at most 200.")
_TOO_OFTEN = QuotaReached("changes and tests of keys within a day", limit=1000, count=1000, remedy="Go on tomorrow.")
_CHANGES: tuple[TidemarkError, ...] = (
    *SIGNED_IN,
    SessionEnded(),
    domain.KeysNeedAccount(),
    domain.KeyNotFound(ID),
    invalid("/path/key_id", "Input should be a valid UUID."),
    _TOO_OFTEN,
)
_SEALS: tuple[TidemarkError, ...] = (
    domain.KeyRefused("Binance refused (HTTP 401)."),
    domain.KeyCanWithdraw(),
    domain.MasterKeyMissing("0123456789abcdef"),
    VendorUnavailable("Binance gave no whole answer within 10 s when asked for what this key may do, once."),
    VendorBusy("Binance"),
)
KeyId = Annotated[UUID, Path(description="The key's id.", examples=[str(ID)])]


@router.get(
    "/",
    operation_id="list_exchange_keys",
    openapi_extra=needs(Reach.SESSION),
    summary="List one's own exchange keys",
    responses={
        **shows(Page[ExchangeKey], Page[ExchangeKey](items=[KEY], next_cursor=None), "Newest first.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems("/api/keys/", *SIGNED_IN, InvalidCursor(), _BAD_LIMIT),
    },
)
async def list_exchange_keys(
    *,
    request: Request,
    services: Changing,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """By provider, label and hint, with what each may do and how it did when it was tested. Looking is audited."""
    after = from_cursor(KEYS, cursor)
    found = await services.exchange_keys.keys(limit=limit, after=after, address=client_address(request.scope))
    following = to_cursor(KEYS, found.next) if found.next else None
    answer = tagged(
        request, Page[ExchangeKey](items=[ExchangeKey.of(key) for key in found.items], next_cursor=following)
    )
    answer.headers.update(link_to_next(request.url.path, limit, following))
    return answer


@router.post(
    "/",
    operation_id="add_exchange_key",
    openapi_extra={**takes(WANTED), **needs(Reach.SESSION)},
    summary="Store an exchange key",
    status_code=201,
    responses={
        **shows(ExchangeKey, KEY, "The key, without the key.", status=201),
        **problems(
            "/api/keys/",
            *SIGNED_IN,
            *WITH_BODY,
            SessionEnded(),
            domain.KeysNeedAccount(),
            QuotaReached("exchange keys", limit=domain.MOST_KEYS, count=domain.MOST_KEYS, remedy="Delete one first."),
            *_SEALS,
        ),
    },
)
async def add_exchange_key(request: Request, wanted: KeyWanted, house: TheHouse, identity: Caller) -> Response:
    """Its provider is asked first what it may do. It is sealed before it is stored, and no answer holds it again.

    A key that the provider does not take is not stored, nor one that can withdraw, unless `accept_withdrawals` says so
    in words. The session that asks must be alive.
    """
    credentials = wanted.at(wanted.provider)
    await _count_try(request, house, identity)
    key = await house.key_desk.add(
        partial(house.keys_of, identity),
        Wanted(
            provider=wanted.provider,
            label=wanted.label,
            credentials=credentials,
            accept_withdrawals=wanted.accept_withdrawals,
        ),
        address=client_address(request.scope),
    )
    _log(request, key, "stored")
    return _shown(key, status=201)


@router.get(
    "/audit",
    operation_id="list_exchange_key_events",
    openapi_extra=needs(Reach.SESSION),
    summary="Read the audit log of one's own exchange keys",
    responses={
        **shows(Page[KeyEvent], Page[KeyEvent](items=[EVENT], next_cursor=None), "Newest first.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems("/api/keys/audit", *SIGNED_IN, InvalidCursor(), _BAD_LIMIT),
    },
)
async def list_exchange_key_events(
    *,
    request: Request,
    services: Reading,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """Nobody can change it, the service included. It is kept for as long as the account."""
    found = await services.exchange_keys.events(limit=limit, after=from_cursor(EVENTS, cursor))
    following = to_cursor(EVENTS, found.next) if found.next else None
    answer = tagged(
        request, Page[KeyEvent](items=[KeyEvent(**vars(event)) for event in found.items], next_cursor=following)
    )
    answer.headers.update(link_to_next(request.url.path, limit, following))
    return answer


@router.patch(
    "/{key_id:uuid}",
    operation_id="label_exchange_key",
    openapi_extra={**takes({"label": "Research, read only"}), **needs(Reach.SESSION)},
    summary="Give an exchange key another label",
    responses={
        **shows(ExchangeKey, KEY, "The key with its new label."),
        **problems(f"/api/keys/{ID}", *_CHANGES, *WITH_BODY),
    },
)
async def label_exchange_key(request: Request, key_id: KeyId, change: KeyChange, services: Changing) -> Response:
    """Nothing else of a key can be changed but its secret, by a rotation."""
    address = client_address(request.scope)
    return _shown(await services.exchange_keys.label(key_id, change.label, address=address))


@router.delete(
    "/{key_id:uuid}",
    operation_id="delete_exchange_key",
    openapi_extra=needs(Reach.SESSION),
    summary="Delete an exchange key",
    status_code=204,
    responses={
        204: {"description": "It is gone, and cannot be brought back."},
        **problems(f"/api/keys/{ID}", *_CHANGES),
    },
)
async def delete_exchange_key(request: Request, key_id: KeyId, services: Changing) -> Response:
    """Here it is gone at once. At its provider it goes on to work until it is deleted there too."""
    await services.exchange_keys.delete(key_id, address=client_address(request.scope))
    return Response(status_code=204)


@router.post(
    "/{key_id:uuid}/rotate",
    operation_id="rotate_exchange_key",
    openapi_extra={**takes(REPLACEMENT), **needs(Reach.SESSION)},
    summary="Put a new secret in the place of the old one",
    responses={
        **shows(ExchangeKey, KEY, "The key, with the hint of the new one."),
        **problems(f"/api/keys/{ID}/rotate", *_CHANGES, *WITH_BODY, *_SEALS, VersionConflict()),
    },
)
async def rotate_exchange_key(
    request: Request, key_id: KeyId, fresh: Secrets, house: TheHouse, identity: Caller
) -> Response:
    """Without a gap: the old one serves until the new one does. The new one is judged as one that is added."""
    await _count_try(request, house, identity)
    key = await house.key_desk.rotate(
        partial(house.keys_of, identity),
        key_id,
        fresh.at,
        accept_withdrawals=fresh.accept_withdrawals,
        address=client_address(request.scope),
    )
    _log(request, key, "rotated")
    return _shown(key)


@router.post(
    "/{key_id:uuid}/test",
    operation_id="test_exchange_key",
    openapi_extra=needs(Reach.SESSION),
    summary="Ask the provider about a key again",
    responses={
        **shows(ExchangeKey, KEY, "The key, with what was found. One that does not work is no error."),
        **problems(
            f"/api/keys/{ID}/test",
            *_CHANGES,
            domain.KeyUnreadable(),
            domain.MasterKeyMissing("0123456789abcdef"),
        ),
    },
)
async def test_exchange_key(request: Request, key_id: KeyId, house: TheHouse, identity: Caller) -> Response:
    """Whether it is still taken, what it may do by now, how far clocks are apart, and how many requests are left."""
    await _count_try(request, house, identity)
    key = await house.key_desk.test(partial(house.keys_of, identity), key_id, address=client_address(request.scope))
    return _shown(key)


async def _count_try(request: Request, house: House, identity: Identity) -> None:
    """Also one that its provider will not take, of which nothing is kept."""
    if house.limiter is not None:
        await take(house.limiter, KEY_TRIES, str(identity.user_id), context_of(request.scope), house.monitor)


def _shown(key: domain.ExchangeKey, *, status: int = 200) -> Response:
    return Response(
        ExchangeKey.of(key).model_dump_json(),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _log(request: Request, key: domain.ExchangeKey, what: str) -> None:
    """Who it is for is among the facts of the request."""
    known = {**context_of(request.scope).facts, "exchange_key_id": str(key.id), "provider": str(key.provider)}
    logger.bind(**known).info("An exchange key was {}", what)

"""Every error as problem+json (RFC 9457): the domain says what it means, one table here chooses the status."""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from loguru import logger
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from backend.api.context import context_of
from backend.domain import errors as domain
from backend.domain import market_errors as market
from backend.domain import model_errors as model
from backend.domain import strategy_errors as strategy
from backend.domain.errors import InputError, TidemarkError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/problems/"
# A body can be wrong in a hundred thousand places; nobody reads on after these.
MOST_ERRORS = 100

# The status of each error is that of its nearest ancestor in this table.
STATUS: Mapping[type[TidemarkError], int] = {
    domain.SignInNeeded: 401,
    domain.NotAllowed: 403,
    domain.NotFound: 404,
    domain.Conflict: 409,
    domain.VersionConflict: 412,
    domain.BodyTooLarge: 413,
    domain.InvalidInput: 422,
    domain.VersionRequired: 428,
    domain.RateLimited: 429,
    domain.QuotaReached: 429,
    domain.ServiceUnavailable: 503,
    market.UnknownMarketData: 404,
    market.DataTooLarge: 413,
    market.BadBars: 422,
    market.BadFile: 422,
    market.NotServed: 422,
    market.SeriesDamaged: 409,
    market.SeriesBusy: 409,
    market.StorageFull: 507,
    market.StorageFailed: 503,
    market.ClockAhead: 503,
    market.VendorBusy: 503,
    market.VendorError: 502,
    model.ModelDamaged: 409,
    model.ModelOfOtherVersion: 409,
    strategy.StrategyError: 422,
    TidemarkError: 500,
}


class MalformedBody(TidemarkError):
    """The body is not the JSON that it says it is."""

    code = "malformed_body"
    title = "The request body cannot be read"


class NoSuchPage(domain.NotFound):
    """No operation lives at this path."""

    code = "no_such_path"
    title = "There is nothing at this path"


class MethodNotAllowed(TidemarkError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    title = "This path does not answer this method"


class UnknownHost(TidemarkError):
    """The Host header names a machine that we are not; a browser may have been tricked into asking us."""

    code = "unknown_host"
    title = "This host name is not ours"


class BadRequest(TidemarkError):
    """The request is not understood."""

    code = "bad_request"
    title = "The request is not understood"


class HeadTooLarge(BadRequest):
    """The path and headers of the request are together larger than we read."""

    code = "request_head_too_large"
    title = "The path and headers are too large"

    def __init__(self, largest_bytes: int) -> None:
        super().__init__(f"Path and headers together may have {largest_bytes:,} bytes.")


class RequestTooSlow(BadRequest):
    """The request began, but its rest did not come in time."""

    code = "request_too_slow"
    title = "The request did not arrive in time"


class UpgradeRequired(BadRequest):
    """A WebSocket lives at this path, and the request does not open one."""

    code = "upgrade_required"
    title = "This path is a WebSocket"


class OriginNotAllowed(domain.NotAllowed):
    """The page that opens the WebSocket is neither ours nor one that the operator allows."""

    code = "origin_not_allowed"
    title = "Pages of this origin may not open a WebSocket here"


class NotReady(domain.ServiceUnavailable):
    """A part that requests need is not there yet."""

    code = "not_ready"
    title = "Not ready yet"


EDGE_STATUS: Mapping[type[TidemarkError], int] = {
    BadRequest: 400,
    MalformedBody: 400,
    MethodNotAllowed: 405,
    RequestTooSlow: 408,
    UnknownHost: 421,
    UpgradeRequired: 426,
    HeadTooLarge: 431,
}


def status_of(error: type[TidemarkError]) -> int:
    return next(
        (EDGE_STATUS.get(kind) or STATUS[kind]) for kind in error.__mro__ if kind in EDGE_STATUS or kind in STATUS
    )


def problem(
    error: TidemarkError,
    scope: Scope,
    *,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """The answer to a request that failed with this error."""
    status = status_of(type(error))
    detail = error.detail if status != 500 else "An unexpected error happened. It was logged under the request id."
    errors = error.errors if isinstance(error, domain.InvalidInput) else ()
    request_id = context_of(scope).request_id
    body = problem_body(type(error), detail=detail, instance=scope["path"], request_id=request_id, errors=errors)
    context_of(scope).facts["problem"] = error.code
    return Response(
        json.dumps({**body, **_facts(error), **(more or {})}, ensure_ascii=True).encode(),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **_headers(error), **(headers or {})},
    )


def problem_body(
    error: type[TidemarkError], *, detail: str, instance: str, request_id: str, errors: Iterable[InputError] = ()
) -> dict[str, Any]:
    return {
        "type": f"{TYPE_PREFIX}{error.code}",
        "title": error.title,
        "status": status_of(error),
        "detail": detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "errors": [{"pointer": found.pointer, "detail": found.detail} for found in errors],
    }


def all_problems() -> list[type[TidemarkError]]:
    """Every error that an answer can carry, by status and code."""
    found: set[type[TidemarkError]] = {TidemarkError}
    waiting: list[type[TidemarkError]] = [TidemarkError]
    while waiting:
        children = [kind for kind in waiting.pop().__subclasses__() if not issubclass(kind, domain.ConfigurationError)]
        found.update(children)
        waiting.extend(children)
    return sorted(found, key=lambda kind: (status_of(kind), kind.code))


def answer_errors(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    """Make the app answer every error as a problem. The routes are all of its routes, for what a path allows."""

    async def on_domain_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, TidemarkError) or status_of(type(error)) == 500:
            raise error
        if isinstance(error, domain.ServiceUnavailable):
            logger.warning("{} Cause: {!r}", error.detail, error.__cause__)
        return problem(error, request.scope)

    async def on_http_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        if error.status_code == 405:
            return _method_not_allowed(request.scope, routes)
        return problem(_from_http(error, request.scope), request.scope)

    async def on_invalid_request(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return problem(_from_validation(error), request.scope)

    async def on_unexpected(request: Request, _: Exception) -> Response:
        return problem(TidemarkError(), request.scope)

    app.add_exception_handler(TidemarkError, on_domain_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    # Starlette raises the error again after this answer; the edge logs it then, once.
    app.add_exception_handler(Exception, on_unexpected)


def _method_not_allowed(scope: Scope, routes: Sequence[APIRoute]) -> Response:
    """The framework knows the methods of the first route of a path alone; a path may have many."""
    found = {method for route in routes if route.path_regex.match(scope["path"]) for method in route.methods or ()}
    allowed = ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))
    error = MethodNotAllowed(f"{scope['path']} answers {allowed}, not {scope['method']}.")
    return problem(error, scope, headers={"Allow": allowed})


def _from_http(error: HTTPException, scope: Scope) -> TidemarkError:
    match error.status_code:
        case 404:
            return NoSuchPage(f"Nothing lives at {scope['path']}.")
        case 400:
            return MalformedBody("The body is not valid JSON in UTF-8.")
        case 413:
            return domain.BodyTooLarge(int(error.detail))
        case status if status >= 500:
            return TidemarkError()
        case status:
            return BadRequest(f"{HTTPStatus(status).phrase}.")


def _from_validation(error: RequestValidationError) -> TidemarkError:
    found = error.errors()
    for one in found:
        if one["type"] == "json_invalid":
            return MalformedBody(f"The body is not valid JSON: {one['ctx']['error']} at character {one['loc'][-1]}.")
    return domain.InvalidInput(
        InputError(pointer=_pointer(one["loc"]), detail=_sentence(one["msg"])) for one in found[:MOST_ERRORS]
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    place, *path = location
    parts = path if place == "body" else location
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _sentence(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _facts(error: TidemarkError) -> dict[str, int | str]:
    """The facts behind the words, for programs."""
    match error:
        case domain.QuotaReached(limit=limit, count=count):
            return {"limit": limit, "count": count}
        case domain.ScopeMissing(scope=scope):
            return {"scope": scope}
        case _:
            return {}


def _headers(error: TidemarkError) -> dict[str, str]:
    match error:
        case domain.NotSignedIn():
            return {"WWW-Authenticate": 'Bearer realm="tidemark"'}
        case domain.SignInNeeded():
            return {"WWW-Authenticate": 'Bearer realm="tidemark", error="invalid_token"'}
        case domain.RateLimited(retry_after=seconds) | domain.ServiceUnavailable(retry_after=seconds):
            return {"Retry-After": str(seconds)}
        case domain.BodyTooLarge():
            return {"Connection": "close"}
        case _:
            return {}

"""Idempotency-Key: a request that is sent twice is done once, and answered the same."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request
from starlette.responses import Response

from backend.domain.accounts import Identity
from backend.domain.errors import IdempotencyKeyInvalid
from backend.domain.ports import IdempotencyRepository, KeptAnswer, RequestFingerprint

KEPT_HEADERS = ("content-type", "etag", "location", "link", "cache-control", "vary")
_FORM = re.compile(r"[A-Za-z0-9_.:-]{1,255}")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Makes it safe to send this request again: for 24 hours the same key gives the same answer.",
        json_schema_extra={"example": "0b6c1c1e-5d0c-4a5e-9d8f-3d0f6c1f2a77"},
    ),
]


async def once(
    request: Request,
    key: str | None,
    caller: Identity,
    answers: IdempotencyRepository,
    work: Callable[[], Awaitable[Response]],
) -> Response:
    """Do the work, or give the answer given under this key before. Failures are not kept: they undo their work."""
    if key is None:
        return await work()
    if not _FORM.fullmatch(key):
        raise IdempotencyKeyInvalid
    fingerprint = RequestFingerprint(
        method=request.method, path=request.url.path, body_hash=hashlib.sha256(await request.body()).hexdigest()
    )
    kept = await answers.claim(caller.user_id, key, fingerprint)
    if kept is not None:
        headers = {**kept.headers, "Idempotency-Replayed": "true"}
        return Response(kept.body, status_code=kept.status, headers=headers)
    response = await work()
    headers = {name: value for name, value in response.headers.items() if name in KEPT_HEADERS}
    await answers.keep(
        caller.user_id, key, KeptAnswer(status=response.status_code, headers=headers, body=bytes(response.body))
    )
    return response

"""ETag, If-None-Match and If-Match: reads that need not be sent again, edits that cannot overwrite another's."""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from backend.domain.errors import VersionConflict, VersionRequired

_TAG = re.compile(r'(?<![^\s,])(?P<weak>W/)?"(?P<value>[\x21\x23-\x7e\x80-\xff]*)"(?![^\s,])')
_VERSIONED = re.compile(r"(?P<version>[1-9][0-9]{0,8})\.[0-9a-f]{16}")

# Answers about a person: kept by their own browser alone, and asked after each time.
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
PUBLIC = {"Cache-Control": "no-cache"}

IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", description="ETags that the caller holds; answered with 304 if one is current."),
]


IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="Required: the ETag of the version that this edit is based on, or `*` for any version.",
        json_schema_extra={"example": '"3.9f1c2b7de0a94c5f"'},
    ),
]


def tagged(
    request: Request, body: BaseModel | bytes, *, version: int | None = None, headers: Mapping[str, str] = PRIVATE
) -> Response:
    """The answer with its ETag, or 304 when the caller holds it already. Bytes are JSON as it is.

    What can be edited has a version and a strong tag; other tags are weak, since such an answer may be compressed.
    """
    content = body if isinstance(body, bytes) else body.model_dump_json().encode()
    digest = hashlib.sha256(content).hexdigest()[:16]
    etag = f'W/"{digest}"' if version is None else f'"{version}.{digest}"'
    every = {**headers, "ETag": etag}
    if request.method in ("GET", "HEAD") and _is_held(request.headers.getlist("if-none-match"), etag):
        return Response(status_code=304, headers=every)
    return Response(content, media_type="application/json", headers=every)


def untagged(body: BaseModel, *, status: int = 200) -> Response:
    """An answer about a person that is not asked for again, or has changed by then."""
    return Response(body.model_dump_json(), status_code=status, media_type="application/json", headers=PRIVATE)


def required_version(if_match: str | None) -> int | None:
    """The version that an edit is based on; None when any will do."""
    if if_match is None:
        raise VersionRequired
    if if_match.strip() == "*":
        return None
    for tag in _TAG.finditer(if_match):
        found = _VERSIONED.fullmatch(tag["value"])
        if found and not tag["weak"]:
            return int(found["version"])
    raise VersionConflict("If-Match holds no ETag of this resource. Read it again, then repeat your change.")


def _is_held(offered: list[str], etag: str) -> bool:
    held = ",".join(offered)
    # A weak comparison: a proxy that compresses marks our tags as weak.
    value = etag.removeprefix("W/")
    return held.strip() == "*" or any(f'"{tag["value"]}"' == value for tag in _TAG.finditer(held))

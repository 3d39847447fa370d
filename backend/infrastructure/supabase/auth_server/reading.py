"""Reads what a request brings: a JSON body by Go's rules, its typed fields, and where it comes from."""

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Never

from starlette.requests import Request

from backend.infrastructure.supabase.auth_server import errors
from backend.infrastructure.supabase.auth_server.errors import AuthError

BODY_LIMIT_BYTES = 1024 * 1024
DEPTH_LIMIT = 100
USER_AGENT_LIMIT = 512
EMAIL_LIMIT = 255
EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")

# GoTrue decodes a body into a struct before it looks at any member. A name has one type wherever it occurs.
TEXTS = frozenset(
    {
        "type",
        "email",
        "phone",
        "password",
        "password_hash",
        "current_password",
        "new_email",
        "nonce",
        "channel",
        "role",
        "aud",
        "id",
        "ban_duration",
        "token",
        "token_hash",
        "redirect_to",
        "refresh_token",
        "auth_code",
        "code_verifier",
        "code_challenge",
        "code_challenge_method",
        "provider",
        "id_token",
        "access_token",
        "client_id",
        "issuer",
        "factor_type",
        "friendly_name",
    }
)
FLAGS = frozenset({"create_user", "email_confirm", "phone_confirm", "should_soft_delete"})
MAPPINGS = frozenset({"data", "user_metadata", "app_metadata", "gotrue_meta_security"})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Fields:
    """A JSON object asked for its members by type: absent and null are empty, a wrong type is an error."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def check_types(self) -> None:
        """Refuses a wrong type also where this server has no use for the member."""
        for name in self._members.keys() & (TEXTS | FLAGS | MAPPINGS):
            if name in TEXTS:
                self.optional_text(name)
            elif name in FLAGS:
                self.flag(name)
            else:
                self.mapping(name)

    def text(self, name: str) -> str:
        return self.optional_text(name) or ""

    def optional_text(self, name: str) -> str | None:
        value = self._members.get(name)
        if value is not None and not isinstance(value, str):
            raise _wrong_type(name, "string")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._members.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise _wrong_type(name, "bool")
        return value

    def mapping(self, name: str) -> dict[str, Any] | None:
        value = self._members.get(name)
        if value is not None and not isinstance(value, dict):
            raise _wrong_type(name, "map")
        return value

    def texts(self, name: str) -> list[str]:
        value = self._members.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _wrong_type(name, "list of strings")
        return value

    def email(self, name: str = "email") -> str:
        """A valid address in lower case."""
        return checked_email(self.text(name))


async def read_fields(request: Request, *, may_be_empty: bool = False) -> Fields:
    body = await read_body(request)
    if may_be_empty and not body.strip():
        return Fields({})
    content = parse_json(body)
    if content is None:
        return Fields({})
    if not isinstance(content, dict):
        raise errors.bad_json("json: cannot unmarshal the value into an object")
    return Fields(content)


async def read_body(request: Request) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > BODY_LIMIT_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise _too_large()
    return bytes(body)


def parse_json(body: bytes) -> Any:
    """Strict JSON; lone surrogates become U+FFFD as in Go, and NUL, which Postgres can't store, is refused."""
    try:
        content = json.loads(body.decode("utf-8", errors="replace"), parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as problem:
        raise errors.bad_json(_reason(problem)) from problem
    return _clean(content, depth=0)


def checked_email(email: str) -> str:
    if not email:
        raise errors.invalid("An email address is required")
    if len(email) > EMAIL_LIMIT or not EMAIL.fullmatch(email):
        raise errors.invalid("Unable to validate email address: invalid format")
    return email.lower()


def query_text(request: Request, name: str) -> str:
    value = request.query_params.get(name, "")
    if "\x00" in value:
        raise errors.invalid(f"The query parameter {name} contains a NUL character")
    return LONE_SURROGATES.sub("\ufffd", value)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a request comes from, as sessions and rate limits remember it."""

    ip: str | None
    user_agent: str | None

    @property
    def address(self) -> str:
        """Whom limits count: a household has a whole /64 of IPv6 addresses, so it counts as one."""
        ip = _parsed(self.ip or "")
        if isinstance(ip, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((ip, 64), strict=False))
        return self.ip or "unknown"


class OriginReader:
    """Believes X-Forwarded-For only from proxies that the operator named."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted: tuple[Network, ...] = tuple(
            ipaddress.ip_network(proxy, strict=False) for proxy in trusted_proxies
        )

    def read(self, request: Request) -> Origin:
        peer = request.client.host if request.client else ""
        # Each proxy appends the address it was asked from, so the list is believed from its end.
        chain = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
        ip = _parsed(peer)
        while ip is not None and self._trusts(ip) and chain:
            forwarded = _parsed(chain.pop())
            if forwarded is None:
                break
            ip = forwarded
        user_agent = request.headers.get("user-agent", "").replace("\x00", "")[:USER_AGENT_LIMIT]
        return Origin(ip=str(ip) if ip else None, user_agent=user_agent or None)

    def _trusts(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(ip in network for network in self._trusted if network.version == ip.version)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        return ip.ipv4_mapped or ipaddress.IPv6Address(int(ip))  # without a scope id, which inet can't hold
    return ip


def _clean(value: Any, depth: int) -> Any:
    if depth > DEPTH_LIMIT:
        raise errors.bad_json("the value is nested too deeply")
    if isinstance(value, str):
        if "\x00" in value:
            raise errors.bad_json("a string contains a NUL character")
        return LONE_SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_clean(key, depth + 1): _clean(item, depth + 1) for key, item in value.items()}
    return value


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"number {text[:40]} is out of range")
    return number


def _no_constant(text: str) -> Never:
    raise ValueError(f"invalid character in {text}")


def _reason(problem: Exception) -> str:
    return "the value is nested too deeply" if isinstance(problem, RecursionError) else str(problem)


def _wrong_type(name: str, wanted: str) -> AuthError:
    return errors.bad_json(f"json: cannot unmarshal the field {name} into a {wanted}")


def _too_large() -> AuthError:
    return AuthError(413, "request_entity_too_large", f"Request body exceeds {BODY_LIMIT_BYTES} bytes")

"""Every plug of the house: small Protocols that services speak to and adapters fulfil.

A port appears here with its first tenant. Beside each real adapter stands a fake; both pass the same contract tests.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from backend.domain.accounts import Account, Identity, Profile, ProfileChange, Session
from backend.domain.pages import Page, Place


class Clock(Protocol):
    """What time it is: always UTC and aware."""

    def now(self) -> datetime: ...


class TokenVerifier(Protocol):
    """Turns an access token into an Identity, or raises TokenRejected."""

    async def verify(self, token: str) -> Identity: ...


class AccountRepository(Protocol):
    """Profiles and sessions, already narrowed by the database to those of the acting user."""

    async def profile(self, user_id: UUID) -> Profile | None: ...

    async def ensure_profile(self) -> None:
        """Write the acting user's profile should it be missing; the account itself counts, whatever became of it."""

    async def change_profile(self, user_id: UUID, change: ProfileChange, *, version: int | None) -> Profile | None:
        """Apply the change if the profile still has that version (any, when None); None when nothing matched."""

    async def sessions(self, *, limit: int, after: Place | None) -> Page[Session]: ...

    async def end_session(self, session_id: UUID) -> bool:
        """End one of the user's sessions; False when there is none of that id."""

    async def session_is_alive(self, session_id: UUID) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class RequestFingerprint:
    """What makes two requests under one idempotency key the same request."""

    method: str
    path: str
    body_hash: str


@dataclass(frozen=True, kw_only=True)
class KeptAnswer:
    """The answer to a request, kept to be given again."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class IdempotencyRepository(Protocol):
    """Answers kept per user and idempotency key for 24 hours, in the transaction of the work itself."""

    async def claim(self, user_id: UUID, key: str, request: RequestFingerprint) -> KeptAnswer | None:
        """None when the key is now ours to use; the kept answer when this request was answered before.

        A second claim of a key waits until the first one's transaction ends.
        Raises IdempotencyKeyReused when the key was used for a different request.
        """

    async def keep(self, user_id: UUID, key: str, answer: KeptAnswer) -> None: ...


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """So many requests in so many seconds, for one class of routes."""

    name: str
    requests: int
    window_seconds: int


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What a rate limit says about one request."""

    is_allowed: bool
    limit: int
    remaining: int
    resets_in_seconds: int


class RateLimiter(Protocol):
    """Counts requests by who makes them."""

    async def take(self, limit: RateLimit, who: str) -> Allowance: ...


class Meter(Protocol):
    """Counts what happens at the edge, for whoever watches the installation."""

    def request_in_flight(self) -> AbstractContextManager[None]: ...

    def request_finished(self, *, method: str, route: str, status: int, seconds: float) -> None: ...

    def problem(self, code: str) -> None: ...

    def unexpected_error(self) -> None: ...

    def rate_limited(self, limit: str) -> None: ...

    def token_checked(self, outcome: str) -> None: ...

    def exposition(self) -> tuple[bytes, str]: ...


class AccountAdmin(Protocol):
    """What an operator does with anybody's account; never handed to a user."""

    def create(self, email: str, password: str, *, is_admin: bool) -> Account: ...

    def everyone(self) -> Iterator[Account]:
        """All accounts, newest first."""

    def set_password(self, email: str, password: str) -> Account:
        """Signs the account out everywhere."""

    def set_admin(self, email: str, is_admin: bool) -> Account: ...

    def suspend(self, email: str, *, hours: int) -> Account:
        """No hours end a suspension."""

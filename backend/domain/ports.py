"""Every plug of the house: small Protocols that services speak to and adapters fulfil.

A port appears here with its first tenant. Beside each real adapter stands a fake; both pass the same contract tests.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from backend.domain.accounts import Account, Identity, Profile, ProfileChange, Session
from backend.domain.pages import Page, Place
from backend.domain.saved_strategies import SavedStrategy, StrategyVersion, VersionInBrief
from backend.domain.tokens import NewToken, PersonalToken, TokenHolder, TokenUse


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

    async def end_sessions(self, *, only_others: bool) -> int:
        """End all sessions of the user, or all but the one that acts; how many that were."""

    async def session_is_alive(self, session_id: UUID) -> bool: ...

    async def is_admin(self) -> bool:
        """Whether the user is an administrator by what the account says now, and acts in a session that is alive."""


class TokenRepository(Protocol):
    """A user's own personal access tokens, already narrowed by the database to those of the acting user."""

    async def tokens(self, *, limit: int, after: Place | None) -> Page[PersonalToken]:
        """Newest first, with those that ended lately."""

    async def create(self, token: NewToken) -> PersonalToken:
        """Raises QuotaReached when the user has as many live ones as may be, SessionEnded without a live session."""

    async def revoke(self, token_id: UUID) -> bool:
        """End one of the user's tokens; False when there is none of that id that was not revoked before."""


class TokenRecords(Protocol):
    """What the house asks and notes about the tokens of everybody."""

    async def holder(self, digest: bytes) -> TokenHolder | None:
        """Whose token has this digest, also when it ended lately."""

    async def note_uses(self, uses: Collection[TokenUse]) -> None:
        """They were used now; what was noted within the hour stays as it is."""


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


ANSWERS_ARE_KEPT_FOR = timedelta(hours=24)


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

    def stream_opened(self) -> None: ...

    def stream_closed(self, why: str) -> None: ...

    def socket_opened(self) -> None: ...

    def socket_closed(self, why: str) -> None: ...

    def event_told(self, lag_seconds: float) -> None: ...

    def exposition(self) -> tuple[bytes, str]: ...


class AccountAdmin(Protocol):
    """What an operator does with anybody's account; never handed to a user."""

    def create(self, email: str, password: str, *, is_admin: bool) -> Account: ...

    def everyone(self) -> Iterator[Account]:
        """All accounts, newest first."""

    def set_password(self, email: str, password: str) -> Account:
        """Signs the account out everywhere."""

    def set_admin(self, email: str, is_admin: bool) -> Account: ...

    def set_plan(self, email: str, plan: str) -> Account: ...

    def suspend(self, email: str, *, hours: int) -> Account:
        """No hours end a suspension."""

    def find(self, email: str) -> Account:
        """Raises NotFound. So do all of the above that name an account."""


class StrategyRepository(Protocol):
    """The saved strategies of the acting user alone. Deleted ones are seen, but neither renamed nor given versions."""

    async def saved(self, *, deleted: bool = False) -> Sequence[SavedStrategy]:
        """All of them, those that were changed last first."""

    async def find(self, strategy_id: UUID) -> SavedStrategy | None: ...

    async def add(self, name: str, about: str) -> SavedStrategy:
        """Without rules yet. Raises StrategyNameTaken, and QuotaReached."""

    async def change(self, strategy_id: UUID, *, name: str, about: str, revision: int | None) -> SavedStrategy | None:
        """If it still is of that revision (any, when None); None when nothing matched. Raises StrategyNameTaken."""

    async def delete(self, strategy_id: UUID) -> bool: ...

    async def restore(self, strategy_id: UUID) -> SavedStrategy | None:
        """Raises StrategyNameTaken when another one is called that meanwhile, and QuotaReached."""

    async def add_version(self, strategy_id: UUID, rules: Mapping[str, Any], note: str) -> StrategyVersion:
        """Under the next number. Raises QuotaReached."""

    async def versions(self, strategy_id: UUID, *, limit: int, after: Place | None) -> Page[VersionInBrief]:
        """The newest first."""

    async def version(self, strategy_id: UUID, number: int) -> StrategyVersion | None: ...


class StrategyPreviews(Protocol):
    """What strategies would have said on some bars, computed where it holds nobody up."""

    async def preview(self, asked: Mapping[str, Any], *, owner: UUID) -> Mapping[str, Any]:
        """The document of `services/strategy_preview.py`. Raises what is wrong with the strategy, its parameters or the
        bars; PreviewFailed where it takes too long or too much; QuotaReached where the owner has too many at once;
        ServiceUnavailable where too many wait."""

    async def close(self) -> None: ...


class AccountWatch(Protocol):
    """Knows of everybody whether they may still be here, for what outlives the request that was checked."""

    async def suspended(self, user_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of them whose account was suspended or deleted."""

    async def revoked(self, token_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of these personal access tokens that were revoked, or are gone."""

    async def signed_out(self, session_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of these sessions that were ended, or are over."""


class StreamTickets(Protocol):
    """Tickets that open one stream each, for clients that can send nothing but an address."""

    async def issue(self, digest: bytes) -> datetime:
        """Keep a ticket of the acting user by its digest; until when it is good: a minute, or as long as the token."""

    async def redeem(self, digest: bytes) -> Mapping[str, Any] | None:
        """The claims of who asked for it, once; None when there is no such ticket, or no longer."""

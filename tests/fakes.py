"""In-memory twins of the adapters. Each passes the contract tests of its port (tests/contracts)."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from backend.domain.accounts import Identity, Preferences, Profile, ProfileChange, Session
from backend.domain.errors import IdempotencyKeyReused, TokenRejected
from backend.domain.events import BusMessage
from backend.domain.pages import Page, Place
from backend.domain.ports import Allowance, KeptAnswer, RateLimit, RequestFingerprint

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class FakeClock:
    """Time stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, **span: float) -> None:
        self._now += timedelta(**span)


class FakeTokenVerifier:
    """Knows the tokens that it was given."""

    def __init__(self, known: Mapping[str, Identity], clock: FakeClock) -> None:
        self._known = known
        self._clock = clock

    async def verify(self, token: str) -> Identity:
        identity = self._known.get(token)
        if identity is None:
            raise TokenRejected("it is not a valid token")
        if identity.expires_at <= self._clock.now() - timedelta(seconds=30):
            raise TokenRejected("it has expired")
        return identity


class FakeAccounts:
    """An AccountRepository that holds the rows of one user, as row level security would show them."""

    def __init__(self, user_id: UUID, *, sessions: list[Session] | None = None, has_profile: bool = True) -> None:
        self._user_id = user_id
        self._sessions = {session.id: session for session in sessions or []}
        self._profile = self._new_profile() if has_profile else None
        self.makes_admin = False

    async def profile(self, user_id: UUID) -> Profile | None:
        return self._profile if user_id == self._user_id else None

    async def ensure_profile(self) -> None:
        self._profile = self._profile or self._new_profile()

    async def change_profile(self, user_id: UUID, change: ProfileChange, *, version: int | None) -> Profile | None:
        profile = await self.profile(user_id)
        if profile is None or version not in (None, profile.version):
            return None
        given = {name: value for name, value in vars(change.preferences).items() if value is not None}
        self._profile = replace(
            profile,
            display_name=change.display_name or profile.display_name,
            preferences=replace(profile.preferences, **given),
            version=profile.version + 1,
        )
        return self._profile

    async def sessions(self, *, limit: int, after: Place | None) -> Page[Session]:
        newest_first = sorted(self._sessions.values(), key=lambda one: (one.created_at, one.id), reverse=True)
        rest = [one for one in newest_first if after is None or (one.created_at, one.id) < (after.at, after.id)]
        items = tuple(rest[:limit])
        return Page(items=items, next=Place(at=items[-1].created_at, id=items[-1].id) if len(rest) > limit else None)

    async def end_session(self, session_id: UUID) -> bool:
        return self._sessions.pop(session_id, None) is not None

    async def end_sessions(self, *, only_others: bool) -> int:
        kept = {id: one for id, one in self._sessions.items() if only_others and one.is_current}
        ended, self._sessions = len(self._sessions) - len(kept), kept
        return ended

    async def session_is_alive(self, session_id: UUID) -> bool:
        return session_id in self._sessions

    async def is_admin(self) -> bool:
        return self.makes_admin and any(session.is_current for session in self._sessions.values())

    def _new_profile(self) -> Profile:
        return Profile(
            user_id=self._user_id,
            display_name="Ada",
            preferences=Preferences(),
            is_demo=False,
            version=1,
            created_at=START,
            updated_at=START,
        )


class FakeIdempotency:
    """An IdempotencyRepository; whoever makes one plays the transaction that never fails."""

    def __init__(self, user_id: UUID, clock: FakeClock) -> None:
        self._user_id = user_id
        self._clock = clock
        self._kept: dict[str, tuple[RequestFingerprint, datetime, KeptAnswer | None]] = {}

    async def claim(self, user_id: UUID, key: str, request: RequestFingerprint) -> KeptAnswer | None:
        found = self._kept.get(key)
        if found is None or found[1] < self._clock.now() - timedelta(hours=24):
            self._kept[key] = (request, self._clock.now(), None)
            return None
        if found[0] != request:
            raise IdempotencyKeyReused
        return found[2]

    async def keep(self, user_id: UUID, key: str, answer: KeptAnswer) -> None:
        request, at, _ = self._kept[key]
        self._kept[key] = (request, at, answer)


class FakeRateLimiter:
    """A RateLimiter whose window never moves on its own."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], int] = defaultdict(int)

    async def take(self, limit: RateLimit, who: str) -> Allowance:
        await asyncio.sleep(0)
        is_allowed = self._taken[limit.name, who] < limit.requests
        self._taken[limit.name, who] += is_allowed
        return Allowance(
            is_allowed=is_allowed,
            limit=limit.requests,
            remaining=limit.requests - self._taken[limit.name, who],
            resets_in_seconds=limit.window_seconds,
        )


@dataclass
class FakeMeter:
    """A Meter that remembers what it was told."""

    requests: list[tuple[str, str, int]]
    problems: list[str]
    unexpected: int = 0
    streams: int = 0
    sockets: int = 0
    events_told: int = 0

    @classmethod
    def fresh(cls) -> "FakeMeter":
        return cls(requests=[], problems=[])

    def request_in_flight(self) -> AbstractContextManager[None]:
        return nullcontext()

    def request_finished(self, *, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.append((method, route, status))

    def problem(self, code: str) -> None:
        self.problems.append(code)

    def unexpected_error(self) -> None:
        self.unexpected += 1

    def rate_limited(self, limit: str) -> None:
        self.problems.append(f"limit {limit}")

    def token_checked(self, outcome: str) -> None:
        self.problems.append(f"token {outcome}")

    def stream_opened(self) -> None:
        self.streams += 1

    def stream_closed(self, why: str) -> None:
        self.streams -= 1
        self.problems.append(f"stream {why}")

    def socket_opened(self) -> None:
        self.sockets += 1

    def socket_closed(self, why: str) -> None:
        self.sockets -= 1
        self.problems.append(f"socket {why}")

    def event_told(self, lag_seconds: float) -> None:
        self.events_told += 1

    def exposition(self) -> tuple[bytes, str]:
        return b"", "text/plain"


class FakeEventBus:
    """An EventBus within one process, with the bounds of the real one."""

    def __init__(self) -> None:
        self._subscriptions: list[_FakeSubscription] = []

    async def publish(self, channel: str, payload: str) -> bool:
        if len(payload.encode()) > 7_999:
            raise ValueError("A payload has at most 7,999 bytes.")
        for subscription in self._subscriptions:
            if channel in subscription.channels:
                subscription.put(BusMessage(channel=channel, payload=payload))
        return True

    def subscribe(self, *channels: str) -> AsyncIterator[BusMessage]:
        subscription = _FakeSubscription(channels)
        self._subscriptions.append(subscription)
        return subscription

    async def interrupt(self) -> None:
        """As if the connection had been lost for a moment."""
        for subscription in self._subscriptions:
            subscription.read_again()


class _FakeSubscription:
    def __init__(self, channels: tuple[str, ...]) -> None:
        self.channels = channels
        self._messages: asyncio.Queue[BusMessage] = asyncio.Queue()
        self.read_again()

    def put(self, message: BusMessage) -> None:
        if self._messages.qsize() >= 10_000:
            self._messages = asyncio.Queue()
            self.read_again()
        else:
            self._messages.put_nowait(message)

    def read_again(self) -> None:
        for channel in self.channels:
            self._messages.put_nowait(BusMessage(channel=channel, payload=None))

    def __aiter__(self) -> AsyncIterator[BusMessage]:
        return self

    async def __anext__(self) -> BusMessage:
        return await self._messages.get()


class FakeStreamTickets:
    """StreamTickets of one user, as the claims of the user's token would buy them."""

    def __init__(self, claims: Mapping[str, Any], clock: FakeClock) -> None:
        self._claims = claims
        self._clock = clock
        self._tickets: dict[bytes, datetime] = {}

    async def issue(self, digest: bytes) -> datetime:
        token_ends = datetime.fromtimestamp(self._claims["exp"], UTC)
        self._tickets[digest] = min(self._clock.now() + timedelta(seconds=60), token_ends)
        return self._tickets[digest]

    async def redeem(self, digest: bytes) -> Mapping[str, Any] | None:
        good_until = self._tickets.pop(digest, None)
        return self._claims if good_until is not None and good_until > self._clock.now() else None


class FakeAccountWatch:
    """An AccountWatch that knows whom it was told of."""

    def __init__(self, *suspended: UUID) -> None:
        self.known_suspended = set(suspended)
        self.known_revoked: set[UUID] = set()
        self.known_signed_out: set[UUID] = set()

    async def suspended(self, user_ids: Collection[UUID]) -> frozenset[UUID]:
        return frozenset(self.known_suspended.intersection(user_ids))

    async def revoked(self, token_ids: Collection[UUID]) -> frozenset[UUID]:
        return frozenset(self.known_revoked.intersection(token_ids))

    async def signed_out(self, session_ids: Collection[UUID]) -> frozenset[UUID]:
        return frozenset(self.known_signed_out.intersection(session_ids))

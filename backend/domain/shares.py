"""Links that show the result of a backtest to whoever has them, for a while."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from backend.domain.backtests import LONGEST_NAME, Part
from backend.domain.errors import InputError, InvalidInput, ShareNotFound
from backend.domain.pages import Page, Place

MOST_LIVE_SHARES = 200
LONGEST_SHARE_DAYS = 365

_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, kw_only=True)
class Share:
    """A link as its owner sees it: everything but the link."""

    id: UUID
    backtest_id: UUID
    title: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    # As often as was written down so far.
    opened: int
    last_opened_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NewShare:
    """What is kept of a link that was just made."""

    backtest_id: UUID
    digest: bytes
    title: str
    lives_for: timedelta


@dataclass(frozen=True, kw_only=True)
class SharedRun:
    """What a visitor sees of a run, but for its tables."""

    share_id: UUID
    title: str
    created_at: datetime
    expires_at: datetime
    kind: str
    strategy: str
    provider: str
    timeframe: str
    symbols: tuple[str, ...]
    config: Mapping[str, Any] = field(repr=False)
    figures: Mapping[str, Any] = field(repr=False)
    trust: Mapping[str, Any] | None = field(repr=False)
    is_partial: bool
    finished_at: datetime | None
    currency: str | None  # of its money; none = nobody wrote it down
    trade_rows: int


class ShareRepository(Protocol):
    """A user's own shares, already narrowed by the database to those of the acting user."""

    async def shares(self, *, limit: int, after: Place | None, backtest_id: UUID | None) -> Page[Share]:
        """Newest first, with those that ended lately."""

    async def create(self, share: NewShare) -> Share | None:
        """None when there is no such backtest with a result. Raises QuotaReached."""

    async def revoke(self, share_id: UUID) -> bool:
        """False when there is none of that id that was not revoked before."""


class SharedRuns(Protocol):
    """What a visitor may read: the run behind a digest, while its link lives."""

    async def run(self, digest: bytes) -> SharedRun | None: ...

    async def parts(self, digest: bytes, name: str, *, first: int, last: int) -> Sequence[Part]:
        """The pieces of a table that hold some of these rows, in order."""


class ShareCounter(Protocol):
    """Writes down how often shares were opened."""

    async def note(self, opened: Mapping[UUID, int]) -> None: ...


def make_link() -> str:
    """The part of a link that nobody guesses."""
    return secrets.token_urlsafe(32)


def digest_of_link(link: str) -> bytes:
    if _FORM.fullmatch(link) is None:
        raise ShareNotFound
    return hashlib.sha256(link.encode()).digest()


def new_share(link: str, *, backtest_id: UUID, title: str, days: int) -> NewShare:
    """What to keep of this link; raises InvalidInput for what none can be like."""
    clean = " ".join(title.split())
    if not 1 <= len(clean) <= LONGEST_NAME or not clean.isprintable():
        raise InvalidInput(
            [InputError(pointer="/title", detail=f"A title has 1 to {LONGEST_NAME} visible characters.")]
        )
    if not 1 <= days <= LONGEST_SHARE_DAYS:
        wrong = f"A link lives for 1 to {LONGEST_SHARE_DAYS} days, not {days}."
        raise InvalidInput([InputError(pointer="/expires_in_days", detail=wrong)])
    return NewShare(backtest_id=backtest_id, digest=digest_of_link(link), title=clean, lives_for=timedelta(days=days))

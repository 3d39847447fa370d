"""Links to results of one user in memory, for whoever owns them and for visitors."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from backend.domain.backtests import Part
from backend.domain.errors import QuotaReached
from backend.domain.pages import Page, Place
from backend.domain.shares import MOST_LIVE_SHARES, NewShare, Share, SharedRun
from tests.fakes import FakeClock


class FakeShares:
    """A ShareRepository, SharedRuns and a ShareCounter in one, over these finished backtests."""

    def __init__(self, backtests: Collection[UUID], clock: FakeClock) -> None:
        self._backtests = backtests
        self._clock = clock
        self._shares: dict[bytes, Share] = {}

    async def shares(self, *, limit: int, after: Place | None, backtest_id: UUID | None) -> Page[Share]:
        newest_first = [one for one in reversed(self._shares.values()) if backtest_id in (None, one.backtest_id)]
        begins = 0 if after is None else [one.id for one in newest_first].index(after.id) + 1
        items = tuple(newest_first[begins : begins + limit])
        there_is_more = len(newest_first) > begins + limit
        return Page(items=items, next=Place(at=items[-1].created_at, id=items[-1].id) if there_is_more else None)

    async def create(self, share: NewShare) -> Share | None:
        if share.backtest_id not in self._backtests:
            return None
        live = sum(self._is_live(one) for one in self._shares.values())
        if live >= MOST_LIVE_SHARES:
            raise QuotaReached("live links", limit=MOST_LIVE_SHARES, count=live, remedy="Revoke some.")
        now = self._clock.now()
        self._shares[share.digest] = Share(
            id=uuid4(),
            backtest_id=share.backtest_id,
            title=share.title,
            created_at=now,
            expires_at=now + share.lives_for,
            revoked_at=None,
            opened=0,
            last_opened_at=None,
        )
        return self._shares[share.digest]

    async def revoke(self, share_id: UUID) -> bool:
        for digest, share in self._shares.items():
            if share.id == share_id and share.revoked_at is None:
                self._shares[digest] = replace(share, revoked_at=self._clock.now())
                return True
        return False

    async def run(self, digest: bytes) -> SharedRun | None:
        share = self._shares.get(digest)
        if share is None or not self._is_live(share):
            return None
        return SharedRun(
            share_id=share.id,
            title=share.title,
            created_at=share.created_at,
            expires_at=share.expires_at,
            kind="backtest",
            strategy="sma_cross",
            provider="demo",
            timeframe="1d",
            symbols=("BTC/USDT",),
            config={},
            figures={},
            trust=None,
            is_partial=False,
            finished_at=None,
            currency="USDT",
            trade_rows=3,
        )

    async def parts(self, digest: bytes, name: str, *, first: int, last: int) -> Sequence[Part]:
        is_there = await self.run(digest) is not None and name in ("trades", "equity") and first < 3 and last > 0
        return [Part(first_row=0, rows=3, content=b"")] if is_there else []

    async def note(self, opened: Mapping[UUID, int]) -> None:
        now = self._clock.now()
        for digest, share in self._shares.items():
            if share.id in opened:
                self._shares[digest] = replace(share, opened=share.opened + opened[share.id], last_opened_at=now)

    def _is_live(self, share: Share) -> bool:
        return share.revoked_at is None and share.expires_at > self._clock.now()

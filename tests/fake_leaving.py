"""In-memory twins of what leaving needs."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from backend.domain.errors import SessionEnded, TidemarkError
from backend.domain.market import Series
from backend.domain.own_data import (
    MOST_EXPORTS_A_DAY,
    NOUNS,
    Belongings,
    Departure,
    Key,
    LastAdmin,
    Noun,
    OwnPage,
    PasswordWrong,
    TablePiece,
    TooManyExports,
    TooManyTries,
)
from tests.fakes import START


class FakeDepartures:
    """Departures of accounts that have so many rows each."""

    def __init__(self, rows: dict[UUID, int], *, at_once: int = 2, now: datetime = START) -> None:
        self.rows = rows
        self.running: dict[UUID, int] = {}
        self.left: dict[UUID, datetime] = {}
        self._at_once = at_once
        self._now = now

    async def close(self, user_id: UUID, reason: str) -> bool:
        if user_id not in self.rows:
            return False
        self.left.setdefault(user_id, self._now)
        return True

    async def waiting(self) -> Sequence[Departure]:
        return [Departure(user_id=user_id, left_at=at) for user_id, at in self.left.items()]

    async def running_jobs(self, user_id: UUID) -> int:
        """One of them ends between two looks."""
        running = self.running.get(user_id, 0)
        self.running[user_id] = max(0, running - 1)
        return running

    async def remove_some(self, user_id: UUID) -> int:
        if user_id not in self.left or user_id not in self.rows:
            return 0
        gone = min(self._at_once, self.rows[user_id])
        self.rows[user_id] -= gone
        if not gone:
            del self.rows[user_id]
        return gone

    async def forget(self, user_id: UUID) -> None:
        self.left.pop(user_id, None)


class FakeOwnData:
    """An OwnDataRepository of somebody with these presets and pieces of equity."""

    def __init__(
        self,
        *,
        presets: Sequence[str] = (),
        pieces: Sequence[TablePiece] = (),
        password: str | None = None,
        has_session: bool = True,
        is_last_admin: bool = False,
    ) -> None:
        self._presets = sorted((uuid4(), name) for name in presets)
        self._equity = sorted(pieces, key=lambda one: (one.backtest_id, one.part))
        self._password = password
        self._has_session = has_session
        self._is_last_admin = is_last_admin
        self._exports = self._wrong = 0
        self.is_closed = False

    async def belongings(self) -> Belongings:
        counts = dict.fromkeys([noun.name for noun in NOUNS], 0)
        return Belongings(
            counts={**counts, "profile": 1, "presets": len(self._presets)}, has_password=self._password is not None
        )

    async def page(self, noun: Noun, after: Key | None) -> OwnPage:
        rows = self._presets if noun.name == "presets" else []
        rest = [row for row in rows if after is None or (row[0],) > after]
        some = rest[: noun.page]
        return OwnPage(
            rows=[json.dumps({"id": str(id), "name": name}) for id, name in some],
            next=(some[-1][0],) if len(rest) > len(some) else None,
        )

    async def pieces(self, table: str, after: Key | None) -> Sequence[TablePiece]:
        found = self._equity if table == "equity" else []
        return [one for one in found if after is None or (one.backtest_id, one.part) > after][:2]

    async def require_session(self) -> None:
        if not self._has_session:
            raise SessionEnded

    async def begin_export(self, address: str | None) -> None:
        if not self._has_session:
            raise SessionEnded
        if self._exports == MOST_EXPORTS_A_DAY:
            raise TooManyExports(86_400)
        self._exports += 1

    async def close(self, password: str | None, address: str | None) -> TidemarkError | None:
        if not self._has_session:
            return SessionEnded()
        if self._is_last_admin:
            return LastAdmin()
        if self._password is not None:
            if password is None:
                return PasswordWrong()
            if self._wrong == 5:
                return TooManyTries(900)
            if password != self._password:
                self._wrong += 1
                return PasswordWrong()
        self.is_closed = True
        return None


class FakeOwnFiles:
    """OwnFiles that remember whose were removed, and may refuse."""

    def __init__(self) -> None:
        self.removed: list[UUID] = []
        self.refuses: set[UUID] = set()

    def csv(self, piece: TablePiece) -> tuple[str, str] | None:
        return "backtest_id,content\n", f"{piece.backtest_id},{piece.content.decode()}\n"

    def json_lines(self, piece: TablePiece) -> str | None:
        return f'{{"content": "{piece.content.decode()}"}}\n'

    def bars(self, series: Series) -> Iterator[tuple[int, bytes | None]]:
        yield 2024, b"PAR1"
        yield 2025, None

    def model(self, owner: UUID, sha256: str) -> bytes | None:
        return None if sha256 == "gone" else b"model"

    def used_bytes(self, owner: UUID) -> int:
        return 0

    def remove(self, owner: UUID) -> None:
        if owner in self.refuses:
            raise OSError("the disk refuses")
        self.removed.append(owner)

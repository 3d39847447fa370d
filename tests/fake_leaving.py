"""In-memory twins of what leaving needs."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from backend.domain.market import Series
from backend.domain.own_data import Departure, TablePiece
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

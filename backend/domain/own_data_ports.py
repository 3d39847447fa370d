"""What taking one's data along and leaving need from outside."""

from collections.abc import Iterator, Sequence
from typing import Protocol
from uuid import UUID

from backend.domain.errors import TidemarkError
from backend.domain.market import Series
from backend.domain.own_data import Belongings, Departure, Key, Noun, OwnPage, TablePiece


class OwnDataRepository(Protocol):
    """All that the acting user has, already narrowed by the database."""

    async def belongings(self) -> Belongings: ...

    async def page(self, noun: Noun, after: Key | None) -> OwnPage:
        """The next rows with every column that their owner may read; what is locked or a digest is none of them."""

    async def pieces(self, table: str, after: Key | None) -> Sequence[TablePiece]:
        """The next pieces of this table of all results, in order of (backtest_id, part); none at the end."""

    async def require_session(self) -> None:
        """Raises SessionEnded once the session of the acting user is over."""

    async def begin_export(self, address: str | None) -> None:
        """Writes the audit log. Raises SessionEnded, TooManyExports."""

    async def close(self, password: str | None, address: str | None) -> TidemarkError | None:
        """Closes the account: from the commit on nobody acts as it.

        Returns why not instead of raising it, since a wrong password has to count: SessionEnded, LastAdmin,
        PasswordWrong, PasswordUnreadable, TooManyTries.
        """


class Departures(Protocol):
    """Those who left, as the service sees to what they leave behind."""

    async def close(self, user_id: UUID, reason: str) -> bool:
        """For an operator; False when there is no such account."""

    async def waiting(self) -> Sequence[Departure]:
        """Those of whom something may still be there, the earliest first."""

    async def running_jobs(self, user_id: UUID) -> int: ...

    async def remove_some(self, user_id: UUID) -> int:
        """Remove some rows of an account that was closed, the account itself last; zero when none is left."""

    async def forget(self, user_id: UUID) -> None:
        """Nothing of theirs is left."""


class OwnFiles(Protocol):
    """What a person has on the disk. Synchronous: callers with an event loop use a thread."""

    def csv(self, piece: TablePiece) -> tuple[str, str] | None:
        """The names of its columns, and its rows, each with the id of its backtest; None when it is damaged."""

    def json_lines(self, piece: TablePiece) -> str | None: ...

    def bars(self, series: Series) -> Iterator[tuple[int, bytes | None]]:
        """Its bars as Parquet, year by year; None when those of a year are damaged."""

    def model(self, owner: UUID, sha256: str) -> bytes | None:
        """None when it is gone or damaged."""

    def used_bytes(self, owner: UUID) -> int: ...

    def remove(self, owner: UUID) -> None:
        """All of it; afterwards there is nothing under the owner's name in any folder. Raises StorageFailed."""

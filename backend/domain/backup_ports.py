"""The plugs of backups: a database at one moment, a folder that becomes a backup, and the files of the cache."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from backend.domain.backups import BackupManifest, DatabaseCopy, DatabaseFacts, FileCopy, TableShape

Sink = Callable[[bytes], Coroutine[Any, Any, None]]


class Snapshot(Protocol):
    """The database as it was at one moment, whatever is written meanwhile."""

    async def facts(self) -> DatabaseFacts: ...

    async def copy(self, table: TableShape, sink: Sink) -> int:
        """All rows of the table into the sink; how many there are."""


class TableSource(Protocol):
    """Where the rows of a table come from."""

    def rows_of(self, table: TableShape) -> AsyncIterator[bytes]: ...


class BackupDatabase(Protocol):
    """A database that can be held still, and a fresh one that can be filled."""

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]: ...

    async def fill(self, copy: DatabaseCopy, source: TableSource) -> None:
        """Put in all rows in one transaction, in place of those that a fresh database has."""


class Draft(Protocol):
    """A folder that is no backup yet."""

    def table(self, table: TableShape) -> "TableSink":
        """A new file for the rows of this table."""

    def add_cache(self, cache_dir: Path) -> None:
        """Copy what is new or changed below the cache folder. What goes between two calls stays as it was copied."""

    def add_file(self, path: str, content: bytes) -> None: ...

    def has(self, path: str) -> bool: ...

    def files(self) -> tuple[FileCopy, ...]:
        """Everything in it, read again from the disk."""

    def finish(self, manifest: BackupManifest) -> None:
        """Give it its name: from here on it is a backup."""


class TableSink(Protocol):
    """Takes the rows of one table."""

    async def write(self, piece: bytes) -> None: ...

    def close(self) -> tuple[int, str]:
        """The size and the hash of all that was written."""


class Backup(TableSource, Protocol):
    """A backup that is whole by its name; its files are believed once they were checked."""

    def manifest(self) -> BackupManifest: ...

    def damaged(self) -> Iterator[str]:
        """A line for each file that is not what was written, not there, or not in the manifest."""

    def restore_cache(self, cache_dir: Path) -> int:
        """Put back the files of the cache folder; how many. What is there already and the same stays."""

    def compare_cache(self, cache_dir: Path) -> Iterator[str]:
        """A line for each file of the backup that is not the same below the cache folder."""

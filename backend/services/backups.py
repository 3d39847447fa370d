"""Backups: all of an installation at one moment, while it is at work, and back again.

The order is what makes a backup hold together. A file is written before the row that names it is committed, and removed
after that row is gone. So the cache folder is copied first, then the database is held at one moment, then what came to
the cache folder until then is added: no row of that moment names a file that was not there for one of the two copies.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.domain.backup_ports import Backup, BackupDatabase, Draft, Snapshot
from backend.domain.backups import (
    BackupDamaged,
    BackupManifest,
    BackupRefused,
    DatabaseCopy,
    DatabaseFacts,
    TableCopy,
    TableShape,
    differences,
)
from backend.domain.format import bytes_
from backend.domain.ports import Clock

Say = Callable[[str], None]
# Rows with their indexes take at most about four times the room in the database that they take packed, and as text at
# most about four times what they take there: what is surely needed is a quarter of what is known.
SURELY = 4
# Of each kind of trouble; the rest is counted.
MOST_LINES = 10


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The backup that was made, and which files that rows name were missing in the installation itself."""

    manifest: BackupManifest
    missing: tuple[str, ...]


async def take(
    database: BackupDatabase | None,
    draft: Draft,
    cache_dir: Path,
    files: dict[str, bytes],
    *,
    version: str,
    clock: Clock,
    say: Say,
) -> Taken:
    """Make the backup. `files` are the operator's that belong in; without a database only files are saved."""
    say(f"Copying files from {cache_dir}")
    draft.add_cache(cache_dir)
    copied: DatabaseCopy | None = None
    missing: tuple[str, ...] = ()
    made_at = clock.now()
    if database is not None:
        async with database.snapshot() as snapshot:
            made_at, facts = clock.now(), await snapshot.facts()
            draft.add_cache(cache_dir)
            missing = tuple(path for path in facts.named_files if not draft.has(f"cache/{path}"))
            say(f"Copying {len(facts.tables)} tables as of {made_at:%Y-%m-%d %H:%M:%S} UTC")
            tables = [await _copied(snapshot, table, draft) for table in facts.tables]
            copied = DatabaseCopy(facts=facts, tables=tuple(tables))
    for path, content in files.items():
        draft.add_file(path, content)
    say("Reading everything back")
    manifest = BackupManifest(tidemark=version, made_at=made_at, database=copied, files=draft.files())
    draft.finish(manifest)
    return Taken(manifest=manifest, missing=missing)


def require_space(place: Path, *, free: int, files: int = 0, rows: int = 0) -> None:
    """Raises BackupRefused when there is plainly less room than files and rows need. `rows`: in the form known here."""
    rows //= SURELY
    if files + rows > free:
        parts = " and ".join(f"{bytes_(size)} of {name}" for size, name in ((files, "files"), (rows, "rows")) if size)
        raise BackupRefused(
            f"{place} needs at least {bytes_(files + rows)} ({parts}), and its disk has {bytes_(free)} left."
            " Make room, or name a place on another disk."
        )


def check(backup: Backup) -> BackupManifest:
    """Read every file of it. Raises BackupDamaged with what is wrong."""
    manifest, wrong = backup.manifest(), list(backup.damaged())
    if wrong:
        raise BackupDamaged(listed(f"{len(wrong):,} of its {len(manifest.files):,} files are not sound:", wrong))
    return manifest


async def fill(database: BackupDatabase, backup: Backup, copy: DatabaseCopy, say: Say) -> None:
    """Into a fresh database. Every table is read back and compared before it counts as restored."""
    say(f"Filling {len(copy.tables)} tables with {copy.rows:,} rows")
    await database.fill(copy, backup)
    say("Reading every table back")
    wrong = await compare_tables(database, copy)
    if wrong:
        raise BackupDamaged(listed("What was restored is not what is in the backup:", wrong))


async def compare_tables(database: BackupDatabase, copy: DatabaseCopy) -> list[str]:
    """A line for each table and counter of the backup that is not the same in the database.

    A table that Tidemark did not make is compared where it is there.
    """
    strangers = set(copy.facts.strangers)
    async with database.snapshot() as snapshot:
        facts = await snapshot.facts()
        there = {str(shape): shape for shape in facts.tables}
        known = [table for table in copy.tables if str(table.shape) in there or str(table.shape) not in strangers]
        reshaped = [table for table in known if not _fits(table.shape, there.get(str(table.shape), table.shape))]
        wanted = [table for table in known if table not in reshaped]
        found = [await _hashed(snapshot, table.shape) for table in wanted if str(table.shape) in there]
        more = [shape for shape in facts.tables if str(shape) not in {str(table.shape) for table in copy.tables}]
        found += [await _hashed(snapshot, shape) for shape in more]
    lines = [f"{table.shape} has not all columns that it has in the backup" for table in reshaped]
    return [*lines, *differences(wanted, found), *_counters_apart(copy.facts, facts)]


def listed(head: str, lines: list[str]) -> str:
    """The first of many lines, and how many more there are."""
    more = [f"... and {len(lines) - MOST_LINES:,} more"] if len(lines) > MOST_LINES else []
    return "\n  ".join([head, *lines[:MOST_LINES], *more])


def in_words(manifest: BackupManifest) -> str:
    """What a backup holds, in numbers."""
    files = f"{len(manifest.files):,} files, {bytes_(manifest.size_bytes)}"
    if manifest.database is None:
        return f"no database, {files}"
    facts = manifest.database.facts
    last = facts.migrations[-1] if facts.migrations else "none"
    tables = f"{len(manifest.database.tables)} tables with {manifest.database.rows:,} rows"
    return f"{tables}, {len(facts.migrations)} migrations (the last one {last}), {files}"


async def _copied(snapshot: Snapshot, table: TableShape, draft: Draft) -> TableCopy:
    sink = draft.table(table)
    rows = await snapshot.copy(table, sink.write)
    size, sha256 = sink.close()
    return TableCopy(shape=table, rows=rows, size_bytes=size, sha256=sha256)


async def _hashed(snapshot: Snapshot, table: TableShape) -> TableCopy:
    digest, size = hashlib.sha256(), 0

    async def take_in(piece: bytes) -> None:
        nonlocal size
        digest.update(piece)
        size += len(piece)

    rows = await snapshot.copy(table, take_in)
    return TableCopy(shape=table, rows=rows, size_bytes=size, sha256=digest.hexdigest())


def _fits(wanted: TableShape, found: TableShape) -> bool:
    """Whether it can be read as it was for the backup."""
    return {*wanted.columns, *wanted.order} <= {*found.columns, *found.order}


def _counters_apart(wanted: DatabaseFacts, found: DatabaseFacts) -> list[str]:
    """A counter may be further than in the backup, never behind it: then numbers would be given twice."""
    there = {(counter.schema, counter.name): counter.last or 0 for counter in found.counters}
    return [
        f"the counter {counter.schema}.{counter.name} is at {there[counter.schema, counter.name]}, not {counter.last}"
        for counter in wanted.counters
        if (counter.schema, counter.name) in there and there[counter.schema, counter.name] < (counter.last or 0)
    ]

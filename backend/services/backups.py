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
    DatabaseCopy,
    DatabaseFacts,
    TableCopy,
    TableShape,
    differences,
)
from backend.domain.format import bytes_
from backend.domain.ports import Clock

Say = Callable[[str], None]
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
    texts: dict[str, str],
    *,
    version: str,
    clock: Clock,
    say: Say,
) -> Taken:
    """Make the backup. `texts` are files of the operator that belong in; without a database only files are saved."""
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
    for path, text in texts.items():
        draft.add_text(path, text)
    say("Reading everything back")
    manifest = BackupManifest(tidemark=version, made_at=made_at, database=copied, files=draft.files())
    draft.finish(manifest)
    return Taken(manifest=manifest, missing=missing)


def check(backup: Backup) -> BackupManifest:
    """Read every file of it. Raises BackupDamaged with what is wrong."""
    manifest, wrong = backup.manifest(), list(backup.damaged())
    if wrong:
        raise BackupDamaged(listed(f"{len(wrong)} of its {len(manifest.files):,} files are not sound:", wrong))
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
    """A line for each table and counter of the backup that is not the same in the database."""
    wanted = [table for table in copy.tables if str(table.shape) not in copy.facts.strangers]
    async with database.snapshot() as snapshot:
        facts = await snapshot.facts()
        there = {str(shape) for shape in facts.tables}
        found = [await _hashed(snapshot, table.shape) for table in wanted if str(table.shape) in there]
        more = [shape for shape in facts.tables if str(shape) not in {str(table.shape) for table in copy.tables}]
        found += [await _hashed(snapshot, shape) for shape in more]
    return [*differences(wanted, found), *_counters_apart(copy.facts, facts)]


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
    return TableCopy(shape=table, rows=rows, sha256=sink.close())


async def _hashed(snapshot: Snapshot, table: TableShape) -> TableCopy:
    digest = hashlib.sha256()

    async def take_in(piece: bytes) -> None:
        digest.update(piece)

    rows = await snapshot.copy(table, take_in)
    return TableCopy(shape=table, rows=rows, sha256=digest.hexdigest())


def _counters_apart(wanted: DatabaseFacts, found: DatabaseFacts) -> list[str]:
    """A counter may be further than in the backup, never behind it: then numbers would be given twice."""
    there = {(counter.schema, counter.name): counter.last or 0 for counter in found.counters}
    return [
        f"the counter {counter.schema}.{counter.name} is at {there[counter.schema, counter.name]}, not {counter.last}"
        for counter in wanted.counters
        if (counter.schema, counter.name) in there and there[counter.schema, counter.name] < (counter.last or 0)
    ]

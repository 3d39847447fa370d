"""In which order a backup is made, and what is said of tables that are not the same."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from backend.domain.backup_manifests import read_manifest
from backend.domain.backup_ports import Sink, TableSource
from backend.domain.backups import (
    BackupDamaged,
    BackupManifest,
    Counter,
    DatabaseCopy,
    DatabaseFacts,
    FileCopy,
    TableShape,
)
from backend.services.backups import check, compare_tables, fill, in_words, take
from tests.fakes import FakeClock

NOTES = TableShape(schema="public", name="notes", columns=("id",), order=("id",))
TASKS = TableShape(schema="public", name="tasks", columns=("id",), order=("id",))
MODEL = "models/ada/ab/abc.model"
FACTS = DatabaseFacts(
    postgres="17.10",
    migrations=("1", "2"),
    tables=(NOTES, TASKS),
    counters=(Counter(schema="public", name="ids", last=7),),
    strangers=(),
    masters=(),
    exchange_keys=0,
    named_files=(MODEL,),
)


@dataclass
class FakeDatabase:
    """BackupDatabase over lists of rows; `events` tells when it was held still."""

    rows: dict[str, list[bytes]]
    facts: DatabaseFacts = FACTS
    events: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator["FakeSnapshot"]:
        self.events.append("held")
        yield FakeSnapshot(self)
        self.events.append("let go")

    async def fill(self, copy: DatabaseCopy, source: TableSource) -> None:
        for table in copy.tables:
            self.rows[str(table.shape)] = [piece async for piece in source.rows_of(table.shape)]


@dataclass
class FakeSnapshot:
    database: FakeDatabase

    async def facts(self) -> DatabaseFacts:
        return self.database.facts

    async def copy(self, table: TableShape, sink: Sink) -> int:
        for row in self.database.rows[str(table)]:
            await sink(row)
        return len(self.database.rows[str(table)])


@dataclass
class FakeSink:
    """A TableSink whose hash is what was written."""

    written: bytes = b""

    async def write(self, piece: bytes) -> None:
        self.written += piece

    def close(self) -> tuple[int, str]:
        return len(self.written), hashlib.sha256(self.written).hexdigest()


@dataclass
class FakeDraft:
    """A Draft, and the Backup that it becomes."""

    events: list[str]
    there: set[str]
    sinks: dict[str, FakeSink] = field(default_factory=dict)
    finished: BackupManifest | None = None
    wrong: tuple[str, ...] = ()

    def table(self, table: TableShape) -> FakeSink:
        return self.sinks.setdefault(str(table), FakeSink())

    def add_cache(self, cache_dir: Path) -> None:
        self.events.append("files")

    def add_file(self, path: str, content: bytes) -> None:
        self.there.add(path)

    def has(self, path: str) -> bool:
        return path in self.there

    def files(self) -> tuple[FileCopy, ...]:
        return tuple(FileCopy(path=shape.rows_path, size_bytes=1024, sha256="b" * 64) for shape in (NOTES, TASKS))

    def finish(self, manifest: BackupManifest) -> None:
        self.finished = manifest

    def manifest(self) -> BackupManifest:
        assert self.finished is not None
        return self.finished

    def damaged(self) -> Iterator[str]:
        yield from self.wrong

    async def rows_of(self, table: TableShape) -> AsyncIterator[bytes]:
        yield self.sinks[str(table)].written

    def restore_cache(self, cache_dir: Path) -> int:
        return 0

    def compare_cache(self, cache_dir: Path) -> Iterator[str]:
        yield from ()


async def taken(database: FakeDatabase, *there: str) -> FakeDraft:
    draft = FakeDraft(database.events, set(there))
    made = await take(
        database, draft, Path("cache"), {"operator.conf": b"x"}, version="0.1.0", clock=FakeClock(), say=lambda _: None
    )
    assert made.missing == (() if there else (MODEL,))
    return draft


async def test_files_are_copied_before_and_after_the_database_is_held() -> None:
    database = FakeDatabase({"public.notes": [b"1\n"], "public.tasks": []})
    draft = await taken(database, f"cache/{MODEL}")
    assert database.events == ["files", "held", "files", "let go"]
    assert draft.has("operator.conf")
    assert in_words(draft.manifest()) == "2 tables with 1 rows, 2 migrations (the last one 2), 2 files, 2.0 KiB"
    assert read_manifest(draft.manifest().to_text()) == draft.manifest()


async def test_a_file_that_is_missing_in_the_installation_is_named() -> None:
    await taken(FakeDatabase({"public.notes": [], "public.tasks": []}))


async def test_what_is_restored_is_read_back_and_compared() -> None:
    draft = await taken(FakeDatabase({"public.notes": [b"1\n"], "public.tasks": [b"2\n"]}), f"cache/{MODEL}")
    copy = draft.manifest().database
    assert copy is not None
    fresh = FakeDatabase({})
    await fill(fresh, draft, copy, lambda _: None)
    assert fresh.rows == {"public.notes": [b"1\n"], "public.tasks": [b"2\n"]}
    draft.sinks["public.tasks"].written = b"3\n"
    with pytest.raises(BackupDamaged, match="tasks has as many rows, 1, but they are not the same"):
        await fill(fresh, draft, copy, lambda _: None)


async def test_each_table_and_counter_that_differs_is_named() -> None:
    draft = await taken(FakeDatabase({"public.notes": [b"1\n"], "public.tasks": [b"2\n"]}), f"cache/{MODEL}")
    copy = draft.manifest().database
    assert copy is not None
    more = TableShape(schema="public", name="more", columns=("id",), order=())
    behind = (Counter(schema="public", name="ids", last=3),)
    found = FakeDatabase(
        {"public.notes": [b"1\n", b"2\n"], "public.more": [b"1\n"]},
        facts=replace(FACTS, tables=(NOTES, more), counters=behind),
    )
    assert await compare_tables(found, copy) == [
        "public.more is not in the backup (1 rows)",
        "public.notes has 2 rows, and 1 in the backup",
        "public.tasks is not there (1 rows in the backup)",
        "the counter public.ids is at 3, not 7",
    ]


async def test_a_table_that_is_there_is_compared_whatever_the_backup_calls_it() -> None:
    """A table that Tidemark did not make is not there after a restore; one that is cannot be excused as such."""
    facts = replace(FACTS, strangers=("public.notes", "public.tasks"))
    draft = await taken(FakeDatabase({"public.notes": [b"1\n"], "public.tasks": []}, facts=facts), f"cache/{MODEL}")
    copy = draft.manifest().database
    assert copy is not None
    found = FakeDatabase({"public.notes": [b"2\n"]}, facts=replace(FACTS, tables=(NOTES,)))
    assert await compare_tables(found, copy) == ["public.notes has as many rows, 1, but they are not the same"]


async def test_a_table_that_lacks_columns_is_named_and_not_read() -> None:
    draft = await taken(FakeDatabase({"public.notes": [], "public.tasks": []}), f"cache/{MODEL}")
    copy = draft.manifest().database
    assert copy is not None
    found = FakeDatabase(
        {"public.tasks": []}, facts=replace(FACTS, tables=(replace(NOTES, columns=("x",), order=()), TASKS))
    )
    assert await compare_tables(found, copy) == ["public.notes has not all columns that it has in the backup"]


async def test_damage_is_told_in_few_lines() -> None:
    draft = await taken(FakeDatabase({"public.notes": [], "public.tasks": []}), f"cache/{MODEL}")
    draft.wrong = tuple(f"file {number}" for number in range(12))
    with pytest.raises(BackupDamaged, match=r"12 of its 2 files are not sound:\n  file 0\n") as damage:
        check(draft)
    assert damage.value.detail.endswith("file 9\n  ... and 2 more")

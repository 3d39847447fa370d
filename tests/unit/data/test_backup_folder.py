"""Copies of the cache folder beside those who write in it, and a backup that is there whole or not at all."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.data import cache_copies
from backend.data.backup_folder import BackupDraft, BackupFolder
from backend.data.storage.bars import ParquetBarStore
from backend.data.storage.bars.places import series_path
from backend.domain.backups import BackupManifest, BackupRefused, DatabaseCopy, DatabaseFacts, TableCopy, TableShape
from tests.bar_pages import BTC, instrument, page
from tests.fakes import FakeClock

NOTES = TableShape(schema="public", name="notes", columns=("id",), order=("id",))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    for path in ("models/ada/ab/abc.model", "backtests/one/config.json", "README.md", "quarantine/bad", ".probe-1"):
        put(folder / path, path)
    put(folder / "backtests" / ".draft-of-one" / "config.json", "half")
    put(folder / "models" / "ada" / "ab" / "abd.draft", "half")
    return folder


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def finished(draft: BackupDraft, database: DatabaseCopy | None = None) -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    draft.finish(BackupManifest(tidemark="0.1.0", made_at=now, database=database, files=draft.files()))


def test_drafts_and_what_was_set_aside_are_left_out(cache: Path, tmp_path: Path) -> None:
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(cache)
    finished(draft)
    told = [file.path for file in BackupFolder(tmp_path / "backup").manifest().files]
    assert told == ["cache/backtests/one/config.json", "cache/models/ada/ab/abc.model"]


def test_what_is_deleted_between_the_two_copies_stays_and_what_came_is_added(cache: Path, tmp_path: Path) -> None:
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(cache)
    (cache / "models/ada/ab/abc.model").unlink()
    put(cache / "models/ada/cd/cde.model", "new")
    draft.add_cache(cache)
    assert draft.has("cache/models/ada/ab/abc.model")
    assert draft.has("cache/models/ada/cd/cde.model")


def test_a_series_is_copied_as_one_of_its_manifests_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file that is copied is followed by a write, which replaces what the manifest named."""
    cache = tmp_path / "cache"
    store = ParquetBarStore(cache, FakeClock())
    store.write(instrument(BTC), BTC, page(500), source="a test")
    copy, writes = cache_copies.copy_file, iter(range(2))

    def interrupted(source: Path, target: Path) -> None:
        if source.suffix == ".parquet" and next(writes, None) is not None:
            # Two writes: what the first one replaced goes with the second.
            store.write(instrument(BTC), BTC, page(510), source="a test")
            store.write(instrument(BTC), BTC, page(520), source="a test")
        copy(source, target)

    monkeypatch.setattr(cache_copies, "copy_file", interrupted)
    copied = tmp_path / "copied"
    cache_copies.copy_cache(cache, copied)
    wanted, found = store.manifest(BTC), ParquetBarStore(copied, FakeClock()).manifest(BTC)
    assert wanted is not None
    assert found is not None
    assert found.content_hash == wanted.content_hash
    assert ParquetBarStore(copied, FakeClock()).verify(BTC) == {}
    # What only the older manifest named was copied, and is taken out again.
    assert len(list((copied / "bars" / series_path(BTC)).glob("*.parquet"))) == 1


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    draft = BackupDraft(tmp_path / "backup")
    size, sha256 = with_rows(draft)
    facts: dict[str, Any] = {"tables": (NOTES,), "counters": (), "strangers": (), "masters": (), "named_files": ()}
    copy = DatabaseCopy(
        facts=DatabaseFacts(postgres="17", migrations=("1",), exchange_keys=0, **facts),
        tables=(TableCopy(shape=NOTES, rows=2, size_bytes=size, sha256=sha256),),
    )
    finished(draft, copy)
    backup = BackupFolder(tmp_path / "backup")
    assert backup.manifest().database == copy
    assert list(backup.damaged()) == []


def with_rows(draft: BackupDraft) -> tuple[int, str]:
    sink = draft.table(NOTES)
    asyncio.run(sink.write(b"1\n2\n"))
    return sink.close()


def test_two_backups_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    first = BackupDraft(tmp_path / "backup")
    with pytest.raises(BackupRefused, match="Another backup into"):
        BackupDraft(tmp_path / "backup")
    finished(first)
    with pytest.raises(BackupRefused, match="is there already"):
        BackupDraft(tmp_path / "backup")


def test_a_restore_that_was_cut_off_goes_on_and_others_are_refused(cache: Path, tmp_path: Path) -> None:
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(cache)
    finished(draft)
    backup, place = BackupFolder(tmp_path / "backup"), tmp_path / "place"
    put(place / "README.md", "A page.")
    put(place / "models/ada/ab/abc.model.part", "half of it")
    put(place / "backtests/one/config.json", "backtests/one/config.json")
    assert backup.restore_cache(place) == 2
    assert list(backup.compare_cache(place)) == []
    (place / "backtests/one/config.json").write_text("mine")
    with pytest.raises(BackupRefused, match=r"is not empty: backtests/one/config\.json is there"):
        backup.restore_cache(place)

"""What stands in the cache folder or in a backup and is none of ours: named and refused, never followed or left out."""

import asyncio
import gzip
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.data import cache_copies
from backend.data.backup_folder import BackupDraft, BackupFolder
from backend.domain.backups import BackupDamaged, BackupManifest, BackupRefused, DatabaseCopy, DatabaseFacts, TableCopy
from backend.infrastructure.plain_files import NotPlain
from tests.unit.data.test_backup_folder import NOTES, finished, put, with_rows


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    put(tmp_path / "cache" / "models" / "ada" / "a.model", "a model")
    return tmp_path / "cache"


@pytest.mark.parametrize("place", ["models/ada/x", "bars/shared/x", "bars/shared/binance/BTC/x"])
@pytest.mark.parametrize("leads_to", ["a folder", "a file", "nothing"])
def test_a_link_is_named_and_not_left_out(cache: Path, tmp_path: Path, place: str, leads_to: str) -> None:
    target = tmp_path / "elsewhere"
    if leads_to == "a folder":
        put(target / "file", "theirs")
    elif leads_to == "a file":
        put(target, "theirs")
    (cache / place).parent.mkdir(parents=True, exist_ok=True)
    (cache / place).symlink_to(target)
    with pytest.raises(NotPlain, match=f"it is a link.*{place}"):
        BackupDraft(tmp_path / "backup").add_cache(cache)


@pytest.mark.parametrize("target", ["models/ada/a.model", "nowhere"])
def test_a_link_on_the_first_level_leads_to_a_folder_or_is_named(cache: Path, tmp_path: Path, target: str) -> None:
    (cache / "x").symlink_to(cache / target)
    with pytest.raises(NotPlain, match="it is a link"):
        BackupDraft(tmp_path / "backup").add_cache(cache)


def test_a_pipe_is_named_and_not_waited_for(cache: Path, tmp_path: Path) -> None:
    os.mkfifo(cache / "models" / "pipe")
    with pytest.raises(NotPlain, match="neither a file nor a folder"):
        BackupDraft(tmp_path / "backup").add_cache(cache)


def test_a_folder_of_the_cache_may_be_on_another_disk(cache: Path, tmp_path: Path) -> None:
    shutil.move(cache / "models", tmp_path / "disk")
    (cache / "models").symlink_to(tmp_path / "disk")
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(cache)
    finished(draft)
    backup = BackupFolder(tmp_path / "backup")
    assert [file.path for file in backup.manifest().files] == ["cache/models/ada/a.model"]
    assert list(backup.damaged()) == list(backup.compare_cache(cache)) == []
    assert backup.missing_bytes(cache) == 0


def test_a_folder_that_cannot_be_read_is_not_left_out(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refused(path: Any) -> Any:
        if Path(path).name == "ada":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    draft = BackupDraft(tmp_path / "backup")
    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError, match="models/ada"):
        draft.add_cache(cache)


def test_a_folder_that_goes_meanwhile_is_passed_over(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cache / "backtests" / "one" / "config.json", "gone soon")
    copy = cache_copies._copy_if_new

    def copied(source: Path, target: Path) -> None:
        shutil.rmtree(cache / "models", ignore_errors=True)
        copy(source, target)

    monkeypatch.setattr(cache_copies, "_copy_if_new", copied)
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(cache)
    assert [file.path for file in draft.files()] == ["cache/backtests/one/config.json"]


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\nb", os.fsdecode(b"\xff")])
def test_a_name_that_no_backup_can_hold_is_refused_before_anything_is_copied(
    cache: Path, tmp_path: Path, name: str
) -> None:
    put(cache / "models" / name, "x")
    with pytest.raises(BackupRefused, match="whose name cannot be saved: 'models/"):
        BackupDraft(tmp_path / "backup").add_cache(cache)


def test_a_series_names_no_file_outside_of_it(tmp_path: Path) -> None:
    put(
        tmp_path / "cache" / "bars" / "x" / "manifest.json",
        '{"manifest": {"files": [["../../../x"], [".."], ["\\u0000"]]}}',
    )
    put(tmp_path / "x", "theirs")
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(tmp_path / "cache")
    assert [file.path for file in draft.files()] == ["cache/bars/x/manifest.json"]


def test_what_an_interrupted_run_did_not_write_is_not_kept(cache: Path, tmp_path: Path) -> None:
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(cache)
    draft.close()
    copied = tmp_path / "backup.unfinished" / "cache" / "models" / "ada" / "a.model"
    first = copied.stat().st_ino
    BackupDraft(tmp_path / "backup").close()
    assert copied.stat().st_ino == first
    shutil.copy2(cache / "models" / "ada" / "a.model", tmp_path / "theirs")
    copied.unlink()
    copied.symlink_to(tmp_path / "theirs")
    (tmp_path / "backup.unfinished" / "database").symlink_to(tmp_path)
    again = BackupDraft(tmp_path / "backup")
    again.add_cache(cache)
    finished(again)
    kept = tmp_path / "backup" / "cache" / "models" / "ada" / "a.model"
    assert not kept.is_symlink()
    assert (tmp_path / "theirs").read_text() == "a model"


@pytest.mark.parametrize("what", ["dangling link", "link", "file", "folder"])
def test_a_backup_takes_no_place_that_is_taken(tmp_path: Path, what: str) -> None:
    place = tmp_path / "backup"
    if "link" in what:
        place.symlink_to(tmp_path / "nowhere" if "dangling" in what else tmp_path)
    else:
        place.touch() if what == "file" else place.mkdir()
    with pytest.raises(BackupRefused, match="is there already"):
        BackupDraft(place)
    assert not (tmp_path / "backup.unfinished").exists()


@pytest.mark.parametrize("what", ["link", "open folder"])
def test_a_draft_that_others_made_is_not_taken_for_ours(tmp_path: Path, what: str) -> None:
    draft = tmp_path / "backup.unfinished"
    if what == "link":
        (tmp_path / "theirs").mkdir()
        put(tmp_path / "theirs" / "file", "theirs")
        draft.symlink_to(tmp_path / "theirs")
    else:
        draft.mkdir()
        draft.chmod(0o777)
    with pytest.raises(BackupRefused, match="or name another folder"):
        BackupDraft(tmp_path / "backup")
    assert what != "link" or (tmp_path / "theirs" / "file").exists()


def with_notes(tmp_path: Path, change: Callable[[TableCopy], TableCopy] = lambda copy: copy) -> BackupFolder:
    """A backup of two rows, of which its manifest tells something else."""
    draft = BackupDraft(tmp_path / "backup")
    size, sha256 = with_rows(draft)
    none: dict[str, Any] = {"counters": (), "strangers": (), "masters": (), "named_files": ()}
    facts = DatabaseFacts(postgres="17", migrations=("1",), tables=(NOTES,), exchange_keys=0, **none)
    copy = change(TableCopy(shape=NOTES, rows=2, size_bytes=size, sha256=sha256))
    finished(draft, DatabaseCopy(facts=facts, tables=(copy,)))
    return BackupFolder(tmp_path / "backup")


async def rows_of(backup: BackupFolder) -> bytes:
    return b"".join([piece async for piece in backup.rows_of(NOTES)])


def test_rows_never_unpack_to_more_than_the_manifest_tells(tmp_path: Path) -> None:
    backup = with_notes(tmp_path, lambda copy: replace(copy, size_bytes=3))
    assert list(backup.damaged()) == [
        "database/public.notes.copy.gz: The rows of public.notes are more than the 3 bytes of the manifest."
    ]
    with pytest.raises(BackupDamaged, match="more than the 3 bytes"):
        asyncio.run(rows_of(backup))


@pytest.mark.parametrize("change", [{"size_bytes": 5}, {"sha256": "a" * 64}])
def test_rows_are_those_of_the_manifest(tmp_path: Path, change: dict[str, Any]) -> None:
    backup = with_notes(tmp_path, lambda copy: replace(copy, **change))
    assert list(backup.damaged()) == ["database/public.notes.copy.gz: its rows are not those of the manifest"]


@pytest.mark.parametrize("content", [gzip.compress(b"1\n2\n")[:-6], gzip.compress(b"1\n")[:14] + b"x" * 9, b"rows"])
def test_rows_that_cannot_be_unpacked_are_damage(tmp_path: Path, content: bytes) -> None:
    backup = with_notes(tmp_path)
    (tmp_path / "backup" / NOTES.rows_path).write_bytes(content)
    with pytest.raises(BackupDamaged, match="cannot be unpacked"):
        asyncio.run(rows_of(backup))


def test_a_backup_that_has_links_in_it_is_damaged(cache: Path, tmp_path: Path) -> None:
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(cache)
    finished(draft)
    shutil.move(tmp_path / "backup" / "cache" / "models", tmp_path / "models")
    (tmp_path / "backup" / "cache" / "models").symlink_to(tmp_path / "models")
    (tmp_path / "models" / "ada" / "a.model").rename(tmp_path / "a.model")
    (tmp_path / "models" / "ada" / "a.model").symlink_to(tmp_path / "a.model")
    assert list(BackupFolder(tmp_path / "backup").damaged()) == [
        "cache/models/ada/a.model: it cannot be read: it is a link, and only plain files are read",
        "cache/models: it is not in the manifest",
    ]


def test_a_manifest_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(BackupDamaged, match="cannot be read"):
        BackupFolder(tmp_path).manifest()


def test_what_is_changed_after_it_was_checked_is_not_restored(cache: Path, tmp_path: Path) -> None:
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(cache)
    finished(draft)
    backup = BackupFolder(tmp_path / "backup")
    assert list(backup.damaged()) == []
    put(tmp_path / "backup" / "cache" / "models" / "ada" / "a.model", "another")
    with pytest.raises(BackupDamaged, match=r"a\.model was changed since it was checked"):
        backup.restore_cache(tmp_path / "place")
    assert [path for path in (tmp_path / "place").rglob("*") if path.is_file()] == []


def test_what_is_done_is_what_was_judged(cache: Path, tmp_path: Path) -> None:
    """A manifest that is changed after it was read changes nothing."""
    draft = BackupDraft(tmp_path / "backup")
    draft.add_cache(cache)
    finished(draft)
    backup = BackupFolder(tmp_path / "backup")
    before: BackupManifest = backup.manifest()
    (tmp_path / "backup" / "manifest.json").write_text("changed")
    assert backup.manifest() == before

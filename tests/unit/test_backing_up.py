"""What `tidemark backup` asks before it writes, and what of a backup is not believed; on folders alone."""

import asyncio
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import typer

from backend.bootstrap_backups import Made, cluster_in, create_backup
from backend.bootstrap_restoring import RESTORED_CONF, _aside, _put_operator_conf_aside, _require_new, restore_backup
from backend.cli import backup as commands
from backend.data.backup_folder import BackupFolder
from backend.domain.backups import BackupDamaged, BackupRefused
from backend.infrastructure.key_manager import MasterKey
from backend.infrastructure.saved_keys import masters_in, read_saved_keys
from backend.settings import Settings

MASTER = MasterKey.generate()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with one file in its cache folder, a master key and settings of Postgres."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    for path, text in (
        (cache / "models" / "a.model", "a model"),
        (data / "secrets" / "encryption.json", json.dumps({"keys": [MASTER.text]})),
        (cluster_in(data) / "operator.conf", "archive_command = 'a program'\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Settings(_env_file=None, data_dir=data, cache_dir=cache)


def create(settings: Settings, folder: Path, keys: Path | None = None, said: list[str] | None = None) -> Made:
    say = (lambda _: None) if said is None else said.append
    return asyncio.run(create_backup(settings, folder, keys=keys, files_only=True, is_running=False, say=say))


def restore(settings: Settings, folder: Path, keys: Path | None = None) -> Made:
    return asyncio.run(restore_backup(settings, folder, keys=keys, say=lambda _: None))


def test_keys_are_saved_apart_for_nobody_else(settings: Settings, tmp_path: Path) -> None:
    create(settings, tmp_path / "backup", tmp_path / "keys" / "friday.json")
    assert masters_in(read_saved_keys(tmp_path / "keys" / "friday.json")) == {MASTER.fingerprint}
    assert (tmp_path / "keys" / "friday.json").stat().st_mode & 0o777 == 0o600
    for path in (tmp_path / "backup").rglob("*"):
        assert path.is_dir() or MASTER.text not in path.read_text()


@pytest.mark.parametrize(
    "keys",
    ["backup/keys", "x/../backup/keys", "backup/x/../keys", "link/keys", "backup.unfinished/keys", "backup"],
)
def test_keys_in_the_backup_are_refused_by_where_they_really_are(settings: Settings, tmp_path: Path, keys: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "backup")
    with pytest.raises(BackupRefused, match="lies in the backup"):
        create(settings, tmp_path / "backup", tmp_path / keys)
    assert not (tmp_path / "backup.unfinished").exists()


@pytest.mark.parametrize("keys", ["cache/keys", "x/../cache/models/keys", "data/keys", "link/keys"])
def test_keys_in_what_the_next_backup_saves_are_refused(settings: Settings, tmp_path: Path, keys: str) -> None:
    (tmp_path / "link").symlink_to(settings.cache_dir)
    with pytest.raises(BackupRefused, match="Name a place apart from it for the keys"):
        create(settings, tmp_path / "backup", tmp_path / keys)


def test_keys_take_no_place_that_is_taken(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "keys").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BackupRefused, match="is there already"):
        create(settings, tmp_path / "backup", tmp_path / "keys")


class Moves(list[str]):
    """Somebody else at work meanwhile: while all is read back, the folder of the keys becomes the backup."""

    def __init__(self, link: Path, to: Path) -> None:
        self.link, self.to = link, to

    def append(self, text: str) -> None:
        if text == "Reading everything back":
            self.link.symlink_to(self.to)


def test_where_keys_lie_is_looked_at_again_before_they_are_written(settings: Settings, tmp_path: Path) -> None:
    said = Moves(tmp_path / "keys", tmp_path / "backup")
    with pytest.raises(BackupRefused, match="lies in the backup"):
        create(settings, tmp_path / "backup", tmp_path / "keys" / "friday.json", said)
    assert not (tmp_path / "backup" / "friday.json").exists()
    assert list(BackupFolder(tmp_path / "backup").damaged()) == []


@pytest.mark.parametrize("folder", ["data/b", "cache/b", "x/../data/b", "link/b", "disk/b"])
def test_a_backup_in_what_it_saves_is_refused(settings: Settings, tmp_path: Path, folder: str) -> None:
    (tmp_path / "link").symlink_to(settings.data_dir)
    (tmp_path / "disk").mkdir()
    (settings.cache_dir / "bars").symlink_to(tmp_path / "disk")
    with pytest.raises(BackupRefused, match="would be lost with it"):
        create(settings, tmp_path / folder)


Disk = namedtuple("Disk", "total used free")


def test_a_disk_without_room_is_told_with_numbers_before_anything_is_written(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.cache_dir / "bars").mkdir()
    (settings.cache_dir / "bars" / "x.parquet").write_bytes(b"x" * 4096)
    (cluster_in(settings.data_dir) / "base" / "1").mkdir(parents=True)
    with (cluster_in(settings.data_dir) / "base" / "1" / "2").open("wb") as table:
        table.truncate(25 * 1024**2 + 8192)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10_000, 5_000, 5_000))
    backup = create_backup(
        settings, tmp_path / "new" / "backup", keys=None, files_only=False, is_running=False, say=lambda _: None
    )
    with pytest.raises(
        BackupRefused, match=r"needs at least 6\.0 KiB \(4\.0 KiB of files and 2\.0 KiB of rows\).* has 4\.9 KiB left"
    ):
        asyncio.run(backup)
    assert not (tmp_path / "new").exists()
    create(settings, tmp_path / "new" / "backup")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10_000, 9_999, 1))
    to = Settings(_env_file=None, data_dir=tmp_path / "data2", cache_dir=tmp_path / "cache2")
    with pytest.raises(BackupRefused, match=r"cache2 needs at least 7 B \(7 B of files\), and its disk has 1 B left"):
        restore(to, tmp_path / "new" / "backup")
    assert not to.cache_dir.exists()


def test_settings_of_postgres_come_back_beside_those_in_force(settings: Settings, tmp_path: Path) -> None:
    create(settings, tmp_path / "backup")
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    _put_operator_conf_aside(BackupFolder(tmp_path / "backup"), cluster)
    assert RESTORED_CONF == "operator.conf.restored"
    assert (cluster / RESTORED_CONF).read_text() == "archive_command = 'a program'\n"
    assert not (cluster / "operator.conf").exists()


def test_settings_of_postgres_that_are_a_link_are_named(settings: Settings, tmp_path: Path) -> None:
    conf = cluster_in(settings.data_dir) / "operator.conf"
    conf.rename(tmp_path / "elsewhere")
    conf.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"it is a link.*operator\.conf"):
        create(settings, tmp_path / "backup")


@pytest.mark.parametrize("what", ["link", "open folder"])
def test_a_restore_uses_no_folder_that_others_made(tmp_path: Path, what: str) -> None:
    aside = tmp_path / "data.unfinished"
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").touch()
    if what == "link":
        aside.symlink_to(tmp_path / "theirs")
    else:
        aside.mkdir()
        aside.chmod(0o777)
    with pytest.raises(BackupRefused, match="or name another folder"), _aside(tmp_path / "data"):
        pass
    assert (tmp_path / "theirs" / "file").exists()


def test_what_an_interrupted_restore_left_goes_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    with _aside(tmp_path / "data") as aside:
        (aside / "link").symlink_to(tmp_path / "theirs")
        (aside / "folder").mkdir()
        with pytest.raises(BackupRefused, match="Another restore into"), _aside(tmp_path / "data"):
            pass
    with _aside(tmp_path / "data") as aside:
        assert list(aside.iterdir()) == []
    assert (tmp_path / "theirs").exists()


@pytest.mark.parametrize(
    "text",
    ["[]", "7", "{", "[" * 100_000, '{"encryption.json": {}}', '{"encryption.json": {"keys": ["short"]}}'],
    ids=["list", "number", "cut", "deep", "none", "short"],
)
def test_a_file_that_holds_no_keys_is_refused_before_anything_is_restored(
    settings: Settings, tmp_path: Path, text: str
) -> None:
    create(settings, tmp_path / "backup")
    (tmp_path / "keys").write_text(text)
    to = Settings(_env_file=None, data_dir=tmp_path / "data2", cache_dir=tmp_path / "cache2")
    with pytest.raises(BackupRefused, match="cannot be read as keys that a backup wrote"):
        restore(to, tmp_path / "backup", tmp_path / "keys")
    assert not to.cache_dir.exists()


@pytest.mark.parametrize(
    ("leads_to", "said"), [("nowhere", "is a link"), ("data", "is a link"), (None, "is not empty")]
)
def test_a_data_directory_is_made_where_nothing_is(
    settings: Settings, tmp_path: Path, leads_to: str | None, said: str
) -> None:
    place = settings.data_dir
    if leads_to is not None:
        place = tmp_path / "link"
        place.symlink_to(tmp_path / leads_to)
    with pytest.raises(BackupRefused, match=said):
        _require_new(place)


def test_a_backup_is_not_restored_into_itself(settings: Settings, tmp_path: Path) -> None:
    create(settings, tmp_path / "backup")
    to = Settings(_env_file=None, data_dir=tmp_path / "data2", cache_dir=tmp_path / "x" / ".." / "backup" / "cache2")
    with pytest.raises(BackupRefused, match="lies in the backup"):
        restore(to, tmp_path / "backup")


def test_a_name_commands_no_terminal(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of control characters are refused; there are others that turn text around."""
    model = settings.cache_dir / "models" / "a\u202emodel"
    model.write_text("x")
    create(settings, tmp_path / "backup")
    model.unlink()
    monkeypatch.setenv("TIDEMARK_CACHE_DIR", str(settings.cache_dir))
    with pytest.raises(typer.Exit):
        commands.compare(tmp_path / "backup", settings.data_dir)
    assert capsys.readouterr().out == f"{settings.cache_dir}/models/a\N{REPLACEMENT CHARACTER}model: it is not there\n"
    (tmp_path / "backup" / "more\x1b[2J").touch()
    with pytest.raises(BackupDamaged) as damaged:
        commands.check(tmp_path / "backup")
    assert "more\N{REPLACEMENT CHARACTER}[2J: it is not in the manifest" in damaged.value.detail


def test_what_the_disk_refuses_is_told_in_words_by_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.domain.backups import BackupFailed

    def refused(path: object) -> None:
        raise PermissionError(13, "Permission denied", "the folder")

    settings = Settings(_env_file=None, data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")
    create(settings, tmp_path / "backup")
    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(BackupFailed, match="the folder: Permission denied"):
        commands.check(tmp_path / "backup")

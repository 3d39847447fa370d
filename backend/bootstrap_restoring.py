"""The composition root of restores: a backup becomes a data directory, which gets its name when all of it is there."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backend.bootstrap_backups import Made, cluster_in, origin_of, postgres_in, tables_of
from backend.bootstrap_ground import MIGRATIONS, Say
from backend.domain.backups import OPERATOR_CONF, BackupManifest, BackupRefused, require_known, unfinished
from backend.settings import Settings, default_cache_dir

if TYPE_CHECKING:
    from backend.data.backup_folder import BackupFolder

RESTORED_CONF = f"{OPERATOR_CONF}.restored"


async def restore_backup(settings: Settings, folder: Path, *, keys: Path | None, say: Say) -> Made:
    """Into an empty data directory and an empty cache folder; the directory gets its name when all is there."""
    from backend.data.backup_folder import BackupFolder
    from backend.infrastructure.plain_files import free_bytes, lies_in
    from backend.infrastructure.saved_keys import read_saved_keys
    from backend.services.backups import check, in_words, require_space

    backup = BackupFolder(folder)
    manifest = backup.manifest()
    for place in (settings.data_dir, settings.cache_dir):
        if lies_in(place, folder):
            raise BackupRefused(f"{place} lies in the backup {folder}. Name a folder elsewhere.")
    if manifest.database is not None:
        if not settings.embedded:
            raise BackupRefused(
                "This backup holds an embedded database, and the settings name a Supabase project. Leave"
                " DATABASE_URL and the other settings of the project out to restore it."
            )
        _require_new(settings.data_dir)
        require_known(manifest.database.facts.migrations, _versions())
        require_space(settings.data_dir, free=free_bytes(settings.data_dir), rows=manifest.database.size_bytes)
    missing = backup.missing_bytes(settings.cache_dir)
    require_space(settings.cache_dir, free=free_bytes(settings.cache_dir), files=missing)
    given = read_saved_keys(keys) if keys is not None else {}
    say("Checking every file of the backup")
    check(backup)
    files = backup.restore_cache(settings.cache_dir)
    if manifest.database is not None:
        await _restore_database(settings.data_dir, backup, manifest, given, say)
    return Made(
        words=f"Restored {in_words(manifest)}. Made {origin_of(manifest)}.\n"
        f"Data directory {settings.data_dir}; {files:,} files below {settings.cache_dir}.",
        notes=(*_left_out(settings, manifest), *_missing_keys(settings, manifest, given), _how_to_start(settings)),
    )


async def _restore_database(
    data_dir: Path, backup: "BackupFolder", manifest: BackupManifest, given: dict[str, str], say: Say
) -> None:
    from backend.infrastructure.plain_files import write_whole
    from backend.infrastructure.supabase.migrator import migrate
    from backend.services.backups import fill

    if manifest.database is None:
        raise RuntimeError("only called for a backup with a database")
    with _aside(data_dir) as aside:
        postgres = postgres_in(aside, say)
        address = postgres.start()
        try:
            await migrate(address.dsn("postgres"), MIGRATIONS, only=manifest.database.facts.migrations)
            await fill(tables_of(address.dsn("supabase_admin")), backup, manifest.database, say)
        finally:
            postgres.stop()
        for name, text in given.items():
            write_whole(aside / "secrets" / name, text.encode(), for_owner_of_folder=True)
        _put_operator_conf_aside(backup, cluster_in(aside))
        aside.rename(data_dir)


@contextlib.contextmanager
def _aside(data_dir: Path) -> Iterator[Path]:
    """Where a data directory is made until it gets its name; what an interrupted restore left there goes first."""
    from backend.infrastructure.plain_files import hold_own, remove
    from backend.infrastructure.supabase.postgres.leftovers import end_leftovers

    aside = unfinished(data_dir)
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = hold_own(aside)
    except BlockingIOError:
        raise BackupRefused(f"Another restore into {data_dir} is at work. Let it end first.") from None
    try:
        for cluster in (aside / "postgres").glob("1?"):
            end_leftovers(cluster)
        for leftover in aside.iterdir():
            remove(leftover)
        yield aside
    finally:
        os.close(lock)


def _require_new(data_dir: Path) -> None:
    if data_dir.is_symlink():
        raise BackupRefused(f"{data_dir} is a link. Name the folder itself with --data-dir.")
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise BackupRefused(
            f"{data_dir} is not empty. A backup is restored into a new folder: name one with --data-dir."
        )


def _put_operator_conf_aside(backup: "BackupFolder", cluster: Path) -> None:
    """Postgres runs what its settings name, so nobody's are in force before somebody looked at them."""
    from backend.infrastructure.supabase.postgres.address import belong_to_owner_of_folder

    if backup.put_back(OPERATOR_CONF, cluster / RESTORED_CONF):
        belong_to_owner_of_folder(cluster / RESTORED_CONF)


def _versions() -> list[str]:
    from backend.infrastructure.supabase.migrator import read_migrations

    return [migration.version for migration in read_migrations(MIGRATIONS)]


def _left_out(settings: Settings, manifest: BackupManifest) -> Iterator[str]:
    if manifest.database is not None and manifest.database.facts.strangers:
        yield f"Not made again, as Tidemark did not make it: {', '.join(manifest.database.facts.strangers)}."
    restored = cluster_in(settings.data_dir) / RESTORED_CONF
    if manifest.database is not None and os.path.lexists(restored):
        yield (
            f"The settings of Postgres that were in the backup are not in force, as they can run programs. Look at"
            f" {restored}, and rename it to {OPERATOR_CONF} if they are yours."
        )


def _missing_keys(settings: Settings, manifest: BackupManifest, given: dict[str, str]) -> tuple[str, ...]:
    from backend.infrastructure.key_manager import MasterKey
    from backend.infrastructure.saved_keys import SIGNING_KEYS, masters_in

    if manifest.database is None:
        return ()
    here = masters_in(given)
    if settings.encryption_key is not None:
        here.add(MasterKey.of_text(settings.encryption_key.get_secret_value()).fingerprint)
    lacking = [master for master in manifest.database.facts.masters if master not in here]
    notes = []
    if lacking and manifest.database.facts.exchange_keys:
        notes.append(
            f"{manifest.database.facts.exchange_keys:,} exchange keys stay locked until the master key"
            f" {', '.join(lacking)} is put back, in secrets/encryption.json or as ENCRYPTION_KEY."
        )
    if SIGNING_KEYS not in given:
        notes.append("API keys and signing keys are new: everybody signs in again, and programs need the new API keys.")
    return tuple(notes)


def _how_to_start(settings: Settings) -> str:
    cache = "" if settings.cache_dir == default_cache_dir() else f"TIDEMARK_CACHE_DIR={settings.cache_dir} "
    return f"Start it: {cache}./scripts/run --data-dir {settings.data_dir}"

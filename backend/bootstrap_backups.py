"""The composition root of backups: where the database, the cache folder and the keys are, and where they go."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.bootstrap_ground import MIGRATIONS, Say
from backend.domain.backups import BackupFailed, BackupManifest, BackupRefused, require_known
from backend.settings import REPOSITORY, Settings, default_cache_dir

if TYPE_CHECKING:
    from backend.data.backup_folder import BackupFolder
    from backend.domain.backup_ports import BackupDatabase
    from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres

EMBEDDED = REPOSITORY / "supabase" / "embedded"
# What operators write into the cluster by hand; the rest of its settings is written at every start.
_OPERATOR_CONF = "operator.conf"
_KEY_FILES = ("encryption.json", "auth.json")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was done, in words, and what whoever did it should know besides."""

    words: str
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def failures_in_words() -> Iterator[None]:
    """What the disk refuses is told as what it is; nothing half-made has the name of what was wanted."""
    try:
        yield
    except OSError as problem:
        place = f"{problem.filename}: " if problem.filename else ""
        raise BackupFailed(f"{place}{problem.strerror or problem}. Run it again when that is mended.") from problem


async def create_backup(
    settings: Settings, folder: Path, *, keys: Path | None, files_only: bool, is_running: bool, say: Say
) -> Made:
    """All of this installation into a new folder, and its keys into a file elsewhere."""
    from backend.data.backup_folder import BackupDraft
    from backend.infrastructure.clock import SystemClock
    from backend.services.backups import in_words, take
    from backend.version import VERSION

    _require_apart(settings, folder, keys)
    before = _keys_text(settings) if keys else None
    draft = BackupDraft(folder)
    with contextlib.closing(draft), _database(settings, is_running=is_running, wanted=not files_only, say=say) as found:
        taken = await take(
            found, draft, settings.cache_dir, _operator_texts(settings), version=VERSION, clock=SystemClock(), say=say
        )
    notes = [f"{path} is missing in this installation, so it is in no backup either." for path in taken.missing]
    if keys is not None and before is not None:
        if before != _keys_text(settings):
            raise BackupRefused(
                f"A master key was changed meanwhile. {folder} is whole, but its keys were not written: run"
                f" `tidemark backup create` again into another folder."
            )
        _write_private(keys, before)
    return Made(words=f"{folder}: {in_words(taken.manifest)}.", notes=(*notes, *_notes(settings, taken.manifest, keys)))


def check_backup(folder: Path) -> str:
    """What the backup holds. Raises BackupDamaged."""
    from backend.data.backup_folder import BackupFolder
    from backend.services.backups import check, in_words

    manifest = check(BackupFolder(folder))
    return f"Every file is what was written: {in_words(manifest)}. Made {_origin(manifest)}."


async def restore_backup(settings: Settings, folder: Path, *, keys: Path | None, say: Say) -> Made:
    """Into an empty data directory and an empty cache folder; the directory gets its name when all is there."""
    from backend.data.backup_folder import BackupFolder
    from backend.services.backups import check, in_words

    backup = BackupFolder(folder)
    manifest = backup.manifest()
    if manifest.database is not None:
        if not settings.embedded:
            raise BackupRefused(
                "This backup holds an embedded database, and the settings name a Supabase project. Leave"
                " DATABASE_URL and the other settings of the project out to restore it."
            )
        _require_empty(settings.data_dir)
        require_known(manifest.database.facts.migrations, _versions())
    say("Checking every file of the backup")
    check(backup)
    given = _read_keys(keys) if keys is not None else {}
    files = backup.restore_cache(settings.cache_dir)
    if manifest.database is not None:
        await _restore_database(settings.data_dir, backup, manifest, given, say)
    return Made(
        words=f"Restored {in_words(manifest)}. Made {_origin(manifest)}.\n"
        f"Data directory {settings.data_dir}; {files:,} files below {settings.cache_dir}.",
        notes=(*_missing_keys(settings, manifest, given), _how_to_start(settings)),
    )


async def compare_backup(settings: Settings, folder: Path, *, is_running: bool, say: Say) -> list[str]:
    """A line for each table and file of the backup that is not the same in this installation."""
    from backend.data.backup_folder import BackupFolder
    from backend.services.backups import check, compare_tables

    backup = BackupFolder(folder)
    say("Checking every file of the backup")
    manifest = check(backup)
    wrong: list[str] = []
    if manifest.database is not None:
        with _database(settings, is_running=is_running, wanted=True, say=say) as database:
            if database is not None:
                say("Reading every table")
                wrong = await compare_tables(database, manifest.database)
    return [*wrong, *backup.compare_cache(settings.cache_dir)]


async def _restore_database(
    data_dir: Path, backup: "BackupFolder", manifest: BackupManifest, given: dict[str, str], say: Say
) -> None:
    from backend.infrastructure.supabase.migrator import migrate
    from backend.services.backups import fill

    if manifest.database is None:
        raise RuntimeError("only called for a backup with a database")
    with _aside(data_dir) as aside:
        postgres = _postgres(aside, say)
        address = postgres.start()
        try:
            await migrate(address.dsn("postgres"), MIGRATIONS, only=manifest.database.facts.migrations)
            await fill(_tables(address.dsn("supabase_admin")), backup, manifest.database, say)
        finally:
            postgres.stop()
        for name, text in given.items():
            _write_private(aside / "secrets" / name, text)
        _restore_operator_conf(backup, aside)
        aside.rename(data_dir)


@contextlib.contextmanager
def _aside(data_dir: Path) -> Iterator[Path]:
    """Where a data directory is made until it gets its name; what an interrupted restore left there goes first."""
    import fcntl

    from backend.infrastructure.supabase.postgres.leftovers import end_leftovers

    aside = data_dir.with_name(f"{data_dir.name}.unfinished")
    aside.mkdir(parents=True, exist_ok=True)
    lock = os.open(aside, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(f"Another restore into {data_dir} is at work. Let it end first.") from None
        for cluster in (aside / "postgres").glob("1?"):
            end_leftovers(cluster)
        for leftover in aside.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield aside
    finally:
        os.close(lock)


@contextlib.contextmanager
def _database(settings: Settings, *, is_running: bool, wanted: bool, say: Say) -> "Iterator[BackupDatabase | None]":
    """The embedded database, started for it when nobody serves it."""
    from backend.infrastructure.supabase.postgres.address import load_or_create

    if not wanted:
        yield None
        return
    _require_embedded(settings)
    if is_running:
        address = load_or_create(settings.data_dir / "secrets" / "postgres.json", preferred_port=0)
        yield _tables(address.dsn("supabase_admin"))
        return
    if not (settings.data_dir / "postgres").is_dir():
        raise BackupRefused(f"There is no installation in {settings.data_dir}. Name its folder with --data-dir.")
    postgres = _postgres(settings.data_dir, say)
    try:
        yield _tables(postgres.start().dsn("supabase_admin"))
    finally:
        postgres.stop()


def _tables(dsn: str) -> "BackupDatabase":
    from backend.infrastructure.supabase.table_copies import PostgresTables

    return PostgresTables(dsn, [*MIGRATIONS.glob("*.sql"), *EMBEDDED.glob("*.sql")])


def _postgres(data_dir: Path, say: Say) -> "EmbeddedPostgres":
    from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres

    return EmbeddedPostgres(data_dir, say=say)


def _versions() -> list[str]:
    from backend.infrastructure.supabase.migrator import read_migrations

    return [migration.version for migration in read_migrations(MIGRATIONS)]


def _require_embedded(settings: Settings) -> None:
    if not settings.embedded:
        raise BackupRefused(
            "The database is that of a Supabase project, which makes backups of its own: under Database, Backups, or"
            ' with `supabase db dump` (docs/operations.md, "Backup of a project"). The files that are here are saved'
            " with --files-only."
        )


def _require_apart(settings: Settings, folder: Path, keys: Path | None) -> None:
    for place in (settings.data_dir, settings.cache_dir):
        if folder.is_relative_to(place):
            raise BackupRefused(f"{folder} lies in {place}, and would be lost with it. Name a folder elsewhere.")
    if keys is None:
        return
    _require_embedded(settings)
    if keys.is_relative_to(folder):
        raise BackupRefused(
            f"{keys} lies in the backup. Who has both opens all exchange keys, so name a place apart from it."
        )
    if keys.exists():
        raise BackupRefused(f"{keys} is there already. Name a file that is not there yet.")


def _require_empty(data_dir: Path) -> None:
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise BackupRefused(
            f"{data_dir} is not empty. A backup is restored into a new folder: name one with --data-dir."
        )


def _operator_texts(settings: Settings) -> dict[str, str]:
    from backend.infrastructure.supabase.embedded_postgres import MAJOR_VERSION

    file = settings.data_dir / "postgres" / MAJOR_VERSION / _OPERATOR_CONF
    return {_OPERATOR_CONF: file.read_text()} if settings.embedded and file.is_file() else {}


def _restore_operator_conf(backup: "BackupFolder", data_dir: Path) -> None:
    from backend.infrastructure.supabase.embedded_postgres import MAJOR_VERSION

    text = backup.text(_OPERATOR_CONF)
    if text is not None:
        cluster = data_dir / "postgres" / MAJOR_VERSION
        _write_private(cluster / _OPERATOR_CONF, text)
        if os.geteuid() == 0:
            os.chown(cluster / _OPERATOR_CONF, cluster.stat().st_uid, cluster.stat().st_gid)


def _keys_text(settings: Settings) -> str:
    """The files that open what is sealed, and sign what is believed, as one document."""
    found = {name: settings.data_dir / "secrets" / name for name in _KEY_FILES}
    return json.dumps({name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}, indent=1)


def _read_keys(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text())
        return {name: json.dumps(found[name]) for name in _KEY_FILES if name in found}
    except (OSError, ValueError, TypeError) as problem:
        raise BackupRefused(f"{file} cannot be read as keys that a backup wrote: {problem}.") from None


def _notes(settings: Settings, manifest: BackupManifest, keys: Path | None) -> Iterator[str]:
    facts = manifest.database.facts if manifest.database else None
    if facts is not None and facts.strangers:
        yield (
            f"Not made by Tidemark, so a restore cannot make them again: {', '.join(facts.strangers)}."
            " Save them with pg_dump (docs/operations.md)."
        )
    if facts is not None and keys is not None:
        yield f"Keys: {keys}. Keep it apart from the backup: who has both opens all exchange keys."
    elif facts is not None:
        opened = f"{', '.join(facts.masters)}, which opens its {facts.exchange_keys:,} exchange keys"
        master = f"the master key {opened if facts.exchange_keys else '(it holds no exchange key)'}"
        yield f"Not in it: the signing keys, and {master}. --keys FILE saves them, apart."
    if settings.strategies_dir is not None:
        yield f"Not in it: your strategies in {settings.strategies_dir}, and your settings. Keep copies of them, too."


def _missing_keys(settings: Settings, manifest: BackupManifest, given: dict[str, str]) -> tuple[str, ...]:
    from backend.infrastructure.key_manager import MasterKey

    if manifest.database is None:
        return ()
    texts = json.loads(given["encryption.json"])["keys"] if "encryption.json" in given else []
    here = {MasterKey.of_text(text).fingerprint for text in texts}
    if settings.encryption_key is not None:
        here.add(MasterKey.of_text(settings.encryption_key.get_secret_value()).fingerprint)
    lacking = [master for master in manifest.database.facts.masters if master not in here]
    notes = []
    if lacking and manifest.database.facts.exchange_keys:
        notes.append(
            f"{manifest.database.facts.exchange_keys:,} exchange keys stay locked until the master key"
            f" {', '.join(lacking)} is put back, in secrets/encryption.json or as ENCRYPTION_KEY."
        )
    if "auth.json" not in given:
        notes.append("API keys and signing keys are new: everybody signs in again, and programs need the new API keys.")
    return tuple(notes)


def _how_to_start(settings: Settings) -> str:
    cache = "" if settings.cache_dir == default_cache_dir() else f"TIDEMARK_CACHE_DIR={settings.cache_dir} "
    return f"Start it: {cache}./scripts/run --data-dir {settings.data_dir}"


def _origin(manifest: BackupManifest) -> str:
    return f"by Tidemark {manifest.tidemark} as of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC"


def _write_private(path: Path, text: str) -> None:
    from backend.infrastructure.supabase.postgres.address import belong_to_owner_of_folder

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    belong_to_owner_of_folder(part)
    part.rename(path)

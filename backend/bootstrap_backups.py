"""The composition root of backups: where the database, the cache folder and the keys are, and where they go."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.bootstrap_ground import MIGRATIONS, Say
from backend.domain.backups import OPERATOR_CONF, BackupFailed, BackupManifest, BackupRefused, unfinished
from backend.settings import REPOSITORY, Settings

if TYPE_CHECKING:
    from backend.domain.backup_ports import BackupDatabase
    from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres

EMBEDDED = REPOSITORY / "supabase" / "embedded"
# The bytes of one without a row of ours, which no backup takes.
_EMPTY_DATABASE = 25 * 1024**2


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
    from backend.infrastructure.plain_files import really
    from backend.infrastructure.saved_keys import keys_of, save_keys
    from backend.services.backups import in_words, take
    from backend.version import VERSION

    folder = really(folder.parent) / folder.name
    if not files_only:
        _require_embedded(settings)
    _require_apart(settings, folder, keys)
    _require_space(settings, folder, files_only=files_only)
    before = keys_of(settings.data_dir) if keys else None
    draft = BackupDraft(folder)
    with contextlib.closing(draft), _database(settings, is_running=is_running, wanted=not files_only, say=say) as found:
        taken = await take(
            found, draft, settings.cache_dir, _operator_files(settings), version=VERSION, clock=SystemClock(), say=say
        )
    notes = [f"{path} is missing in this installation, so it is in no backup either." for path in taken.missing]
    if keys is not None and before is not None:
        if before != keys_of(settings.data_dir):
            raise BackupRefused(
                f"A master key was changed meanwhile. {folder} is whole, but its keys were not written: run"
                f" `tidemark backup create` again into another folder."
            )
        # The folder has its name now, so what was meant to be apart from it can be looked at once more.
        _require_apart(settings, folder, keys)
        save_keys(keys, before)
    return Made(words=f"{folder}: {in_words(taken.manifest)}.", notes=(*notes, *_notes(settings, taken.manifest, keys)))


def check_backup(folder: Path) -> str:
    """What the backup holds. Raises BackupDamaged."""
    from backend.data.backup_folder import BackupFolder
    from backend.services.backups import check, in_words

    manifest = check(BackupFolder(folder))
    return f"Every file is what was written: {in_words(manifest)}. Made {origin_of(manifest)}."


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
        yield tables_of(address.dsn("supabase_admin"))
        return
    if not (settings.data_dir / "postgres").is_dir():
        raise BackupRefused(f"There is no installation in {settings.data_dir}. Name its folder with --data-dir.")
    postgres = postgres_in(settings.data_dir, say)
    try:
        yield tables_of(postgres.start().dsn("supabase_admin"))
    finally:
        postgres.stop()


def tables_of(dsn: str) -> "BackupDatabase":
    from backend.infrastructure.supabase.table_copies import PostgresTables

    return PostgresTables(dsn, [*MIGRATIONS.glob("*.sql"), *EMBEDDED.glob("*.sql")])


def postgres_in(data_dir: Path, say: Say) -> "EmbeddedPostgres":
    from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres

    return EmbeddedPostgres(data_dir, say=say)


def _require_embedded(settings: Settings) -> None:
    if not settings.embedded:
        raise BackupRefused(
            "The database is that of a Supabase project, which makes backups of its own: under Database, Backups, or"
            ' with `supabase db dump` (docs/operations.md, "Backup of a project"). The files that are here are saved'
            " with --files-only."
        )


def _require_apart(settings: Settings, folder: Path, keys: Path | None) -> None:
    from backend.infrastructure.plain_files import lies_in
    from backend.infrastructure.saved_keys import require_apart

    # What is right below the cache folder may be on another disk.
    linked = settings.cache_dir.iterdir() if settings.cache_dir.is_dir() else ()
    saved = (settings.data_dir, settings.cache_dir, *linked)
    for place in saved:
        if lies_in(folder, place):
            raise BackupRefused(f"{folder} lies in {place}, and would be lost with it. Name a folder elsewhere.")
    if keys is not None:
        _require_embedded(settings)
        for backup in (folder, unfinished(folder)):
            require_apart(keys, backup, *saved)


def _require_space(settings: Settings, folder: Path, *, files_only: bool) -> None:
    """Before anything is written. What an interrupted run has copied is there already."""
    from backend.data.cache_copies import is_kept
    from backend.infrastructure.plain_files import free_bytes, size_below
    from backend.services.backups import require_space

    draft = unfinished(folder)
    cache, copied = size_below(settings.cache_dir, is_kept), size_below(draft) if draft.is_dir() else 0
    database = 0 if files_only else size_below(cluster_in(settings.data_dir) / "base")
    rows = max(0, database - _EMPTY_DATABASE)
    require_space(folder, free=free_bytes(folder), files=max(0, cache - copied), rows=rows)


def cluster_in(data_dir: Path) -> Path:
    from backend.infrastructure.supabase.embedded_postgres import MAJOR_VERSION

    return data_dir / "postgres" / MAJOR_VERSION


def _operator_files(settings: Settings) -> dict[str, bytes]:
    from backend.infrastructure.plain_files import opened

    if settings.embedded:
        with contextlib.suppress(FileNotFoundError), opened(cluster_in(settings.data_dir) / OPERATOR_CONF) as file:
            return {OPERATOR_CONF: file.read()}
    return {}


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


def origin_of(manifest: BackupManifest) -> str:
    return f"by Tidemark {manifest.tidemark} as of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC"

"""The manifest of a backup is read and judged here, once, before anything is done that it says.

Whoever wrote it may be a stranger: what is read is what Tidemark would have written, to the letter, or it is refused.
"""

import re
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import TypeAdapter, ValidationError

from backend.domain.backups import (
    CACHE,
    DATABASE,
    FORMAT,
    OPERATOR_CONF,
    BackupDamaged,
    BackupManifest,
    BackupRefused,
    DatabaseCopy,
    FileCopy,
    TableCopy,
    is_sound,
)

# Five times what a million files take.
MOST_BYTES: Final = 1024**3
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MOST_COUNTED: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class _Head:
    """What a manifest of any format has."""

    format: int
    tidemark: str


def read_manifest(text: str) -> BackupManifest:
    """Raises BackupDamaged when it was cut, edited or made up, BackupRefused when it is of another format."""
    try:
        head = TypeAdapter(_Head).validate_json(text, strict=True)
        if head.format == FORMAT:
            manifest = TypeAdapter(BackupManifest).validate_json(text, strict=True)
    except (ValidationError, UnicodeEncodeError):
        raise BackupDamaged("Its manifest cannot be read: it was cut or edited. Use another backup.") from None
    if head.format != FORMAT:
        raise BackupRefused(
            f"Tidemark {head.tidemark:.40} wrote this backup in format {head.format}; this version reads {FORMAT}."
            f" Use {'that version or a newer one' if head.format > FORMAT else 'that version'}."
        )
    if manifest.to_text() != text:
        raise BackupDamaged("Its manifest was changed since it was written. Use another backup.")
    if (fault := next(_faults(manifest), None)) is not None:
        raise BackupDamaged(f"Its manifest cannot be believed: {fault}. Use another backup.")
    return manifest


def _faults(manifest: BackupManifest) -> Iterator[str]:
    if manifest.made_at.utcoffset() != timedelta(0):
        yield "its time is not in UTC"
    for file in manifest.files:
        if not is_sound(file.path):
            yield f"the path {file.path!r:.100} is none below its folder"
        elif file.path != OPERATOR_CONF and not file.path.startswith((f"{CACHE}/", f"{DATABASE}/")):
            yield f"{file.path!r:.100} is no part of a backup"
        if not _is_measured(file):
            yield f"{file.path!r:.100} has no size and hash"
    yield from (f"{path} is named twice" for path in _twice([file.path for file in manifest.files]))
    rows = {file.path for file in manifest.files if file.path.startswith(f"{DATABASE}/")}
    if rows != {table.shape.rows_path for table in manifest.database.tables} if manifest.database else rows:
        yield "its tables are not those that it has files of"
    if manifest.database is not None:
        yield from _database_faults(manifest.database)


def _database_faults(database: DatabaseCopy) -> Iterator[str]:
    shapes = tuple(table.shape for table in database.tables)
    if shapes != database.facts.tables:
        yield "its tables are not those that the database had"
    yield from (f"the table {name:.100} is named twice" for name in _twice([shape.rows_path for shape in shapes]))
    for table in database.tables:
        if not (_is_measured(table) and 0 <= table.rows <= _MOST_COUNTED):
            yield f"the table {table.shape!s:.100} has no size and hash"
    for counter in database.facts.counters:
        if abs(counter.last or 0) > _MOST_COUNTED:
            yield f"the counter {counter.schema:.50}.{counter.name:.50} is out of bounds"
    if not 0 <= database.facts.exchange_keys <= _MOST_COUNTED:
        yield "its number of exchange keys is out of bounds"


def _is_measured(copied: FileCopy | TableCopy) -> bool:
    return 0 <= copied.size_bytes <= _MOST_COUNTED and _SHA256.fullmatch(copied.sha256) is not None


def _twice(names: list[str]) -> list[str]:
    return [name for name, times in Tally(names).items() if times > 1]

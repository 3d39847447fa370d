"""The keys of an installation in a file apart: whoever has it and a backup opens all exchange keys."""

import json
import os
from pathlib import Path
from typing import Final

from backend.domain.backups import BackupRefused
from backend.domain.errors import DataDirectoryUnusable
from backend.infrastructure.key_manager import MasterKey
from backend.infrastructure.plain_files import lies_in, make_private, opened, write_whole

MASTER_KEYS: Final = "encryption.json"
SIGNING_KEYS: Final = "auth.json"


def keys_of(data_dir: Path) -> bytes:
    """The files that open what is sealed, and sign what is believed, as one document."""
    found = {}
    for name in (MASTER_KEYS, SIGNING_KEYS):
        try:
            with opened(data_dir / "secrets" / name) as file:
                found[name] = json.load(file)
        except FileNotFoundError:
            continue
        except ValueError as problem:
            raise DataDirectoryUnusable(f"{data_dir / 'secrets' / name} cannot be read: {problem}.") from None
    return json.dumps(found, indent=1).encode()


def require_apart(file: Path, backup: Path, *others: Path) -> None:
    """Raises BackupRefused for a file that is there, or lies in the backup or in what the next backup saves."""
    if lies_in(file, backup):
        raise BackupRefused(
            f"{file} lies in the backup. Who has both opens all exchange keys, so name a place apart from it."
        )
    for place in others:
        if lies_in(file, place):
            raise BackupRefused(f"{file} lies in {place}. Name a place apart from it for the keys.")
    if os.path.lexists(file):
        raise BackupRefused(f"{file} is there already. Name a file that is not there yet.")


def save_keys(file: Path, keys: bytes) -> None:
    make_private(file.parent)
    write_whole(file, keys)


def read_saved_keys(file: Path) -> dict[str, str]:
    """The text of each file of keys. Raises BackupRefused for what no `save_keys` wrote."""
    try:
        found = {**json.loads(file.read_text())}
        for text in found[MASTER_KEYS]["keys"] if MASTER_KEYS in found else ():
            MasterKey.of_text(text)
        return {name: json.dumps(found[name]) for name in (MASTER_KEYS, SIGNING_KEYS) if name in found}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise BackupRefused(f"{file} cannot be read as keys that a backup wrote: {problem}.") from None


def masters_in(saved: dict[str, str]) -> set[str]:
    """The fingerprints of the master keys."""
    texts = json.loads(saved[MASTER_KEYS])["keys"] if MASTER_KEYS in saved else []
    return {MasterKey.of_text(text).fingerprint for text in texts}

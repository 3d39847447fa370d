"""The composition root of exchange keys: where their master keys are, who opens them, and how the master is changed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.domain.errors import ConfigurationError
from backend.domain.exchange_keys import MasterKeyMissing
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.domain.key_ports import KeyLocks, KeyProber, KeyVault
    from backend.infrastructure.key_manager import MasterKey, MasterKeyFile
    from backend.infrastructure.service_database import ServiceDatabase
    from backend.services.exchange_keys import KeyDesk, Rewrapped

Say = Callable[[str], None]
MasterKeys = Callable[[], "tuple[MasterKey, ...]"]


async def open_key_desk(
    database: "ServiceDatabase", keys: MasterKeys, say: Say, prober: "KeyProber | None" = None
) -> "KeyDesk":
    """Exchange keys, sealed under the newest master key where none are sealed yet."""
    from backend.data.fetchers.key_probes import KeyProbes
    from backend.data.storage.exchange_keys import KeyVaultTables
    from backend.infrastructure.key_manager import KeyManager
    from backend.services.exchange_keys import KeyDesk

    vault, held = KeyVaultTables(database), keys()
    present = await vault.set_master(held[-1].fingerprint, only_if_free=True)
    if present not in {key.fingerprint for key in held}:
        say(
            f"Exchange keys are sealed under the master key {present}, which is not here. Put it back, or they stay"
            ' locked (docs/operations.md, "The master key").'
        )
    return KeyDesk(prober or KeyProbes(now=time.time), KeyManager(keys), vault)


def master_keys(settings: Settings) -> MasterKeys:
    """Where the master keys of exchange keys are read, newest last; the first is made beside the embedded database."""
    from backend.infrastructure.key_manager import MasterKey

    given = (settings.encryption_key_previous, settings.encryption_key)
    if settings.encryption_key is not None:
        return lambda: tuple(MasterKey.of_text(key.get_secret_value()) for key in given if key is not None)
    if not settings.embedded:
        raise ConfigurationError(
            "A Supabase project needs ENCRYPTION_KEY, which exchange keys are sealed under: `openssl rand -base64 32`"
            " makes one. Set it for every server of the project, and keep a copy where the database is not."
        )
    file = _file(settings)
    return lambda: file.keys() or (file.add(),)


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """What was done, in words, and a line for each key that could not be opened."""

    words: str
    damaged: tuple[str, ...]


async def rotate(settings: Settings, worker_dsn: str) -> Rotated:
    """Seal all exchange keys under a new master key, row by row and online; go on with what was interrupted."""
    from backend.data.storage.exchange_keys import KeyVaultTables
    from backend.infrastructure.election import AdvisoryLockElection
    from backend.infrastructure.key_manager import KeyManager
    from backend.infrastructure.service_database import ServiceDatabase

    keys = master_keys(settings)
    database = ServiceDatabase(worker_dsn, min_size=1, max_size=1)
    alone = AdvisoryLockElection(worker_dsn, "tidemark master key")
    await database.open()
    try:
        # Two at once would each throw the other's master key away.
        if not await alone.is_won():
            raise ConfigurationError("Another rotation of the master key is at work. Let it end first.")
        vault = KeyVaultTables(database)
        await _require_present(vault, keys())
        return await _rotated(settings, vault, KeyManager(keys), keys)
    finally:
        await alone.close()
        await database.close()


async def _require_present(vault: "KeyVault", held: "tuple[MasterKey, ...]") -> None:
    present = await vault.set_master(held[-1].fingerprint, only_if_free=True)
    if present not in {key.fingerprint for key in held}:
        raise ConfigurationError(MasterKeyMissing(present).detail)


async def _rotated(settings: Settings, vault: "KeyVault", locks: "KeyLocks", keys: MasterKeys) -> Rotated:
    """To the newest master key where a rotation to it has begun and is not over, else to a new one."""
    from backend.services.exchange_keys import rewrap_all

    newest = keys()[-1]
    is_begun = await vault.master() != newest.fingerprint
    done = await rewrap_all(vault, locks, newest.fingerprint)
    # What stays under an older one because it cannot be opened is no rotation that was cut off.
    if is_begun or done.done:
        return _told(settings, newest, done)
    fresh = _fresh(settings)
    return _told(settings, fresh, await rewrap_all(vault, locks, fresh.fingerprint))


def _fresh(settings: Settings) -> "MasterKey":
    if settings.encryption_key is None:
        return _file(settings).add()
    raise ConfigurationError(
        "All exchange keys that can be opened are sealed under this ENCRYPTION_KEY. Make a new one with"
        " `openssl rand -base64 32`, set it as ENCRYPTION_KEY and the present one as"
        " ENCRYPTION_KEY_PREVIOUS, restart the servers, and run this again."
    )


def _told(settings: Settings, target: "MasterKey", done: "Rewrapped") -> Rotated:
    many = f"{done.done} exchange key{'' if done.done == 1 else 's'}"
    told = f"{many} sealed anew under the master key {target.fingerprint}."
    if done.damaged:
        kept = f"{told} {len(done.damaged)} cannot be opened and stay as they are; older master keys are kept for them."
        lines = (
            f"{one.key_id} ({one.provider}) of user {one.user_id}: {why}. Its owner rotates or deletes it."
            for one, why in done.damaged.items()
        )
        return Rotated(words=kept, damaged=tuple(sorted(lines)))
    if settings.encryption_key is not None:
        return Rotated(words=f"{told} ENCRYPTION_KEY_PREVIOUS is not needed any more.", damaged=())
    _file(settings).keep((target,))
    back_up = f"back {_path(settings)} up now, beside your next backup of the database."
    return Rotated(words=f"{told} Older master keys are gone: {back_up}", damaged=())


def _file(settings: Settings) -> "MasterKeyFile":
    from backend.infrastructure.key_manager import MasterKeyFile

    return MasterKeyFile(_path(settings))


def _path(settings: Settings) -> Path:
    return settings.data_dir / "secrets" / "encryption.json"

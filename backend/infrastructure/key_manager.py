"""The service's own lock on exchange keys: AES-256-GCM with a random key for each secret, which a master key wraps.

The master key is `ENCRYPTION_KEY`, or a file beside the embedded database. A sealed secret names its master key by a
fingerprint, and is bound to its row, user, provider and version.
"""

import base64
import binascii
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend.domain.errors import DataDirectoryUnusable
from backend.domain.exchange_keys import Binding, Credentials, KeyUnreadable, MasterKeyMissing, StoredSecret
from backend.infrastructure.supabase.postgres.address import belong_to_owner_of_folder

_FORMAT = b"\x01"
_KEY_BYTES, _NONCE_BYTES, _TAG_BYTES, _FINGERPRINT_BYTES = 32, 12, 16, 8
_WRAPPED_BYTES = _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES
_HEAD_BYTES = len(_FORMAT) + _FINGERPRINT_BYTES + _WRAPPED_BYTES


@dataclass(frozen=True, kw_only=True)
class MasterKey:
    """32 random bytes, and the fingerprint that names them and tells nothing of them."""

    raw: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        return cls(raw=secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Raises ValueError for what is not 32 bytes in base64."""
        try:
            plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
            raw = base64.b64decode(f"{plain}=", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != _KEY_BYTES:
            raise ValueError("must be 32 random bytes in base64; `openssl rand -base64 32` makes some")
        return cls(raw=raw)

    @property
    def text(self) -> str:
        return base64.b64encode(self.raw).decode()

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(b"tidemark master key" + self.raw).digest()[:_FINGERPRINT_BYTES].hex()


class MasterKeyFile:
    """The master keys of an installation with an embedded database, newest last, in a file of mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keys(self) -> tuple[MasterKey, ...]:
        try:
            return tuple(MasterKey.of_text(text) for text in json.loads(self._path.read_text())["keys"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise DataDirectoryUnusable(
                f"{self._path} cannot be read as master keys ({type(problem).__name__}). Put it back from your backup;"
                " without it, exchange keys cannot be opened."
            ) from None

    def add(self) -> MasterKey:
        made = MasterKey.generate()
        self.keep((*self.keys(), made))
        return made

    def keep(self, keys: tuple[MasterKey, ...]) -> None:
        """These alone. The old file stays whole until the new one is on the disk."""
        aside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            aside.unlink(missing_ok=True)
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump({"keys": [key.text for key in keys]}, file)
                file.flush()
                os.fsync(file.fileno())
            belong_to_owner_of_folder(aside)
            aside.rename(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as problem:
            raise DataDirectoryUnusable(f"{self._path} cannot be written: {problem.strerror}.") from problem


class KeyManager:
    """KeyLocks. `master_keys` is asked again when a secret names one that is not known yet: it may be new."""

    def __init__(self, master_keys: Callable[[], tuple[MasterKey, ...]]) -> None:
        self._master_keys = master_keys
        self._known: Mapping[str, MasterKey] = {}

    def seal(self, credentials: Credentials, binding: Binding, master: str | None) -> bytes:
        wrapping = self._master(master)
        key, nonce = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
        content = AESGCM(key).encrypt(nonce, json.dumps(asdict(credentials)).encode(), binding.words)
        return _FORMAT + bytes.fromhex(wrapping.fingerprint) + _wrapped(key, wrapping, binding) + nonce + content

    def open(self, secret: StoredSecret) -> Credentials:
        nonce = secret.sealed[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        content = secret.sealed[_HEAD_BYTES + _NONCE_BYTES :]
        key = self._key_of(secret)
        try:
            return Credentials(**json.loads(AESGCM(key).decrypt(nonce, content, secret.binding.words)))
        except (InvalidTag, ValueError, TypeError):
            raise KeyUnreadable from None

    def rewrapped(self, secret: StoredSecret, master: str) -> StoredSecret:
        wrapping = self._master(master)
        head = _FORMAT + bytes.fromhex(master) + _wrapped(self._key_of(secret), wrapping, secret.binding)
        return replace(secret, sealed=head + secret.sealed[_HEAD_BYTES:])

    def _key_of(self, secret: StoredSecret) -> bytes:
        """The key of this one secret, unwrapped."""
        if not secret.sealed.startswith(_FORMAT) or len(secret.sealed) < _HEAD_BYTES + _NONCE_BYTES + _TAG_BYTES:
            raise KeyUnreadable
        place = len(_FORMAT) + _FINGERPRINT_BYTES
        wrapping = self._master(secret.sealed[len(_FORMAT) : place].hex())
        nonce, wrapped = secret.sealed[place : place + _NONCE_BYTES], secret.sealed[place + _NONCE_BYTES : _HEAD_BYTES]
        try:
            return AESGCM(wrapping.raw).decrypt(nonce, wrapped, secret.binding.words)
        except InvalidTag:
            raise KeyUnreadable from None

    def _master(self, fingerprint: str | None) -> MasterKey:
        if fingerprint is not None and fingerprint not in self._known:
            self._known = {key.fingerprint: key for key in self._master_keys()}
        if fingerprint is None or fingerprint not in self._known:
            raise MasterKeyMissing(fingerprint)
        return self._known[fingerprint]


def _wrapped(key: bytes, wrapping: MasterKey, binding: Binding) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(wrapping.raw).encrypt(nonce, key, binding.words)

"""What exchange keys need from outside: tables, the service's vault, locks, and somebody who asks providers."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from backend.domain.exchange_keys import (
    Attempt,
    Binding,
    Credentials,
    ExchangeKey,
    KeyEvent,
    KeyOutcome,
    KeyProvider,
    Probe,
    SealedKey,
    StoredSecret,
)
from backend.domain.pages import Page, Place


class KeyRepository(Protocol):
    """A user's own exchange keys, narrowed by the database. Whatever changes them raises SessionEnded without a live
    session and QuotaReached at a limit, and writes the audit log in the same transaction."""

    async def keys(self, *, limit: int, after: Place | None) -> Page[ExchangeKey]:
        """Newest first."""

    async def key(self, key_id: UUID) -> ExchangeKey | None: ...

    async def note_read(self, address: str | None) -> None:
        """They were looked at; once for every ten minutes, session and address."""

    async def note_refused(self, attempt: Attempt, outcome: KeyOutcome) -> None:
        """Nothing was stored; once for ten minutes of the same, and fifty times a day."""

    async def require_room(self) -> None:
        """Raises QuotaReached when there are as many as may be."""

    async def require_change(self) -> None: ...

    async def master(self) -> str | None:
        """Under which master key new secrets are sealed."""

    async def add(self, key: SealedKey, *, label: str, address: str | None) -> bool:
        """False when it was sealed under another master key than the present one."""

    async def replace(self, key: SealedKey, *, address: str | None) -> bool:
        """A new secret in the old one's place; False as in `add`. Raises VersionConflict when it was replaced since."""

    async def label(self, key_id: UUID, label: str, *, address: str | None) -> bool:
        """False when there is none of that id."""

    async def delete(self, key_id: UUID, *, address: str | None) -> bool: ...

    async def events(self, *, limit: int, after: Place | None) -> Page[KeyEvent]:
        """The audit log, newest first."""


class KeyVault(Protocol):
    """Secrets as the service reads them, each time with a line in the audit log."""

    async def take(
        self, user_id: UUID, key_id: UUID, *, is_use: bool, address: str | None, reason: str
    ) -> StoredSecret | None:
        """None when the user has no such key, or is suspended."""

    async def due(self, most: int) -> Sequence[tuple[UUID, UUID]]:
        """Users and their keys that should be looked at again, for the caller alone."""

    async def note_test(self, binding: Binding, probe: Probe, *, is_asked: bool, address: str | None) -> bool:
        """Permissions stay when it does not work. False when the secret was replaced since, or is gone."""

    async def master(self) -> str | None: ...

    async def set_master(self, master: str, *, only_if_free: bool) -> str:
        """The master key that holds now; `only_if_free` changes none under which secrets are sealed."""

    async def to_rewrap(self, most: int) -> Sequence[StoredSecret]:
        """Some that are sealed under another master key than the present one."""

    async def rewrap(self, secret: StoredSecret, master: str) -> bool:
        """False when it was replaced or deleted since it was read."""


class KeyLocks(Protocol):
    """Seals secrets under master keys, which never leave it. Raises MasterKeyMissing."""

    def seal(self, credentials: Credentials, binding: Binding, master: str | None) -> bytes: ...

    def open(self, secret: StoredSecret) -> Credentials:
        """Raises KeyUnreadable."""

    def rewrapped(self, secret: StoredSecret, master: str) -> StoredSecret:
        """The same secret under another master key; the secret itself is not opened."""


class KeyProber(Protocol):
    """Asks a provider what a key may do."""

    async def probe(self, provider: KeyProvider, credentials: Credentials) -> Probe:
        """Raises a VendorError when it does not answer. That it does not take the key is an answer."""

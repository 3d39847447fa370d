"""Exchange keys: added, tested, replaced and taken away. No answer of this module holds a secret.

Providers are asked between transactions, never inside one: a slow one must not hold a connection.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID, uuid4

from backend.domain.accounts import Identity
from backend.domain.errors import Conflict
from backend.domain.exchange_keys import (
    Attempt,
    Binding,
    Credentials,
    ExchangeKey,
    KeyAction,
    KeyCanWithdraw,
    KeyEvent,
    KeyNotFound,
    KeyOutcome,
    KeyProvider,
    KeyRefused,
    KeysNeedAccount,
    KeyUnreadable,
    MasterKeyMissing,
    Probe,
    SealedKey,
    clean_label,
    require_accepted,
)
from backend.domain.key_ports import KeyLocks, KeyProber, KeyRepository, KeyVault
from backend.domain.market_errors import VendorError
from backend.domain.pages import Page, Place
from backend.services.key_checks import Checked, check_due, found_of

# A rotation of the master key may come between asking for it and storing under it; two in a row do not.
_TRIES = 3
_REWRAPPED_AT_ONCE = 100


class ExchangeKeys:
    """The keys of the one who is acting, inside one transaction."""

    def __init__(self, identity: Identity, repository: KeyRepository) -> None:
        self.identity = identity
        self.repository = repository

    async def keys(self, *, limit: int, after: Place | None = None, address: str | None) -> Page[ExchangeKey]:
        await self.repository.note_read(address)
        return await self.repository.keys(limit=limit, after=after)

    async def events(self, *, limit: int, after: Place | None = None) -> Page[KeyEvent]:
        return await self.repository.events(limit=limit, after=after)

    async def key(self, key_id: UUID) -> ExchangeKey:
        found = await self.repository.key(key_id)
        if found is None:
            raise KeyNotFound(key_id)
        return found

    async def label(self, key_id: UUID, label: str, *, address: str | None) -> ExchangeKey:
        if not await self.repository.label(key_id, clean_label(label), address=address):
            raise KeyNotFound(key_id)
        return await self.key(key_id)

    async def delete(self, key_id: UUID, *, address: str | None) -> None:
        if not await self.repository.delete(key_id, address=address):
            raise KeyNotFound(key_id)

    async def require_room(self) -> None:
        if self.identity.is_anonymous:
            raise KeysNeedAccount
        await self.repository.require_room()

    async def changeable(self, key_id: UUID) -> ExchangeKey:
        """One's own key, in a session that may change it."""
        if self.identity.is_anonymous:
            raise KeysNeedAccount
        await self.repository.require_change()
        return await self.key(key_id)


# Opens one transaction as the one who is acting.
Acting = Callable[[], AbstractAsyncContextManager[ExchangeKeys]]


@dataclass(frozen=True, kw_only=True)
class KeyWanted:
    """What somebody wants to be stored."""

    provider: KeyProvider
    label: str
    credentials: Credentials
    accept_withdrawals: str | None


# Puts a sealed secret into its place; False when the master key was rotated meanwhile.
Store = Callable[[KeyRepository, SealedKey], Awaitable[bool]]


class KeyDesk:
    """What takes more than a transaction: judging a key by its provider, sealing it, and opening it again."""

    def __init__(self, prober: KeyProber, locks: KeyLocks, vault: KeyVault) -> None:
        self._prober = prober
        self._locks = locks
        self._vault = vault

    async def add(self, acting: Acting, wanted: KeyWanted, *, address: str | None) -> ExchangeKey:
        label = clean_label(wanted.label)
        async with acting() as mine:
            await mine.require_room()
            owner = mine.identity.user_id
        attempt = Attempt(action=KeyAction.CREATE, provider=wanted.provider, key_id=None, address=address)
        probe = await self._judged(acting, attempt, wanted.credentials, wanted.accept_withdrawals)
        binding = Binding(key_id=uuid4(), user_id=owner, provider=wanted.provider, secret_version=1)

        async def store(repository: KeyRepository, sealed: SealedKey) -> bool:
            return await repository.add(sealed, label=label, address=address)

        return await self._stored(acting, wanted.credentials, probe, binding, store)

    async def rotate(
        self,
        acting: Acting,
        key_id: UUID,
        credentials_at: Callable[[KeyProvider], Credentials],
        *,
        accept_withdrawals: str | None,
        address: str | None,
    ) -> ExchangeKey:
        """A new secret in the old one's place. The old one serves until the very moment that the new one does."""
        async with acting() as mine:
            present = await mine.changeable(key_id)
            owner = mine.identity.user_id
        credentials = credentials_at(present.provider)
        attempt = Attempt(action=KeyAction.ROTATE, provider=present.provider, key_id=key_id, address=address)
        probe = await self._judged(acting, attempt, credentials, accept_withdrawals)
        following = present.secret_version + 1
        binding = Binding(key_id=key_id, user_id=owner, provider=present.provider, secret_version=following)

        async def store(repository: KeyRepository, sealed: SealedKey) -> bool:
            return await repository.replace(sealed, address=address)

        return await self._stored(acting, credentials, probe, binding, store)

    async def test(self, acting: Acting, key_id: UUID, *, address: str | None) -> ExchangeKey:
        """Ask the provider again: whether it still takes the key, and what the key may do by now."""
        async with acting() as mine:
            await mine.changeable(key_id)
            owner = mine.identity.user_id
        secret = await self._vault.take(owner, key_id, is_use=False, address=address, reason="To test it.")
        if secret is None:
            raise KeyNotFound(key_id)
        probe = await found_of(self._prober, secret.binding.provider, self._locks.open(secret))
        await self._vault.note_test(secret.binding, probe, is_asked=True, address=address)
        async with acting() as mine:
            return await mine.key(key_id)

    async def use(self, user_id: UUID, key_id: UUID, *, reason: str) -> Credentials:
        """The key itself, for what the house does for its owner; `reason` goes into the audit log."""
        secret = await self._vault.take(user_id, key_id, is_use=True, address=None, reason=reason)
        if secret is None:
            raise KeyNotFound(key_id)
        return self._locks.open(secret)

    async def check_due(self, is_cancelled: Callable[[], bool]) -> Checked:
        """Look at the keys of everybody again, about once a day; what no longer works is marked."""
        return await check_due(self._vault, self._locks, self._prober, is_cancelled)

    async def _judged(self, acting: Acting, attempt: Attempt, credentials: Credentials, accepts: str | None) -> Probe:
        """What is refused is on record, without the key."""
        try:
            probe = await self._prober.probe(attempt.provider, credentials)
            require_accepted(probe, accepts)
        except (KeyRefused, KeyCanWithdraw, VendorError) as refusal:
            async with acting() as mine:
                await mine.repository.note_refused(attempt, _outcome(refusal))
            raise
        return probe

    async def _stored(
        self, acting: Acting, credentials: Credentials, probe: Probe, binding: Binding, store: Store
    ) -> ExchangeKey:
        for _ in range(_TRIES):
            async with acting() as mine:
                master = await mine.repository.master()
                sealed = SealedKey(
                    binding=binding,
                    hint=credentials.hint,
                    probe=probe,
                    master=master or "",
                    sealed=self._locks.seal(credentials, binding, master),
                )
                if await store(mine.repository, sealed):
                    return await mine.key(binding.key_id)
        raise MasterKeyMissing(None)


@dataclass(frozen=True, kw_only=True)
class Rewrapped:
    """How many were sealed anew, and which cannot be opened, with the reason."""

    done: int
    damaged: Mapping[Binding, str]


async def rewrap_all(vault: KeyVault, locks: KeyLocks, master: str) -> Rewrapped:
    """Seal what is sealed under older master keys under this one, row by row, while everything is in use.

    Can be interrupted and repeated at any point. What cannot be opened stays as it is, and stops nothing.
    """
    await vault.set_master(master, only_if_free=False)
    done, damaged = 0, dict[Binding, str]()
    while found := await vault.to_rewrap(_REWRAPPED_AT_ONCE + len(damaged)):
        fresh = [secret for secret in found if secret.binding not in damaged]
        if not fresh:
            break
        for secret in fresh:
            try:
                rewrapped = locks.rewrapped(secret, master)
            except KeyUnreadable:
                damaged[secret.binding] = "it was damaged"
                continue
            except MasterKeyMissing as missing:
                damaged[secret.binding] = f"the master key {missing.master} is not here"
                continue
            if await vault.rewrap(rewrapped, master):
                done += 1
            elif await vault.master() != master:
                raise Conflict("Another rotation of the master key began meanwhile. Run this again when it is over.")
    return Rewrapped(done=done, damaged=damaged)


def _outcome(refusal: Exception) -> KeyOutcome:
    if isinstance(refusal, KeyRefused):
        return KeyOutcome.REFUSED
    return KeyOutcome.CAN_WITHDRAW if isinstance(refusal, KeyCanWithdraw) else KeyOutcome.UNREACHABLE

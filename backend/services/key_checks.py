"""Exchange keys are looked at again by the service about once a day, so that what no longer works is marked in time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from loguru import logger

from backend.domain.errors import ServiceUnavailable
from backend.domain.exchange_keys import Credentials, KeyProvider, KeyState, KeyUnreadable, Probe, StoredSecret
from backend.domain.key_ports import KeyLocks, KeyProber, KeyVault
from backend.domain.market_errors import VendorError

# Different providers at the same time; how many of one, its reader says.
AT_ONCE: Final = 6
# Of one job, which has ten minutes. What is left comes with the next, an hour later.
LONGEST_SECONDS: Final = 240.0
_REASON: Final = "For its daily check."


@dataclass(frozen=True, kw_only=True)
class Checked:
    """How many keys were looked at, and how many of them do not work."""

    keys: int
    failing: int


async def check_due(
    vault: KeyVault,
    locks: KeyLocks,
    prober: KeyProber,
    is_cancelled: Callable[[], bool],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Checked:
    """A few at a time, so that none is taken that cannot be looked at. Raises MasterKeyMissing."""
    ends_at, found = clock() + LONGEST_SECONDS, list[bool]()
    while not is_cancelled() and clock() < ends_at and (due := await vault.due(AT_ONCE)):
        asked = (_works(vault, locks, prober, user, key) for user, key in due)
        # All of them end before one that failed is told: none goes on behind a job that is over.
        for works in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(works, BaseException):
                raise works
            if works is not None:
                found.append(works)
    return Checked(keys=len(found), failing=found.count(False))


async def found_of(prober: KeyProber, provider: KeyProvider, credentials: Credentials) -> Probe:
    """What a provider says of a key, also when it says nothing."""
    try:
        return await prober.probe(provider, credentials)
    except VendorError as failure:
        return Probe.failed(KeyState.UNREACHABLE, failure.detail)


async def _works(vault: KeyVault, locks: KeyLocks, prober: KeyProber, user_id: UUID, key_id: UUID) -> bool | None:
    """None when it is gone, or nobody knows: what is wrong with one key is no reason for the others to wait."""
    try:
        secret = await vault.take(user_id, key_id, is_use=False, address=None, reason=_REASON)
        if secret is None:
            return None
        probe = await _found(locks, prober, secret)
        if not await vault.note_test(secret.binding, probe, is_asked=False, address=None):
            return None
    except ServiceUnavailable:
        raise
    except Exception:  # noqa: BLE001 - logged, and tried again within the day
        logger.exception("The exchange key {} cannot be checked", key_id)
        return None
    if not probe.works:
        logger.bind(user_id=str(user_id)).info(
            "The exchange key {} of {} does not work: {}", key_id, secret.binding.provider, probe.health.state
        )
    return probe.works


async def _found(locks: KeyLocks, prober: KeyProber, secret: StoredSecret) -> Probe:
    try:
        credentials = locks.open(secret)
    except KeyUnreadable as damage:
        return Probe.failed(KeyState.UNREADABLE, damage.detail)
    return await found_of(prober, secret.binding.provider, credentials)

"""The daily look at exchange keys: each by itself, and no longer than a job may take."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from backend.domain.exchange_keys import (
    Binding,
    Credentials,
    KeyProvider,
    KeyState,
    KeyUnreadable,
    MasterKeyMissing,
    Probe,
    StoredSecret,
)
from backend.domain.market_errors import VendorRefused, VendorUnavailable
from backend.services.key_checks import AT_ONCE, LONGEST_SECONDS, Checked, check_due
from tests.fake_exchange_keys import FakeProber


class Vault:
    """The part of a KeyVault that checks need, over keys that are their own sealed secrets."""

    def __init__(self, *keys: str) -> None:
        self.user_id = uuid4()
        self.keys = {uuid4(): key for key in keys}
        self.waiting = list(self.keys)
        self.found: dict[str, KeyState] = {}

    async def due(self, most: int) -> Sequence[tuple[UUID, UUID]]:
        some, self.waiting = self.waiting[:most], self.waiting[most:]
        return [(self.user_id, key_id) for key_id in some]

    async def take(
        self, user_id: UUID, key_id: UUID, *, is_use: bool, address: str | None, reason: str
    ) -> StoredSecret | None:
        assert (is_use, address) == (False, None)
        if self.keys[key_id] == "gone":
            return None
        binding = Binding(key_id=key_id, user_id=user_id, provider=KeyProvider.BINANCE, secret_version=1)
        return StoredSecret(binding=binding, sealed=self.keys[key_id].encode())

    async def note_test(self, binding: Binding, probe: Probe, *, is_asked: bool, address: str | None) -> bool:
        assert not is_asked
        self.found[self.keys[binding.key_id]] = probe.health.state
        return self.keys[binding.key_id] != "rotated"


class Locks:
    def open(self, secret: StoredSecret) -> Credentials:
        key = secret.sealed.decode()
        if key == "damaged":
            raise KeyUnreadable
        if key == "locked":
            raise MasterKeyMissing("0123456789abcdef")
        return Credentials(key=key, secret="secret")


class Stumbling(FakeProber):
    async def probe(self, provider: KeyProvider, credentials: Credentials) -> Probe:
        if credentials.key == "stumbles":
            raise RuntimeError("nobody expected that")
        return await super().probe(provider, credentials)


async def looked(vault: Vault, *, is_cancelled: bool = False, clock: Sequence[float] = ()) -> Checked:
    prober, times = Stumbling(), iter(clock)
    prober.failures = {"refused": VendorRefused("It refused."), "away": VendorUnavailable("No answer.")}
    return await check_due(
        vault,  # type: ignore[arg-type]  # the part of it that is asked
        Locks(),  # type: ignore[arg-type]
        prober,
        lambda: is_cancelled,
        clock=lambda: next(times, 0.0),
    )


async def test_what_is_wrong_with_one_key_is_no_reason_for_the_others_to_wait() -> None:
    vault = Vault("works", "refused", "away", "damaged", "stumbles", "gone", "rotated", "works too")
    checked = await looked(vault)
    assert (checked.keys, checked.failing) == (5, 3)
    assert vault.found == {
        "works": KeyState.WORKS,
        "refused": KeyState.REFUSED,
        "away": KeyState.UNREACHABLE,
        "damaged": KeyState.UNREADABLE,
        "rotated": KeyState.WORKS,
        "works too": KeyState.WORKS,
    }


async def test_without_the_master_key_nothing_more_is_taken() -> None:
    vault = Vault("locked", *(f"key {number}" for number in range(2 * AT_ONCE)))
    with pytest.raises(MasterKeyMissing):
        await looked(vault)
    # Those that were taken with it are looked at all the same.
    assert len(vault.found) == AT_ONCE - 1
    assert len(vault.waiting) == AT_ONCE + 1


async def test_a_job_that_is_cancelled_or_has_no_time_left_takes_no_more() -> None:
    keys = [f"key {number}" for number in range(3 * AT_ONCE)]
    assert (await looked(Vault(*keys), is_cancelled=True)).keys == 0
    assert (await looked(Vault(*keys), clock=(0.0, 1.0, LONGEST_SECONDS))).keys == AT_ONCE
    assert (await looked(Vault(*keys))).keys == 3 * AT_ONCE

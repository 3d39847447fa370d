"""A provider of keys in memory: it takes every key but those it is told to refuse."""

from backend.domain.exchange_keys import Credentials, KeyHealth, KeyProvider, KeyState, Permission, Probe
from backend.domain.market_errors import VendorError, VendorRefused


class FakeProber:
    """A KeyProber. `failures` are by key."""

    def __init__(self) -> None:
        self.permissions = frozenset({Permission.READ, Permission.TRADE})
        self.failures: dict[str, VendorError] = {}
        self.asked: list[Credentials] = []

    async def probe(self, provider: KeyProvider, credentials: Credentials) -> Probe:
        self.asked.append(credentials)
        failure = self.failures.get(credentials.key)
        if isinstance(failure, VendorRefused):
            return Probe.failed(KeyState.REFUSED, failure.detail)
        if failure is not None:
            raise failure
        health = KeyHealth(state=KeyState.WORKS, detail="It takes this key.", clock_skew_seconds=0.2)
        return Probe(permissions=self.permissions, health=health)

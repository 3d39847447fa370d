"""`tidemark serve` whose exchanges and brokers answer from this process, so that keys can be tried without having any.

What a key may do is in its name: one with "Withdraw" can, one with "Reads" only reads, "Late" is where clocks differ,
"Away" where nobody answers, and all have the secret of `tests/vendors/key_vendors.py` unless it is a wrong one.

python -m tests.serve_with_key_vendors serve --data-dir FOLDER
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from backend.cli.main import main
from backend.data.fetchers import key_probes
from backend.domain.exchange_keys import KeyProvider
from tests.vendors.key_vendors import SECRET, KeyVendor
from tests.vendors.server import Reply, Request, VendorServer


class AnySecret(dict[str, str]):
    """Every key is known, and has the same secret."""

    def __contains__(self, key: object) -> bool:
        return True

    def get(self, key: str, default: Any = None) -> Any:
        return SECRET


def vendor_of(words: str) -> KeyVendor:
    vendor = KeyVendor(trade="Reads" not in words, withdraw="Withdraw" in words, bound="Reads" in words)
    vendor.secrets = AnySecret()
    if "Late" in words:
        vendor.now = lambda: datetime.now(UTC) + timedelta(seconds=40)
    return vendor


def answer(request: Request) -> Reply:
    words = " ".join(request.headers.values())
    return Reply(status=503, body={}) if "Away" in words else vendor_of(words).answer(request)


if __name__ == "__main__":
    with VendorServer(answer, disturbed="/").running() as server:
        urls = dict.fromkeys(KeyProvider, server.url)
        key_probes.KeyProbes = partial(key_probes.KeyProbes, urls)  # type: ignore[assignment,misc]
        main()

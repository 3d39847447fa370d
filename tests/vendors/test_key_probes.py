"""What a key may do, asked with the real libraries of a server that speaks as the providers do."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from backend.data.fetchers.key_probes import KeyProbes
from backend.data.fetchers.reading import Patience
from backend.domain.exchange_keys import Credentials, KeyProvider, KeyState, Permission
from backend.domain.market_errors import VendorBusy, VendorError, VendorUnavailable
from tests.vendors.key_vendors import KEY, PASSPHRASE, SECRET, KeyVendor, credentials
from tests.vendors.server import Reply

READ, TRADE, WITHDRAW = Permission.READ, Permission.TRADE, Permission.WITHDRAW
HASTE = Patience(tries=1, try_seconds=5.0)
SIGNED = [one for one in KeyProvider if one is not KeyProvider.COINBASE]
ALPACA = (KeyProvider.ALPACA_LIVE, KeyProvider.ALPACA_PAPER)


def one_of(provider: KeyProvider) -> Credentials:
    if provider is not KeyProvider.COINBASE:
        return credentials(provider)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return Credentials(key="organizations/tests/apiKeys/0123456789", secret=pem)


@pytest.mark.parametrize("provider", list(KeyProvider))
@pytest.mark.parametrize(
    ("may", "permissions"),
    [
        ({"trade": False}, {READ}),
        ({"trade": True, "bound": False}, {READ, TRADE}),
        ({"trade": True, "withdraw": True}, {READ, TRADE, WITHDRAW}),
    ],
)
async def test_a_key_may_what_its_provider_says(
    provider: KeyProvider, may: dict[str, bool], permissions: set[Permission]
) -> None:
    vendor = KeyVendor(**may)
    with vendor.running() as urls:
        probe = await KeyProbes(urls, patience=HASTE, now=time.time).probe(provider, one_of(provider))
    assert probe.permissions == (permissions - {WITHDRAW} if provider in ALPACA else permissions)
    assert probe.health.state is KeyState.WORKS
    if provider in (KeyProvider.BINANCE, KeyProvider.BYBIT, KeyProvider.OKX):
        assert probe.health.is_bound_to_addresses is vendor.may["bound"]


@pytest.mark.parametrize("provider", SIGNED)
async def test_a_wrong_secret_is_refused_with_the_next_step_and_without_being_repeated(provider: KeyProvider) -> None:
    wrong = "another-secret-of-the-tests-123"
    with KeyVendor().running() as urls:
        probe = await KeyProbes(urls, patience=HASTE, now=time.time).probe(
            provider, credentials(provider, secret=wrong)
        )
    assert (probe.health.state, probe.permissions) == (KeyState.REFUSED, frozenset())
    assert "Check the key and its secret" in probe.health.detail
    # A refusal tells what time it is there, too.
    assert probe.health.clock_skew_seconds is not None
    for part in (wrong, KEY, PASSPHRASE, SECRET):
        assert part not in str(probe)


@pytest.mark.parametrize("provider", [KeyProvider.BINANCE, KeyProvider.ALPACA_LIVE])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Reply(status=500, body={"msg": KEY}), VendorUnavailable),
        (Reply(status=429, body={}), VendorBusy),
        (Reply(body=b"<html>" + SECRET.encode()), VendorUnavailable),
        (Reply(body={"msg": KEY}), VendorUnavailable),
        (Reply(status=400, body={"code": -1, "msg": KEY, "message": KEY}), VendorUnavailable),
    ],
)
async def test_a_provider_that_fails_is_said_to_and_never_quoted(
    provider: KeyProvider, fault: Reply, error: type[VendorError]
) -> None:
    vendor = KeyVendor()
    with vendor.running() as urls:
        vendor.server.disturb(fault, for_path="/account")
        with pytest.raises(error) as failure:
            await KeyProbes(urls, patience=HASTE, now=time.time).probe(provider, credentials(provider))
    assert KEY not in str(failure.value)
    assert SECRET not in str(failure.value)


@pytest.mark.parametrize("provider", [KeyProvider.BINANCE, KeyProvider.OKX, KeyProvider.ALPACA_LIVE])
async def test_a_redirect_does_not_carry_the_key_elsewhere(provider: KeyProvider) -> None:
    vendor, elsewhere = KeyVendor(), KeyVendor()
    with vendor.running() as urls, elsewhere.running() as others:
        away = {"Location": f"{others[provider]}/v2/account"}
        vendor.server.disturb(Reply(status=307, body={}, headers=away), for_path="/account")
        with pytest.raises(VendorUnavailable):
            await KeyProbes(urls, patience=HASTE, now=time.time).probe(provider, credentials(provider))
    assert elsewhere.server.requests == []


async def test_silence_ends_with_the_time_limit() -> None:
    vendor = KeyVendor()
    with vendor.running() as urls:
        vendor.server.disturb(Reply(body={}, silent_seconds=20), for_path="/account")
        haste = Patience(tries=1, try_seconds=0.5)
        with pytest.raises(VendorUnavailable, match=r"no whole answer within 0\.5 s"):
            await KeyProbes(urls, patience=haste, now=time.time).probe(
                KeyProvider.BINANCE, credentials(KeyProvider.BINANCE)
            )


@pytest.mark.parametrize("provider", list(KeyProvider))
async def test_a_clock_that_is_off_is_measured(provider: KeyProvider) -> None:
    moment = datetime(2026, 11, 27, 9, 30, 0, 250_000, tzinfo=UTC)
    vendor = KeyVendor()
    vendor.now = lambda: moment + timedelta(seconds=40)
    with vendor.running() as urls:
        probe = await KeyProbes(urls, patience=HASTE, now=moment.timestamp).probe(provider, one_of(provider))
    skew = probe.health.clock_skew_seconds
    assert skew is not None
    # Half of the way of the answer is taken off, however long that was.
    assert 35 < skew < 40.5


async def test_without_its_clock_the_date_of_an_answer_has_to_do() -> None:
    vendor = KeyVendor()
    vendor.now = lambda: datetime.now(UTC) + timedelta(seconds=40)
    with vendor.running() as urls:
        vendor.server.disturb(Reply(status=404, body={}), for_path="/time")
        probe = await KeyProbes(urls, patience=HASTE, now=time.time).probe(
            KeyProvider.BINANCE, credentials(KeyProvider.BINANCE)
        )
    assert probe.health.clock_skew_seconds is not None
    assert 35 < probe.health.clock_skew_seconds < 42


async def test_a_request_that_is_too_late_for_the_provider_is_a_matter_of_clocks() -> None:
    vendor = KeyVendor()
    with vendor.running() as urls:
        late = {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}
        vendor.server.disturb(Reply(status=400, body=late), for_path="/account")
        probe = await KeyProbes(urls, patience=HASTE, now=time.time).probe(
            KeyProvider.BINANCE, credentials(KeyProvider.BINANCE)
        )
    assert probe.health.state is KeyState.REFUSED
    assert "clock" in probe.health.detail


@pytest.mark.parametrize(
    ("provider", "limit", "left"),
    [(KeyProvider.BINANCE, 12_000, 11_850), (KeyProvider.BYBIT, 10, 9), (KeyProvider.ALPACA_PAPER, 200, 199)],
)
async def test_the_head_room_of_requests_comes_along(provider: KeyProvider, limit: int, left: int) -> None:
    with KeyVendor().running() as urls:
        probe = await KeyProbes(urls, patience=HASTE, now=time.time).probe(provider, credentials(provider))
    assert (probe.health.requests_limit, probe.health.requests_left) == (limit, left)

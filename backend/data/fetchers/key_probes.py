"""What a provider says of a user's own key: whether it is taken, what it may do, how far clocks are apart, and how many
requests are left.

Only reads, with the real libraries, each within a time limit. No error repeats what a provider answered, which could be
the key.
"""

import asyncio
import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

from backend.data.fetchers.reading import Denied, Failed, Outcome, Patience, VendorReader
from backend.domain.exchange_keys import TITLES, Credentials, KeyHealth, KeyProvider, KeyState, Permission, Probe
from backend.domain.market_errors import VendorBusy, VendorRefused, VendorUnavailable

PATIENCE = Patience(tries=1, try_seconds=10.0)
# With waiting for one's turn.
LONGEST_SECONDS = 25.0
_AT_ONCE = 3
_NEXT_STEP = (
    "Check the key and its secret, whether it has expired, and whether it is bound to other addresses than this"
    " server's."
)
# Binance tells what was used of it in a minute, and the limit in its manual alone.
_BINANCE_WEIGHT = 12_000


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a provider answered about a key."""

    permissions: frozenset[Permission]
    is_bound_to_addresses: bool | None = None


@dataclass(kw_only=True)
class Heard:
    """What came along with its answers."""

    # Theirs less ours: to about a second by the date of an answer, to milliseconds by a question for the time.
    skew_by_date: float | None = None
    skew_by_clock: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def clock_skew_seconds(self) -> float | None:
        return self.skew_by_date if self.skew_by_clock is None else self.skew_by_clock


class KeyProbes:
    """A KeyProber. `urls` sends requests to other servers than the providers' own, such as mirrors."""

    def __init__(
        self, urls: Mapping[KeyProvider, str] | None = None, *, patience: Patience = PATIENCE, now: Callable[[], float]
    ) -> None:
        self._urls = urls or {}
        self._now = now
        self._readers = {
            provider: VendorReader(TITLES[provider], patience=patience, next_step=_NEXT_STEP, at_once=_AT_ONCE)
            for provider in KeyProvider
        }

    async def probe(self, provider: KeyProvider, credentials: Credentials) -> Probe:
        heard = Heard()
        ask = _ALPACA.get(provider) or _exchange
        await asyncio.to_thread(_load, provider)

        def asked() -> Said:
            return ask(Question(provider, credentials, self._urls.get(provider), heard, self._now))

        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                said = await self._readers[provider].read(asked, "what this key may do")
        except TimeoutError:
            raise VendorBusy(TITLES[provider]) from None
        except VendorRefused as refusal:
            return Probe(permissions=frozenset(), health=_health(provider, KeyState.REFUSED, refusal.detail, heard))
        told = _health(provider, KeyState.WORKS, f"{TITLES[provider]} takes this key.", heard)
        return Probe(
            permissions=said.permissions, health=replace(told, is_bound_to_addresses=said.is_bound_to_addresses)
        )


@dataclass(frozen=True)
class Question:
    """One key, and where its provider is asked about it."""

    provider: KeyProvider
    credentials: Credentials = field(repr=False)
    url: str | None
    heard: Heard
    now: Callable[[], float]

    def session(self) -> Any:
        return _session(self.heard, self.now)


def _load(provider: KeyProvider) -> None:
    """The libraries take seconds to import, which shall not count against the provider."""
    importlib.import_module("alpaca.trading.client" if provider in _ALPACA else "ccxt")


def _session(heard: Heard, now: Callable[[], float]) -> Any:
    from backend.data.fetchers.sessions import PatientSession

    class Listening(PatientSession):
        def __init__(self) -> None:
            super().__init__()
            self.max_redirects = 0  # one would carry the key elsewhere

        def send(self, request: Any, **kwargs: Any) -> Any:
            self._began, self._clock = now(), time.monotonic()
            return super().send(request, **kwargs)

        def hear(self, headers: Mapping[str, str]) -> None:
            middle = self._began + (time.monotonic() - self._clock) / 2
            heard.headers = {name.lower(): value for name, value in headers.items()}
            heard.skew_by_date = _skew(heard.headers.get("date"), middle)

    return Listening()


def _skew(date: str | None, ours: float) -> float | None:
    """Their clock less ours. A date has whole seconds, so half of one is what it means on average."""
    try:
        return None if date is None else round(parsedate_to_datetime(date).timestamp() + 0.5 - ours, 1)
    except ValueError:
        return None


def _alpaca(question: Question) -> Said:
    """A key of its trading API moves no money out: transfers have an API of their own."""
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient

    session = question.session()
    client = TradingClient(
        question.credentials.key,
        question.credentials.secret,
        paper=question.provider is KeyProvider.ALPACA_PAPER,
        raw_data=True,
        url_override=question.url,
    )
    client._session.close()
    # The library would sleep and retry by itself.
    client._session, client._retry = session, 0
    with session:
        try:
            account: Any = client.get_account()
        except APIError:
            raise VendorUnavailable(f"{TITLES[question.provider]} answered with an error.") from None
    is_blocked = account["trading_blocked"] or account["account_blocked"]
    return Said(permissions=_allowed(trade=not is_blocked, withdraw=False))


def _exchange(question: Question) -> Said:
    import ccxt

    from backend.data.fetchers.crypto import client_of

    provider, credentials, session = question.provider, question.credentials, question.session()
    exchange = client_of(provider.partition(":")[2], question.url)
    exchange.session.close()
    exchange.session = session
    exchange.apiKey, exchange.secret, exchange.password = credentials.key, credentials.secret, credentials.passphrase
    with session:
        try:
            question.heard.skew_by_clock = _skew_by_clock(exchange, question.now)
            return _QUESTIONS[provider](exchange)
        except ccxt.InvalidNonce:
            raise Denied("refused (this machine's clock and its own are too far apart)") from None
        except (ccxt.AuthenticationError, ccxt.PermissionDenied) as error:
            raise Denied(f"refused ({type(error).__name__})") from None
        except (ccxt.RateLimitExceeded, ccxt.DDoSProtection):
            raise Failed(Outcome.BUSY, "limits us") from None
        except ccxt.NetworkError as error:
            raise Failed(Outcome.DOWN, f"could not be reached ({type(error).__name__})") from None
        except ccxt.BaseError as error:
            raise VendorUnavailable(f"{TITLES[provider]} answered with an error ({type(error).__name__}).") from None


def _skew_by_clock(exchange: Any, now: Callable[[], float]) -> float | None:
    """None where it does not tell: then the date of the next answer has to do."""
    import ccxt

    began, clock = now(), time.monotonic()
    try:
        theirs = exchange.fetch_time()
    except (ccxt.BaseError, Denied, Failed, LookupError, TypeError, ValueError):
        return None
    middle = began + (time.monotonic() - clock) / 2
    return round(theirs / 1000 - middle, 2) if isinstance(theirs, int) else None


def _binance(exchange: Any) -> Said:
    told = exchange.sapiGetAccountApiRestrictions()
    trades = ("enableSpotAndMarginTrading", "enableMargin", "enableFutures", "enableVanillaOptions")
    return Said(
        permissions=_allowed(
            read=bool(told["enableReading"]),
            trade=any(told.get(name) for name in trades),
            withdraw=bool(told["enableWithdrawals"]),
        ),
        is_bound_to_addresses=bool(told["ipRestrict"]),
    )


def _bybit(exchange: Any) -> Said:
    told = exchange.privateGetV5UserQueryApi()["result"]
    can_write = int(told["readOnly"]) == 0
    granted = told["permissions"]
    trades = ("Spot", "ContractTrade", "Options", "Derivatives", "CopyTrading")
    return Said(
        permissions=_allowed(
            trade=can_write and any(granted.get(name) for name in trades),
            withdraw=can_write and "Withdraw" in (granted.get("Wallet") or []),
        ),
        is_bound_to_addresses=told["ips"] != ["*"],
    )


def _okx(exchange: Any) -> Said:
    told = exchange.privateGetAccountConfig()["data"][0]
    granted = told["perm"].split(",")
    return Said(
        permissions=_allowed(read="read_only" in granted, trade="trade" in granted, withdraw="withdraw" in granted),
        is_bound_to_addresses=bool(told.get("ip")),
    )


def _coinbase(exchange: Any) -> Said:
    told = exchange.v3PrivateGetBrokerageKeyPermissions()
    return Said(
        permissions=_allowed(
            read=bool(told["can_view"]), trade=bool(told["can_trade"]), withdraw=bool(told["can_transfer"])
        )
    )


_ALPACA = {KeyProvider.ALPACA_LIVE: _alpaca, KeyProvider.ALPACA_PAPER: _alpaca}
_QUESTIONS: Mapping[KeyProvider, Callable[[Any], Said]] = {
    KeyProvider.BINANCE: _binance,
    KeyProvider.BYBIT: _bybit,
    KeyProvider.COINBASE: _coinbase,
    KeyProvider.OKX: _okx,
}


def _allowed(*, trade: bool, withdraw: bool, read: bool = True) -> frozenset[Permission]:
    found = {Permission.READ: read, Permission.TRADE: trade, Permission.WITHDRAW: withdraw}
    return frozenset(one for one, is_granted in found.items() if is_granted)


def _health(provider: KeyProvider, state: KeyState, detail: str, heard: Heard) -> KeyHealth:
    limit, left = _head_room(provider, heard.headers)
    return KeyHealth(
        state=state,
        detail=detail,
        clock_skew_seconds=heard.clock_skew_seconds,
        requests_limit=limit,
        requests_left=left,
    )


def _head_room(provider: KeyProvider, headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """How many requests may be made in the present window, and how many are left of them."""
    if provider is KeyProvider.BINANCE:
        used = _number(headers.get("x-sapi-used-ip-weight-1m"))
        return (None, None) if used is None else (_BINANCE_WEIGHT, max(0, _BINANCE_WEIGHT - used))
    if provider is KeyProvider.BYBIT:
        return _number(headers.get("x-bapi-limit")), _number(headers.get("x-bapi-limit-status"))
    return _number(headers.get("x-ratelimit-limit")), _number(headers.get("x-ratelimit-remaining"))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None

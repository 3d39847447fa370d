"""What providers answer about a key, as far as we ask them: one key is known, and what it may do is up to the test.

Signatures are checked where a provider's are a plain HMAC, so that a wrong secret is refused as there.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlencode

from backend.domain.exchange_keys import Credentials, KeyProvider
from tests.vendors.server import Reply, Request, VendorServer

KEY = "PKkeyOfTheTests0123456789"
SECRET = "secret-of-the-tests-9f8e7d6c5b4a"
PASSPHRASE = "passphrase-of-the-tests"


def credentials(provider: KeyProvider, *, secret: str = SECRET, key: str = KEY) -> Credentials:
    return Credentials(key=key, secret=secret, passphrase=PASSPHRASE if provider is KeyProvider.OKX else None)


class KeyVendor:
    """All of them on one port: their paths differ. `secrets` are those of keys that are known."""

    def __init__(self, **permissions: bool) -> None:
        self.may = {"trade": True, "withdraw": False, "bound": True, **permissions}
        self.secrets = {KEY: SECRET}
        self.passphrase = PASSPHRASE
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.server = VendorServer(self.answer, disturbed="/")

    @contextmanager
    def running(self) -> Iterator[dict[KeyProvider, str]]:
        with self.server.running():
            yield dict.fromkeys(KeyProvider, self.server.url)

    def answer(self, request: Request) -> Reply:
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = next(
            (say(self, request, headers) for path, say in _PATHS.items() if path in request.path), Reply(status=404)
        )
        date = {"Date": format_datetime(self.now(), usegmt=True)}
        return Reply(body=reply.body, status=reply.status, headers={**date, **reply.headers})

    def _binance(self, request: Request, headers: Mapping[str, str]) -> Reply:
        signed = urlencode({name: value for name, value in request.query.items() if name != "signature"})
        if not self._is_known(headers.get("x-mbx-apikey"), signed, request.query.get("signature")):
            return Reply(status=401, body={"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})
        told = {
            "ipRestrict": self.may["bound"],
            "enableReading": True,
            "enableSpotAndMarginTrading": self.may["trade"],
            "enableWithdrawals": self.may["withdraw"],
        }
        return Reply(body=told, headers={"X-SAPI-USED-IP-WEIGHT-1M": "150"})

    def _bybit(self, request: Request, headers: Mapping[str, str]) -> Reply:
        key = headers.get("x-bapi-api-key", "")
        stamp, window = headers.get("x-bapi-timestamp", ""), headers.get("x-bapi-recv-window", "")
        if not self._is_known(key, f"{stamp}{key}{window}{urlencode(request.query)}", headers.get("x-bapi-sign")):
            return Reply(body={"retCode": 10003, "retMsg": "API key is invalid.", "result": {}})
        told = {
            "readOnly": 0 if self.may["trade"] or self.may["withdraw"] else 1,
            "permissions": {
                "Spot": ["SpotTrade"] if self.may["trade"] else [],
                "Wallet": ["AccountTransfer", *(["Withdraw"] if self.may["withdraw"] else [])],
            },
            "ips": ["192.0.2.7"] if self.may["bound"] else ["*"],
        }
        rate = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "9"}
        return Reply(body={"retCode": 0, "retMsg": "", "result": told}, headers=rate)

    def _okx(self, request: Request, headers: Mapping[str, str]) -> Reply:
        signed = f"{headers.get('ok-access-timestamp')}GET{request.path}"
        expected = base64.b64encode(self._hmac(headers.get("ok-access-key"), signed)).decode()
        if headers.get("ok-access-sign") != expected or headers.get("ok-access-passphrase") != self.passphrase:
            return Reply(status=401, body={"code": "50113", "msg": "Invalid Sign"})
        granted = ["read_only", *(name for name in ("trade", "withdraw") if self.may[name])]
        told = {"perm": ",".join(granted), "ip": "192.0.2.7" if self.may["bound"] else ""}
        return Reply(body={"code": "0", "msg": "", "data": [told]})

    def _coinbase(self, request: Request, headers: Mapping[str, str]) -> Reply:
        if not headers.get("authorization", "").startswith("Bearer "):
            return Reply(status=401, body={"error": "unauthorized"})
        told = {"can_view": True, "can_trade": self.may["trade"], "can_transfer": self.may["withdraw"]}
        return Reply(body=told)

    def _alpaca(self, request: Request, headers: Mapping[str, str]) -> Reply:
        key, secret = headers.get("apca-api-key-id", ""), headers.get("apca-api-secret-key")
        if self.secrets.get(key) != secret:
            return Reply(status=401, body={"message": "forbidden."})
        told = {"status": "ACTIVE", "account_blocked": False, "trading_blocked": not self.may["trade"]}
        return Reply(body=told, headers={"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "199"})

    def _time(self, request: Request, headers: Mapping[str, str]) -> Reply:
        """By their clock to the millisecond, in everybody's form."""
        millis = int(self.now().timestamp() * 1000)
        told = {"serverTime": millis, "retCode": 0, "time": millis, "code": "0"}
        told["result"] = {"timeSecond": str(millis // 1000), "timeNano": str(millis * 1_000_000)}
        is_coinbase = "/v2/time" in request.path
        told["data"] = {"epoch": millis // 1000, "iso": ""} if is_coinbase else [{"ts": str(millis)}]
        return Reply(body=told)

    def _is_known(self, key: str | None, signed: str, signature: str | None) -> bool:
        return key in self.secrets and self._hmac(key, signed).hex() == signature

    def _hmac(self, key: str | None, signed: str) -> bytes:
        return hmac.new(self.secrets.get(key or "", "").encode(), signed.encode(), hashlib.sha256).digest()


_PATHS: Mapping[str, Callable[[KeyVendor, Request, Mapping[str, str]], Reply]] = {
    "/time": KeyVendor._time,
    "/account/apiRestrictions": KeyVendor._binance,
    "/user/query-api": KeyVendor._bybit,
    "/account/config": KeyVendor._okx,
    "/key_permissions": KeyVendor._coinbase,
    "/v2/account": KeyVendor._alpaca,
}

"""Keys of exchanges and brokers: what is kept of them, what they may do, and what is refused."""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Self
from uuid import UUID

from backend.domain.errors import (
    Conflict,
    InputError,
    InvalidInput,
    NotAllowed,
    NotFound,
    ServiceUnavailable,
)

MOST_KEYS = 20
LABEL_MAX_LENGTH = 80
SHORTEST_KEY = 12  # a hint shows eight characters, and most of a key shall stay unknown
LONGEST_KEY = 300
LONGEST_SECRET = 4000
# What has to be said to store a key that can take money away.
WITHDRAWAL_WORDS = "I know that this key can withdraw"

_KEY = re.compile(rf"[\x21-\x7e]{{{SHORTEST_KEY},{LONGEST_KEY}}}")
_SECRET = re.compile(rf"[\x20-\x7e\n]{{8,{LONGEST_SECRET}}}")


class KeyProvider(StrEnum):
    """Those that tell what a key may do: no other key can be judged before it is stored."""

    ALPACA_LIVE = "alpaca:live"
    ALPACA_PAPER = "alpaca:paper"
    BINANCE = "crypto:binance"
    BYBIT = "crypto:bybit"
    COINBASE = "crypto:coinbase"
    OKX = "crypto:okx"


TITLES = MappingProxyType(
    {
        KeyProvider.ALPACA_LIVE: "Alpaca, live account",
        KeyProvider.ALPACA_PAPER: "Alpaca, paper account",
        KeyProvider.BINANCE: "Binance",
        KeyProvider.BYBIT: "Bybit",
        KeyProvider.COINBASE: "Coinbase",
        KeyProvider.OKX: "OKX",
    }
)
WITH_PASSPHRASE = frozenset({KeyProvider.OKX})


class Permission(StrEnum):
    """What a key lets its holder do."""

    READ = "read"
    TRADE = "trade"
    WITHDRAW = "withdraw"


class KeyState(StrEnum):
    """How the latest test ended."""

    WORKS = "works"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    # What is stored of it does not open.
    UNREADABLE = "unreadable"


class KeyAction(StrEnum):
    """What can be done with a key; each leaves a line in the audit log."""

    CREATE = "create"
    READ = "read"
    DECRYPT = "decrypt"
    TEST = "test"
    # As a test, but by the service on its own account, about once a day.
    CHECK = "check"
    ROTATE = "rotate"
    LABEL = "label"
    DELETE = "delete"
    REWRAP = "rewrap"


class KeyOutcome(StrEnum):
    """How what was done with a key ended."""

    DONE = "done"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"
    CAN_WITHDRAW = "can_withdraw"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What the user typed. Only its hint may be shown."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)

    @property
    def hint(self) -> str:
        return f"{self.key[:4]}...{self.key[-4:]}"


@dataclass(frozen=True, kw_only=True)
class KeyHealth:
    """How the key did when it was tested, in a sentence and in what the provider told along the way."""

    state: KeyState
    detail: str
    # The provider's clock less ours; orders are refused when it is far off.
    clock_skew_seconds: float | None = None
    # Requests in the provider's present window.
    requests_limit: int | None = None
    requests_left: int | None = None
    is_bound_to_addresses: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a provider says of a key, also that it does not take it."""

    permissions: frozenset[Permission]
    health: KeyHealth

    @property
    def works(self) -> bool:
        return self.health.state is KeyState.WORKS

    @classmethod
    def failed(cls, state: KeyState, detail: str) -> Self:
        return cls(permissions=frozenset(), health=KeyHealth(state=state, detail=detail))


@dataclass(frozen=True, kw_only=True)
class ExchangeKey:
    """A key as its owner sees it: everything but the key."""

    id: UUID
    provider: KeyProvider
    label: str
    hint: str
    permissions: frozenset[Permission]
    health: KeyHealth
    secret_version: int
    created_at: datetime
    rotated_at: datetime | None
    tested_at: datetime
    last_used_at: datetime | None
    # Since when no test found it working.
    failing_since: datetime | None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A key that somebody wants to be stored, anew or in the place of another."""

    action: KeyAction
    provider: KeyProvider
    # Of the one that is to be replaced.
    key_id: UUID | None
    address: str | None


@dataclass(frozen=True, kw_only=True)
class Binding:
    """To what a sealed secret belongs: moved to another row, user or version it opens no more."""

    key_id: UUID
    user_id: UUID
    provider: KeyProvider
    secret_version: int

    @property
    def words(self) -> bytes:
        return f"tidemark key {self.key_id} of {self.user_id} at {self.provider}, {self.secret_version}".encode()


@dataclass(frozen=True, kw_only=True)
class SealedKey:
    """A secret that was judged and sealed, as it goes into the database."""

    binding: Binding
    hint: str
    probe: Probe
    master: str
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class StoredSecret:
    """What the database gives back of one: still sealed by the service, and empty when it was damaged."""

    binding: Binding
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class KeyEvent:
    """A line of the audit log."""

    id: UUID
    at: datetime
    action: KeyAction
    outcome: KeyOutcome
    # "user", or "service" when the house did it for them.
    actor: str
    key_id: UUID | None
    session_id: UUID | None
    address: str | None
    provider: str | None
    hint: str | None
    reason: str


class KeyNotFound(NotFound):
    """The caller has no exchange key of that id."""

    code = "key_not_found"
    title = "No such exchange key"

    def __init__(self, key_id: object) -> None:
        super().__init__(f"You have no exchange key {key_id}; it may have been deleted.")


class KeysNeedAccount(NotAllowed):
    """Visitors of the demo have no keys."""

    code = "keys_need_account"
    title = "Exchange keys need an account"

    def __init__(self) -> None:
        super().__init__("A demo account ends within days, so it holds no exchange keys. Sign up first.")


class KeyRefused(InvalidInput):
    """The provider does not take this key."""

    code = "key_refused"
    title = "The provider refused this key"

    def __init__(self, said: str) -> None:
        super().__init__([InputError(pointer="/key", detail="The provider refused it.")], f"{said} Nothing was stored.")


class KeyCanWithdraw(InvalidInput):
    """The key can take money away, and its owner did not say that this is meant."""

    code = "key_can_withdraw"
    title = "This key can withdraw"

    def __init__(self) -> None:
        wrong = f"Needed for a key that can withdraw, word for word: '{WITHDRAWAL_WORDS}'."
        super().__init__(
            [InputError(pointer="/accept_withdrawals", detail=wrong)],
            "This key can withdraw: whoever steals it can take the money. Tidemark never needs that. Make a key without"
            " that permission. To store this one all the same, send accept_withdrawals:"
            f" '{WITHDRAWAL_WORDS}'. Nothing was stored.",
        )


class KeyUnreadable(Conflict):
    """What is stored of the key does not open: it was changed, or moved from another row."""

    code = "key_unreadable"
    title = "The stored secret cannot be opened"

    def __init__(self, detail: str = "The stored secret was damaged. Rotate the key, or delete it.") -> None:
        super().__init__(detail)


class MasterKeyMissing(ServiceUnavailable):
    """The server does not hold the master key that the secrets are sealed under."""

    code = "master_key_missing"
    title = "Exchange keys are locked"

    def __init__(self, master: str | None) -> None:
        self.master = master
        super().__init__(
            f"Exchange keys are sealed under the master key {master or 'of another server'}, which this server does not"
            " hold. The operator puts it back; if it is lost, keys have to be deleted and added anew (operations.md,"
            ' "The master key").',
            retry_after=60,
        )


def credentials_of(provider: KeyProvider, key: str, secret: str, passphrase: str | None) -> Credentials:
    """Raises InvalidInput for what cannot be a key; no message repeats it."""
    wrong = []
    key, secret = key.strip(), secret.replace("\\n", "\n").replace("\r\n", "\n").strip()
    if not _KEY.fullmatch(key):
        detail = f"A key has {SHORTEST_KEY} to {LONGEST_KEY} letters, digits and marks, without spaces."
        wrong.append(InputError(pointer="/key", detail=detail))
    if not _SECRET.fullmatch(secret):
        detail = f"A secret has 8 to {LONGEST_SECRET:,} letters, digits and marks."
        wrong.append(InputError(pointer="/secret", detail=detail))
    if (passphrase is not None) != (provider in WITH_PASSPHRASE):
        said = "needs its passphrase too" if provider in WITH_PASSPHRASE else "has no passphrase; leave it out"
        wrong.append(InputError(pointer="/passphrase", detail=f"A key of {TITLES[provider]} {said}."))
    elif passphrase is not None and not re.fullmatch(r"[\x20-\x7e]{1,200}", passphrase):
        wrong.append(InputError(pointer="/passphrase", detail="A passphrase has 1 to 200 letters, digits and marks."))
    if wrong:
        raise InvalidInput(wrong)
    return Credentials(key=key, secret=secret, passphrase=passphrase)


def clean_label(text: str) -> str:
    label = " ".join(text.split())
    if not 1 <= len(label) <= LABEL_MAX_LENGTH:
        raise InvalidInput([InputError(pointer="/label", detail=f"A label has 1 to {LABEL_MAX_LENGTH} characters.")])
    # Marks that turn the direction of writing are among them: they make text read as something else.
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in label):
        raise InvalidInput([InputError(pointer="/label", detail="A label has no control or invisible characters.")])
    return label


def require_accepted(probe: Probe, accept_withdrawals: str | None) -> None:
    """Raises KeyRefused, and KeyCanWithdraw for one that can, unless its owner said so in words."""
    if not probe.works:
        raise KeyRefused(probe.health.detail)
    if Permission.WITHDRAW in probe.permissions and accept_withdrawals != WITHDRAWAL_WORDS:
        raise KeyCanWithdraw

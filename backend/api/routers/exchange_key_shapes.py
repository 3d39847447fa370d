"""How exchange keys look over HTTP, going in once and never coming out."""

from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from backend.domain import exchange_keys as domain
from backend.domain.exchange_keys import Credentials, KeyProvider, credentials_of


class KeyHealth(BaseModel):
    """How the key did when it was tested last."""

    state: domain.KeyState
    detail: str
    clock_skew_seconds: float | None = Field(
        description="The provider's clock less ours; most refuse orders that are a second early or some late."
    )
    requests_limit: int | None = Field(description="How many requests the provider takes in its present window.")
    requests_left: int | None
    is_bound_to_addresses: bool | None = Field(description="Whether the provider takes it from certain addresses only.")


class ExchangeKey(BaseModel):
    """A key as its owner sees it: everything but the key."""

    id: UUID
    provider: KeyProvider
    title: str = Field(description="The provider's name.")
    label: str
    hint: str = Field(description="How the key begins and ends. Of its secret nothing is shown.")
    permissions: list[domain.Permission]
    health: KeyHealth
    key_version: int = Field(description="Grows by one with each rotation.")
    created_at: datetime
    rotated_at: datetime | None
    tested_at: datetime
    last_used_at: datetime | None
    failing_since: datetime | None = Field(description="Since when no test found it working. Null while it works.")

    @classmethod
    def of(cls, key: domain.ExchangeKey) -> Self:
        return cls(
            **{
                **vars(key),
                "title": domain.TITLES[key.provider],
                "permissions": [one for one in domain.Permission if one in key.permissions],
                "health": KeyHealth(**vars(key.health)),
                "key_version": key.secret_version,
            }
        )


class Secrets(BaseModel):
    """What the provider gave out. It is sealed, and nothing shows it again."""

    model_config = ConfigDict(extra="forbid")

    key: SecretStr = Field(max_length=2 * domain.LONGEST_KEY, description="The key, or its id.")
    secret: SecretStr = Field(max_length=2 * domain.LONGEST_SECRET)
    passphrase: SecretStr | None = Field(default=None, max_length=400, description="For OKX, and nobody else.")
    accept_withdrawals: str | None = Field(
        default=None,
        max_length=200,
        description=f"For a key that can withdraw, word for word: '{domain.WITHDRAWAL_WORDS}'. Others need none.",
    )

    def at(self, provider: KeyProvider) -> Credentials:
        return credentials_of(
            provider,
            self.key.get_secret_value(),
            self.secret.get_secret_value(),
            self.passphrase.get_secret_value() if self.passphrase is not None else None,
        )


class KeyWanted(Secrets):
    """A key to be stored."""

    provider: KeyProvider = Field(description="Those that tell what a key may do.")
    label: str = Field(
        min_length=1, max_length=domain.LABEL_MAX_LENGTH, description="To know it again.", examples=["Research"]
    )


class KeyChange(BaseModel):
    """What can be changed of a key without its secret."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=domain.LABEL_MAX_LENGTH)


class KeyEvent(BaseModel):
    """Who did what to which key, when, from where and why, and how it ended."""

    id: UUID
    at: datetime
    action: domain.KeyAction = Field(
        description="`read` is once for ten minutes of looking; `check` is the daily test by the service."
    )
    outcome: domain.KeyOutcome = Field(
        description="`done`, or why not. Of keys that were not stored a day has fifty lines at most, and no hint."
    )
    actor: str = Field(description="`user`, or `service` for what the house did.")
    key_id: UUID | None = Field(description="Null when all of them were looked at. It may be deleted since.")
    session_id: UUID | None
    address: str | None
    provider: str | None
    hint: str | None
    reason: str


ID = UUID("5a0f6e0d-7a36-4f0c-9c1e-2a4b8d0c6e11")
_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KEY = ExchangeKey(
    id=ID,
    provider=KeyProvider.BINANCE,
    title="Binance",
    label="Research",
    hint="vmPU...A65z",
    permissions=[domain.Permission.READ, domain.Permission.TRADE],
    health=KeyHealth(
        state=domain.KeyState.WORKS,
        detail="Binance takes this key.",
        clock_skew_seconds=0.3,
        requests_limit=12_000,
        requests_left=11_850,
        is_bound_to_addresses=True,
    ),
    key_version=1,
    created_at=_NOW,
    rotated_at=None,
    tested_at=_NOW,
    last_used_at=None,
    failing_since=None,
)
EVENT = KeyEvent(
    id=UUID("0e0d9a52-3f4b-4f7a-8a6e-6a1f1a7c2b90"),
    at=_NOW,
    action=domain.KeyAction.CREATE,
    outcome=domain.KeyOutcome.DONE,
    actor="user",
    key_id=ID,
    session_id=UUID("6f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"),
    address="192.0.2.7",
    provider="crypto:binance",
    hint="vmPU...A65z",
    reason="By its owner, in a session.",
)
_SECRETS = {"key": "vmPU-made-up-A65z", "secret": "NhqP-made-up-j0Nd"}
WANTED = {"provider": "crypto:binance", "label": "Research", **_SECRETS}
REPLACEMENT = _SECRETS

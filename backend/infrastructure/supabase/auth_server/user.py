"""One user of auth.users, and the small rules that need no database."""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self, TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Metadata: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class User:
    """One row of auth.users."""

    id: UUID
    aud: str
    role: str
    email: str
    encrypted_password: str = field(repr=False)
    email_confirmed_at: datetime | None
    invited_at: datetime | None
    confirmation_sent_at: datetime | None
    recovery_sent_at: datetime | None
    email_change: str
    email_change_sent_at: datetime | None
    email_change_confirm_status: int
    reauthentication_sent_at: datetime | None
    last_sign_in_at: datetime | None
    app_metadata: Metadata
    user_metadata: Metadata
    phone: str
    phone_confirmed_at: datetime | None
    confirmed_at: datetime | None
    banned_until: datetime | None
    deleted_at: datetime | None
    is_anonymous: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> Self:
        return cls(
            id=row["id"],
            aud=row["aud"] or "authenticated",
            role=row["role"] or "",
            email=row["email"] or "",
            encrypted_password=row["encrypted_password"] or "",
            email_confirmed_at=row["email_confirmed_at"],
            invited_at=row["invited_at"],
            confirmation_sent_at=row["confirmation_sent_at"],
            recovery_sent_at=row["recovery_sent_at"],
            email_change=row["email_change"] or "",
            email_change_sent_at=row["email_change_sent_at"],
            email_change_confirm_status=row["email_change_confirm_status"] or 0,
            reauthentication_sent_at=row["reauthentication_sent_at"],
            last_sign_in_at=row["last_sign_in_at"],
            app_metadata=_as_metadata(row["raw_app_meta_data"]),
            user_metadata=_as_metadata(row["raw_user_meta_data"]),
            phone=row["phone"] or "",
            phone_confirmed_at=row["phone_confirmed_at"],
            confirmed_at=row["confirmed_at"],
            banned_until=row["banned_until"],
            deleted_at=row["deleted_at"],
            is_anonymous=row["is_anonymous"],
            created_at=row["created_at"],
            updated_at=row["updated_at"] or row["created_at"],
        )

    @property
    def is_confirmed(self) -> bool:
        return self.email_confirmed_at is not None

    def is_banned(self, now: datetime) -> bool:
        return self.banned_until is not None and self.banned_until > now


def email_identity_data(user_id: UUID, email: str, *, verified: bool = False) -> Metadata:
    return {"sub": str(user_id), "email": email, "email_verified": verified, "phone_verified": False}


def merged(current: Metadata, changes: Metadata | None) -> Metadata:
    members = {**current, **(changes or {})}
    return {name: value for name, value in members.items() if value is not None or name not in (changes or {})}


def _as_metadata(value: Any) -> Metadata:
    return value if isinstance(value, dict) else {}


def digest(user_id: UUID, value: str) -> str:
    digest = hashlib.sha256(f"{user_id}{value}".encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

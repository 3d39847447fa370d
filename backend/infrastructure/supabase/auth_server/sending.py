"""Sends one-time codes: the mail, the link in it, and the pause between two of them."""

from datetime import datetime
from typing import assert_never
from urllib.parse import urlencode

from backend.infrastructure.supabase.auth_server import mails, one_time, users
from backend.infrastructure.supabase.auth_server.calls import Call
from backend.infrastructure.supabase.auth_server.house import AuthHouse, Transaction, too_soon
from backend.infrastructure.supabase.auth_server.mails import Purpose
from backend.infrastructure.supabase.auth_server.one_time import Code, TokenKind
from backend.infrastructure.supabase.auth_server.user import User

# What a link of each purpose says it is.
LINK_TYPE: dict[Purpose, str] = {
    "signup": "signup",
    "magiclink": "magiclink",
    "recovery": "recovery",
    "invite": "invite",
    "email_change_new": "email_change",
    "email_change_current": "email_change",
}
KIND: dict[Purpose, TokenKind] = {
    "signup": "confirmation_token",
    "invite": "confirmation_token",
    "magiclink": "recovery_token",
    "recovery": "recovery_token",
    "email_change_new": "email_change_token_new",
    "email_change_current": "email_change_token_current",
    "reauthentication": "reauthentication_token",
}


async def send_code(
    house: AuthHouse,
    transaction: Transaction,
    call: Call,
    user: User,
    purpose: Purpose,
    *,
    recipient: str | None = None,
    pkce: bool = False,
) -> User:
    """Make a code, remember it, and mail it when the transaction commits. Returns the user with what changed."""
    email = recipient or user.email
    code = one_time.make(email, pkce=pkce)
    await remember(house, transaction, call, user, purpose, code=code, email=email)
    await transaction.mail(
        mails.compose(
            purpose,
            email,
            code=code.digits,
            link=link(house, purpose, code, call.redirect_to) if purpose in LINK_TYPE else None,
            expiry=house.config.otp_expiry,
        )
    )
    return await users.by_id(transaction.connection, user.id) or user


async def remember(
    house: AuthHouse, transaction: Transaction, call: Call, user: User, purpose: Purpose, *, code: Code, email: str
) -> None:
    await one_time.issue(
        transaction.connection,
        user,
        KIND[purpose],
        code,
        email=email,
        now=call.now,
        expiry=house.config.otp_expiry,
    )


def link(house: AuthHouse, purpose: Purpose, code: Code, redirect_to: str) -> str:
    query = urlencode({"token": code.digest, "type": LINK_TYPE[purpose], "redirect_to": redirect_to})
    return f"{house.config.issuer}/verify?{query}"


def wait_between_mails(house: AuthHouse, user: User, purpose: Purpose, now: datetime) -> None:
    """Raise 429 when this person was sent a mail of this kind a moment ago."""
    sent_at = _sent_at(user, KIND[purpose])
    if sent_at is not None:
        wait_seconds = (sent_at + house.config.rate_limits.between_mails - now).total_seconds()
        if wait_seconds > 0:
            raise too_soon(wait_seconds)


def _sent_at(user: User, kind: TokenKind) -> datetime | None:
    match kind:
        case "confirmation_token":
            return user.confirmation_sent_at
        case "recovery_token":
            return user.recovery_sent_at
        case "email_change_token_new" | "email_change_token_current":
            return user.email_change_sent_at
        case "reauthentication_token":
            return user.reauthentication_sent_at
    assert_never(kind)

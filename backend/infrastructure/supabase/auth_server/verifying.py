"""/verify: a code typed (POST) or a link followed (GET) proves that an address is one's own."""

from typing import Any

import asyncpg
from starlette.responses import JSONResponse, RedirectResponse, Response

from backend.infrastructure.supabase.auth_server import (
    audit,
    errors,
    identities,
    one_time,
    pkce,
    redirects,
    users,
)
from backend.infrastructure.supabase.auth_server.calls import Call
from backend.infrastructure.supabase.auth_server.errors import OAUTH_ERRORS, AuthError
from backend.infrastructure.supabase.auth_server.house import AuthHouse, Transaction
from backend.infrastructure.supabase.auth_server.one_time import PKCE_PREFIX, Pending, TokenKind
from backend.infrastructure.supabase.auth_server.reading import Fields, checked_email
from backend.infrastructure.supabase.auth_server.signing_in import new_session
from backend.infrastructure.supabase.auth_server.user import User, email_identity_data

KINDS: dict[str, tuple[TokenKind, ...]] = {
    "signup": ("confirmation_token",),
    "invite": ("confirmation_token",),
    "recovery": ("recovery_token",),
    "magiclink": ("recovery_token",),
    "email": ("confirmation_token", "recovery_token"),
    "email_change": ("email_change_token_new", "email_change_token_current"),
}
ONE_OF_TWO = "Confirmation link accepted. Please proceed to confirm link sent to the other email"
BAD_LINK = "Email link is invalid or has expired"


async def verify_code(house: AuthHouse, call: Call) -> Response:
    """POST: by address and digits, or by the digest that a link carries."""
    house.limiter.take("verify", house.config.rate_limits.verify, call.origin.address)
    fields = await call.fields()
    link_type, token, digest = fields.text("type"), fields.text("token"), fields.text("token_hash")
    _check_shape(fields)
    email = checked_email(fields.text("email")) if token else ""
    if link_type not in KINDS:
        raise _unsupported(fields)
    answer: dict[str, Any] | None = None
    async with house.transaction() as transaction:
        if token:
            pending = await _by_digits(house, transaction, call, link_type, email=email, digits=token)
        else:
            pending = await one_time.by_digest(transaction.connection, digest, KINDS[link_type])
            if pending is None or pending.expires_at <= call.now:
                raise errors.otp_expired(BAD_LINK)
        if pending is not None:
            user = await _redeem(house, transaction, call, pending)
            if user is None:
                answer = {"msg": ONE_OF_TWO, "code": "200"}
            else:
                answer = await new_session(house, transaction, call, user, "otp")
    if answer is None:  # raised only now, so that the count of wrong guesses is kept
        raise errors.otp_expired()
    return JSONResponse(answer)


async def follow_link(house: AuthHouse, call: Call) -> Response:
    """GET: always ends in a redirect to an allowed place, with a session, a code or an error."""
    house.limiter.take("verify", house.config.rate_limits.verify, call.origin.address)
    link_type, digest = call.query("type"), call.query("token")
    if not link_type:
        raise errors.invalid("Verify requires a verification type")
    if not digest:
        raise errors.invalid("Verify requires a token or a token hash")
    is_pkce = digest.startswith(PKCE_PREFIX)
    try:
        return _redirect(await _destination(house, call, link_type, digest, is_pkce=is_pkce))
    except AuthError as problem:
        reason = OAUTH_ERRORS.get(problem.status)
        told = {
            **({"error": reason} if reason else {}),
            "error_code": problem.code,
            "error_description": problem.message,
        }
        base = redirects.with_query(call.redirect_to, **told) if is_pkce else call.redirect_to
        return _redirect(redirects.with_fragment(base, **told, sb=""))


async def _destination(house: AuthHouse, call: Call, link_type: str, digest: str, *, is_pkce: bool) -> str:
    if link_type not in KINDS:
        raise errors.invalid("Invalid email verification type")
    async with house.transaction() as transaction:
        pending = await one_time.by_digest(transaction.connection, digest, KINDS[link_type])
        if pending is None or pending.expires_at <= call.now:
            raise errors.otp_expired(BAD_LINK)
        if link_type == "email":  # says only how it was sent; what it is for, the code itself tells
            link_type = "signup" if pending.kind == "confirmation_token" else "magiclink"
        user = await _redeem(house, transaction, call, pending)
        if user is None:
            base = redirects.with_query(call.redirect_to, message=ONE_OF_TWO) if is_pkce else call.redirect_to
            return redirects.with_fragment(base, message=ONE_OF_TWO, sb="")
        if is_pkce:
            code = await pkce.issue_code(transaction.connection, user.id, link_type, call.now)
            return redirects.with_query(call.redirect_to, code=code)
        session = await new_session(house, transaction, call, user, "otp")
    members = ("access_token", "token_type", "expires_in", "expires_at", "refresh_token")
    return redirects.with_fragment(
        call.redirect_to, **{name: str(session[name]) for name in members}, type=link_type, sb=""
    )


async def _by_digits(
    house: AuthHouse, transaction: Transaction, call: Call, link_type: str, *, email: str, digits: str
) -> Pending | None:
    """The code that these digits are, or None; too many wrong ones withdraw the codes that were guessed at."""
    connection = transaction.connection
    if link_type == "email_change":
        candidates = await one_time.user_changing_to(connection, email)
    else:
        user = await users.by_email(connection, email)
        candidates = [user.id] if user else []
    digest = one_time.digest_of(email, digits)
    for user_id in candidates:
        await users.locked(connection, user_id)
        waiting = await one_time.of_user(connection, user_id, KINDS[link_type])
        for pending in waiting:
            if one_time.fits(pending, digest, call.now):
                return pending
        for pending in waiting:
            if house.guesses.count(pending):
                await one_time.forget(connection, pending)
    return None


async def _redeem(house: AuthHouse, transaction: Transaction, call: Call, pending: Pending) -> User | None:
    """What the code stands for comes true; None when the other of two addresses must still agree."""
    connection = transaction.connection
    user = await users.locked(connection, pending.user_id)
    if user is None or user.deleted_at is not None:
        raise errors.otp_expired(BAD_LINK)
    if user.is_banned(call.now):
        raise errors.banned()
    if not await one_time.forget(connection, pending):
        raise errors.otp_expired(BAD_LINK)
    if pending.kind in ("email_change_token_new", "email_change_token_current"):
        return await _change_email(house, transaction, call, user)
    if user.is_confirmed:
        await audit.record(connection, "login", user, call.origin, call.now)
        return user
    await audit.record(connection, "user_signedup", user, call.origin, call.now)
    return await users.confirm(connection, user, call.now)


async def _change_email(house: AuthHouse, transaction: Transaction, call: Call, user: User) -> User | None:
    needs_both = house.config.secure_email_change and not house.config.autoconfirm and bool(user.email)
    if needs_both and user.email_change_confirm_status == 0:
        await users.note_one_confirmation(transaction.connection, user, call.now)
        return None
    if not user.email_change:
        raise errors.otp_expired(BAD_LINK)
    return await adopt_email(transaction, call, user, user.email_change)


async def adopt_email(transaction: Transaction, call: Call, user: User, email: str) -> User:
    """The user's address is this one from now on; an anonymous user becomes a permanent one."""
    connection = transaction.connection
    await audit.record(connection, "user_modified", user, call.origin, call.now)
    if not await identities.change(connection, user.id, {"email": email, "email_verified": True}, call.now):
        await identities.add(connection, user.id, email_identity_data(user.id, email, verified=True), call.now)
    try:
        user = await users.set_email(connection, user, email, call.now, permanent=True)
    except asyncpg.UniqueViolationError as problem:  # taken by another while the mail was on its way
        raise errors.email_exists() from problem
    if not user.is_confirmed:
        user = await users.confirm(connection, user, call.now)
    return await users.set_metadata(connection, user, call.now, app={"provider": "email", "providers": ["email"]})


def _check_shape(fields: Fields) -> None:
    token, digest = fields.text("token"), fields.text("token_hash")
    if not fields.text("type"):
        raise errors.invalid("Verify requires a verification type")
    if bool(token) == bool(digest):
        raise errors.invalid("Verify requires either a token or a token hash")
    if digest and (fields.text("email") or fields.text("phone") or fields.text("redirect_to")):
        raise errors.invalid("Only the token_hash and type should be provided")
    if token and bool(fields.text("email")) == bool(fields.text("phone")):
        raise errors.invalid("Only an email address or phone number should be provided on verify")
    if token and fields.text("phone"):
        raise errors.otp_expired()  # nobody has a phone number here


def _unsupported(fields: Fields) -> AuthError:
    return errors.invalid(
        "Unsupported verification type" if fields.text("token") else "Invalid email verification type"
    )


def _redirect(url: str) -> Response:
    return RedirectResponse(url, status_code=303)

"""What signed-in users do with their own account: read and change it, confirm who they are, sign out."""

from datetime import timedelta

from starlette.responses import JSONResponse, Response

from backend.infrastructure.supabase.auth_server import (
    audit,
    errors,
    one_time,
    passwords,
    pkce,
    sessions,
    shapes,
    users,
)
from backend.infrastructure.supabase.auth_server.calls import Call, SignedIn, signed_in
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.house import AuthHouse, Transaction
from backend.infrastructure.supabase.auth_server.reading import Fields
from backend.infrastructure.supabase.auth_server.recovering import send_email_change
from backend.infrastructure.supabase.auth_server.sending import send_code, wait_between_mails
from backend.infrastructure.supabase.auth_server.signing_in import nothing_to_say
from backend.infrastructure.supabase.auth_server.user import User
from backend.infrastructure.supabase.auth_server.verifying import adopt_email

REAUTHENTICATE_AFTER = timedelta(hours=24)


async def get_user(house: AuthHouse, call: Call) -> Response:
    async with house.reading() as connection:
        caller = await signed_in(house, connection, call)
        return JSONResponse(await shapes.user_shape(connection, caller.user))


async def change_user(house: AuthHouse, call: Call) -> Response:
    async with house.reading() as connection:
        caller = await signed_in(house, connection, call)
    house.limiter.take("change_user", house.config.rate_limits.change_user, call.origin.address)
    fields = await call.fields()
    password, email = fields.optional_text("password"), fields.text("email") and fields.email()
    _check_change(caller, fields, email, password, house.config.min_password_length)
    challenge = pkce.challenge_of(fields)
    password_hash = None
    if password is not None:
        await _check_new_password(house, caller, fields, password, call)
        password_hash = await house.hasher.hash(house.pool, password)
    async with house.transaction() as transaction:
        connection = transaction.connection
        user = await users.locked(connection, caller.user.id)
        if user is None:
            raise errors.user_not_found()
        if email and email != user.email and await users.email_is_taken(connection, email, by_other_than=user.id):
            raise errors.email_exists()
        if password is not None and password_hash is not None:
            _check_unchanged(caller, user)
            if house.config.password_change_needs_reauthentication and fields.text("nonce"):
                await _use_nonce(transaction, call, user, fields.text("nonce"))
            user = await users.set_password(connection, user, password_hash, call.now)
            await sessions.end_all(connection, user.id, but=caller.session_id)
            await audit.record(connection, "user_updated_password", user, call.origin, call.now)
        if (data := fields.mapping("data")) is not None:
            user = await users.set_metadata(connection, user, call.now, own=data)
        if email and email != user.email:
            if user.is_anonymous and house.config.autoconfirm:
                user = await adopt_email(transaction, call, user, email)
            else:
                house.limiter.take_mail(house.config.rate_limits.mails, call.origin.address)
                user = await send_email_change(house, transaction, call, user, email, challenge=challenge)
        await audit.record(connection, "user_modified", user, call.origin, call.now)
        return JSONResponse(await shapes.user_shape(connection, user))


async def reauthenticate(house: AuthHouse, call: Call) -> Response:
    async with house.transaction() as transaction:
        caller = await signed_in(house, transaction.connection, call)
        user = await users.locked(transaction.connection, caller.user.id)
        if user is None or not user.email:
            raise errors.invalid("Reauthentication requires the user to have an email or a phone number")
        if not user.is_confirmed:
            raise AuthError(422, "email_not_confirmed", "Please verify your email first.")
        wait_between_mails(house, user, "reauthentication", call.now)
        house.limiter.take_mail(house.config.rate_limits.mails, call.origin.address)
        await audit.record(transaction.connection, "user_reauthenticate_requested", user, call.origin, call.now)
        await send_code(house, transaction, call, user, "reauthentication")
    return nothing_to_say()


async def log_out(house: AuthHouse, call: Call) -> Response:
    scope = call.query("scope") or "global"
    if scope not in ("global", "local", "others"):
        raise errors.invalid(f'Unsupported logout scope "{scope[:40]}"')
    async with house.transaction() as transaction:
        connection = transaction.connection
        caller = await signed_in(house, connection, call)
        await audit.record(connection, "logout", caller.user, call.origin, call.now)
        if scope == "global" or caller.session_id is None:
            await sessions.end_all(connection, caller.user.id)
        elif scope == "local":
            await sessions.end(connection, caller.session_id)
        else:
            await sessions.end_all(connection, caller.user.id, but=caller.session_id)
    return Response(status_code=204)


def _check_change(caller: SignedIn, fields: Fields, email: str, password: str | None, min_length: int) -> None:
    if fields.text("phone"):
        raise AuthError(400, "phone_provider_disabled", "Phone logins are disabled")
    if password is not None:
        passwords.check_strength(password, min_length)
    if fields.mapping("app_metadata") is not None:
        raise AuthError(403, "not_admin", "Updating app_metadata requires admin privileges")
    if caller.user.is_anonymous and password and not email:
        raise errors.invalid("Updating password of an anonymous user without an email or phone is not allowed", 422)


async def _check_new_password(house: AuthHouse, caller: SignedIn, fields: Fields, password: str, call: Call) -> None:
    """The rules an installation may add, and that the new one is new."""
    current = caller.user.encrypted_password
    if (
        house.config.password_change_needs_reauthentication
        and (caller.session_began is None or caller.session_began + REAUTHENTICATE_AFTER < call.now)
        and not fields.text("nonce")
    ):
        raise AuthError(400, "reauthentication_needed", "Password update requires reauthentication")
    if current and house.config.password_change_needs_current_password and not await _is_recovering(house, caller):
        told = fields.text("current_password")
        message = "Current password required when setting new password."
        if not told:
            raise AuthError(400, "current_password_required", message)
        if not await house.hasher.matches(house.pool, told, current):
            raise AuthError(400, "current_password_invalid", message)
    if current and await house.hasher.matches(house.pool, password, current):
        raise AuthError(422, "same_password", "New password should be different from the old password.")


async def _is_recovering(house: AuthHouse, caller: SignedIn) -> bool:
    """Someone who forgot the password proved themselves by mail instead."""
    if caller.session_id is None:
        return False
    async with house.reading() as connection:
        return any(
            entry["method"] in ("otp", "recovery") for entry in await sessions.methods(connection, caller.session_id)
        )


def _check_unchanged(caller: SignedIn, user: User) -> None:
    """Hashing takes a moment; another request may have changed the password in it."""
    if user.encrypted_password != caller.user.encrypted_password:
        raise AuthError(409, "conflict", "The password was changed by another request")


async def _use_nonce(transaction: Transaction, call: Call, user: User, nonce: str) -> None:
    waiting = await one_time.of_user(transaction.connection, user.id, ("reauthentication_token",))
    digest = one_time.digest_of(user.email, nonce)
    if not any(one_time.fits(pending, digest, call.now) for pending in waiting):
        raise AuthError(422, "reauthentication_not_valid", "Nonce has expired or is invalid")

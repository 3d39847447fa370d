"""POST /token: a password, a refresh token or a PKCE code turned into a session."""

from typing import Any

from starlette.responses import JSONResponse, Response

from backend.infrastructure.supabase.auth_server import audit, errors, passwords, pkce, sessions, users
from backend.infrastructure.supabase.auth_server.calls import Call
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.house import AuthHouse
from backend.infrastructure.supabase.auth_server.signing_in import new_session, session_shape


async def grant(house: AuthHouse, call: Call) -> Response:
    house.limiter.take("token", house.config.rate_limits.token, call.origin.address)
    match call.query("grant_type"):
        case "password":
            return JSONResponse(await _by_password(house, call))
        case "refresh_token":
            return JSONResponse(await _by_refresh_token(house, call))
        case "pkce":
            return JSONResponse(await _by_code(house, call))
        case "id_token":
            await call.fields()
            raise AuthError(400, "provider_disabled", "Provider (issuer) is not enabled")
        case "web3":
            raise AuthError(422, "web3_provider_disabled", "Web3 provider is disabled")
        case _:
            raise AuthError(400, "invalid_credentials", "unsupported_grant_type")


async def _by_password(house: AuthHouse, call: Call) -> dict[str, Any]:
    fields = await call.fields()
    email, phone, password = fields.text("email"), fields.text("phone"), fields.text("password")
    if email and phone:
        raise errors.invalid("Only an email address or phone number should be provided on login.")
    if phone:
        raise AuthError(422, "phone_provider_disabled", "Phone logins are disabled")
    if not email:
        raise errors.invalid_credentials()
    async with house.reading() as connection:
        user = await users.by_email(connection, email)
    # Compared in any case, so that the time it takes does not tell which addresses are known.
    if not await house.hasher.matches(house.pool, password, user.encrypted_password if user else None):
        raise errors.invalid_credentials()
    async with house.transaction() as transaction:
        current = await users.locked(transaction.connection, user.id) if user else None
        if user is None or current is None or current.encrypted_password != user.encrypted_password:
            raise errors.invalid_credentials()
        if current.is_banned(call.now):
            raise AuthError(400, "user_banned", "User is banned")
        if not current.is_confirmed:
            raise AuthError(400, "email_not_confirmed", "Email not confirmed")
        await audit.record(transaction.connection, "login", current, call.origin, call.now, provider="email")
        session = await new_session(house, transaction, call, current, "password")
    return {**session, **_weakness(password, house.config.min_password_length)}


async def _by_refresh_token(house: AuthHouse, call: Call) -> dict[str, Any]:
    token = (await call.fields()).text("refresh_token")
    if len(token) < sessions.SHORTEST_TOKEN:
        raise errors.invalid("Refresh token is not valid")
    async with house.transaction() as transaction:
        granted = await sessions.refresh(
            transaction.connection,
            house.refresh_tokens,
            token,
            reuse_interval=house.config.refresh_reuse_interval,
            timebox=house.config.session_timebox,
            origin=call.origin,
            now=call.now,
        )
        if granted is not None:
            user, session_id, next_token = granted
            await audit.record(transaction.connection, "token_refreshed", user, call.origin, call.now)
            return await session_shape(
                house, transaction.connection, call, user, session_id=session_id, refresh_token=next_token
            )
    raise sessions.refused("refresh_token_already_used", "Already Used")


async def _by_code(house: AuthHouse, call: Call) -> dict[str, Any]:
    fields = await call.fields()
    code, verifier = fields.text("auth_code"), fields.text("code_verifier")
    if not code or not verifier:
        raise errors.invalid("invalid request: both auth code and code verifier should be non-empty")
    async with house.transaction() as transaction:
        user_id, method = await pkce.exchange(
            transaction.connection, code, verifier, expiry=house.config.flow_state_expiry, now=call.now
        )
        user = await users.locked(transaction.connection, user_id)
        if user is None or user.deleted_at is not None:
            raise errors.user_not_found()
        if user.is_banned(call.now):
            raise errors.banned()
        await audit.record(transaction.connection, "login", user, call.origin, call.now, provider_type="email")
        return await new_session(house, transaction, call, user, method)


def _weakness(password: str, min_length: int) -> dict[str, Any]:
    """Told at sign-in when the rules have become stricter since the password was chosen."""
    try:
        passwords.check_strength(password, min_length)
    except AuthError as weakness:
        return {"weak_password": {"message": weakness.message, "reasons": list(weakness.weak_password)}}
    return {}

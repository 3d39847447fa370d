"""POST /signup: new users with an address and a password, and anonymous ones with neither."""

from dataclasses import dataclass, field
from typing import Any

import asyncpg
from starlette.responses import JSONResponse, Response

from backend.infrastructure.supabase.auth_server import audit, errors, identities, passwords, pkce, shapes, users
from backend.infrastructure.supabase.auth_server.calls import Call
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.house import AuthHouse, Transaction
from backend.infrastructure.supabase.auth_server.pkce import Challenge
from backend.infrastructure.supabase.auth_server.reading import Fields
from backend.infrastructure.supabase.auth_server.sending import send_code, wait_between_mails
from backend.infrastructure.supabase.auth_server.signing_in import new_session
from backend.infrastructure.supabase.auth_server.user import Metadata, User, email_identity_data


async def sign_up(house: AuthHouse, call: Call) -> Response:
    fields = await call.fields()
    email, phone = fields.text("email"), fields.text("phone")
    if not email and not phone:
        return await _sign_up_anonymously(house, call, fields)
    house.limiter.take("sign_up", house.config.rate_limits.sign_up, call.origin.address)
    require_sign_ups(house)
    password = fields.text("password")
    if not password:
        raise errors.invalid("Signup requires a valid password")
    passwords.check_strength(password, house.config.min_password_length)
    if email and phone:
        raise errors.invalid("Only an email address or phone number should be provided on signup.")
    challenge = pkce.challenge_of(fields)
    if phone:
        raise AuthError(400, "phone_provider_disabled", "Phone signups are disabled")
    email = fields.email()
    if not house.config.autoconfirm:
        house.limiter.take_mail(house.config.rate_limits.mails, call.origin.address)
    # Hashed whether or not the address is known, so that both take as long.
    password_hash = await house.hasher.hash(house.pool, password)
    newcomer = Newcomer(
        email=email,
        password_hash=password_hash,
        data=fields.mapping("data") or {},
        challenge=challenge,
        contested_hash=await _contested_hash(house, email, password),
    )
    try:
        async with house.transaction() as transaction:
            return JSONResponse(await _register(house, transaction, call, newcomer))
    except asyncpg.UniqueViolationError:  # someone else registered the same address in this very moment
        async with house.transaction() as transaction:
            return JSONResponse(await _register(house, transaction, call, newcomer))


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """Who asks to be registered, and the other password that someone chose for the same address before."""

    email: str
    password_hash: str = field(repr=False)
    data: Metadata
    challenge: Challenge | None
    contested_hash: str | None = field(repr=False)


async def _contested_hash(house: AuthHouse, email: str, password: str) -> str | None:
    """The password of an earlier, unconfirmed sign-up, when it is another one: one of the two is not the owner's."""
    if house.config.autoconfirm:
        return None
    async with house.reading() as connection:
        earlier = await users.by_email(connection, email)
    if earlier is None or earlier.is_confirmed or not earlier.encrypted_password:
        return None
    is_same = await house.hasher.matches(house.pool, password, earlier.encrypted_password)
    return None if is_same else earlier.encrypted_password


async def _register(house: AuthHouse, transaction: Transaction, call: Call, newcomer: Newcomer) -> dict[str, Any]:
    """A session when sign-ups confirm themselves, else the user who has to confirm."""
    connection = transaction.connection
    user = await users.locked_by_email(connection, newcomer.email)
    # Where sign-ups confirm themselves, nobody proves the address: an account that waits for its owner stays theirs.
    if user is not None and (user.is_confirmed or house.config.autoconfirm):
        return await _registered_already(house, transaction, call, user, newcomer.data)
    if user is None:
        user = await create_email_user(transaction, call, newcomer.email, newcomer.password_hash, newcomer.data)
    if house.config.autoconfirm:
        user = await users.confirm(connection, user, call.now)
        await audit.record(connection, "user_signedup", user, call.origin, call.now, provider="email")
        await audit.record(connection, "login", user, call.origin, call.now, provider="email")
        return await new_session(house, transaction, call, user, "password")
    user = await ask_to_confirm(house, transaction, call, user, newcomer.challenge)
    if newcomer.contested_hash is not None and newcomer.contested_hash == user.encrypted_password:
        # Whoever confirms owns the address, and may not know either password: they choose one then.
        await users.forget_password(connection, user, call.now)
    shape = await shapes.user_shape(connection, user)
    if user.invited_at is not None:
        shape = {**shape, "user_metadata": {}, "identities": []}  # the invitation is not the caller's to read
    return shape


async def create_email_user(
    transaction: Transaction, call: Call, email: str, password_hash: str, data: Metadata
) -> User:
    """A user and the email identity. What the client says of itself never overrides what we know."""
    user = await users.create(
        transaction.connection,
        email=email,
        password_hash=password_hash,
        app_metadata={"provider": "email", "providers": ["email"]},
        user_metadata=data,
        now=call.now,
    )
    identity = {**data, **email_identity_data(user.id, email)}
    await identities.add(transaction.connection, user.id, identity, call.now)
    return await users.set_metadata(transaction.connection, user, call.now, own=identity)


async def ask_to_confirm(
    house: AuthHouse, transaction: Transaction, call: Call, user: User, challenge: Challenge | None
) -> User:
    wait_between_mails(house, user, "signup", call.now)
    await audit.record(
        transaction.connection, "user_confirmation_requested", user, call.origin, call.now, provider="email"
    )
    await pkce.begin(transaction.connection, user.id, challenge, "email/signup", call.now)
    return await send_code(house, transaction, call, user, "signup", pkce=challenge is not None)


async def _registered_already(
    house: AuthHouse, transaction: Transaction, call: Call, user: User, data: Metadata
) -> dict[str, Any]:
    if house.config.autoconfirm:
        raise AuthError(422, "user_already_exists", "User already registered")
    await audit.record(transaction.connection, "user_repeated_signup", user, call.origin, call.now, provider="email")
    return shapes.stranger(user.email, data, call.now)


async def _sign_up_anonymously(house: AuthHouse, call: Call, fields: Fields) -> Response:
    if not house.config.anonymous_users:
        raise AuthError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
    house.limiter.take("anonymous", house.config.rate_limits.anonymous, call.origin.address)
    require_sign_ups(house)
    async with house.transaction() as transaction:
        user = await users.create(
            transaction.connection,
            email=None,
            app_metadata={},
            user_metadata=fields.mapping("data") or {},
            now=call.now,
            is_anonymous=True,
        )
        await audit.record(transaction.connection, "user_signedup", user, call.origin, call.now, provider="anonymous")
        session = await new_session(house, transaction, call, user, "anonymous")
    return JSONResponse(session)


def require_sign_ups(house: AuthHouse) -> None:
    if house.config.disable_signup:
        raise AuthError(422, "signup_disabled", "Signups not allowed for this instance")

"""Links that the operator hands out: /admin/generate_link makes one, /invite mails one."""

from starlette.responses import JSONResponse, Response

from backend.infrastructure.supabase.auth_server import audit, errors, one_time, passwords, shapes, users
from backend.infrastructure.supabase.auth_server.calls import Call, require_admin
from backend.infrastructure.supabase.auth_server.house import AuthHouse, Transaction
from backend.infrastructure.supabase.auth_server.mails import Purpose
from backend.infrastructure.supabase.auth_server.reading import Fields
from backend.infrastructure.supabase.auth_server.sending import link, remember, send_code
from backend.infrastructure.supabase.auth_server.signing_up import create_email_user
from backend.infrastructure.supabase.auth_server.user import User

PURPOSES: dict[str, Purpose] = {
    "signup": "signup",
    "invite": "invite",
    "magiclink": "magiclink",
    "recovery": "recovery",
    "email_change_current": "email_change_current",
    "email_change_new": "email_change_new",
}


async def generate_link(house: AuthHouse, call: Call) -> Response:
    require_admin(house, call)
    fields = await call.fields()
    email, wanted = fields.email(), fields.text("type")
    if wanted not in PURPOSES:
        raise errors.invalid(f"Invalid email action link type requested: {wanted[:40]}")
    redirect_to = house.redirects.choose(fields.text("redirect_to"), call.redirect_to)
    password_hash = await _password_for_sign_up(house, fields, wanted)
    async with house.transaction() as transaction:
        connection = transaction.connection
        user = await users.locked_by_email(connection, email)
        if user is None and wanted == "magiclink":
            wanted = "signup"
        purpose = PURPOSES[wanted]
        user, recipient = await _prepare(
            house, transaction, call, fields, purpose, user=user, password_hash=password_hash
        )
        code = one_time.make(recipient)
        await remember(house, transaction, call, user, purpose, code=code, email=recipient)
        user = await users.by_id(connection, user.id) or user
        answer = {
            **await shapes.user_shape(connection, user),
            "action_link": link(house, purpose, code, redirect_to),
            "email_otp": code.digits,
            "hashed_token": code.digest,
            "verification_type": wanted,
            "redirect_to": redirect_to,
        }
    return JSONResponse(answer)


async def invite(house: AuthHouse, call: Call) -> Response:
    require_admin(house, call)
    fields = await call.fields()
    email = fields.email()
    async with house.transaction() as transaction:
        user = await users.locked_by_email(transaction.connection, email)
        user = await _invited(transaction, call, fields, user)
        user = await send_code(house, transaction, call, user, "invite")
        return JSONResponse(await shapes.user_shape(transaction.connection, user))


async def _password_for_sign_up(house: AuthHouse, fields: Fields, wanted: str) -> str:
    """Hashed before the transaction begins, since that takes a while."""
    if wanted != "signup":
        return ""
    async with house.reading() as connection:
        if await users.by_email(connection, fields.email()) is not None:
            return ""
    password = fields.text("password")
    if not password:
        raise errors.invalid("Signup requires a valid password")
    passwords.check_strength(password, house.config.min_password_length)
    return await house.hasher.hash(house.pool, password)


async def _prepare(
    house: AuthHouse,
    transaction: Transaction,
    call: Call,
    fields: Fields,
    purpose: Purpose,
    *,
    user: User | None,
    password_hash: str,
) -> tuple[User, str]:
    """The user whom the link is for, made if need be, and the address that it stands for."""
    connection = transaction.connection
    if purpose == "invite":
        invited = await _invited(transaction, call, fields, user)
        return invited, invited.email
    if purpose == "signup":
        return await _signing_up(transaction, call, fields, user, password_hash), fields.email()
    if user is None:
        raise errors.user_not_found("User with this email not found")
    if purpose in ("email_change_current", "email_change_new"):
        if purpose == "email_change_current" and not house.config.secure_email_change:
            raise errors.invalid("Enable secure email change to generate link for current email")
        new_email = fields.email("new_email")
        if await users.email_is_taken(connection, new_email, by_other_than=user.id):
            raise errors.email_exists()
        if user.email_change != new_email:
            user = await users.begin_email_change(connection, user, new_email, call.now)
        return user, new_email if purpose == "email_change_new" else user.email
    await audit.record(connection, "user_recovery_requested", user, call.origin, call.now)
    return user, user.email


async def _signing_up(
    transaction: Transaction, call: Call, fields: Fields, user: User | None, password_hash: str
) -> User:
    data = fields.mapping("data") or {}
    if user is None:
        return await create_email_user(transaction, call, fields.email(), password_hash, data)
    if user.is_confirmed:
        raise errors.email_exists()
    return await users.set_metadata(transaction.connection, user, call.now, own=data)


async def _invited(transaction: Transaction, call: Call, fields: Fields, user: User | None) -> User:
    connection = transaction.connection
    if user is not None and user.is_confirmed:
        raise errors.email_exists()
    if user is None:
        user = await create_email_user(transaction, call, fields.email(), "", fields.mapping("data") or {})
    await audit.record(
        connection,
        "user_invited",
        None,
        call.origin,
        call.now,
        user_id=str(user.id),
        user_email=user.email,
    )
    return await users.record_invitation(connection, user, call.now)

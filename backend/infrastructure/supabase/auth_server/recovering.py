"""Ways in without a password: /recover, /otp, /magiclink and /resend. None of them tells which addresses are known."""

from starlette.responses import Response

from backend.infrastructure.supabase.auth_server import audit, errors, pkce, users
from backend.infrastructure.supabase.auth_server.calls import Call
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.house import AuthHouse, Transaction
from backend.infrastructure.supabase.auth_server.pkce import Challenge
from backend.infrastructure.supabase.auth_server.reading import Fields
from backend.infrastructure.supabase.auth_server.sending import send_code, wait_between_mails
from backend.infrastructure.supabase.auth_server.signing_in import nothing_to_say
from backend.infrastructure.supabase.auth_server.signing_up import ask_to_confirm, create_email_user, require_sign_ups
from backend.infrastructure.supabase.auth_server.user import User


async def recover(house: AuthHouse, call: Call) -> Response:
    house.limiter.take("recover", house.config.rate_limits.recover, call.origin.address)
    fields = await call.fields()
    if not fields.text("email"):
        raise errors.invalid("Password recovery requires an email")
    email, challenge = fields.email(), pkce.challenge_of(fields)
    house.ask_once("recovery", email)
    house.limiter.take_mail(house.config.rate_limits.mails, call.origin.address)
    async with house.transaction() as transaction:
        user = await users.locked_by_email(transaction.connection, email)
        if user is not None:
            wait_between_mails(house, user, "recovery", call.now)
            await audit.record(transaction.connection, "user_recovery_requested", user, call.origin, call.now)
            await pkce.begin(transaction.connection, user.id, challenge, "recovery", call.now)
            await send_code(house, transaction, call, user, "recovery", pkce=challenge is not None)
    return nothing_to_say()


async def one_time_password(house: AuthHouse, call: Call) -> Response:
    house.limiter.take("otp", house.config.rate_limits.otp, call.origin.address)
    fields = await call.fields()
    if fields.text("email") and fields.text("phone"):
        raise errors.invalid("Only an email address or phone number should be provided")
    if fields.text("email") and fields.text("channel"):
        raise errors.invalid("Channel should only be specified with Phone OTP")
    challenge = pkce.challenge_of(fields)
    if fields.text("phone"):
        raise AuthError(400, "phone_provider_disabled", "Unsupported phone provider")
    if not fields.text("email"):
        raise errors.invalid("One of email or phone must be set")
    await _send_magic_link(house, call, fields, challenge, may_create=fields.flag("create_user", default=True))
    return nothing_to_say()


async def magic_link(house: AuthHouse, call: Call) -> Response:
    house.limiter.take("otp", house.config.rate_limits.otp, call.origin.address)
    fields = await call.fields()
    if not fields.text("email"):
        raise errors.invalid("Password recovery requires an email", 422)
    await _send_magic_link(house, call, fields, pkce.challenge_of(fields), may_create=True)
    return nothing_to_say()


async def resend(house: AuthHouse, call: Call) -> Response:
    house.limiter.take("resend", house.config.rate_limits.resend, call.origin.address)
    fields = await call.fields()
    email, wanted = _resend_what(fields)
    house.ask_once(f"resend {wanted}", email)
    house.limiter.take_mail(house.config.rate_limits.mails, call.origin.address)
    async with house.transaction() as transaction:
        user = await users.locked_by_email(transaction.connection, email)
        if user is not None and wanted == "signup" and not user.is_confirmed:
            wait_between_mails(house, user, "signup", call.now)
            await audit.record(transaction.connection, "user_confirmation_requested", user, call.origin, call.now)
            await send_code(house, transaction, call, user, "signup")
        elif user is not None and wanted == "email_change" and user.email_change:
            await send_email_change(house, transaction, call, user, user.email_change)
    return nothing_to_say()


async def send_email_change(
    house: AuthHouse,
    transaction: Transaction,
    call: Call,
    user: User,
    new_email: str,
    *,
    challenge: Challenge | None = None,
) -> User:
    """Ask the new address, and the old one too where both must agree."""
    wait_between_mails(house, user, "email_change_new", call.now)
    is_pkce = challenge is not None
    await pkce.begin(transaction.connection, user.id, challenge, "email_change", call.now)
    user = await users.begin_email_change(transaction.connection, user, new_email, call.now)
    if house.config.secure_email_change and user.email:
        await send_code(house, transaction, call, user, "email_change_current", pkce=is_pkce)
    return await send_code(house, transaction, call, user, "email_change_new", recipient=new_email, pkce=is_pkce)


async def _send_magic_link(
    house: AuthHouse, call: Call, fields: Fields, challenge: Challenge | None, *, may_create: bool
) -> None:
    email = fields.email()
    is_pkce = challenge is not None
    house.limiter.take_mail(house.config.rate_limits.mails, call.origin.address)
    async with house.transaction() as transaction:
        user = await users.locked_by_email(transaction.connection, email)
        if user is None:
            if not may_create:
                raise AuthError(422, "otp_disabled", "Signups not allowed for otp")
            require_sign_ups(house)
            user = await create_email_user(transaction, call, email, "", fields.mapping("data") or {})
        if not user.is_confirmed and not house.config.autoconfirm:
            # The mail that confirms the address also signs in.
            await ask_to_confirm(house, transaction, call, user, challenge)
            return
        wait_between_mails(house, user, "magiclink", call.now)
        await audit.record(transaction.connection, "user_recovery_requested", user, call.origin, call.now)
        await pkce.begin(transaction.connection, user.id, challenge, "magiclink", call.now)
        await send_code(house, transaction, call, user, "magiclink", pkce=is_pkce)


def _resend_what(fields: Fields) -> tuple[str, str]:
    """The address and what was sent to it."""
    wanted, email, phone = fields.text("type"), fields.text("email"), fields.text("phone")
    if wanted not in ("signup", "email_change", "sms", "phone_change"):
        raise errors.invalid("Missing one of these types: signup, email_change, sms, phone_change")
    if wanted == "signup" and not email:
        raise errors.invalid("Type provided requires an email address")
    if wanted == "sms" and not phone:
        raise errors.invalid("Type provided requires a phone number")
    if email and phone:
        raise errors.invalid("Only an email address or phone number should be provided.")
    if phone:
        raise AuthError(400, "phone_provider_disabled", "Phone logins are disabled")
    if not email:
        raise errors.invalid("Missing email address or phone number")
    return fields.email(), wanted

"""/admin: what the operator does with any account, by the secret key."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from starlette.responses import JSONResponse, Response

from backend.infrastructure.supabase.auth_server import audit, errors, identities, passwords, sessions, shapes, users
from backend.infrastructure.supabase.auth_server.calls import Call, require_admin
from backend.infrastructure.supabase.auth_server.durations import parse_duration
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.house import AuthHouse, Transaction
from backend.infrastructure.supabase.auth_server.reading import Fields
from backend.infrastructure.supabase.auth_server.signing_in import nothing_to_say
from backend.infrastructure.supabase.auth_server.user import Metadata, User, email_identity_data, merged

UUID_FORM = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
DEFAULT_PER_PAGE, MOST_PER_PAGE = 50, 1000
LAST_PAGE = 2**40
LONGEST_ROLE = 255


async def list_users(house: AuthHouse, call: Call) -> Response:
    require_admin(house, call)
    page, per_page = _paging(call)
    direction = _sorting(call)
    async with house.reading() as connection:
        found, total = await users.page(
            connection,
            limit=per_page,
            offset=(page - 1) * per_page,
            words=call.query("filter"),
            oldest_first=direction == "asc",
        )
        listed = await shapes.user_shapes(connection, found)
    return JSONResponse({"users": listed, "aud": "authenticated"}, headers=_paging_headers(call, page, per_page, total))


async def get_user(house: AuthHouse, call: Call) -> Response:
    require_admin(house, call)
    async with house.reading() as connection:
        user = _found(await users.by_id(connection, _user_id(call)))
        return JSONResponse(await shapes.user_shape(connection, user))


async def create_user(house: AuthHouse, call: Call) -> Response:
    require_admin(house, call)
    fields = await call.fields()
    email, phone = fields.text("email"), fields.text("phone")
    if not email and not phone:
        raise errors.invalid("Cannot create a user without either an email or phone")
    if phone:
        raise AuthError(400, "phone_provider_disabled", "Users with a phone number are not supported")
    email = fields.email()
    user_id, role = _wanted_id(fields), _role(fields)
    banned_until = _ban(fields, call.now)
    password_hash = await _first_password(house, fields)
    try:
        async with house.transaction() as transaction:
            connection = transaction.connection
            if await users.email_is_taken(connection, email):
                raise errors.email_exists()
            user = await users.create(
                connection,
                user_id=user_id,
                email=email,
                password_hash=password_hash,
                role=role or "authenticated",
                app_metadata=merged({"provider": "email", "providers": ["email"]}, fields.mapping("app_metadata")),
                user_metadata=fields.mapping("user_metadata") or {},
                now=call.now,
            )
            await identities.add(connection, user.id, email_identity_data(user.id, email), call.now)
            if fields.flag("email_confirm"):
                user = await users.confirm(connection, user, call.now)
            if banned_until is not None:
                user = await users.ban(connection, user, banned_until.until, call.now)
            await _audit(transaction, call, "user_signedup", user)
            return JSONResponse(await shapes.user_shape(connection, user))
    except asyncpg.UniqueViolationError as problem:
        if problem.constraint_name == "users_pkey":
            raise AuthError(422, "user_already_exists", "A user with this id has already been registered") from problem
        raise errors.email_exists() from problem


async def change_user(house: AuthHouse, call: Call) -> Response:
    require_admin(house, call)
    user_id = _user_id(call)
    async with house.reading() as connection:
        _found(await users.by_id(connection, user_id))
    fields = await call.fields()
    if fields.text("phone"):
        raise AuthError(400, "phone_provider_disabled", "Users with a phone number are not supported")
    email = fields.text("email") and fields.email()
    role, banned_until = _role(fields), _ban(fields, call.now)
    password_hash = None
    if (password := fields.optional_text("password")) is not None:
        passwords.check_strength(password, house.config.min_password_length)
        password_hash = await house.hasher.hash(house.pool, password)
    try:
        async with house.transaction() as transaction:
            connection = transaction.connection
            user = _found(await users.locked(connection, user_id))
            if role:
                user = await users.set_role(connection, user, role, call.now)
            if password_hash is not None:
                user = await users.set_password(connection, user, password_hash, call.now)
                await sessions.end_all(connection, user.id)
            if email:
                user = await _set_email(transaction, call, user, email, confirmed=fields.flag("email_confirm"))
            if fields.flag("email_confirm"):
                user = await users.confirm(connection, user, call.now)
            user = await users.set_metadata(
                connection, user, call.now, app=fields.mapping("app_metadata"), own=fields.mapping("user_metadata")
            )
            if banned_until is not None:
                user = await users.ban(connection, user, banned_until.until, call.now)
            await _audit(transaction, call, "user_modified", user)
            return JSONResponse(await shapes.user_shape(connection, user))
    except asyncpg.UniqueViolationError as problem:
        raise errors.email_exists() from problem


async def delete_user(house: AuthHouse, call: Call) -> Response:
    require_admin(house, call)
    user_id = _user_id(call)
    is_soft = (await call.fields(may_be_empty=True)).flag("should_soft_delete")
    async with house.transaction() as transaction:
        user = _found(await users.locked(transaction.connection, user_id))
        await _audit(transaction, call, "user_deleted", user)
        if not is_soft:
            await users.delete(transaction.connection, user)
        elif user.deleted_at is None:
            await users.soft_delete(transaction.connection, user, call.now)
    return nothing_to_say()


async def list_factors(house: AuthHouse, call: Call) -> Response:
    """Nobody has a second factor here."""
    require_admin(house, call)
    async with house.reading() as connection:
        _found(await users.by_id(connection, _user_id(call)))
    return JSONResponse([])


async def list_audit(house: AuthHouse, call: Call) -> Response:
    require_admin(house, call)
    page, per_page = _paging(call)
    async with house.reading() as connection:
        rows, total = await audit.page(connection, limit=per_page, offset=(page - 1) * per_page)
    entries = [
        {
            "id": str(row["id"]),
            "payload": row["payload"],
            "created_at": shapes.moment(row["created_at"]),
            "ip_address": row["ip_address"],
        }
        for row in rows
    ]
    return JSONResponse(entries, headers=_paging_headers(call, page, per_page, total))


async def _first_password(house: AuthHouse, fields: Fields) -> str:
    """A hash of the given password, a given bcrypt hash, or nothing for someone who will sign in by mail."""
    password, given_hash = fields.optional_text("password"), fields.text("password_hash")
    if password is not None and given_hash:
        raise errors.invalid("Only a password or a password hash should be provided")
    if given_hash:
        if not passwords.is_usable_hash(given_hash):
            raise errors.invalid("password_hash must be a bcrypt hash of moderate cost")
        return given_hash
    if not password:
        return ""
    passwords.check_strength(password, min_length=0)
    return await house.hasher.hash(house.pool, password)


async def _set_email(transaction: Transaction, call: Call, user: User, email: str, *, confirmed: bool) -> User:
    connection = transaction.connection
    changes: Metadata = {"email": email, "email_verified": confirmed}
    if not await identities.change(connection, user.id, changes, call.now):
        await identities.add(connection, user.id, email_identity_data(user.id, email, verified=confirmed), call.now)
        user = await users.set_metadata(connection, user, call.now, app={"provider": "email", "providers": ["email"]})
    return await users.set_email(connection, user, email, call.now, permanent=confirmed)


async def _audit(transaction: Transaction, call: Call, action: str, user: User) -> None:
    traits: dict[str, Any] = {"user_id": str(user.id), "user_email": user.email, "user_phone": user.phone}
    await audit.record(transaction.connection, action, None, call.origin, call.now, **traits)


class _Ban:
    """A wish to suspend until then, or with None to lift a suspension."""

    def __init__(self, until: datetime | None) -> None:
        self.until = until


def _ban(fields: Fields, now: datetime) -> _Ban | None:
    text = fields.text("ban_duration")
    if not text:
        return None
    return _Ban(None if text == "none" else now + parse_duration(text))


def _role(fields: Fields) -> str:
    role = fields.text("role").strip()
    if len(role) > LONGEST_ROLE:
        raise errors.invalid(f"role cannot be longer than {LONGEST_ROLE} characters")
    return role


def _wanted_id(fields: Fields) -> UUID | None:
    text = fields.text("id")
    if not text:
        return None
    if not UUID_FORM.fullmatch(text):
        raise errors.invalid("ID must conform to the uuid v4 format")
    if UUID(text).int == 0:
        raise errors.invalid("ID cannot be a nil uuid")
    return UUID(text)


def _user_id(call: Call) -> UUID:
    text = str(call.request.path_params["user_id"])
    if not UUID_FORM.fullmatch(text):
        raise errors.invalid("user_id must be an UUID", 404)
    return UUID(text)


def _found(user: User | None) -> User:
    if user is None:
        raise errors.user_not_found()
    return user


def _paging(call: Call) -> tuple[int, int]:
    page, per_page = _number(call, "page", 1), _number(call, "per_page", DEFAULT_PER_PAGE)
    if per_page == 0:
        raise errors.invalid("Bad Pagination Parameters: per_page must be greater than 0")
    return max(1, min(page, LAST_PAGE)), min(per_page, MOST_PER_PAGE)


def _number(call: Call, name: str, default: int) -> int:
    text = call.query(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise errors.invalid(f'Bad Pagination Parameters: strconv.ParseUint: parsing "{text[:40]}": invalid syntax')
    return int(text)


def _sorting(call: Call) -> str:
    text = call.query("sort") or "created_at desc"
    field, _, direction = text.partition(" ")
    if field != "created_at" or direction not in ("", "asc", "desc"):
        raise errors.invalid(f"Bad Sort Parameters: bad field for sort '{text[:40]}'")
    return direction or "desc"


def _paging_headers(call: Call, page: int, per_page: int, total: int) -> dict[str, str]:
    last = -(-total // per_page)
    others = [(name, value) for name, value in call.request.query_params.multi_items() if name != "page"]

    def link(number: int, relation: str) -> str:
        # The clients read the number after the first equals sign, so it comes first.
        query = urlencode([("page", str(number)), *others])
        return f'<{call.request.url.path}?{query}>; rel="{relation}"'

    links = [link(page + 1, "next")] if last > page else []
    return {"X-Total-Count": str(total), "Link": ", ".join([*links, link(last, "last")])}

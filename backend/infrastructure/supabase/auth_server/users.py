"""The rows of auth.users: reading them, and every change that is made to them."""

from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

from backend.infrastructure.supabase.auth_server import errors, identities
from backend.infrastructure.supabase.auth_server.user import Connection, Metadata, User, digest, merged


async def by_id(connection: Connection, user_id: UUID) -> User | None:
    return _user(await connection.fetchrow("select * from auth.users where id = $1", user_id))


async def locked(connection: Connection, user_id: UUID) -> User | None:
    return _user(await connection.fetchrow("select * from auth.users where id = $1 for update", user_id))


async def by_email(connection: Connection, email: str) -> User | None:
    return _user(
        await connection.fetchrow(
            "select * from auth.users where email = $1 and is_sso_user = false and deleted_at is null", email.lower()
        )
    )


async def locked_by_email(connection: Connection, email: str) -> User | None:
    return _user(
        await connection.fetchrow(
            "select * from auth.users where email = $1 and is_sso_user = false and deleted_at is null for update",
            email.lower(),
        )
    )


async def email_is_taken(connection: Connection, email: str, *, by_other_than: UUID | None = None) -> bool:
    taken: bool = await connection.fetchval(
        "select exists (select from auth.users"
        " where email = $1 and is_sso_user = false and id is distinct from $2::uuid)",
        email,
        by_other_than,
    )
    return taken


async def create(
    connection: Connection,
    *,
    email: str | None,
    password_hash: str = "",
    app_metadata: Metadata,
    user_metadata: Metadata,
    now: datetime,
    user_id: UUID | None = None,
    role: str = "authenticated",
    is_anonymous: bool = False,
) -> User:
    row = await connection.fetchrow(
        "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, confirmation_token,"
        " recovery_token, email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data,"
        " created_at, updated_at, is_anonymous)"
        " values ('00000000-0000-0000-0000-000000000000', $1, 'authenticated', $2, $3, $4, '', '', '', '',"
        " $5, $6, $7, $7, $8) returning *",
        user_id or uuid4(),
        role,
        email,
        password_hash,
        app_metadata,
        user_metadata,
        now,
        is_anonymous,
    )
    return _changed(row)


async def confirm(connection: Connection, user: User, now: datetime) -> User:
    """The address is theirs: every code that was sent has done its work."""
    await forget_tokens(connection, user.id)
    row = await connection.fetchrow(
        "update auth.users set email_confirmed_at = coalesce(email_confirmed_at, $2), updated_at = $2,"
        " raw_user_meta_data = coalesce(raw_user_meta_data, '{}') || '{\"email_verified\": true}' where id = $1"
        " returning *",
        user.id,
        now,
    )
    await identities.change(connection, user.id, {"email_verified": True}, now)
    return _changed(row)


async def set_password(connection: Connection, user: User, password_hash: str, now: datetime) -> User:
    """A new password; whatever was sent before it is no longer trusted."""
    await forget_tokens(connection, user.id)
    row = await connection.fetchrow(
        "update auth.users set encrypted_password = $2, updated_at = $3, confirmation_sent_at = null,"
        " recovery_sent_at = null, email_change_sent_at = null, reauthentication_sent_at = null"
        " where id = $1 returning *",
        user.id,
        password_hash,
        now,
    )
    return _changed(row)


async def forget_password(connection: Connection, user: User, now: datetime) -> None:
    await connection.execute(
        "update auth.users set encrypted_password = '', updated_at = $2 where id = $1", user.id, now
    )


async def set_metadata(
    connection: Connection, user: User, now: datetime, *, app: Metadata | None = None, own: Metadata | None = None
) -> User:
    """Merge one level deep; null removes a member."""
    row = await connection.fetchrow(
        "update auth.users set raw_app_meta_data = $2, raw_user_meta_data = $3, updated_at = $4"
        " where id = $1 returning *",
        user.id,
        merged(user.app_metadata, app),
        merged(user.user_metadata, own),
        now,
    )
    return _changed(row)


async def set_email(connection: Connection, user: User, email: str, now: datetime, *, permanent: bool) -> User:
    """The address itself, with any pending change to another one dropped."""
    await connection.execute(
        "delete from auth.one_time_tokens where user_id = $1"
        " and token_type in ('email_change_token_new', 'email_change_token_current')",
        user.id,
    )
    row = await connection.fetchrow(
        "update auth.users set email = $2, email_change = '', email_change_token_new = '',"
        " email_change_token_current = '', email_change_confirm_status = 0, updated_at = $3,"
        " is_anonymous = is_anonymous and not $4 where id = $1 returning *",
        user.id,
        email,
        now,
        permanent,
    )
    return _changed(row)


async def begin_email_change(connection: Connection, user: User, email: str, now: datetime) -> User:
    row = await connection.fetchrow(
        "update auth.users set email_change = $2, email_change_sent_at = $3, email_change_confirm_status = 0,"
        " updated_at = $3 where id = $1 returning *",
        user.id,
        email,
        now,
    )
    return _changed(row)


async def note_one_confirmation(connection: Connection, user: User, now: datetime) -> None:
    """One of the two addresses agreed to the change."""
    await connection.execute(
        "update auth.users set email_change_confirm_status = 1, updated_at = $2 where id = $1", user.id, now
    )


async def set_role(connection: Connection, user: User, role: str, now: datetime) -> User:
    row = await connection.fetchrow(
        "update auth.users set role = $2, updated_at = $3 where id = $1 returning *", user.id, role, now
    )
    return _changed(row)


async def ban(connection: Connection, user: User, until: datetime | None, now: datetime) -> User:
    row = await connection.fetchrow(
        "update auth.users set banned_until = $2, updated_at = $3 where id = $1 returning *", user.id, until, now
    )
    return _changed(row)


async def record_sign_in(connection: Connection, user: User, now: datetime) -> User:
    row = await connection.fetchrow(
        "update auth.users set last_sign_in_at = $2, updated_at = $2 where id = $1 returning *", user.id, now
    )
    return _changed(row)


async def record_invitation(connection: Connection, user: User, now: datetime) -> User:
    row = await connection.fetchrow("update auth.users set invited_at = $2 where id = $1 returning *", user.id, now)
    return _changed(row)


async def delete(connection: Connection, user: User) -> None:
    await connection.execute("delete from auth.users where id = $1", user.id)


async def soft_delete(connection: Connection, user: User, now: datetime) -> None:
    """Keep the row and its id, forget the person: the address is replaced by a digest of it."""
    await forget_tokens(connection, user.id)
    await connection.execute("delete from auth.sessions where user_id = $1", user.id)
    await connection.execute(
        "update auth.users set email = $2, phone = null, encrypted_password = '', email_change = '',"
        " raw_user_meta_data = '{}', raw_app_meta_data = '{}', deleted_at = $3, updated_at = $3 where id = $1",
        user.id,
        digest(user.id, user.email) if user.email else None,
        now,
    )
    await connection.execute(
        "update auth.identities set provider_id = $2, identity_data = '{}', updated_at = $3 where user_id = $1",
        user.id,
        digest(user.id, str(user.id)),
        now,
    )


async def forget_tokens(connection: Connection, user_id: UUID) -> None:
    await connection.execute("delete from auth.one_time_tokens where user_id = $1", user_id)
    await connection.execute(
        "update auth.users set confirmation_token = '', recovery_token = '', email_change_token_new = '',"
        " email_change_token_current = '', reauthentication_token = '' where id = $1",
        user_id,
    )


async def page(
    connection: Connection, *, limit: int, offset: int, words: str, oldest_first: bool
) -> tuple[list[User], int]:
    """One page of all users, and how many there are."""
    pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    total = await connection.fetchval(
        "select count(*) from auth.users where aud = 'authenticated'"
        " and ($1 = '%%' or email ilike $1 or raw_user_meta_data ->> 'full_name' ilike $1)",
        pattern,
    )
    rows = await connection.fetch(
        "select * from auth.users where aud = 'authenticated'"
        " and ($1 = '%%' or email ilike $1 or raw_user_meta_data ->> 'full_name' ilike $1)"
        " order by case when $4 then created_at end, case when not $4 then created_at end desc, id"
        " limit $2 offset $3",
        pattern,
        limit,
        offset,
        oldest_first,
    )
    return [User.from_row(row) for row in rows], total


def _user(row: asyncpg.Record | None) -> User | None:
    return None if row is None else User.from_row(row)


def _changed(row: asyncpg.Record | None) -> User:
    if row is None:
        raise errors.user_not_found()  # deleted by someone else meanwhile
    return User.from_row(row)

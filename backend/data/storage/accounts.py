"""Profiles and sessions in Postgres. The connection acts as the user, so row level security narrows every row."""

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from backend.domain.accounts import Density, Palette, Preferences, Profile, ProfileChange, Session, Theme
from backend.domain.pages import Page, Place

if TYPE_CHECKING:
    import asyncpg

    from backend.infrastructure.service_database import ServiceDatabase


class AccountTables:
    """An AccountRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def profile(self, user_id: UUID) -> Profile | None:
        row = await self._connection.fetchrow("select * from public.profiles where user_id = $1", user_id)
        return None if row is None else _profile(row)

    async def ensure_profile(self) -> None:
        await self._connection.execute("select private.ensure_my_profile()")

    async def change_profile(self, user_id: UUID, change: ProfileChange, *, version: int | None) -> Profile | None:
        preferences = change.preferences
        row = await self._connection.fetchrow(
            """
            update public.profiles set
                display_name = coalesce($3, display_name),
                theme = coalesce($4, theme),
                palette = coalesce($5, palette),
                density = coalesce($6, density),
                timezone = coalesce($7, timezone),
                single_key_shortcuts = coalesce($8, single_key_shortcuts)
            where user_id = $1 and ($2::integer is null or version = $2)
            returning *
            """,
            user_id,
            version,
            change.display_name,
            preferences.theme,
            preferences.palette,
            preferences.density,
            preferences.timezone,
            preferences.single_key_shortcuts,
        )
        return None if row is None else _profile(row)

    async def sessions(self, *, limit: int, after: Place | None) -> Page[Session]:
        rows = await self._connection.fetch(
            """
            select id, created_at, last_seen_at, user_agent, ip, is_current from private.list_my_sessions()
            where $2::timestamptz is null or (created_at, id) < ($2, $3::uuid)
            order by created_at desc, id desc
            limit $1
            """,
            limit + 1,
            after and after.at,
            after and after.id,
        )
        sessions = tuple(Session(**row) for row in rows[:limit])
        there_is_more = len(rows) > limit
        return Page(
            items=sessions, next=Place(at=sessions[-1].created_at, id=sessions[-1].id) if there_is_more else None
        )

    async def end_session(self, session_id: UUID) -> bool:
        return bool(await self._connection.fetchval("select private.end_my_session($1)", session_id))

    async def session_is_alive(self, session_id: UUID) -> bool:
        return bool(await self._connection.fetchval("select private.session_is_alive($1)", session_id))

    async def is_admin(self) -> bool:
        return bool(await self._connection.fetchval("select private.caller_is_admin()"))


class AccountStates:
    """An AccountWatch over the database, as the service."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def suspended(self, user_ids: Collection[UUID]) -> frozenset[UUID]:
        async with self._database.acting_as_service() as connection:
            rows = await connection.fetch(
                "select wanted from unnest($1::uuid[]) as wanted where not private.user_is_active(wanted)",
                list(user_ids),
            )
        return frozenset(row["wanted"] for row in rows)

    async def revoked(self, token_ids: Collection[UUID]) -> frozenset[UUID]:
        rows = await self._database.fetch("select private.revoked_tokens($1) as id", list(token_ids))
        return frozenset(row["id"] for row in rows)


def _profile(row: "asyncpg.Record") -> Profile:
    return Profile(
        user_id=row["user_id"],
        display_name=row["display_name"],
        preferences=Preferences(
            theme=Theme(row["theme"]),
            palette=Palette(row["palette"]),
            density=Density(row["density"]),
            timezone=row["timezone"],
            single_key_shortcuts=row["single_key_shortcuts"],
        ),
        is_demo=row["is_demo"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )

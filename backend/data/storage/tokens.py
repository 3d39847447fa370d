"""Personal access tokens in Postgres: their owner's as that user, and what the house asks of them as the service."""

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from backend.domain.errors import SessionEnded
from backend.domain.pages import Page, Place
from backend.domain.tokens import NewToken, PersonalToken, Scope, TokenHolder, TokenUse

if TYPE_CHECKING:
    import asyncpg

    from backend.infrastructure.service_database import ServiceDatabase

# The one with this id, else a page of them.
_READ = """
select id, name, hint, scopes, created_at, expires_at, last_used_at, host(last_used_address) as last_used_address,
       revoked_at
from public.personal_access_tokens
where ($4::uuid is null or id = $4) and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
order by created_at desc, id desc
limit $1
"""


class TokenTable:
    """A TokenRepository on one connection, inside one transaction. No user can read a digest."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def tokens(self, *, limit: int, after: Place | None) -> Page[PersonalToken]:
        rows = await self._connection.fetch(_READ, limit + 1, after and after.at, after and after.id, None)
        tokens = tuple(_token(row) for row in rows[:limit])
        there_is_more = len(rows) > limit
        return Page(items=tokens, next=Place(at=tokens[-1].created_at, id=tokens[-1].id) if there_is_more else None)

    async def create(self, token: NewToken) -> PersonalToken:
        token_id = await self._connection.fetchval(
            "select private.create_my_token($1, $2, $3, $4, $5)",
            token.name,
            token.digest,
            token.hint,
            [scope for scope in Scope if scope in token.scopes],
            token.lives_for,
        )
        if token_id is None:
            raise SessionEnded
        [row] = await self._connection.fetch(_READ, 1, None, None, token_id)
        return _token(row)

    async def revoke(self, token_id: UUID) -> bool:
        return bool(await self._connection.fetchval("select private.revoke_my_token($1)", token_id))


class TokenBook:
    """TokenRecords over the database, as the service."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def holder(self, digest: bytes) -> TokenHolder | None:
        row = await self._database.fetchrow("select * from private.holder_of_token($1)", digest)
        return None if row is None else TokenHolder(**{**row, "scopes": _scopes(row)})

    async def note_uses(self, uses: Collection[TokenUse]) -> None:
        await self._database.fetchval(
            "select private.note_token_uses($1, $2)",
            [use.token_id for use in uses],
            [use.address for use in uses],
        )


def _token(row: "asyncpg.Record") -> PersonalToken:
    return PersonalToken(**{**row, "scopes": _scopes(row)})


def _scopes(row: "asyncpg.Record") -> frozenset[Scope]:
    return frozenset(Scope(name) for name in row["scopes"])

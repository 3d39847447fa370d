"""Postgres as one user at a time: each transaction takes on a role and claims, and row level security does the rest."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import asyncpg

from backend.domain.accounts import Identity
from backend.domain.errors import AccountSuspended, AdminNeeded, InputError, InvalidInput, QuotaReached
from backend.infrastructure.connections import COMMAND_SECONDS, Connections

ANON_TIMEOUT = "3s"
USER_TIMEOUT = "8s"

# Begun in one round trip with all that it takes, as text, for only text may hold several statements. What comes from a
# token is in hexadecimal, which cannot end a literal. `admit_user` runs with the rights of its owner, before a
# single row is seen.
_BEGIN = """{clean}
begin {mode};
select set_config('role', '{role}', true),
       set_config('request.jwt.claims', convert_from(decode('{claims}', 'hex'), 'UTF8'), true),
       set_config('search_path', 'public, extensions', true),
       set_config('statement_timeout', '{timeout}', true){check}
"""
_CHECK = """,
       private.admit_user('{user_id}')"""

# RESET ALL does not reset the role. Nothing here sets one outside a transaction; this makes sure of it, in the round
# trip that begins the next one.
_CLEAN = "reset role; close all; unlisten *; reset all;"


def nothing() -> None:
    pass


class Database(Connections):
    """A pool of connections of a login that may do nothing by itself; `acting_as` lends one to a user."""

    def __init__(
        self,
        dsn: str,
        *,
        min_size: int = 2,
        max_size: int = 16,
        statement_cache: bool = True,
        command_seconds: float = COMMAND_SECONDS,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`statement_cache=False` is for a transaction pooler, where no session state may be relied on.

        `on_wait` hears how long each user of the pool waited for a connection.
        """
        super().__init__(
            dsn,
            min_size=min_size,
            max_size=max_size,
            statement_cache=statement_cache,
            command_seconds=command_seconds,
            on_wait=on_wait,
        )
        # Behind a transaction pooler the session is not ours to clean, and nothing of ours outlives a transaction.
        self._clean = _CLEAN if statement_cache else ""

    def acting_as(
        self, identity: Identity | None, *, readonly: bool = False, after_commit: Callable[[], None] = nothing
    ) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """One transaction as this user (None: as a visitor), committed when the block ends well.

        Raises AccountSuspended before anything is read, DatabaseUnavailable when the connection is lost, and
        QuotaReached when the commit finds that others took the last places of the user's plan meanwhile, or
        AccountSuspended when it finds that what was submitted is a suspended user's by now. A text that Postgres
        cannot have is InvalidInput.
        """
        return self._transaction(identity, readonly, after_commit)

    @asynccontextmanager
    async def _transaction(
        self, identity: Identity | None, readonly: bool, after_commit: Callable[[], None]
    ) -> AsyncIterator[asyncpg.Connection]:
        async with self._connection() as connection:
            with refusals_told():
                async with _begun(connection, self._beginning(identity, readonly)):
                    yield connection
            # Whoever hears of it need not wait until the connection is back in the pool.
            after_commit()

    def _beginning(self, identity: Identity | None, readonly: bool) -> str:
        """The role is chosen here, never taken from a token."""
        given = {"clean": self._clean, "mode": "read only" if readonly else ""}
        if identity is None:
            claims = {"role": "anon"}
            return _BEGIN.format(**given, role="anon", claims=_hexed(claims), timeout=ANON_TIMEOUT, check="")
        claims = {**identity.claims, "sub": str(identity.user_id), "role": "authenticated"}
        return _BEGIN.format(
            **given,
            role="authenticated",
            claims=_hexed(claims),
            timeout=USER_TIMEOUT,
            check=_CHECK.format(user_id=UUID(int=identity.user_id.int)),
        )


@contextlib.contextmanager
def refusals_told() -> Iterator[None]:
    """Raise what was refused: QuotaReached by the user's plan, AccountSuspended, AdminNeeded, InvalidInput."""
    try:
        yield
    except asyncpg.PostgresError as error:
        match error.sqlstate:
            case "TM001":
                told = {"what": "waiting tasks", **json.loads(error.detail or "{}")}
                raise QuotaReached(told.pop("what"), **told) from error
            case "TM002":
                raise AccountSuspended from error
            case "TM003":
                raise AdminNeeded from error
            case "22021":  # whoever knows the field asks before; this is for texts that are only looked for
                detail = "A text in it holds the character U+0000. Leave it out."
                raise InvalidInput([InputError(pointer="", detail=detail)]) from error
            case _:
                raise


def _hexed(claims: Mapping[str, object]) -> str:
    return json.dumps(claims).encode().hex()


@asynccontextmanager
async def _begun(connection: asyncpg.Connection, begin: str) -> AsyncIterator[None]:
    """One transaction, which asyncpg's own would begin in a round trip of its own."""
    try:
        await connection.execute(begin)
        yield
    except TimeoutError:
        connection.terminate()  # a rollback would wait for the same silence once more
        raise
    except BaseException:
        await connection.execute("rollback")
        raise
    await connection.execute("commit")

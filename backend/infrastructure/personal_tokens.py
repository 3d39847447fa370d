"""Verifies personal access tokens, and notes now and then that they were used."""

import asyncio
import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any
from uuid import UUID

from cachetools import TTLCache
from loguru import logger

from backend.domain.accounts import Identity
from backend.domain.errors import ServiceUnavailable, TokenRejected
from backend.domain.ports import Clock, TokenRecords, TokenVerifier
from backend.domain.tokens import (
    MAKE_ANOTHER,
    PREFIX,
    USE_IS_NOTED_EVERY,
    Scope,
    TokenHolder,
    TokenUse,
    digest_of_token,
)

# So long another process may still take a token for good that was revoked here.
REMEMBERED_SECONDS = 3
REMEMBERED_TOKENS = 10_000
NOTES_ARE_WRITTEN_EVERY_SECONDS = 5.0
_ID_CLAIM = "tidemark_token_id"
_SCOPES_CLAIM = "tidemark_scopes"


class PersonalTokens:
    """A TokenVerifier of tokens that begin with `tdm_`; all others are handed to the verifier of sessions."""

    def __init__(
        self,
        sessions: TokenVerifier,
        records: TokenRecords,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """What is remembered goes by a clock that nobody sets back: else what was revoked would stay good meanwhile."""
        self._sessions = sessions
        self._records = records
        self._clock = clock
        self._remembered: TTLCache[bytes, TokenHolder] = TTLCache(
            REMEMBERED_TOKENS, REMEMBERED_SECONDS, timer=monotonic
        )
        self._revocations = 0
        self._uses: dict[UUID, TokenUse] = {}
        self._noted: TTLCache[UUID, bool] = TTLCache(
            REMEMBERED_TOKENS, USE_IS_NOTED_EVERY.total_seconds(), timer=monotonic
        )

    async def verify(self, token: str) -> Identity:
        if not token.startswith(PREFIX):
            return await self._sessions.verify(token)
        holder = await self._holder(digest_of_token(token))
        if holder.is_revoked:
            raise TokenRejected("it was revoked", remedy=MAKE_ANOTHER)
        if holder.expires_at <= self._clock.now():
            raise TokenRejected(f"it expired on {holder.expires_at.astimezone(UTC):%Y-%m-%d}", remedy=MAKE_ANOTHER)
        return _identity(holder)

    def forget(self, token_id: UUID) -> None:
        """It was revoked: look at it anew, whatever is remembered."""
        self._revocations += 1
        for digest in [digest for digest, holder in self._remembered.items() if holder.token_id == token_id]:
            self._remembered.pop(digest, None)

    def note_use(self, identity: Identity, address: str) -> None:
        """For later, and only if it is a token whose last use is some time ago."""
        token_id = identity.token_id
        if token_id is not None and token_id not in self._noted:
            self._noted[token_id] = True
            self._uses[token_id] = TokenUse(token_id=token_id, address=_address(address))

    async def keep_noting(self) -> None:
        """Write down what was noted, for ever, apart from all requests."""
        while True:
            await asyncio.sleep(NOTES_ARE_WRITTEN_EVERY_SECONDS)
            try:
                await self.write_notes()
            except Exception:  # noqa: BLE001 - one note that cannot be written must not be the last one
                logger.exception("The use of some tokens could not be noted")

    async def write_notes(self) -> None:
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._records.note_uses(tuple(uses.values()))
        except ServiceUnavailable as error:
            self._uses = {**uses, **self._uses}
            logger.debug("Uses of tokens wait for the database: {}", error.detail)

    async def _holder(self, digest: bytes) -> TokenHolder:
        remembered = self._remembered.get(digest)
        if remembered is not None:
            return remembered
        revocations = self._revocations
        holder = await self._records.holder(digest)
        if holder is None:
            raise TokenRejected("there is no such token, or it was revoked long ago", remedy=MAKE_ANOTHER)
        if revocations == self._revocations:  # else it may be older than what was revoked meanwhile
            self._remembered[digest] = holder
        return holder


def narrowed(identity: Identity, claims: Mapping[str, Any]) -> Identity:
    """The identity that a stream ticket brings back is no more than the token that bought the ticket."""
    if _ID_CLAIM not in claims:
        return identity
    scopes = frozenset(Scope(name) for name in claims[_SCOPES_CLAIM])
    return replace(identity, token_id=UUID(claims[_ID_CLAIM]), scopes=scopes)


def _identity(holder: TokenHolder) -> Identity:
    """No administrator and no session, whoever its user is; the database sees an ordinary user."""
    claims = {
        "sub": str(holder.user_id),
        "aud": "authenticated",
        "role": "authenticated",
        "iat": int(holder.created_at.timestamp()),
        "exp": int(holder.expires_at.timestamp()),
        "is_anonymous": holder.is_anonymous,
        "app_metadata": {},
        _ID_CLAIM: str(holder.token_id),
        _SCOPES_CLAIM: sorted(holder.scopes),
    }
    if holder.email is not None:
        claims["email"] = holder.email
    return Identity(
        user_id=holder.user_id,
        email=holder.email,
        is_admin=False,
        is_anonymous=holder.is_anonymous,
        session_id=None,
        expires_at=holder.expires_at,
        claims=claims,
        token_id=holder.token_id,
        scopes=holder.scopes,
    )


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None

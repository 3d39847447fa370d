"""Personal access tokens of one user in memory, for whoever owns them and for the house."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from backend.domain.errors import QuotaReached, SessionEnded
from backend.domain.pages import Page, Place
from backend.domain.tokens import MOST_LIVE_TOKENS, NewToken, PersonalToken, TokenHolder, TokenUse
from tests.fakes import FakeClock


class FakeTokens:
    """A TokenRepository and TokenRecords in one."""

    def __init__(self, user_id: UUID, clock: FakeClock) -> None:
        self._user_id = user_id
        self._clock = clock
        self._tokens: dict[bytes, PersonalToken] = {}
        self.has_session = True
        self.asked = 0

    async def tokens(self, *, limit: int, after: Place | None) -> Page[PersonalToken]:
        newest_first = list(reversed(self._tokens.values()))
        begins = 0 if after is None else [token.id for token in newest_first].index(after.id) + 1
        items = tuple(newest_first[begins : begins + limit])
        there_is_more = len(newest_first) > begins + limit
        return Page(items=items, next=Place(at=items[-1].created_at, id=items[-1].id) if there_is_more else None)

    async def create(self, token: NewToken) -> PersonalToken:
        if not self.has_session:
            raise SessionEnded
        now = self._clock.now()
        live = sum(one.revoked_at is None and one.expires_at > now for one in self._tokens.values())
        if live >= MOST_LIVE_TOKENS:
            raise QuotaReached("live tokens", limit=MOST_LIVE_TOKENS, count=live, remedy="Revoke some.")
        self._tokens[token.digest] = PersonalToken(
            id=uuid4(),
            name=token.name,
            hint=token.hint,
            scopes=token.scopes,
            created_at=now,
            expires_at=now + token.lives_for,
            last_used_at=None,
            last_used_address=None,
            revoked_at=None,
        )
        return self._tokens[token.digest]

    async def revoke(self, token_id: UUID) -> bool:
        for digest, token in self._tokens.items():
            if token.id == token_id and token.revoked_at is None:
                self._tokens[digest] = replace(token, revoked_at=self._clock.now())
                return True
        return False

    async def holder(self, digest: bytes) -> TokenHolder | None:
        self.asked += 1
        token = self._tokens.get(digest)
        if token is None:
            return None
        return TokenHolder(
            token_id=token.id,
            user_id=self._user_id,
            email=None,
            is_anonymous=False,
            scopes=token.scopes,
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
            is_revoked=token.revoked_at is not None,
        )

    async def note_uses(self, uses: Collection[TokenUse]) -> None:
        now = self._clock.now()
        told = {use.token_id: use.address for use in uses}
        for digest, token in self._tokens.items():
            is_due = token.last_used_at is None or token.last_used_at < now - timedelta(hours=1)
            if token.id in told and is_due:
                self._tokens[digest] = replace(token, last_used_at=now, last_used_address=told[token.id])

"""A person's own personal access tokens: listed, made and revoked."""

from collections.abc import Callable, Collection
from uuid import UUID

from backend.domain.errors import TokenNotFound
from backend.domain.pages import Page, Place
from backend.domain.ports import TokenRepository
from backend.domain.tokens import PersonalToken, Scope, make_token, new_token
from backend.services.accounts import Accounts


class Tokens:
    """The tokens of the one who is acting. Making and revoking them is dangerous, so it takes a live session."""

    def __init__(self, accounts: Accounts, repository: TokenRepository, revoked: Callable[[UUID], None]) -> None:
        """`revoked` hears of each token that this transaction ends."""
        self._accounts = accounts
        self._repository = repository
        self._revoked = revoked

    async def tokens(self, *, limit: int, after: Place | None = None) -> Page[PersonalToken]:
        return await self._repository.tokens(limit=limit, after=after)

    async def create(self, *, name: str, scopes: Collection[Scope], days: int) -> tuple[PersonalToken, str]:
        """The token's entry, and the token itself, which is nowhere else."""
        text = make_token()
        fresh = new_token(text, name=name, scopes=scopes, days=days)
        await self._accounts.require_live_session()
        return await self._repository.create(fresh), text

    async def revoke(self, token_id: UUID) -> None:
        await self._accounts.require_live_session()
        if not await self._repository.revoke(token_id):
            raise TokenNotFound(token_id)
        self._revoked(token_id)

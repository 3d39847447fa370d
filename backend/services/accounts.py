"""A person's own account: profile, preferences and the sessions that are signed in."""

from functools import lru_cache
from uuid import UUID
from zoneinfo import available_timezones

from backend.domain.accounts import Identity, Profile, ProfileChange, Session, clean_display_name
from backend.domain.errors import (
    AccountSuspended,
    AdminNeeded,
    InputError,
    InvalidInput,
    SessionEnded,
    SessionNeeded,
    SessionNotFound,
    VersionConflict,
)
from backend.domain.pages import Page, Place
from backend.domain.ports import AccountRepository


class Accounts:
    """The account of the one who is acting."""

    def __init__(self, identity: Identity, repository: AccountRepository) -> None:
        self._identity = identity
        self._repository = repository

    async def profile(self) -> Profile:
        profile = await self._repository.profile(self._identity.user_id)
        if profile is None:
            await self._repository.ensure_profile()
            profile = await self._repository.profile(self._identity.user_id)
        if profile is None:
            raise AccountSuspended("This account no longer exists.")
        return profile

    async def change_profile(self, change: ProfileChange, *, version: int | None) -> Profile:
        """Apply the change to the profile of that version; None means whichever it has."""
        checked = _checked(change)
        changed = await self._repository.change_profile(self._identity.user_id, checked, version=version)
        if changed is None:
            present = await self.profile()
            if version is not None and present.version != version:
                raise VersionConflict
            changed = await self._repository.change_profile(self._identity.user_id, checked, version=version)
        if changed is None:
            raise VersionConflict
        return changed

    async def sessions(self, *, limit: int, after: Place | None = None) -> Page[Session]:
        return await self._repository.sessions(limit=limit, after=after)

    async def end_session(self, session_id: UUID) -> None:
        """Sign one device out. Its refresh token stops at once."""
        await self.require_live_session()
        if not await self._repository.end_session(session_id):
            raise SessionNotFound(session_id)

    async def require_live_session(self) -> None:
        """For what is dangerous: a signature cannot see a logout, so the session itself is looked up."""
        session_id = self._identity.session_id
        if session_id is None or not await self._repository.session_is_alive(session_id):
            raise SessionEnded

    async def is_admin(self) -> bool:
        """By what the account says now; a role in a token may be out of date."""
        return await self._repository.is_admin()

    async def require_admin(self) -> None:
        """Whoever the database does not know as one gets nothing, whatever their token says."""
        if self._identity.token_id is not None:
            raise SessionNeeded
        await self.require_live_session()
        if not await self.is_admin():
            raise AdminNeeded


def _checked(change: ProfileChange) -> ProfileChange:
    timezone = change.preferences.timezone
    if timezone is not None and timezone not in _timezones():
        raise InvalidInput(
            [
                InputError(
                    pointer="/preferences/timezone", detail="Not a time zone. Use an IANA name such as 'Europe/Berlin'."
                )
            ]
        )
    if change.display_name is None:
        return change
    return ProfileChange(display_name=clean_display_name(change.display_name), preferences=change.preferences)


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())

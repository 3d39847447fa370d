"""What a person can do with their own account."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from backend.domain.accounts import Identity, PreferencesChange, ProfileChange, Session, Theme
from backend.domain.errors import (
    AdminNeeded,
    InvalidInput,
    SessionEnded,
    SessionNeeded,
    SessionNotFound,
    VersionConflict,
)
from backend.services.accounts import Accounts
from tests.fakes import START, FakeAccounts

ADA = uuid4()
HERE = uuid4()


def identity(session_id: UUID | None = HERE) -> Identity:
    return Identity(
        user_id=ADA,
        email="ada@example.com",
        is_admin=False,
        is_anonymous=False,
        session_id=session_id,
        expires_at=START + timedelta(hours=1),
        claims={"role": "authenticated"},
    )


def session(session_id: UUID) -> Session:
    return Session(
        id=session_id, created_at=START, last_seen_at=START, user_agent=None, ip=None, is_current=session_id == HERE
    )


def accounts(*sessions: UUID, session_id: UUID | None = HERE, has_profile: bool = True) -> Accounts:
    repository = FakeAccounts(ADA, sessions=[session(one) for one in sessions], has_profile=has_profile)
    return Accounts(identity(session_id), repository)


async def test_missing_profile_is_made_up_for() -> None:
    assert (await accounts(has_profile=False).profile()).user_id == ADA


async def test_change_needs_the_present_version() -> None:
    mine = accounts()
    changed = await mine.change_profile(ProfileChange(display_name=" Ada  L. "), version=1)
    assert (changed.display_name, changed.version) == ("Ada L.", 2)
    with pytest.raises(VersionConflict):
        await mine.change_profile(ProfileChange(display_name="Eve"), version=1)
    assert (await mine.profile()).display_name == "Ada L."


async def test_change_of_any_version() -> None:
    wanted = ProfileChange(preferences=PreferencesChange(theme=Theme.DARK, timezone="Europe/Berlin"))
    changed = await accounts().change_profile(wanted, version=None)
    assert (changed.preferences.theme, changed.preferences.timezone) == (Theme.DARK, "Europe/Berlin")


async def test_change_makes_up_for_a_missing_profile() -> None:
    changed = await accounts(has_profile=False).change_profile(ProfileChange(display_name="Ada"), version=None)
    assert changed.display_name == "Ada"


@pytest.mark.parametrize("timezone", ["Mars/Olympus", "europe/berlin\x00", "", "/etc/localtime", "../UTC"])
async def test_time_zone_must_exist(timezone: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await accounts().change_profile(ProfileChange(preferences=PreferencesChange(timezone=timezone)), version=1)
    assert refused.value.errors[0].pointer == "/preferences/timezone"


async def test_session_is_ended_by_a_living_one() -> None:
    there = uuid4()
    mine = accounts(HERE, there)
    await mine.end_session(there)
    assert [one.id for one in (await mine.sessions(limit=10)).items] == [HERE]
    with pytest.raises(SessionNotFound):
        await mine.end_session(there)


@pytest.mark.parametrize("session_id", [None, uuid4()])
async def test_session_that_is_gone_ends_none(session_id: UUID | None) -> None:
    with pytest.raises(SessionEnded):
        await accounts(HERE, session_id=session_id).end_session(HERE)


async def test_an_administrator_is_who_the_database_knows_as_one() -> None:
    repository = FakeAccounts(ADA, sessions=[session(HERE)])
    with pytest.raises(AdminNeeded, match="tidemark user promote"):
        await Accounts(replace(identity(), is_admin=True), repository).require_admin()
    repository.makes_admin = True
    await Accounts(identity(), repository).require_admin()
    with pytest.raises(SessionNeeded):
        await Accounts(replace(identity(), token_id=uuid4(), scopes=frozenset()), repository).require_admin()
    with pytest.raises(SessionEnded):
        await Accounts(identity(uuid4()), repository).require_admin()

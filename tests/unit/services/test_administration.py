"""What an administrator does with the installation, and what nobody may do to themselves."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from backend.domain.accounts import Identity
from backend.domain.administration import (
    AccountRole,
    AuditAction,
    NotOneself,
    PlanKept,
    PlanLimits,
    TaskNotFound,
    UserFilter,
    UserNotFound,
)
from backend.domain.errors import InvalidInput
from backend.domain.market_ports import DiskShare
from backend.services.administration import Administration
from tests.fake_administration import FakeAdministration
from tests.fakes import START

GRACE, ADA = uuid4(), uuid4()
WHY = "Asked for by its owner."


class FakeQuotas:
    """Everybody has imported one gigabyte and uploaded another."""

    def share(self, owner: UUID) -> DiskShare:
        return DiskShare(models_bytes=0, series_bytes=10**9, uploads_bytes=10**9, most_bytes=5 * 10**9)

    def require(self, owner: UUID, size_bytes: int, *, instead_of: int = 0) -> None: ...


@pytest.fixture
def fake() -> FakeAdministration:
    fake = FakeAdministration(admin_id=GRACE)
    fake.add_user(GRACE, "grace@example.com", role=AccountRole.ADMIN)
    fake.add_user(ADA, "ada@example.com")
    return fake


@pytest.fixture
def administration(fake: FakeAdministration) -> Administration:
    identity = Identity(
        user_id=GRACE,
        email="grace@example.com",
        is_admin=True,
        is_anonymous=False,
        session_id=uuid4(),
        expires_at=START + timedelta(hours=1),
        claims={"role": "authenticated"},
    )
    return Administration(identity, fake, FakeQuotas())


async def test_a_user_is_shown_with_the_disk_that_it_takes(administration: Administration) -> None:
    shown = await administration.user(ADA)
    assert (shown.record.email, shown.disk_bytes, shown.most_disk_bytes) == ("ada@example.com", 2 * 10**9, 5 * 10**9)
    with pytest.raises(UserNotFound):
        await administration.user(uuid4())


async def test_a_change_tells_the_reason_on_one_line_and_what_it_came_to(
    administration: Administration, fake: FakeAdministration
) -> None:
    changed = await administration.change_user(ADA, role=AccountRole.ADMIN, plan="large", reason=" Joins\n the  desk. ")
    assert (changed.record.role, changed.record.plan) == (AccountRole.ADMIN, "large")
    assert [(line.action, line.reason) for line in fake.lines] == [
        (AuditAction.USER_PROMOTE, "Joins the desk."),
        (AuditAction.USER_PLAN, "Joins the desk."),
    ]


async def test_nobody_takes_the_role_from_themselves_or_suspends_themselves(
    administration: Administration, fake: FakeAdministration
) -> None:
    with pytest.raises(NotOneself, match="Ask another administrator"):
        await administration.change_user(GRACE, role=AccountRole.USER, plan="large", reason=WHY)
    with pytest.raises(NotOneself):
        await administration.suspend(GRACE, hours=1, reason=WHY)
    assert fake.lines == []
    assert fake.users_by_id[GRACE].plan == "standard", "nothing of it was done"


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 201, "a\x00b", "right\u202eleft", "half \ud800"])
async def test_without_a_reason_that_can_be_read_nothing_is_done(
    administration: Administration, fake: FakeAdministration, reason: str
) -> None:
    for change in (
        administration.change_user(ADA, role=None, plan="large", reason=reason),
        administration.suspend(ADA, hours=None, reason=reason),
        administration.restore(ADA, reason=reason),
        administration.end_sessions(ADA, reason=reason),
        administration.put_plan("tiny", fake.limits["small"], reason=reason),
        administration.delete_plan("large", reason=reason),
        administration.cancel_task(ADA, reason=reason),
    ):
        with pytest.raises(InvalidInput, match="A reason has"):
            await change
    assert fake.lines == []


async def test_whoever_is_not_there_is_told_by_the_id(administration: Administration) -> None:
    missing = uuid4()
    for change in (
        administration.change_user(missing, role=AccountRole.ADMIN, plan=None, reason=WHY),
        administration.change_user(missing, role=None, plan="large", reason=WHY),
        administration.suspend(missing, hours=1, reason=WHY),
        administration.restore(missing, reason=WHY),
        administration.end_sessions(missing, reason=WHY),
    ):
        with pytest.raises(UserNotFound, match=str(missing)):
            await change
    with pytest.raises(TaskNotFound):
        await administration.task(missing)
    with pytest.raises(TaskNotFound):
        await administration.cancel_task(missing, reason=WHY)


async def test_a_search_is_trimmed_and_an_empty_one_is_none(
    administration: Administration, fake: FakeAdministration
) -> None:
    assert len((await administration.users(UserFilter(search="  "), limit=9)).items) == 2
    [found] = (await administration.users(UserFilter(search=" ADA@ "), limit=9)).items
    assert (found.id, fake.lines[-1].details) == (ADA, {"search": "ADA@"})
    with pytest.raises(InvalidInput, match="/query/search"):
        await administration.users(UserFilter(search="a\x00"), limit=9)


async def test_the_standard_plan_is_changed_and_kept(administration: Administration) -> None:
    numbers = PlanLimits(most_queued=1, most_running=1, most_backtests=1, most_models=1)
    changed = await administration.put_plan("standard", numbers, reason=WHY)
    assert (changed.limits, changed.users) == (numbers, 2)
    with pytest.raises(PlanKept, match="change its numbers"):
        await administration.delete_plan("standard", reason=WHY)
    await administration.change_user(ADA, role=None, plan="large", reason=WHY)
    with pytest.raises(PlanKept, match="1 account has the plan 'large'"):
        await administration.delete_plan("large", reason=WHY)


async def test_a_role_that_is_there_already_leaves_no_line(
    administration: Administration, fake: FakeAdministration
) -> None:
    fake.users_by_id[ADA] = replace(fake.users_by_id[ADA], role=AccountRole.ADMIN)
    await administration.change_user(ADA, role=AccountRole.ADMIN, plan=None, reason=WHY)
    assert fake.lines == []

"""The contract of AdminRepository, kept by the fake and by the functions of a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.administration import AdminTables
from backend.domain.accounts import Identity
from backend.domain.admin_ports import AdminRepository
from backend.domain.administration import (
    AccountRole,
    AccountState,
    AuditAction,
    AuditFilter,
    DemoAccount,
    NotOneself,
    PlanKept,
    PlanLimits,
    PlanNotFound,
    UserFilter,
)
from backend.domain.errors import AdminNeeded
from backend.domain.jobs import Demand, Job, JobKind, JobState
from backend.infrastructure.database import Database
from tests.cluster import FreshDatabase
from tests.fake_administration import FakeAdministration
from tests.fakes import START

WHY = "Asked for by its owner."
TINY = PlanLimits(most_queued=5, most_running=1, most_backtests=10, most_models=2)
NO_JOBS: dict[str, Any] = {"states": (), "kinds": ()}


@dataclass(kw_only=True)
class Desk:
    """An administrator's work, an ordinary user with an address and a demo user, and ways to change the world."""

    all: AdminRepository
    grace: UUID
    ada: UUID
    demo: UUID
    add_task: Callable[[UUID, JobState], Awaitable[UUID]]
    # The next call is one of somebody who is no administrator any more.
    take_role: Callable[[], Awaitable[None]]

    async def told(self, **wanted: Any) -> list[tuple[str, UUID | None, str | None]]:
        """What the log tells, the oldest first, but for the reading of it."""
        found = await self.all.audit(AuditFilter(actor_id=self.grace, **wanted), limit=200, after=None)
        return [
            (line.action, line.subject_id, line.reason)
            for line in reversed(found.items)
            if line.action != AuditAction.AUDIT_READ
        ]


class AdministrationContract:
    """What holds for every AdminRepository: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Desk]: ...

    async def test_users_are_found_and_the_look_is_told(self) -> None:
        async with self.open() as desk:
            for wanted in (
                UserFilter(search=f"{desk.ada}@EXAMPLE"),
                UserFilter(search=str(desk.ada)),
                UserFilter(search=str(desk.ada), role=AccountRole.USER, state=AccountState.ACTIVE, plan="standard"),
            ):
                [found] = (await desk.all.users(wanted, limit=5, after=None)).items
                assert (found.id, found.role, found.suspended_until) == (desk.ada, AccountRole.USER, None)
            none = UserFilter(search=str(desk.ada), role=AccountRole.ADMIN)
            assert (await desk.all.users(none, limit=5, after=None)).items == ()
            assert await desk.told() == [(AuditAction.USER_LIST, None, None)] * 4

    async def test_users_come_a_page_at_a_time(self) -> None:
        async with self.open() as desk:
            whole = await desk.all.users(UserFilter(), limit=200, after=None)
            assert {desk.grace, desk.ada, desk.demo} <= {user.id for user in whole.items}
            first = await desk.all.users(UserFilter(), limit=2, after=None)
            second = await desk.all.users(UserFilter(), limit=200, after=first.next)
            assert first.items + second.items == whole.items
            assert (whole.next, second.next) == (None, None)

    async def test_one_user_is_shown_with_counts_and_limits(self) -> None:
        async with self.open() as desk:
            await desk.add_task(desk.ada, JobState.QUEUED)
            await desk.add_task(desk.ada, JobState.RUNNING)
            found = await desk.all.user(desk.ada)
            assert found is not None
            assert (found.queued, found.running, found.sessions, found.limits.most_running) == (1, 1, 1, 16)
            assert await desk.all.user(uuid4()) is None
            assert (await desk.all.user(desk.demo, is_look=False)) is not None
            assert await desk.told() == [(AuditAction.USER_READ, desk.ada, None)]

    async def test_a_role_is_given_and_taken_and_told_once(self) -> None:
        async with self.open() as desk:
            for role in (AccountRole.ADMIN, AccountRole.ADMIN, AccountRole.USER):
                assert await desk.all.set_role(desk.ada, role, WHY)
            assert not await desk.all.set_role(uuid4(), AccountRole.ADMIN, WHY)
            with pytest.raises(NotOneself):
                await desk.all.set_role(desk.grace, AccountRole.USER, WHY)
            with pytest.raises(DemoAccount):
                await desk.all.set_role(desk.demo, AccountRole.ADMIN, WHY)
            assert await desk.told() == [
                (AuditAction.USER_PROMOTE, desk.ada, WHY),
                (AuditAction.USER_DEMOTE, desk.ada, WHY),
            ]

    async def test_a_plan_is_given(self) -> None:
        async with self.open() as desk:
            assert await desk.all.set_plan(desk.ada, "large", WHY)
            assert await desk.all.set_plan(desk.ada, "large", WHY)
            found = await desk.all.user(desk.ada, is_look=False)
            assert found is not None
            assert (found.plan, found.limits.most_running) == ("large", 64)
            assert not await desk.all.set_plan(uuid4(), "large", WHY)
            with pytest.raises(PlanNotFound):
                await desk.all.set_plan(desk.ada, "huge", WHY)
            assert await desk.told() == [(AuditAction.USER_PLAN, desk.ada, WHY)]

    @pytest.mark.parametrize("hours", [24, None])
    async def test_a_suspension_ends_the_tasks(self, hours: int | None) -> None:
        async with self.open() as desk:
            waiting = await desk.add_task(desk.ada, JobState.QUEUED)
            running = await desk.add_task(desk.ada, JobState.RUNNING)
            others = await desk.add_task(desk.demo, JobState.QUEUED)
            assert await desk.all.suspend(desk.ada, hours, WHY)
            found = await desk.all.user(desk.ada, is_look=False)
            assert found is not None
            assert found.state is AccountState.SUSPENDED
            assert found.suspended_until is not None
            assert [await self._stands(desk, one) for one in (waiting, running, others)] == [
                (JobState.CANCELLED, True),
                (JobState.RUNNING, True),
                (JobState.QUEUED, False),
            ]
            assert not await desk.all.suspend(uuid4(), hours, WHY)
            with pytest.raises(NotOneself):
                await desk.all.suspend(desk.grace, hours, WHY)
            assert await desk.told() == [(AuditAction.USER_SUSPEND, desk.ada, WHY)]

    async def test_a_suspension_is_lifted(self) -> None:
        async with self.open() as desk:
            await desk.all.suspend(desk.ada, 1, WHY)
            for _ in range(2):
                assert await desk.all.restore(desk.ada, WHY)
            found = await desk.all.user(desk.ada, is_look=False)
            assert found is not None
            assert (found.state, found.suspended_until) == (AccountState.ACTIVE, None)
            assert not await desk.all.restore(uuid4(), WHY)
            assert [action for action, *_ in await desk.told()] == [AuditAction.USER_SUSPEND, AuditAction.USER_RESTORE]

    async def test_sessions_are_ended(self) -> None:
        async with self.open() as desk:
            assert await desk.all.end_sessions(desk.ada, WHY)
            found = await desk.all.user(desk.ada, is_look=False)
            assert found is not None
            assert found.sessions == 0
            assert not await desk.all.end_sessions(uuid4(), WHY)
            assert await desk.told() == [(AuditAction.USER_SESSIONS_END, desk.ada, WHY)]

    async def test_plans_are_made_changed_and_deleted(self) -> None:
        async with self.open() as desk:
            assert [plan.name for plan in await desk.all.plans()] == ["small", "standard", "large"]
            for limits in (TINY, TINY, replace(TINY, most_queued=6)):
                await desk.all.put_plan("tiny", limits, WHY)
            [tiny, *_] = await desk.all.plans()
            assert (tiny.name, tiny.limits.most_queued, tiny.users) == ("tiny", 6, 0)
            await desk.all.set_plan(desk.ada, "tiny", WHY)
            with pytest.raises(PlanKept) as kept:
                await desk.all.delete_plan("tiny", WHY)
            assert kept.value.users == 1
            await desk.all.set_plan(desk.ada, "standard", WHY)
            await desk.all.delete_plan("tiny", WHY)
            with pytest.raises(PlanNotFound):
                await desk.all.delete_plan("tiny", WHY)
            told = [action for action, *_ in await desk.told() if action.startswith("plan.")]
            assert told == [AuditAction.PLAN_CREATE, AuditAction.PLAN_CHANGE, AuditAction.PLAN_DELETE]

    async def test_tasks_of_all_are_listed_and_narrowed(self) -> None:
        async with self.open() as desk:
            made = [await desk.add_task(desk.ada, JobState.QUEUED) for _ in range(3)]
            other = await desk.add_task(desk.demo, JobState.RUNNING)
            first = await desk.all.tasks(user_id=desk.ada, **NO_JOBS, limit=2, after=None)
            second = await desk.all.tasks(user_id=desk.ada, **NO_JOBS, limit=2, after=first.next)
            assert {one.job.id for one in first.items + second.items} == set(made)
            assert {one.email for one in first.items} == {f"{desk.ada}@example.com"}
            assert second.next is None
            some: dict[str, Any] = {"states": [JobState.RUNNING], "kinds": [JobKind.BACKTEST]}
            narrowed = await desk.all.tasks(user_id=None, **some, limit=200, after=None)
            found = {one.job.id for one in narrowed.items}
            assert other in found
            assert not found.intersection(made)
            assert [subject for _, subject, _ in await desk.told()] == [desk.ada, desk.ada, None]

    async def test_a_task_is_read_and_cancelled(self) -> None:
        async with self.open() as desk:
            task_id = await desk.add_task(desk.ada, JobState.QUEUED)
            found = await desk.all.task(task_id)
            assert found is not None
            assert (found.job.user_id, found.job.payload) == (desk.ada, {"strategy": "mine"})
            for _ in range(2):
                await desk.all.cancel_task(task_id, WHY)
            assert await self._stands(desk, task_id) == (JobState.CANCELLED, True)
            assert await desk.all.task(uuid4()) is None
            await desk.all.cancel_task(uuid4(), WHY)
            assert await desk.told() == [
                (AuditAction.TASK_READ, desk.ada, None),
                (AuditAction.TASK_CANCEL, desk.ada, WHY),
            ]

    async def test_the_log_is_narrowed_and_read_page_by_page(self) -> None:
        async with self.open() as desk:
            for _ in range(3):
                await desk.all.user(desk.ada)
            wanted = AuditFilter(actor_id=desk.grace, subject_id=desk.ada, action=AuditAction.USER_READ)
            first = await desk.all.audit(wanted, limit=2, after=None)
            second = await desk.all.audit(wanted, limit=2, after=first.next)
            times = [line.at for line in first.items + second.items]
            assert times == sorted(times, reverse=True)
            assert (len(times), second.next) == (3, None)
            assert len((await desk.all.audit(replace(wanted, since=times[1]), limit=9, after=None)).items) == 2
            assert len((await desk.all.audit(replace(wanted, until=times[1]), limit=9, after=None)).items) == 1
            [line, *_] = first.items
            assert (line.actor_id, line.subject_email) == (desk.grace, f"{desk.ada}@example.com")
            reads = AuditFilter(actor_id=desk.grace, action=AuditAction.AUDIT_READ)
            assert len((await desk.all.audit(reads, limit=9, after=None)).items) == 4, "each look is told, after it"

    async def test_an_export_is_told_once(self) -> None:
        async with self.open() as desk:
            for _ in range(3):
                await desk.all.user(desk.ada)
            wanted = AuditFilter(actor_id=desk.grace, action=AuditAction.USER_READ)
            first = await desk.all.exported_audit(wanted, limit=2, after=None, file_format="csv")
            rest = await desk.all.exported_audit(wanted, limit=2, after=first.next, file_format=None)
            assert (len(first.items), len(rest.items)) == (2, 1)
            await desk.all.note_limits()
            told = [action for action, *_ in await desk.told()]
            assert told[3:] == [AuditAction.AUDIT_EXPORT, AuditAction.LIMITS_READ]

    @pytest.mark.parametrize(
        "ask",
        [
            lambda desk: desk.all.users(UserFilter(), limit=1, after=None),
            lambda desk: desk.all.user(desk.ada),
            lambda desk: desk.all.set_role(desk.grace, AccountRole.ADMIN, WHY),
            lambda desk: desk.all.set_plan(desk.grace, "large", WHY),
            lambda desk: desk.all.suspend(desk.ada, None, WHY),
            lambda desk: desk.all.restore(desk.ada, WHY),
            lambda desk: desk.all.end_sessions(desk.ada, WHY),
            lambda desk: desk.all.plans(),
            lambda desk: desk.all.put_plan("tiny", TINY, WHY),
            lambda desk: desk.all.delete_plan("large", WHY),
            lambda desk: desk.all.tasks(user_id=None, **NO_JOBS, limit=1, after=None),
            lambda desk: desk.all.task(desk.ada),
            lambda desk: desk.all.cancel_task(desk.ada, WHY),
            lambda desk: desk.all.audit(AuditFilter(), limit=1, after=None),
            lambda desk: desk.all.exported_audit(AuditFilter(), limit=1, after=None, file_format=None),
            lambda desk: desk.all.note_limits(),
        ],
    )
    async def test_whoever_is_no_administrator_any_more_gets_nothing(
        self, ask: Callable[[Desk], Awaitable[object]]
    ) -> None:
        async with self.open() as desk:
            await desk.take_role()
            with pytest.raises(AdminNeeded):
                await ask(desk)

    async def _stands(self, desk: Desk, task_id: UUID) -> tuple[JobState, bool]:
        found = await desk.all.task(task_id, is_look=False)
        assert found is not None
        return found.job.state, found.job.cancel_requested_at is not None


class TestFakeAdministration(AdministrationContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Desk]:
        grace, ada, demo = uuid4(), uuid4(), uuid4()
        fake = FakeAdministration(admin_id=grace)
        fake.add_user(grace, "grace@example.com", role=AccountRole.ADMIN)
        fake.add_user(ada, f"{ada}@example.com")
        fake.add_user(demo, None, is_demo=True)

        async def add_task(owner: UUID, state: JobState) -> UUID:
            fake.clock.advance(seconds=1)
            job = a_job(owner, state, fake)
            fake.jobs[job.id] = job
            return job.id

        async def take_role() -> None:
            fake.users_by_id[grace] = replace(fake.users_by_id[grace], role=AccountRole.USER)

        yield Desk(all=fake, grace=grace, ada=ada, demo=demo, add_task=add_task, take_role=take_role)


class TestAdminTables(AdministrationContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Desk]:
        confirmed: dict[str, Any] = {"email_confirmed_at": START}
        grace = await self.fresh.add_user(raw_app_meta_data='{"role": "admin"}', **confirmed)
        ada = await self.fresh.add_user(**confirmed)
        demo = await self.fresh.add_user(email=None, is_anonymous=True)
        writer = await asyncpg.connect(self.fresh.dsn("supabase_admin"))
        sessions = {user_id: await self._session(writer, user_id) for user_id in (grace, ada)}

        async def add_task(owner: UUID, state: JobState) -> UUID:
            is_running = state is JobState.RUNNING
            task_id: UUID = await writer.fetchval(
                "insert into public.tasks (user_id, kind, state, payload, cores, memory_bytes, max_attempts,"
                " wall_limit_seconds, leased_until) values ($1, 'backtest', $2, '{\"strategy\": \"mine\"}', 1, 1, 1,"
                " 60, case when $3 then now() + interval '1 hour' end) returning id",
                owner,
                state,
                is_running,
            )
            return task_id

        async def take_role() -> None:
            await writer.execute("update auth.users set raw_app_meta_data = '{}' where id = $1", grace)

        pool = Database(self.fresh.dsn("app_api"), min_size=1, max_size=1)
        await pool.open()
        try:
            async with pool.acting_as(_identity(grace, sessions[grace])) as connection:
                yield Desk(
                    all=AdminTables(connection, "192.0.2.7"),
                    grace=grace,
                    ada=ada,
                    demo=demo,
                    add_task=add_task,
                    take_role=take_role,
                )
        finally:
            await pool.close()
            await writer.close()

    async def _session(self, writer: asyncpg.Connection, user_id: UUID) -> UUID:
        session_id = uuid4()
        await writer.execute(
            "insert into auth.sessions (id, user_id, created_at, updated_at) values ($1, $2, now(), now())",
            session_id,
            user_id,
        )
        return session_id


def a_job(owner: UUID, state: JobState, fake: FakeAdministration) -> Job:
    now = fake.clock.now()
    return Job(
        id=uuid4(),
        user_id=owner,
        kind=JobKind.BACKTEST,
        state=state,
        demand=Demand(cores=1, memory_bytes=1),
        work_units=None,
        priority=0,
        attempts=0,
        max_attempts=1,
        lease_epoch=0,
        wall_limit_seconds=60,
        cancel_requested_at=None,
        created_at=now,
        queued_at=now,
        started_at=None,
        finished_at=None,
        failure=None,
        is_partial=False,
        payload={"strategy": "mine"},
        result=None,
        log_tail=None,
    )


def _identity(user_id: UUID, session_id: UUID) -> Identity:
    return Identity(
        user_id=user_id,
        email=None,
        is_admin=False,
        is_anonymous=False,
        session_id=session_id,
        expires_at=START + timedelta(hours=1),
        claims={"sub": str(user_id), "role": "authenticated", "session_id": str(session_id)},
    )

"""A person's backtests: running them, finding them again, and what is said about them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from backend.domain.accounts import Identity
from backend.domain.backtest_ports import BacktestRepository
from backend.domain.backtests import (
    LONGEST_NAME,
    LONGEST_NOTES,
    LONGEST_TAG,
    MOST_TAGS,
    Backtest,
    BacktestChange,
    BacktestFilter,
    BacktestOrder,
    BacktestPage,
    BacktestPlace,
    NewBacktest,
    Part,
    Plan,
    Preset,
    Rows,
    usual_name,
)
from backend.domain.errors import (
    BacktestNotFinished,
    BacktestNotFound,
    InputError,
    InvalidInput,
    NotFound,
    VersionConflict,
)
from backend.domain.job_data import require_storable
from backend.domain.jobs import Job, JobKind
from backend.services.jobs import Jobs


class Backtests:
    """The backtests of the one who is acting, in one transaction: bars and strategies are looked at before it."""

    def __init__(self, identity: Identity, repository: BacktestRepository, jobs: Jobs) -> None:
        self._identity = identity
        self._repository = repository
        self._jobs = jobs

    async def submit(
        self,
        plan: Plan,
        *,
        kind: JobKind = JobKind.BACKTEST,
        name: str | None = None,
        tags: Sequence[str] = (),
        parent_id: UUID | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> tuple[Job, str]:
        """Queue a checked run, and keep it under a name. `more` is what the payload of such a study has besides."""
        config = plan.config.model_dump(mode="json")
        kept = {**config, **({} if more is None else {"study": dict(more)})}
        if parent_id is not None:
            await self.backtest(parent_id)
        payload = {"config": config, **(more or {}), "family": vars(await self._repository.tried(kept))}
        job = await self._jobs.submit(kind, payload, demand=plan.demand, work_units=plan.work_units)
        called = _name(name) if name is not None else usual_name(plan.config)
        await self._repository.add(
            NewBacktest(
                id=job.id,
                kind=kind,
                config=kept,
                name=called,
                tags=_tags(tags),
                parent_id=parent_id,
            )
        )
        return job, called

    async def guard(self, backtest_id: UUID, plan: Plan) -> Job:
        """Look thoroughly at the result of a run."""
        await self.run(backtest_id)
        await self.finished(backtest_id)
        config = plan.config.model_dump(mode="json")
        family = await self._repository.tried(config)
        payload = {"config": config, "family": vars(family), "backtest_id": str(backtest_id)}
        return await self._jobs.submit(JobKind.GUARD, payload, demand=plan.demand, work_units=plan.work_units)

    async def backtest(self, backtest_id: UUID) -> Backtest:
        found = await self._repository.backtest(backtest_id)
        if found is None:
            raise BacktestNotFound(backtest_id)
        return found

    async def trials_now(self, found: Backtest) -> int | None:
        """Of its strategy on its symbol, itself among them: the trust panel counts those that there were before it."""
        if found.trust is None:
            return None
        return (await self._repository.tried(found.config)).trials + 1

    async def finished(self, backtest_id: UUID) -> Backtest:
        """One that has a result."""
        found = await self.backtest(backtest_id)
        if found.figures is None:
            raise BacktestNotFinished(backtest_id, found.state)
        return found

    async def run(self, backtest_id: UUID) -> Backtest:
        """One run, since a study has no account to repeat or to examine."""
        found = await self.backtest(backtest_id)
        if found.kind is not JobKind.BACKTEST:
            wrong = f"“{found.name}” is a {found.kind.replace('_', ' ')}, not one run. Open one of its trials."
            raise _wrong("/path/backtest_id", wrong)
        return found

    async def backtests(
        self,
        *,
        limit: int,
        after: BacktestPlace | None = None,
        order: BacktestOrder | None = None,
        only: BacktestFilter | None = None,
    ) -> BacktestPage:
        return await self._repository.backtests(
            limit=limit, after=after, order=order or BacktestOrder(), only=only or BacktestFilter()
        )

    async def tags(self) -> Mapping[str, int]:
        return await self._repository.tags()

    async def change(self, backtest_id: UUID, change: BacktestChange, *, version: int | None) -> Backtest:
        """Say something anew of that version of it; None means whichever it has."""
        if not await self._repository.change(backtest_id, _checked(change), version=version):
            await self.backtest(backtest_id)
            raise VersionConflict
        return await self.backtest(backtest_id)

    async def delete(self, backtest_id: UUID) -> None:
        """It can be brought back for 30 days. What still waits or runs is cancelled."""
        found = await self.backtest(backtest_id)
        if not found.state.is_final:
            await self._jobs.cancel(backtest_id)
        await self._repository.change(backtest_id, BacktestChange(is_deleted=True), version=None)

    async def restore(self, backtest_id: UUID) -> Backtest:
        return await self.change(backtest_id, BacktestChange(is_deleted=False), version=None)

    async def table(self, backtest_id: UUID, name: str, rows: Rows) -> tuple[Sequence[Part], int]:
        """The pieces of a table that hold the wanted rows, and how many rows it has in all."""
        await self.finished(backtest_id)
        return (
            await self._repository.parts(backtest_id, name, rows),
            await self._repository.count_rows(backtest_id, name),
        )

    async def presets(self) -> Sequence[Preset]:
        return await self._repository.presets()

    async def keep_preset(self, name: str, form: Mapping[str, Any]) -> Preset:
        require_storable(form)
        return await self._repository.keep_preset(_name(name), form)

    async def forget_preset(self, preset_id: UUID) -> None:
        if not await self._repository.forget_preset(preset_id):
            raise NotFound(f"You have no preset {preset_id}.")


def _checked(change: BacktestChange) -> BacktestChange:
    if change.notes is not None and len(change.notes) > LONGEST_NOTES:
        raise _wrong("/notes", f"At most {LONGEST_NOTES:,} characters; it has {len(change.notes):,}.")
    if change.notes is not None and "\x00" in change.notes:
        raise _wrong("/notes", "A text in it holds the character U+0000.")
    return BacktestChange(
        **{
            **vars(change),
            "name": None if change.name is None else _name(change.name),
            "tags": None if change.tags is None else _tags(change.tags),
        }
    )


def _name(name: str) -> str:
    clean = " ".join(name.split())
    if not 1 <= len(clean) <= LONGEST_NAME or not clean.isprintable():
        raise _wrong("/name", f"A name has 1 to {LONGEST_NAME} visible characters.")
    return clean


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    clean = tuple(dict.fromkeys(" ".join(tag.split()) for tag in tags))
    if len(clean) > MOST_TAGS:
        raise _wrong("/tags", f"At most {MOST_TAGS} tags; there are {len(clean)}.")
    for place, tag in enumerate(clean):
        if not 1 <= len(tag) <= LONGEST_TAG or not tag.isprintable():
            raise _wrong(f"/tags/{place}", f"A tag has 1 to {LONGEST_TAG} visible characters.")
    return clean


def _wrong(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput([InputError(pointer=pointer, detail=detail)])

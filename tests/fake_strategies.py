"""In-memory twin of the table of saved strategies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from backend.domain.errors import QuotaReached
from backend.domain.pages import Page, Place
from backend.domain.saved_strategies import SavedStrategy, StrategyVersion, VersionInBrief
from backend.domain.strategy_errors import StrategyNameTaken
from tests.fakes import FakeClock

MOST = 200


@dataclass
class FakeShelf:
    """The tables that all users share."""

    clock: FakeClock = field(default_factory=FakeClock)
    lines: dict[UUID, tuple[UUID, SavedStrategy]] = field(default_factory=dict)
    versions: dict[UUID, list[StrategyVersion]] = field(default_factory=dict)


class FakeStrategies:
    """A StrategyRepository of one user."""

    def __init__(self, user_id: UUID, shelf: FakeShelf | None = None) -> None:
        self._user_id = user_id
        self._shelf = shelf or FakeShelf()

    async def saved(self, *, deleted: bool = False) -> Sequence[SavedStrategy]:
        found = [one for one in self._own() if (one.deleted_at is not None) == deleted]
        return tuple(sorted(found, key=lambda one: (one.updated_at, one.id), reverse=True))

    async def find(self, strategy_id: UUID) -> SavedStrategy | None:
        return next((one for one in self._own() if one.id == strategy_id), None)

    async def add(self, name: str, about: str) -> SavedStrategy:
        self._refuse_taken(name)
        self._refuse_more()
        now = self._tick()
        made = SavedStrategy(id=uuid4(), name=name, about=about, version=0, revision=1, created_at=now, updated_at=now)
        return self._keep(made)

    async def change(self, strategy_id: UUID, *, name: str, about: str, revision: int | None) -> SavedStrategy | None:
        found = await self.find(strategy_id)
        if found is None or found.deleted_at is not None or revision not in (None, found.revision):
            return None
        self._refuse_taken(name, but=strategy_id)
        return self._revise(found, name=name, about=about)

    async def delete(self, strategy_id: UUID) -> bool:
        found = await self.find(strategy_id)
        if found is None or found.deleted_at is not None:
            return False
        self._revise(found, deleted_at=self._tick())
        return True

    async def restore(self, strategy_id: UUID) -> SavedStrategy | None:
        found = await self.find(strategy_id)
        if found is None or found.deleted_at is None:
            return None
        self._refuse_taken(found.name)
        self._refuse_more()
        return self._revise(found, deleted_at=None)

    async def add_version(self, strategy_id: UUID, rules: Mapping[str, Any], note: str) -> StrategyVersion:
        found = await self.find(strategy_id)
        assert found is not None
        made = StrategyVersion(version=found.version + 1, rules=dict(rules), note=note, created_at=self._tick())
        self._shelf.versions.setdefault(strategy_id, []).append(made)
        self._revise(found, version=made.version)
        return made

    async def versions(self, strategy_id: UUID, *, limit: int, after: Place | None) -> Page[VersionInBrief]:
        own = await self.find(strategy_id) is not None
        found = [
            VersionInBrief(version=one.version, note=one.note, created_at=one.created_at)
            for one in reversed(self._shelf.versions.get(strategy_id, []) if own else [])
            if after is None or one.created_at < after.at
        ]
        items = tuple(found[:limit])
        there_is_more = len(found) > limit
        return Page(items=items, next=Place(at=items[-1].created_at, id=strategy_id) if there_is_more else None)

    async def version(self, strategy_id: UUID, number: int) -> StrategyVersion | None:
        own = await self.find(strategy_id) is not None
        versions = self._shelf.versions.get(strategy_id, []) if own else []
        return next((one for one in versions if one.version == number), None)

    def _own(self) -> list[SavedStrategy]:
        return [one for owner, one in self._shelf.lines.values() if owner == self._user_id]

    def _tick(self) -> Any:
        self._shelf.clock.advance(microseconds=1)
        return self._shelf.clock.now()

    def _revise(self, found: SavedStrategy, **changes: Any) -> SavedStrategy:
        return self._keep(replace(found, revision=found.revision + 1, updated_at=self._tick(), **changes))

    def _keep(self, made: SavedStrategy) -> SavedStrategy:
        self._shelf.lines[made.id] = self._user_id, made
        return made

    def _refuse_taken(self, name: str, *, but: UUID | None = None) -> None:
        present = [one for one in self._own() if one.deleted_at is None and one.id != but]
        if any(one.name.lower() == name.lower() for one in present):
            raise StrategyNameTaken(name)

    def _refuse_more(self) -> None:
        present = sum(one.deleted_at is None for one in self._own())
        if present >= MOST:
            raise QuotaReached("saved strategies", limit=MOST, count=present, remedy="Delete one first.")

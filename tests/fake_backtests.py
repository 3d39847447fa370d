"""The in-memory twin of a user's backtests. All users share one shelf, and each sees their own alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from backend.domain.backtests import (
    MOST_T_VALUES,
    Backtest,
    BacktestChange,
    BacktestFilter,
    BacktestInBrief,
    BacktestOrder,
    BacktestPage,
    BacktestPlace,
    BacktestSort,
    NewBacktest,
    Part,
    Preset,
    Rows,
    Summary,
    Tried,
)
from backend.domain.errors import QuotaReached
from backend.domain.jobs import JobState
from tests.fakes import FakeClock

MOST_PRESETS = 100


@dataclass
class Shelf:
    """What all users have stored."""

    clock: FakeClock = field(default_factory=FakeClock)
    kept: dict[UUID, tuple[UUID, Backtest]] = field(default_factory=dict)
    parts: dict[tuple[UUID, str], list[tuple[Part, datetime | None, datetime | None]]] = field(default_factory=dict)
    tried: dict[UUID, Tried] = field(default_factory=dict)
    presets: dict[UUID, tuple[UUID, Preset]] = field(default_factory=dict)
    most: int = 20_000


class FakeBacktests:
    """A BacktestRepository of one user."""

    def __init__(self, user_id: UUID, shelf: Shelf | None = None) -> None:
        self._user_id = user_id
        self.shelf = shelf or Shelf()

    async def add(self, backtest: NewBacktest) -> None:
        self._require_room()
        self.shelf.clock.advance(microseconds=1)
        first = backtest.config["series"][0]
        self.shelf.kept[backtest.id] = (
            self._user_id,
            Backtest(
                id=backtest.id,
                kind=backtest.kind,
                state=JobState.QUEUED,
                name=backtest.name,
                tags=backtest.tags,
                is_starred=False,
                has_notes=False,
                archived_at=None,
                deleted_at=None,
                version=1,
                created_at=self.shelf.clock.now(),
                started_at=None,
                finished_at=None,
                is_partial=False,
                failure=None,
                parent_id=backtest.parent_id,
                strategy=backtest.config["strategy"],
                provider=first["provider"],
                timeframe=first["timeframe"],
                symbols=tuple(one["symbol"] for one in backtest.config["series"]),
                summary=Summary(),
                notes="",
                config=backtest.config,
                figures=None,
                manifest=None,
                trust=None,
            ),
        )

    async def backtest(self, backtest_id: UUID) -> Backtest | None:
        return next((one for one in self._mine() if one.id == backtest_id), None)

    async def backtests(
        self, *, limit: int, after: BacktestPlace | None, order: BacktestOrder, only: BacktestFilter
    ) -> BacktestPage:
        found = sorted(
            (one for one in self._mine() if _fits(one, only)),
            key=lambda one: (_value(one, order.by), one.id),
            reverse=order.is_descending,
        )
        # What has no such figure comes last either way.
        found.sort(key=lambda one: _value(one, order.by)[0])
        if after is not None:
            found = found[[one.id for one in found].index(after.id) + 1 :]
        items = tuple(_brief(one) for one in found[:limit])
        if len(found) <= limit:
            return BacktestPage(items=items, next=None)
        value = _value(found[limit - 1], order.by)[1] if _value(found[limit - 1], order.by)[0] == 0 else None
        place = value.isoformat() if isinstance(value, datetime) else value
        return BacktestPage(items=items, next=BacktestPlace(value=place, id=items[-1].id))

    async def tried(self, config: Mapping[str, Any]) -> Tried:
        kin = {
            repr(one.config): self.shelf.tried[one.id]
            for one in self._mine()
            if one.id in self.shelf.tried
            and (one.strategy, one.symbols[0]) == (config["strategy"], config["series"][0]["symbol"])
            and one.config != config
        }
        t_values = tuple(value for one in kin.values() for value in one.t_values)
        return Tried(trials=sum(one.trials for one in kin.values()), t_values=t_values[:MOST_T_VALUES])

    async def tags(self) -> Mapping[str, int]:
        counted = Counter(tag for one in self._mine() if one.deleted_at is None for tag in one.tags)
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:500])

    async def change(self, backtest_id: UUID, change: BacktestChange, *, version: int | None) -> bool:
        found = await self.backtest(backtest_id)
        if found is None or version not in (None, found.version):
            return False
        if change.is_deleted is False and found.deleted_at is not None:
            self._require_room()
        now = self.shelf.clock.now()
        given = {
            name: value
            for name, value in vars(change).items()
            if value is not None and name in ("name", "notes", "tags", "is_starred")
        }
        for name, wanted in (("archived_at", change.is_archived), ("deleted_at", change.is_deleted)):
            if wanted is not None:
                given[name] = (getattr(found, name) or now) if wanted else None
        notes = given.get("notes", found.notes)
        changed = replace(found, **given, version=found.version + 1, has_notes=notes != "")
        self.shelf.kept[backtest_id] = (self._user_id, changed)
        return True

    def _require_room(self) -> None:
        count = sum(one.deleted_at is None for one in self._mine())
        if count >= self.shelf.most:
            raise QuotaReached("stored backtests", limit=self.shelf.most, count=count)

    async def parts(self, backtest_id: UUID, name: str, rows: Rows) -> Sequence[Part]:
        end = None if rows.count is None else rows.first + rows.count
        return [
            part
            for part, first_at, last_at in self._parts(backtest_id, name)
            if part.first_row + part.rows > rows.first
            and (end is None or part.first_row < end)
            and (rows.start is None or (last_at is not None and last_at >= rows.start))
            and (rows.end is None or (first_at is not None and first_at < rows.end))
        ]

    async def count_rows(self, backtest_id: UUID, name: str) -> int:
        return sum(part.rows for part, _, _ in self._parts(backtest_id, name))

    async def presets(self) -> Sequence[Preset]:
        mine = [preset for owner, preset in self.shelf.presets.values() if owner == self._user_id]
        return sorted(mine, key=lambda one: (one.name.lower(), one.name))

    async def keep_preset(self, name: str, form: Mapping[str, Any]) -> Preset:
        mine = await self.presets()
        known = next((one for one in mine if one.name == name), None)
        if known is None and len(mine) >= MOST_PRESETS:
            raise QuotaReached("presets", limit=MOST_PRESETS, count=len(mine))
        self.shelf.clock.advance(microseconds=1)
        preset = Preset(
            id=known.id if known else uuid4(), name=name, form=dict(form), updated_at=self.shelf.clock.now()
        )
        self.shelf.presets[preset.id] = (self._user_id, preset)
        return preset

    async def forget_preset(self, preset_id: UUID) -> bool:
        owner, _ = self.shelf.presets.get(preset_id, (None, None))
        if owner != self._user_id:
            return False
        del self.shelf.presets[preset_id]
        return True

    def _mine(self) -> list[Backtest]:
        return [one for owner, one in self.shelf.kept.values() if owner == self._user_id]

    def _parts(self, backtest_id: UUID, name: str) -> list[tuple[Part, datetime | None, datetime | None]]:
        owner, _ = self.shelf.kept.get(backtest_id, (None, None))
        return self.shelf.parts.get((backtest_id, name), []) if owner == self._user_id else []


def _fits(one: Backtest, only: BacktestFilter) -> bool:
    words = " ".join([one.name, one.notes, one.strategy, *one.symbols, *one.tags]).lower()
    return (
        (one.deleted_at is not None) == only.is_deleted
        and (one.archived_at is not None) == only.is_archived
        and only.search.lower() in words
        and (not only.kinds or one.kind in only.kinds)
        and (not only.states or one.state in only.states)
        and set(only.tags) <= set(one.tags)
        and only.strategy in (None, one.strategy)
        and (only.symbol is None or only.symbol in one.symbols)
        and only.parent_id in (None, one.parent_id)
        and only.is_starred in (None, one.is_starred)
    )


def _value(one: BacktestInBrief, by: BacktestSort) -> tuple[int, Any]:
    """Comparable whatever is missing: (0, value), or (1, 0) of what has none."""
    value: Any = {BacktestSort.CREATED: one.created_at, BacktestSort.NAME: one.name}.get(by)
    if value is None:
        value = getattr(one.summary, by.value)
    return (1, 0) if value is None else (0, value)


def _brief(one: Backtest) -> BacktestInBrief:
    names = BacktestInBrief.__dataclass_fields__
    return BacktestInBrief(**{name: getattr(one, name) for name in names})

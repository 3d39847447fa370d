"""Strategies as a user has them: those of this installation beside the rules that one saved."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from backend.domain.errors import NotAllowed, VersionConflict
from backend.domain.pages import Page, Place
from backend.domain.ports import StrategyRepository
from backend.domain.saved_strategies import (
    RULES,
    SavedStrategy,
    StrategyVersion,
    VersionInBrief,
    clean_about,
    clean_name,
    clean_note,
)
from backend.domain.strategy_errors import (
    InvalidRules,
    StrategyBroken,
    StrategyNameTaken,
    UnknownStrategy,
    UnknownStrategyVersion,
)

if TYPE_CHECKING:
    from backend.domain.errors import InputError
    from backend.domain.strategies.registry import Listed, StrategyRegistry

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What there is to say of rules: all that is wrong, or what they mean."""

    errors: "Sequence[InputError]" = ()
    rules: Mapping[str, Any] | None = None  # in their full form
    words: tuple[str, ...] = ()
    indicators: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()  # of longer bars that they look at
    plots: tuple[Mapping[str, Any], ...] = ()
    warmup: int = 0
    longer_warmup: Mapping[str, int] = field(default_factory=dict)
    least_bars: int = 0


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A saved strategy with its newest rules."""

    line: SavedStrategy
    newest: StrategyVersion


@dataclass
class Installed:
    """The strategies of this installation, one for a process. Loading them takes its time, so a thread does it."""

    open: "Callable[[], StrategyRegistry]"
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _are_all_loaded: bool = False

    @cached_property
    def registry(self) -> "StrategyRegistry":
        return self.open()

    async def all(self) -> "tuple[Sequence[Listed], Sequence[StrategyBroken]]":
        return await self._ask(lambda: (tuple(self.registry), self.registry.broken), loads_all=True)

    async def get(self, name: str) -> "Listed":
        """Raises UnknownStrategy with what may have been meant, StrategyBroken where it cannot be used."""
        return await self._ask(lambda: self.registry.get(name))

    async def names(self) -> frozenset[str]:
        return await self._ask(lambda: frozenset(self.registry.names))

    async def _ask(self, question: Callable[[], T], *, loads_all: bool = False) -> T:
        """Once all are loaded, nothing that is asked takes its time any more."""
        if self._are_all_loaded:
            return question()
        async with self._turn:
            answer = await asyncio.to_thread(question)
        self._are_all_loaded = self._are_all_loaded or loads_all
        return answer


class Strategies:
    """What the acting user saved, in one transaction. Rules are checked before it begins (`examine`)."""

    def __init__(self, repository: StrategyRepository) -> None:
        self._repository = repository

    async def saved(self, *, deleted: bool = False) -> Sequence[SavedStrategy]:
        return await self._repository.saved(deleted=deleted)

    async def line(self, strategy_id: UUID) -> SavedStrategy:
        """Also a deleted one, which says so."""
        line = await self._repository.find(strategy_id)
        if line is None:
            raise UnknownStrategy(str(strategy_id))
        return line

    async def kept(self, strategy_id: UUID) -> Kept:
        line = await self.line(strategy_id)
        return Kept(line=line, newest=await self.version(strategy_id, line.version))

    async def create(
        self, name: str, about: str, rules: Mapping[str, Any], note: str, *, taken: frozenset[str]
    ) -> Kept:
        """With these rules as version 1. `taken` are the names of this installation's strategies."""
        line = await self._repository.add(_free(name, taken), clean_about(about))
        newest = await self._repository.add_version(line.id, rules, clean_note(note))
        return Kept(line=await self.line(line.id), newest=newest)

    async def change(
        self,
        strategy_id: UUID,
        name: str,
        about: str,
        rules: Mapping[str, Any],
        note: str,
        *,
        revision: int | None,
        taken: frozenset[str],
    ) -> Kept:
        """Rules that differ are a new version; the same ones are none. Nothing changes where nothing differs."""
        before = await self.kept(strategy_id)
        _require_present(before.line)
        if revision not in (None, before.line.revision):
            raise VersionConflict
        name, about, note = _free(name, taken), clean_about(about), clean_note(note)
        if (name, about) != (before.line.name, before.line.about) or rules != before.newest.rules:
            # This also holds the line: who was quicker has changed its revision.
            changed = await self._repository.change(strategy_id, name=name, about=about, revision=revision)
            if changed is None:
                raise VersionConflict
        if rules != before.newest.rules:
            await self._repository.add_version(strategy_id, rules, note)
        return await self.kept(strategy_id)

    async def delete(self, strategy_id: UUID) -> None:
        """It can be restored while it is among the latest hundred deleted."""
        if not await self._repository.delete(strategy_id):
            raise UnknownStrategy(str(strategy_id))

    async def restore(self, strategy_id: UUID) -> Kept:
        """One that is not deleted stays as it is."""
        if await self._repository.restore(strategy_id) is None:
            await self.line(strategy_id)
        return await self.kept(strategy_id)

    async def versions(self, strategy_id: UUID, *, limit: int, after: Place | None) -> Page[VersionInBrief]:
        await self.line(strategy_id)
        return await self._repository.versions(strategy_id, limit=limit, after=after)

    async def version(self, strategy_id: UUID, number: int) -> StrategyVersion:
        found = await self._repository.version(strategy_id, number)
        if found is None:
            raise UnknownStrategyVersion(number, (await self.line(strategy_id)).version)
        return found


def examine(document: object) -> Examined:
    """What is wrong with rules, or what they say. It is quick, but the first one loads the indicators: use a thread."""
    from backend.domain.strategies.built_in.rules import RulesStrategy
    from backend.domain.strategies.rules.reading import read_rules, written
    from backend.domain.strategies.rules.tree import Indicated, lines, sentences

    try:
        tree = read_rules(document)
    except InvalidRules as problem:
        return Examined(errors=problem.errors)
    full = written(tree)
    strategy = RulesStrategy.of(full)
    looked_at = lines(tree)
    return Examined(
        rules=full,
        words=tuple(sentences(tree)),
        indicators=tuple(dict.fromkeys(line.indicator for line in looked_at if isinstance(line, Indicated))),
        timeframes=tuple(dict.fromkeys(line.timeframe.value for line in looked_at if line.timeframe)),
        plots=tuple(plot.describe() for plot in strategy.plots()),
        warmup=strategy.warmup(),
        longer_warmup={length.value: bars for length, bars in strategy.longer_warmup().items()},
        least_bars=strategy.least_bars(),
    )


def checked(document: object) -> Mapping[str, Any]:
    """Rules in their full form; raises InvalidRules with pointers that begin with /rules."""
    from backend.domain.strategies.rules.reading import read_rules, written

    return written(read_rules(document, at="/rules"))


def grammar() -> dict[str, Any]:
    """All that rules can be made of, with examples, for whoever builds them."""
    from backend.domain.indicators import catalogue
    from backend.domain.market import Timeframe
    from backend.domain.patterns.catalogue import PATTERNS
    from backend.domain.strategies.rules import checking, examples, reading, schema, tree

    return {
        "rules_schema": schema.rules_schema(),
        "indicators": catalogue.describe(),
        "patterns": [each.describe() for each in PATTERNS.values()],
        "prices": list(tree.PRICES),
        "comparisons": list(tree.COMPARISONS),
        "crossings": list(tree.CROSSINGS),
        "days": list(tree.DAYS),
        "timeframes": [each.value for each in Timeframe],
        "deepest": checking.DEEPEST,
        "most_nodes": checking.MOST_NODES,
        "most_bars": reading.MOST_BARS,
        "most_ago": reading.MOST_AGO,
        "examples": [
            {"title": title, "rules": rules}
            for title, rules in (
                ("Trend of two averages", examples.TREND_OF_TWO_AVERAGES),
                ("Breakout on high volume", examples.BREAKOUT_ON_VOLUME),
                ("Dip in a rising market", examples.DIP_IN_A_RISING_MARKET),
            )
        ],
    }


def run_of(strategy_name: str, rules: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """What a run is configured with: a saved strategy is its rules, whatever becomes of it later."""
    return (strategy_name, {}) if rules is None else (RULES, {"rules": dict(rules)})


def own_id(name: str) -> UUID | None:
    """The id of a saved strategy, where a name is one."""
    try:
        return UUID(name) if len(name) == 36 else None
    except ValueError:
        return None


def require_own(name: str, known: frozenset[str]) -> UUID:
    """Raises NotAllowed for those of the installation, UnknownStrategy for what is none."""
    found = own_id(name)
    if found is not None:
        return found
    if name in known:
        raise NotAllowed(f"'{name}' belongs to this installation. Save rules of your own to change them.")
    raise UnknownStrategy(name[:60])


def _free(name: str, taken: frozenset[str]) -> str:
    clean = clean_name(name)
    if clean.lower() in taken:
        raise StrategyNameTaken(clean, "a strategy of this installation")
    return clean


def _require_present(line: SavedStrategy) -> None:
    if line.deleted_at is not None:
        raise NotAllowed(f"'{line.name}' is deleted. Restore it first.")

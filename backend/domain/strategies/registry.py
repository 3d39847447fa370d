"""Where strategies are found: the built-in folder, entry points, and a folder of the operator's.

A built-in strategy is only imported when it is asked for, and the others only when somebody asks for one of them. What
cannot be loaded is reported by name and stops nothing else.
"""

import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final

from backend.domain.market import closest
from backend.domain.strategies import built_in
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategy_errors import StrategyBroken, UnknownStrategy

GROUP: Final = "tidemark.strategies"
BUILT_IN: Final = "built in"
# How it is called where it was found, where that is, and how to load it.
_Found = tuple[str, str, Callable[[], Sequence[type[TradingStrategy]]]]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_OF_FILES: Final = "tidemark_strategies_"
_FORM = "a name is 1 to 60 small letters, digits and _, and begins with a letter"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A strategy that can be used, and where it comes from."""

    strategy: type[TradingStrategy]
    origin: str  # BUILT_IN, "entry point NAME of PACKAGE", or the path of a file

    @property
    def name(self) -> str:
        return self.strategy.name

    @property
    def is_built_in(self) -> bool:
        return self.origin == BUILT_IN

    @cached_property
    def source_hash(self) -> str:
        """Of the file that it is written in: another hash may mean other signals."""
        return source_hash(self.strategy)

    def describe(self) -> dict[str, Any]:
        return {**self._described, "origin": self.origin, "source_hash": self.source_hash}

    @cached_property
    def _described(self) -> Mapping[str, Any]:
        """A schema takes a millisecond to make, and whoever lists strategies wants those of all."""
        return self.strategy.describe()


@dataclass(frozen=True, kw_only=True)
class StrategyRegistry:
    """All strategies of this installation."""

    folder: Path | None = None  # the operator's
    points: Callable[[], Iterable[EntryPoint]] = lambda: entry_points(group=GROUP)

    @property
    def names(self) -> tuple[str, ...]:
        return (*_built_in_names(), *self._plugins[0])

    @property
    def broken(self) -> tuple[StrategyBroken, ...]:
        """What could not be loaded, and why."""
        return (*self._built_in[1], *self._plugins[1])

    def get(self, name: str) -> Listed:
        """Raises UnknownStrategy with what may have been meant, StrategyBroken where it is there but unusable."""
        if name in _built_in_names():
            return _load_built_in(name)
        plugins, broken = self._plugins
        if name in plugins:
            return plugins[name]
        for problem in broken:
            if problem.name == name:
                raise problem
        raise UnknownStrategy(name[:60], closest(name[:60], self.names), self.names)

    def strategy(self, name: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> TradingStrategy:
        """Ready to be asked. Raises InvalidParameters besides."""
        return self.get(name).strategy.given(parameters)

    def __iter__(self) -> Iterator[Listed]:
        """All that can be used: the built-in ones first, each group in alphabetical order."""
        return iter((*self._built_in[0].values(), *self._plugins[0].values()))

    @cached_property
    def _built_in(self) -> tuple[Mapping[str, Listed], tuple[StrategyBroken, ...]]:
        good, broken = {}, []
        for name in _built_in_names():
            try:
                good[name] = _load_built_in(name)
            except StrategyBroken as problem:
                broken.append(problem)
        return good, tuple(broken)

    @cached_property
    def _plugins(self) -> tuple[Mapping[str, Listed], tuple[StrategyBroken, ...]]:
        found: list[_Found] = []
        for point in sorted(self.points(), key=lambda each: each.name):
            package = point.dist.name if point.dist else point.value
            found.append((point.name, f"entry point {point.name} of {package}", partial(_pointed_at, point)))
        if self.folder is not None:
            for path in sorted(self.folder.glob("*.py")):
                if not path.name.startswith("_"):
                    found.append((path.stem, str(path), partial(_written_in, path)))
        return _sorted_out(found)


def load_file(path: Path) -> tuple[Listed, ...]:
    """The strategies of one file, as the operator's folder would have them. Raises StrategyBroken."""
    good, broken = _sorted_out([(path.stem, str(path), partial(_written_in, path))])
    if broken:
        raise broken[0]
    return tuple(good.values())


def reloaded(strategy: type[TradingStrategy]) -> type[TradingStrategy]:
    """The same of its file, read anew: what its module remembers of earlier calls is not there.

    One that comes from elsewhere, or whose file cannot be read any more, stays what it is.
    """
    if not strategy.__module__.startswith(_OF_FILES):
        return strategy
    try:
        found = _strategies_in(_module_at(Path(inspect.getfile(strategy)), once_more=True))
    # Anybody's code runs here, as in _sorted_out.
    except (Exception, SystemExit):  # noqa: BLE001
        return strategy
    return next((each for each in found if each.__qualname__ == strategy.__qualname__), strategy)


def source_hash(strategy: type[TradingStrategy]) -> str:
    """Line ends do not count."""
    try:
        text = Path(inspect.getfile(strategy)).read_bytes()
    except (OSError, TypeError):
        text = strategy.__qualname__.encode()
    return hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()


def _sorted_out(
    found: Iterable[_Found],
) -> tuple[Mapping[str, Listed], tuple[StrategyBroken, ...]]:
    good: dict[str, Listed] = {}
    broken: list[StrategyBroken] = []
    for called, origin, load in found:
        try:
            strategies = load()
        # Anybody's code runs here: a plugin may raise anything, or try to end the process.
        except (Exception, SystemExit) as problem:  # noqa: BLE001
            broken.append(StrategyBroken(called, origin, f"{type(problem).__name__}: {problem}"[:500]))
            continue
        if not strategies:
            broken.append(StrategyBroken(called, origin, "there is no subclass of TradingStrategy in it"))
        for strategy in strategies:
            reason = _unfit(strategy) or _taken(strategy.name, good)
            if reason:
                broken.append(StrategyBroken(getattr(strategy, "name", called), origin, reason))
            else:
                good[strategy.name] = Listed(strategy=strategy, origin=origin)
    return dict(sorted(good.items())), tuple(broken)


def _unfit(strategy: object) -> str | None:
    """Why something that was loaded is no strategy that can be used."""
    if not (isinstance(strategy, type) and issubclass(strategy, TradingStrategy)):
        return f"it is {strategy!r:.60}, not a subclass of TradingStrategy"
    name = getattr(strategy, "name", None)
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        return f"its name is {name!r:.60}; {_FORM}"
    if inspect.isabstract(strategy):
        return f"it lacks {', '.join(sorted(strategy.__abstractmethods__))}"
    try:
        strategy.describe()
    except Exception as problem:  # noqa: BLE001
        return f"its parameters or plots raise {type(problem).__name__}: {problem}"[:500]
    return None


def _taken(name: str, good: Mapping[str, Listed]) -> str | None:
    if name in _built_in_names():
        return f"the name '{name}' is that of a built-in strategy; choose another"
    if name in good:
        return f"the name '{name}' is taken by {good[name].origin}; choose another"
    return None


def _built_in_names() -> tuple[str, ...]:
    return tuple(sorted(module.name for module in pkgutil.iter_modules(built_in.__path__)))


@cache
def _load_built_in(name: str) -> Listed:
    try:
        (strategy,) = _strategies_in(importlib.import_module(f"{built_in.__name__}.{name}"))
    except Exception as problem:
        raise StrategyBroken(name, BUILT_IN, f"{type(problem).__name__}: {problem}"[:500]) from problem
    return Listed(strategy=strategy, origin=BUILT_IN)


def _pointed_at(point: EntryPoint) -> list[type[TradingStrategy]]:
    return [point.load()]


def _written_in(path: Path) -> list[type[TradingStrategy]]:
    return _strategies_in(_module_at(path))


def _module_at(path: Path, *, once_more: bool = False) -> ModuleType:
    """A file as a module of its own name, loaded anew; or beside the one that is there."""
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    called = f"{_OF_FILES}{place}_{path.stem}{'_again' if once_more else ''}"
    spec = importlib.util.spec_from_file_location(called, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[called] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[called]
        raise
    return module


def _strategies_in(module: ModuleType) -> list[type[TradingStrategy]]:
    """Those that are written there, not those that it imports to build on; in the order of the file."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, TradingStrategy)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    ]

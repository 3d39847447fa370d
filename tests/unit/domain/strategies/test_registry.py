"""Strategies are found in three places; what is broken is named and stops nothing else."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.built_in.sma_cross import SmaCross
from backend.domain.strategies.registry import GROUP, StrategyRegistry
from backend.domain.strategy_errors import StrategyBroken, UnknownStrategy

GOOD = '''
"""A plugin."""
import numpy as np
from backend.domain.signals import LONG, Signals
from backend.domain.strategies.base import StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.built_in.sma_cross import SmaCross  # imported, not planted

class Mine(TradingStrategy):
    """Always long."""
    name = "NAME"
    class Parameters(StrategyParameters):
        share: float = parameter(0.5, title="Share", description="Of what is usual", gt=0, le=1)
    def generate_signals(self, market):
        return Signals.of(np.full(len(market), LONG), bars=len(market))
'''
BROKEN = {
    "syntax": ("def broken(:\n", "SyntaxError"),
    "imports": ("import no_such_module_at_all\n", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    "raises": ("raise RuntimeError('the moon is wrong')\n", "RuntimeError: the moon is wrong"),
    "exits": ("raise SystemExit(3)\n", "SystemExit: 3"),
    "empty": ("x = 1\n", "there is no subclass of TradingStrategy in it"),
    "abstract": (
        "from backend.domain.strategies.base import TradingStrategy\n"
        "class A(TradingStrategy):\n    name = 'abstract'\n",
        "it lacks generate_signals",
    ),
    "badname": (GOOD.replace("NAME", "My Strategy"), "its name is 'My Strategy'; a name is 1 to 60 small letters"),
    "nameless": (GOOD.replace('name = "NAME"', "pass"), "its name is None"),
    "plots": (
        GOOD.replace("NAME", "plots") + "    def plots(self):\n        return 1 / 0\n",
        "its parameters or plots raise ZeroDivisionError",
    ),
    "shadow": (GOOD.replace("NAME", "sma_cross"), "'sma_cross' is that of a built-in strategy"),
}


def no_points() -> list[EntryPoint]:
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(GOOD.replace("NAME", "mine"))
    (tmp_path / "_private.py").write_text("raise RuntimeError('not to be read')\n")
    return tmp_path


def test_built_in_strategies_are_found_by_their_files() -> None:
    registry = StrategyRegistry(points=no_points)
    assert {"sma_cross", "ema_trend", "macd_trend", "rsi_reversion", "bollinger_reversion", "donchian_breakout"} <= set(
        registry.names
    )
    assert {"breakout_scalping", "momentum_rank", "pattern_reversal", "buy_and_hold"} <= set(registry.names)
    assert registry.broken == ()
    assert [each.name for each in registry] == list(registry.names)
    assert registry.get("sma_cross").strategy is SmaCross


def test_the_operators_folder_is_read(folder: Path) -> None:
    registry = StrategyRegistry(folder=folder, points=no_points)
    mine = registry.get("mine")
    assert mine.origin == str(folder / "mine.py")
    assert registry.strategy("mine", {"share": 0.25}).parameters.model_dump() == {"share": 0.25}
    assert [each.name for each in registry][-1] == "mine"
    assert registry.broken == ()


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_plugin_is_named_and_stops_nothing_else(folder: Path, name: str) -> None:
    text, reason = BROKEN[name]
    (folder / f"{name}.py").write_text(text)
    registry = StrategyRegistry(folder=folder, points=no_points)
    assert registry.get("mine").name == "mine"
    (problem,) = registry.broken
    assert reason in problem.reason
    assert problem.origin == str(folder / f"{name}.py")
    assert "Repair it, then start again." in problem.detail


def test_who_asks_for_a_broken_plugin_is_told_why_it_is_broken(folder: Path) -> None:
    (folder / "raises.py").write_text(BROKEN["raises"][0])
    with pytest.raises(StrategyBroken, match="the moon is wrong"):
        StrategyRegistry(folder=folder, points=no_points).get("raises")


def test_of_two_with_one_name_the_first_is_used_and_the_second_reported(folder: Path) -> None:
    (folder / "other.py").write_text(GOOD.replace("NAME", "mine"))
    registry = StrategyRegistry(folder=folder, points=no_points)
    assert registry.get("mine").origin.endswith("mine.py")
    (problem,) = registry.broken
    assert problem.reason == f"the name 'mine' is taken by {folder / 'mine.py'}; choose another"


def test_entry_points_are_loaded_and_broken_ones_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a_package_of_plugins.py").write_text(GOOD.replace("NAME", "packaged"))
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint("packaged", "a_package_of_plugins:Mine", GROUP),
        EntryPoint("gone", "no_such_package:Mine", GROUP),
        EntryPoint("number", "math:pi", GROUP),
    ]
    registry = StrategyRegistry(points=lambda: points)
    assert registry.get("packaged").origin == "entry point packaged of a_package_of_plugins:Mine"
    assert {problem.name for problem in registry.broken} == {"gone", "number"}
    assert any("not a subclass of TradingStrategy" in problem.reason for problem in registry.broken)


def test_an_unknown_name_is_answered_with_what_may_be_meant() -> None:
    registry = StrategyRegistry(points=no_points)
    with pytest.raises(UnknownStrategy, match=r"no strategy 'smacross'\. Did you mean 'sma_cross'\?"):
        registry.get("smacross")
    with pytest.raises(UnknownStrategy, match="There are: bollinger_reversion, "):
        registry.get("zzz")


def test_the_source_hash_is_that_of_the_file_whatever_its_line_ends(folder: Path) -> None:
    first = StrategyRegistry(folder=folder, points=no_points).get("mine").source_hash
    text = (folder / "mine.py").read_bytes()
    (folder / "mine.py").write_bytes(text.replace(b"\n", b"\r\n"))
    assert StrategyRegistry(folder=folder, points=no_points).get("mine").source_hash == first
    (folder / "mine.py").write_bytes(text + b"# changed\n")
    assert StrategyRegistry(folder=folder, points=no_points).get("mine").source_hash != first


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    registry = StrategyRegistry(folder=tmp_path / "nowhere", points=no_points)
    assert registry.broken == ()
    assert all(each.origin == "built in" for each in registry)


def test_only_what_is_asked_for_is_imported() -> None:
    code = (
        "import sys\n"
        "from backend.domain.strategies.registry import StrategyRegistry\n"
        "StrategyRegistry().get('sma_cross')\n"
        "assert not [name for name in sys.modules if name.endswith(('macd_trend', 'talib'))], 'too much'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_strategy_has_a_name_and_a_docstring() -> None:
    for listed in StrategyRegistry(points=no_points):
        assert issubclass(listed.strategy, TradingStrategy)
        assert listed.strategy.__doc__

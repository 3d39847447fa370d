"""What docs/how-to/add-a-strategy.md and write-rules.md show works as it is shown."""

import re
from pathlib import Path

import numpy as np

from backend.domain.indicators.trend import sma
from backend.domain.signals import LONG
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.built_in.rules import RulesStrategy
from backend.domain.strategies.registry import load_file
from backend.domain.strategies.rules.reading import OPS
from backend.domain.strategies.rules.tree import PRICES
from tests.market_bars import market_of, walk

HOW_TO = Path(__file__).parents[4] / "docs" / "how-to"
PAGE = (HOW_TO / "add-a-strategy.md").read_text()
RULES = (HOW_TO / "write-rules.md").read_text()
MARKET = market_of(walk(1_500))


def blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_rules_are_rules_and_trade() -> None:
    (document,) = blocks("json")
    made = signals_of(RulesStrategy.of(document), MARKET, must_trade=True)
    assert "the close price > SMA (50) and RSI (5) crosses below 30" in made.reasons[0]


def test_every_condition_and_price_is_explained() -> None:
    assert all(f"`{name}`" in RULES for name in (*OPS, *PRICES))


def test_every_example_of_rules_can_be_asked() -> None:
    documents = blocks("json", RULES)
    assert len(documents) == 3
    for document in documents:
        assert len(signals_of(RulesStrategy.of(document), MARKET)) == len(MARKET)


def test_the_file_is_a_strategy_that_trades_and_does_not_look_ahead(tmp_path: Path) -> None:
    file, looking, checking = blocks("python")
    (tmp_path / "far_below.py").write_text(file)
    (listed,) = load_file(tmp_path / "far_below.py")
    strategy, market = listed.strategy.given({"percent": 3}), MARKET
    made = signals_of(strategy, market, must_trade=True)
    assert {made.why(int(bar)) for bar in np.flatnonzero(made.direction == LONG)} == {"3 % below its average"}
    assert strategy.warmup() == 19
    names: dict[str, object] = {"market": market, "strategy": strategy, "sma": sma}
    exec(looking + checking, names)
    assert np.isfinite(np.asarray(names["trend"])).sum() == 1_500 - 50 * 24 + 1

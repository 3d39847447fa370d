"""The sweep by Tidemark: every figure of every pair, the blocks for overfitting, and the ledger."""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

from backend.backtesting.course import Course
from backend.backtesting.ledger import Ledger
from backend.backtesting.objectives import Objective
from backend.backtesting.optimisation import Optimisation
from backend.backtesting.space import ParameterSpace
from backend.backtesting.sweep import sweep
from backend.domain.config import TradingConfig
from backend.domain.market import ALWAYS, Instrument, Timeframe
from backend.domain.strategies.built_in.sma_cross import SmaCross
from backend.domain.strategies.market import Market
from scripts.benches.replaying.ours import random_walk

BARS = 100_000
PLAIN = TradingConfig()
PROTECTED = TradingConfig.model_validate({"execution": {"stop_percent": 2, "target_percent": 4}})
SHARPE = Objective.named("sharpe")


def course(config: TradingConfig = PLAIN) -> Course:
    instrument = Instrument(provider="walk", symbol="WALK", name="Walk", calendar=ALWAYS, currency="USD")
    market = Market.of(random_walk(BARS), instrument, Timeframe.M1)
    return Course(strategy=SmaCross, markets=(market,), trading=config)


def space(fasts: int = 100) -> ParameterSpace:
    """So many fast averages from 5 bars on, each with 100 slow ones from 110 to 308 bars."""
    ranges = {"fast": {"from": 5, "to": 4 + fasts}, "slow": {"from": 110, "to": 308, "step": 2}}
    return ParameterSpace.of(SmaCross, ranges)


def run(on: Course, over: ParameterSpace) -> Optimisation:
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        return sweep(on, over, SHARPE, ledger=Ledger(Path(folder)))


def main(fasts: int) -> None:
    """Peak memory of a process that sweeps, in MiB."""
    run(course(), space(fasts))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / (1024 * 1024 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    main(int(sys.argv[1]))

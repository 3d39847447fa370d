"""What a notebook or a script imports: bars, strategies, backtests, models. It needs no server and no database.

>>> from backend.research import backtest, load_bars
>>> bars = load_bars("demo", "BTC/USDT", "1h", "2024", "2025")
>>> result = backtest("sma_cross", bars, fast=20, slow=50, fee_bps=10)
>>> result.statistics["trades"] == len(result.closed_trades)
True
"""

from backend.research.bars import Bars, load_bars
from backend.research.models import Model, Prediction, open_model, predict, saved_models, train
from backend.research.named import strategies
from backend.research.replaying import Replay, replay
from backend.research.results import Backtest, open_backtest, saved
from backend.research.running import backtest
from backend.research.studying import Study, open_study, optimize, sweep, walk_forward

__all__ = [
    "Backtest",
    "Bars",
    "Model",
    "Prediction",
    "Replay",
    "Study",
    "backtest",
    "load_bars",
    "open_backtest",
    "open_model",
    "open_study",
    "optimize",
    "predict",
    "replay",
    "saved",
    "saved_models",
    "strategies",
    "sweep",
    "train",
    "walk_forward",
]

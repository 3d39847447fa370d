"""What trials are ranked by: a metric by its name, and which way is better."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.backtesting.measures import FEWER_TRADES, PLACE, REASONS, THERE, Codes
from backend.domain.market import closest
from backend.domain.optimisation_errors import UnknownObjective

Floats = npt.NDArray[np.float64]

# Whether more of it is better. A drawdown is below 0, so more of it is less of a loss.
_MORE_IS_BETTER: Final = {
    "sharpe": True,
    "sortino": True,
    "calmar": True,
    "omega": True,
    "total_return": True,
    "cagr": True,
    "volatility": False,
    "max_drawdown": True,
    "profit_factor": True,
    "win_rate": True,
    "expectancy": True,
    "payoff": True,
    "mean_trade": True,
    "sqn": True,
    "net_profit": True,
}
OBJECTIVES: Final = tuple(_MORE_IS_BETTER)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A metric to make as good as it gets. A trial that lacks it, or made too few trades, comes last."""

    name: str
    least_trades: int = 0

    @classmethod
    def named(cls, name: str, *, least_trades: int = 0) -> "Objective":
        """Raises UnknownObjective with what may have been meant."""
        if name not in _MORE_IS_BETTER:
            raise UnknownObjective(name[:60], closest(name[:60], OBJECTIVES), OBJECTIVES)
        return cls(name=name, least_trades=least_trades)

    @property
    def more_is_better(self) -> bool:
        return _MORE_IS_BETTER[self.name]

    def values(self, metrics: Floats) -> Floats:
        """One for each row of metrics; NaN for a trial that cannot be ranked."""
        values = metrics[:, PLACE[self.name]]
        return np.where(metrics[:, PLACE["trades"]] >= self.least_trades, values, np.nan)

    def scores(self, metrics: Floats) -> Floats:
        """The higher the better; minus infinity for a trial that cannot be ranked."""
        values = self.values(metrics)
        scores: Floats = np.where(np.isnan(values), -np.inf, values if self.more_is_better else -values)
        return scores

    def why_not(self, metrics: Floats, why: Codes) -> str | None:
        """Why one trial cannot be ranked; nothing when it can."""
        if why[PLACE[self.name]] != THERE:
            return REASONS[int(why[PLACE[self.name]])]
        return REASONS[FEWER_TRADES] if metrics[PLACE["trades"]] < self.least_trades else None

"""How each statistic is called and written, in the groups that a reader looks for."""

from dataclasses import dataclass
from typing import Final

from backend.domain import format as say
from backend.domain.trading.statistics import Statistics


@dataclass(frozen=True, kw_only=True)
class Line:
    """One statistic as it is shown; `reason` says why there is no value."""

    name: str
    label: str
    value: str
    reason: str = ""


# name: label, kind
_GROUPS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "Return": {
        "start_equity": ("Start equity", "money"),
        "end_equity": ("End equity", "money"),
        "total_return": ("Total return", "change"),
        "benchmark_return": ("Buy and hold", "change"),
        "cagr": ("Growth a year (CAGR)", "change"),
        "best_day": ("Best day", "change"),
        "worst_day": ("Worst day", "change"),
        "positive_days": ("Days with a gain", "percent"),
        "days": ("Days", "count"),
    },
    "Risk": {
        "volatility": ("Volatility a year", "percent"),
        "sharpe": ("Sharpe", "ratio"),
        "sortino": ("Sortino", "ratio"),
        "calmar": ("Calmar", "ratio"),
        "omega": ("Omega", "ratio"),
        "var_95": ("Value at risk 95, a day", "change"),
        "cvar_95": ("Mean loss beyond it", "change"),
        "var_95_seen": ("Worst 5 % of days seen", "change"),
        "cvar_95_seen": ("Their mean", "change"),
        "skew": ("Skew", "ratio"),
        "kurtosis": ("Excess kurtosis", "ratio"),
    },
    "Drawdown": {
        "max_drawdown": ("Deepest drawdown", "change"),
        "max_drawdown_peak": ("From", "text"),
        "max_drawdown_trough": ("Lowest on", "text"),
        "max_drawdown_recovered": ("Recovered", "text"),
        "max_drawdown_days": ("Its length", "days"),
        "longest_under_water_days": ("Longest under water", "days"),
        "time_under_water": ("Days under water", "percent"),
    },
    "Against buy and hold": {
        "alpha": ("Alpha a year", "change"),
        "beta": ("Beta", "ratio"),
        "correlation": ("Correlation", "ratio"),
        "tracking_error": ("Tracking error a year", "percent"),
        "information_ratio": ("Information ratio", "ratio"),
    },
    "Trades": {
        "trades": ("Closed trades", "count"),
        "open_trades": ("Still open", "count"),
        "won": ("Won", "count"),
        "lost": ("Lost", "count"),
        "win_rate": ("Win rate", "percent"),
        "net_profit": ("Net profit", "signed money"),
        "profit_factor": ("Profit factor", "ratio"),
        "expectancy": ("Expectancy a trade", "signed money"),
        "payoff": ("Payoff", "ratio"),
        "mean_trade": ("Average trade", "change"),
        "median_trade": ("Median trade", "change"),
        "mean_win": ("Average win", "change"),
        "mean_loss": ("Average loss", "change"),
        "best_trade": ("Best trade", "change"),
        "worst_trade": ("Worst trade", "change"),
        "sqn": ("SQN", "ratio"),
        "longest_win_streak": ("Longest row of wins", "count"),
        "longest_loss_streak": ("Longest row of losses", "count"),
        "mae": ("Average worst point (MAE)", "change"),
        "mfe": ("Average best point (MFE)", "change"),
    },
    "Long and short": {
        "long_trades": ("Long trades", "count"),
        "long_net_profit": ("Long net profit", "signed money"),
        "long_win_rate": ("Long win rate", "percent"),
        "short_trades": ("Short trades", "count"),
        "short_net_profit": ("Short net profit", "signed money"),
        "short_win_rate": ("Short win rate", "percent"),
    },
    "Time": {
        "exposure": ("Time in the market", "percent"),
        "turnover": ("Turnover a year", "times"),
        "mean_seconds_held": ("Average holding time", "seconds"),
        "mean_bars_held": ("Average bars held", "bars"),
        "median_bars_held": ("Median bars held", "bars"),
        "longest_bars_held": ("Longest trade", "bars"),
    },
    "Costs": {
        "fees": ("Fees", "money"),
        "slippage": ("Slippage", "money"),
        "financing": ("Interest", "money"),
        "costs_of_gross_profit": ("Share of gross profit", "percent"),
        "break_even_bps": ("Break-even cost, same orders", "bps"),
    },
}
KNOWN_FIGURES: Final = tuple(name for group in _GROUPS.values() for name in group)
KEY_FIGURES: Final = ("total_return", "cagr", "sharpe", "max_drawdown", "win_rate", "trades")


def groups_of(statistics: Statistics, currency: str) -> dict[str, list[Line]]:
    """All of them, those without a name here at the end."""
    known = {name for group in _GROUPS.values() for name in group}
    shown = {
        title: [_line(statistics, name, *how, currency) for name, how in group.items() if _is_there(statistics, name)]
        for title, group in _GROUPS.items()
    }
    others = [name for name in (*statistics.values, *statistics.missing) if name not in known]
    if others:
        shown["More"] = [
            _line(statistics, name, name.replace("_", " ").capitalize(), "any", currency) for name in others
        ]
    return {title: lines for title, lines in shown.items() if lines}


def line_of(statistics: Statistics, name: str, currency: str) -> Line:
    label, kind = next(group[name] for group in _GROUPS.values() if name in group)
    return _line(statistics, name, label, kind, currency)


def label_of(name: str) -> str:
    return _known(name)[0]


def kind_of(name: str) -> str:
    """In which way it is written."""
    return _known(name)[1]


def _known(name: str) -> tuple[str, str]:
    return next((group[name] for group in _GROUPS.values() if name in group), (name.replace("_", " "), "any"))


def _is_there(statistics: Statistics, name: str) -> bool:
    return name in statistics.values or name in statistics.missing


def _line(statistics: Statistics, name: str, label: str, kind: str, currency: str) -> Line:
    if name not in statistics.values:
        reason = statistics.missing.get(name, "It was not computed.")
        return Line(name=name, label=label, value=say.MISSING, reason=reason)
    return Line(name=name, label=label, value=written(statistics.values[name], kind, currency))


def written(value: float | int | str, kind: str, currency: str) -> str:  # noqa: PLR0911  # one way of writing each
    if isinstance(value, str):
        return value
    match kind:
        case "change":
            return say.change(value)
        case "percent":
            return say.percent(value)
        case "ratio":
            return say.ratio(value)
        case "money" | "signed money":
            return say.money(value, currency, signed=kind != "money")
        case "count":
            return say.integer(value)
        case "days":
            return f"{say.integer(value)} {'day' if value == 1 else 'days'}"
        case "bars":
            return f"{say.fixed(value, 0 if isinstance(value, int) else 1)} {'bar' if value == 1 else 'bars'}"
        case "seconds":
            return say.duration(value)
        case "bps":
            return say.bps(value)
        case "times":
            return f"{say.fixed(value, 1)} times"
        case _:
            return say.integer(value) if isinstance(value, int) else say.fixed(value, 4)

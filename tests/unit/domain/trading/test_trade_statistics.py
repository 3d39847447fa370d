"""Statistics of trades, on trades small enough to reckon by hand."""

import numpy as np
import pytest

from backend.domain.trading.layout import EXIT_SIGNAL, EXIT_STOP, EXIT_TARGET, STILL_OPEN, TRADE, Records
from backend.domain.trading.trade_statistics import groups, trade_statistics

HOUR = 3_600_000_000
MONDAY = 1_704_067_200_000_000  # 2024-01-01 00:00


def trade(pnl: float, first: int, last: int, why: int = EXIT_SIGNAL, *, quantity: float = 10.0) -> Records:
    row = np.zeros(1, TRADE)
    row["entry_bar"], row["exit_bar"], row["exit_why"], row["quantity"] = first, last, why, quantity
    row["entry_price"], row["exit_price"], row["pnl"] = 100.0, 110.0, pnl
    row["fees"], row["slippage"], row["mae"], row["mfe"] = 2.0, 1.0, -0.02, 0.04
    return row


TRADES = np.concatenate(
    [
        trade(100.0, 0, 4),
        trade(-50.0, 4, 6, EXIT_STOP),
        trade(-30.0, 8, 9, EXIT_STOP, quantity=-10.0),
        trade(0.0, 10, 11),
        trade(60.0, 20, 30, EXIT_TARGET),
        trade(40.0, 31, 47, STILL_OPEN),
    ]
)
STARTS = MONDAY + np.arange(48) * HOUR


def test_every_figure_of_six_trades() -> None:
    found = trade_statistics(TRADES, STARTS, mean_equity=1_000.0, years=0.5)
    assert found.missing == {}
    expected = {
        "trades": 5,
        "open_trades": 1,
        "won": 2,
        "lost": 2,
        "net_profit": 80.0,
        "win_rate": 0.4,
        "profit_factor": 2.0,
        "expectancy": 16.0,
        "payoff": 2.0,
        "mean_trade": 0.016,
        "median_trade": 0.0,
        "best_trade": 0.1,
        "worst_trade": -0.05,
        "mean_win": 0.08,
        "mean_loss": -0.04,
        "mae": -0.02,
        "mfe": 0.04,
        "longest_win_streak": 1,
        "longest_loss_streak": 2,
        "mean_bars_held": 3.6,
        "median_bars_held": 2.0,
        "longest_bars_held": 10,
        "mean_seconds_held": 3.6 * 3600,
        "fees": 12.0,
        "slippage": 6.0,
        "financing": 0.0,
        "long_trades": 4,
        "long_net_profit": 110.0,
        "long_win_rate": 0.5,
        "short_trades": 1,
        "short_net_profit": -30.0,
        "short_win_rate": 0.0,
        # Of all: 120 after, 18 of costs, so 138 before.
        "costs_of_gross_profit": 18 / 138,
        # Of the closed ones: 80 after, 15 of costs, so 95 before; traded 5 x 10 x 210.
        "break_even_bps": 95 / 10_500 * 1e4,
        # 4, 3 (a stop holds its bar), 2, 1, 11 and to the end 17.
        "exposure": 38 / 48,
        "turnover": (10_500 + 1_000) / 1_000 / 0.5,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6), name
    pnl = np.array([100.0, -50.0, -30.0, 0.0, 60.0])
    assert found["sqn"] == pytest.approx(np.sqrt(5) * 16.0 / pnl.std(ddof=1))
    assert found.values.keys() == expected.keys() | {"sqn"}


def test_trades_that_overlap_are_one_exposure() -> None:
    both = np.concatenate([trade(1.0, 0, 10), trade(1.0, 2, 5), trade(1.0, 8, 12)])
    assert trade_statistics(both, STARTS, mean_equity=1.0, years=1.0)["exposure"] == 12 / 48


def test_without_a_trade_every_figure_that_needs_one_says_so() -> None:
    found = trade_statistics(TRADES[:0], STARTS, mean_equity=1_000.0, years=1.0)
    assert found.missing["win_rate"] == "There is no closed trade."
    assert "there is 0" in found.missing["sqn"]
    assert (found["trades"], found["exposure"], found["fees"], found["turnover"]) == (0, 0.0, 0.0, 0.0)
    assert groups(TRADES[:0], STARTS)["year"] == ()


def test_one_that_only_wins_has_no_profit_factor_but_a_reason() -> None:
    found = trade_statistics(TRADES[:1], STARTS, mean_equity=1.0, years=1.0)
    assert found.missing["profit_factor"].startswith("None of the 1 closed trades lost money")
    assert "1" in found.missing["sqn"]


def test_groups_add_up_and_name_their_time() -> None:
    found = groups(TRADES, STARTS)
    assert [(group.key, group.count, group.won, group.pnl) for group in found["exit_reason"]] == [
        ("signal", 2, 1, 100.0),
        ("stop", 2, 0, -80.0),
        ("target", 1, 1, 60.0),
    ]
    assert [(group.key, group.pnl) for group in found["side"]] == [("short", -30.0), ("long", 110.0)]
    assert [(group.key, group.count) for group in found["weekday"]] == [("Monday", 4), ("Tuesday", 1)]
    assert [group.key for group in found["hour"]] == ["04:00", "06:00", "09:00", "11:00"]
    assert [(group.key, group.count) for group in found["month"]] == [("2024-01", 5)]
    assert [group.key for group in found["year"]] == ["2024"]
    for table in found.values():
        assert sum(group.pnl for group in table) == pytest.approx(80.0)

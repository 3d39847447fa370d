"""Each feature written once more, slowly and plainly with pandas, to be compared with."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Series: TypeAlias = Any  # a column; pandas brings no types
Frame: TypeAlias = pd.DataFrame

PARKINSON = 4 * np.log(2)


def logs(bars: Frame, name: str) -> Series:
    return np.log(bars[name])


def change(bars: Frame, count: int = 1) -> Series:
    return logs(bars, "close").diff(count)


def variance(bars: Frame, count: int) -> Series:
    return (change(bars) ** 2).rolling(count).mean()


def volatility(bars: Frame, count: int) -> Series:
    return np.sqrt(variance(bars, count))


def height(bars: Frame) -> Series:
    return logs(bars, "high") - logs(bars, "low")


def reach(bars: Frame) -> Series:
    before = logs(bars, "close").shift()
    return np.maximum(logs(bars, "high"), before) - np.minimum(logs(bars, "low"), before)


def mean(bars: Frame, count: int) -> Series:
    return logs(bars, "close").rolling(count).mean()


def balance(one: Series, other: Series) -> Series:
    return ((one - other) / (one + other)).fillna(0.0)


def share(part: Series, whole: Series) -> Series:
    return (part / whole).where(whole != 0, 0.0)


def channel(bars: Frame, count: int) -> Series:
    width = logs(bars, "high").rolling(count).max() - logs(bars, "low").rolling(count).min()
    return width / (volatility(bars, count) * np.sqrt(count))


def stochastic(bars: Frame, count: int) -> Series:
    highs, lows = logs(bars, "high").rolling(count).max(), logs(bars, "low").rolling(count).min()
    return share(2 * logs(bars, "close") - highs - lows, highs - lows)


def rsi(bars: Frame, count: int) -> Series:
    gains = change(bars).clip(lower=0).rolling(count).sum()
    losses = (-change(bars)).clip(lower=0).rolling(count).sum()
    return balance(gains, losses)


def vwap(bars: Frame, count: int) -> Series:
    price = (logs(bars, "close") * bars["volume"]).rolling(count).sum() / bars["volume"].rolling(count).sum()
    return (logs(bars, "close") - price) / (volatility(bars, count) * np.sqrt(count))


def volumes(bars: Frame, short: int, long: int) -> Series:
    return balance(bars["volume"].rolling(short).mean(), bars["volume"].rolling(long).mean())


def place(bars: Frame) -> Series:
    return share(2 * logs(bars, "close") - logs(bars, "high") - logs(bars, "low"), height(bars))


def signed(bars: Frame, sign: Series) -> Series:
    return share((bars["volume"] * sign).rolling(20).sum(), bars["volume"].rolling(20).sum())


def on_moves(bars: Frame) -> Series:
    size, volume = change(bars).abs(), bars["volume"]
    return balance((size * volume).rolling(60).mean(), size.rolling(60).mean() * volume.rolling(60).mean())


def averages(bars: Frame, short: int, long: int) -> Series:
    return (mean(bars, short) - mean(bars, long)) / (volatility(bars, long) * np.sqrt(long))


def slope(bars: Frame, count: int) -> Series:
    rise = logs(bars, "close").rolling(count).apply(lambda window: np.polyfit(np.arange(count), window, 1)[0], raw=True)
    return rise * np.sqrt(count) / volatility(bars, count)


def straightness(bars: Frame, count: int) -> Series:
    return (
        logs(bars, "close").rolling(count).apply(lambda window: np.corrcoef(np.arange(count), window)[0, 1], raw=True)
    )


def directional(bars: Frame) -> Series:
    up, down = logs(bars, "high").diff(), -logs(bars, "low").diff()
    rises = up.where((up > down) & (up > 0), 0.0).rolling(20).sum()
    falls = down.where((down > up) & (down > 0), 0.0).rolling(20).sum()
    return balance(rises, falls)


def z(bars: Frame, count: int) -> Series:
    return (logs(bars, "close") - mean(bars, count)) / logs(bars, "close").rolling(count).std(ddof=0)


def streak(bars: Frame) -> Series:
    sign = np.sign(change(bars))
    run = sign.groupby((sign != sign.shift()).cumsum()).cumcount() + 1
    return sign * run.clip(upper=8) / 8


def engulfing(bars: Frame) -> Series:
    opened, closed, first, last = bars["open"], bars["close"], bars["open"].shift(), bars["close"].shift()
    rises = (last < first) & (closed > opened) & (closed >= first) & (opened <= last)
    falls = (last > first) & (closed < opened) & (closed <= first) & (opened >= last)
    return rises.astype(float) - falls.astype(float)


def inside_outside(bars: Frame) -> Series:
    outside = (bars["high"] > bars["high"].shift()) & (bars["low"] < bars["low"].shift())
    inside = (bars["high"] < bars["high"].shift()) & (bars["low"] > bars["low"].shift())
    return outside.astype(float) - inside.astype(float)


def upper(bars: Frame) -> Series:
    return share(logs(bars, "high") - np.log(bars[["open", "close"]].max(axis=1)), height(bars))


def lower(bars: Frame) -> Series:
    return share(np.log(bars[["open", "close"]].min(axis=1)) - logs(bars, "low"), height(bars))


def of_day(bars: Frame) -> Series:
    return 2 * np.pi * (bars["ts"].dt.hour * 60 + bars["ts"].dt.minute) / 1_440


def of_week(bars: Frame) -> Series:
    return 2 * np.pi * bars["ts"].dt.day_of_week / 7


def pause(bars: Frame) -> Series:
    seconds = bars["ts"].diff().dt.total_seconds()
    return balance(seconds, seconds.rolling(20).min())


def inner_variance(bars: Frame) -> Series:
    return (height(bars) ** 2).rolling(20).mean() / PARKINSON


def garman_klass(bars: Frame) -> Series:
    body = logs(bars, "close") - logs(bars, "open")
    return np.sqrt((height(bars) ** 2 / 2 - (2 * np.log(2) - 1) * body**2).rolling(60).mean())


def skewness(bars: Frame) -> Series:
    return (change(bars) ** 3).rolling(60).mean() / variance(bars, 60) ** 1.5


def tails(bars: Frame) -> Series:
    return (change(bars) ** 4).rolling(60).mean() / variance(bars, 60) ** 2


def autocorrelation(bars: Frame) -> Series:
    return (change(bars) * change(bars).shift()).rolling(60).sum() / (change(bars) ** 2).rolling(60).sum()


def in_volatilities(moved: Series, bars: Frame, window: int, count: int) -> Series:
    return moved / (volatility(bars, window) * np.sqrt(count))


ORACLE: dict[str, Callable[[Frame], Series]] = {
    **{f"return_{count}": lambda b, count=count: change(b, count) for count in (1, 5, 20, 60, 240)},  # type: ignore[misc]
    "gap": lambda b: logs(b, "open") - logs(b, "close").shift(),
    "move_1": lambda b: in_volatilities(change(b), b, 60, 1),
    "move_5": lambda b: in_volatilities(change(b, 5), b, 60, 5),
    "move_20": lambda b: in_volatilities(change(b, 20), b, 240, 20),
    **{f"volatility_{count}": lambda b, count=count: volatility(b, count) for count in (5, 20, 60, 240)},  # type: ignore[misc]
    "parkinson_20": lambda b: np.sqrt(inner_variance(b)),
    "garman_klass_60": garman_klass,
    "volatility_5_to_60": lambda b: balance(variance(b, 5), variance(b, 60)),
    "volatility_20_to_240": lambda b: balance(variance(b, 20), variance(b, 240)),
    "chop_20": lambda b: balance(inner_variance(b), variance(b, 20)),
    "skewness_60": skewness,
    "tails_60": tails,
    "range_1": height,
    "range_1_to_20": lambda b: balance(reach(b), reach(b).rolling(20).mean()),
    "range_5_to_60": lambda b: balance(reach(b).rolling(5).mean(), reach(b).rolling(60).mean()),
    **{f"channel_{count}": lambda b, count=count: channel(b, count) for count in (20, 60, 240)},  # type: ignore[misc]
    "volume_1_to_20": lambda b: volumes(b, 1, 20),
    "volume_5_to_60": lambda b: volumes(b, 5, 60),
    "volume_20_to_240": lambda b: volumes(b, 20, 240),
    "signed_volume_20": lambda b: signed(b, np.sign(change(b))),
    "money_flow_20": lambda b: signed(b, place(b)),
    "volume_on_moves_60": on_moves,
    "vwap_20": lambda b: vwap(b, 20),
    "vwap_60": lambda b: vwap(b, 60),
    "rsi_5": lambda b: rsi(b, 5),
    "rsi_20": lambda b: rsi(b, 20),
    **{f"stochastic_{count}": lambda b, count=count: stochastic(b, count) for count in (20, 60, 240)},  # type: ignore[misc]
    "acceleration_20": lambda b: in_volatilities(change(b, 20) - change(b, 20).shift(20), b, 60, 40),
    "momentum_240_20": lambda b: in_volatilities(change(b, 220).shift(20), b, 240, 220),
    "streak": streak,
    "average_5_to_20": lambda b: averages(b, 5, 20),
    "average_20_to_60": lambda b: averages(b, 20, 60),
    "average_60_to_240": lambda b: averages(b, 60, 240),
    "slope_20": lambda b: slope(b, 20),
    "slope_60": lambda b: slope(b, 60),
    "straightness_60": lambda b: straightness(b, 60),
    "directional_20": directional,
    "z_20": lambda b: z(b, 20),
    "z_60": lambda b: z(b, 60),
    "z_240": lambda b: z(b, 240),
    "autocorrelation_60": autocorrelation,
    "variance_ratio_60": lambda b: balance(
        (change(b, 5) ** 2).rolling(60).sum(), 5 * (change(b) ** 2).rolling(60).sum()
    ),
    "body": lambda b: share(logs(b, "close") - logs(b, "open"), height(b)),
    "upper_shadow": upper,
    "lower_shadow": lower,
    "engulfing": engulfing,
    "inside_outside": inside_outside,
    "shadow_balance_20": lambda b: (lower(b) - upper(b)).rolling(20).mean(),
    "hour_sine": lambda b: np.sin(of_day(b)),
    "hour_cosine": lambda b: np.cos(of_day(b)),
    "weekday_sine": lambda b: np.sin(of_week(b)),
    "weekday_cosine": lambda b: np.cos(of_week(b)),
    "pause": pause,
}

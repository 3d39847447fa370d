"""Numbers: TA-Lib's own behind our names to the last bit, and a plain slow reading of what is ours."""

from collections.abc import Callable

import numpy as np
import pytest
import talib
from talib._ta_lib import MA_Type

from backend.domain.indicators import momentum, trend, volatility, volume
from backend.domain.indicators.catalogue import compute
from tests.market_bars import columns_of, walk

LONG = columns_of(walk(3_000, seed=11, frequency="15min"))
O, H, L, C, V = (LONG[name] for name in ("open", "high", "low", "close", "volume"))  # noqa: E741


def rows(count: int, make: Callable[[int], float], begins: int) -> np.ndarray:
    return np.array([make(row) if row >= begins else np.nan for row in range(count)])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (trend.sma(C, 20), talib.SMA(C, 20)),
        (trend.ema(C, 20), talib.EMA(C, 20)),
        (trend.wma(C, 9), talib.WMA(C, 9)),
        (trend.dema(C, 9), talib.DEMA(C, 9)),
        (trend.tema(C, 9), talib.TEMA(C, 9)),
        (trend.kama(C, 30), talib.KAMA(C, 30)),
        (trend.linear_regression(C, 14), talib.LINEARREG(C, 14)),
        (trend.macd(C, 12, 26, 9), talib.MACD(C, 12, 26, 9)),
        (trend.adx(H, L, C, 14), talib.ADX(H, L, C, 14)),
        (trend.directional(H, L, C, 14), (talib.PLUS_DI(H, L, C, 14), talib.MINUS_DI(H, L, C, 14))),
        (trend.aroon(H, L, 25), talib.AROON(H, L, 25)[::-1]),
        (trend.sar(H, L, 0.02, 0.2), talib.SAR(H, L, 0.02, 0.2)),
        (momentum.rsi(C, 14), talib.RSI(C, 14)),
        (
            momentum.stochastic(H, L, C, k=14, smooth=3, d=3),
            talib.STOCH(H, L, C, 14, 3, MA_Type.SMA, 3, MA_Type.SMA),
        ),
        (momentum.stochastic_rsi(C, 14, 5, 3), talib.STOCHRSI(C, 14, 5, 3)),
        (momentum.cci(H, L, C, 20), talib.CCI(H, L, C, 20)),
        (momentum.roc(C, 10), talib.ROC(C, 10)),
        (momentum.momentum(C, 10), talib.MOM(C, 10)),
        (momentum.williams_r(H, L, C, 14), talib.WILLR(H, L, C, 14)),
        (momentum.cmo(C, 14), talib.CMO(C, 14)),
        (momentum.trix(C, 15), talib.TRIX(C, 15)),
        (momentum.ultimate(H, L, C, short=7, middle=14, long=28), talib.ULTOSC(H, L, C, 7, 14, 28)),
        (volatility.true_range(H, L, C), talib.TRANGE(H, L, C)),
        (volatility.atr(H, L, C, 14), talib.ATR(H, L, C, 14)),
        (volatility.natr(H, L, C, 14), talib.NATR(H, L, C, 14)),
        (volatility.deviation(C, 20), talib.STDDEV(C, 20)),
        (volatility.bollinger(C, 20, 2.0), talib.BBANDS(C, 20, 2, 2)),
        (volatility.donchian(H, L, 20)[0], talib.MAX(H, 20)),
        (volatility.donchian(H, L, 20)[2], talib.MIN(L, 20)),
        (volume.obv(C, V), talib.OBV(C, V)),
        (volume.adl(H, L, C, V), talib.AD(H, L, C, V)),
        (volume.chaikin(H, L, C, V, fast=3, slow=10), talib.ADOSC(H, L, C, V, 3, 10)),
        (volume.mfi(H, L, C, V, 14), talib.MFI(H, L, C, V, 14)),
    ],
)
def test_values_are_those_of_ta_lib(ours: object, theirs: object) -> None:
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_bollinger_position() -> None:
    place, width = volatility.bollinger_position(C, 20, 2.0)
    window = C[981:1001]
    middle, spread = window.mean(), window.std()
    assert place[1000] == pytest.approx((C[1000] - (middle - 2 * spread)) / (4 * spread))
    assert width[1000] == pytest.approx(100 * 4 * spread / middle)


def test_a_price_that_never_moves_has_no_place_between_its_bands() -> None:
    place, width = volatility.bollinger_position(np.full(60, 7.0), 20, 2.0)
    assert np.isnan(place).all()
    assert (width[19:] == 0).all()


def test_keltner() -> None:
    upper, middle, lower = volatility.keltner(H, L, C, 20, 1.5)
    np.testing.assert_allclose(upper - middle, 1.5 * talib.ATR(H, L, C, 20), equal_nan=True, rtol=1e-9)
    np.testing.assert_allclose(middle - lower, 1.5 * talib.ATR(H, L, C, 20), equal_nan=True, rtol=1e-9)
    np.testing.assert_array_equal(middle[20:], talib.EMA(C, 20)[20:])


def test_realised_volatility_is_that_of_log_returns() -> None:
    def slow(row: int) -> float:
        return float(100 * np.std(np.diff(np.log(C[row - 20 : row + 1])), ddof=1) * np.sqrt(365))

    np.testing.assert_allclose(volatility.realised_volatility(C, 20, 365.0), rows(len(C), slow, 20), rtol=1e-6)


def test_vwap_is_what_was_paid_on_average() -> None:
    typical = (H + L + C) / 3

    def slow(row: int) -> float:
        window = slice(row - 19, row + 1)
        return float((typical[window] * V[window]).sum() / V[window].sum())

    np.testing.assert_allclose(volume.vwap(H, L, C, V, 20), rows(len(C), slow, 19), rtol=1e-12)


def test_the_days_vwap_begins_anew_at_midnight() -> None:
    typical, day = (H + L + C) / 3, LONG["moments"] // 86_400_000_000

    def slow(row: int) -> float:
        today = np.flatnonzero(day[: row + 1] == day[row])
        return float((typical[today] * V[today]).sum() / V[today].sum())

    made = compute("session_vwap", LONG)["vwap"]
    np.testing.assert_allclose(made, rows(len(C), slow, 0), rtol=1e-12)
    first_of_second_day = int((day == day[0]).sum())
    assert made[first_of_second_day] == pytest.approx(typical[first_of_second_day])


def test_where_nothing_was_traded_there_is_no_average_price() -> None:
    quiet = V.copy()
    quiet[100:140] = 0.0
    line = volume.vwap(H, L, C, quiet, 20)
    assert np.isnan(line[119:140]).all()
    assert np.isfinite(line[140:]).all()
    assert np.isnan(volume.relative_volume(quiet, 20)[120:141]).all()


def test_relative_volume_leaves_its_own_bar_out_of_the_average() -> None:
    made = volume.relative_volume(V, 20)
    assert made[500] == pytest.approx(V[500] / V[480:500].mean())


def test_supertrend_follows_the_rules_of_its_bands() -> None:
    ranges = talib.ATR(H, L, C, 10)
    line, side = trend.supertrend(H, L, C, 10, 3.0)
    upper, lower, direction = np.inf, -np.inf, 1
    for row in range(10, len(C)):
        middle = (H[row] + L[row]) / 2
        before = C[row - 1]
        upper = middle + 3 * ranges[row] if before > upper else min(upper, middle + 3 * ranges[row])
        lower = middle - 3 * ranges[row] if before < lower else max(lower, middle - 3 * ranges[row])
        direction = -1 if direction > 0 and C[row] < lower else 1 if direction < 0 and C[row] > upper else direction
        assert side[row] == direction
        assert line[row] == (lower if direction > 0 else upper)
    assert set(side[10:]) == {1.0, -1.0}


def test_a_long_flat_stretch_has_the_average_that_it_has() -> None:
    flat = np.full(100_000, 100.1)
    np.testing.assert_allclose(trend.sma(flat, 50)[49:], 100.1, rtol=1e-12)

"""Candlestick patterns: TA-Lib's, behind our own names."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.indicators.declared import Floats
from backend.domain.indicators.door import ta
from backend.domain.market import closest
from backend.domain.strategy_errors import UnknownPattern

Marks = npt.NDArray[np.int8]  # 1 where a pattern speaks for rising prices, -1 for falling ones, else 0


class Tells(StrEnum):
    """Which way traders read it."""

    BULLISH = "bullish"
    BEARISH = "bearish"
    BOTH = "both"  # there is one of each
    NEITHER = "neither"  # doubt, not direction


CANDLESTICKS: Final[Mapping[str, tuple[str, Tells]]] = MappingProxyType(
    {
        "two_crows": ("CDL2CROWS", Tells.BEARISH),
        "three_black_crows": ("CDL3BLACKCROWS", Tells.BEARISH),
        "three_inside": ("CDL3INSIDE", Tells.BOTH),
        "three_line_strike": ("CDL3LINESTRIKE", Tells.BOTH),
        "three_outside": ("CDL3OUTSIDE", Tells.BOTH),
        "three_stars_in_the_south": ("CDL3STARSINSOUTH", Tells.BULLISH),
        "three_white_soldiers": ("CDL3WHITESOLDIERS", Tells.BULLISH),
        "abandoned_baby": ("CDLABANDONEDBABY", Tells.BOTH),
        "advance_block": ("CDLADVANCEBLOCK", Tells.BEARISH),
        "belt_hold": ("CDLBELTHOLD", Tells.BOTH),
        "breakaway": ("CDLBREAKAWAY", Tells.BOTH),
        "closing_marubozu": ("CDLCLOSINGMARUBOZU", Tells.BOTH),
        "concealing_baby_swallow": ("CDLCONCEALBABYSWALL", Tells.BULLISH),
        "counterattack": ("CDLCOUNTERATTACK", Tells.BOTH),
        "dark_cloud_cover": ("CDLDARKCLOUDCOVER", Tells.BEARISH),
        "doji": ("CDLDOJI", Tells.NEITHER),
        "doji_star": ("CDLDOJISTAR", Tells.BOTH),
        "dragonfly_doji": ("CDLDRAGONFLYDOJI", Tells.BULLISH),
        "engulfing": ("CDLENGULFING", Tells.BOTH),
        "evening_doji_star": ("CDLEVENINGDOJISTAR", Tells.BEARISH),
        "evening_star": ("CDLEVENINGSTAR", Tells.BEARISH),
        "gap_side_by_side_white": ("CDLGAPSIDESIDEWHITE", Tells.BOTH),
        "gravestone_doji": ("CDLGRAVESTONEDOJI", Tells.BEARISH),
        "hammer": ("CDLHAMMER", Tells.BULLISH),
        "hanging_man": ("CDLHANGINGMAN", Tells.BEARISH),
        "harami": ("CDLHARAMI", Tells.BOTH),
        "harami_cross": ("CDLHARAMICROSS", Tells.BOTH),
        "high_wave": ("CDLHIGHWAVE", Tells.NEITHER),
        "hikkake": ("CDLHIKKAKE", Tells.BOTH),
        "modified_hikkake": ("CDLHIKKAKEMOD", Tells.BOTH),
        "homing_pigeon": ("CDLHOMINGPIGEON", Tells.BULLISH),
        "identical_three_crows": ("CDLIDENTICAL3CROWS", Tells.BEARISH),
        "in_neck": ("CDLINNECK", Tells.BEARISH),
        "inverted_hammer": ("CDLINVERTEDHAMMER", Tells.BULLISH),
        "kicking": ("CDLKICKING", Tells.BOTH),
        "kicking_by_length": ("CDLKICKINGBYLENGTH", Tells.BOTH),
        "ladder_bottom": ("CDLLADDERBOTTOM", Tells.BULLISH),
        "long_legged_doji": ("CDLLONGLEGGEDDOJI", Tells.NEITHER),
        "long_line": ("CDLLONGLINE", Tells.BOTH),
        "marubozu": ("CDLMARUBOZU", Tells.BOTH),
        "matching_low": ("CDLMATCHINGLOW", Tells.BULLISH),
        "mat_hold": ("CDLMATHOLD", Tells.BULLISH),
        "morning_doji_star": ("CDLMORNINGDOJISTAR", Tells.BULLISH),
        "morning_star": ("CDLMORNINGSTAR", Tells.BULLISH),
        "on_neck": ("CDLONNECK", Tells.BEARISH),
        "piercing": ("CDLPIERCING", Tells.BULLISH),
        "rickshaw_man": ("CDLRICKSHAWMAN", Tells.NEITHER),
        "rising_and_falling_three": ("CDLRISEFALL3METHODS", Tells.BOTH),
        "separating_lines": ("CDLSEPARATINGLINES", Tells.BOTH),
        "shooting_star": ("CDLSHOOTINGSTAR", Tells.BEARISH),
        "short_line": ("CDLSHORTLINE", Tells.BOTH),
        "spinning_top": ("CDLSPINNINGTOP", Tells.NEITHER),
        "stalled": ("CDLSTALLEDPATTERN", Tells.BEARISH),
        "stick_sandwich": ("CDLSTICKSANDWICH", Tells.BULLISH),
        "takuri": ("CDLTAKURI", Tells.BULLISH),
        "tasuki_gap": ("CDLTASUKIGAP", Tells.BOTH),
        "thrusting": ("CDLTHRUSTING", Tells.BEARISH),
        "tristar": ("CDLTRISTAR", Tells.BOTH),
        "unique_three_river": ("CDLUNIQUE3RIVER", Tells.BULLISH),
        "upside_gap_two_crows": ("CDLUPSIDEGAP2CROWS", Tells.BEARISH),
        "side_gap_three_methods": ("CDLXSIDEGAP3METHODS", Tells.BOTH),
    }
)


def candlestick(name: str, opened: Floats, high: Floats, low: Floats, close: Floats) -> Marks:
    """The bars with which a pattern is complete. One that tells of doubt is marked 1 whichever way TA-Lib signs it."""
    function, tells = found(name)
    strength = np.nan_to_num(ta(function, opened, high, low, close)[0])
    marks: Marks = np.sign(strength).astype(np.int8)
    if tells is Tells.BULLISH:
        return np.maximum(marks, 0)
    # TA-Lib signs some patterns by the colour of the candle; what they tell decides.
    return marks if tells is Tells.BOTH else np.abs(marks) * np.int8(-1 if tells is Tells.BEARISH else 1)


def found(name: str) -> tuple[str, Tells]:
    """Raises UnknownPattern with what may have been meant."""
    if name not in CANDLESTICKS:
        raise UnknownPattern(name[:60], closest(name[:60], list(CANDLESTICKS)))
    return CANDLESTICKS[name]


def title(name: str) -> str:
    return name.replace("_", " ").capitalize()

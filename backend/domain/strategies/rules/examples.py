"""Worked examples, to begin from."""

from typing import Any, Final

# Buy a dip of a rising market in the first hours of New York, and leave when it has recovered.
DIP_IN_A_RISING_MARKET: Final[dict[str, Any]] = {
    "long": {
        "enter": {
            "op": "and",
            "of": [
                {
                    "op": ">",
                    "left": {"price": "close"},
                    "right": {"indicator": "sma", "parameters": {"period": 50}, "timeframe": "1d"},
                },
                {"op": "<", "left": {"indicator": "rsi", "parameters": {"period": 14}}, "right": 30},
                {"op": "time", "from": "09:30", "to": "12:00", "zone": "America/New_York"},
                {"op": "not", "of": {"op": "weekday", "days": ["sat", "sun"]}},
            ],
        },
        "exit": {
            "op": "or",
            "of": [
                {"op": ">", "left": {"indicator": "rsi", "parameters": {"period": 14}}, "right": 55},
                {
                    "op": "for",
                    "bars": 3,
                    "of": {"op": "<", "left": {"price": "close"}, "right": {"price": "close", "ago": 1}},
                },
            ],
        },
    },
    "stop_percent": 3,
}

# Go with a breakout on high volume, both ways, and let the stop trail.
BREAKOUT_ON_VOLUME: Final[dict[str, Any]] = {
    "long": {
        "enter": {
            "op": "and",
            "of": [
                {
                    "op": "crosses_above",
                    "left": {"price": "close"},
                    "right": {"indicator": "donchian", "parameters": {"period": 20}, "output": "upper", "ago": 1},
                },
                {"op": ">=", "left": {"indicator": "relative_volume", "parameters": {"period": 20}}, "right": 1.5},
            ],
        }
    },
    "short": {
        "enter": {
            "op": "and",
            "of": [
                {
                    "op": "crosses_below",
                    "left": {"price": "close"},
                    "right": {"indicator": "donchian", "parameters": {"period": 20}, "output": "lower", "ago": 1},
                },
                {"op": ">=", "left": {"indicator": "relative_volume", "parameters": {"period": 20}}, "right": 1.5},
            ],
        }
    },
    "trail_percent": 4,
}

# The oldest of all: with the trend while the fast average is on its side, out when it crosses back, and never far down.
TREND_OF_TWO_AVERAGES: Final[dict[str, Any]] = {
    "long": {
        "enter": {
            "op": "crosses_above",
            "left": {"indicator": "ema", "parameters": {"period": 20}},
            "right": {"indicator": "ema", "parameters": {"period": 50}},
        },
        "exit": {
            "op": "crosses_below",
            "left": {"indicator": "ema", "parameters": {"period": 20}},
            "right": {"indicator": "ema", "parameters": {"period": 50}},
        },
    },
    "stop_percent": 8,
}

"""The JSON Schema of a tree of rules, made from the catalogues, for the web app's rule builder and for editors."""

from typing import Any

from backend.domain.indicators.catalogue import INDICATORS
from backend.domain.indicators.declared import Indicator
from backend.domain.market import Timeframe
from backend.domain.patterns.catalogue import PATTERNS
from backend.domain.strategies.rules.checking import MOST_NODES
from backend.domain.strategies.rules.reading import MOST_AGO, MOST_BARS
from backend.domain.strategies.rules.tree import COMPARISONS, CROSSINGS, DAYS, PRICES

_CONDITION = {"$ref": "#/$defs/condition"}
_VALUE = {"$ref": "#/$defs/value"}
_ZONE = {"type": "string", "maxLength": 64, "default": "UTC", "description": "Such as America/New_York"}
_CLOCK = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}


def rules_schema() -> dict[str, Any]:
    """A tree that it refuses is refused by us; we refuse more, such as rules that can never come true."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rules",
        "description": "When to enter and leave. Percentages are measured from the fill.",
        **_object(
            {
                "long": {"$ref": "#/$defs/side"},
                "short": {"$ref": "#/$defs/side"},
                "stop_percent": {"type": "number", "minimum": 0.01, "maximum": 99},
                "target_percent": {"type": "number", "minimum": 0.01, "maximum": 1000},
                "trail_percent": {"type": "number", "minimum": 0.01, "maximum": 99},
            }
        ),
        "anyOf": [{"required": ["long"]}, {"required": ["short"]}],
        "$defs": {
            "side": _object({"enter": _CONDITION, "exit": _CONDITION}, "enter"),
            "condition": {"oneOf": _conditions()},
            "value": {"oneOf": [{"type": "number"}, *_values()]},
        },
    }


def _conditions() -> list[dict[str, Any]]:
    several = {"type": "array", "items": _CONDITION, "minItems": 2, "maxItems": MOST_NODES}
    bars = {"type": "integer", "minimum": 2, "maximum": MOST_BARS}
    days = {"type": "array", "items": {"enum": list(DAYS)}, "minItems": 1, "maxItems": 7}
    return [
        _object({"op": {"enum": [*COMPARISONS, *CROSSINGS]}, "left": _VALUE, "right": _VALUE}, "op", "left", "right"),
        _object({"op": {"enum": ["and", "or"]}, "of": several}, "op", "of"),
        _object({"op": {"const": "not"}, "of": _CONDITION}, "op", "of"),
        _object({"op": {"enum": ["for", "within"]}, "bars": bars, "of": _CONDITION}, "op", "bars", "of"),
        _object({"op": {"const": "time"}, "from": _CLOCK, "to": _CLOCK, "zone": _ZONE}, "op", "from", "to"),
        _object({"op": {"const": "weekday"}, "days": days, "zone": _ZONE}, "op", "days"),
        _object(
            {
                "op": {"const": "pattern"},
                "pattern": {"enum": list(PATTERNS)},
                "side": {"enum": ["bullish", "bearish", "any"], "default": "any"},
            },
            "op",
            "pattern",
        ),
    ]


def _values() -> list[dict[str, Any]]:
    line = {
        "ago": {"type": "integer", "minimum": 0, "maximum": MOST_AGO, "default": 0},
        "times": {"type": "number", "minimum": -1e6, "maximum": 1e6, "default": 1},
        "timeframe": {"enum": [each.value for each in Timeframe]},
    }
    number = _object({"number": {"type": "number", "minimum": -1e15, "maximum": 1e15}}, "number")
    price = _object({"price": {"enum": list(PRICES)}, **line}, "price")
    return [number, price, *(_object({**_indicated(each), **line}, "indicator") for each in INDICATORS.values())]


def _indicated(indicator: Indicator) -> dict[str, Any]:
    described = indicator.describe()["parameters"]
    parameters = {
        each["name"]: {name: each[name] for name in ("title", "type", "default", "minimum", "maximum")}
        for each in described
    }
    return {
        "indicator": {"const": indicator.name, "title": indicator.title},
        "parameters": _object(parameters),
        "output": {"enum": list(indicator.outputs), "default": indicator.outputs[0]},
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }

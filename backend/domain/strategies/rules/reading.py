"""From JSON to a tree of rules and back. Whatever is wrong is answered with a pointer at the node and a sentence."""

import json
from collections.abc import Mapping
from typing import Any, Final

from backend.domain.errors import InputError
from backend.domain.indicators.catalogue import indicator
from backend.domain.indicators.declared import Indicator, shown
from backend.domain.market import Timeframe
from backend.domain.patterns.candlesticks import Tells
from backend.domain.patterns.catalogue import pattern
from backend.domain.strategies.rules.checking import MOST_NODES, Checker, meant_by
from backend.domain.strategies.rules.tree import (
    COMPARISONS,
    CROSSINGS,
    DAYS,
    PRICES,
    Compare,
    Condition,
    Cross,
    Indicated,
    Joint,
    Lasting,
    Not,
    Number,
    Price,
    Rules,
    Seen,
    Side,
    TimeOfDay,
    Value,
    Weekday,
    clock,
)
from backend.domain.strategy_errors import InvalidParameters, InvalidRules, UnknownIndicator, UnknownPattern

MOST_TEXT: Final = 64_000
MOST_AGO: Final = 1_000
MOST_BARS: Final = 1_000
OPS: Final = (*COMPARISONS, *CROSSINGS, "and", "or", "not", "for", "within", "time", "weekday", "pattern")
_PERCENTS: Final = {"stop_percent": 99.0, "target_percent": 1_000.0, "trail_percent": 99.0}


def read_rules(document: object, *, at: str = "") -> Rules:
    """Raises InvalidRules with all that is wrong; `at` begins its pointers."""
    reader = _Reader()
    rules = reader.rules(_parsed(document, at), at)
    if reader.problems or rules is None:
        raise InvalidRules(reader.problems)
    return rules


def written(rules: Rules) -> dict[str, Any]:
    """The JSON that reads as these rules."""
    sides = {name: side for name in ("long", "short") if (side := getattr(rules, name)) is not None}
    percents = {name: value for name in _PERCENTS if (value := getattr(rules, name)) is not None}
    return {
        **{
            name: {"enter": _written(side.enter), **({"exit": _written(side.exit)} if side.exit else {})}
            for name, side in sides.items()
        },
        **percents,
    }


def _parsed(document: object, at: str) -> object:
    if not isinstance(document, str):
        return document
    if len(document) > MOST_TEXT:
        detail = f"The rules have {len(document):,} characters; at most {MOST_TEXT:,} are allowed."
        raise InvalidRules([InputError(pointer=at, detail=detail)])
    try:
        return json.loads(document)
    except (ValueError, RecursionError) as problem:
        raise InvalidRules([InputError(pointer=at, detail=f"This is no JSON: {problem}.")]) from None


def _written(node: Condition | Value) -> dict[str, Any]:  # noqa: PLR0911
    match node:
        case Number():
            return {"number": node.number}
        case Price() | Indicated():
            return _written_line(node)
        case Compare() | Cross():
            return {"op": node.op, "left": _written(node.left), "right": _written(node.right)}
        case Joint():
            return {"op": node.op, "of": [_written(each) for each in node.of]}
        case Not():
            return {"op": "not", "of": _written(node.of)}
        case Lasting():
            return {"op": node.op, "bars": node.bars, "of": _written(node.of)}
        case TimeOfDay():
            return {"op": "time", "from": clock(node.start), "to": clock(node.end), "zone": node.zone}
        case Weekday():
            return {"op": "weekday", "days": list(node.days), "zone": node.zone}
        case Seen():
            return {"op": "pattern", "pattern": node.pattern, "side": node.side}


def _written_line(line: Price | Indicated) -> dict[str, Any]:
    made: dict[str, Any] = (
        {"price": line.price}
        if isinstance(line, Price)
        else {"indicator": line.indicator, "parameters": dict(line.parameters), "output": line.output}
    )
    if line.ago:
        made["ago"] = line.ago
    if line.times != 1:
        made["times"] = line.times
    if line.timeframe:
        made["timeframe"] = line.timeframe.value
    return made


class _Reader(Checker):
    """Reads one document, node by node; what cannot be read is None."""

    def rules(self, data: object, at: str) -> Rules | None:
        found = self.mapping(data, at, ("long", "short", *_PERCENTS))
        if found is None:
            return None
        if not {"long", "short"} & set(found):
            return self.bad(at, "There is neither 'long' nor 'short'. Say when to enter on at least one side.")
        sides = {name: self._side(found[name], f"{at}/{name}") for name in ("long", "short") if name in found}
        percents = {name: self._percent(found, name, at) for name in _PERCENTS}
        self._ends(found, sides, at)
        return Rules(
            long=sides.get("long"),
            short=sides.get("short"),
            stop_percent=percents["stop_percent"],
            target_percent=percents["target_percent"],
            trail_percent=percents["trail_percent"],
        )

    def _percent(self, found: Mapping[str, Any], name: str, at: str) -> float | None:
        return self.number(found[name], f"{at}/{name}", 0.01, _PERCENTS[name]) if name in found else None

    def _ends(self, found: Mapping[str, Any], sides: Mapping[str, Side | None], at: str) -> None:
        if len(sides) == 2 or set(found) & set(_PERCENTS):
            return
        for name, side in sides.items():
            if side is not None and "exit" not in found[name]:
                self.bad(
                    f"{at}/{name}",
                    f"A {name} position would never end: there is no 'exit', no stop, target or trail, and no other"
                    " side. Add one of them.",
                )

    def _side(self, data: object, at: str) -> Side | None:
        found = self.mapping(data, at, ("enter", "exit"), needed=("enter",))
        if found is None:
            return None
        enter = self._condition(found["enter"], f"{at}/enter", 1)
        leave = self._condition(found["exit"], f"{at}/exit", 1) if "exit" in found else None
        return None if enter is None else Side(enter=enter, exit=leave)

    def _condition(self, data: object, at: str, depth: int) -> Condition | None:  # noqa: PLR0911
        if not self.fits(at, depth):
            return None
        if not isinstance(data, Mapping):
            return self.bad(at, f"This is {shown(data)}; a condition is an object with an 'op'.")
        op = data.get("op")
        if not isinstance(op, str) or op not in OPS:
            if "op" not in data:
                return self.bad(at, f"A condition needs an 'op': {', '.join(OPS)}.")
            return self.bad(f"{at}/op", f"There is no op {shown(op)}.{meant_by(op, OPS)}")
        if op in COMPARISONS or op in CROSSINGS:
            return self._comparison(op, data, at, depth)
        if op in ("and", "or"):
            return self._joint(op, data, at, depth)
        if op in ("for", "within"):
            return self._lasting(op, data, at, depth)
        if op == "not":
            found = self.mapping(data, at, ("op", "of"), needed=("of",))
            of = None if found is None else self._condition(found["of"], f"{at}/of", depth + 1)
            return None if of is None else Not(of=of)
        return {"time": self._time, "weekday": self._weekday, "pattern": self._pattern}[op](data, at)

    def _comparison(self, op: str, data: Mapping[str, Any], at: str, depth: int) -> Condition | None:
        found = self.mapping(data, at, ("op", "left", "right"), needed=("left", "right"))
        if found is None:
            return None
        left = self._value(found["left"], f"{at}/left", depth + 1)
        right = self._value(found["right"], f"{at}/right", depth + 1)
        if left is None or right is None:
            return None
        if left == right or (isinstance(left, Number) and isinstance(right, Number)):
            same = "Both sides are the same" if left == right else "Both sides are numbers"
            return self.bad(at, f"{same}, so it never changes. Compare with a price or an indicator.")
        self._reachable(left, right, f"{at}/right")
        self._reachable(right, left, f"{at}/left")
        return Compare(op=op, left=left, right=right) if op in COMPARISONS else Cross(op=op, left=left, right=right)

    def _reachable(self, value: Value, number: Value, at: str) -> None:
        if not isinstance(value, Indicated) or not isinstance(number, Number) or value.times != 1:
            return
        scale = indicator(value.indicator).scale
        if scale and not scale[0] <= number.number <= scale[1]:
            self.bad(at, f"{value} lies between {scale[0]:g} and {scale[1]:g}; {number} is never reached.")

    def _joint(self, op: str, data: Mapping[str, Any], at: str, depth: int) -> Condition | None:
        found = self.mapping(data, at, ("op", "of"), needed=("of",))
        if found is None:
            return None
        parts = found["of"]
        if not _is_list(parts) or len(parts) < 2:
            count = len(parts) if _is_list(parts) else shown(parts)
            return self.bad(f"{at}/of", f"'{op}' joins two conditions or more; there are {count}.")
        of = [self._condition(each, f"{at}/of/{place}", depth + 1) for place, each in enumerate(parts[:MOST_NODES])]
        if len(parts) > MOST_NODES:
            self.bad(f"{at}/of", f"There are {len(parts):,} conditions; at most {MOST_NODES} nodes are allowed.")
        whole = tuple(each for each in of if each is not None)
        return Joint(op=op, of=whole) if len(whole) == len(parts) else None

    def _lasting(self, op: str, data: Mapping[str, Any], at: str, depth: int) -> Condition | None:
        found = self.mapping(data, at, ("op", "bars", "of"), needed=("bars", "of"))
        if found is None:
            return None
        bars = self.whole(found["bars"], f"{at}/bars", 2, MOST_BARS)
        of = self._condition(found["of"], f"{at}/of", depth + 1)
        return None if bars is None or of is None else Lasting(op=op, bars=bars, of=of)

    def _time(self, data: Mapping[str, Any], at: str) -> Condition | None:
        found = self.mapping(data, at, ("op", "from", "to", "zone"), needed=("from", "to"))
        if found is None:
            return None
        start, end = self.clock(found["from"], f"{at}/from"), self.clock(found["to"], f"{at}/to")
        zone = self.zone(found.get("zone", "UTC"), f"{at}/zone")
        if start is None or end is None or zone is None:
            return None
        if start == end:
            return self.bad(at, f"From {clock(start)} to {clock(end)} no time passes.")
        return TimeOfDay(start=start, end=end, zone=zone)

    def _weekday(self, data: Mapping[str, Any], at: str) -> Condition | None:
        found = self.mapping(data, at, ("op", "days", "zone"), needed=("days",))
        if found is None:
            return None
        days, zone = found["days"], self.zone(found.get("zone", "UTC"), f"{at}/zone")
        if not _is_list(days) or not days:
            return self.bad(f"{at}/days", f"Name one day or more: {', '.join(DAYS)}.")
        for place, day in enumerate(days[:8]):
            if day not in DAYS:
                self.bad(f"{at}/days/{place}", f"{shown(day)} is no day. There are: {', '.join(DAYS)}.")
        if len(days) > 7:
            return self.bad(f"{at}/days", f"There are {len(days):,} days; a week has 7.")
        return None if zone is None else Weekday(days=tuple(day for day in DAYS if day in days), zone=zone)

    def _pattern(self, data: Mapping[str, Any], at: str) -> Condition | None:
        found = self.mapping(data, at, ("op", "pattern", "side"), needed=("pattern",))
        if found is None:
            return None
        try:
            meant = pattern(found["pattern"])
        except UnknownPattern as problem:
            return self.bad(f"{at}/pattern", problem.detail)
        side, sides = found.get("side", "any"), ("bullish", "bearish", "any")
        if side not in sides:
            return self.bad(f"{at}/side", f"{shown(side)} is no side. There are: {', '.join(sides)}.")
        if side != "any" and meant.tells is not Tells.BOTH and side != meant.tells.value:
            return self.bad(f"{at}/side", f"{meant.title} tells of {meant.tells} markets; it is never {side}.")
        return Seen(pattern=meant.name, side=side)

    def _value(self, data: object, at: str, depth: int) -> Value | None:
        if not self.fits(at, depth):
            return None
        if isinstance(data, int | float) and not isinstance(data, bool):
            data = {"number": data}
        kinds = [kind for kind in ("number", "price", "indicator") if isinstance(data, Mapping) and kind in data]
        if len(kinds) != 1 or not isinstance(data, Mapping):
            return self.bad(at, "A value is a number, or an object with one of 'number', 'price', 'indicator'.")
        if kinds == ["number"]:
            found = self.mapping(data, at, ("number",))
            number = None if found is None else self.number(found["number"], f"{at}/number", -1e15, 1e15)
            return None if number is None else Number(number=number)
        return self._price(data, at) if kinds == ["price"] else self._indicated(data, at)

    def _price(self, data: Mapping[str, Any], at: str) -> Value | None:
        found = self.mapping(data, at, ("price", "ago", "times", "timeframe"))
        if found is None:
            return None
        if found["price"] not in PRICES:
            return self.bad(
                f"{at}/price", f"There is no price {shown(found['price'])}.{meant_by(found['price'], PRICES)}"
            )
        line = self._line(found, at)
        return None if line is None else Price(price=found["price"], **line)

    def _indicated(self, data: Mapping[str, Any], at: str) -> Value | None:
        known = ("indicator", "parameters", "output", "ago", "times", "timeframe")
        found = self.mapping(data, at, known)
        if found is None:
            return None
        try:
            meant = indicator(found["indicator"])
        except UnknownIndicator as problem:
            return self.bad(f"{at}/indicator", problem.detail)
        parameters = self._parameters(meant, found.get("parameters", {}), f"{at}/parameters")
        output, line = found.get("output", meant.outputs[0]), self._line(found, at)
        if output not in meant.outputs:
            return self.bad(
                f"{at}/output", f"{meant.name} has no output {shown(output)}. It has: {', '.join(meant.outputs)}."
            )
        if parameters is None or line is None:
            return None
        return Indicated(indicator=meant.name, parameters=parameters, output=output, **line)

    def _parameters(self, meant: Indicator, data: object, at: str) -> dict[str, int | float] | None:
        if not isinstance(data, Mapping):
            return self.bad(at, f"This is {shown(data)}; parameters are an object of names and numbers.")
        try:
            return meant.complete({str(name): value for name, value in data.items()}, at=at)
        except InvalidParameters as problem:
            self.problems.extend(problem.errors)
            return None

    def _line(self, found: Mapping[str, Any], at: str) -> dict[str, Any] | None:
        ago = self.whole(found.get("ago", 0), f"{at}/ago", 0, MOST_AGO)
        times = self.number(found.get("times", 1), f"{at}/times", -1e6, 1e6)
        name = found.get("timeframe")
        if name is not None and name not in [each.value for each in Timeframe]:
            lengths = ", ".join(Timeframe)
            return self.bad(f"{at}/timeframe", f"There is no timeframe {shown(name)}. There are: {lengths}.")
        if ago is None or times is None:
            return None
        return {"ago": ago, "times": times, "timeframe": None if name is None else Timeframe(name)}


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)

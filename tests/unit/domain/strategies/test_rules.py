"""Rules without code: read with pointers at what is wrong, and turned into signals that know nothing later."""

import json
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain.indicators.catalogue import INDICATORS
from backend.domain.market import Timeframe
from backend.domain.patterns.candlesticks import Tells
from backend.domain.patterns.catalogue import PATTERNS
from backend.domain.signals import FLAT, KEEP, LONG, SHORT
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.built_in.rules import RulesStrategy
from backend.domain.strategies.rules.checking import DEEPEST, MOST_NODES
from backend.domain.strategies.rules.examples import BREAKOUT_ON_VOLUME, DIP_IN_A_RISING_MARKET
from backend.domain.strategies.rules.reading import read_rules, written
from backend.domain.strategies.rules.schema import rules_schema
from backend.domain.strategies.rules.tree import COMPARISONS, CROSSINGS, DAYS, PRICES
from backend.domain.strategy_errors import InvalidRules
from tests.market_bars import bars_at, market_of, walk

SCHEMA = jsonschema_rs.validator_for(rules_schema())
MARKET = market_of(walk(400, frequency="1h"))
CLOSE: dict[str, Any] = {"price": "close"}


def above(level: float) -> dict[str, Any]:
    return {"op": ">", "left": CLOSE, "right": level}


def below(level: float) -> dict[str, Any]:
    return {"op": "<", "left": CLOSE, "right": level}


def entered(condition: dict[str, Any], closes: list[float], *, start: str = "2026-01-05") -> list[int]:
    """The bars on which a condition comes true, entries being said anew each time."""
    strategy = RulesStrategy.of({"long": {"enter": condition}, "stop_percent": 5})
    made = signals_of(strategy, market_of(bars_at(closes, start=start)))
    return [int(bar) for bar in np.flatnonzero(made.direction == LONG)]


def test_entry_and_exit_with_the_rule_as_the_reason() -> None:
    strategy = RulesStrategy.of({"long": {"enter": above(10), "exit": below(8)}})
    made = signals_of(strategy, market_of(bars_at([9, 11, 12, 9, 7, 11.0])))
    assert made.direction.tolist() == [KEEP, LONG, KEEP, KEEP, FLAT, LONG]
    assert made.why(1) == "Enter long: the close price > 10"
    assert made.why(4) == "Leave long: the close price < 8"


def test_both_sides_turn_around_and_bring_their_stops() -> None:
    rules = {"long": {"enter": above(10)}, "short": {"enter": below(8)}, "stop_percent": 2, "target_percent": 6.5}
    made = signals_of(RulesStrategy.of(rules), market_of(bars_at([9, 11, 9, 7, 9.0])))
    assert made.direction.tolist() == [KEEP, LONG, KEEP, SHORT, KEEP]
    assert made.stop_percent is not None
    np.testing.assert_array_equal(made.stop_percent, [np.nan, 2, np.nan, 2, np.nan])
    np.testing.assert_array_equal(made.target_percent, [np.nan, 6.5, np.nan, 6.5, np.nan])
    assert made.trail_percent is None


@pytest.mark.parametrize(
    ("condition", "bars"),
    [
        (above(10), [1, 4]),
        ({"op": ">=", "left": CLOSE, "right": 9}, [0, 4]),
        ({"op": "crosses_above", "left": CLOSE, "right": 9.5}, [1, 4]),
        ({"op": "crosses_above", "left": CLOSE, "right": 9}, [4]),  # bar 0 is the first side, not a crossing
        ({"op": "crosses_below", "left": CLOSE, "right": 9.5}, [3]),
        ({"op": "and", "of": [above(10), above(11.5)]}, [2, 5]),
        ({"op": "or", "of": [above(11.5), below(8)]}, [2, 5]),
        ({"op": "not", "of": above(10)}, [0, 3]),
        ({"op": "for", "bars": 2, "of": above(10)}, [2, 5]),
        ({"op": "within", "bars": 2, "of": above(11.5)}, [2, 5]),
        ({"op": ">", "left": CLOSE, "right": {"price": "close", "ago": 2}}, [2, 5]),
        ({"op": ">", "left": CLOSE, "right": {"price": "close", "ago": 1, "times": 1.2}}, [1, 4]),
        ({"op": ">", "left": {"indicator": "sma", "parameters": {"period": 2}}, "right": 11}, [2, 5]),
    ],
)
def test_each_condition_on_bars_made_by_hand(condition: dict[str, Any], bars: list[int]) -> None:
    assert entered(condition, [9, 11, 12, 7, 11.1, 12]) == bars


def test_what_is_not_known_is_neither_true_nor_false() -> None:
    average = {"indicator": "sma", "parameters": {"period": 3}}
    below_average = {"op": "<", "left": CLOSE, "right": average}
    closes = [1.0, 2, 3, 4]
    assert entered({"op": "not", "of": below_average}, closes) == [2]
    assert entered({"op": "not", "of": {"op": "and", "of": [below_average, above(0.5)]}}, closes) == [2]
    # One that says no is enough against an `and`, whatever the other would say.
    assert entered({"op": "not", "of": {"op": "and", "of": [below_average, above(3.5)]}}, closes) == [0]
    assert entered({"op": "or", "of": [below_average, above(1.5)]}, closes) == [1]


def test_time_of_day_is_that_of_a_zone_and_its_summer_time() -> None:
    def hours(start: str) -> list[int]:
        morning = {"op": "time", "from": "09:30", "to": "11:30", "zone": "America/New_York"}
        return entered(morning, [1.0] * 24, start=start)

    assert hours("2026-01-05") == [15]  # 15:00 UTC is 10:00 in winter
    assert hours("2026-07-06") == [14]
    night = {"op": "time", "from": "22:00", "to": "02:00"}
    assert entered(night, [1.0] * 48) == [0, 22, 46]


def test_weekdays() -> None:
    assert entered({"op": "weekday", "days": ["tue", "thu"]}, [1.0] * 120) == [24, 72]  # from a Monday on


def test_patterns() -> None:
    rows, prices = zip((0, 100.0), (10, 120.0), (20, 110.0), (30, 120.5), (45, 105.0), strict=True)
    closes = np.interp(np.arange(46), rows, prices).tolist()
    assert len(entered({"op": "pattern", "pattern": "double_top"}, closes)) == 1
    assert len(entered({"op": "pattern", "pattern": "double_top", "side": "bearish"}, closes)) == 1


def test_longer_bars_count_when_they_have_closed() -> None:
    condition = {"op": ">", "left": {"price": "close", "timeframe": "1d"}, "right": 47.5}
    assert entered(condition, [float(row) for row in range(1, 73)]) == [47]


@pytest.mark.parametrize("example", [DIP_IN_A_RISING_MARKET, BREAKOUT_ON_VOLUME], ids=["dip", "breakout"])
def test_the_worked_examples_trade_and_come_back_as_they_were_written(example: dict[str, Any]) -> None:
    tree = read_rules(json.dumps(example))
    assert read_rules(written(tree)) == tree
    assert written(read_rules(written(tree))) == written(tree)
    SCHEMA.validate(example)
    SCHEMA.validate(written(tree))
    assert signals_of(RulesStrategy.of(example), market_of(walk(8_000, seed=2)), must_trade=True)


def test_a_stored_run_says_all_parameters() -> None:
    stored = RulesStrategy.of(BREAKOUT_ON_VOLUME).parameters.model_dump(mode="json")
    right = stored["rules"]["long"]["enter"]["of"][1]["left"]
    assert right == {"indicator": "relative_volume", "parameters": {"period": 20}, "output": "relative"}
    assert RulesStrategy.given(stored).parameters.model_dump(mode="json") == stored


def test_charts_show_what_the_rules_look_at() -> None:
    plots = RulesStrategy.of(DIP_IN_A_RISING_MARKET).plots()
    assert [(plot.indicator, dict(plot.parameters)) for plot in plots] == [("rsi", {"period": 14})]
    strategy = RulesStrategy.of(DIP_IN_A_RISING_MARKET)
    assert strategy.warmup() == 14 + 7 * 14 + 1
    assert strategy.longer_warmup() == {Timeframe.D1: 50}
    assert strategy.warmup_on(Timeframe.H1) == 50 * 24
    assert strategy.warmup_on(Timeframe.D1) == 113


def nested(depth: int) -> dict[str, Any]:
    return above(10) if depth == 1 else {"op": "not", "of": nested(depth - 1)}


RSI = {"indicator": "rsi"}


@pytest.mark.parametrize(
    ("enter", "pointer", "words"),
    [
        (7, "/long/enter", "This is 7; a condition is an object with an 'op'."),
        ({}, "/long/enter", "A condition needs an 'op': >, >=,"),
        ({"op": "xor"}, "/long/enter/op", "There is no op 'xor'. Did you mean 'or'?"),
        ({"op": ["and"]}, "/long/enter/op", "There is no op ['and']."),
        ({"op": ">", "left": CLOSE}, "/long/enter", "'right' is missing."),
        ({**above(1), "rihgt": 2}, "/long/enter/rihgt", "Nothing here is called 'rihgt'. Did you mean 'right'?"),
        ({"op": ">", "left": 1, "right": 2}, "/long/enter", "Both sides are numbers"),
        ({"op": ">", "left": CLOSE, "right": CLOSE}, "/long/enter", "Both sides are the same"),
        ({"op": ">", "left": {"price": "clsoe"}, "right": 2}, "/long/enter/left/price", "Did you mean 'close'?"),
        ({"op": ">", "left": {"price": []}, "right": 2}, "/long/enter/left/price", "There is no price []."),
        ({"op": ">", "left": {**CLOSE, **RSI}, "right": 2}, "/long/enter/left", "one of 'number', 'price'"),
        ({"op": ">", "left": "close", "right": 2}, "/long/enter/left", "A value is a number, or an object"),
        ({"op": ">", "left": True, "right": CLOSE}, "/long/enter/left", "A value is a number"),
        ({"op": ">", "left": CLOSE, "right": float("nan")}, "/long/enter/right/number", "This is nan; a number"),
        ({"op": ">", "left": {"indicator": "rssi"}, "right": 2}, "/long/enter/left/indicator", "Did you mean 'rsi'"),
        (
            {"op": ">", "left": {**RSI, "parameters": {"period": 1}}, "right": 2},
            "/long/enter/left/parameters/period",
            "period is 1; 2 to 2,000 is allowed.",
        ),
        ({"op": ">", "left": {**RSI, "parameters": 3}, "right": 2}, "/long/enter/left/parameters", "This is 3;"),
        ({"op": ">", "left": {**RSI, "output": "k"}, "right": 2}, "/long/enter/left/output", "It has: rsi."),
        ({"op": ">", "left": RSI, "right": 130}, "/long/enter/right", "RSI (14) lies between 0 and 100; 130 is never"),
        ({"op": ">", "left": {**CLOSE, "ago": -1}, "right": 2}, "/long/enter/left/ago", "This is -1; a whole number"),
        ({"op": ">", "left": {**CLOSE, "timeframe": "2d"}, "right": 2}, "/long/enter/left/timeframe", "There are: 1m"),
        ({"op": "and", "of": [above(1)]}, "/long/enter/of", "'and' joins two conditions or more; there are 1."),
        ({"op": "and", "of": above(1)}, "/long/enter/of", "'and' joins two conditions or more; there are {"),
        ({"op": "or", "of": [above(1), {"op": "nope"}]}, "/long/enter/of/1/op", "There is no op 'nope'."),
        ({"op": "for", "bars": 1, "of": above(1)}, "/long/enter/bars", "This is 1; a whole number from 2 to 1,000"),
        ({"op": "time", "from": "9:30", "to": "10:00"}, "/long/enter/from", "a time such as 09:30 is needed."),
        ({"op": "time", "from": "09:30", "to": "09:30"}, "/long/enter", "From 09:30 to 09:30 no time passes."),
        ({"op": "time", "from": "09:30", "to": "10:00", "zone": "Mars"}, "/long/enter/zone", "'Mars' is no time zone"),
        (
            {"op": "time", "from": "09:30", "to": "10:00", "zone": "../../etc/passwd"},
            "/long/enter/zone",
            "is no time zone",
        ),
        ({"op": "weekday", "days": ["mon", "noday"]}, "/long/enter/days/1", "'noday' is no day."),
        ({"op": "weekday", "days": []}, "/long/enter/days", "Name one day or more"),
        ({"op": "pattern", "pattern": "hamer"}, "/long/enter/pattern", "Did you mean 'hammer'"),
        ({"op": "pattern", "pattern": "hammer", "side": "bearish"}, "/long/enter/side", "it is never bearish."),
        (nested(DEEPEST + 1), f"/long/enter{'/of' * DEEPEST}", "more than 12 levels deep"),
        (
            {"op": "and", "of": [above(1)] * (MOST_NODES // 3 + 1)},
            f"/long/enter/of/{MOST_NODES // 3}/left",
            "The rules have more than 200 nodes.",
        ),
    ],
)
def test_what_is_wrong_is_pointed_at(enter: object, pointer: str, words: str) -> None:
    with pytest.raises(InvalidRules) as refused:
        read_rules({"long": {"enter": enter}, "stop_percent": 1})
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert words in refused.value.errors[0].detail
    assert refused.value.detail.startswith(pointer)


@pytest.mark.parametrize(
    ("document", "pointer", "words"),
    [
        ([], "", "This is []; an object is needed."),
        ({}, "", "There is neither 'long' nor 'short'."),
        ({"lnog": {}}, "/lnog", "Did you mean 'long'?"),
        ({"long": {}}, "/long", "'enter' is missing."),
        ({"long": {"enter": above(1)}}, "/long", "A long position would never end"),
        ({"long": {"enter": above(1)}, "stop_percent": 100}, "/stop_percent", "a number from 0.01 to 99 is needed."),
        ("{", "", "This is no JSON"),
        ("[" * 50_000, "", "This is no JSON"),
        ("[" * 70_000, "", "The rules have 70,000 characters; at most 64,000 are allowed."),
    ],
)
def test_what_is_wrong_with_the_whole(document: object, pointer: str, words: str) -> None:
    with pytest.raises(InvalidRules) as refused:
        read_rules(document)
    assert refused.value.errors[0].pointer == pointer
    assert words in refused.value.errors[0].detail


def test_all_problems_are_named_at_once_with_the_path_from_the_request() -> None:
    with pytest.raises(InvalidRules) as refused:
        RulesStrategy.of({"long": {"enter": {"op": "and", "of": [{"op": "x"}, {"op": "y"}]}, "exit": 3}})
    assert [error.pointer for error in refused.value.errors] == [
        "/parameters/rules/long/enter/of/0/op",
        "/parameters/rules/long/enter/of/1/op",
        "/parameters/rules/long/exit",
    ]


LINE = {
    "ago": st.integers(0, 5),
    "times": st.sampled_from([1, 0.5, 1.02]),
    "timeframe": st.sampled_from(["1h", "4h", "1d"]),
}
PRICE = st.fixed_dictionaries({"price": st.sampled_from(PRICES)}, optional=LINE)
INDICATED = st.sampled_from(list(INDICATORS)).flatmap(
    lambda name: st.fixed_dictionaries(
        {"indicator": st.just(name)}, optional={"output": st.sampled_from(INDICATORS[name].outputs), **LINE}
    )
)
TIME = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
LEAF = st.one_of(
    st.fixed_dictionaries(
        {"op": st.sampled_from([*COMPARISONS, *CROSSINGS]), "left": st.one_of(PRICE, INDICATED), "right": INDICATED}
    ).filter(lambda node: node["left"] != node["right"]),
    st.fixed_dictionaries({"op": st.sampled_from(COMPARISONS), "left": PRICE, "right": st.integers(50, 150)}),
    st.fixed_dictionaries(
        {"op": st.just("time"), "from": TIME, "to": TIME}, optional={"zone": st.sampled_from(["UTC", "Asia/Kolkata"])}
    ).filter(lambda node: node["from"] != node["to"]),
    st.fixed_dictionaries(
        {"op": st.just("weekday"), "days": st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True)}
    ),
    st.fixed_dictionaries({"op": st.just("pattern"), "pattern": st.sampled_from(list(PATTERNS))}),
)
CONDITION = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"op": st.sampled_from(["and", "or"]), "of": st.lists(inner, min_size=2, max_size=3)}),
        st.fixed_dictionaries({"op": st.just("not"), "of": inner}),
        st.fixed_dictionaries({"op": st.sampled_from(["for", "within"]), "bars": st.integers(2, 9), "of": inner}),
    ),
    max_leaves=6,
)
SIDE = st.fixed_dictionaries({"enter": CONDITION, "exit": CONDITION})
RULES = st.one_of(
    st.fixed_dictionaries({"long": SIDE}, optional={"stop_percent": st.floats(0.5, 20)}),
    st.fixed_dictionaries({"long": SIDE, "short": SIDE}),
)


def readable(document: dict[str, Any]) -> bool:
    """Chance writes some that are refused with a reason, such as two ways to write the same value."""
    try:
        read_rules(document)
    except InvalidRules as refused:
        if all("never changes" in error.detail for error in refused.errors):
            return False
        raise
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(document=RULES.filter(readable), cut=st.integers(1, 399))
def test_any_tree_comes_back_as_it_was_and_knows_nothing_later(document: dict[str, Any], cut: int) -> None:
    tree = read_rules(document)
    SCHEMA.validate(document)
    SCHEMA.validate(written(tree))
    assert read_rules(json.dumps(written(tree))) == tree
    strategy = RulesStrategy.of(document)
    whole, past = strategy.generate_signals(MARKET), strategy.generate_signals(MARKET.first(cut))
    np.testing.assert_array_equal(past.direction, whole.direction[:cut])
    np.testing.assert_array_equal(past.reason, whole.reason[:cut])  # type: ignore[index]


JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["and", "rsi"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["op", "of", "left", "right", "bars", "indicator", "price", "parameters", "days", "x/~y"]),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(junk=JUNK)
def test_nonsense_is_refused_with_sentences_and_never_by_accident(junk: object) -> None:
    for document in (junk, {"long": {"enter": junk}, "stop_percent": 1}):
        with pytest.raises(InvalidRules) as refused:
            read_rules(document)
        assert refused.value.errors
        assert all(error.detail.endswith((".", "?")) for error in refused.value.errors)


def test_the_schema_is_one() -> None:
    schema = json.loads(json.dumps(rules_schema()))
    assert jsonschema_rs.meta.is_valid(schema)
    names = {each["properties"]["indicator"]["const"] for each in schema["$defs"]["value"]["oneOf"][3:]}
    assert names == set(INDICATORS)
    assert Timeframe.D1 in json.dumps(schema)
    assert Tells.BOTH

"""Ranges of parameters: what they hold, what the strategy does not take, and what is wrong with them."""

from typing import Any, Literal

import pytest

from backend.backtesting.space import ParameterSpace
from backend.domain.optimisation_errors import InvalidSpace
from backend.domain.signals import Signals
from backend.domain.strategies.base import StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.built_in.rsi_reversion import RsiReversion
from backend.domain.strategies.built_in.rules import RulesStrategy
from backend.domain.strategies.built_in.sma_cross import SmaCross
from backend.domain.strategies.market import Market


class Choosy(TradingStrategy):
    """Has a parameter of each kind."""

    name = "choosy"

    class Parameters(StrategyParameters):
        wide: int = parameter(10, title="Wide", description="Bars", ge=1, le=1_000)
        narrow: float = parameter(0.5, title="Narrow", description="A share", ge=0, le=1)
        mode: Literal["slow", "fast"] = parameter("slow", title="Mode", description="How")
        endless: float = parameter(1.0, title="Endless", description="Without bounds")

    def generate_signals(self, market: Market) -> Signals:
        raise AssertionError("It is never asked.")


def test_a_range_holds_both_its_ends() -> None:
    space = ParameterSpace.of(RsiReversion, {"period": {"from": 5, "to": 15, "step": 5}, "oversold": [30, 20, 20]})
    assert space.values == {"period": (5, 10, 15), "oversold": (20, 30)}
    assert space.combinations == 6
    assert list(space)[:3] == [(5, 20), (5, 30), (10, 20)]
    assert [space.at(place) for place in range(6)] == list(space)


def test_steps_of_a_tenth_are_what_people_mean() -> None:
    space = ParameterSpace.of(RsiReversion, {"leave": {"from": 49.9, "to": 50.3, "step": 0.1}})
    assert space.values["leave"] == (49.9, 50.0, 50.1, 50.2, 50.3)


def test_what_the_strategy_does_not_take_is_counted_before_it_starts() -> None:
    space = ParameterSpace.of(SmaCross, {"fast": [10, 20, 30], "slow": [20, 30]})
    count = space.count()
    assert (count.combinations, count.valid, count.skipped) == (6, 3, 3)
    assert count.why == "fast is 20 and slow is 20; fast has to be less than slow."


def test_automatic_values_come_from_the_bounds() -> None:
    space = ParameterSpace.of(Choosy, {"wide": "auto", "narrow": "auto", "mode": "auto"})
    assert space.values["wide"] == (1, 2, 5, 10, 22, 46, 100, 215, 464, 1_000)
    assert (len(space.values["narrow"]), space.values["narrow"][0], space.values["narrow"][-1]) == (10, 0.0, 1.0)
    assert space.values["mode"] == ("slow", "fast")
    assert ParameterSpace.of(SmaCross, {"at_once": "auto"}).values["at_once"] == (False, True)


def test_neighbours_are_one_value_away_in_each_parameter() -> None:
    space = ParameterSpace.of(Choosy, {"wide": [1, 2, 3, 9], "narrow": [0.1, 0.2], "mode": "auto"})
    tried = list(space)
    near = space.neighbours((9, 0.1, "fast"), tried)
    assert [tried[at] for at in near] == [(3, 0.1, "fast"), (3, 0.2, "fast"), (9, 0.2, "fast")]
    assert space.count_neighbours((9, 0.1, "fast")) == 3


def test_neighbours_are_found_however_many_there_could_be() -> None:
    every = {"op": "and", "of": [{"op": ">", "left": {"price": "close"}, "right": 100.0}] * 20}
    rules = {"long": {"enter": every, "exit": {"op": "not", "of": every}}}
    places = {f"long.enter.of.{at}.right": [99.0, 100.0, 101.0] for at in range(20)}
    space = ParameterSpace.of(RulesStrategy, places, fixed={"rules": rules})
    middle, beside, far = ((100.0,) * 20, (101.0, *(100.0,) * 19), (99.0, 101.0) * 10)
    assert space.neighbours(middle, [middle, beside, far]) == [2, 1]
    assert space.count_neighbours(middle) == 3**20 - 1


def test_a_list_with_one_wrong_value_costs_no_more_than_a_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {"long": {"enter": {"op": ">", "left": {"price": "close"}, "right": 100.0}}}
    monkeypatch.setattr(RulesStrategy, "given", lambda *arguments, **named: pytest.fail("each was asked about"))
    for wrong in (True, "x", 10**400, float("nan")):
        with pytest.raises(InvalidSpace) as caught:
            ParameterSpace.of(RulesStrategy, {"long.enter.right": [*range(20_000), wrong]}, fixed={"rules": rules})
        assert caught.value.errors[0].pointer == "/space/long.enter.right/20000"
    with pytest.raises(InvalidSpace, match="20,000 values; at most 100 words are possible"):
        ParameterSpace.of(RulesStrategy, {"rules": [f"word {at}" for at in range(20_000)]})


def test_rules_are_tried_as_a_whole_or_by_their_numbers() -> None:
    rules = {"long": {"enter": {"op": ">", "left": {"price": "close"}, "right": 100.0}}}
    with pytest.raises(InvalidSpace, match="rules is tried as a whole"):
        ParameterSpace.of(RulesStrategy, {"rules": ["{}"], "long.enter.of.0.right.parameters.period": [1, 2]})
    for odd in ([rules], 5, {"a.b": 1}, {"a": [[[[1]]]]}):
        with pytest.raises(InvalidSpace):
            ParameterSpace.of(RulesStrategy, {"a.b": [1, 2]}, fixed={"rules": odd})


def test_fixed_parameters_go_with_every_combination() -> None:
    space = ParameterSpace.of(SmaCross, {"fast": [5, 60]}, fixed={"slow": 55, "at_once": True})
    found = space.parameters((5,))
    assert not isinstance(found, str)
    assert found.model_dump() == {"fast": 5, "slow": 55, "at_once": True}
    assert space.count().skipped == 1


@pytest.mark.parametrize(
    ("ranges", "pointer", "words"),
    [
        ({}, "/space", "No parameter is tried. There are: fast, slow, at_once."),
        ({"fsat": [1]}, "/space/fsat", "There is no parameter 'fsat'. Did you mean 'fast'?"),
        ({"fast": []}, "/space/fast", "fast has no values"),
        ({"fast": "all"}, "/space/fast", "give a list of values"),
        ({"fast": {"from": 5}}, "/space/fast", "lacks 'to'"),
        ({"fast": {"from": 5, "to": 9, "by": 2}}, "/space/fast/by", "A range has no 'by'"),
        ({"fast": {"from": 9, "to": 5}}, "/space/fast/to", "goes from 9 down to 5"),
        ({"fast": {"from": 5, "to": 9, "step": 0}}, "/space/fast/step", "it has to be above 0"),
        ({"fast": {"from": 5, "to": 9, "step": float("nan")}}, "/space/fast/step", "a number is needed"),
        (
            {"fast": {"from": 0, "to": 1e9, "step": 0.5}},
            "/space/fast/step",
            "has 2,000,000,001 values; at most 100,000",
        ),
        ({"fast": {"from": 0, "to": 10**400}}, "/space/fast/to", "a number is needed"),
        ({"fast": {"from": 5, "to": 9, "step": -(10**400)}}, "/space/fast/step", "a number is needed"),
        ({"fast": {"from": 0, "to": 1e308, "step": 1}}, "/space/fast/to", "a number is needed"),
        ({"fast": {"from": 0, "to": 1e15, "step": 5e-324}}, "/space/fast/step", "has countless values"),
        ({"fast": [5, 2_000]}, "/space/fast/1", "fast is 2000; at most 1000 is allowed."),
        ({"fast": [1, 5]}, "/space/fast/0", "fast is 1; at least 2 is needed."),
        ({"fast": [5, None]}, "/space/fast/1", "None"),
        ({"fast": [5], "slow": [9]}, "/space/fast", "both tried and fixed at 7"),
    ],
)
def test_what_is_wrong_with_a_range_is_said_with_its_place(ranges: Any, pointer: str, words: str) -> None:
    with pytest.raises(InvalidSpace) as refused:
        ParameterSpace.of(SmaCross, ranges, fixed={"fast": 7} if "slow" in ranges else None)
    assert refused.value.errors[0].pointer == pointer
    assert words in refused.value.errors[0].detail


def test_values_without_bounds_have_to_be_given() -> None:
    with pytest.raises(InvalidSpace, match="endless has no bounds to choose values from"):
        ParameterSpace.of(Choosy, {"endless": "auto"})
    with pytest.raises(InvalidSpace, match="lacks 'step'"):
        ParameterSpace.of(Choosy, {"narrow": {"from": 0, "to": 1}})


def test_a_fixed_parameter_has_to_exist() -> None:
    with pytest.raises(InvalidSpace, match=r"There is no parameter 'slwo'. Did you mean 'slow'"):
        ParameterSpace.of(SmaCross, {"fast": [5]}, fixed={"slwo": 9})


AVERAGE: dict[str, Any] = {
    "long": {
        "enter": {
            "op": ">",
            "left": {"price": "close"},
            "right": {"indicator": "sma", "parameters": {"period": 50}},
        }
    },
    "stop_percent": 5,
}
PERIOD = "long.enter.right.parameters.period"


def test_a_number_in_rules_is_tried_where_it_stands() -> None:
    ranges = {PERIOD: {"from": 10, "to": 20, "step": 5}, "stop_percent": [2.5, 5]}
    space = ParameterSpace.of(RulesStrategy, ranges, fixed={"rules": AVERAGE})
    assert space.combinations == 6
    found = space.parameters(space.at(3))
    assert not isinstance(found, str)
    rules = found.model_dump()["rules"]
    assert (rules["long"]["enter"]["right"]["parameters"], rules["stop_percent"]) == ({"period": 15}, 5)
    assert AVERAGE["stop_percent"] == 5
    assert AVERAGE["long"]["enter"]["right"]["parameters"] == {"period": 50}


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({PERIOD: [1, 20]}, "period is 1; 2 to 2,000 is allowed."),
        ({"long.enter.left.period": [5]}, "There is no parameter 'long.enter.left.period'"),
        ({PERIOD: "auto"}, "has no bounds to choose values from"),
    ],
)
def test_what_is_wrong_with_a_number_in_rules_is_said(ranges: Any, words: str) -> None:
    with pytest.raises(InvalidSpace) as caught:
        ParameterSpace.of(RulesStrategy, ranges, fixed={"rules": AVERAGE})
    assert words in caught.value.errors[0].detail

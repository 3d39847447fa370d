"""Runs beside each other: only what differs, and how sure it is that one is better."""

from dataclasses import replace

import pytest

from backend.backtesting.comparing import comparison
from backend.backtesting.record import Record, record_of
from backend.domain.errors import InvalidInput
from tests.unit.backtesting.histories import history, random_history, rising_bars
from tests.unit.backtesting.test_run import made


def named(record: Record, name: str) -> Record:
    return replace(record, id=name)


def test_only_what_differs_is_told() -> None:
    bars = random_history(2_000)
    document = comparison([named(record_of(made(bars, fee_bps=fee)), name) for fee, name in ((5, "a"), (50, "b"))])
    assert [each["name"] for each in document["inputs"]] == ["maker_bps", "taker_bps"]
    figures = {each["name"]: each["values"] for each in document["figures"]}
    assert figures["fees"][0] < figures["fees"][1]
    assert "start_equity" not in figures
    (against,) = document["differences"]
    assert (against["of"], against["against"]) == ("b", "a")
    assert against["verdict"] == "worse"
    assert against["a_year"] < 0
    assert against["ratio"]["high"] < 0


def test_the_same_run_twice_is_not_told_apart() -> None:
    record = record_of(made(random_history(2_000)))
    document = comparison([record, record])
    assert document["inputs"] == document["figures"] == []
    assert "missing" in document["differences"][0]


def test_runs_without_common_days_are_compared_by_their_figures_alone() -> None:
    bars = rising_bars(400)
    later = bars.assign(ts=bars["ts"] + (bars["ts"].iloc[-1] - bars["ts"].iloc[0]) * 2)
    records = [record_of(made(history(each), strategy="buy_and_hold")) for each in (bars, later)]
    assert comparison(records)["differences"][0]["missing"] == "They have no two days in common."


@pytest.mark.parametrize("count", [1, 21])
def test_from_2_to_20_can_be_compared(count: int) -> None:
    record = record_of(made(random_history(300)))
    with pytest.raises(InvalidInput, match=f"There are {count} runs"):
        comparison([record] * count)

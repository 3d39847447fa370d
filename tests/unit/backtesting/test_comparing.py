"""Records of runs, laid side by side."""

import json
from dataclasses import replace

import pytest

from backend.backtesting.comparing import comparison
from backend.backtesting.record import Record, record_of
from backend.domain.errors import InvalidInput
from tests.unit.backtesting.histories import random_history
from tests.unit.backtesting.test_run import made


def named(record: Record, name: str) -> Record:
    return replace(record, id=name)


def test_records_are_laid_beside_each_other() -> None:
    bars = random_history(4_000)
    document = comparison([named(record_of(made(bars, fee_bps=fee)), name) for fee, name in ((5, "a"), (50, "b"))])
    json.dumps(document, allow_nan=False)
    assert [each["id"] for each in document["runs"]] == ["a", "b"]
    assert [each["path"] for each in document["config"]] == ["trading.costs.maker_bps", "trading.costs.taker_bps"]
    fees = next(each for each in document["metrics"] if each["name"] == "fees")
    assert fees["values"][0] < fees["values"][1]
    (difference,) = document["differences"]
    assert difference["id"] == "b"
    assert difference["annual_return"]["difference"] < 0
    (entries,) = document["trades"]
    assert entries["both"] > 0
    assert entries["only_first"]["count"] == entries["only_other"]["count"] == 0


def test_other_bars_of_the_same_name_are_told_by_their_content() -> None:
    document = comparison([record_of(made(random_history(4_000, seed=seed))) for seed in (1, 2)])
    assert "content.A" in [each["path"] for each in document["config"]]


@pytest.mark.parametrize("count", [1, 21])
def test_from_2_to_20_can_be_compared(count: int) -> None:
    record = record_of(made(random_history(300)))
    with pytest.raises(InvalidInput, match=f"From 2 to 20 runs can be compared, not {count}"):
        comparison([record] * count)

"""A run's configuration is whole and valid, and survives being stored."""

from typing import Any

import pytest
from pydantic import ValidationError

from backend.domain.config import RunConfig, Sizing, TradingConfig

SERIES = [{"provider": "demo", "symbol": "BTC/USD", "timeframe": "1h"}]


def test_a_run_is_the_same_after_it_was_stored() -> None:
    run = RunConfig.model_validate(
        {
            "strategy": "sma_cross",
            "parameters": {"fast": 20},
            "series": SERIES,
            "start": "2024-01-01T00:00:00Z",
            "trading": {"cash": 5_000, "sizing": {"method": "risk", "percent": 1}, "execution": {"sides": "both"}},
        }
    )
    assert RunConfig.model_validate(run.model_dump(mode="json")) == run
    assert RunConfig.model_validate_json(run.model_dump_json()) == run


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"cash": 0}, "greater than 0"),
    ({"cash": float("nan")}, "finite number"),
    ({"sizing": {"method": "risk"}}, "sizing by risk needs percent"),
    ({"sizing": {"method": "all_in", "amount": 5}}, "sizing by all_in takes no amount"),
    ({"costs": {"taker_bps": -1}}, "greater than or equal to 0"),
    ({"costs": {"commission": 1}}, "Extra inputs are not permitted"),
    ({"execution": {"stop_percent": 100}}, "less than 100"),
    ({"execution": {"leverage": 0}}, "greater than 0"),
]


@pytest.mark.parametrize(("given", "told"), REFUSED)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TradingConfig.model_validate(given)


def test_a_reversed_range_is_refused_with_both_ends() -> None:
    with pytest.raises(ValidationError, match=r"the end, 2023-.*, is not after the start, 2024-"):
        RunConfig.model_validate(
            {"strategy": "s", "series": SERIES, "start": "2024-01-01T00:00:00Z", "end": "2023-01-01T00:00:00Z"}
        )


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="has no time zone; write it as 2024-01-01T00:00:00Z"):
        RunConfig.model_validate({"strategy": "s", "series": SERIES, "start": "2024-01-01T00:00:00"})


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Sizing().method = "risk"  # type: ignore[assignment,misc]  # that is the point

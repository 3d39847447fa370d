"""The golden file that the web app's format.ts is held to as well."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import format as numbers

GOLDEN = Path(__file__).parents[3] / "frontend" / "src" / "shared" / "format.golden.json"


def signed_money(value: numbers.Numeric, currency: str) -> str:
    return numbers.money(value, currency, signed=True)


WRITERS: dict[str, Callable[..., str]] = {
    "fixed": numbers.fixed,
    "integer": numbers.integer,
    "ratio": numbers.ratio,
    "money": numbers.money,
    "moneySigned": signed_money,
    "price": numbers.price,
    "quantity": numbers.quantity,
    "change": numbers.change,
    "percent": numbers.percent,
    "bps": numbers.bps,
    "compact": numbers.compact,
    "bytes": numbers.bytes_,
    "duration": numbers.duration,
    "dateTime": numbers.date_time,
    "time": numbers.time,
    "date": numbers.date,
    "isoUtc": numbers.iso_utc,
    "relativeTime": numbers.relative_time,
}
CASES: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['of']}{case['args']}"[:60])
def test_says_what_the_golden_file_says(case: dict[str, Any]) -> None:
    assert WRITERS[case["of"]](*case["args"]) == case["text"]


def test_every_writer_has_golden_cases() -> None:
    assert {case["of"] for case in CASES} == set(WRITERS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), True, Decimal("NaN")])
def test_what_is_not_a_number_is_a_dash(value: Any) -> None:
    assert numbers.fixed(value, 2) == numbers.MISSING


def test_takes_decimals_and_aware_datetimes() -> None:
    moment = datetime(2026, 11, 20, 15, 32, 10, tzinfo=timezone(timedelta(hours=1)))
    assert numbers.money(Decimal("0.1") + Decimal("0.2"), "USD") == "$0.30"
    assert numbers.date_time(moment) == "2026-11-20 14:32:10 UTC"
    assert numbers.iso_utc(datetime(2026, 11, 20, tzinfo=UTC)) == "2026-11-20T00:00:00Z"


def test_a_naive_datetime_is_not_an_instant() -> None:
    assert numbers.date_time(datetime(2026, 11, 20)) == numbers.MISSING  # noqa: DTZ001 the naive one is the point


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6))
def test_rounding_never_moves_a_number_by_more_than_half_a_step(value: Decimal) -> None:
    shown = Decimal(numbers.fixed(value, 2).replace(",", "").replace(numbers.MINUS, "-"))
    assert abs(shown - value) <= Decimal("0.005")

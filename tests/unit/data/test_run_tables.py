"""Tables of results as pieces: whatever goes in comes out again, bit for bit."""

import base64
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from backend.data import run_tables
from backend.data.run_tables import ParquetTables
from backend.domain.backtests import Part

TABLES = ParquetTables()
TIMES = some.integers(0, 4_000_000_000_000_000)
# pandas keeps that a number is missing, not which of the many bit patterns says so.
FLOATS = some.floats(width=64).map(lambda number: number if number == number else float("nan"))
TRADE = some.tuples(FLOATS, TIMES, some.text(max_size=9), some.booleans(), some.integers(-(2**62), 2**62))


def trades(rows: list[tuple[float, int, str, bool, int]]) -> pd.DataFrame:
    price, time, text, is_open, bars = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    times = pd.Series(pd.array(np.array(time, np.int64), dtype=pd.DatetimeTZDtype("us", "UTC")))
    return pd.DataFrame(
        {
            "entry_time": times,
            "exit_time": times,
            "price": np.array(price, np.float64),
            "why": np.array(text, dtype=object),
            "is_open": np.array(is_open, bool),
            "bars": np.array(bars, np.int64),
        }
    )


def parts_of(packed: list[dict[str, Any]]) -> list[Part]:
    return [
        Part(first_row=one["first_row"], rows=one["rows"], content=base64.b64decode(one["content"])) for one in packed
    ]


def bits(table: pd.DataFrame) -> list[Any]:
    """Of each column; -0.0 is not 0.0 here, and a NaN equals itself."""
    return [_bits(table[name]) for name in table]


def _bits(values: "pd.Series[Any]") -> Any:
    if pd.api.types.is_string_dtype(values.dtype):
        return values.tolist()
    kind = "datetime64[us]" if isinstance(values.dtype, pd.DatetimeTZDtype) else None
    return values.to_numpy(kind).tobytes()


@settings(max_examples=60, deadline=None)
@given(some.lists(TRADE, min_size=1, max_size=30))
def test_a_table_comes_back_bit_for_bit(rows: list[tuple[float, int, str, bool, int]]) -> None:
    table = trades(rows)
    again = TABLES.unpacked(parts_of(TABLES.packed("trades", table)))
    assert list(again) == list(table)
    assert bits(again) == bits(table)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_tables, "ROWS_A_PART", {"trades": 3})


@pytest.mark.usefixtures("small_pieces")
def test_pieces_tell_their_rows_and_times_and_can_be_read_alone() -> None:
    table = trades([(number + 0.5, number * 1_000_000, "x", True, number) for number in range(7)])
    packed = TABLES.packed("trades", table)
    assert [(one["part"], one["first_row"], one["rows"]) for one in packed] == [(0, 0, 3), (1, 3, 3), (2, 6, 1)]
    assert packed[1]["first_at"] == "1970-01-01T00:00:03+00:00"
    assert packed[1]["last_at"] == "1970-01-01T00:00:05+00:00"
    assert TABLES.unpacked(parts_of(packed)[1:2])["price"].tolist() == [3.5, 4.5, 5.5]
    assert bits(TABLES.unpacked(parts_of(packed))) == bits(table)
    assert list(TABLES.unpacked(parts_of(packed), ("bars", "why"))) == ["bars", "why"]


def test_an_empty_table_has_no_pieces() -> None:
    assert TABLES.packed("trades", trades([])) == []
    assert TABLES.unpacked([]).empty

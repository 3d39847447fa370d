"""A period's file gives back every bit, and keeps ticks small."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.storage.bars.blocks import Block, empty_block, is_same, starts_of
from backend.data.storage.bars.files import (
    GROUP_ROWS,
    Damaged,
    Encoding,
    comes_back,
    decode,
    encode,
    encode_as_floats,
    group_count,
    group_rows,
)
from backend.data.storage.bars.ticks import Decimals

MINUTE = 60_000_000
# Whatever 64 bits can be, not a number included: the file is no judge.
ANY = st.floats(width=64)
PRICES = st.one_of(
    ANY,
    st.integers(1, 10**9).map(lambda ticks: ticks / 100),
    st.integers(1, 10**12).map(lambda ticks: ticks / 10**8),
    st.integers(1, 10**9).map(lambda ticks: ticks * 0.01),
    st.integers(1, 10**6).map(lambda ticks: (ticks / 10**5 + (ticks + 7) / 10**5) / 2),
    st.sampled_from([-0.0, 0.0, 5e-324, 1.7976931348623157e308, 2.0**46, 2.0**53 + 2, float("inf"), float("nan")]),
)


def block(columns: npt.NDArray[np.float64], step: int = MINUTE) -> Block:
    made = empty_block(columns.shape[1])
    starts_of(made)[:] = np.arange(columns.shape[1]) * step
    made[1:] = columns
    return made


def walk(count: int, decimals: int, seed: int = 7) -> npt.NDArray[np.float64]:
    """A random walk whose prices and volumes are whole ticks."""
    random = np.random.default_rng(seed)
    close = 4_000_000 + np.cumsum(random.integers(-900, 901, count))
    opened = np.r_[close[0], close[:-1]]
    high, low = np.maximum(opened, close) + random.integers(0, 500, count), np.minimum(opened, close) - 77
    return np.array([opened, high, low, close, random.integers(0, 10**6, count)]) / 10.0**decimals


def got(data: pa.Buffer, rows: int, groups: range | None = None, regular: tuple[int, int] | None = None) -> Block:
    groups = range(group_count(rows)) if groups is None else groups
    into = empty_block(group_rows(groups, rows))
    decode(data, into, groups, regular=regular)
    return into


@given(
    st.integers(1, 40).flatmap(
        lambda rows: st.lists(st.lists(PRICES, min_size=rows, max_size=rows), min_size=5, max_size=5)
    )
)
@settings(max_examples=300)
def test_whatever_goes_in_comes_out_to_the_last_bit(columns: list[list[float]]) -> None:
    bars = block(np.array(columns))
    data, _ = encode(bars)
    assert is_same(got(data, bars.shape[1]), bars)
    assert comes_back(data, bars)


@given(st.lists(st.integers(-(10**17), 10**17), min_size=1, max_size=60, unique=True))
def test_every_start_comes_back(starts: list[int]) -> None:
    bars = block(walk(len(starts), 2))
    starts_of(bars)[:] = sorted(starts)
    assert is_same(got(encode(bars)[0], len(starts)), bars)


def ulps_off(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """As sums and averages leave them: some a unit in the last place off."""
    off = np.random.default_rng(3).integers(-1, 2, values.shape)
    return (values.view(np.int64) + off).view(np.float64)


@pytest.mark.parametrize(
    ("make", "prices", "most_bytes_a_bar"),
    [
        (lambda: walk(40_000, 2), Decimals(all=2, most=2), 9),
        (lambda: walk(40_000, 8), Decimals(all=8, most=8), 9),
        (lambda: walk(40_000, 0), Decimals(all=0, most=0), 9),
        (lambda: ulps_off(walk(40_000, 5)), Decimals(all=5, most=5), 11),
        (lambda: walk(40_000, 2) + np.arange(40_000) % 97 // 96 * 0.0001, Decimals(all=4, most=2), 10),
        (lambda: walk(40_000, -2), Decimals(all=0, most=-2), 9),
        (lambda: walk(40_000, 2) * np.pi, None, 41),
    ],
    ids=["cents", "satoshis", "whole", "rounded sums", "a few finer", "hundreds", "no tick"],
)
def test_ticks_are_found_and_kept_small(
    make: Callable[[], npt.NDArray[np.float64]], prices: Decimals | None, most_bytes_a_bar: float
) -> None:
    values = np.round(make(), 4) if prices == Decimals(all=4, most=2) else make()
    bars = block(values)
    data, encoding = encode(bars)
    assert is_same(got(data, 40_000), bars)
    assert encoding.prices == prices
    assert data.size / 40_000 < most_bytes_a_bar


def test_price_that_no_tick_fits_makes_all_prices_floats() -> None:
    values = walk(5_000, 2)
    values[3, 4_321] = np.nextafter(np.pi * 10_000, 0)
    bars = block(values)
    data, encoding = encode(bars)
    assert encoding == Encoding(prices=None, volumes=Decimals(all=2, most=2))
    assert is_same(got(data, 5_000), bars)


def test_negative_zero_is_kept_apart_from_zero() -> None:
    values = walk(10, 2)
    values[4, 3] = -0.0
    assert np.signbit(got(encode(block(values))[0], 10)[5, 3])


def test_groups_can_be_read_alone() -> None:
    rows = 2 * GROUP_ROWS + 100
    bars = block(walk(rows, 2))
    data, _ = encode(bars)
    for groups in (range(1), range(1, 2), range(2, 3), range(1, 3), range(3)):
        part = bars[:, groups.start * GROUP_ROWS : groups.stop * GROUP_ROWS]
        assert is_same(got(data, rows, groups), part)
        assert is_same(got(data, rows, groups, regular=(0, MINUTE)), part)


def test_floats_are_the_way_out_where_ticks_fail() -> None:
    bars = block(walk(1_000, 2))
    data, encoding = encode_as_floats(bars)
    assert encoding == Encoding()
    assert comes_back(data, bars)


def test_others_can_read_the_file_too() -> None:
    bars = block(walk(100, 2))
    table = pq.read_table(pa.BufferReader(encode(bars)[0]))
    assert table.schema.field("ts").type == pa.timestamp("us", "UTC")
    assert (np.asarray(table["close_ticks"]) / 100 == bars[4]).all()


def test_pages_carry_checksums_for_other_readers() -> None:
    """Ours checks all bytes of a file before it decodes one."""
    data = bytearray(encode(block(walk(5_000, 2)))[0])
    data[len(data) // 2] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(pa.py_buffer(bytes(data)), page_checksum_verification=True)


@pytest.mark.parametrize(
    "data",
    [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", bytes(encode(block(walk(50, 2)))[0])[:-9]],
    ids=["nothing", "a word", "zeros", "cut"],
)
def test_what_is_no_such_file_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        got(pa.py_buffer(data), 50)


def test_other_parquet_is_damaged() -> None:
    out = pa.BufferOutputStream()
    pq.write_table(pa.table({"ts": [1], "open": [1.0]}), out)
    with pytest.raises(Damaged, match="format"):
        got(out.getvalue(), 1)


def test_wrong_count_of_rows_is_damaged() -> None:
    with pytest.raises(Damaged, match="50 rows, not 49"):
        got(encode(block(walk(50, 2)))[0], 49)

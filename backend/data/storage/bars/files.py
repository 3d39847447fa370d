"""One period's bars as a Parquet file, back to the last bit.

Prices that are whole ticks are kept as integers: the close, the gap from the close before to the open, and how far high
and low reach beyond both. Where most prices are whole cents and some are not, the finer part is a column of its own; so
is what somebody's arithmetic rounded off, in units of the last place. What has no tick is kept as it is.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.pandas_compat  # else it is imported within the first read
import pyarrow.parquet as pq

from backend.data.storage.bars.blocks import Block, empty_block, is_same, starts_of
from backend.data.storage.bars.ticks import Decimals, Floats, Ticks, from_steps
from backend.domain.bars import COLUMNS

# A read decodes whole groups of rows: small enough for a day or two, large enough to be quick.
GROUP_ROWS: Final = 16_384
_FORMAT: Final = "1"

_FINER = ("_rest", "_ulps")

AnyArray = npt.NDArray[Any]
Columns = Mapping[str, AnyArray]


class Damaged(Exception):
    """It is not what was written; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How a file's prices and volumes are kept: as ticks, or as floats where these are None."""

    prices: Decimals | None = None
    volumes: Decimals | None = None

    def __str__(self) -> str:
        return ", ".join(f"{name} {it or 'as floats'}" for name, it in vars(self).items())

    def facts(self) -> dict[str, Any]:
        return {name: [it.all, it.most] if it else None for name, it in vars(self).items()}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Encoding":
        known = {name: facts[name] for name in ("prices", "volumes")}
        return cls(**{name: Decimals(all=int(it[0]), most=int(it[1])) if it else None for name, it in known.items()})


def encode(block: Block) -> tuple[pa.Buffer, Encoding]:
    """The file's bytes."""
    prices, volumes = Ticks.of(block[1:5]), Ticks.of(block[5:6])
    encoding = Encoding(prices=prices.decimals if prices else None, volumes=volumes.decimals if volumes else None)
    columns: dict[str, pa.Array] = {"ts": pa.array(starts_of(block)).view(pa.timestamp("us", "UTC"))}
    columns |= dict(_price_columns(prices)) if prices else _float_columns(block, COLUMNS[:4])
    columns |= dict(_volume_columns(volumes)) if volumes else _float_columns(block, COLUMNS[4:])
    return _written(columns, encoding), encoding


def encode_as_floats(block: Block) -> tuple[pa.Buffer, Encoding]:
    """The plainest way: for bars that did not come back as they went in."""
    columns = {"ts": pa.array(starts_of(block)).view(pa.timestamp("us", "UTC")), **_float_columns(block, COLUMNS)}
    return _written(columns, Encoding()), Encoding()


def decode(data: pa.Buffer | bytes, into: Block, groups: range, *, regular: tuple[int, int] | None) -> None:
    """Fill the block with the bars of these groups of rows. Raises Damaged.

    `regular` is the first start and the step from each to the next, when that is the same throughout the file.
    """
    try:
        _decode(data, into, groups, regular)
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError, TypeError) as problem:
        raise Damaged(f"it cannot be decoded: {problem}") from problem


def comes_back(data: pa.Buffer, block: Block) -> bool:
    """Whether the file gives back each bit of the bars."""
    got = empty_block(block.shape[1])
    decode(data, got, range(group_count(block.shape[1])), regular=None)
    return is_same(got, block)


def group_count(rows: int) -> int:
    return -(-rows // GROUP_ROWS)


def group_rows(groups: range, rows: int) -> int:
    """How many rows these groups have, of a file that has so many."""
    return min(groups.stop * GROUP_ROWS, rows) - groups.start * GROUP_ROWS


def _price_columns(prices: Ticks) -> Iterator[tuple[str, pa.Array]]:
    open_, high, low, close = prices.steps
    # Reading adds them up again: what fits four bytes apart must fit together.
    kind = _integer_kind(prices.steps)
    yield "close_ticks", pa.array(close.astype(kind))
    yield "open_gap", pa.array((open_ - _closes_before(close)).astype(kind))
    yield "high_reach", pa.array((high - np.maximum(open_, close)).astype(kind))
    yield "low_reach", pa.array((np.minimum(open_, close) - low).astype(kind))
    yield from _finer_columns(prices, COLUMNS[:4])


def _volume_columns(volumes: Ticks) -> Iterator[tuple[str, pa.Array]]:
    yield "volume_ticks", pa.array(volumes.steps[0].astype(_integer_kind(volumes.steps)))
    yield from _finer_columns(volumes, COLUMNS[4:])


def _finer_columns(numbers: Ticks, names: tuple[str, ...]) -> Iterator[tuple[str, pa.Array]]:
    for kind, rows in zip(_FINER, (numbers.rests, numbers.ulps), strict=True):
        if rows is not None:
            for name, row in zip(names, rows, strict=True):
                yield name + kind, pa.array(row.astype(np.int32))


def _float_columns(block: Block, names: tuple[str, ...]) -> dict[str, pa.Array]:
    return {name: pa.array(block[1 + COLUMNS.index(name)]) for name in names}


def _integer_kind(steps: Floats) -> type[np.int32] | type[np.int64]:
    return np.int32 if steps.min(initial=0) >= 0 and steps.max(initial=0) < 2**31 else np.int64


def _closes_before(close: AnyArray) -> AnyArray:
    """The close of the bar before; its own for the first of a group, so that each group can be read alone."""
    before = np.empty_like(close)
    before[1:] = close[:-1]
    before[::GROUP_ROWS] = close[::GROUP_ROWS]
    return before


def _written(columns: Mapping[str, pa.Array], encoding: Encoding) -> pa.Buffer:
    table, out = pa.table(dict(columns)), pa.BufferOutputStream()
    with pq.ParquetWriter(
        out,
        table.schema,
        use_dictionary=False,
        column_encoding={name: _way_of(name)[0] for name in columns},
        compression={name: _way_of(name)[1] for name in columns},
        write_page_checksum=True,
        write_statistics=False,
        store_schema=False,
    ) as writer:
        writer.add_key_value_metadata({"tidemark": json.dumps({"format": _FORMAT, **encoding.facts()})})
        writer.write_table(table, row_group_size=GROUP_ROWS)
    return out.getvalue()


def _way_of(column: str) -> tuple[str, str]:
    """Encoding and codec, as measured. What is nearly always the same shrinks to nothing by its differences; the rest
    is read faster by its bytes: delta encoding would take a twelfth less room and half as long again."""
    if column == "open_gap":
        return "DELTA_BINARY_PACKED", "NONE"
    if column == "ts" or column.endswith(_FINER):
        return "DELTA_BINARY_PACKED", "ZSTD"
    return "BYTE_STREAM_SPLIT", "LZ4"


def _decode(data: pa.Buffer | bytes, into: Block, groups: range, regular: tuple[int, int] | None) -> None:
    # All bytes were checked when they were read, the pages too; a second look takes a seventh of the time of a read.
    file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=False)
    encoding = _encoding(file)
    names = [name for name in file.schema.names if name != "ts" or regular is None]
    table = file.read_row_groups(list(groups), names, use_threads=False)
    if table.num_rows != into.shape[1]:
        raise ValueError(f"it has {table.num_rows} rows, not {into.shape[1]}")
    got = {name: _array(table, name) for name in names}
    _fill_starts(into, got, groups, regular)
    _fill_prices(into, got, encoding.prices)
    _fill_volumes(into, got, encoding.volumes)


def _encoding(file: pq.ParquetFile) -> Encoding:
    about: dict[str, Any] = json.loads((file.metadata.metadata or {}).get(b"tidemark", b"{}"))
    if about.get("format") != _FORMAT:
        raise ValueError(f"its format is {about.get('format')}, not {_FORMAT}")
    return Encoding.of(about)


def _array(table: pa.Table, name: str) -> AnyArray:
    column = table.column(name)
    chunk = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    array: AnyArray = chunk.to_numpy(zero_copy_only=True)
    return array


def _fill_starts(into: Block, got: Columns, groups: range, regular: tuple[int, int] | None) -> None:
    starts = starts_of(into)
    if regular is None:
        starts[:] = got["ts"].view(np.int64)
    else:
        first, step = regular
        first += groups.start * GROUP_ROWS * step
        starts[:] = np.arange(first, first + len(starts) * step, step)


def _fill_prices(into: Block, got: Columns, decimals: Decimals | None) -> None:
    if decimals is None:
        for row, name in enumerate(COLUMNS[:4], start=1):
            into[row] = got[name]
        return
    close = got["close_ticks"]
    open_ = _closes_before(close)
    open_ += got["open_gap"]
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    high += got["high_reach"]
    low -= got["low_reach"]
    from_steps(into[1:5], (open_, high, low, close), decimals, **_finer(got, COLUMNS[:4]))


def _fill_volumes(into: Block, got: Columns, decimals: Decimals | None) -> None:
    if decimals is None:
        into[5] = got["volume"]
        return
    from_steps(into[5:6], (got["volume_ticks"],), decimals, **_finer(got, COLUMNS[4:]))


def _finer(got: Columns, names: tuple[str, ...]) -> dict[str, list[AnyArray | None]]:
    """What of each column is finer than its steps, as far as there is something."""
    return {
        what: [got.get(name + kind) for name in names] for what, kind in zip(("rests", "ulps"), _FINER, strict=True)
    }

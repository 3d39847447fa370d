"""Bars as one block of memory: a row each for start, open, high, low, close and volume, a column for each bar.

The starts are whole microseconds that lie in the room of floats; `starts_of` sees them as what they are.
"""

import contextlib
import mmap

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.bars import COLUMNS, frame_of, part_hash, start_microseconds

Block = npt.NDArray[np.float64]
Starts = npt.NDArray[np.int64]

ROWS = 1 + len(COLUMNS)
BYTES_A_BAR = ROWS * 8
_LARGE_PAGE_BYTES = 2 * 1024**2
_LARGE_BYTES = _LARGE_PAGE_BYTES // 2


def block_of(bars: pd.DataFrame) -> Block:
    block = empty_block(len(bars))
    starts_of(block)[:] = start_microseconds(bars)
    for row, name in enumerate(COLUMNS, start=1):
        block[row] = bars[name].to_numpy(np.float64)
    return block


def empty_block(bars: int = 0) -> Block:
    """Room for so many bars. Linux gives large blocks in large pages: touching new memory costs as much as decoding."""
    if bars * BYTES_A_BAR < _LARGE_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.empty((ROWS, bars))
    size = bars * BYTES_A_BAR
    room = mmap.mmap(-1, -(-size // _LARGE_PAGE_BYTES) * _LARGE_PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a system may be built without them
        # All but a rest of less than half a page, which would be cleared as a whole.
        room.madvise(mmap.MADV_HUGEPAGE, 0, round(size / _LARGE_PAGE_BYTES) * _LARGE_PAGE_BYTES)
    return np.frombuffer(room, np.float64, count=ROWS * bars).reshape(ROWS, bars)


def starts_of(block: Block) -> Starts:
    starts: Starts = block[0].view(np.int64)
    return starts


def frame_over(block: Block) -> pd.DataFrame:
    """The bar frame of a block, copied nowhere."""
    return frame_of(starts_of(block), dict(zip(COLUMNS, block[1:], strict=True)))


def hash_of(block: Block) -> str:
    return part_hash(starts_of(block), list(block[1:]))


def replaced(block: Block, first: int, end: int, bars: Block) -> Block:
    """The block with its bars that start from `first` up to `end` taken out, and these put in."""
    low, high = np.searchsorted(starts_of(block), [first, end])
    result = empty_block(int(low) + bars.shape[1] + block.shape[1] - int(high))
    return np.concatenate((block[:, :low], bars, block[:, high:]), axis=1, out=result)


def is_same(one: Block, other: Block) -> bool:
    """To the last bit: -0.0 is not 0.0."""
    return one.shape == other.shape and np.array_equal(one.view(np.int64), other.view(np.int64))


def between(block: Block, first: int, end: int) -> Block:
    """Those of its bars that start from `first` up to `end`, without a copy."""
    low, high = np.searchsorted(starts_of(block), [first, end])
    return block[:, low:high]


# pandas prepares itself when it makes its first frame: now, rather than within the first read.
frame_over(empty_block())

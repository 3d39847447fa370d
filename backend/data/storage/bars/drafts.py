"""What pages make of a series: the periods that are different from then on. Nothing is written here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.data.storage.bars.blocks import Block, between, block_of, empty_block, is_same, replaced, starts_of
from backend.data.storage.bars.manifests import KeptFile
from backend.domain.bars import COLUMNS, TS_DTYPE
from backend.domain.grid import microseconds, starts_within
from backend.domain.market import Span, Timeframe
from backend.domain.market_errors import BadBars, BadRow
from backend.domain.market_ports import FetchedPage
from backend.domain.periods import by_period, period_begin


@dataclass(frozen=True, kw_only=True)
class CheckedPage:
    """Bars that replace all that start from `first` up to `end`, and the starts that are known from then on."""

    bars: Block
    first: int
    end: int
    known: Span


def checked(page: FetchedPage, timeframe: Timeframe, calendar: str) -> CheckedPage:
    """Raises BadBars unless the bars are in order and wholly within the covered time: finished, that is."""
    frame = page.bars
    if list(frame.columns) != ["ts", *COLUMNS] or str(frame["ts"].dtype) != TS_DTYPE:
        raise ValueError(f"{frame.dtypes.to_dict()} is no bar frame; check_bars makes one")
    bars = block_of(frame)
    first, latest = microseconds(page.covered.start), microseconds(page.covered.end) - timeframe.seconds * 1_000_000
    _check(bars, first, latest, page.covered)
    return CheckedPage(bars=bars, first=first, end=latest + 1, known=starts_within(page.covered, timeframe, calendar))


def changed_periods(
    pages: Sequence[CheckedPage],
    files: Mapping[int, KeptFile],
    load: Callable[[KeptFile], Block],
    timeframe: Timeframe,
) -> dict[int, Block]:
    """All bars of each period that the pages change, in order; `load` gives those that are stored."""
    stored: dict[int, Block] = {}
    drafts: dict[int, Block] = {}
    for page in pages:
        if page.first >= page.end:
            continue
        for period in _touched(page, files, drafts, timeframe):
            if period not in drafts:
                stored[period] = drafts[period] = load(files[period]) if period in files else empty_block()
            begin, end = period_begin(period, timeframe), period_begin(period + 1, timeframe)
            drafts[period] = replaced(drafts[period], page.first, page.end, between(page.bars, begin, end))
    return {period: draft for period, draft in sorted(drafts.items()) if not is_same(draft, stored[period])}


def _touched(
    page: CheckedPage, files: Mapping[int, KeptFile], drafts: Mapping[int, Block], timeframe: Timeframe
) -> list[int]:
    """Periods that get bars from the page, and those that may lose some to it."""
    gaining = {period for period, _ in by_period(starts_of(page.bars), timeframe)}
    stored = {period for period, file in files.items() if file.first < page.end and file.last >= page.first}
    drafted = {period for period, draft in drafts.items() if between(draft, page.first, page.end).size}
    return sorted(gaining | (stored - drafts.keys()) | drafted)


def _check(bars: Block, first: int, latest: int, covered: Span) -> None:
    starts = starts_of(bars)
    back = np.r_[False, starts[1:] <= starts[:-1]] if len(starts) else np.zeros(0, np.bool_)
    reasons = (
        (back, "its time is not after that of the row before"),
        (starts < first, f"it begins before the covered time, which begins {covered.start:%Y-%m-%d %H:%M:%S}"),
        (starts > latest, f"it is not finished when the covered time ends, {covered.end:%Y-%m-%d %H:%M:%S}"),
    )
    bad = back | (starts < first) | (starts > latest)
    if bad.any():
        rows = [
            BadRow(position=int(row), reason=next(why for mask, why in reasons if mask[row]), ts=_text(starts[row]))
            for row in np.flatnonzero(bad)[:20]
        ]
        raise BadBars(rows, count=int(bad.sum()), of=len(starts))


def _text(start: np.int64) -> str:
    return f"{np.datetime64(int(start), 'us').astype('datetime64[s]')}Z"

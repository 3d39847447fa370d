"""From a vendor's answers to pages of bars: checked, finished, joined without doubles, with the time they cover."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from backend.data.fetchers.reading import Failed, Outcome, current_try
from backend.domain.bars import check_bars, derive, empty_bars, start_microseconds
from backend.domain.market import ALWAYS, FOREX, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import BadBars, ClockAhead, NotServed, VendorUnavailable
from backend.domain.market_ports import BarFetcher, FetchedPage, TradingCalendar

_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
# Longer than an answer takes, and shorter than any vendor's lag: time without bars that are under way is not covered.
_MOST_AHEAD = timedelta(minutes=2)
_MOST_IDLE_ANSWERS = 20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Rows as a vendor gave them, for the time that it was asked for, and until when they are all there is."""

    rows: pd.DataFrame
    asked: Span
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be fetched of an instrument: the part of the wanted time that can be had now."""

    series: Series
    calendar: str
    calendars: TradingCalendar
    span: Span
    finished: datetime  # a bar that ends later is not finished
    settled: datetime  # what begins before it will not come any more, if it is not there


async def task(
    series: Series,
    instrument: Instrument,
    wanted: Span,
    *,
    calendars: TradingCalendar,
    now: datetime,
    lag: timedelta,
) -> Task:
    """`lag` is how much later than it ends a vendor may show a bar for the first time."""
    length = series.timeframe.length
    begun = Span(start=now - length + _MICROSECOND, end=now)
    # The first who asks a calendar waits for it, in a thread.
    unfinished = await asyncio.to_thread(calendars.expected_starts, instrument.calendar, series.timeframe, begun)
    until = max(wanted.start, min(wanted.end, now, *unfinished[:1].to_pydatetime()))
    return Task(
        series=series,
        calendar=instrument.calendar,
        calendars=calendars,
        span=Span(start=wanted.start, end=until),
        finished=now,
        settled=now - lag - length,
    )


def check_served(series: Series, fetcher: BarFetcher) -> None:
    if series.timeframe not in fetcher.timeframes or series.adjustment not in fetcher.adjustments:
        raise NotServed.of(series, fetcher.timeframes, fetcher.adjustments)


def of_the_past(rows: pd.DataFrame, provider: str, timeframe: Timeframe, now: datetime) -> pd.DataFrame:
    """Of an answer that has just come, without what is under way by the vendor's own clock, should ours be ahead a bit.

    A bar of some day after tomorrow has its time in another unit, or is none. What it hides would look like silence:
    what follows the last bar of an answer is asked for next. (Days in Tokyo begin before they do in UTC.)
    """
    if len(rows) and (latest := rows["ts"].max()) > now + 2 * _DAY:
        raise Failed(Outcome.GARBAGE, f"gave a bar of {str(latest)[:10]}, though it is {now:%Y-%m-%d},")
    there = current_try().vendor_time
    if there is None:
        return rows
    if now - there > _MOST_AHEAD:
        raise ClockAhead(provider, now, there)
    return rows.iloc[: _finished(rows, timeframe, there)]


def whole_bars(job: Task) -> Span:
    """The span that a vendor is asked for, so that none of its ways to cut a bar in two matters."""
    timeframe, end = job.series.timeframe, job.span.end
    floor = timeframe.floor(end)
    return Span(start=timeframe.floor(job.span.start), end=floor if floor == end else floor + timeframe.length)


async def pages(answers: AsyncGenerator[Answer, None], job: Task) -> AsyncGenerator[FetchedPage, None]:
    """The last bar of each answer waits for the next, which may repeat it, or revise it."""
    before, start, until, idle = empty_bars(), job.span.start, job.span.start, 0
    async with aclosing(answers):
        async for answer in answers:
            idle = 0 if answer.until > until else idle + 1
            if idle == _MOST_IDLE_ANSWERS:
                raise _senseless(job, f"{idle} pages brought nothing new, and named a next one.")
            bars = await asyncio.to_thread(_joined, before, answer, job)
            held = bars["ts"].iloc[-1].to_pydatetime() if len(bars) else covered_until(bars, answer.until, job)
            until, before = answer.until, bars
            if held > start:
                yield FetchedPage(bars=bars.iloc[:-1].reset_index(drop=True), covered=Span(start=start, end=held))
                start = held
    end = covered_until(before, until, job)
    if end > start:
        yield FetchedPage(bars=before.iloc[-1:].reset_index(drop=True), covered=Span(start=start, end=end))


def covered_until(bars: pd.DataFrame, until: datetime, job: Task) -> datetime:
    """Where a vendor may be late, its silence says nothing: covered is up to the end of the last bar."""
    until = min(until, job.span.end)
    last = bars["ts"].iloc[-1].to_pydatetime() + job.series.timeframe.length if len(bars) else job.span.start
    end: datetime = min(until, max(last, job.settled))
    return end


async def longer_pages(
    answers: Callable[[Task], AsyncGenerator[Answer, None]], job: Task, shorter: Timeframe
) -> AsyncGenerator[FetchedPage, None]:
    """Bars out of shorter ones, from the open of a session or the Monday of a week, as the calendar expects them."""
    length = job.series.timeframe.length
    starts = await asyncio.to_thread(job.calendars.expected_starts, job.calendar, job.series.timeframe, job.span)
    if not len(starts):
        if job.span.start < (end := covered_until(empty_bars(), job.span.end, job)):
            yield FetchedPage(bars=empty_bars(), covered=Span(start=job.span.start, end=end))
        return
    span = Span(start=starts[0].to_pydatetime(), end=starts[-1].to_pydatetime() + length)
    base = _shorter(job, shorter, span)
    ends = await asyncio.to_thread(_ends, starts, base, length)
    done, start, waiting = 0, job.span.start, empty_bars()
    async with aclosing(pages(answers(base), base)) as found:
        async for page in found:
            waiting = pd.concat([waiting, page.bars], ignore_index=True)
            whole = int(ends.searchsorted(page.covered.end, side="right"))
            if whole > done:
                end = min(job.span.end, max(page.covered.end, job.settled))
                end = starts[whole].to_pydatetime() if whole < len(starts) else end
                bars = longer(waiting, starts[done:whole], job.series.timeframe)
                yield FetchedPage(bars=bars, covered=Span(start=start, end=end))
                done, start, waiting = whole, end, waiting[waiting["ts"] >= end]


def longer(rows: pd.DataFrame, starts: pd.DatetimeIndex, timeframe: Timeframe) -> pd.DataFrame:
    """Bars that begin at these times, out of shorter ones, which are checked."""
    at, length = starts.as_unit("us").asi8, timeframe.length
    of = np.searchsorted(at, start_microseconds(rows), side="right") - 1
    inside = (of >= 0) & (start_microseconds(rows) < at[of] + length // _MICROSECOND)
    return derive(rows, timeframe, starts=np.where(inside, at[of], -1))


def _shorter(job: Task, timeframe: Timeframe, span: Span) -> Task:
    return replace(
        job,
        series=replace(job.series, timeframe=timeframe),
        span=span,
        settled=job.settled + job.series.timeframe.length - timeframe.length,
    )


def _ends(starts: pd.DatetimeIndex, base: Task, length: timedelta) -> pd.DatetimeIndex:
    """When the last shorter bar of each ends: before a long bar does, where a session closes within it."""
    parts = base.calendars.expected_starts(base.calendar, base.series.timeframe, base.span)
    return parts[parts.searchsorted(starts + length) - 1] + base.series.timeframe.length


def _checked(answer: Answer, job: Task) -> pd.DataFrame:
    timeframe = job.series.timeframe
    rows = answer.rows.iloc[: _finished(answer.rows, timeframe, job.finished)]
    try:
        bars = check_bars(rows, timeframe, job.calendar)
    except BadBars as error:
        raise _senseless(job, error.detail) from error
    outside = bars[(bars["ts"] < answer.asked.start) | (bars["ts"] >= answer.asked.end)]
    if len(outside):
        raise _senseless(
            job,
            f"{len(outside):,} of {len(bars):,} rows are not of the time asked for, {answer.asked.start.isoformat()} to"
            f" {answer.asked.end.isoformat()}; the first is {outside['ts'].iloc[0].isoformat()}.",
        )
    wanted = (bars["ts"] >= job.span.start) & (bars["ts"] < job.span.end)
    return _in_sessions(bars[wanted], job).reset_index(drop=True)


def _in_sessions(bars: pd.DataFrame, job: Task) -> pd.DataFrame:
    """Without what is traded before an exchange opens and after it closes."""
    if job.calendar in (ALWAYS, FOREX) or not job.series.timeframe.is_intraday or bars.empty:
        return bars
    around = Span(start=bars["ts"].iloc[0], end=bars["ts"].iloc[-1] + job.series.timeframe.length)
    sessions = job.calendars.sessions(job.calendar, around)
    if not sessions:
        return empty_bars()
    opens = pd.DatetimeIndex([session.start for session in sessions]).as_unit("us").asi8
    closes = pd.DatetimeIndex([session.end for session in sessions]).as_unit("us").asi8
    starts = start_microseconds(bars)
    of = np.searchsorted(opens, starts, side="right") - 1
    return bars[(of >= 0) & (starts < closes[of])]


def _finished(rows: pd.DataFrame, timeframe: Timeframe, now: datetime) -> int:
    """How many rows are left without those at the end that are not finished."""
    if "ts" not in rows.columns:
        return len(rows)
    ends = pd.to_datetime(rows["ts"], utc=True, errors="coerce") + timeframe.length
    count = len(rows)
    while count and ends.iloc[count - 1] > now:
        count -= 1
    return count


def _joined(before: pd.DataFrame, answer: Answer, job: Task) -> pd.DataFrame:
    """The new bars, after the one that was held back, unless they have it in a newer form."""
    bars = _checked(answer, job)
    if before.empty:
        return bars
    held = before.iloc[-1:]
    again = bars["ts"] < held["ts"].iloc[0]
    known = before[before["ts"].isin(bars["ts"][again])]
    if not known.reset_index(drop=True).equals(bars[again].reset_index(drop=True)):
        raise _senseless(job, f"{again.sum():,} bars before {held['ts'].iloc[0].isoformat()} were other ones before.")
    new = bars[~again]
    if len(new) and new["ts"].iloc[0] == held["ts"].iloc[0]:
        return new.reset_index(drop=True)
    return pd.concat([held, new], ignore_index=True) if len(new) else held.reset_index(drop=True)


def _senseless(job: Task, why: str) -> VendorUnavailable:
    return VendorUnavailable(f"{job.series}: the provider's answer makes no sense. {why} Nothing of it was stored.")

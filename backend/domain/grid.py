"""Which bars lie wholly within a span of time. A bar that is cut by its end may be unfinished, and is not of it."""

from datetime import UTC, datetime, timedelta

from backend.domain.market import Span, Timeframe

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(since_1970: int) -> datetime:
    return _EPOCH + timedelta(microseconds=since_1970)


def starts_within(span: Span, timeframe: Timeframe, calendar: str) -> Span:
    """When bars begin that lie wholly within the span; empty when none fits."""
    if span.length < timeframe.length:
        return Span(start=span.start, end=span.start)
    grid = _grid(timeframe, calendar)
    first = span.start + (timeframe.origin - span.start) % grid
    latest = span.end - timeframe.length
    end = latest - (latest - timeframe.origin) % grid + grid
    return Span(start=first, end=max(first, end))


def time_of(starts: Span, timeframe: Timeframe, calendar: str) -> Span:
    """The other way round: the time that bars fill which begin then."""
    return Span(start=starts.start, end=starts.end + timeframe.length - _grid(timeframe, calendar))


def _grid(timeframe: Timeframe, calendar: str) -> timedelta:
    return timedelta(seconds=timeframe.grid_seconds(calendar))

"""What is traded and when: timeframes, spans of time, instruments, and which series of bars one talks about."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from uuid import UUID

# Monday; weekly bars begin on one. The Unix epoch was a Thursday.
_FIRST_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER_HOUR_SECONDS = 900
_SYMBOL = re.compile(r"\^?[A-Za-z0-9][A-Za-z0-9._:/^=\-]{0,39}")
_PROVIDER = re.compile(r"[a-z][a-z0-9_]{0,19}(:[a-z0-9_]{1,30})?")

IMPORT = "import"  # the provider of what people brought themselves
ALWAYS = "24/7"
FOREX = "24/5"


class Timeframe(StrEnum):
    """How long one bar lasts."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    W1 = "1w"

    @property
    def seconds(self) -> int:
        return int(self[:-1]) * {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}[self[-1]]

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    @property
    def origin(self) -> datetime:
        """Where its grid begins: bars start whole lengths after it."""
        return _FIRST_MONDAY if self is Timeframe.W1 else _EPOCH

    @property
    def is_intraday(self) -> bool:
        return self.seconds < Timeframe.D1.seconds

    def grid_seconds(self, calendar: str) -> int:
        """Bars start at multiples of this. Exchanges open at quarter hours (Bombay), and so do their hourly bars."""
        if self.is_intraday and calendar not in (ALWAYS, FOREX):
            return min(self.seconds, _QUARTER_HOUR_SECONDS)
        return self.seconds

    def floor(self, moment: datetime) -> datetime:
        """The start of the bar of an always open market that holds this moment."""
        return moment - (moment - self.origin) % self.length

    def can_be_made_from(self, other: "Timeframe") -> bool:
        return self.seconds > other.seconds and self.seconds % other.seconds == 0


class Adjustment(StrEnum):
    """What of a company's splits and dividends is calculated into its prices."""

    RAW = "raw"
    SPLITS = "splits"
    ALL = "all"


def bars_a_year(calendar: str, timeframe: Timeframe, *, hours_a_day: float = 6.5) -> float:
    """To annualise with: 365 days for what always trades, 260 for currencies, 252 for exchanges, 52 weeks."""
    if timeframe is Timeframe.W1:
        return 52.0
    days = {ALWAYS: 365.0, FOREX: 260.0}.get(calendar, 252.0)
    hours = 24.0 if calendar in (ALWAYS, FOREX) else hours_a_day
    return days if timeframe is Timeframe.D1 else days * hours * 3600 / timeframe.seconds


@dataclass(frozen=True, kw_only=True, order=True)
class Span:
    """From a moment up to, not including, another."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.end < self.start:
            raise ValueError(f"{self.start} to {self.end} is no span of time")

    @property
    def is_empty(self) -> bool:
        return self.start == self.end

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def overlap(self, other: "Span") -> "Span | None":
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start=start, end=end) if start < end else None


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time in as few spans as possible, in order; those that touch become one."""
    result: list[Span] = []
    for span in sorted(span for span in spans if not span.is_empty):
        if result and span.start <= result[-1].end:
            result[-1] = Span(start=result[-1].start, end=max(result[-1].end, span.end))
        else:
            result.append(span)
    return tuple(result)


def missing(wanted: Span, covered: Iterable[Span]) -> tuple[Span, ...]:
    """What of the wanted time no span covers."""
    gaps, start = [], wanted.start
    for span in joined(covered):
        if span.end <= start or span.start >= wanted.end:
            continue
        if span.start > start:
            gaps.append(Span(start=start, end=span.start))
        start = span.end
    if start < wanted.end:
        gaps.append(Span(start=start, end=wanted.end))
    return tuple(gaps)


@dataclass(frozen=True, kw_only=True)
class Series:
    """Which bars: of whom, of what, how long each. Without an owner they are everybody's to read."""

    provider: str  # "demo", "crypto:binance", "alpaca", "yahoo", "import"
    symbol: str
    timeframe: Timeframe
    adjustment: Adjustment = Adjustment.RAW
    owner: UUID | None = None

    def __post_init__(self) -> None:
        if not _PROVIDER.fullmatch(self.provider):
            raise ValueError(f"{self.provider!r} is no name of a provider")
        if not _SYMBOL.fullmatch(self.symbol):
            raise ValueError(
                f"{self.symbol!r} is no symbol: letters from A to Z, digits and ._:/^=- make one, 40 at most"
            )

    @property
    def is_refetchable(self) -> bool:
        return self.provider != IMPORT

    def __str__(self) -> str:
        return f"{self.provider} {self.symbol} {self.timeframe}"


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """What is traded, as its provider describes it."""

    provider: str
    symbol: str
    name: str
    calendar: str  # ALWAYS, FOREX, or an exchange as exchange_calendars names it ("XNYS")
    currency: str
    tick: float | None = None  # the smallest step of its price, None when not known
    lot: float | None = None  # the smallest step of its quantity
    first_bar: datetime | None = None  # there is nothing before it, as far as the provider knows
    is_simulated: bool = False


def closest(name: str, known: Sequence[str], *, most: int = 3) -> tuple[str, ...]:
    """Names that somebody may have meant: those that differ in case or punctuation first, then by likeness."""

    def bare(text: str) -> str:
        return re.sub(r"[^A-Z0-9]", "", text.upper())

    wanted = bare(name)
    same = [one for one in known if bare(one) == wanted]
    starting = [one for one in known if wanted and bare(one).startswith(wanted) and one not in same]
    alike = get_close_matches(name.upper(), [one.upper() for one in known], n=most, cutoff=0.6)
    by_upper = {one.upper(): one for one in known}
    found = dict.fromkeys([*same, *sorted(starting, key=len), *(by_upper[one] for one in alike)])
    return tuple(found)[:most]

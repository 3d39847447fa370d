"""What can go wrong with market data, each with its numbers and the next step.

MarketDataError
├── UnknownMarketData         UnknownProvider  UnknownSymbol  UnknownSeries  UnknownUpload  NoBars
├── NotServed
├── BadBars                   BadFile
├── DataTooLarge
├── SeriesDamaged
├── SeriesBusy
├── StorageFull
├── StorageFailed
├── ClockAhead
└── VendorError               VendorUnavailable  VendorBusy  VendorRefused
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.domain.errors import TidemarkError
from backend.domain.market import Adjustment, Series, Timeframe

NAMED_AT_ONCE = 3  # bad rows, in one sentence


class MarketDataError(TidemarkError):
    """Something about bars, their files or their providers."""

    code = "market_data_error"
    title = "The market data cannot be used"


class UnknownMarketData(MarketDataError):
    """What was asked for does not exist, as far as its provider knows."""

    code = "unknown_market_data"
    title = "There is no such market data"


class UnknownProvider(UnknownMarketData):
    """No provider has this name."""

    code = "unknown_provider"
    title = "There is no such provider"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no provider '{name}'. There are: {', '.join(known)}.")


class UnknownSymbol(UnknownMarketData):
    """The provider has no such symbol."""

    code = "unknown_symbol"
    title = "There is no such symbol"

    def __init__(self, symbol: str, provider: str, meant: Sequence[str] = (), known: Sequence[str] = ()) -> None:
        """`known`: all that there are, where they are few enough to be read."""
        self.meant = tuple(meant)
        hint = f" There are: {', '.join(known)}." if known else ""
        if meant:
            hint = f" Did you mean {' or '.join(repr(one) for one in meant)}?"
        super().__init__(f"{provider} has no symbol '{symbol}'.{hint}")


class UnknownSeries(UnknownMarketData):
    """There is no such line in the caller's catalogue."""

    code = "unknown_series"
    title = "There is no such series"

    def __init__(self, series_id: object) -> None:
        super().__init__(f"You have no series {series_id}. The catalogue lists those that there are.")


class UnknownUpload(UnknownMarketData):
    """The caller has no such uploaded file (any more)."""

    code = "unknown_upload"
    title = "There is no such upload"

    def __init__(self, upload_id: object) -> None:
        super().__init__(f"You have no uploaded file {upload_id}. Files are kept for a day; upload it again.")


class NotServed(MarketDataError):
    """The provider exists, but has no such bars, or cannot be used on this installation."""

    code = "not_served"
    title = "The provider does not serve this"

    @classmethod
    def of(cls, series: Series, timeframes: Sequence[Timeframe], adjustments: Sequence[Adjustment]) -> "NotServed":
        """No bars of this length, or not adjusted like that."""
        what, has = f"prices with the adjustment '{series.adjustment}'", ", ".join(adjustments)
        if series.timeframe not in timeframes:
            what, has = f"bars of {series.timeframe}", ", ".join(timeframes)
        return cls(f"{series.provider} has no {what}. It has: {has}.")


class NoBars(UnknownMarketData):
    """The series exists, but not a single bar lies in the range."""

    code = "no_bars"
    title = "There are no bars in this range"


@dataclass(frozen=True, kw_only=True)
class BadRow:
    """One row that is no bar: where it stands (from 0 in a frame, the line in a file), and why."""

    position: int
    reason: str
    ts: str | None = None
    line: int | None = None  # in a text file, from 1

    @property
    def place(self) -> str:
        return f"row {self.position:,}" if self.line is None else f"line {self.line:,}"


class BadBars(MarketDataError):
    """Rows that are no bars. Nothing of them was stored."""

    code = "bad_bars"
    title = "Some rows are no bars"

    def __init__(self, rows: Sequence[BadRow], *, count: int, of: int) -> None:
        self.rows, self.count = tuple(rows), count
        first = "; ".join(
            f"{row.place}{f' ({row.ts})' if row.ts else ''}: {row.reason}" for row in self.rows[:NAMED_AT_ONCE]
        )
        no_bars = "is no bar" if count == 1 else "are no bars"
        super().__init__(f"{count:,} of {of:,} rows {no_bars}. {first}.")

    @property
    def by_line(self) -> str:
        """All rows that are known by name, one a line."""
        lines = [f"{row.place}{f' ({row.ts})' if row.ts else ''}: {row.reason}" for row in self.rows]
        more = [f"and {self.count - len(lines):,} more"] if self.count > len(lines) else []
        return "\n".join([self.detail.partition(". ")[0] + ".", *(f"  {line}" for line in [*lines, *more])])


class BadFile(MarketDataError):
    """A file that cannot be read as bars at all."""

    code = "bad_file"
    title = "The file cannot be read as bars"


class DataTooLarge(MarketDataError):
    """More than fits: a file, a request, or a user's share of the disk."""

    code = "data_too_large"
    title = "That is more data than is allowed"


class SeriesDamaged(MarketDataError):
    """Files of a series were changed or cut. They are set aside and never read as data."""

    code = "series_damaged"
    title = "Stored market data is damaged"


class SeriesBusy(MarketDataError):
    """Another process has been writing the series for longer than one waits."""

    code = "series_busy"
    title = "The series is being written"

    def __init__(self, series: object, waited_seconds: float) -> None:
        super().__init__(
            f"Something else has been writing {series} for {waited_seconds:,.0f} s. Try again when it is done."
        )


class StorageFull(MarketDataError):
    """The disk has no room. What was stored before is untouched."""

    code = "storage_full"
    title = "The disk is full"


class StorageFailed(MarketDataError):
    """The disk refuses, for another reason than that it is full."""

    code = "storage_failed"
    title = "Stored market data cannot be used"


class ClockAhead(MarketDataError):
    """A provider's clock is behind this machine's by more than requests take: bars that are under way would pass for
    finished ones."""

    code = "clock_ahead"
    title = "This machine's clock is ahead"

    def __init__(self, provider: str, here: datetime, there: datetime) -> None:
        minutes = round((here - there).total_seconds() / 60)
        super().__init__(
            f"It is {here:%Y-%m-%d %H:%M:%S} UTC here, and {there:%Y-%m-%d %H:%M:%S} UTC at {provider}: {minutes:,}"
            " minutes less. Bars that are not finished would be stored as finished, so nothing was. Set the clock of"
            " this machine, and download again."
        )


class VendorError(MarketDataError):
    """A provider did not give what it was asked for."""

    code = "vendor_error"
    title = "The data provider failed"


class VendorUnavailable(VendorError):
    """No answer, or answers that make no sense, after all tries."""

    code = "vendor_unavailable"
    title = "The data provider does not answer"


class VendorBusy(VendorError):
    """It asks us to wait longer than we may."""

    code = "vendor_busy"
    title = "The data provider asks us to wait"

    def __init__(self, provider: str, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        when = f" Try again in {retry_after_seconds:,.0f} s." if retry_after_seconds is not None else ""
        super().__init__(f"{provider} limits how often it may be asked.{when}")


class VendorRefused(VendorError):
    """It knows us not, or does not let us have this."""

    code = "vendor_refused"
    title = "The data provider refused"

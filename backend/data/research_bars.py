"""Bars for research: out of the cache, out of a file, or, of the demo market, made at once. No event loop, no database.

A file that is in the form that we write is read by a short way; any other is found out as an import finds it out.
"""

from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pandas as pd

from backend.domain.bars import COLUMNS
from backend.domain.market import ALWAYS, FOREX, IMPORT, Adjustment, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import BadBars, BadFile, NoBars
from backend.domain.market_ports import Loaded
from backend.domain.research_frames import checked_frame

if TYPE_CHECKING:
    from backend.data.fetchers.demo import DemoFetcher

DEMO: Final = "demo"
_PROVIDERS: Final = ("alpaca", DEMO, IMPORT, "yahoo")
_CRYPTO: Final = "crypto:"
# Of one range of the demo market: 100,000 bars are 5 MB.
_MOST_KEPT_BARS: Final = 100_000
_OURS: Final = ("ts", *COLUMNS)


def from_file(
    path: Path,
    *,
    symbol: str,
    timeframe: Timeframe | None,
    calendar: str = ALWAYS,
    currency: str = "USD",
    zone: str = "UTC",
    start: datetime | None = None,
    end: datetime | None = None,
) -> Loaded:
    """Raises BadFile and BadBars with what is wrong and where, NoBars when the range is empty."""
    if not path.is_file():
        raise BadFile(f"There is no file {path}. Check its name.")
    _check_calendar(calendar)
    frame = _our_form(path) if zone == "UTC" else None
    if frame is None:
        bars, length = _found_out(path, timeframe, calendar, zone)
    else:
        if frame.empty:
            raise NoBars(f"{path} holds a header, and no bars below it.")
        length = timeframe or _length_of(frame)
        bars = checked_frame(frame, length, calendar, str(path))
    series = Series(provider=IMPORT, symbol=symbol, timeframe=length)
    instrument = Instrument(provider=IMPORT, symbol=symbol, name=symbol, calendar=calendar, currency=currency)
    return Loaded(series=series, instrument=instrument, bars=within(bars, start, end, str(path)))


class CacheBars:
    """A RunBars over the market cache."""

    def __init__(self, cache_dir: Path) -> None:
        self._cache_dir = cache_dir

    def load(self, series: Series, start: datetime | None, end: datetime | None) -> Loaded:
        return from_cache(self._cache_dir, series, start, end)


def from_cache(cache_dir: Path, series: Series, start: datetime | None, end: datetime | None) -> Loaded:
    """What is stored of the range, made where the market is simulated. Raises NoBars with the command to type."""
    from backend.data.storage.bars import ParquetBarStore
    from backend.infrastructure.clock import SystemClock

    clock = SystemClock()
    store = ParquetBarStore(cache_dir, clock)
    manifest = store.manifest(series)
    wanted = _wanted(series, start, end, None if manifest is None else (manifest.first, manifest.last), clock.now())
    if manifest is not None and not store.missing(series, wanted):
        return store.read(series, wanted)
    if series.provider == DEMO:
        return simulated(series, wanted)
    _refuse(series, wanted, is_stored=manifest is not None)
    raise AssertionError


def within(bars: pd.DataFrame, start: datetime | None, end: datetime | None, what: str) -> pd.DataFrame:
    """The bars of a range. Raises NoBars, which says what there is."""
    if bars.empty:
        raise NoBars(f"{what} holds no bars.")
    if start is None and end is None:
        return bars
    ts = bars["ts"]
    first = 0 if start is None else int(ts.searchsorted(pd.Timestamp(start)))
    last = len(bars) if end is None else int(ts.searchsorted(pd.Timestamp(end)))
    if first >= last:
        raise NoBars(
            f"{what} has {len(bars):,} bars from {ts.iloc[0]:%Y-%m-%d %H:%M} to {ts.iloc[-1]:%Y-%m-%d %H:%M} UTC,"
            f" none of them {_range_words(start, end)}. Choose a range that overlaps with them."
        )
    return bars.iloc[first:last].reset_index(drop=True)


def _check_calendar(calendar: str) -> None:
    if calendar not in (ALWAYS, FOREX):
        from backend.data.calendars import check_calendar

        check_calendar(calendar)


def _our_form(path: Path) -> pd.DataFrame | None:
    """The frame of a file that has our own columns in our own types; None when it is anything else."""
    import pyarrow as pa

    with path.open("rb") as file:
        head = file.read(4096)
    try:
        if head.startswith(b"PAR1"):
            import pyarrow.parquet as pq

            with pq.ParquetFile(path) as parquet:
                if parquet.metadata.num_rows > 20_000_000:
                    return None
                table = parquet.read()
        elif head.partition(b"\n")[0].strip() == ",".join(_OURS).encode():
            import pyarrow.csv as pa_csv

            types = {"ts": pa.timestamp("us", "UTC"), **dict.fromkeys(COLUMNS, pa.float64())}
            table = pa_csv.read_csv(path, convert_options=pa_csv.ConvertOptions(column_types=types))
        else:
            return None
    except (pa.ArrowException, OSError, ValueError):
        return None
    if tuple(table.column_names[: len(_OURS)]) != _OURS or not pa.types.is_timestamp(table.schema.field("ts").type):
        return None
    frame: pd.DataFrame = table.select(_OURS).to_pandas()
    return frame


def _length_of(frame: pd.DataFrame) -> Timeframe:
    from backend.domain.imports import timeframe_of

    found = timeframe_of(pd.to_datetime(frame["ts"], utc=True))
    if found is None:
        raise BadFile("How long its bars last cannot be seen. Say it with --timeframe, such as 1h.")
    return found


def _found_out(path: Path, timeframe: Timeframe | None, calendar: str, zone: str) -> tuple[pd.DataFrame, Timeframe]:
    from backend.data.bar_tables import read_table
    from backend.domain.imports import Told, read_header, understand, with_lines

    table = read_table(path)
    reading = read_header(table.header, table.cells, told=Told(zone=zone), delimiter=table.delimiter)
    length = timeframe or reading.timeframe
    if length is None:
        raise BadFile("How long its bars last cannot be seen. Say it with --timeframe, such as 1h.")
    understood = understand(table.cells, reading, length, calendar)
    bad = understood.bad_count + table.broken_count
    if bad:
        raise BadBars(with_lines(table, understood.bad), count=bad, of=understood.rows + table.broken_count)
    return understood.bars, length


def _wanted(
    series: Series,
    start: datetime | None,
    end: datetime | None,
    stored: tuple[datetime | None, datetime | None] | None,
    now: datetime,
) -> Span:
    first, last = stored or (None, None)
    since = start or first
    until = end or (last + series.timeframe.length if last else None) or now
    if since is not None and since >= now:
        raise NoBars(f"{since:%Y-%m-%d %H:%M} lies in the future: it is {now:%Y-%m-%d %H:%M} UTC now. Begin earlier.")
    if since is None:
        if series.provider != DEMO:
            _refuse(series, None, is_stored=False)
        raise NoBars(f"Nothing of {series} is stored. Say from when to when, such as 2024-01-01 to 2025-01-01.")
    return Span(start=since, end=max(since, min(until, now)))


def simulated(series: Series, wanted: Span) -> Loaded:
    """Bars of the demo market, made at once. Raises UnknownSymbol, NotServed, NoBars."""
    from backend.domain.market_errors import NotServed
    from backend.domain.simulation.markets import FIRST_BAR, MARKETS

    if series.adjustment is not Adjustment.RAW:
        raise NotServed.of(series, tuple(Timeframe), (Adjustment.RAW,))
    market, timeframe = _demo_market(), series.timeframe
    until = market.until(series.symbol, timeframe, wanted)
    made = _kept if (until - wanted.start) / timeframe.length <= _MOST_KEPT_BARS else market.bars
    # A copy, so that nobody changes what others get, not even past pandas.
    bars = made(series.symbol, timeframe, Span(start=wanted.start, end=until)).copy()
    if bars.empty:
        is_before = wanted.end <= FIRST_BAR
        step = f"It begins at {FIRST_BAR:%Y-%m-%d}: choose a later" if is_before else "Choose a longer or an earlier"
        raise NoBars(
            f"The demo market has no bars of {series.symbol} {series.timeframe}"
            f" {_range_words(wanted.start, wanted.end)}. {step} range."
        )
    return Loaded(series=series, instrument=MARKETS[series.symbol].instrument, bars=bars)


@cache
def _demo_market() -> "DemoFetcher":
    from backend.data.calendars import TradingCalendars
    from backend.data.fetchers.demo import DemoFetcher
    from backend.infrastructure.clock import SystemClock

    return DemoFetcher(TradingCalendars(), SystemClock())


@lru_cache(maxsize=4)
def _kept(symbol: str, timeframe: Timeframe, wanted: Span) -> pd.DataFrame:
    """To make bars takes longer than to trade on them, and whoever tries a series tries it again."""
    return _demo_market().bars(symbol, timeframe, wanted)


def _refuse(series: Series, wanted: Span | None, *, is_stored: bool) -> NoReturn:
    if not is_stored:
        _require_provider(series.provider)
    part = "not all of that range" if is_stored else "nothing of it"
    raise NoBars(f"{series}: {part} is stored on this machine. {_way_here(series, wanted)}")


def _require_provider(name: str) -> None:
    """Raises UnknownProvider. Which exchanges ccxt knows is found out where one is asked for bars."""
    from backend.data.fetchers.exchanges import EXCHANGES
    from backend.domain.market_errors import UnknownProvider

    if name not in _PROVIDERS and not name.startswith(_CRYPTO):
        raise UnknownProvider(name, [*_PROVIDERS, *(f"{_CRYPTO}{exchange}" for exchange in EXCHANGES)])


def _way_here(series: Series, wanted: Span | None) -> str:
    if series.provider == IMPORT:
        return f"Import it first: `tidemark data import FILE --symbol {series.symbol} --timeframe {series.timeframe}`"
    adjusted = "" if series.adjustment is Adjustment.RAW else f" --adjustment {series.adjustment}"
    range_ = "2024-01-01" if wanted is None else f"{_iso(wanted.start)} --end {_iso(wanted.end)}"
    return (
        f"Fetch it first: `tidemark data fetch --provider {series.provider} --symbol {series.symbol}"
        f" --timeframe {series.timeframe} --start {range_}{adjusted}`"
    )


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}" if moment.hour == moment.minute == moment.second == 0 else f"{moment:%Y-%m-%dT%H:%MZ}"


def _range_words(start: datetime | None, end: datetime | None) -> str:
    since = "" if start is None else f"from {start:%Y-%m-%d %H:%M}"
    until = "" if end is None else f"before {end:%Y-%m-%d %H:%M}"
    return " and ".join(part for part in (since, until) if part)

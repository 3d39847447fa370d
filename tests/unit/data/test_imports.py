"""Files with bars as people have them: each style is read as what it means, and every bad row is named."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from backend.data.bar_tables import read_table, read_tables, write_csv, write_parquet
from backend.domain.import_times import TimeStyle
from backend.domain.imports import BarTable, Reading, Told, Understood, read_header, understand
from backend.domain.market import ALWAYS, Series, Timeframe
from backend.domain.market_errors import BadBars, BadFile, DataTooLarge
from backend.services.importing import instrument_of_import, read_all, store_import
from tests.fake_bar_store import FakeBarStore
from tests.fakes import FakeClock


@dataclass(frozen=True)
class Style:
    """A file as one source writes it. Its rows mean those of `EXPECTED`, in their order."""

    text: str
    timeframe: Timeframe
    starts: tuple[str, str, str]
    style: TimeStyle = TimeStyle.ISO
    zone: str = "UTC"
    encoding: str = "utf-8"


HOURS = ("2026-01-05 14:00", "2026-01-05 15:00", "2026-01-05 16:00")
DAYS = ("2026-01-13", "2026-01-14", "2026-01-15")
# open, high, low, close; volume is 1500, 2500, 3500 wherever there is one
PRICES = [(1.5, 2.5, 1.25, 2.0), (2.0, 2.75, 1.75, 2.25), (2.25, 3.0, 2.0, 2.5)]

STYLES = {
    "our own": Style(
        "ts,open,high,low,close,volume\n2026-01-05T14:00:00Z,1.5,2.5,1.25,2,1500\n"
        "2026-01-05T15:00:00Z,2,2.75,1.75,2.25,2500\n2026-01-05T16:00:00Z,2.25,3,2,2.5,3500\n",
        Timeframe.H1,
        HOURS,
    ),
    "MetaTrader 4": Style(
        "2026.01.05,14:00,1.5,2.5,1.25,2.0,1500\n2026.01.05,15:00,2.0,2.75,1.75,2.25,2500\n"
        "2026.01.05,16:00,2.25,3.0,2.0,2.5,3500\n",
        Timeframe.H1,
        HOURS,
    ),
    "MetaTrader 5": Style(
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2026.01.05\t14:00:00\t1.5\t2.5\t1.25\t2.0\t9\t1500\t3\n2026.01.05\t15:00:00\t2.0\t2.75\t1.75\t2.25\t9\t2500\t3\n"
        "2026.01.05\t16:00:00\t2.25\t3.0\t2.0\t2.5\t9\t3500\t3\n",
        Timeframe.H1,
        HOURS,
    ),
    "TradingView": Style(
        "time,open,high,low,close,Volume,MA\n1767621600,1.5,2.5,1.25,2,1500,1\n1767625200,2,2.75,1.75,2.25,2500,1\n"
        "1767628800,2.25,3,2,2.5,3500,1\n",
        Timeframe.H1,
        HOURS,
        TimeStyle.EPOCH_S,
    ),
    "TradingView with a zone": Style(
        "time,open,high,low,close,Volume\n2026-01-05T09:00:00-05:00,1.5,2.5,1.25,2,1500\n"
        "2026-01-05T10:00:00-05:00,2,2.75,1.75,2.25,2500\n2026-01-05T11:00:00-05:00,2.25,3,2,2.5,3500\n",
        Timeframe.H1,
        HOURS,
    ),
    "Yahoo": Style(
        "Date,Open,High,Low,Close,Adj Close,Volume\n2026-01-13,1.5,2.5,1.25,2.0,1.9,1500\n"
        "2026-01-14,2.0,2.75,1.75,2.25,2.1,2500\n2026-01-15,2.25,3.0,2.0,2.5,2.4,3500\n",
        Timeframe.D1,
        DAYS,
    ),
    "Binance klines": Style(
        "1767621600000,1.5,2.5,1.25,2,1500,1767625199999,1,9,1,1,0\n1767625200000,2,2.75,1.75,2.25,2500,1,1,9,1,1,0\n"
        "1767628800000,2.25,3,2,2.5,3500,1,1,9,1,1,0\n",
        Timeframe.H1,
        HOURS,
        TimeStyle.EPOCH_MS,
    ),
    "Binance since 2025": Style(
        "open_time,open,high,low,close,volume,close_time\n1767621600000000,1.5,2.5,1.25,2,1500,1\n"
        "1767625200000000,2,2.75,1.75,2.25,2500,1\n1767628800000000,2.25,3,2,2.5,3500,1\n",
        Timeframe.H1,
        HOURS,
        TimeStyle.EPOCH_US,
    ),
    "Polygon in nanoseconds": Style(
        "t,o,h,l,c,v,vw,n\n1767621600000000000,1.5,2.5,1.25,2,1500,1,1\n1767625200000000000,2,2.75,1.75,2.25,2500,1,1\n"
        "1767628800000000000,2.25,3,2,2.5,3500,1,1\n",
        Timeframe.H1,
        HOURS,
        TimeStyle.EPOCH_NS,
    ),
    "CryptoDataDownload": Style(
        "https://www.CryptoDataDownload.com\nunix,date,symbol,open,high,low,close,Volume BTC,Volume USDT\n"
        "1767628800000,2026-01-05 16:00:00,BTC/USDT,2.25,3,2,2.5,3500,9\n"
        "1767625200000,2026-01-05 15:00:00,BTC/USDT,2,2.75,1.75,2.25,2500,9\n"
        "1767621600000,2026-01-05 14:00:00,BTC/USDT,1.5,2.5,1.25,2,1500,9\n",
        Timeframe.H1,
        HOURS,
    ),
    "Stooq": Style(
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "SPY.US,60,20260105,140000,1.5,2.5,1.25,2,1500,0\nSPY.US,60,20260105,150000,2,2.75,1.75,2.25,2500,0\n"
        "SPY.US,60,20260105,160000,2.25,3,2,2.5,3500,0\n",
        Timeframe.H1,
        HOURS,
    ),
    "German": Style(
        "Datum;Eröffnung;Hoch;Tief;Schluss;Volumen\n13.01.2026;1,5;2,5;1,25;2,0;1.500\n"
        "14.01.2026;2,0;2,75;1,75;2,25;2.500\n15.01.2026;2,25;3,0;2,0;2,5;3.500\n",
        Timeframe.D1,
        DAYS,
        TimeStyle.DAY_FIRST,
        encoding="latin-1",
    ),
    "Nasdaq": Style(
        "Date,Close/Last,Volume,Open,High,Low\n01/15/2026,$2.50,3500,$2.25,$3.00,$2.00\n"
        "01/14/2026,$2.25,2500,$2.00,$2.75,$1.75\n01/13/2026,$2.00,1500,$1.50,$2.50,$1.25\n",
        Timeframe.D1,
        DAYS,
        TimeStyle.MONTH_FIRST,
    ),
    "Investing.com": Style(
        '\ufeff"Date","Price","Open","High","Low","Vol.","Change"\n"01/15/2026","2.5","2.25","3.0","2.0","3.50K","1%"\n'
        '"01/14/2026","2.25","2.0","2.75","1.75","2.50K","1%"\n"01/13/2026","2.0","1.5","2.5","1.25","1.50K","1%"\n',
        Timeframe.D1,
        DAYS,
        TimeStyle.MONTH_FIRST,
    ),
    "Dukascopy": Style(
        "Gmt time,Open,High,Low,Close,Volume\n13.01.2026 14:00:00.000,1.5,2.5,1.25,2,1500\n"
        "13.01.2026 15:00:00.000,2,2.75,1.75,2.25,2500\n13.01.2026 16:00:00.000,2.25,3,2,2.5,3500\n",
        Timeframe.H1,
        ("2026-01-13 14:00", "2026-01-13 15:00", "2026-01-13 16:00"),
        TimeStyle.DAY_FIRST,
    ),
    "HistData in New York's time": Style(
        "20260105 090000;1.5;2.5;1.25;2.0;1500\n20260105 100000;2.0;2.75;1.75;2.25;2500\n"
        "20260105 110000;2.25;3.0;2.0;2.5;3500\n",
        Timeframe.H1,
        HOURS,
        zone="America/New_York",
    ),
    "Alpha Vantage": Style(
        "timestamp,1. open,2. high,3. low,4. close,5. volume\n2026-01-15,2.25,3,2,2.5,3500\n"
        "2026-01-14,2,2.75,1.75,2.25,2500\n2026-01-13,1.5,2.5,1.25,2,1500\n",
        Timeframe.D1,
        DAYS,
    ),
    "pandas with an index": Style(
        ",open,high,low,close,volume\n2026-01-05 14:00:00+00:00,1.5,2.5,1.25,2,1500\n"
        "2026-01-05 15:00:00+00:00,2,2.75,1.75,2.25,2500\n2026-01-05 16:00:00+00:00,2.25,3,2,2.5,3500\n",
        Timeframe.H1,
        HOURS,
    ),
    "UTF-16 with tabs": Style(
        "Date\tOpen\tHigh\tLow\tClose\tVolume\n2026-01-13\t1.5\t2.5\t1.25\t2\t1500\n"
        "2026-01-14\t2\t2.75\t1.75\t2.25\t2500\n2026-01-15\t2.25\t3\t2\t2.5\t3500\n",
        Timeframe.D1,
        DAYS,
        encoding="utf-16",
    ),
    "thousands with commas": Style(
        'Date,Open,High,Low,Close,Volume\n2026-01-13,1.5,2.5,1.25,2,"1,500"\n2026-01-14,2,2.75,1.75,2.25,"2,500"\n'
        '2026-01-15,2.25,3,2,2.5,"3,500"\n',
        Timeframe.D1,
        DAYS,
    ),
    "Kraken": Style(
        "1767621600,1.5,2.5,1.25,2,1500,12\n1767625200,2,2.75,1.75,2.25,2500,9\n1767628800,2.25,3,2,2.5,3500,7\n",
        Timeframe.H1,
        HOURS,
        TimeStyle.EPOCH_S,
    ),
    "Polygon's flat files": Style(
        "ticker,volume,open,close,high,low,window_start,transactions\nA,1500,1.5,2,2.5,1.25,1767621600000000000,1\n"
        "A,2500,2,2.25,2.75,1.75,1767625200000000000,1\nA,3500,2.25,2.5,3,2,1767628800000000000,1\n",
        Timeframe.H1,
        HOURS,
        TimeStyle.EPOCH_NS,
    ),
    "yfinance with two rows of names": Style(
        "Price,Close,High,Low,Open,Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDate,,,,,\n2026-01-13,2,2.5,1.25,1.5,1500\n"
        "2026-01-14,2.25,2.75,1.75,2,2500\n2026-01-15,2.5,3,2,2.25,3500\n",
        Timeframe.D1,
        DAYS,
    ),
    "days that begin at New York's midnight": Style(
        "Date,Open,High,Low,Close,Volume\n2026-01-13 00:00:00-05:00,1.5,2.5,1.25,2,1500\n"
        "2026-01-14 00:00:00-05:00,2,2.75,1.75,2.25,2500\n2026-01-15 00:00:00-05:00,2.25,3,2,2.5,3500\n",
        Timeframe.D1,
        DAYS,
    ),
    "dates of a place": Style(
        "01/13/2026,1.5,2.5,1.25,2,1500\n01/14/2026,2,2.75,1.75,2.25,2500\n01/15/2026,2.25,3,2,2.5,3500\n",
        Timeframe.D1,
        DAYS,
        TimeStyle.MONTH_FIRST,
        zone="America/New_York",
    ),
    "Dukascopy in local time": Style(
        "Local time,Open,High,Low,Close,Volume\n13.01.2026 15:00:00.000 GMT+0100,1.5,2.5,1.25,2,1500\n"
        "13.01.2026 16:00:00.000 GMT+0100,2,2.75,1.75,2.25,2500\n13.01.2026 17:00:00.000 GMT+0100,2.25,3,2,2.5,3500\n",
        Timeframe.H1,
        ("2026-01-13 14:00", "2026-01-13 15:00", "2026-01-13 16:00"),
        TimeStyle.DAY_FIRST,
    ),
    "Interactive Brokers": Style(
        "date,open,high,low,close,volume\n20260105 09:00:00 US/Eastern,1.5,2.5,1.25,2,1500\n"
        "20260105 10:00:00 US/Eastern,2,2.75,1.75,2.25,2500\n20260105 11:00:00 US/Eastern,2.25,3,2,2.5,3500\n",
        Timeframe.H1,
        HOURS,
    ),
    "hours of half a day": Style(
        "Date,Symbol,Open,High,Low,Close,Volume BTC\n2026-01-05 02-PM,BTC,1.5,2.5,1.25,2,1500\n"
        "2026-01-05 03-PM,BTC,2,2.75,1.75,2.25,2500\n2026-01-05 04-PM,BTC,2.25,3,2,2.5,3500\n",
        Timeframe.H1,
        HOURS,
    ),
    "names of months, and years of two digits": Style(
        "Date,Open,High,Low,Close,Volume\n13-Jan-26,1.5,2.5,1.25,2,1500\n14-Jan-26,2,2.75,1.75,2.25,2500\n"
        "15-Jan-26,2.25,3,2,2.5,3500\n",
        Timeframe.D1,
        DAYS,
    ),
    "minutes without a sign between": Style(
        "date,open,high,low,close,volume\n202601051400,1.5,2.5,1.25,2,1500\n202601051500,2,2.75,1.75,2.25,2500\n"
        "202601051600,2.25,3,2,2.5,3500\n",
        Timeframe.H1,
        HOURS,
    ),
}  # fmt: skip


HEAD = b"ts,open,high,low,close,volume\n"
ROW = b"2026-01-05,1,2,1,2,5\n"


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> BarTable:
    path = tmp_path / "bars.csv"
    path.write_bytes(text.encode(encoding))
    return read_table(path)


def taken(tmp_path: Path, text: str, timeframe: Timeframe = Timeframe.H1) -> Understood:
    found = table(tmp_path, text)
    return understand(found.cells, read_header(found.header, found.cells), timeframe, ALWAYS)


@pytest.mark.parametrize("name", STYLES)
def test_each_style_means_the_same_bars(name: str, tmp_path: Path) -> None:
    style = STYLES[name]
    found = table(tmp_path, style.text, style.encoding)
    reading = replace(read_header(found.header, found.cells), zone=style.zone)
    assert (reading.style, reading.timeframe) == (style.style, style.timeframe)
    understood = understand(found.cells, reading, style.timeframe, ALWAYS)
    assert (understood.bad, understood.bad_count) == ((), 0)
    bars = understood.bars
    assert bars["ts"].tolist() == [pd.Timestamp(start, tz="UTC") for start in style.starts]
    assert bars[["open", "high", "low", "close"]].to_numpy().tolist() == [list(row) for row in PRICES]
    assert bars["volume"].tolist() == [1500.0, 2500.0, 3500.0]


def test_what_was_guessed_is_said(tmp_path: Path) -> None:
    found = table(tmp_path, "date,open,high,low,close\n02/03/2026,1,2,1,2\n01/03/2026,1,2,1,2\n")
    reading = read_header(found.header, found.cells)
    assert reading.notes == (
        "There is no volume; it is stored as 0.",
        "Whether day or month comes first cannot be seen; the day is taken,"
        " since the rows are nearer to each other then.",
        "Its times name no zone, so they are taken as UTC.",
        "The newest row comes first; the order is turned around.",
    )


def test_a_float_comes_out_as_it_went_in(tmp_path: Path) -> None:
    values = ["0.1", "1e-7", "123456789.123456789", "0.30000000000000004", "5e-324"]
    rows = "".join(f"2026-01-0{day}T00:00:00Z,1,2,0.5,1,{value}\n" for day, value in enumerate(values, 1))
    understood = taken(tmp_path, "ts,open,high,low,close,volume\n" + rows, Timeframe.D1)
    assert understood.bars["volume"].tolist() == [float(value) for value in values]


def test_bad_rows_are_named_and_left_out(tmp_path: Path) -> None:
    understood = taken(
        tmp_path,
        "ts,open,high,low,close,volume\n2026-01-05T00:00:00Z,1,2,1,2,5\n2026-01-05T01:00:00Z,1,2,1,,5\n"
        "2026-01-05T02:00:00Z,1,0.5,1,2,5\nyesterday,1,2,1,2,5\n2026-01-05T03:00:00Z,1,2,1,2,-5\n",
    )
    assert (len(understood.bars), understood.bad_count, understood.rows) == (1, 4, 5)
    assert [(row.position, row.reason) for row in understood.bad] == [
        (1, "a value is missing or not a finite number"),
        (2, "its high is below its open or close"),
        (3, "its time 'yesterday' cannot be read"),
        (4, "its volume is negative"),
    ]


def test_positions_are_those_of_the_file_also_when_the_newest_comes_first(tmp_path: Path) -> None:
    understood = taken(
        tmp_path,
        "ts,open,high,low,close\n2026-01-05T02:00:00Z,1,2,1,2\n2026-01-05T01:00:00Z,0,2,1,2\n2026-01-05T00:00:00Z,1,2,1,2\n",
    )
    assert [row.position for row in understood.bad] == [1]
    assert understood.bars["ts"].is_monotonic_increasing


def test_lines_with_too_few_cells_are_named_by_their_line(tmp_path: Path) -> None:
    found = table(tmp_path, "ts,open,high,low,close\n2026-01-05T00:00:00Z,1,2,1,2\n2026-01-05T01:00:00Z,1,2\n")
    assert (len(found.cells), found.broken_count, found.first_line) == (1, 1, 2)
    assert found.broken[0].reason == "it has 3 cells, the others 5"


def test_bad_rows_of_a_text_file_are_named_by_their_line(tmp_path: Path) -> None:
    """Row 0 is in line 2, a broken line moves what comes after it, and a second part goes on from the first."""
    first = table(tmp_path, "ts,open,high,low,close\n2026-01-05T00:00:00Z,0,2,1,2\n1,2\n2026-01-05T01:00:00Z,0,2,1,2\n")
    reading = read_header(first.header, first.cells)
    second = replace(first, broken=(), broken_count=0)
    understood = read_all([first, second], reading, Timeframe.H1, ALWAYS)
    assert [row.line for row in understood.bad] == [2, 3, 4, 5, 6]
    said = BadBars(understood.bad, count=understood.bad_count, of=understood.rows).detail
    assert "line 3: it has 2 cells" in said
    assert "line 2 (" in said


def test_only_the_first_bad_rows_are_told(tmp_path: Path) -> None:
    understood = taken(tmp_path, "ts,open,high,low,close\n" + "2026-01-05T00:00:00Z,0,2,1,2\n" * 50)
    assert (len(understood.bad), understood.bad_count) == (20, 50)


def test_a_local_hour_that_the_clocks_repeat_is_no_moment(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "time,open,high,low,close\n2025-11-02 00:00,1,2,1,2\n2025-11-02 01:00,1,2,1,2\n2025-11-02 02:00,1,2,1,2\n",
    )
    reading = replace(read_header(found.header, found.cells), zone="America/New_York")
    understood = understand(found.cells, reading, Timeframe.H1, ALWAYS)
    assert [(row.position, row.reason) for row in understood.bad] == [
        (1, "the clocks of America/New_York skip or repeat the hour 2025-11-02 01:00")
    ]
    assert understood.bars["ts"].dt.hour.tolist() == [4, 7]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"   \n\n", "empty"),
        (b"hello\nworld\n", "No table with at least 5 columns"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "neither CSV nor Parquet"),
        (b"PAR1 but then something else", "no Parquet file"),
        (b"x" * 100_000, "first line is longer"),
        (HEAD + ROW + b"x" * 3_000_000 + b"\n", "a line longer than 1,048,576 bytes"),
        (HEAD.strip(), "a header, and no row"),
        (HEAD + ROW + b'"2026-01-06,1,2,1,2,5\n' + ROW, "never closed; the last one is in line 3"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bars"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=reason):
        read_table(path)


def test_what_follows_an_open_quotation_mark_is_never_lost_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "bars"
    path.write_bytes(HEAD + ROW + b'"2026-01-06,1,2,1,2,5\n2026-01-07,1,2,1,2,5"\n' + ROW)
    found = read_table(path)
    assert (len(found.cells), found.broken_count) == (2, 1)


def test_empty_lines_between_the_rows_are_none(tmp_path: Path) -> None:
    found = table(tmp_path, "ts,open,high,low,close\n\n2026-01-05,1,2,1,2\n\n2026-01-06,1,2,1,2\n\n")
    assert len(found.cells) == 2


def test_what_may_not_be_finished_and_what_is_of_no_market_is_no_bar(tmp_path: Path) -> None:
    found = table(tmp_path, "ts,open,high,low,close\n1899-12-31,1,2,1,2\n2026-01-05,1,2,1,2\n2026-01-06,1,2,1,2\n")
    reading = read_header(found.header, found.cells)
    now = datetime(2026, 1, 6, 20, tzinfo=UTC)
    understood = understand(found.cells, reading, Timeframe.D1, ALWAYS, until=now)
    assert [row.reason for row in understood.bad] == [
        "its time is before 1900",
        "it ends after now, so it may not be finished",
    ]
    assert len(understand(found.cells, reading, Timeframe.D1, ALWAYS, until=now + timedelta(hours=4)).bars) == 2


def test_two_rows_do_not_make_a_series_of_a_century_of_minutes(tmp_path: Path) -> None:
    found = table(tmp_path, "ts,open,high,low,close\n1926-01-05,1,2,1,2\n2026-01-05,1,2,1,2\n")
    understood = understand(found.cells, read_header(found.header, found.cells), Timeframe.M1, ALWAYS)
    series = Series(provider="import", symbol="MINE", timeframe=Timeframe.M1, owner=uuid4())
    store = FakeBarStore(FakeClock())
    with pytest.raises(BadFile, match=r"52,596,001 bars of 1m; at most 20,000,000"):
        store_import(
            store, understood, series, instrument_of_import(series, ALWAYS, "USD"), source="x", accept_bad=False
        )
    assert store.manifest(series) is None


def test_columns_that_nobody_knows_are_named(tmp_path: Path) -> None:
    found = table(tmp_path, "when,a,b,high,low\n2026-01-05,1,2,3,4\n")
    with pytest.raises(BadFile, match=r"recognised as time, open, close\. The file has 'when', 'a'"):
        read_header(found.header, found.cells)


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataTooLarge, match="100 columns"):
        table(tmp_path, ",".join(f"c{number}" for number in range(100)) + "\n" + ",".join("1" * 100) + "\n")


def test_a_preview_reads_the_first_rows_alone(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    rows = "".join(f"{1767571200 + hour * 3600},1,2,1,2,5\n" for hour in range(50_000))
    path.write_text("time,open,high,low,close,volume\n" + rows)
    assert len(read_table(path, most_rows=100).cells) == 100
    assert len(read_table(path).cells) == 50_000


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_what_is_exported_can_be_imported_bit_for_bit(write: object, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    low, high = rng.uniform(0.1, 1.0, 500), rng.uniform(1.0, 2.0, 500)
    bars = pd.DataFrame(
        {
            "ts": pd.date_range("2026-01-05", periods=500, freq="1h", tz="UTC").astype("datetime64[us, UTC]"),
            "open": rng.uniform(low, high),
            "high": high,
            "low": low,
            "close": rng.uniform(low, high),
            "volume": rng.exponential(1e5, 500),
        }
    )
    path = tmp_path / "export"
    write(bars, path)  # type: ignore[operator]  # one of two functions
    found = read_table(path)
    reading = read_header(found.header, found.cells)
    understood = understand(found.cells, reading, Timeframe.H1, ALWAYS)
    pd.testing.assert_frame_equal(understood.bars, bars, check_exact=True)


def test_a_reading_can_be_corrected(tmp_path: Path) -> None:
    found = table(tmp_path, "when,a,b,c,d\n05/01/2026,1,3,0.5,2\n06/01/2026,2,4,1.5,3\n")
    reading = Reading(
        columns={"open": "a", "high": "b", "low": "c", "close": "d"}, time="when", style=TimeStyle.DAY_FIRST
    )
    understood = understand(found.cells, reading, Timeframe.D1, ALWAYS)
    assert understood.bars["ts"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-05", "2026-01-06"]


def read(path: Path, timeframe: Timeframe = Timeframe.D1, *, zone: str = "UTC") -> Understood:
    found = read_table(path)
    reading = read_header(found.header, found.cells, told=Told(zone=zone), delimiter=found.delimiter)
    return understand(found.cells, reading, timeframe, ALWAYS)


@pytest.mark.parametrize(
    ("text", "prices"),
    [
        ('2026-01-13,"43,250","43,999","42,100","43,100",5\n', [43250.0, 43999.0, 42100.0, 43100.0]),
        ("2026-01-13;110,123;110,234;109,987;110,111;5\n", [110.123, 110.234, 109.987, 110.111]),
        ('2026-01-13,"0,123","0,234","0,100","0,111",5\n', [0.123, 0.234, 0.1, 0.111]),
        ('2026-01-13,"1,23,456.5","1,24,000.0","1,23,000.0","1,23,500.0",5\n', [123456.5, 124000, 123000, 123500]),
        ("2026-01-13,1.13K,2.01K,1.01K,1.99K,5\n", [1130.0, 2010.0, 1010.0, 1990.0]),
    ],
)
def test_commas_and_suffixes_mean_what_they_say(text: str, prices: list[float], tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(
        ("date;open;high;low;close;volume\n" if ";" in text else "date,open,high,low,close,volume\n") + text
    )
    understood = read(path)
    assert understood.bars[["open", "high", "low", "close"]].to_numpy().tolist() == [prices]


def test_whether_commas_are_thousands_is_said_where_it_cannot_be_seen(tmp_path: Path) -> None:
    found = table(tmp_path, 'date,open,high,low,close\n2026-01-13,"43,250","43,999","42,100","43,100"\n')
    notes = read_header(found.header, found.cells, delimiter=found.delimiter).notes
    assert any("thousands are taken" in note for note in notes)


@pytest.mark.parametrize("price", ["1,1", "1,10", "12,34.5", "1_000", "(10)", "True", "1K2", "1e3K"])
def test_a_number_written_by_no_rule_is_none(price: str, tmp_path: Path) -> None:
    understood = taken(
        tmp_path, f'ts,open,high,low,close\n2026-01-05,1.5,2,1,2\n2026-01-06,1,9999,1,"{price}"\n', Timeframe.D1
    )
    assert [row.reason for row in understood.bad] == ["a value is missing or not a finite number"]


def test_a_point_among_decimal_commas_is_no_mark_of_decimals(tmp_path: Path) -> None:
    understood = taken(tmp_path, "ts;open;high;low;close;volume\n2026-01-05;1,5;2,5;1,5;2,5;1500.25\n", Timeframe.D1)
    assert understood.bad_count == 1


@pytest.mark.parametrize("text", ["now", "today", "10:00", "2026-01", "9", "2026-01-06 09:00 CST", "13/13/2026"])
def test_what_a_lenient_parser_would_make_a_time_of_is_none(text: str, tmp_path: Path) -> None:
    understood = taken(tmp_path, f"ts,open,high,low,close\n2026-01-05,1,2,1,2\n{text},1,2,1,2\n", Timeframe.D1)
    assert [row.reason for row in understood.bad] == [f"its time '{text}' cannot be read"]


def test_times_with_and_without_a_zone_in_one_file_are_each_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(
        "ts,open,high,low,close\n2026-01-05 14:00,1,2,1,2\n2026-01-05 20:00+00:00,1,2,1,2\n"
        "2026-01-05 16:00-05:00,1,2,1,2\n"
    )
    assert read(path, Timeframe.H1, zone="America/New_York").bars["ts"].dt.hour.tolist() == [19, 20, 21]


def test_the_thirteenth_of_a_month_says_far_down_that_days_come_first(tmp_path: Path) -> None:
    minutes = pd.date_range("2026-02-12 12:00", "2026-02-13 12:00", freq="1min")
    rows = "".join(f"{minute:%d/%m/%Y %H:%M},1,2,1,2\n" for minute in minutes)
    understood = taken(tmp_path, "date,open,high,low,close\n" + rows, Timeframe.M1)
    assert understood.bars["ts"].tolist() == list(minutes.tz_localize("UTC"))


def test_a_date_of_the_other_order_is_never_turned_around(tmp_path: Path) -> None:
    understood = taken(
        tmp_path, "date,open,high,low,close\n01/13/2026,1,2,1,2\n01/14/2026,1,2,1,2\n15/01/2026,1,2,1,2\n", Timeframe.D1
    )
    assert understood.bars.empty or understood.bad_count > 0


@pytest.mark.parametrize("volume", ["", "-", "--", "N/A"])
def test_an_empty_volume_is_none(volume: str, tmp_path: Path) -> None:
    found = table(
        tmp_path, f"Date,Price,Open,High,Low,Vol.\n01/13/2026,2,1,2,1,{volume}\n01/14/2026,2,1,2,1,{volume}\n"
    )
    reading = read_header(found.header, found.cells)
    assert "The volume 'Vol.' is empty; it is stored as 0." in reading.notes
    assert understand(found.cells, reading, Timeframe.D1, ALWAYS).bars["volume"].tolist() == [0.0, 0.0]


def test_which_of_several_columns_was_taken_is_said(tmp_path: Path) -> None:
    found = table(tmp_path, "time,timestamp,open,high,low,close,Close\n2026-01-05,2026-02-05,1,2,1,2,1\n")
    notes = read_header(found.header, found.cells).notes
    assert "The time is taken from 'timestamp', not from 'time'." in notes
    assert "The close is taken from 'close', not from 'Close'." in notes


@pytest.mark.parametrize(
    ("head", "step"),
    [
        (b"PK\x03\x04", "an Excel workbook or a ZIP archive. Save its sheet as CSV"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
        (b"\x1f\x8b\x08", "packed by gzip. Unpack it"),
        (b"ARROW1", "Write it as Parquet"),
    ],
)
def test_files_of_another_kind_are_named_with_what_to_do(head: bytes, step: str, tmp_path: Path) -> None:
    path = tmp_path / "bars"
    path.write_bytes(head + bytes(100))
    with pytest.raises(BadFile, match=step):
        read_table(path)


def test_two_symbols_in_one_table_are_refused(tmp_path: Path) -> None:
    text = "Price,Close,Close,High,High,Low,Low,Open,Open\nTicker,A,B,A,B,A,B,A,B\nDate,,,,,,,,\n2026-01-05" + ",1" * 8
    with pytest.raises(BadFile, match="bars of A, B"):
        table(tmp_path, text + "\n")


PARQUET = pd.DataFrame(
    {"open": [1.0, 2.0], "high": [2.0, 3.0], "low": [1.0, 2.0], "close": [2.0, 3.0], "volume": [5.0, 6.0]},
    index=pd.DatetimeIndex(["2026-01-05", "2026-01-06"], tz="America/New_York"),
)


@pytest.mark.parametrize(
    "frame",
    [
        PARQUET,
        PARQUET.rename_axis("Date"),
        PARQUET.tz_localize(None).reset_index(names="date"),
        PARQUET.set_axis(pd.MultiIndex.from_product([PARQUET.columns, ["SPY"]]), axis=1),
        PARQUET.map(lambda number: Decimal(str(number))),
    ],
)
def test_each_form_of_parquet_means_the_same_bars(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    frame.to_parquet(path)
    bars = read(path).bars
    assert bars["ts"].dt.strftime("%Y-%m-%d %H").tolist() == ["2026-01-05 00", "2026-01-06 00"]
    assert bars[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == PARQUET.to_numpy().tolist()


@pytest.mark.parametrize("price", [float("nan"), float("inf"), True])
def test_what_is_no_number_in_parquet_is_a_bad_row(price: float, tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    PARQUET.assign(open=[price, price]).to_parquet(path)
    assert [row.reason for row in read(path).bad] == ["a value is missing or not a finite number"] * 2


METATRADER = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"


@pytest.mark.parametrize(
    ("ticks", "real", "column", "note"),
    [
        (120, 0, "<TICKVOL>", "The volume is taken from '<TICKVOL>', not from '<VOL>', which is 0 throughout."),
        (120, 5000, "<VOL>", "The volume is taken from '<VOL>', not from '<TICKVOL>'."),
        (0, 0, "<VOL>", "The volume is taken from '<VOL>', not from '<TICKVOL>', which is 0 throughout."),
    ],
)
def test_real_volume_is_taken_unless_it_is_zero_throughout(
    ticks: int, real: int, column: str, note: str, tmp_path: Path
) -> None:
    rows = "".join(f"2026.01.05\t{hour:02}:00:00\t1.1\t1.2\t1.0\t1.15\t{ticks}\t{real}\t3\n" for hour in range(5))
    found = table(tmp_path, METATRADER + rows)
    reading = read_header(found.header, found.cells, delimiter=found.delimiter)
    assert reading.columns["volume"] == column
    assert note in reading.notes


def test_a_volume_of_numbers_that_is_zero_throughout_is_not_preferred(tmp_path: Path) -> None:
    hours = pd.date_range("2026-01-05", periods=3, freq="1h", tz="UTC")
    prices = {name: [1.0, 2.0, 3.0] for name in ("open", "high", "low", "close")}
    pd.DataFrame({"time": hours, **prices, "tick_volume": [5, 6, 7], "volume": [0, 0, 0]}).to_parquet(
        tmp_path / "mt5.parquet"
    )
    found = read_table(tmp_path / "mt5.parquet")
    assert read_header(found.header, found.cells).columns["volume"] == "tick_volume"


def minutes(count: int) -> list[str]:
    return [f"{1767571200 + minute * 60},1,2,0.5,1.5,{minute}" for minute in range(count)]


@pytest.mark.parametrize("is_newest_first", [False, True])
def test_each_bad_row_is_named_by_its_line_in_whatever_part_of_a_file_it_is(
    is_newest_first: bool, tmp_path: Path
) -> None:
    rows = minutes(700_000)  # two parts
    rows[9] = "soon,1,2,0.5,1.5,3"
    rows[10] = rows[8]  # as that before the one that cannot be read
    rows[600_000] = rows[500_000]
    rows[600_001] = "1,2,3"
    rows[600_003] = "soon,1,2,0.5,1.5,3"
    if is_newest_first:
        rows.reverse()
    path = tmp_path / "minutes.csv"
    path.write_text("\n".join(["ts,open,high,low,close,volume", *rows]) + "\n")
    first = read_table(path, most_rows=200)
    understood = read_all(read_tables(path), read_header(first.header, first.cells), Timeframe.M1, ALWAYS)
    said = {row.line: row.reason for row in understood.bad}
    lines = [9, 10, 600_000, 600_001, 600_003]
    of = {place: 700_001 - place if is_newest_first else place + 2 for place in lines}
    # Of two rows with one time, the one that comes later in time's order is the bad one.
    assert set(said) == set(of.values())
    assert said[of[600_001]].startswith("it has 3 cells")
    assert "cannot be read" in said[of[9]]
    assert "cannot be read" in said[of[600_003]]
    assert said[of[10]] == "it has the same time as a row before"
    assert "before" in said[of[600_000]]
    assert (understood.bad_count, len(understood.bars), understood.rows) == (5, 699_995, 700_000)


def test_one_row_of_next_year_at_the_top_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    rows = ["1790000000,1,2,0.5,1.5,1", *minutes(300_000)]
    rows[0] = f"{1767571200 + 86_400 * 300},1,2,0.5,1.5,1"
    path.write_text("\n".join(["ts,open,high,low,close,volume", *rows]) + "\n")
    first = read_table(path, most_rows=200)
    understood = read_all(read_tables(path), read_header(first.header, first.cells), Timeframe.M1, ALWAYS)
    assert (understood.bad_count, len(understood.bars)) == (300_000, 1)
    assert understood.bad[0].line == 3
    assert [row.line for row in understood.bad] == list(range(3, 23))


def test_what_is_told_of_a_file_is_not_looked_for(tmp_path: Path) -> None:
    text = "when;a;b;c;d;n\n05/01/2026;1,5;3;0,5;2;7\n06/01/2026;2,5;4;1,5;3;8\n"
    found = table(tmp_path, text)
    columns = {"time": "when", "open": "a", "high": "b", "low": "c", "close": "d", "volume": "n"}
    told = Told(columns=columns, style=TimeStyle.DAY_FIRST, decimal=",", zone="Europe/Berlin")
    reading = read_header(found.header, found.cells, told=told, delimiter=found.delimiter)
    assert (reading.decimal, reading.style, reading.zone) == (",", TimeStyle.DAY_FIRST, "Europe/Berlin")
    bars = understand(found.cells, reading, Timeframe.D1, ALWAYS).bars
    assert bars["ts"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-05", "2026-01-06"]
    assert (bars["open"].tolist(), bars["volume"].tolist()) == ([1.5, 2.5], [7.0, 8.0])
    assert not any("cannot be seen" in note for note in reading.notes)

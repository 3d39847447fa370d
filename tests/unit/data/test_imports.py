"""Files with bars as people have them: each style is read as what it means, and every bad row is named."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from backend.data.bar_tables import read_table, write_csv, write_parquet
from backend.domain.imports import BarTable, Reading, TimeStyle, Understood, read_header, understand
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
        "Whether day or month comes first cannot be seen; the month is taken.",
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
        (3, "its time cannot be read"),
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
    assert [row.line for row in understood.bad] == [3, 2, 4, 5, 6]
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
    assert [(row.position, row.reason) for row in understood.bad] == [(1, "its time cannot be read")]
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

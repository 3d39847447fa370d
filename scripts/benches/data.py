"""The market cache: a year of one-minute bars read, cut, appended to and weighed, beside pyarrow and raw memory."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backend.data.storage.bars import ParquetBarStore
from backend.data.storage.bars.blocks import Block, empty_block, frame_over, starts_of
from backend.domain.bars import COLUMNS
from backend.domain.grid import microseconds, moment
from backend.domain.market import ALWAYS, Instrument, Series, Span, Timeframe
from backend.domain.market_ports import FetchedPage
from backend.infrastructure.clock import SystemClock
from scripts.benches.figures import Figure, at_most

BARS = 525_600
DAY = 1_440
YEAR = Span(start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, tzinfo=UTC))
SERIES = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.M1)
INSTRUMENT = Instrument(
    provider="demo", symbol="BTC/USDT", name="A random walk", calendar=ALWAYS, currency="USDT", tick=0.01
)
PROCESSES = 11
NAMES = ("ts", *COLUMNS)


def run() -> Sequence[Figure]:
    return [*cache()]


def cache() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        root = Path(folder)
        _say("writing a year of bars in each way")
        bars = walk(BARS)
        _write_all(root, bars)
        yield from _reads(root)
        yield from _months(root)
        yield from _appends(root, bars)
        yield from _sizes(root, bars)


def walk(count: int, start: datetime = YEAR.start, seed: int = 7) -> Block:
    """One-minute bars of a market with a tick of a cent, whose volumes have five decimals."""
    random = np.random.default_rng(seed)
    moves = np.exp(random.normal(0, 0.5, count)) * 0.0006
    close = np.round(4_000_000 * np.exp(np.cumsum(random.normal(0, 0.7, count) * moves)))
    opened = np.r_[close[:1], close[:-1]] + np.where(random.random(count) < 0.2, random.integers(-3, 4, count), 0)
    reach = np.round(np.abs(random.normal(0, 0.4, (2, count))) * moves * close)
    block = empty_block(count)
    starts_of(block)[:] = microseconds(start) + np.arange(count) * 60_000_000
    prices = [opened, np.maximum(opened, close) + reach[0], np.minimum(opened, close) - reach[1], close]
    block[1:5] = np.array(prices) / 100
    block[5] = np.round(np.exp(random.normal(2.5, 1.0, count)) * 1e5) / 1e5
    return block


# The ways to keep a year of bars, each read into arrays that one can compute with.


def _write_all(root: Path, bars: Block) -> None:
    np.save(root / "raw.npy", bars)
    (root / "months").mkdir()
    for month, part in _by_month(bars):
        _write_parquet(part, root / "months" / f"{month:02}.parquet")
    _write_parquet(bars, root / "plain.parquet")
    frame_over(bars).to_parquet(root / "pandas.parquet")
    _store(root).write(INSTRUMENT, SERIES, _page(bars), source="a benchmark")


def _write_parquet(bars: Block, path: Path) -> None:
    """As pyarrow does it best without a thought for ticks: bytes split by place, a quick codec, checksums."""
    columns = {"ts": pa.array(starts_of(bars)), **{name: bars[row] for row, name in enumerate(COLUMNS, start=1)}}
    pq.write_table(
        pa.table(columns),
        path,
        compression="lz4",
        use_dictionary=False,
        column_encoding={name: "DELTA_BINARY_PACKED" if name == "ts" else "BYTE_STREAM_SPLIT" for name in NAMES},
        write_page_checksum=True,
    )


def _read_raw(root: Path) -> Any:
    return np.array(np.load(root / "raw.npy", mmap_mode="r"))


def _read_plain(root: Path) -> Any:
    return _arrays(pq.read_table(root / "plain.parquet", memory_map=True, page_checksum_verification=True))


def _read_months(root: Path) -> Any:
    paths = sorted((root / "months").iterdir())
    return _arrays(pa.concat_tables(pq.read_table(path, page_checksum_verification=True) for path in paths))


def _read_pandas(root: Path) -> Any:
    return pd.read_parquet(root / "pandas.parquet")


def _read_ours(root: Path) -> Any:
    return _store(root).read(SERIES)


def _arrays(table: pa.Table) -> list[Any]:
    return [column.to_numpy() for column in table.columns]


WAYS: dict[str, Callable[[Path], Any]] = {
    "raw memory": _read_raw,
    "pyarrow, one file": _read_plain,
    "pyarrow, monthly files": _read_months,
    "pandas": _read_pandas,
    "tidemark": _read_ours,
}


def _reads(root: Path) -> Iterator[Figure]:
    """Each in a process that has imported all and done nothing, in turns, so that the machine is the same for all."""
    milliseconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for turn in range(PROCESSES):
        _say(f"a full read in new processes, {turn + 1} of {PROCESSES}")
        for way, taken in milliseconds.items():
            taken.append(float(_alone(way, root)))
    medians = {way: statistics.median(taken) for way, taken in milliseconds.items()}
    work, peer = (
        "full read, first in a new process",
        min(medians["pyarrow, one file"], medians["pyarrow, monthly files"]),
    )
    for way, median in medians.items():
        if way != "tidemark":
            yield Figure(work=work, engine=way, value=median, unit="ms")
    yield at_most(work, medians["tidemark"], "ms", 12, ratio=medians["tidemark"] / peer, ratio_to="pyarrow")
    store = _store(root)
    store.read(SERIES)
    again = _median(lambda: store.read(SERIES), 200)
    raw = medians["raw memory"]
    yield at_most("full read, read before", again, "ms", 2, ratio=again / raw, ratio_to="raw memory")


def _alone(way: str, root: Path) -> str:
    command = [sys.executable, "-m", "scripts.benches.data", way, str(root)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _months(root: Path) -> Iterator[Figure]:
    """Each of the twelve months, which nobody has read before."""
    _say("single months")
    spans = [Span(start=YEAR.start.replace(month=month), end=_after(month)) for month in range(1, 13)]
    edges = [(microseconds(span.start), microseconds(span.end)) for span in spans]

    def ours() -> Iterator[Callable[[], Any]]:
        store = _store(root)
        return (lambda span=span: store.read(SERIES, span) for span in spans)  # type: ignore[misc]

    def raw() -> Iterator[Callable[[], Any]]:
        mapped = np.load(root / "raw.npy", mmap_mode="r")
        starts = starts_of(np.asarray(mapped))
        return (lambda edge=edge: np.array(mapped[:, slice(*np.searchsorted(starts, edge))]) for edge in edges)  # type: ignore[misc]

    def monthly() -> Iterator[Callable[[], Any]]:
        paths = sorted((root / "months").iterdir())
        return (lambda path=path: _arrays(pq.read_table(path, page_checksum_verification=True)) for path in paths)  # type: ignore[misc]

    def pandas() -> Iterator[Callable[[], Any]]:
        path = root / "pandas.parquet"
        filters = ([("ts", ">=", span.start), ("ts", "<", span.end)] for span in spans)
        return (lambda wanted=wanted: pd.read_parquet(path, filters=wanted) for wanted in filters)  # type: ignore[misc]

    medians = {}
    for way, make in (("raw memory", raw), ("pyarrow, monthly files", monthly), ("pandas", pandas), ("tidemark", ours)):
        medians[way] = statistics.median(_taken(read) for _ in range(5) for read in make())
        if way != "tidemark":
            yield Figure(work="one month of it", engine=way, value=medians[way], unit="ms")
    mine, peer = medians["tidemark"], medians["pyarrow, monthly files"]
    yield at_most("one month of it", mine, "ms", 1.5, ratio=mine / peer, ratio_to="pyarrow")


def _appends(root: Path, bars: Block) -> Iterator[Figure]:
    """The days of a month, one after the other, by a process that remembers nothing of the series."""
    _say("appending days")
    peer = _median_of(_rewriting_months(root, bars))
    yield Figure(work="append a day", engine="pyarrow, month file rewritten", value=peer, unit="ms")
    yield Figure(work="append a day", engine="pandas", value=_median_of(_rewriting_all(root, bars), most=5), unit="ms")
    for years in (1, 10):
        place = root / f"{years} years"
        _fill(place, years)
        taken = _median_of(_appending(place, bars, durable=False))
        yield at_most(f"append a day to {_years(years)}", taken, "ms", 8, ratio=taken / peer, ratio_to="pyarrow")
    yield Figure(
        work="append a day to 10 years, safe from loss of power",
        engine="tidemark",
        value=_median_of(_appending(place, bars, durable=True)),
        unit="ms",
    )
    streaming = _store(place, durable=False)
    pages = [_page(bars[:, row : row + 1_000]) for row in range(60 * DAY, 90 * DAY, 1_000)]
    taken = statistics.median(
        _taken(lambda page=page: streaming.write(INSTRUMENT, SERIES, page, source="a benchmark"))  # type: ignore[misc]
        for page in pages
    )
    yield Figure(work="append a page of 1,000 bars, one of a stream", engine="tidemark", value=taken, unit="ms")


def _fill(place: Path, years: int) -> None:
    """So many years before the one whose days are appended."""
    store = _store(place, durable=False)
    for year in range(YEAR.start.year - years, YEAR.start.year):
        start = datetime(year, 1, 1, tzinfo=UTC)
        count = (datetime(year + 1, 1, 1, tzinfo=UTC) - start) // timedelta(minutes=1)
        store.write(INSTRUMENT, SERIES, _page(walk(count, start, seed=year)), source="a benchmark")


def _appending(place: Path, bars: Block, *, durable: bool) -> Iterator[Callable[[], Any]]:
    store = _store(place, durable=durable, remembered_bytes=0)
    for day in range(31, 59) if durable else range(31):
        page = _page(bars[:, day * DAY : (day + 1) * DAY])
        yield lambda page=page: store.write(INSTRUMENT, SERIES, page, source="a benchmark")  # type: ignore[misc]


def _rewriting_months(root: Path, bars: Block) -> Iterator[Callable[[], Any]]:
    path = root / "appended.parquet"
    for day in range(31):
        if day == 0:
            _write_parquet(bars[:, :1], path)

        def append(day: int = day) -> None:
            before = pq.read_table(path)
            page = bars[:, day * DAY : (day + 1) * DAY]
            columns = {"ts": starts_of(page), **{name: page[row] for row, name in enumerate(COLUMNS, start=1)}}
            block = block_from(pa.concat_tables([before, pa.table(columns)]))
            _write_parquet(block, path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)

        yield append


def block_from(table: pa.Table) -> Block:
    block = empty_block(table.num_rows)
    starts_of(block)[:] = table["ts"].to_numpy()
    for row, name in enumerate(COLUMNS, start=1):
        block[row] = table[name].to_numpy()
    return block


def _rewriting_all(root: Path, bars: Block) -> Iterator[Callable[[], Any]]:
    path = root / "pandas-appended.parquet"
    shutil.copy(root / "pandas.parquet", path)
    for day in range(5):
        page = frame_over(bars[:, day * DAY : (day + 1) * DAY])
        yield lambda page=page: pd.concat([pd.read_parquet(path), page]).to_parquet(path)  # type: ignore[misc]


def _sizes(root: Path, bars: Block) -> Iterator[Figure]:
    _say("weighing")
    frame_over(bars).assign(ts=np.datetime_as_string(starts_of(bars).view("M8[us]"), unit="s")).to_csv(
        root / "bars.csv", index=False
    )
    csv = (root / "bars.csv").stat().st_size / 1e6
    work = "a year on the disk"
    yield Figure(work=work, engine="CSV", value=csv, unit="MB")
    for name in ("raw.npy", "plain.parquet", "pandas.parquet"):
        size = (root / name).stat().st_size / 1e6
        yield Figure(work=work, engine=name, value=size, unit="MB", ratio=size / csv, ratio_to="CSV")
    ours = sum(path.stat().st_size for path in (root / "store").rglob("*") if path.is_file()) / 1e6
    yield at_most(work, ours, "MB", round(csv / 5, 2), ratio=ours / csv, ratio_to="CSV")


def _store(root: Path, **options: Any) -> ParquetBarStore:
    return ParquetBarStore(root / "store", SystemClock(), **options)


def _page(bars: Block) -> FetchedPage:
    starts = starts_of(bars)
    covered = Span(start=moment(int(starts[0])), end=moment(int(starts[-1])) + SERIES.timeframe.length)
    return FetchedPage(bars=frame_over(bars), covered=covered)


def _by_month(bars: Block) -> Iterator[tuple[int, Block]]:
    for month in range(1, 13):
        edges = microseconds(YEAR.start.replace(month=month)), microseconds(_after(month))
        yield month, bars[:, slice(*np.searchsorted(starts_of(bars), edges))]


def _after(month: int) -> datetime:
    return YEAR.end if month == 12 else YEAR.start.replace(month=month + 1)


def _years(count: int) -> str:
    return "a year" if count == 1 else f"{count} years"


def _median(work: Callable[[], Any], times: int) -> float:
    return statistics.median(_taken(work) for _ in range(times))


def _median_of(works: Iterator[Callable[[], Any]], most: int = 31) -> float:
    return statistics.median([_taken(work) for work, _ in zip(works, range(most), strict=False)])


def _taken(work: Callable[[], Any]) -> float:
    """In milliseconds. What it makes is kept until the clock has stopped."""
    began = time.perf_counter()
    made = work()
    taken = 1000 * (time.perf_counter() - began)
    del made
    return taken


def _say(what: str) -> None:
    print(f"  {what}", file=sys.stderr)


if __name__ == "__main__":
    print(_taken(lambda: WAYS[sys.argv[1]](Path(sys.argv[2]))))

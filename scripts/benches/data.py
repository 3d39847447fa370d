"""The market cache: a year of one-minute bars read, cut, appended to, weighed; and the demo market, beside peers."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
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
from scripts.benches.market.demo import demo_figures
from scripts.benches.market.likeness import likeness

BARS = 525_600
DAY = 1_440
YEAR = Span(start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, tzinfo=UTC))
SERIES = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.M1)
INSTRUMENT = Instrument(
    provider="demo", symbol="BTC/USDT", name="A random walk", calendar=ALWAYS, currency="USDT", tick=0.01
)
PROCESSES = 11
NAMES = ("ts", *COLUMNS)

Read = Callable[[], Any]


def run() -> Sequence[Figure]:
    measured = [*cache()]
    _say("making a demo market")
    return [*measured, *demo_figures(), *likeness()]


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
    for month in range(1, 13):
        part = bars[:, slice(*np.searchsorted(starts_of(bars), _edges(month)))]
        _write_parquet(part, root / "months" / f"{month:02}.parquet")
    _write_parquet(bars, root / "plain.parquet")
    frame_over(bars).to_parquet(root / "pandas.parquet")
    _store(root).write(INSTRUMENT, SERIES, _page(bars), source="a benchmark")


def _write_parquet(bars: Block, path: Path) -> None:
    _write_table(pa.table(_columns(bars)), path)


def _write_table(table: pa.Table, path: Path) -> None:
    """As pyarrow does it best without a thought for ticks: bytes split by place, a quick codec, checksums."""
    pq.write_table(
        table,
        path,
        compression="lz4",
        use_dictionary=False,
        column_encoding={name: "DELTA_BINARY_PACKED" if name == "ts" else "BYTE_STREAM_SPLIT" for name in NAMES},
        write_page_checksum=True,
    )


def _columns(bars: Block) -> dict[str, Any]:
    return {"ts": starts_of(bars), **{name: bars[row] for row, name in enumerate(COLUMNS, start=1)}}


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
    again = _median_of([partial(store.read, SERIES)] * 200)
    raw = medians["raw memory"]
    yield at_most("full read, read before", again, "ms", 2, ratio=again / raw, ratio_to="raw memory")


def _alone(way: str, root: Path) -> str:
    command = [sys.executable, "-m", "scripts.benches.data", way, str(root)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _months(root: Path) -> Iterator[Figure]:
    """Each of the twelve months, which nobody has read before."""
    _say("single months")
    ways = {
        "raw memory": _raw_months,
        "pyarrow, monthly files": _monthly_files,
        "pandas": _filtered_months,
        "tidemark": _our_months,
    }
    medians = {}
    for way, reads in ways.items():
        medians[way] = statistics.median(_taken(read) for _ in range(5) for read in reads(root))
        if way != "tidemark":
            yield Figure(work="one month of it", engine=way, value=medians[way], unit="ms")
    mine, peer = medians["tidemark"], medians["pyarrow, monthly files"]
    yield at_most("one month of it", mine, "ms", 1.5, ratio=mine / peer, ratio_to="pyarrow")


def _raw_months(root: Path) -> list[Read]:
    mapped = np.load(root / "raw.npy", mmap_mode="r")
    edges = [np.searchsorted(starts_of(np.asarray(mapped)), _edges(month)) for month in range(1, 13)]
    return [partial(np.array, mapped[:, slice(*edge)]) for edge in edges]


def _monthly_files(root: Path) -> list[Read]:
    def read(path: Path) -> Any:
        return _arrays(pq.read_table(path, page_checksum_verification=True))

    return [partial(read, path) for path in sorted((root / "months").iterdir())]


def _filtered_months(root: Path) -> list[Read]:
    path, spans = root / "pandas.parquet", map(_month, range(1, 13))
    filters = [[("ts", ">=", span.start), ("ts", "<", span.end)] for span in spans]
    return [partial(pd.read_parquet, path, filters=wanted) for wanted in filters]


def _our_months(root: Path) -> list[Read]:
    store = _store(root)
    return [partial(store.read, SERIES, _month(month)) for month in range(1, 13)]


def _appends(root: Path, bars: Block) -> Iterator[Figure]:
    """The days of a month, one after the other, by a process that remembers nothing of the series."""
    _say("appending days")
    peer = _median_of(_rewriting_months(root, bars))
    yield Figure(work="append a day", engine="pyarrow, month file rewritten", value=peer, unit="ms")
    yield Figure(work="append a day", engine="pandas", value=_median_of(_rewriting_all(root, bars)), unit="ms")
    for years in ("a year", "10 years"):
        _fill(root / years, 1 if years == "a year" else 10)
        taken = _median_of(_appending(root / years, bars, range(31), durable=False))
        yield at_most(f"append a day to {years}", taken, "ms", 8, ratio=taken / peer, ratio_to="pyarrow")
    durable = _median_of(_appending(root / "10 years", bars, range(31, 59), durable=True))
    yield Figure(work="the same, safe from loss of power", engine="tidemark", value=durable, unit="ms")
    streaming = _store(root / "10 years", durable=False)
    pages = [_page(bars[:, row : row + 1_000]) for row in range(60 * DAY, 90 * DAY, 1_000)]
    streamed = _median_of(partial(streaming.write, INSTRUMENT, SERIES, page, source="a benchmark") for page in pages)
    yield Figure(work="a page of 1,000 bars, one of a stream", engine="tidemark", value=streamed, unit="ms")


def _fill(place: Path, years: int) -> None:
    """So many years before the one whose days are appended."""
    store = _store(place, durable=False)
    for year in range(YEAR.start.year - years, YEAR.start.year):
        start = datetime(year, 1, 1, tzinfo=UTC)
        count = (datetime(year + 1, 1, 1, tzinfo=UTC) - start) // timedelta(minutes=1)
        store.write(INSTRUMENT, SERIES, _page(walk(count, start, seed=year)), source="a benchmark")


def _appending(place: Path, bars: Block, days: range, *, durable: bool) -> Iterator[Read]:
    store = _store(place, durable=durable, remembered_bytes=0)
    for day in days:
        yield partial(store.write, INSTRUMENT, SERIES, _page(_day(bars, day)), source="a benchmark")


def _rewriting_months(root: Path, bars: Block) -> Iterator[Read]:
    path = root / "appended.parquet"
    _write_parquet(bars[:, :0], path)

    def append(page: Block) -> None:
        table = pa.concat_tables([pq.read_table(path, page_checksum_verification=True), pa.table(_columns(page))])
        _write_table(table.combine_chunks(), path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    return (partial(append, _day(bars, day)) for day in range(31))


def _rewriting_all(root: Path, bars: Block) -> Iterator[Read]:
    path = root / "pandas-appended.parquet"
    shutil.copy(root / "pandas.parquet", path)

    def append(page: pd.DataFrame) -> None:
        pd.concat([pd.read_parquet(path), page]).to_parquet(path)

    return (partial(append, frame_over(_day(bars, day))) for day in range(5))


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


def _month(number: int) -> Span:
    after = YEAR.end if number == 12 else YEAR.start.replace(month=number + 1)
    return Span(start=YEAR.start.replace(month=number), end=after)


def _edges(month: int) -> tuple[int, int]:
    return microseconds(_month(month).start), microseconds(_month(month).end)


def _day(bars: Block, number: int) -> Block:
    return bars[:, number * DAY : (number + 1) * DAY]


def _median_of(works: Iterable[Read]) -> float:
    return statistics.median(_taken(work) for work in works)


def _taken(work: Read) -> float:
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

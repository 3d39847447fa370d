"""Takes bars out of a stored series and bends one of them: the simulated market has no gaps of its own.

python -m tests.e2e.spoil_bars CACHE_DIR SYMBOL TIMEFRAME START
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from backend.data.storage.bars import ParquetBarStore
from backend.domain.bars import empty_bars
from backend.domain.market import Series, Span, Timeframe
from backend.domain.market_ports import FetchedPage
from backend.infrastructure.clock import SystemClock

MISSING_BARS = 30
BENT_AFTER = 100


def spoil(cache_dir: Path, series: Series, start: datetime) -> None:
    store = ParquetBarStore(cache_dir, SystemClock())
    manifest = store.manifest(series)
    assert manifest is not None, f"nothing of {series} is stored in {cache_dir}"
    length = series.timeframe.length
    gone = Span(start=start, end=start + MISSING_BARS * length)
    bent = Span(start=start + BENT_AFTER * length, end=start + (BENT_AFTER + 1) * length)
    bar = store.read(series, bent).bars.copy()
    bar["close"] = bar["close"] * 1.5
    bar["high"] = bar[["high", "close"]].max(axis=1)
    pages = (FetchedPage(bars=empty_bars(), covered=gone), FetchedPage(bars=bar, covered=bent))
    store.write(manifest.instrument, series, *pages, source=manifest.source)


if __name__ == "__main__":
    folder, symbol, timeframe, when = sys.argv[1:]
    spoil(
        Path(folder),
        Series(provider="demo", symbol=symbol, timeframe=Timeframe(timeframe)),
        datetime.fromisoformat(when).replace(tzinfo=UTC),
    )

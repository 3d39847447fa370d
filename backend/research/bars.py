"""Bars for research: out of the market cache, out of a file, or a frame of one's own."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backend.research.first_time import first_time
from backend.research.refusing import refused

if TYPE_CHECKING:
    import pandas as pd

    from backend.backtesting.record import Source
    from backend.domain.config import RunConfig
    from backend.domain.market_ports import Loaded

Moment = str | datetime
_TEXT_OF_MONTH: Final = len("2024-01")
_TEXT_OF_YEAR: Final = len("2024")
_NO_TIME: Final = "NaT"


class Bars:
    """Bars of one symbol, with what they are: `bars.frame` is the table, `bars.content_hash` names its content."""

    def __init__(self, loaded: "Loaded", detail: "Loaded | None" = None, **source: Any) -> None:
        self.loaded, self.detail = loaded, detail
        self.source = source  # file, calendar and so on, when they came from a file

    def __len__(self) -> int:
        return len(self.loaded.bars)

    @property
    def frame(self) -> "pd.DataFrame":
        return self.loaded.bars

    @property
    def symbol(self) -> str:
        return self.loaded.series.symbol

    @property
    def content_hash(self) -> str:
        return self.loaded.content_hash

    def __repr__(self) -> str:
        ts = self.frame["ts"]
        return (
            f"{self.loaded.series}: {len(self):,} bars, {ts.iloc[0]:%Y-%m-%d %H:%M} to {ts.iloc[-1]:%Y-%m-%d %H:%M} UTC"
        )


def load_bars(
    provider: str,
    symbol: str = "",
    timeframe: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    adjustment: str = "raw",
    calendar: str = "24/7",
    currency: str = "USD",
    zone: str = "UTC",
    detail: "str | Path | None" = None,
    is_file: bool | None = None,
) -> Bars:
    """Bars from the market cache, the demo market, or a file: CSV of any dialect, or Parquet.

    >>> load_bars("demo", "ETH/USDT", "1d", "2024-01-01", "2024-02-01")
    demo ETH/USDT 1d: 31 bars, 2024-01-01 00:00 to 2024-01-31 00:00 UTC

    A path takes the place of the provider; `is_file` says so where its name does not. For files there are `calendar`,
    `currency` and `zone` (of times that name none).
    `detail` is the timeframe, or the file, of shorter bars that decide what came first inside a bar.
    Times without a zone are UTC; the end is not included. Raises NoBars, BadBars and BadFile, which say what helps.
    """
    since, until = moment(start), moment(end)
    _in_order(since, until)
    with first_time("bars"):
        if _is_file(provider) if is_file is None else is_file:
            read = {"calendar": calendar, "currency": currency, "zone": zone, "start": since, "end": until}
            return _bars_of_file(Path(provider), symbol, timeframe, detail, read)
        return _bars_of_cache(_series(provider, symbol, timeframe, adjustment), since, until, detail)


def held_of(bars: "Bars | pd.DataFrame | Iterable[Bars]") -> list[Bars]:
    if isinstance(bars, Bars):
        return [bars]
    import pandas as pd

    if isinstance(bars, pd.DataFrame):
        return [_of_frame(bars)]
    anything: Any = bars
    given = [anything] if isinstance(anything, str) or not isinstance(anything, Iterable) else list(anything)
    wrong = [one for one in given if not isinstance(one, Bars | pd.DataFrame)]
    if wrong or not given:
        which = f"this is of the type {type(wrong[0]).__name__}" if wrong else "there are none here"
        raise refused("/bars", f"Bars are what load_bars returns, a pandas frame, or a list of them; {which}.")
    return [one if isinstance(one, Bars) else _of_frame(one) for one in given]


def source_of(held: Sequence[Bars]) -> "Source":
    from backend.backtesting.record import Source

    if not any(one.source.get("file") for one in held):
        return Source()
    first = held[0].source
    return Source(
        files=tuple(str(one.source.get("file") or "") for one in held),
        detail_files=tuple(str(one.source.get("detail_file") or "") for one in held),
        calendar=first.get("calendar"),
        currency=first.get("currency"),
        zone=first.get("zone"),
    )


def load_again(config: "RunConfig", source: "Source") -> list[Bars]:
    held = []
    for place, series in enumerate(config.series):
        detail = config.trading.execution.detail
        if source.files:
            inside = source.detail_files[place] if place < len(source.detail_files) else ""
            held.append(
                load_bars(
                    source.files[place],
                    series.symbol,
                    series.timeframe,
                    config.start,
                    config.end,
                    calendar=source.calendar or "24/7",
                    currency=source.currency or "USD",
                    zone=source.zone or "UTC",
                    detail=inside or None,
                )
            )
        else:
            held.append(
                load_bars(
                    series.provider,
                    series.symbol,
                    series.timeframe,
                    config.start,
                    config.end,
                    adjustment=series.adjustment,
                    detail=detail,
                )
            )
    return held


def _bars_of_file(
    path: Path, symbol: str, timeframe: str | None, detail: "str | Path | None", read: dict[str, Any]
) -> Bars:
    from backend.bootstrap_research import bars_of_file

    name = symbol or _symbol_of(path)
    loaded = bars_of_file(path, symbol=name, timeframe=None if timeframe is None else _timeframe(timeframe), **read)
    if detail is not None and not Path(detail).is_file():
        words = f"There is no file {detail}. Beside bars of a file, the shorter bars come from a file too."
        raise refused("/detail", words)
    inside = None if detail is None else bars_of_file(Path(detail), symbol=name, timeframe=None, **read)
    return Bars(
        loaded,
        inside,
        file=str(path.resolve()),
        detail_file=None if detail is None else str(Path(detail).resolve()),
        **{name: read[name] for name in ("calendar", "currency", "zone")},
    )


def _bars_of_cache(series: Any, start: datetime | None, end: datetime | None, detail: "str | Path | None") -> Bars:
    from backend.bootstrap_research import bars_of_cache

    loaded = bars_of_cache(series, start, end)
    if detail is None:
        return Bars(loaded)
    shorter = _series(series.provider, series.symbol, str(detail), series.adjustment)
    ts = loaded.bars["ts"]
    until = ts.iloc[-1].to_pydatetime() + series.timeframe.length
    return Bars(loaded, bars_of_cache(shorter, ts.iloc[0].to_pydatetime(), until))


def moment(text: Moment | None) -> datetime | None:
    """`2024`, `2024-03`, `2024-03-01`, `2024-03-01T12:00Z`; UTC where it names no zone. Raises InvalidInput."""
    if text is None:
        return None
    # What pandas has for a time that is missing passes for one.
    given = text if isinstance(text, datetime) and str(text) != _NO_TIME else None
    if given is None:
        text = str(text)
        whole = f"{text}-01-01" if len(text) == _TEXT_OF_YEAR else f"{text}-01" if len(text) == _TEXT_OF_MONTH else text
        try:
            given = datetime.fromisoformat(whole)
        except ValueError:
            detail = f"'{text[:40]}' is no time such as 2024-01-01 or 2024-01-01T12:00Z."
            raise refused("/start", detail) from None
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def _in_order(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and end <= start:
        how = "is the start itself" if end == start else "lies before the start"
        detail = (
            f"The end, {end:%Y-%m-%d %H:%M}, {how}, {start:%Y-%m-%d %H:%M} UTC, so the range is empty."
            " Choose a later end."
        )
        raise refused("/end", detail)


def _is_file(provider: str) -> bool:
    return str(provider).lower().endswith((".csv", ".txt", ".tsv", ".parquet", ".pq")) or Path(provider).is_file()


def _symbol_of(path: Path) -> str:
    import re

    return re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-")[:40] or "file"


def _timeframe(text: str) -> Any:
    from backend.domain.market import Timeframe

    try:
        return Timeframe(text)
    except ValueError:
        detail = f"'{str(text)[:20]}' is no timeframe. There are: {', '.join(Timeframe)}."
        raise refused("/timeframe", detail) from None


def _series(provider: str, symbol: Any, timeframe: str | None, adjustment: str) -> Any:
    from uuid import UUID

    from backend.domain.market import IMPORT, Adjustment, Series

    if not symbol or timeframe is None:
        detail = "Say which symbol and which timeframe, such as BTC/USDT and 1h."
        raise refused("/symbol", detail)
    length = _timeframe(timeframe)
    if not isinstance(symbol, str):
        raise refused("/symbol", f"{symbol!r:.40} is no symbol.")
    try:
        owner = UUID(int=0) if provider == IMPORT else None
        kind = Adjustment(adjustment)
        return Series(provider=provider, symbol=symbol, timeframe=length, adjustment=kind, owner=owner)
    except ValueError as problem:
        raise refused("/symbol", f"{problem}.") from None


def _of_frame(frame: "pd.DataFrame") -> Bars:
    from pandas.api.types import is_datetime64_any_dtype

    from backend.domain.bars import COLUMNS
    from backend.domain.imports import timeframe_of
    from backend.domain.market import ALWAYS, IMPORT, Instrument, Series, Timeframe
    from backend.domain.market_errors import BadFile, NoBars
    from backend.domain.market_ports import Loaded
    from backend.domain.research_frames import checked_frame

    if "ts" not in frame.columns and frame.index.name == "ts":
        frame = frame.reset_index()
    if frame.empty:
        raise NoBars("The frame holds no bars.")
    needed = ("ts", *COLUMNS)
    if lacking := [name for name in needed if name not in frame.columns]:
        has = ", ".join(str(name) for name in frame.columns)[:200]
        raise BadFile(f"The frame has no column {', '.join(lacking)}. It needs {', '.join(needed)}; it has {has}.")
    if not is_datetime64_any_dtype(frame["ts"]):
        raise BadFile(
            f"The column ts of the frame holds {frame['ts'].dtype}, not times. Make times of it:"
            " frame['ts'] = pandas.to_datetime(frame['ts'], utc=True)."
        )
    length = timeframe_of(frame["ts"])
    if length is None:
        raise BadFile(
            f"How long a bar lasts cannot be seen from the times of {len(frame):,} rows."
            f" At least 2 are needed, as far apart as one of {', '.join(Timeframe)}."
        )
    series = Series(provider=IMPORT, symbol="frame", timeframe=length)
    instrument = Instrument(provider=IMPORT, symbol="frame", name="frame", calendar=ALWAYS, currency="USD")
    checked = checked_frame(frame, length, ALWAYS, "the frame")
    return Bars(Loaded(series=series, instrument=instrument, bars=checked))

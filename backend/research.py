"""What a notebook or a script imports: bars, strategies, backtests. It needs no server and no database.

>>> from backend.research import backtest, load_bars
>>> bars = load_bars("demo", "BTC/USDT", "1h", "2024", "2025")
>>> result = backtest("sma_cross", bars, fast=20, slow=50, fee_bps=10)
>>> result.statistics["trades"] == len(result.closed_trades)
True
"""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import pandas as pd

    from backend.backtesting.record import Record, Source
    from backend.backtesting.run import Run
    from backend.backtesting.trust import Trust
    from backend.domain.config import RunConfig
    from backend.domain.market_ports import Loaded
    from backend.domain.strategies.base import TradingStrategy
    from backend.domain.strategies.registry import Listed

__all__ = ["Backtest", "Bars", "Replay", "backtest", "load_bars", "open_backtest", "replay", "saved", "strategies"]

Moment = str | datetime
Chart = Literal["equity", "drawdown", "months", "trades"]
_begun: set[str] = set()
_TEXT_OF_MONTH: Final = len("2024-01")
_TEXT_OF_YEAR: Final = len("2024")


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
    with _first_time("bars"):
        if _is_file(provider) if is_file is None else is_file:
            read = {"calendar": calendar, "currency": currency, "zone": zone, "start": since, "end": until}
            return _bars_of_file(Path(provider), symbol, timeframe, detail, read)
        return _bars_of_cache(_series(provider, symbol, timeframe, adjustment), since, until, detail)


def strategies() -> "pd.DataFrame":
    """All strategies of this installation, a row each.

    >>> "sma_cross" in set(strategies()["name"])
    True
    """
    import pandas as pd

    from backend.bootstrap_research import open_registry

    rows = []
    for listed in open_registry():
        told = listed.describe()
        defaults = {name: facts.get("default") for name, facts in told["parameters"].get("properties", {}).items()}
        about = told["description"].partition("\n")[0]
        rows.append({"name": listed.name, "about": about, "parameters": defaults, "from": listed.origin})
    return pd.DataFrame(rows)


def backtest(
    strategy: "str | type[TradingStrategy] | TradingStrategy",
    bars: "Bars | pd.DataFrame | Iterable[Bars]",
    parameters: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    **options: Any,
) -> "Backtest":
    """Trade a strategy on bars, of one symbol or of several on one account.

    >>> result = backtest("buy_and_hold", load_bars("demo", "BTC/USDT", "1d", "2023", "2024"), cash=10_000)
    >>> round(float(result.equity["equity"].iloc[-1]), 2) == round(result.statistics["end_equity"], 2)
    True

    The strategy is a name, the path of a .py file, or a class of your own. Options that are trading rules (cash,
    fee_bps, slippage_bps, sizing, size_percent, sides, stop_percent, leverage, intrabar ...) are taken as such, all
    others as parameters of the strategy; `parameters` is for names that are both. A pandas frame in place of `Bars`
    needs the columns ts, open, high, low, close and volume.
    """
    with _first_time("backtest"):
        from backend.backtesting.options import OPTIONS

        held = _held(bars)
        listed, given = _strategy(strategy)
        rules = {name: value for name, value in options.items() if name in OPTIONS}
        free = {name: value for name, value in options.items() if name not in OPTIONS}
        _not_both(listed, rules)
        return _run(listed, held, {**given, **free, **(parameters or {})}, rules, seed)


def run_backtest(
    strategy: str, bars: Sequence[Bars], parameters: Mapping[str, Any], rules: Mapping[str, Any], *, seed: int = 0
) -> "Backtest":
    """The same with rules and parameters apart; rules that are None keep their default."""
    with _first_time("backtest"):
        return _run(_strategy(strategy)[0], bars, parameters, rules, seed)


def saved() -> "pd.DataFrame":
    """The backtests that were saved on this machine, newest first."""
    import pandas as pd

    from backend.bootstrap_research import open_runs

    shelf = open_runs()
    rows = []
    for run_id in shelf.ids():
        record = _record(shelf.load(run_id))
        figures = {
            name: record.statistics.number(name) for name in ("total_return", "sharpe", "max_drawdown", "trades")
        }
        rows.append({"id": run_id, "saved_at": record.saved_at, "title": record.title, **figures})
    columns = ["id", "saved_at", "title", "total_return", "sharpe", "max_drawdown", "trades"]
    return pd.DataFrame(rows, columns=columns)


def open_backtest(run_id: str) -> "Backtest":
    """A saved backtest, without computing it again. The beginning of its id is enough."""
    from backend.bootstrap_research import open_runs

    return Backtest(_record(open_runs().load(run_id)))


def replay(run_id: str) -> "Replay":
    """Run a saved backtest again, from the same sources, and compare.

    `same` says whether every trade and the equity of every bar are equal; `changes` names the inputs that differ.
    """
    from backend.backtesting.manifest import changes, manifest_of
    from backend.backtesting.run import run
    from backend.bootstrap_research import find_strategy

    before = open_backtest(run_id)
    config, source = before.record.config, before.record.source
    listed = find_strategy(_strategy_place(before.record))
    held = _load_again(config, source)
    done = run(
        config,
        [one.loaded for one in held],
        listed,
        details={one.symbol: one.detail for one in held if one.detail is not None},
    )
    then, now = before.record.manifest, manifest_of(done)
    return Replay(before, Backtest.of(done, source), changes(then, now), then["outcome"] == now["outcome"])


class Backtest:
    """What came of a backtest. Everything beyond the figures is made when it is asked for."""

    def __init__(self, record: "Record", run: "Run | None" = None) -> None:
        self.record = record
        self.run = run  # with the engine's own arrays; none when it was read from the disk

    @classmethod
    def of(cls, run: "Run", source: "Source") -> "Backtest":
        from backend.backtesting.record import record_of

        return cls(record_of(run, source), run)

    @property
    def id(self) -> str | None:
        """None until it is saved."""
        return self.record.id

    @property
    def statistics(self) -> Mapping[str, Any]:
        """By name; a figure that could not be computed is in `missing`, with the reason."""
        return self.record.statistics.values

    @property
    def missing(self) -> Mapping[str, str]:
        return self.record.statistics.missing

    @property
    def trades(self) -> "pd.DataFrame":
        return self.record.trades

    @property
    def closed_trades(self) -> "pd.DataFrame":
        return self.trades.loc[~self.trades["is_open"]]

    @property
    def equity(self) -> "pd.DataFrame":
        return self.record.equity

    @property
    def notes(self) -> Sequence[str]:
        return [str(note["text"]) for note in self.record.notes]

    @property
    def manifest(self) -> Mapping[str, Any]:
        return self.record.manifest

    def trust(self, *, thorough: bool = False) -> "Trust":
        """What a sceptic would ask: look-ahead, luck, costs, how far the Sharpe ratio can be believed.

        Thorough asks the strategy hundreds of times. A backtest that was read from the disk has to be replayed first.
        """
        from backend.backtesting.run import feeds_of, markets_of
        from backend.backtesting.trust import Examined, examine
        from backend.domain.backtest_errors import CannotReplay

        run = self.run
        if run is None:
            raise CannotReplay("The trust panel asks the strategy again. Replay the backtest, then ask.")
        return examine(
            Examined(
                strategy=run.strategy,
                markets=markets_of(run.histories),
                feeds=feeds_of(run.histories, run.signals, run.details),
                result=run.result,
                analysis=run.analysis,
                seed=run.config.seed,
            ),
            thorough=thorough,
        )

    def to_frame(self) -> "pd.DataFrame":
        """All statistics, a row each: name, value, and why it is missing."""
        import pandas as pd

        rows = [{"statistic": name, "value": value, "missing": ""} for name, value in self.statistics.items()]
        rows += [{"statistic": name, "value": None, "missing": reason} for name, reason in self.missing.items()]
        return pd.DataFrame(rows, columns=["statistic", "value", "missing"]).set_index("statistic")

    def plot(self, what: Chart = "equity") -> "Picture":
        """A chart as SVG, which a notebook shows: equity, drawdown, months or trades."""
        from backend.backtesting.report.page import chart_page

        return Picture(chart_page(self.record, what))

    @cached_property
    def _report(self) -> str:
        from backend.backtesting.report.page import report_html

        return report_html(self.record)

    def report_html(self) -> str:
        """The whole report as one page that needs nothing else."""
        return str(self._report)

    def report(self, path: str | Path) -> Path:
        """Write the report into a file and return its path."""
        target = Path(path)
        target.write_text(self._report, encoding="utf-8")
        return target

    def save(self) -> str:
        """Keep it below data_cache/backtests; `tidemark backtest show ID` and `open_backtest` find it there."""
        from backend.bootstrap_research import open_runs

        documents = {
            "config": self.record.config_document(),
            "manifest": dict(self.record.manifest),
            "figures": self.record.figures(),
        }
        shelf = open_runs()
        run_id = shelf.save(documents, {"trades": self.trades, "equity": self.equity})
        self.record = self.record.stored_as(run_id, shelf.load(run_id).saved_at)
        self.__dict__.pop("_report", None)
        return run_id

    def export(self, folder: str | Path, format: Literal["json", "csv", "parquet"] = "parquet") -> list[Path]:
        """Files that give the same numbers when they are read again: figures and config, trades, equity."""
        from backend.bootstrap_research import export_run

        document = self.record.document(tables=format == "json")
        tables = {"trades": self.trades, "equity": self.equity}
        return export_run(Path(folder), format, document, tables, self.id or "backtest")

    def __repr__(self) -> str:
        from backend.backtesting.summary import summary

        return summary(self.record)

    def _repr_html_(self) -> str:
        from backend.backtesting.report.page import notebook_html

        return notebook_html(self.record)


class Picture:
    """A chart that a notebook shows."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return self.html


class Replay:
    """A backtest made again, beside what it was."""

    def __init__(self, before: Backtest, now: Backtest, changes: Sequence[str], same: bool) -> None:
        self.before, self.now, self.changes, self.same = before, now, tuple(changes), same

    @property
    def verdict(self) -> str:
        trades = len(self.now.trades)
        if self.same and not self.changes:
            return f"The same inputs gave the same {trades:,} trades and the same equity at every bar."
        changed = "\n".join(self.changes)
        if self.same:
            return f"The {trades:,} trades and the equity are the same, although something changed:\n{changed}"
        first = _first_difference(self.before.trades, self.now.trades)
        if not self.changes:
            changed = "No input changed. Another processor or version of numpy or numba may round otherwise."
        return f"The trades are not the same. {first}\n{changed}"


def _run(
    listed: "Listed", held: Sequence[Bars], parameters: Mapping[str, Any], rules: Mapping[str, Any], seed: int
) -> Backtest:
    from backend.backtesting.options import trading_config
    from backend.backtesting.run import run

    details = {one.symbol: one.detail for one in held if one.detail is not None}
    lengths = [detail.series.timeframe for detail in details.values()]
    config = config_of(
        listed.name, parameters, held, trading_config({"detail": next(iter(lengths), None), **rules}), seed
    )
    return Backtest.of(run(config, [one.loaded for one in held], listed, details=details), source_of(held))


def _bars_of_file(
    path: Path, symbol: str, timeframe: str | None, detail: "str | Path | None", read: dict[str, Any]
) -> Bars:
    from backend.bootstrap_research import bars_of_file

    name = symbol or _symbol_of(path)
    loaded = bars_of_file(path, symbol=name, timeframe=None if timeframe is None else _timeframe(timeframe), **read)
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


@contextmanager
def _first_time(what: str) -> Iterator[None]:
    """What is imported and compiled lives as long as the process. To look through it for garbage again and again, and
    once more at the end, would take as long as a backtest does."""
    if what in _begun:
        yield
        return
    _begun.add(what)
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def config_of(
    strategy: str, parameters: Mapping[str, Any], held: Sequence[Bars], trading: Any, seed: int
) -> "RunConfig":
    """The stored form of a run over these bars, from their first to their last."""
    from backend.domain.config import RunConfig, SeriesConfig

    starts = [one.frame["ts"] for one in held]
    length = held[0].loaded.series.timeframe.length
    return RunConfig(
        strategy=strategy,
        parameters=dict(parameters),
        series=tuple(
            SeriesConfig(
                provider=one.loaded.series.provider,
                symbol=one.symbol,
                timeframe=one.loaded.series.timeframe,
                adjustment=one.loaded.series.adjustment,
            )
            for one in held
        ),
        start=min(ts.iloc[0] for ts in starts).to_pydatetime(),
        end=max(ts.iloc[-1] for ts in starts).to_pydatetime() + length,
        trading=trading,
        seed=seed,
    )


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


def moment(text: Moment | None) -> datetime | None:
    """`2024`, `2024-03`, `2024-03-01`, `2024-03-01T12:00Z`; UTC where it names no zone. Raises InvalidInput."""
    from backend.domain.errors import InputError, InvalidInput

    if text is None:
        return None
    given = text if isinstance(text, datetime) else None
    if given is None:
        text = str(text)
        whole = f"{text}-01-01" if len(text) == _TEXT_OF_YEAR else f"{text}-01" if len(text) == _TEXT_OF_MONTH else text
        try:
            given = datetime.fromisoformat(whole)
        except ValueError:
            detail = f"'{text[:40]}' is no time such as 2024-01-01 or 2024-01-01T12:00Z."
            raise InvalidInput([InputError(pointer="/start", detail=detail)], detail) from None
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def _in_order(start: datetime | None, end: datetime | None) -> None:
    from backend.domain.errors import InputError, InvalidInput

    if start is not None and end is not None and end <= start:
        how = "is the start itself" if end == start else "lies before the start"
        detail = (
            f"The end, {end:%Y-%m-%d %H:%M}, {how}, {start:%Y-%m-%d %H:%M} UTC, so the range is empty."
            " Choose a later end."
        )
        raise InvalidInput([InputError(pointer="/end", detail=detail)], detail)


def _is_file(provider: str) -> bool:
    return str(provider).lower().endswith((".csv", ".txt", ".tsv", ".parquet", ".pq")) or Path(provider).is_file()


def _symbol_of(path: Path) -> str:
    import re

    return re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-")[:40] or "file"


def _timeframe(text: str) -> Any:
    from backend.domain.errors import InputError, InvalidInput
    from backend.domain.market import Timeframe

    try:
        return Timeframe(text)
    except ValueError:
        detail = f"'{text[:20]}' is no timeframe. There are: {', '.join(Timeframe)}."
        raise InvalidInput([InputError(pointer="/timeframe", detail=detail)], detail) from None


def _series(provider: str, symbol: str, timeframe: str | None, adjustment: str) -> Any:
    from uuid import UUID

    from backend.domain.errors import InputError, InvalidInput
    from backend.domain.market import IMPORT, Adjustment, Series

    if not symbol or timeframe is None:
        detail = "Say which symbol and which timeframe, such as BTC/USDT and 1h."
        raise InvalidInput([InputError(pointer="/symbol", detail=detail)], detail)
    length = _timeframe(timeframe)
    try:
        owner = UUID(int=0) if provider == IMPORT else None
        kind = Adjustment(adjustment)
        return Series(provider=provider, symbol=symbol, timeframe=length, adjustment=kind, owner=owner)
    except ValueError as problem:
        raise InvalidInput([InputError(pointer="/symbol", detail=f"{problem}.")], f"{problem}.") from None


def _held(bars: "Bars | pd.DataFrame | Iterable[Bars]") -> list[Bars]:
    if isinstance(bars, Bars):
        return [bars]
    import pandas as pd

    if isinstance(bars, pd.DataFrame):
        return [_of_frame(bars)]
    return [one if isinstance(one, Bars) else _of_frame(one) for one in bars]


def _of_frame(frame: "pd.DataFrame") -> Bars:
    from backend.domain.imports import timeframe_of
    from backend.domain.market import ALWAYS, IMPORT, Instrument, Series
    from backend.domain.market_errors import BadFile, NoBars
    from backend.domain.market_ports import Loaded
    from backend.domain.research_frames import checked_frame

    if "ts" not in frame.columns and frame.index.name == "ts":
        frame = frame.reset_index()
    if frame.empty:
        raise NoBars("The frame holds no bars.")
    length = timeframe_of(frame["ts"]) if "ts" in frame.columns else None
    if length is None:
        raise BadFile("The frame needs a column ts with the start of each bar, from which its timeframe is seen.")
    series = Series(provider=IMPORT, symbol="frame", timeframe=length)
    instrument = Instrument(provider=IMPORT, symbol="frame", name="frame", calendar=ALWAYS, currency="USD")
    checked = checked_frame(frame, length, ALWAYS, "the frame")
    return Bars(Loaded(series=series, instrument=instrument, bars=checked))


def _strategy(strategy: "str | type[TradingStrategy] | TradingStrategy") -> "tuple[Listed, dict[str, Any]]":
    """Where it is listed, and the parameters that it brings."""
    from backend.bootstrap_research import find_strategy
    from backend.domain.strategies.base import TradingStrategy
    from backend.domain.strategies.registry import Listed

    if isinstance(strategy, str):
        return find_strategy(strategy), {}
    if isinstance(strategy, TradingStrategy):
        return Listed(strategy=type(strategy), origin="this program"), strategy.parameters.model_dump()
    return Listed(strategy=strategy, origin="this program"), {}


def _not_both(listed: "Listed", rules: Mapping[str, Any]) -> None:
    from backend.domain.errors import InputError, InvalidInput

    both = [name for name in rules if name in listed.strategy.Parameters.model_fields]
    if both:
        detail = (
            f"{both[0]} is a trading rule and also a parameter of {listed.name}."
            f" Give the parameter as parameters={{'{both[0]}': ...}}."
        )
        raise InvalidInput([InputError(pointer=f"/{both[0]}", detail=detail)], detail)


def _record(stored: Any) -> "Record":
    from backend.backtesting.record import Record

    record = Record.of(stored.config, stored.manifest, stored.figures, stored.trades, stored.equity)
    return record.stored_as(stored.id, stored.saved_at)


def _strategy_place(record: "Record") -> str:
    """A strategy of a file is found by its file, any other by its name."""
    origin = str(record.manifest["strategy"]["origin"])
    return origin if origin.endswith(".py") and Path(origin).is_file() else record.config.strategy


def _load_again(config: "RunConfig", source: "Source") -> list[Bars]:
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


def _first_difference(before: "pd.DataFrame", now: "pd.DataFrame") -> str:
    for row in range(min(len(before), len(now))):
        for name in ("symbol", "side", "entry_time", "exit_time", "quantity", "entry_price", "exit_price", "pnl"):
            then, today = before[name].iloc[row], now[name].iloc[row]
            if then != today:
                return f"The first difference is in trade {row + 1:,}: {name} was {then} and is {today}."
    if len(before) != len(now):
        return f"There were {len(before):,} trades, now there are {len(now):,}; those that both have are equal."
    return "All trades are equal; the equity between them is not."

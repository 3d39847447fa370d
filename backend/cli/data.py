"""`tidemark data ...`: bars on this machine's disk, without a server and without a database."""

import asyncio
import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from backend.cli.data_words import THIS_MACHINE, facts_of, facts_of_series, is_ours, line_of, named

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from backend.bootstrap_market import Market
    from backend.domain.imports import Told
    from backend.domain.market import Series
    from backend.domain.market_errors import NoBars
    from backend.domain.market_ports import Loaded
    from backend.services.importing import Preview

Choice = TypeVar("Choice", bound=StrEnum)
app = typer.Typer(help="Market data on this machine.", no_args_is_help=True, rich_markup_mode=None)

Provider = Annotated[str, typer.Option("--provider", help="demo, crypto:binance, yahoo, alpaca, or import.")]
# Files are brought by `import`, not fetched.
Vendor = Annotated[str, typer.Option("--provider", help="demo, crypto:binance, yahoo or alpaca.")]
Symbol = Annotated[str, typer.Option("--symbol", help="As the provider writes it, such as BTC/USDT.")]
Bar = Annotated[str, typer.Option("--timeframe", help="How long a bar lasts: 1m to 1w.")]
Adjusted = Annotated[str, typer.Option("--adjustment", help="raw, splits or all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_COLUMNS: Final = ("time", "time_of_day", "open", "high", "low", "close", "volume")
_KINDS: Final = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}


@app.command("fetch")
def fetch(
    *,
    provider: Vendor = "demo",
    symbol: Symbol,
    timeframe: Bar,
    start: Annotated[str, typer.Option("--start", help="The first day or moment, in UTC: 2024-01-01.")],
    end: Annotated[str | None, typer.Option("--end", help="Up to, not including, it. Default: now.")] = None,
    adjustment: Annotated[
        str | None, typer.Option("--adjustment", help="raw, splits or all. Default: raw where the provider has it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download what is missing of a range. Cut off, it goes on where it was when called again."""
    from backend.cli.terminal import say

    asked, since = _series(provider, symbol, timeframe, adjustment or "raw"), _moment("--start", start)
    until = _moment("--end", end) if end else datetime.now(UTC)
    if end and until < since:
        raise typer.BadParameter(f"--end: it ends at {until:%Y-%m-%d}, before it starts at {since:%Y-%m-%d}.")

    async def work(market: "Market") -> dict[str, Any]:
        from backend.domain.market import Span
        from backend.worker.fetching import Fetch

        series = asked if adjustment else _as_served(market, asked)
        instrument = await market.markets.instrument_of(series)
        pace = market.markets.fetcher(series.provider).bars_a_second
        wanted = market.library.until_now(Span(start=since, end=max(since, until)))
        planned = await market.library.estimate(instrument, series, wanted, bars_a_second=pace)
        say(f"{planned.bars:,} bars of {series} are missing.")
        done = await Fetch(market.markets, market.store).fetch(
            series, [wanted], lambda told: say(f"{told.stage}: {told.message}"), lambda: False
        )
        manifest = market.store.manifest(series)
        return {"fetched": done["bars"], "series": None if manifest is None else facts_of(manifest)}

    try:
        done = _run(work)
    except KeyboardInterrupt:
        say("Stopped. What is stored by now is kept; the same command fetches the rest.")
        raise
    _print(done, as_json, lambda: f"Fetched {done['fetched']:,} bars. {line_of(done['series'])}")


@app.command("import")
def import_file(
    *,
    file: Annotated[Path, typer.Argument(help="CSV of any dialect, or Parquet.", exists=True, dir_okay=False)],
    symbol: Annotated[str, typer.Option("--symbol", help="What to call it.")],
    timeframe: Annotated[str | None, typer.Option("--timeframe", help="Default: what the file looks like.")] = None,
    calendar: Annotated[str, typer.Option("--calendar", help="24/7, 24/5, or an exchange such as XNYS.")] = "24/7",
    currency: Annotated[str, typer.Option("--currency")] = "USD",
    zone: Annotated[str, typer.Option("--zone", help="Of times that name none.")] = "UTC",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="WHAT=NAME", help="Which column is what: time=Stamp. As often as needed."),
    ] = None,
    time_style: Annotated[
        str | None,
        typer.Option("--time-style", help="How times are written: iso, day_first, month_first, epoch_ms, ..."),
    ] = None,
    decimal: Annotated[str | None, typer.Option("--decimal", help="The decimal mark of prices: . or ,")] = None,
    accept_bad_rows: Annotated[bool, typer.Option("--accept-bad-rows", help="Leave them out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a file into a series of this machine, which servers do not show to anybody.

    What is not said of the file is found out, and told.
    """
    from backend.cli.terminal import say
    from backend.domain.import_times import TimeStyle

    columns = dict(_column(text) for text in column or ())
    style = None if time_style is None else _one_of("--time-style", time_style, TimeStyle)
    if decimal not in (None, ".", ","):
        raise typer.BadParameter(f"'{decimal[:40]}' is neither . nor ,", param_hint="'--decimal'")

    if not file.is_file():
        raise typer.BadParameter(
            f"{file} is no file on a disk. Write what it says into one first.", param_hint="'file'"
        )

    async def work(market: "Market") -> dict[str, Any]:
        from backend.domain.imports import Told
        from backend.domain.market_errors import BadFile
        from backend.services import importing

        now = datetime.now(UTC)
        seen = _seen(market, file, Told(columns=columns, style=style, decimal=decimal, zone=zone), calendar, now)
        length = timeframe or seen.timeframe
        if length is None:
            raise BadFile("How long its bars last cannot be seen. Say it with --timeframe.")
        series = _series("import", symbol, length, "raw")
        understood = importing.read_all(
            market.files.tables(file),
            seen.reading,
            series.timeframe,
            calendar,
            lambda rows: say(f"{rows:,} rows"),
            until=now,
        )
        manifest = importing.store_import(
            market.store,
            understood,
            series,
            importing.instrument_of_import(series, calendar, currency),
            source=file.name,
            accept_bad=accept_bad_rows,
        )
        return {"rows": len(understood.bars), "bad_rows": understood.bad_count, "series": facts_of(manifest)}

    say(f"Its calendar is {calendar}, its currency {currency}; times that name no zone are {zone}.")
    done = _run(work)
    without = f", without the bad rows ({done['bad_rows']:,})" if done["bad_rows"] else ""
    _print(done, as_json, lambda: f"Imported {done['rows']:,} bars{without}. {line_of(done['series'])}")


def _seen(market: "Market", file: Path, told: "Told", calendar: str, now: datetime) -> "Preview":
    """How the file reads by its first rows. Raises UnknownMarketData, InvalidInput, BadFile."""
    from backend.cli.terminal import say
    from backend.domain.market import Span
    from backend.services import importing

    market.calendar.sessions(calendar, Span(start=now, end=now))
    importing.require_zone(told.zone)
    seen = importing.preview(market.files.first_rows(file, importing.PREVIEWED_ROWS), None, told=told)
    for note in seen.reading.notes:
        say(note)
    return seen


@app.command("export")
def export(
    *,
    provider: Provider = "demo",
    symbol: Symbol,
    timeframe: Bar,
    adjustment: Adjusted = "raw",
    output: Annotated[Path, typer.Option("--output", "-o", help="The file; .parquet or .csv.", dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Write a series into a file. Imported again, it is the same to the last bit."""
    series = _series(provider, symbol, timeframe, adjustment)
    kind = _KINDS.get(output.suffix.lower())
    if kind is None:
        raise typer.BadParameter(f"{output.name} ends neither in .parquet nor in .csv.", param_hint="'--output'")

    if not output.parent.is_dir():
        raise typer.BadParameter(
            f"There is no folder {output.parent}. Make it first, or write into another.", param_hint="'--output'"
        )

    async def work(market: "Market") -> dict[str, Any]:
        loaded = _stored(market, series)
        market.files.write(loaded.bars, output, kind)
        return {"rows": len(loaded.bars), "file": str(output), "content_hash": loaded.content_hash}

    done = _run(work)
    _print(done, as_json, lambda: f"Wrote {done['rows']:,} bars into {done['file']}.")


@app.command("list")
def list_series(as_json: AsJson = False) -> None:
    """List what is stored: what everybody shares, and what this machine imported.

    What cannot be read is listed with the reason.
    """

    async def work(market: "Market") -> dict[str, Any]:
        found = {one.series: facts_of(one) for one in market.store.manifests()}
        found |= {series: facts_of_series(series, problem) for series, problem in market.store.problems().items()}
        return {"items": [found[series] for series in sorted(filter(is_ours, found), key=str)]}

    done = _run(work)
    words = "Nothing is stored yet. `tidemark data fetch --symbol BTC/USDT --timeframe 1h --start 2024-01-01` begins."
    _print(done, as_json, lambda: "\n".join(line_of(one) for one in done["items"]) or words)


@app.command("verify")
def verify(as_json: AsJson = False) -> None:
    """Check that every stored file is what was written. What is damaged is set aside, and counts as missing."""
    from backend.cli.terminal import say
    from backend.domain.market_errors import StorageFailed

    async def work(market: "Market") -> dict[str, Any]:
        damaged, series = {}, market.store.all_series()
        for one in series:
            name = named(one)
            say(name)
            try:
                found = market.store.verify(one)
            except StorageFailed as problem:
                found = {"manifest": problem.detail}
            if found:
                damaged[name] = dict(found)
        return {"series": len(series), "damaged": damaged}

    done = _run(work)
    words = "\n".join(f"{name}: {file}: {why}" for name, all in done["damaged"].items() for file, why in all.items())
    _print(done, as_json, lambda: words or f"{done['series']:,} series are whole.")
    if done["damaged"]:
        raise typer.Exit(4)


@app.command("delete")
def delete(
    *,
    provider: Provider = "demo",
    symbol: Symbol,
    timeframe: Bar,
    adjustment: Adjusted = "raw",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a series from this machine's disk, with what was set aside of it. No file that was imported is touched."""
    from backend.cli.terminal import answered, clean

    series = _series(provider, symbol, timeframe, adjustment)

    async def look(market: "Market") -> dict[str, Any]:
        if (problem := market.store.problem(series)) is not None:
            return facts_of_series(series, problem)
        manifest = market.store.manifest(series)
        if manifest is None:
            raise _nothing_of(market, series, f"Nothing of {series} is stored.")
        return facts_of(manifest)

    async def work(market: "Market") -> dict[str, Any]:
        market.store.delete(series)
        return {"deleted": found}

    found = _run(look)
    if not yes:
        question = clean(f"This deletes {line_of(found)}. Go on?")
        if not answered(lambda: typer.confirm(question, err=True)):
            raise typer.BadParameter("Nothing was deleted.")
    done = _run(work)
    _print(done, as_json, lambda: f"Deleted {series}.")


def _run(work: "Callable[[Market], Coroutine[Any, Any, dict[str, Any]]]") -> dict[str, Any]:
    """On the folder of this machine's settings; errors of the market get the exit codes of the documentation."""
    from backend.bootstrap import read_settings
    from backend.bootstrap_market import open_market
    from backend.cli.failures import CommandFailed, exit_code_of
    from backend.domain.errors import InvalidInput
    from backend.domain.market_errors import BadBars, MarketDataError

    settings = read_settings()

    async def whole() -> dict[str, Any]:
        async with open_market(settings) as market:
            return await work(market)

    try:
        return asyncio.run(whole())
    except InvalidInput as problem:
        raise typer.BadParameter("; ".join(f"{one.pointer[1:]}: {one.detail}" for one in problem.errors)) from None
    except MarketDataError as problem:
        words = problem.detail
        if isinstance(problem, BadBars):
            words = f"{problem.by_line}\nNothing is stored. Correct these rows, or leave them out by --accept-bad-rows."
        raise CommandFailed(problem.code, problem.title, words, exit_code=exit_code_of(problem)) from problem


def _series(provider: str, symbol: str, timeframe: str, adjustment: str) -> "Series":
    from uuid import UUID

    from backend.domain.market import IMPORT, Adjustment, Series, Timeframe

    length = _one_of("--timeframe", timeframe, Timeframe)
    adjusted = _one_of("--adjustment", adjustment, Adjustment)
    try:
        return Series(
            provider=provider,
            symbol=symbol,
            timeframe=length,
            adjustment=adjusted,
            owner=UUID(THIS_MACHINE) if provider == IMPORT else None,
        )
    except ValueError as problem:
        raise typer.BadParameter(f"{problem}.") from None


def _as_served(market: "Market", series: "Series") -> "Series":
    """Raw prices, or what the provider has first when it has none."""
    from dataclasses import replace

    from backend.cli.terminal import say

    served = market.markets.fetcher(series.provider).adjustments
    if not served or series.adjustment in served:
        return series
    say(f"{series.provider} has no raw prices: these are adjusted for '{served[0]}'. Another with --adjustment.")
    return replace(series, adjustment=served[0])


def _stored(market: "Market", series: "Series") -> "Loaded":
    """Raises UnknownProvider, or NoBars with the provider under which it lies where that is another."""
    from backend.domain.market_errors import NoBars

    try:
        return market.store.read(series)
    except NoBars as problem:
        raise _nothing_of(market, series, problem.detail) from None


def _nothing_of(market: "Market", series: "Series", detail: str) -> "NoBars":
    """With where it lies instead. Raises UnknownProvider."""
    from backend.domain.market import IMPORT
    from backend.domain.market_errors import NoBars

    if series.provider != IMPORT:
        market.markets.fetcher(series.provider)  # raises UnknownProvider with those that there are
    found = [one.series for one in market.store.manifests() if _is_another(one.series, series)]
    if not found:
        return NoBars(detail)
    adjusted = "" if found[0].adjustment == series.adjustment else f" --adjustment {found[0].adjustment}"
    return NoBars(f"{detail} There is {found[0]}: add --provider {found[0].provider}{adjusted}.")


def _is_another(one: "Series", wanted: "Series") -> bool:
    return is_ours(one) and (one.symbol, one.timeframe) == (wanted.symbol, wanted.timeframe) and one != wanted


def _one_of(option: str, text: str, kind: "type[Choice]") -> "Choice":
    try:
        return kind(text)
    except ValueError:
        choices = ", ".join(kind)
        raise typer.BadParameter(f"'{text[:40]}' is none of {choices}.", param_hint=f"'{option}'") from None


def _column(text: str) -> tuple[str, str]:
    what, _, name = text.partition("=")
    if what not in _COLUMNS or not name:
        raise typer.BadParameter(
            f"'{text[:40]}' is none of {', '.join(f'{one}=NAME' for one in _COLUMNS)}.", param_hint="'--column'"
        )
    return what, name


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: '{text}' is no time such as 2024-01-01 or 2024-01-01T12:00Z.") from None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise typer.BadParameter(f"{option}: '{text}' is not within the years 1 to 9999, in UTC.") from None


def _print(document: dict[str, Any], as_json: bool, words: "Callable[[], str]") -> None:
    from backend.cli.terminal import clean

    print(json.dumps(document, indent=2) if as_json else clean(words()))

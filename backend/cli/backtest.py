"""`tidemark backtest ...`: run, keep, show and repeat backtests on this machine, without a server or a database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from backend.backtesting.trust import Trust
    from backend.research import Backtest, Bars

app = typer.Typer(help="Backtests on this machine.", no_args_is_help=True, rich_markup_mode=None)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunId = Annotated[
    str, typer.Argument(metavar="ID", help="As `tidemark backtest list` shows it; its beginning is enough.")
]
Number = float | None
Kind = Literal["json", "csv", "parquet"]


@app.command("run")
def run(
    *,
    strategy: Annotated[
        str, typer.Option("--strategy", "-s", help="A name of `tidemark strategies list`, or a .py file.")
    ],
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="NAME=VALUE, as often as needed; NAME=@FILE reads JSON.")
    ] = None,
    provider: Annotated[
        str, typer.Option("--provider", help="demo, crypto:binance, yahoo, alpaca, or import.")
    ] = "demo",
    symbol: Annotated[list[str] | None, typer.Option("--symbol", help="Several share one account.")] = None,
    timeframe: Annotated[str | None, typer.Option("--timeframe", help="How long a bar lasts: 1m to 1w.")] = None,
    start: Annotated[str | None, typer.Option("--start", help="The first day or moment, in UTC: 2024-01-01.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Up to, not including, it.")] = None,
    adjustment: Annotated[str, typer.Option("--adjustment", help="raw, splits or all.")] = "raw",
    file: Annotated[list[Path] | None, typer.Option("--file", "--bars", help="Bars from CSV or Parquet.")] = None,
    calendar: Annotated[str, typer.Option("--calendar", help="Of a file: 24/7, 24/5, or an exchange: XNYS.")] = "24/7",
    currency: Annotated[str, typer.Option("--currency", help="Of a file.")] = "USD",
    zone: Annotated[str, typer.Option("--zone", help="Of a file's times that name none.")] = "UTC",
    cash: Annotated[Number, typer.Option("--cash", help="Money at the start. Default: 100,000.")] = None,
    fee_bps: Annotated[Number, typer.Option("--fee-bps", help="Maker and taker fee. Default: 10.")] = None,
    maker_bps: Annotated[Number, typer.Option("--maker-bps", help="Fee of limits and targets.")] = None,
    taker_bps: Annotated[Number, typer.Option("--taker-bps", help="Fee of market orders and stops.")] = None,
    minimum_fee: Annotated[Number, typer.Option("--minimum-fee", help="The least fee of an order.")] = None,
    slippage_bps: Annotated[Number, typer.Option("--slippage-bps", help="Of market orders and stops.")] = None,
    spread_bps: Annotated[Number, typer.Option("--spread-bps", help="The whole spread; half of it is paid.")] = None,
    impact_bps: Annotated[
        Number, typer.Option("--impact-bps", help="Of an order as large as the bar's volume.")
    ] = None,
    borrow_percent_a_year: Annotated[
        Number, typer.Option("--borrow-percent-a-year", help="Interest a year on shorts and debt.")
    ] = None,
    sizing: Annotated[
        str | None, typer.Option("--sizing", help="all_in, fraction, notional, quantity, volatility or risk.")
    ] = None,
    size_percent: Annotated[Number, typer.Option("--size-percent", help="For fraction, volatility and risk.")] = None,
    size_amount: Annotated[
        Number, typer.Option("--size-amount", help="For notional (money) and quantity (units).")
    ] = None,
    volatility_bars: Annotated[int | None, typer.Option("--volatility-bars")] = None,
    sides: Annotated[str | None, typer.Option("--sides", help="long, short or both. Default: long.")] = None,
    stop_percent: Annotated[Number, typer.Option("--stop-percent", help="From the fill.")] = None,
    target_percent: Annotated[Number, typer.Option("--target-percent", help="From the fill.")] = None,
    trail_percent: Annotated[Number, typer.Option("--trail-percent", help="From the best price since.")] = None,
    limit_life_bars: Annotated[int | None, typer.Option("--limit-life-bars")] = None,
    volume_percent: Annotated[Number, typer.Option("--volume-percent", help="Of a bar's volume, at most.")] = None,
    remainder: Annotated[str | None, typer.Option("--remainder", help="carry or cancel what volume left over.")] = None,
    leverage: Annotated[Number, typer.Option("--leverage", help="Positions to equity, at most. Default: 1.")] = None,
    most_positions: Annotated[int | None, typer.Option("--most-positions", help="Open at once, at most.")] = None,
    intrabar: Annotated[
        str | None, typer.Option("--intrabar", help="pessimistic, neutral or optimistic. Default: pessimistic.")
    ] = None,
    detail: Annotated[
        str | None, typer.Option("--detail", help="A shorter timeframe (or file) that decides inside a bar.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    save: Annotated[bool, typer.Option("--save", help="Keep it, to show, replay and export it later.")] = False,
    report: Annotated[Path | None, typer.Option("--report", help="Write an HTML page.", dir_okay=False)] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write files into this folder.", file_okay=False)
    ] = None,
    kind: Annotated[Kind, typer.Option("--format", help="Of --export.")] = "parquet",
    fail_under: Annotated[
        list[str] | None, typer.Option("--fail-under", help="STATISTIC=VALUE: end with 6 when it is less.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust/--no-trust", help="Ask what a sceptic would: look-ahead, luck, costs.")
    ] = True,
    thorough: Annotated[bool, typer.Option("--thorough", help="Ask hundreds of times; it takes longer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a strategy over bars, and say what it came to and how far to trust it."""
    with _problems():
        given = _parameters(param or [])
        gates = _gates(fail_under or [])
        bars = _bars(
            file or [],
            provider,
            symbol or [],
            timeframe,
            start=start,
            end=end,
            adjustment=adjustment,
            calendar=calendar,
            currency=currency,
            zone=zone,
            detail=detail,
        )
        rules = {
            "cash": cash,
            "fee_bps": fee_bps,
            "maker_bps": maker_bps,
            "taker_bps": taker_bps,
            "minimum_fee": minimum_fee,
            "slippage_bps": slippage_bps,
            "spread_bps": spread_bps,
            "impact_bps": impact_bps,
            "borrow_percent_a_year": borrow_percent_a_year,
            "sizing": sizing,
            "size_percent": size_percent,
            "size_amount": size_amount,
            "volatility_bars": volatility_bars,
            "sides": sides,
            "stop_percent": stop_percent,
            "target_percent": target_percent,
            "trail_percent": trail_percent,
            "limit_life_bars": limit_life_bars,
            "volume_percent": volume_percent,
            "remainder": remainder,
            "leverage": leverage,
            "most_positions": most_positions,
            "intrabar": intrabar,
        }
        from backend.research import run_backtest

        result = run_backtest(strategy, bars, given, rules, seed=seed)
        _keep(result, save=save, report=report, export=export, kind=kind)
        panel = result.trust(thorough=thorough) if trust or thorough else None
    _print(result, as_json, panel)
    _judge(result, gates)


@app.command("list")
def list_runs(as_json: AsJson = False) -> None:
    """List what was saved on this machine, newest first."""
    from backend.cli.terminal import clean, print_columns
    from backend.domain import format as say
    from backend.research import saved

    with _problems():
        found = saved()
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    if as_json:
        items = [{**row, "saved_at": row["saved_at"].isoformat()} for row in rows]
        print(json.dumps({"items": items}, indent=2))
    elif not rows:
        print("Nothing is saved yet. `tidemark backtest run ... --save` keeps a backtest.")
    else:
        print_columns(
            ["ID", "RETURN", "SHARPE", "DRAWDOWN", "TRADES", "WHAT"],
            [
                [
                    row["id"],
                    say.change(row["total_return"]),
                    say.ratio(row["sharpe"]),
                    say.change(row["max_drawdown"]),
                    say.integer(row["trades"]),
                    clean(row["title"]),
                ]
                for row in rows
            ],
        )


@app.command("show")
def show(run_id: RunId, *, as_json: AsJson = False) -> None:
    """Show a saved backtest again, without computing it."""
    from backend.research import open_backtest

    with _problems():
        _print(open_backtest(run_id), as_json)


@app.command("replay")
def replay(run_id: RunId, *, as_json: AsJson = False) -> None:
    """Run a saved backtest again: the trades are equal, or which input changed is said (1 when they are not equal)."""
    from backend.cli.terminal import clean
    from backend.research import replay as again

    with _problems():
        done = again(run_id)
    if as_json:
        print(json.dumps({"id": done.before.id, "same": done.same, "changes": list(done.changes)}, indent=2))
    else:
        print(clean(done.verdict))
    if not done.same:
        raise typer.Exit(1)


@app.command("export")
def export_run(
    run_id: RunId,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder.", file_okay=False)] = Path(),
    kind: Annotated[Kind, typer.Option("--format", help="One JSON file, or tables beside it.")] = "parquet",
    as_json: AsJson = False,
) -> None:
    """Write a saved backtest into files, from which the same numbers can be read."""
    from backend.research import open_backtest

    with _problems():
        files = [str(path) for path in open_backtest(run_id).export(output, kind)]
    print(json.dumps({"files": files}, indent=2) if as_json else "\n".join(files))


@app.command("report")
def report_run(
    run_id: RunId,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: ID.html.", dir_okay=False)] = None,
) -> None:
    """Write a saved backtest as one HTML page that needs no network."""
    from backend.research import open_backtest

    with _problems():
        result = open_backtest(run_id)
        print(result.report(output or Path(f"{result.id}.html")))


def _bars(files: list[Path], provider: str, symbols: list[str], timeframe: str | None, **reading: Any) -> "list[Bars]":
    from backend.research import load_bars

    place = {name: reading[name] for name in ("start", "end", "detail")}
    if files:
        if symbols and len(symbols) != len(files):
            raise typer.BadParameter(
                f"There are {len(files)} files and {len(symbols)} symbols. Name one for each file."
            )
        of_file = {name: reading[name] for name in ("calendar", "currency", "zone")}
        names = symbols or [""] * len(files)
        return [
            load_bars(str(path), name, timeframe, is_file=True, **place, **of_file)
            for path, name in zip(files, names, strict=True)
        ]
    if not symbols:
        raise typer.BadParameter("Name what to trade: --symbol BTC/USDT --timeframe 1h, or --file bars.csv.")
    if timeframe is None:
        raise typer.BadParameter("Say how long a bar lasts, such as --timeframe 1h.")
    adjustment = reading["adjustment"]
    return [load_bars(provider, symbol, timeframe, adjustment=adjustment, **place) for symbol in symbols]


def _parameters(texts: list[str]) -> dict[str, Any]:
    given = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"--param {text[:60]}: write it as NAME=VALUE, such as fast=20.")
        given[name.strip()] = _value(value.strip())
    return given


def _value(text: str) -> Any:
    if text.startswith("@"):
        try:
            return json.loads(Path(text[1:]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise typer.BadParameter(f"{text[1:]} cannot be read as JSON: {problem}.") from None
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text


def _gates(texts: list[str]) -> dict[str, float]:
    gates = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            gates[name.strip()] = float(value)
        except ValueError:
            raise typer.BadParameter(
                f"--fail-under {text[:60]}: write it as STATISTIC=VALUE, such as sharpe=1."
            ) from None
    return gates


def _keep(result: "Backtest", *, save: bool, report: Path | None, export: Path | None, kind: Kind) -> None:
    from backend.cli.terminal import say

    if save:
        say(f"Saved as {result.save()}.")
    if report is not None:
        say(f"Wrote {result.report(report)}.")
    if export is not None:
        for path in result.export(export, kind):
            say(f"Wrote {path}.")


def _print(result: "Backtest", as_json: bool, trust: "Trust | None" = None) -> None:
    if as_json:
        told = {} if trust is None else {"trust": asdict(trust)}
        print(json.dumps({**result.record.document(), **told}, indent=2))
        return
    import shutil

    from backend.backtesting.summary import summary
    from backend.cli.terminal import clean

    print(clean(summary(result.record, shutil.get_terminal_size((100, 24)).columns)))
    if trust is not None:
        print("\nTrust")
        for check in trust.checks:
            print(clean(f"  {check.verdict:<9} {check.title}: {check.sentence}"))


def _judge(result: "Backtest", gates: dict[str, float]) -> None:
    from backend.cli.failures import CommandFailed, ExitCode

    for name, least in gates.items():
        value = result.record.statistics.number(name)
        if value is None:
            why = result.missing.get(name, f"There is no such statistic. There are: {', '.join(result.statistics)}.")
            raise CommandFailed("gate_unmet", f"{name} could not be judged", why, exit_code=ExitCode.GATE_UNMET)
        if value < least:
            words = f"It is {value:,.4g}, and --fail-under wants at least {least:,.4g}."
            raise CommandFailed("gate_unmet", f"{name} is too low", words, exit_code=ExitCode.GATE_UNMET)


@contextmanager
def _problems() -> Iterator[None]:
    """Errors by the exit codes of the documentation."""
    from backend.cli.failures import CommandFailed
    from backend.domain.errors import ConfigurationError, TidemarkError

    try:
        yield
    except ConfigurationError:
        raise
    except TidemarkError as problem:
        words = f"{problem.detail}{_next_step(problem)}"
        raise CommandFailed(problem.code, problem.title, words, exit_code=_exit_code(problem)) from problem
    except OSError as problem:
        detail = f"{problem.filename or 'A file'}: {problem.strerror}. Choose another place."
        raise CommandFailed("not_written", "A file cannot be written", detail) from problem


def _next_step(problem: Exception) -> str:
    from backend.domain.market_errors import BadBars

    if not isinstance(problem, BadBars):
        return ""
    return " Correct these rows, or leave them out: `tidemark data import FILE --symbol NAME --accept-bad-rows`."


def _exit_code(problem: Exception) -> Any:
    from backend.cli.failures import ExitCode
    from backend.domain.backtest_errors import BadSignals
    from backend.domain.errors import InvalidInput, NotFound
    from backend.domain.market_errors import NotServed, SeriesDamaged, UnknownMarketData, VendorError
    from backend.domain.strategy_errors import NoSuchMarket, NotEnoughHistory, UnknownStrategy

    table: list[tuple[type[Exception], ExitCode]] = [
        (BadSignals, ExitCode.FAILURE),
        (NotEnoughHistory, ExitCode.DATA_MISSING),
        (NoSuchMarket, ExitCode.DATA_MISSING),
        (UnknownStrategy, ExitCode.USAGE),
        (InvalidInput, ExitCode.USAGE),
        (NotFound, ExitCode.DATA_MISSING),
        (UnknownMarketData, ExitCode.DATA_MISSING),
        (NotServed, ExitCode.DATA_MISSING),
        (SeriesDamaged, ExitCode.DATA_MISSING),
        (VendorError, ExitCode.VENDOR),
    ]
    return next((code for kind, code in table if isinstance(problem, kind)), ExitCode.FAILURE)

"""What the commands of `tidemark backtest` have in common: which strategy, over which bars, by which rules."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from backend.research import Bars

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Strategy = Annotated[str, typer.Option("--strategy", "-s", help="A name of `tidemark strategies list`, or a .py file.")]
Param = Annotated[
    list[str] | None, typer.Option("--param", "-p", help="NAME=VALUE, as often as needed; NAME=@FILE reads JSON.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides what is drawn by lot.")]
FailUnder = Annotated[
    list[str] | None, typer.Option("--fail-under", help="STATISTIC=VALUE: end with 6 when it is less.")
]
Number = float | None


@dataclass(frozen=True, kw_only=True)
class SeriesChoice:
    """Which bars."""

    provider: Annotated[str, typer.Option("--provider", help="demo, crypto:binance, yahoo, alpaca, or import.")] = (
        "demo"
    )
    symbol: Annotated[list[str] | None, typer.Option("--symbol", help="Several share one account.")] = None
    timeframe: Annotated[str | None, typer.Option("--timeframe", help="How long a bar lasts: 1m to 1w.")] = None
    start: Annotated[str | None, typer.Option("--start", help="The first day or moment, in UTC: 2024-01-01.")] = None
    end: Annotated[str | None, typer.Option("--end", help="Up to, not including, it.")] = None
    adjustment: Annotated[str, typer.Option("--adjustment", help="raw, splits or all.")] = "raw"
    file: Annotated[list[Path] | None, typer.Option("--file", "--bars", help="Bars from CSV or Parquet.")] = None
    calendar: Annotated[str, typer.Option("--calendar", help="Of a file: 24/7, 24/5, or an exchange: XNYS.")] = "24/7"
    currency: Annotated[str, typer.Option("--currency", help="Of a file.")] = "USD"
    zone: Annotated[str, typer.Option("--zone", help="Of a file's times that name none.")] = "UTC"
    detail: Annotated[
        str | None, typer.Option("--detail", help="A shorter timeframe (or file) that decides inside a bar.")
    ] = None

    def load(self) -> "list[Bars]":
        return self._of_files(self.file) if self.file else self._of_cache()

    def _of_files(self, files: list[Path]) -> "list[Bars]":
        from backend.research import load_bars

        symbols = self.symbol or [""] * len(files)
        if len(symbols) != len(files):
            raise typer.BadParameter(
                f"There are {len(files)} files and {len(symbols)} symbols. Name one for each file."
            )
        reading: dict[str, Any] = {
            "calendar": self.calendar,
            "currency": self.currency,
            "zone": self.zone,
            "detail": self.detail,
        }
        return [
            load_bars(str(path), name, self.timeframe, self.start, self.end, is_file=True, **reading)
            for path, name in zip(files, symbols, strict=True)
        ]

    def _of_cache(self) -> "list[Bars]":
        from backend.research import load_bars

        if not self.symbol:
            raise typer.BadParameter("Name what to trade: --symbol BTC/USDT --timeframe 1h, or --file bars.csv.")
        if self.timeframe is None:
            raise typer.BadParameter("Say how long a bar lasts, such as --timeframe 1h.")
        place: dict[str, Any] = {"adjustment": self.adjustment, "detail": self.detail}
        return [
            load_bars(self.provider, symbol, self.timeframe, self.start, self.end, **place) for symbol in self.symbol
        ]


@dataclass(frozen=True, kw_only=True)
class TradingRules:
    """Money, costs, sizes, stops. What nobody says keeps its default."""

    cash: Annotated[Number, typer.Option("--cash", help="Money at the start. Default: 100,000.")] = None
    fee_bps: Annotated[Number, typer.Option("--fee-bps", help="Maker and taker fee. Default: 10.")] = None
    maker_bps: Annotated[Number, typer.Option("--maker-bps", help="Fee of limits and targets.")] = None
    taker_bps: Annotated[Number, typer.Option("--taker-bps", help="Fee of market orders and stops.")] = None
    minimum_fee: Annotated[Number, typer.Option("--minimum-fee", help="The least fee of an order.")] = None
    slippage_bps: Annotated[Number, typer.Option("--slippage-bps", help="Of market orders and stops.")] = None
    spread_bps: Annotated[Number, typer.Option("--spread-bps", help="The whole spread; half of it is paid.")] = None
    impact_bps: Annotated[Number, typer.Option("--impact-bps", help="Of an order as large as the bar's volume.")] = None
    borrow_percent_a_year: Annotated[
        Number, typer.Option("--borrow-percent-a-year", help="Interest a year on shorts and debt.")
    ] = None
    sizing: Annotated[
        str | None, typer.Option("--sizing", help="all_in, fraction, notional, quantity, volatility or risk.")
    ] = None
    size_percent: Annotated[Number, typer.Option("--size-percent", help="For fraction, volatility and risk.")] = None
    size_amount: Annotated[Number, typer.Option("--size-amount", help="For notional (money) and quantity (units).")] = (
        None
    )
    volatility_bars: Annotated[
        int | None, typer.Option("--volatility-bars", help="That volatility is measured over.")
    ] = None
    sides: Annotated[str | None, typer.Option("--sides", help="long, short or both. Default: long.")] = None
    stop_percent: Annotated[Number, typer.Option("--stop-percent", help="From the fill.")] = None
    target_percent: Annotated[Number, typer.Option("--target-percent", help="From the fill.")] = None
    trail_percent: Annotated[Number, typer.Option("--trail-percent", help="From the best price since.")] = None
    limit_life_bars: Annotated[
        int | None, typer.Option("--limit-life-bars", help="After them a limit order is cancelled.")
    ] = None
    volume_percent: Annotated[Number, typer.Option("--volume-percent", help="Of a bar's volume, at most.")] = None
    remainder: Annotated[str | None, typer.Option("--remainder", help="carry or cancel what volume left over.")] = None
    leverage: Annotated[Number, typer.Option("--leverage", help="Positions to equity, at most. Default: 1.")] = None
    most_positions: Annotated[int | None, typer.Option("--most-positions", help="Open at once, at most.")] = None
    intrabar: Annotated[
        str | None, typer.Option("--intrabar", help="pessimistic, neutral or optimistic. Default: pessimistic.")
    ] = None


def parameters(texts: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE as JSON has it, or as plain text."""
    return {name: value_of(text) for name, text in pairs(texts)}


def pairs(texts: list[str] | None) -> list[tuple[str, str]]:
    found = []
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"--param {text[:60]}: write it as NAME=VALUE, such as fast=20.")
        found.append((name.strip(), value.strip()))
    return found


def value_of(text: str) -> Any:
    if text.startswith("@"):
        try:
            return json.loads(Path(text[1:]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise typer.BadParameter(f"{text[1:]} cannot be read as JSON: {problem}.") from None
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text

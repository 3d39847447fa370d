"""What the commands of `tidemark model` have in common: which bars, which question, which model."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from backend.research import Bars

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Threads = Annotated[int, typer.Option("--threads", min=1, max=64, help="Others may give another model.")]
ModelId = Annotated[
    str, typer.Argument(metavar="ID", help="As `tidemark model list` shows it; its beginning is enough.")
]
# Where nobody says how far back a market that is simulated goes: two years of hours.
_USUAL_BARS = 17_520


@dataclass(frozen=True, kw_only=True)
class OneSeries:
    """Which bars."""

    provider: Annotated[str, typer.Option("--provider", help="demo, crypto:binance, yahoo, alpaca, or import.")] = (
        "demo"
    )
    symbol: Annotated[str | None, typer.Option("--symbol", help="Such as BTC/USDT.")] = None
    timeframe: Annotated[str | None, typer.Option("--timeframe", help="How long a bar lasts: 1m to 1w.")] = None
    start: Annotated[str | None, typer.Option("--start", help="The first day or moment, in UTC: 2024-01-01.")] = None
    end: Annotated[str | None, typer.Option("--end", help="Up to, not including, it.")] = None
    adjustment: Annotated[str, typer.Option("--adjustment", help="raw, splits or all.")] = "raw"
    file: Annotated[Path | None, typer.Option("--file", "--bars", help="Bars from CSV or Parquet.")] = None
    calendar: Annotated[str, typer.Option("--calendar", help="Of a file: 24/7, 24/5, or an exchange: XNYS.")] = "24/7"
    currency: Annotated[str, typer.Option("--currency", help="Of a file.")] = "USD"
    zone: Annotated[str, typer.Option("--zone", help="Of a file's times that name none.")] = "UTC"

    def load(self) -> "Bars":
        from backend.research import load_bars

        if self.file is not None:
            reading = {"calendar": self.calendar, "currency": self.currency, "zone": self.zone}
            place = (str(self.file), self.symbol or "", self.timeframe)
            return load_bars(*place, self.start, self.end, is_file=True, **reading)
        if not self.symbol:
            raise typer.BadParameter("Name what to learn from: --symbol BTC/USDT --timeframe 1h, or --bars bars.csv.")
        if self.timeframe is None:
            raise typer.BadParameter("Say how long a bar lasts, such as --timeframe 1h.")
        start = self.start or self._usual_start()
        return load_bars(self.provider, self.symbol, self.timeframe, start, self.end, adjustment=self.adjustment)

    def of_card(self, card: Mapping[str, Any]) -> "Bars":
        """These bars, or where none are named the newest of the card's own series, from where it began."""
        series = card["series"]
        if self.symbol or self.file is not None:
            bars = self.load()
            _require_the_same(series, bars)
            return bars
        if series["provider"] == "import":
            raise typer.BadParameter("The model learned from a file. Name the file with newer bars: --bars bars.csv.")
        own = OneSeries(**{**asdict(self), **series})
        return OneSeries(**{**asdict(own), "start": self.start or card["data"]["first"]}).load()

    def _usual_start(self) -> str | None:
        """What is stored of other markets has a beginning of its own."""
        from datetime import UTC, datetime, timedelta

        from backend.domain.market import Timeframe
        from backend.research.bars import moment

        if self.provider != "demo" or self.timeframe not in list(Timeframe):
            return None
        end = moment(self.end) or datetime.now(UTC)
        back = Timeframe(self.timeframe).length * _USUAL_BARS
        return f"{end - min(back, timedelta(days=3_650)):%Y-%m-%d}"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of the model, and how it learns. What nobody says keeps its default."""

    horizon: Annotated[int | None, typer.Option("--horizon", help="Bars ahead. Default: 12.")] = None
    label: Annotated[str | None, typer.Option("--label", help="direction or triple_barrier.")] = None
    barrier: Annotated[float | None, typer.Option("--barrier", help="In volatilities; for triple_barrier.")] = None
    folds: Annotated[int | None, typer.Option("--folds", help="How often it is tried on later bars. Default: 5.")] = (
        None
    )
    embargo: Annotated[int | None, typer.Option("--embargo", help="Bars left out besides the horizon.")] = None
    rounds: Annotated[int | None, typer.Option("--rounds", help="Trees at most. Default: 200.")] = None
    patience: Annotated[int | None, typer.Option("--patience", help="Rounds without a better loss. Default: 30.")] = (
        None
    )
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="Default: 0.05.")] = None
    leaves: Annotated[int | None, typer.Option("--leaves", help="Of each tree, at most. Default: 15.")] = None
    least_in_leaf: Annotated[int | None, typer.Option("--least-in-leaf", help="Bars, at least. Default: 100.")] = None
    cost_bps: Annotated[float | None, typer.Option("--cost-bps", help="Of one order. Default: 15.")] = None
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Decides what is drawn by lot. Default: 7.")] = None

    @property
    def settings(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def _require_the_same(series: Mapping[str, Any], bars: "Bars") -> None:
    """What it learned of one market says nothing of another. Files may be called anything."""
    held = bars.loaded.series
    is_file = "import" in (series["provider"], held.provider)
    if series["timeframe"] != held.timeframe or not (is_file or series["symbol"] == held.symbol):
        raise typer.BadParameter(
            f"This model learned from {series['symbol']} {series['timeframe']}; these are bars of {held.symbol}"
            f" {held.timeframe}. Name the same series, or train a model of its own."
        )


def print_document(document: Mapping[str, Any]) -> None:
    print(json.dumps(document, indent=2, allow_nan=False))

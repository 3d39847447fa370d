"""What Yahoo answers, in our words: charts as rows, what it knows of a symbol, suggestions, errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from backend.data.fetchers.matching import is_symbol
from backend.data.fetchers.reading import Failed, Outcome, Rejected
from backend.data.fetchers.yahoo_places import OF_TIMEZONE, PLACES, PROVIDER
from backend.domain.bars import COLUMNS
from backend.domain.market import ALWAYS, FOREX, Adjustment, Instrument, Series, Timeframe
from backend.domain.market_errors import NotServed


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What Yahoo knows of a symbol."""

    instrument: Instrument
    timezone: str


def chart_frame(chart: Mapping[str, Any], series: Series, timezone: str) -> pd.DataFrame:
    stamps, values = chart.get("timestamp") or [], chart["indicators"]["quote"][0]
    if chart["meta"]["symbol"] != series.symbol:
        raise Failed(Outcome.GARBAGE, f"gave bars of {str(chart['meta']['symbol'])[:20]}")
    if not stamps and any(values.values()):
        raise Failed(Outcome.GARBAGE, "gave prices without their times")
    if not stamps:
        return no_rows()
    rows = pd.DataFrame({"ts": stamps, **{name: values[name] for name in COLUMNS}})
    if series.adjustment is Adjustment.ALL:
        adjusted = pd.to_numeric(pd.Series(chart["indicators"]["adjclose"][0]["adjclose"]))
        factor = adjusted / pd.to_numeric(rows["close"])
        for name in ("open", "high", "low", "close"):
            rows[name] = pd.to_numeric(rows[name]) * factor
    # Where nothing was traded it puts a row without prices.
    rows = rows.dropna(subset=["open", "high", "low", "close"], how="all")
    return _with_our_times(rows, series.timeframe, timezone).reset_index(drop=True)


def _with_our_times(rows: pd.DataFrame, timeframe: Timeframe, timezone: str) -> pd.DataFrame:
    """Its last row may be the price of now, with a time of its own, or that of today once more."""
    times = pd.to_datetime(rows["ts"].astype("int64"), unit="s", utc=True)
    if timeframe.is_intraday:
        rows = rows.assign(ts=times)
        off_grid = len(rows) > 0 and int(times.iloc[-1].timestamp()) % min(timeframe.seconds, 900) != 0
        double = len(rows) > 1 and times.iloc[-1] == times.iloc[-2]
        return rows.iloc[:-1] if off_grid or double else rows
    days = times.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize().dt.tz_localize("UTC")
    rows = rows.assign(ts=days)
    if len(rows) > 1 and days.iloc[-1] == days.iloc[-2]:
        rows = rows.drop(index=rows.index[-2])
    return rows


def no_rows() -> pd.DataFrame:
    return pd.DataFrame({"ts": pd.DatetimeIndex([], tz="UTC"), **{name: [] for name in COLUMNS}})


def listed(meta: Mapping[str, Any]) -> Listed:
    calendar = _calendar(meta["instrumentType"], meta["exchangeName"], meta["exchangeTimezoneName"])
    if calendar is None:
        raise NotServed(
            f"Yahoo has {meta['symbol']}, but we know no calendar of its exchange {meta['exchangeName']}"
            f" ({meta['exchangeTimezoneName']})."
        )
    first = meta.get("firstTradeDate")
    instrument = Instrument(
        provider=PROVIDER,
        symbol=meta["symbol"],
        name=meta.get("longName") or meta.get("shortName") or meta["symbol"],
        calendar=calendar,
        currency=meta["currency"],
        first_bar=None if first is None else _first_bar(first, meta["exchangeTimezoneName"]),
    )
    return Listed(instrument=instrument, timezone=meta["exchangeTimezoneName"])


def _first_bar(seconds: int, timezone: str) -> datetime:
    """It tells when trade began on the first day; the bar of that day begins at the midnight of its date."""
    moment = datetime.fromtimestamp(seconds, UTC)
    date = moment.astimezone(ZoneInfo(timezone)).date()
    return min(moment, datetime(date.year, date.month, date.day, tzinfo=UTC))


def suggested(quote: Mapping[str, Any]) -> Instrument | None:
    """A line of its search, which lacks the currency; None for what is no instrument that we can have."""
    symbol, kind = quote.get("symbol", ""), quote.get("quoteType", "")
    calendar = _calendar(kind, quote.get("exchange", ""), "")
    if not is_symbol(symbol) or calendar is None:
        return None
    of_a_pair = symbol.removesuffix("=X")[-3:]
    currency = of_a_pair if calendar in (ALWAYS, FOREX) else PLACES[quote["exchange"]].currency
    name = quote.get("longname") or quote.get("shortname") or symbol
    return Instrument(provider=PROVIDER, symbol=symbol, name=name, calendar=calendar, currency=currency)


def _calendar(kind: str, exchange: str, timezone: str) -> str | None:
    if kind == "CRYPTOCURRENCY":
        return ALWAYS
    if kind == "CURRENCY":
        return FOREX
    place = PLACES.get(exchange) or OF_TIMEZONE.get(timezone)
    return place.calendar if place else None


def said(rejected: Rejected) -> str:
    """The words of Yahoo's error, from wherever it put them."""
    try:
        words = json.loads(rejected.body)["chart"]["error"]["description"]
    except (ValueError, LookupError, TypeError):
        words = f"HTTP {rejected.status}"
    return str(words)[:200]
